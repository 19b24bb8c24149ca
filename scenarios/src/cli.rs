//! The command line.
//!
//! Owns: commands, options and their help.
//! Always holds: each option that a reproduce line needs can be given by hand too.
//! Deliberately does not know: how a command does its work.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{kubernetes::KubeOptions, scenario::EtcdVersion};

/// Takes scenario files through a world and says whether the operator did right.
#[derive(Debug, Parser)]
#[command(name = "scenarios", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  pass: all that was expected came true
   1  safety: something happened that must never happen
   2  liveness: something expected did not come true in time, or did not last
   3  crash: the operator, the world or the run itself ended unexpectedly
   4  nondeterminism: the same seed gave different runs
  64  bad input: the command line or a scenario file cannot be understood

With RUST_LOG=info (or debug, or operator=debug) the operator's logs go to standard error.";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows the scenarios that come with this program, or those in files.
    List(List),
    /// Runs scenarios.
    #[command(after_help = EXIT_CODES)]
    Run(Run),
    /// Runs again what a reproduce line or a report says.
    #[command(after_help = EXIT_CODES)]
    Replay(Replay),
    /// Runs each seed in two processes and compares the traces.
    #[command(after_help = EXIT_CODES)]
    CheckDeterminism(CheckDeterminism),
    /// Shows every sentence that a scenario file may contain.
    Language,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Files or names; all that come with this program when none is given.
    pub scenarios: Vec<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Where a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorldKind {
    /// Simulated Kubernetes, simulated etcd, virtual time.
    Sim,
    /// Simulated Kubernetes in real time; pods are real etcd processes.
    Process,
    /// A real cluster: the one that the kubeconfig names.
    Kube,
}

impl WorldKind {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Process => "process",
            Self::Kube => "kube",
        }
    }
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Names (see `scenarios list`) or paths of scenario files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Where to run.
    #[arg(long, value_enum, default_value_t = WorldKind::Sim)]
    pub world: WorldKind,
    /// The root of all randomness.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run so many seeds, from --seed on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Run this version of etcd instead of the one in the file.
    #[arg(long, value_name = "VERSION")]
    pub etcd_version: Option<EtcdVersion>,
    /// The etcd program for `--world process`; else ETCD_BIN, else the PATH is searched.
    #[arg(long, value_name = "PATH")]
    pub etcd: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit report as well.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the trace as well: every request and state change. With several runs, the last one's.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// The real cluster.
    #[command(flatten)]
    pub kube: KubeOptions,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The line that a run printed, in quotes, or a file that holds it: output or JSON report.
    #[arg(value_name = "LINE|FILE")]
    pub what: String,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `check-determinism`.
#[derive(Debug, Args)]
pub struct CheckDeterminism {
    /// Name or path of the scenario.
    #[arg(default_value = "walk-1-3-5-3-1", value_name = "SCENARIO")]
    pub scenario: String,
    /// How many seeds, from 1 on.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
