//! Scenarios made up from seeds, and what becomes of them.
//!
//! Owns: one attempt at a scenario: what came out, in the few words by which two failures are
//! held to be the same.
//! Always holds: a seed gives the same scenario and the same outcome in the same build.
//! Deliberately does not know: how many attempts are made, and by which process.
//!
//! Reading order: this file, [`generate`], [`fair`] (which schedules prove something), [`shrink`];
//! then campaigns: [`crew`] (many processes), [`situations`] (what is to be reached), [`tally`] and
//! [`found`] (what came out).

pub mod crew;
pub mod fair;
pub mod found;
pub mod generate;
pub mod lives;
pub mod shrink;
pub mod situations;
pub mod tally;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use simulator::kubernetes::api::Lives;

use crate::{
    planted::Plant, report::Verdict, runner::Event, scenario::Scenario, sim, worlds::Request,
};

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The seed of the run.
    pub seed: u64,
    /// How it ended.
    pub symptom: Symptom,
    /// Why, when it did not pass.
    pub reason: Option<String>,
    /// How often which kind of fault hit in which situation.
    pub situations: BTreeMap<String, u64>,
    /// Writes that the operator made.
    pub writes: u64,
    /// Time in the world.
    pub world_ms: u64,
    /// How often each object was created and deleted.
    #[serde(skip)]
    pub lives: BTreeMap<String, Lives>,
    /// Whether it came to no end of its own: it hung, or took its process with it.
    pub lost: bool,
}

/// By what two failures are held to be the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Symptom {
    /// How it ended.
    pub verdict: String,
    /// The broken invariant, or what was missing, without numbers.
    pub what: String,
}

impl Attempt {
    /// Whether all was well.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict() == Verdict::Pass
    }

    /// How it ended.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = [Verdict::Pass, Verdict::Safety, Verdict::Liveness];
        let found = all
            .into_iter()
            .find(|it| it.to_string() == self.symptom.verdict);
        found.unwrap_or(Verdict::Crash)
    }
}

/// Runs a scenario in the simulated world.
#[must_use]
pub fn attempt(scenario: &Scenario, seed: u64) -> Attempt {
    attempt_with(scenario, seed, None)
}

/// The same, with a bug planted into the operator.
#[must_use]
pub fn attempt_with(scenario: &Scenario, seed: u64, planted: Option<&'static Plant>) -> Attempt {
    let request = Request {
        scenario: scenario.clone(),
        seed,
        keep_trace: false,
        planted,
        soak: None,
    };
    let mut writes = 0;
    let mut tell = |event| {
        if let Event::Ended(step) = event {
            writes += step.calls.map_or(0, |calls| calls.writes());
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| sim::run(&request, &mut tell)));
    let mut situations = BTreeMap::new();
    let mut lives = BTreeMap::new();
    let mut took = Duration::ZERO;
    let (verdict, what, reason) = match ran {
        Err(panic) => {
            let text = said(&*panic);
            (Verdict::Crash, plain(&text), Some(format!("panic: {text}")))
        }
        Ok(Err(cannot)) => {
            let text = cannot.to_string();
            (Verdict::Crash, plain(&text), Some(text))
        }
        Ok(Ok(ran)) => {
            let outcome = ran.outcome;
            situations = outcome.situations;
            lives = outcome.lives;
            took = outcome.took;
            let broken = outcome.violations.first().map(|it| it.invariant.to_owned());
            let reason = outcome.reason;
            let what = broken.unwrap_or_else(|| plain(reason.as_deref().unwrap_or_default()));
            (outcome.verdict, what, reason)
        }
    };
    Attempt {
        seed,
        symptom: Symptom {
            verdict: verdict.to_string(),
            what,
        },
        reason,
        situations,
        writes,
        world_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        lives,
        lost: false,
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The text without what differs between two runs of the same failure: numbers, IDs, counts.
fn plain(text: &str) -> String {
    let text = text
        .split_once("did not come true: ")
        .map_or(text, |(_, why)| why);
    let words = text.split_whitespace().map(|word| {
        if word.contains(|c: char| c.is_ascii_digit()) {
            "#"
        } else {
            word
        }
    });
    words.take(24).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_with_other_numbers_is_the_same() {
        let one = plain("`expect 3 members within 5m` did not come true: demo-2 does not answer");
        let other = plain("`expect 5 members within 1m` did not come true: demo-4 does not answer");
        assert_eq!(
            (one.as_str(), other.as_str()),
            ("# does not answer", "# does not answer")
        );
    }
}
