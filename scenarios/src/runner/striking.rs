//! Faults while a scenario runs: when they come, whom they hit, when they end.
//!
//! Owns: the faults that are announced and those that last.
//! Always holds: an announced fault that finds nobody to hit is told and comes to nothing; one that
//! a file asks for at once has to hit somebody.
//! Deliberately does not know: how a world breaks anything.

use std::time::Duration;

use chaos::{
    Observation,
    fault::{Circumstance, Fault, Hit, OperatorFault, Situation, Strike, Trigger},
};

use super::{About, LOOK_EVERY, Run, Stopped};
use crate::{
    report::Verdict,
    world::{World, WorldFailed},
};

/// What has not come, and what has not ended.
#[derive(Debug, Default)]
pub(super) struct Faults {
    announced: Vec<(Moment, Fault)>,
    lasting: Vec<Lasting>,
    /// When the last of those that last came to its end.
    last_end: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    At(Duration),
    When(Situation),
}

#[derive(Debug)]
struct Lasting {
    until: Duration,
    fault: Fault,
    hit: Option<Hit>,
}

impl Faults {
    /// When the next thing is due, if it is known.
    fn next(&self) -> Option<Duration> {
        let comes = self
            .announced
            .iter()
            .filter_map(|(moment, _)| match moment {
                Moment::At(at) => Some(*at),
                Moment::When(_) => None,
            });
        comes.chain(self.lasting.iter().map(|it| it.until)).min()
    }

    /// Since when nothing has been wrong; `None` when nothing ever was.
    pub(super) fn over_since(&self) -> Option<Duration> {
        self.last_end
    }

    /// What is in the same trouble already only stays in it for longer: two ends of one trouble
    /// would mend the world while it is still to be broken.
    fn prolong(&mut self, fault: &Fault, hit: Option<&Hit>, until: Duration) -> bool {
        let known = self.lasting.iter_mut().find(|it| {
            fault.lasts().is_some()
                && it.fault.kind() == fault.kind()
                && it.place() == place(fault, hit)
        });
        let is_known = known.is_some();
        if let Some(known) = known {
            known.until = known.until.max(until);
        }
        is_known
    }

    fn take_ended(&mut self, now: Duration) -> Vec<Lasting> {
        self.lasting.extract_if(.., |it| it.until <= now).collect()
    }

    fn take_due(&mut self, now: Duration, look: Option<&Observation>) -> Vec<Fault> {
        let due = |moment: &Moment| match moment {
            Moment::At(at) => *at <= now,
            Moment::When(situation) => look.is_some_and(|look| situation.is_seen(look)),
        };
        let taken = self.announced.extract_if(.., |(moment, _)| due(moment));
        taken.map(|(_, fault)| fault).collect()
    }
}

impl Lasting {
    fn place(&self) -> Option<&str> {
        place(&self.fault, self.hit.as_ref())
    }
}

/// Where the trouble is: machines are shared by pods.
fn place<'a>(fault: &Fault, hit: Option<&'a Hit>) -> Option<&'a str> {
    hit.map(|hit| match fault {
        Fault::Node(..) => hit.node.as_str(),
        _ => hit.uid.as_str(),
    })
}

