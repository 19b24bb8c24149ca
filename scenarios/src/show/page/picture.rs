//! What is drawn where.
//!
//! Owns: the lanes of the picture, from top to bottom: steps and the user, pods with their roles,
//! the margin of quorum, READY, faults, and what the operator wrote.
//! Always holds: every lane has the same scale of time; a violation crosses all of them.
//! Deliberately does not know: how shapes are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    canvas::Canvas,
    chronicle::{Bar, Chronicle},
};
use crate::{
    report::Report,
    runner::{
        About,
        glance::{Glance, Role},
    },
    show::seconds,
};

const LANE: f64 = 20.0;
const GAP: f64 = 16.0;

/// The picture of a run.
pub(super) fn draw(report: &Report, chronicle: &Chronicle) -> String {
    let end = report.took.max(Duration::from_secs(1));
    let mut drawing = Drawing {
        canvas: Canvas::new(end),
        y: 0.0,
        end,
        chronicle,
    };
    drawing.user();
    let top = drawing.y;
    drawing.pods();
    drawing.margin();
    drawing.ready();
    drawing.faults();
    drawing.writes();
    let bottom = drawing.y;
    drawing.steps(report, top, bottom);
    drawing.time(bottom);
    drawing.violations(bottom);
    drawing.legend();
    let height = drawing.y + 10.0;
    drawing.canvas.finish(height)
}

struct Drawing<'a> {
    canvas: Canvas,
    y: f64,
    end: Duration,
    chronicle: &'a Chronicle,
}

/// How high a curve is at one look.
type Height = fn(&Glance) -> u32;

