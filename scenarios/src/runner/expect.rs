//! Waits for what is expected, or checks it.
//!
//! Owns: what each expectation means in looks, and how long is waited.
//! Always holds: an expectation that fails says what was still missing, or what changed.
//! Deliberately does not know: what comes after it.

use std::time::Duration;

use chaos::Observation;

use super::{Event, Run, Stopped};
use crate::{
    report::Verdict,
    scenario::{Expectation, Span},
    world::World,
};

/// Time in which an operator may still write down what has just come true, and delete what is not
/// needed any more.
const TIDIES_UP: Duration = Duration::from_secs(10);

/// Time after the end of a fault in which an operator may still learn of things one by one, and
/// write down each: its watches come back when they are tried again.
const SEES_AGAIN: Duration = Duration::from_secs(15);

/// Between two looks at a cluster in which nothing is to change. What flickers in between is counted
/// all the same: as a restart of a pod, or as a write of the operator.
const STEADY_LOOK: Duration = Duration::from_secs(1);

/// An operator at rest is watched for this long at least.
const AT_REST: Duration = Duration::from_secs(5);

impl<W: World> Run<'_, W> {
    pub(super) async fn expect(&mut self, expectation: &Expectation) -> Result<(), Stopped> {
        match expectation {
            Expectation::Members { count, within } => {
                let settled = |look: &Observation| look.settled_at(*count);
                self.wait_for(expectation, *within, settled).await
            }
            Expectation::Stays { count, lasting } => {
                self.stays(expectation, *count, *lasting).await
            }
            Expectation::NothingLeft { within } => self.gone(expectation, *within, false).await,
            Expectation::OnlyVolumesLeft { within } => self.gone(expectation, *within, true).await,
            Expectation::Condition {
                kind,
                holds,
                within,
            } => {
                let said = |look: &Observation| says(look, kind.kind(), *holds);
                self.wait_for(expectation, *within, said).await
            }
            Expectation::StatusNames { text, within } => {
                let named = |look: &Observation| names(look, text);
                self.wait_for(expectation, *within, named).await
            }
            Expectation::NoStall { longest } => self.no_stall(expectation, *longest),
            Expectation::WritesReadable => self.read_back(expectation).await,
            Expectation::NoViolation => match self.violations().first() {
                None => Ok(()),
                Some(violation) => Err(unsafe_because(expectation, violation)),
            },
        }
    }

    async fn wait_for(
        &mut self,
        expectation: &Expectation,
        within: Span,
        mut come_true: impl FnMut(&Observation) -> Result<(), String>,
    ) -> Result<(), Stopped> {
        let deadline = self.world.elapsed() + within.duration();
        loop {
            self.look().await?;
            let seen = self
                .last
                .as_ref()
                .map_or(Err("nothing was seen".to_owned()), &mut come_true);
            let Err(missing) = seen else { return Ok(()) };
            self.wait(expectation, deadline, missing).await?;
        }
    }

    /// Lets a little time pass; fails when it is up.
    async fn wait(
        &mut self,
        expectation: &Expectation,
        deadline: Duration,
        missing: String,
    ) -> Result<(), Stopped> {
        let at = self.world.elapsed();
        if at >= deadline {
            return Err(late(expectation, &missing));
        }
        (self.tell)(Event::Waiting { at, missing });
        self.pass(deadline - at).await
    }

    /// Settled in every look, with the same pods and members from the first to the last, and an
    /// operator at rest.
    async fn stays(
        &mut self,
        expectation: &Expectation,
        count: u32,
        lasting: Span,
    ) -> Result<(), Stopped> {
        let began = self.world.elapsed();
        let seen = self.faults.over_since().map(|over| over + SEES_AGAIN);
        let rests = (began + TIDIES_UP).max(seen.unwrap_or_default());
        let end = (began + lasting.duration()).max(seen.map_or(began, |seen| seen + AT_REST));
        let mut first: Option<Observation> = None;
        let mut calls = None;
        loop {
            self.look().await?;
            let Some(look) = &self.last else { continue };
            look.settled_at(count)
                .map_err(|missing| changed(expectation, &missing))?;
            let before = first.get_or_insert_with(|| look.clone());
            if identity(before) != identity(look) {
                return Err(changed(
                    expectation,
                    "pods or members are others than before",
                ));
            }
            let at = self.world.elapsed();
            if calls.is_none() && at >= rests {
                calls = self.world.calls().map(|calls| (at, calls));
            }
            if at >= end {
                // Where nobody counts calls, nothing is claimed of them.
                let Some((now, (since, before))) = self.world.calls().zip(calls) else {
                    return Ok(());
                };
                let made = now.since(&before).kubernetes;
                let rest = chaos::rest::check(&made, at - since);
                return rest.map_err(|what| changed(expectation, &what));
            }
            (self.tell)(Event::Waiting {
                at,
                missing: "nothing; it has to last".to_owned(),
            });
            self.pass_up_to(end - at, STEADY_LOOK).await?;
        }
    }

    async fn gone(
        &mut self,
        expectation: &Expectation,
        within: Span,
        volumes_stay: bool,
    ) -> Result<(), Stopped> {
        let deadline = self.world.elapsed() + within.duration();
        loop {
            self.look().await?;
            let left = self.world.leftovers().await?;
            let mut too_much = left.others;
            if !volumes_stay {
                too_much.extend(left.volumes.iter().cloned());
            } else if left.volumes.is_empty() {
                return Err(changed(expectation, "no volume is left"));
            }
            if too_much.is_empty() {
                return Ok(());
            }
            let missing = format!("still there: {}", too_much.join(", "));
            self.wait(expectation, deadline, missing).await?;
        }
    }

    fn no_stall(&self, expectation: &Expectation, longest: Span) -> Result<(), Stopped> {
        let now = self.world.elapsed();
        let stall = self.history().longest_stall(self.step_began, now);
        if stall <= longest.duration() {
            return Ok(());
        }
        let what = format!("no write was acknowledged for {} ms", stall.as_millis());
        Err(changed(expectation, &what))
    }

    async fn read_back(&mut self, expectation: &Expectation) -> Result<(), Stopped> {
        let history = self.history();
        if history.acknowledged().next().is_none() {
            let missing = "not a single write was acknowledged, so there is nothing to read back";
            return Err(late(expectation, missing));
        }
        let result = self.world.read_back(&history).await?;
        self.note(format!(
            "clients: {} acknowledged writes read back, {} lost{}",
            result.found,
            result.lost.len(),
            match result.compacted {
                0 => String::new(),
                count => format!(", {count} compacted away"),
            },
        ));
        let lost = result.lost.first().cloned();
        self.settled_history.extend(result.lost);
        match lost {
            None => Ok(()),
            Some(violation) => Err(unsafe_because(expectation, &violation)),
        }
    }
}