impl<W: World> Run<'_, W> {
    /// Does what a strike says: now, or later.
    pub(super) async fn strike(&mut self, strike: Strike) -> Result<(), Stopped> {
        let moment = match strike.trigger {
            Trigger::Now => {
                // Nobody may have been seen yet, or not since something was done.
                self.look().await?;
                return self.hit(strike.fault, true).await;
            }
            Trigger::In(span) => Moment::At(self.world.elapsed() + span.duration()),
            Trigger::When(situation) => Moment::When(situation),
        };
        self.faults.announced.push((moment, strike.fault));
        Ok(())
    }

    /// Ends every fault, also those that have not come yet.
    pub(super) async fn heal(&mut self) -> Result<(), Stopped> {
        self.faults.announced.clear();
        for lasting in std::mem::take(&mut self.faults.lasting) {
            self.end(lasting).await?;
        }
        Ok(())
    }

    /// Lets time pass, to the next thing that is due or the next look, and not beyond `limit`.
    pub(super) async fn pass(&mut self, limit: Duration) -> Result<(), Stopped> {
        self.pass_up_to(limit, LOOK_EVERY).await
    }

    /// The same, with another time between two looks.
    pub(super) async fn pass_up_to(
        &mut self,
        limit: Duration,
        look_every: Duration,
    ) -> Result<(), Stopped> {
        let now = self.world.elapsed();
        let due = self
            .faults
            .next()
            .map_or(limit, |at| at.saturating_sub(now));
        self.world.pass(look_every.min(limit).min(due)).await;
        self.due().await
    }

    /// Ends and begins what is due.
    pub(super) async fn due(&mut self) -> Result<(), Stopped> {
        let now = self.world.elapsed();
        for lasting in self.faults.take_ended(now) {
            self.end(lasting).await?;
        }
        for fault in self.faults.take_due(now, self.last.as_ref()) {
            self.hit(fault, false).await?;
        }
        Ok(())
    }

    async fn hit(&mut self, fault: Fault, must: bool) -> Result<(), Stopped> {
        let hit = match (fault.target(), &self.last) {
            (Some(target), look) => {
                let hit = look.as_ref().and_then(|look| target.find(look));
                if hit.is_none() {
                    return self.nobody(fault, must);
                }
                hit
            }
            (None, _) => None,
        };
        let whom = hit
            .as_ref()
            .map_or(String::new(), |hit| format!(" ({})", hit.pod));
        self.note(format!("fault: {fault}{whom}"));
        let until = fault
            .lasts()
            .map(|span| self.world.elapsed() + span.duration());
        if until.is_some_and(|until| self.faults.prolong(&fault, hit.as_ref(), until)) {
            return Ok(());
        }
        let circumstance = Circumstance::of(self.last.as_ref());
        let met = format!("{} {}", fault.kind(), circumstance.words());
        *self.situations.entry(met).or_default() += 1;
        let lasts = until.is_some();
        let about = if lasts {
            About::FaultBegins
        } else {
            About::Fault
        };
        self.mark(
            about,
            fault.to_string(),
            hit.as_ref().map(|hit| hit.pod.clone()),
        );
        let cluster = &self.scenario.cluster;
        match self.world.inject(cluster, &fault, hit.as_ref()).await {
            Err(WorldFailed::CannotDo { what, .. }) if self.leaves_out_what_cannot_be_done => {
                self.note(format!("left out, this world cannot do it: {what}"));
                return Ok(());
            }
            done => done?,
        }
        let until = match (until, fault) {
            (Some(until), _) => until,
            // It waits for its call, until it is healed.
            (None, Fault::Operator(OperatorFault::KillAt { .. })) => Duration::MAX,
            (None, _) => return Ok(()),
        };
        self.faults.lasting.push(Lasting { until, fault, hit });
        Ok(())
    }

    fn nobody(&mut self, fault: Fault, must: bool) -> Result<(), Stopped> {
        let reason = format!("`{fault}` found nobody to hit");
        self.note(format!("fault: {reason}"));
        if must {
            let verdict = Verdict::Crash;
            return Err(Stopped { verdict, reason });
        }
        Ok(())
    }

    async fn end(&mut self, lasting: Lasting) -> Result<(), Stopped> {
        let Lasting { fault, hit, .. } = lasting;
        self.note(format!("fault over: {fault}"));
        let whom = hit.as_ref().map(|hit| hit.pod.clone());
        self.mark(About::FaultEnds, fault.to_string(), whom);
        let cluster = &self.scenario.cluster;
        self.world.heal(cluster, &fault, hit.as_ref()).await?;
        self.faults.last_end = Some(self.world.elapsed());
        Ok(())
    }
}