impl Drawing<'_> {
    /// What the user did, each in the first row that has room for it.
    fn user(&mut self) {
        self.y = 34.0;
        let marks = self.chronicle.marks().iter();
        let done: Vec<_> = marks.filter(|it| it.about == About::User).collect();
        let spans = done.iter().map(|mark| {
            let x = self.canvas.x(mark.at);
            (x, x + width_of(&mark.what) + 10.0)
        });
        let (rows, height) = stack(spans);
        for (mark, row) in done.into_iter().zip(rows) {
            let (x, y) = (self.canvas.x(mark.at), self.y + row as f64 * 15.0);
            self.canvas.line(
                (x, y - 10.0),
                (x, y + 4.0),
                "stroke=\"#1d4ed8\" stroke-width=\"2\"",
            );
            let style = "fill=\"#1d4ed8\" font-weight=\"600\"";
            self.canvas.text((x + 4.0, y), &mark.what, style);
        }
        self.canvas.name(self.y, "user");
        self.y += height as f64 * 15.0 + GAP / 2.0;
    }

    fn pods(&mut self) {
        let names: BTreeSet<&str> = self
            .chronicle
            .glances()
            .iter()
            .flat_map(|it| it.pods.keys().map(String::as_str))
            .collect();
        for name in names {
            let role = |glance: &Glance| glance.pods.get(name).copied();
            for (from, to, role) in self.spans(role) {
                let Some((fill, words)) = role.map(look_of) else {
                    continue;
                };
                let (x, width) = (self.canvas.x(from), self.width(from, to));
                let hint = format!("{name}: {words}, {} to {}", seconds(from), seconds(to));
                let size = (width, LANE - 5.0);
                self.canvas.area((x, self.y), size, fill, &hint);
            }
            self.canvas.name(self.y + 12.0, name);
            self.y += LANE;
        }
        self.y += GAP;
    }

    /// How many more voters may fail: below zero there is no majority.
    fn margin(&mut self) {
        const UNIT: f64 = 12.0;
        let zero = self.y + 3.0 * UNIT;
        for (from, to, margin) in self.spans(|glance| glance.margin) {
            let (x, width) = (self.canvas.x(from), self.width(from, to));
            let (height, fill, hint) = match margin {
                None => (UNIT, "#e5e7eb", "nobody tells the membership".to_owned()),
                Some(margin) if margin < 0 => (
                    UNIT * -margin as f64,
                    "#c0262d",
                    format!("{} voters short of a majority", -margin),
                ),
                Some(margin) => {
                    let height = (margin as f64 * UNIT).max(2.0);
                    (height, "#7fb98d", format!("{margin} voters may fail"))
                }
            };
            let above = margin.is_some_and(|margin| margin >= 0);
            let y = if above { zero - height } else { zero };
            let height = height.min(2.0 * UNIT);
            self.canvas.area((x, y), (width, height), fill, &hint);
        }
        self.rule(zero);
        self.canvas.name(zero + 4.0, "quorum margin");
        self.y = zero + 2.0 * UNIT + GAP;
    }

    fn ready(&mut self) {
        const UNIT: f64 = 9.0;
        let glances = self.chronicle.glances();
        let most = glances.iter().map(|it| it.wanted.max(it.ready)).max();
        let zero = self.y + UNIT * f64::from(most.unwrap_or(0).max(1));
        let wanted: Height = |it| it.wanted;
        let ready: Height = |it| it.ready;
        let dashed = "stroke=\"#9aa3af\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"";
        let solid = "stroke=\"#2c7a3f\" stroke-width=\"2\"";
        for (value, style) in [(wanted, dashed), (ready, solid)] {
            let spans = self.spans(value);
            let height = |value: u32| zero - f64::from(value) * UNIT;
            let mut points: Vec<(f64, f64)> = spans
                .iter()
                .map(|(from, _, value)| (self.canvas.x(*from), height(*value)))
                .collect();
            if let Some((_, to, value)) = spans.last() {
                points.push((self.canvas.x(*to), height(*value)));
            }
            self.canvas.steps(&points, style);
        }
        self.rule(zero);
        self.canvas.name(zero, "READY (– – wanted)");
        self.y = zero + GAP;
    }

    fn faults(&mut self) {
        let bars = self.chronicle.faults();
        let end = self.end;
        let label = |bar: &Bar| match &bar.whom {
            Some(whom) => format!("{} ({whom})", bar.what),
            None => bar.what.clone(),
        };
        let spans = bars.iter().map(|bar| {
            let (from, to) = (
                self.canvas.x(bar.from),
                self.canvas.x(bar.to.unwrap_or(end)),
            );
            (from, to.max(from + width_of(&label(bar)) + 14.0))
        });
        let (rows, height) = stack(spans);
        for (bar, row) in bars.iter().zip(rows) {
            let to = bar.to.unwrap_or(end);
            let (x, y) = (self.canvas.x(bar.from), self.y + row as f64 * 16.0);
            let hint = format!("{}, {} to {}", label(bar), seconds(bar.from), seconds(to));
            if to == bar.from {
                self.canvas.dot((x, y + 7.0), 5.0, "#d97706", &hint);
            } else {
                let size = (self.width(bar.from, to), 14.0);
                self.canvas.area((x, y), size, "#fcd9a5", &hint);
            }
            let style = "fill=\"#92400e\"";
            self.canvas.text((x + 7.0, y + 11.0), &label(bar), style);
        }
        if !bars.is_empty() {
            self.canvas.name(self.y + 11.0, "faults");
            self.y += height as f64 * 16.0 + GAP;
        }
    }

    /// A row for each kind of call, a dot where it was made.
    fn writes(&mut self) {
        let glances = self.chronicle.glances();
        let mut made: BTreeMap<&str, Vec<(Duration, u64)>> = BTreeMap::new();
        for glance in glances {
            for (call, count) in &glance.writes {
                // That somebody leads or tells of it is no work on the cluster.
                if !call.ends_with(" leases") && !call.ends_with(" events") {
                    made.entry(call).or_default().push((glance.at, *count));
                }
            }
        }
        for (call, times) in made {
            self.rule(self.y + 7.0);
            for (at, count) in times {
                let radius = (2.5 + (count as f64).sqrt()).min(7.0);
                let hint = format!("{count} × {call}, up to {}", seconds(at));
                let place = (self.canvas.x(at), self.y + 7.0);
                self.canvas.dot(place, radius, "#6d28d9", &hint);
            }
            self.canvas.name(self.y + 11.0, call);
            self.y += 15.0;
        }
        self.y += GAP;
    }

    fn steps(&mut self, report: &Report, top: f64, bottom: f64) {
        for (index, step) in report.steps.iter().enumerate() {
            let x = self.canvas.x(step.began);
            let style = "stroke=\"#c7ccd4\" stroke-width=\"1\"";
            self.canvas.line((x, 6.0), (x, bottom), style);
            let width = self.width(step.began, step.began + step.took);
            if index % 2 == 1 {
                let shade = "rgba(30, 64, 175, 0.04)";
                self.canvas.area((x, top), (width, bottom - top), shade, "");
            }
            let style = "font-weight=\"700\" fill=\"#1c1f23\"";
            let room = (width / 7.0) as usize;
            let title: String = step.title.chars().take(room.max(3)).collect();
            self.canvas.text((x + 4.0, 14.0), &title, style);
        }
        self.canvas.name(14.0, "step");
    }

    fn time(&mut self, y: f64) {
        let every = [
            1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400,
        ]
        .into_iter()
        .find(|every| *every as f64 * self.canvas.scale() >= 55.0)
        .unwrap_or(86_400_u64);
        self.rule(y);
        for second in (0..=self.end.as_secs()).step_by(every as usize) {
            let x = self.canvas.x(Duration::from_secs(second));
            self.canvas.line((x, y), (x, y + 4.0), "stroke=\"#9aa3af\"");
            let text = match second {
                0..=599 => format!("{second} s"),
                _ => format!("{} min", second / 60),
            };
            let style = "text-anchor=\"middle\" fill=\"#667\"";
            self.canvas.text((x, y + 15.0), &text, style);
        }
        self.y = y + 34.0;
    }

    fn violations(&mut self, bottom: f64) {
        let marks = self.chronicle.marks().iter();
        let broken: Vec<_> = marks.filter(|it| it.about == About::Violation).collect();
        for mark in broken {
            let x = self.canvas.x(mark.at);
            let style = "stroke=\"#c0262d\" stroke-width=\"2\"";
            self.canvas.line((x, 20.0), (x, bottom), style);
            // Towards the middle, so that it is not cut off.
            let anchor = if x > (self.canvas.left() + self.canvas.right()) / 2.0 {
                "end"
            } else {
                "start"
            };
            let style = format!("fill=\"#c0262d\" font-weight=\"700\" text-anchor=\"{anchor}\"");
            let text = format!("✗ {}", mark.what);
            self.canvas.text((x, self.y), &text, &style);
            self.y += 15.0;
        }
    }

    fn legend(&mut self) {
        let mut x = self.canvas.left();
        self.y += 6.0;
        let roles = [
            Role::Leader,
            Role::Voter,
            Role::Learner,
            Role::Leaderless,
            Role::Silent,
            Role::Down,
        ];
        for role in roles {
            let (fill, words) = look_of(role);
            self.canvas.area((x, self.y - 9.0), (11.0, 11.0), fill, "");
            self.canvas.text((x + 15.0, self.y), words, "fill=\"#445\"");
            x += 15.0 + width_of(words) + 18.0;
        }
        self.canvas.dot((x + 5.0, self.y - 4.0), 3.5, "#6d28d9", "");
        let text = "writes of the operator since the look before";
        self.canvas.text((x + 15.0, self.y), text, "fill=\"#445\"");
        self.y += 8.0;
    }

    /// Runs of equal values, each with its begin and end.
    fn spans<T: PartialEq>(&self, value: impl Fn(&Glance) -> T) -> Vec<(Duration, Duration, T)> {
        let mut spans: Vec<(Duration, Duration, T)> = Vec::new();
        for glance in self.chronicle.glances() {
            let value = value(glance);
            if let Some(last) = spans.last_mut() {
                last.1 = glance.at;
                if last.2 == value {
                    continue;
                }
            }
            spans.push((glance.at, self.end, value));
        }
        if let Some(last) = spans.last_mut() {
            last.1 = self.end;
        }
        spans
    }

    fn width(&self, from: Duration, to: Duration) -> f64 {
        self.canvas.x(to) - self.canvas.x(from)
    }

    fn rule(&mut self, y: f64) {
        let (left, right) = (self.canvas.left(), self.canvas.right());
        self.canvas.line(
            (left, y),
            (right, y),
            "stroke=\"#e5e7eb\" stroke-width=\"1\"",
        );
    }
}

/// Fill and words of a role.
fn look_of(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Leader => ("#14532d", "leader"),
        Role::Voter => ("#5aa469", "voter"),
        Role::Learner => ("#5b9bd5", "learner"),
        Role::Leaderless => ("#e3b341", "knows of no leader"),
        Role::Silent => ("#e08c8c", "runs, does not answer"),
        Role::Down => ("#d5d9df", "does not run"),
    }
}

/// About how wide a text is.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 5.9
}

/// The first row that has room for each span, and how many rows there are.
fn stack(spans: impl Iterator<Item = (f64, f64)>) -> (Vec<usize>, usize) {
    let mut ends: Vec<f64> = Vec::new();
    let rows = spans
        .map(|(from, to)| {
            let free = ends.iter().position(|end| *end <= from);
            let row = free.unwrap_or(ends.len());
            match ends.get_mut(row) {
                Some(end) => *end = to,
                None => ends.push(to),
            }
            row
        })
        .collect();
    (rows, ends.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_goes_into_another_row() {
        let spans = [(0.0, 10.0), (5.0, 7.0), (6.0, 20.0), (10.0, 12.0)];
        assert_eq!(stack(spans.into_iter()), (vec![0, 1, 2, 0], 3));
    }
}
