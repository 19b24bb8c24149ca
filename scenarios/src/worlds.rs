//! The worlds that a scenario can run in.
//!
//! Owns: what a world is given and gives back, and the choice between worlds.
//! Always holds: a world runs the scenario on its own clock and tells events as they happen.
//! Deliberately does not know: what a scenario does.

use std::path::PathBuf;

use crate::{
    cli::WorldKind,
    runner::{Event, Outcome},
    scenario::Scenario,
};

/// Hears of events while a run goes, on whatever thread it goes on.
pub type Tell<'a> = &'a mut (dyn FnMut(Event) + Send);

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The scenario, with the version of etcd that is wanted.
    pub scenario: Scenario,
    /// The root of all randomness.
    pub seed: u64,
    /// The etcd program, where one is needed.
    pub etcd: Option<PathBuf>,
    /// Whether to keep the trace.
    pub keep_trace: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What the runner found.
    pub outcome: Outcome,
    /// Hash over the trace, in worlds that are deterministic.
    pub trace_hash: Option<u64>,
    /// The trace, when it was asked for.
    pub trace: Vec<String>,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
#[error("failed to {0}")]
pub struct CannotBegin(pub String);

/// Runs in the world of this kind.
///
/// # Errors
/// When the world cannot be made.
pub fn run(kind: WorldKind, request: &Request, tell: Tell<'_>) -> Result<Ran, CannotBegin> {
    match kind {
        WorldKind::Sim => crate::sim::run(request, tell),
        WorldKind::Process => Err(CannotBegin(
            "make the world `process`: it is not part of this build".to_owned(),
        )),
    }
}
