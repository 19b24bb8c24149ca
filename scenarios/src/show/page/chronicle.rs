//! What is gathered of a run so that it can be drawn.
//!
//! Owns: glances, without those that show nothing new, and marks, with faults from begin to end.
//! Always holds: a fault that never ended lasts until the end of the run.
//! Deliberately does not know: how it is drawn.

use std::time::Duration;

use crate::runner::{About, Event, Mark, glance::Glance};

/// What is gathered.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    glances: Vec<Glance>,
    faults: Vec<Bar>,
    marks: Vec<Mark>,
}

/// A fault and how long it lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it began.
    pub from: Duration,
    /// When it ended; none for as long as nobody said so.
    pub to: Option<Duration>,
    /// What it is.
    pub what: String,
    /// The pod that it hit, if any.
    pub whom: Option<String>,
}

impl Chronicle {
    /// Notes what an event tells, if it can be drawn.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Looked(glance) => self.glance(glance),
            Event::Marked(mark) => self.mark(mark),
            _ => {}
        }
    }

    fn glance(&mut self, glance: &Glance) {
        let known = self.glances.last();
        let news = known.is_none_or(|known| !known.shows_the_same(glance));
        if news || !glance.writes.is_empty() {
            self.glances.push(glance.clone());
        }
    }

    fn mark(&mut self, mark: &Mark) {
        let bar = |to| Bar {
            from: mark.at,
            to,
            what: mark.what.clone(),
            whom: mark.whom.clone(),
        };
        match mark.about {
            About::FaultBegins => self.faults.push(bar(None)),
            About::Fault => self.faults.push(bar(Some(mark.at))),
            About::FaultEnds => {
                let mut open = self.faults.iter_mut().filter(|it| it.to.is_none());
                if let Some(bar) = open.find(|it| it.what == mark.what && it.whom == mark.whom) {
                    bar.to = Some(mark.at);
                }
            }
            About::User | About::Violation => self.marks.push(mark.clone()),
        }
    }

    /// What was seen, in order.
    #[must_use]
    pub fn glances(&self) -> &[Glance] {
        &self.glances
    }

    /// The faults, in the order in which they began.
    #[must_use]
    pub fn faults(&self) -> &[Bar] {
        &self.faults
    }

    /// What the user did, and what was violated.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_bar_from_its_begin_to_its_own_end() {
        let mut chronicle = Chronicle::default();
        let mark = |at, about, what: &str| {
            Event::Marked(Mark {
                at: Duration::from_secs(at),
                about,
                what: what.to_owned(),
                whom: None,
            })
        };
        chronicle.hear(&mark(1, About::FaultBegins, "a"));
        chronicle.hear(&mark(2, About::FaultBegins, "b"));
        chronicle.hear(&mark(3, About::Fault, "c"));
        chronicle.hear(&mark(4, About::FaultEnds, "b"));
        let ends: Vec<_> = chronicle.faults().iter().map(|bar| bar.to).collect();
        let at = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(ends, [None, at(4), at(3)]);
    }
}
