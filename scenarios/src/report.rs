//! What a run found out.
//!
//! Owns: verdicts with their exit codes, and the report that every output is made from.
//! Always holds: a report reproduces: it carries the command that runs the same thing again.
//! Deliberately does not know: how it is shown.

use std::{fmt, time::Duration};

use chaos::{Violation, history::Summary};
use serde::Serialize;

use crate::{world::Calls, worlds::Effort};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was expected came true.
    Pass,
    /// Something happened that must never happen.
    Safety,
    /// Something expected did not come true in time, or did not last.
    Liveness,
    /// The operator, the world or the run itself ended unexpectedly.
    Crash,
    /// The same seed gave different runs.
    Nondeterminism,
}

/// Exit code for a command line or a scenario file that cannot be understood (`EX_USAGE`).
pub const EXIT_BAD_INPUT: u8 = 64;

impl Verdict {
    /// The exit code that tells it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Safety => 1,
            Self::Liveness => 2,
            Self::Crash => 3,
            Self::Nondeterminism => 4,
        }
    }

    /// The worse of two verdicts, for several runs under one exit code.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let order = [
            Self::Pass,
            Self::Liveness,
            Self::Crash,
            Self::Nondeterminism,
            Self::Safety,
        ];
        let rank = |verdict| order.iter().position(|it| *it == verdict);
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Crash => "crash",
            Self::Nondeterminism => "nondeterminism",
        })
    }
}

/// What runs: enough to run it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Name of the scenario, or the file it is in.
    pub scenario: String,
    /// Name of the world.
    pub world: String,
    /// The root of all randomness.
    pub seed: u64,
    /// Version of etcd.
    pub etcd_version: String,
    /// The command that runs this again.
    pub reproduce: String,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What ran.
    pub subject: Subject,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, when it did not pass.
    pub reason: Option<String>,
    /// Each step that was begun.
    pub steps: Vec<StepReport>,
    /// What clients did; `None` when the scenario has no traffic.
    pub traffic: Option<Summary>,
    /// What must never happen, and did.
    pub violations: Vec<Violation>,
    /// Time in the world.
    #[serde(rename = "world_ms", serialize_with = "millis")]
    pub took: Duration,
    /// Time on the clock on the wall.
    #[serde(rename = "wall_ms", serialize_with = "millis")]
    pub wall: Duration,
    /// Hash over the trace, in worlds that are deterministic.
    pub trace_hash: Option<String>,
    /// What the simulation took; `None` in worlds that are not one.
    pub effort: Option<Effort>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Its title.
    pub title: String,
    /// When it began, since the world did.
    #[serde(rename = "began_ms", serialize_with = "millis")]
    pub began: Duration,
    /// How long it took in the world.
    #[serde(rename = "world_ms", serialize_with = "millis")]
    pub took: Duration,
    /// How long it took on the wall.
    #[serde(rename = "wall_ms", serialize_with = "millis")]
    pub wall: Duration,
    /// What the operator asked meanwhile; `None` where nobody counts.
    pub calls: Option<Calls>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Why it failed, when it did.
    pub failed: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, since the world began.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// What.
    pub what: String,
}

fn millis<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_own_exit_code() {
        let verdicts = [
            Verdict::Pass,
            Verdict::Safety,
            Verdict::Liveness,
            Verdict::Crash,
            Verdict::Nondeterminism,
        ];
        let codes: std::collections::BTreeSet<u8> = verdicts
            .iter()
            .map(|verdict| verdict.exit_code())
            .chain([EXIT_BAD_INPUT])
            .collect();
        assert_eq!(codes.len(), verdicts.len() + 1);
    }

    #[test]
    fn of_many_runs_the_worst_counts() {
        assert_eq!(Verdict::Pass.worse(Verdict::Liveness), Verdict::Liveness);
        assert_eq!(Verdict::Safety.worse(Verdict::Crash), Verdict::Safety);
    }
}
