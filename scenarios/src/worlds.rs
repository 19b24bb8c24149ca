//! The worlds that a scenario can run in.
//!
//! Owns: what a world needs before anything runs, what it is given and gives back, and the choice
//! between worlds.
//! Always holds: a world runs the scenario on its own clock and tells events as they happen.
//! Deliberately does not know: what a scenario does.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

#[cfg(target_os = "linux")]
use crate::process::{self, Enclosure, EtcdBinary, Side};
use crate::{
    cli::WorldKind,
    kubernetes::{self, KubeOptions, commands::Commands},
    planted::Plant,
    runner::{Event, Outcome, soak::Soak},
    scenario::{EtcdVersion, Scenario},
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
    /// Whether to keep the trace.
    pub keep_trace: bool,
    /// The bug that the operator is to have, if any.
    pub planted: Option<&'static Plant>,
    /// What follows the scenario's last step on its cluster, if anything.
    pub soak: Option<Soak>,
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
    /// What the simulation took; `None` in worlds that are not one.
    pub effort: Option<Effort>,
}

/// What a simulation took, in counts that are the same in every run of the same build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Times that a task was polled.
    pub polls: u64,
    /// Packets on the simulated network.
    pub packets: u64,
}

/// Why a run could not begin; the text is complete.
#[derive(Debug, thiserror::Error)]
#[error("error: {0}")]
pub struct CannotBegin(pub String);

/// Where runs take place, with all that they need from this machine.
#[derive(Debug)]
pub enum Ground {
    /// Virtual time needs nothing.
    Sim,
    /// Namespaces of its own, and a real etcd.
    #[cfg(target_os = "linux")]
    Process {
        /// The namespaces.
        enclosure: Enclosure,
        /// The etcd that pods run.
        program: EtcdBinary,
    },
    /// A real cluster.
    Kube {
        /// Which, and how.
        options: KubeOptions,
        /// What the host offers.
        commands: Commands,
    },
}

/// Which process goes on.
#[derive(Debug)]
pub enum Entered {
    /// This one, on this ground.
    Here(Ground),
    /// Another one, which was given the same command and has ended.
    Elsewhere(ExitCode),
}

/// Gets what the world needs. Call it before any thread runs: a process with threads may not enter
/// namespaces of its own.
///
/// # Errors
/// When this machine does not have it; the text says what to do.
pub fn enter(
    kind: WorldKind,
    etcd: Option<&Path>,
    kube: &KubeOptions,
) -> Result<Entered, CannotBegin> {
    match kind {
        WorldKind::Sim => Ok(Entered::Here(Ground::Sim)),
        WorldKind::Process => enter_process(etcd),
        WorldKind::Kube => enter_kube(kube),
    }
}

fn enter_kube(options: &KubeOptions) -> Result<Entered, CannotBegin> {
    let commands = options.commands.as_deref().map(Commands::read).transpose();
    Ok(Entered::Here(Ground::Kube {
        options: options.clone(),
        commands: commands.map_err(CannotBegin)?.unwrap_or_default(),
    }))
}

#[cfg(target_os = "linux")]
fn enter_process(etcd: Option<&Path>) -> Result<Entered, CannotBegin> {
    let program = EtcdBinary::find(etcd).map_err(|error| CannotBegin(error.to_string()))?;
    match process::enter().map_err(|error| CannotBegin(error.to_string()))? {
        Side::Inside(enclosure) => Ok(Entered::Here(Ground::Process { enclosure, program })),
        Side::Outside(code) => Ok(Entered::Elsewhere(code)),
    }
}

#[cfg(not(target_os = "linux"))]
fn enter_process(_: Option<&Path>) -> Result<Entered, CannotBegin> {
    Err(CannotBegin(
        "the world `process` needs the namespaces of Linux".to_owned(),
    ))
}

impl Ground {
    /// The only version of etcd that there is here; `None` when every version can run.
    ///
    /// # Errors
    /// When the etcd here has a version that is none.
    pub fn etcd_version(&self) -> Result<Option<EtcdVersion>, CannotBegin> {
        match self {
            Self::Sim | Self::Kube { .. } => Ok(None),
            #[cfg(target_os = "linux")]
            Self::Process { program, .. } => {
                let version = program.version.parse();
                version
                    .map(Some)
                    .map_err(|why: String| CannotBegin(format!("{program}: {why}")))
            }
        }
    }

    /// Runs a scenario here.
    ///
    /// # Errors
    /// When the world cannot be made.
    pub fn run(&self, request: &Request, tell: Tell<'_>) -> Result<Ran, CannotBegin> {
        match self {
            Self::Sim => crate::sim::run(request, tell),
            #[cfg(target_os = "linux")]
            Self::Process { enclosure, program } => process::run(enclosure, program, request, tell),
            Self::Kube { options, commands } => kubernetes::run(options, commands, request, tell),
        }
    }
}