fn says(look: &Observation, kind: &str, holds: bool) -> Result<(), String> {
    let resource = look.resource.as_ref().ok_or("there is no EtcdCluster")?;
    match resource.condition(kind) {
        Some(said) if said == holds => Ok(()),
        Some(said) => Err(format!("the status says {kind}={said}")),
        None => Err(format!("the status does not say whether it is {kind}")),
    }
}

fn names(look: &Observation, text: &str) -> Result<(), String> {
    let resource = look.resource.as_ref().ok_or("there is no EtcdCluster")?;
    let mut conditions = resource.conditions.iter();
    if conditions.any(|it| it.reason.contains(text) || it.message.contains(text)) {
        return Ok(());
    }
    let said = resource
        .conditions
        .iter()
        .map(|it| format!("{}: {}", it.reason, it.message));
    let said: Vec<String> = said.collect();
    Err(format!("the status says: {}", said.join("; ")))
}

/// What must not change while nothing is asked for.
fn identity(look: &Observation) -> Vec<(&str, u32, Option<u64>)> {
    let pods = look.pods.iter();
    pods.map(|pod| {
        (
            pod.uid.as_str(),
            pod.restarts,
            pod.member.as_ref().map(|it| it.id),
        )
    })
    .collect()
}

fn late(expectation: &Expectation, missing: &str) -> Stopped {
    Stopped {
        verdict: Verdict::Liveness,
        reason: format!("`{expectation}` did not come true: {missing}"),
    }
}

fn changed(expectation: &Expectation, what: &str) -> Stopped {
    Stopped {
        verdict: Verdict::Liveness,
        reason: format!("`{expectation}` did not hold: {what}"),
    }
}

fn unsafe_because(expectation: &Expectation, violation: &chaos::Violation) -> Stopped {
    Stopped {
        verdict: Verdict::Safety,
        reason: format!("`{expectation}` does not hold: {violation}"),
    }
}
