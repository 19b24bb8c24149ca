//! The command line.
//!
//! Owns: commands, options and their help.
//! Always holds: each option that a reproduce line needs can be given by hand too.
//! Deliberately does not know: how a command does its work.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    kubernetes::KubeOptions,
    scenario::{EtcdVersion, Span},
};

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
    /// Makes up scenarios from seeds, with faults, and runs them until one fails.
    #[command(after_help = EXIT_CODES)]
    Fuzz(Fuzz),
    /// Makes a failing scenario as small as it gets.
    Shrink(Shrink),
    /// Runs a scenario once for every place where a fault could hit it.
    #[command(after_help = EXIT_CODES)]
    Sweep(Sweep),
    /// Shows which known-bad operators are found, and what it takes.
    Planted(Planted),
    /// Lets one cluster live long, with faults, and reports every so often.
    #[command(after_help = EXIT_CODES)]
    Soak(Soak),
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
    #[arg(required_unless_present = "all", value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Run all scenarios that come with this program.
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
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
    /// Write a page with a picture of the run as well. With several runs, the last one's.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a table of what came of each scenario, as a page of Markdown.
    #[arg(long, value_name = "FILE", requires = "as_of")]
    pub page: Option<PathBuf>,
    /// What names the state of the code on that page, such as a commit and a date.
    #[arg(long, value_name = "TEXT")]
    pub as_of: Option<String>,
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
    /// Write a page with a picture of the run as well.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `fuzz`.
#[derive(Clone, Debug, Args)]
pub struct Fuzz {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many seeds, from --seed on.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Processes that run at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: u32,
    /// The share of the seeds to run, such as 3/8; the shares together are all of them.
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    pub shard: Shard,
    /// Run all seeds and collect every failure, instead of stopping at the first.
    #[arg(long)]
    pub keep_going: bool,
    /// Stop as soon as every situation was reached so many times; --seeds is the most, and not
    /// to have reached them by then is a failure.
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u64).range(1..))]
    pub until_reached: Option<u64>,
    /// Leave failing scenarios as they are.
    #[arg(long)]
    pub no_shrink: bool,
    /// Only faults with this in their name; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub only: Vec<String>,
    /// No faults with this in their name; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub without: Vec<String>,
    /// Folder for the scenarios that fail.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Write a page with a picture beside each scenario that fails.
    #[arg(long)]
    pub html: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit report as well.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Seconds on the wall after which a run is held to hang.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub limit_s: u64,
    /// Seconds between two lines of progress where standard error is no terminal.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub tell_every_s: u64,
    /// Print the scenarios of the seeds, and run none.
    #[arg(long)]
    pub print: bool,
    /// Run the seeds that are read from standard input; this is how --jobs starts others.
    #[arg(long, hide = true)]
    pub worker: bool,
}

/// A share: the `index`th (from 0) of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse::<u64>().ok()?, of.parse::<u64>().ok()?);
            (1..=of).contains(&index).then(|| Self {
                index: index - 1,
                of,
            })
        });
        parts.ok_or_else(|| format!("`{text}` is not a share such as 1/1 or 3/8"))
    }
}

/// `shrink`.
#[derive(Debug, Args)]
pub struct Shrink {
    /// Name or path of a scenario that fails.
    pub scenario: String,
    /// The seed with which it fails.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many smaller ones to try.
    #[arg(long, default_value_t = 500)]
    pub budget: u32,
    /// Where to write the smallest one; to standard output when left out.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `sweep`.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Name or path of a scenario.
    #[arg(default_value = "walk-1-3-5-3-1")]
    pub scenario: String,
    /// The fault, as a scenario says it; when left out, the operator is killed before and after
    /// every single write that it makes.
    #[arg(long, value_name = "SENTENCE")]
    pub fault: Option<String>,
    /// Time between two places of the fault.
    #[arg(long, default_value = "1s")]
    pub every: Span,
    /// The root of all randomness.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The share of the runs to make, such as 3/8.
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    pub shard: Shard,
    /// Folder for the scenarios that fail.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub out: PathBuf,
}

/// `planted`.
#[derive(Debug, Args)]
pub struct Planted {
    /// Names of bugs; all of them when none is given.
    pub names: Vec<String>,
    /// How many made-up scenarios to try for each, after the calm walk.
    #[arg(long, default_value_t = 30)]
    pub seeds: u64,
    /// The share of the bugs to look for, such as 3/8.
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    pub shard: Shard,
    /// Write the score card, as a page of Markdown.
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `soak`.
#[derive(Clone, Debug, Args)]
pub struct Soak {
    /// Where to run: days take minutes in `sim`, and days in the others.
    #[arg(long, value_enum, default_value_t = WorldKind::Sim)]
    pub world: WorldKind,
    /// Days to live, on the world's clock; added to --hours.
    #[arg(long, default_value_t = 0.0)]
    pub days: f64,
    /// Hours to live, on the world's clock.
    #[arg(long, default_value_t = 0.0)]
    pub hours: f64,
    /// The root of all randomness.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Time from one episode with faults to the next, at least.
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub episode: Span,
    /// Time between two reports, on the world's clock.
    #[arg(long, default_value = "24h", value_name = "DURATION")]
    pub report_every: Span,
    /// Writes per second, all clients together.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub puts: u32,
    /// Reads per second, all clients together.
    #[arg(long, default_value_t = 1)]
    pub reads: u32,
    /// Only faults with this in their name; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub only: Vec<String>,
    /// No faults with this in their name; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub without: Vec<String>,
    /// Run this version of etcd.
    #[arg(long, value_name = "VERSION")]
    pub etcd_version: Option<EtcdVersion>,
    /// The etcd program for `--world process`; else ETCD_BIN, else the PATH is searched.
    #[arg(long, value_name = "PATH")]
    pub etcd: Option<PathBuf>,
    /// Show everything that happens.
    #[arg(long)]
    pub verbose: bool,
    /// One line of JSON per report instead of text.
    #[arg(long)]
    pub json: bool,
    /// The real cluster.
    #[command(flatten)]
    pub kube: KubeOptions,
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
    fn a_share_counts_from_one() {
        let share = |text: &str| text.parse::<Shard>().ok().map(|it| (it.index, it.of));
        assert_eq!(share("1/1"), Some((0, 1)));
        assert_eq!(share("3/8"), Some((2, 8)));
        assert!(
            ["0/2", "3/2", "1", "a/b", "1/0"]
                .iter()
                .all(|it| share(it).is_none())
        );
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
