//! `scenarios check-determinism`.
//!
//! Owns: running each seed in two processes, and showing where two traces part.
//! Always holds: it passes only when each seed gave one trace, and different seeds different ones.
//! Deliberately does not know: what makes a run deterministic.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::CommandFailed;
use crate::{cli::CheckDeterminism, library, report::Verdict, show::progress::Progress};

pub(super) fn check(options: &CheckDeterminism) -> Result<Verdict, CommandFailed> {
    library::find(&options.scenario).map_err(|error| CommandFailed::BadInput(error.to_string()))?;
    let folder = tempfile::tempdir().map_err(|error| cannot("make a folder for traces", &error))?;
    let mut progress = Progress::on_stderr();
    let mut seeds_by_hash: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 1..=options.seeds {
        progress.show(&format!("seed {seed} of {}", options.seeds));
        let traces = ["a", "b"].map(|name| folder.path().join(name));
        let hashes = twice(&options.scenario, seed, &traces)?;
        progress.clear();
        if hashes[0] != hashes[1] {
            println!(
                "seed {seed}: {} in one process, {} in another",
                hashes[0], hashes[1]
            );
            show_parting(&traces);
            println!("NONDETERMINISM  {}", options.scenario);
            return Ok(Verdict::Nondeterminism);
        }
        println!("seed {seed:<6}  trace {}", hashes[0]);
        if let Some(other) = seeds_by_hash.insert(hashes[0].clone(), seed) {
            println!("seeds {other} and {seed} gave the same trace: the seed has no effect");
            println!("NONDETERMINISM  {}", options.scenario);
            return Ok(Verdict::Nondeterminism);
        }
    }
    println!(
        "PASS  {}: {} seeds, each the same in two processes, all different",
        options.scenario, options.seeds
    );
    Ok(Verdict::Pass)
}

fn cannot(doing: &str, error: &dyn std::error::Error) -> CommandFailed {
    CommandFailed::Cannot(format!("error: failed to {doing}: {error}"))
}

/// Runs the seed in two processes at the same time.
fn twice(scenario: &str, seed: u64, traces: &[PathBuf; 2]) -> Result<[String; 2], CommandFailed> {
    let first = start(scenario, seed, &traces[0])?;
    let second = start(scenario, seed, &traces[1])?;
    Ok([hash(first, seed)?, hash(second, seed)?])
}

fn start(scenario: &str, seed: u64, trace: &Path) -> Result<Child, CommandFailed> {
    let program = std::env::current_exe().map_err(|error| cannot("find this program", &error))?;
    Command::new(program)
        .args([
            "run",
            scenario,
            "--world",
            "sim",
            "--json",
            "--seed",
            &seed.to_string(),
        ])
        .arg("--trace")
        .arg(trace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| cannot("start a run", &error))
}

/// The trace hash; a run that fails has one too, and failing the same way twice is deterministic.
fn hash(child: Child, seed: u64) -> Result<String, CommandFailed> {
    let output = child
        .wait_with_output()
        .map_err(|error| cannot("read a run's output", &error))?;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let hash = document["runs"][0]["trace_hash"].as_str();
    hash.map(str::to_owned).ok_or_else(|| {
        let reason = document["runs"][0]["reason"]
            .as_str()
            .unwrap_or("it printed no report");
        CommandFailed::Cannot(format!(
            "error: failed to get a trace of seed {seed}: {}: {reason}",
            output.status
        ))
    })
}

/// Shows the first line that differs, with what came before it.
fn show_parting(traces: &[PathBuf; 2]) {
    let [first, second] = traces
        .each_ref()
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    for line in parting(&first, &second) {
        println!("  {line}");
    }
}

fn parting(first: &str, second: &str) -> Vec<String> {
    let (first, second): (Vec<&str>, Vec<&str>) =
        (first.lines().collect(), second.lines().collect());
    let common = first
        .iter()
        .zip(&second)
        .take_while(|(a, b)| a == b)
        .count();
    let mut shown = vec![format!("the traces part after {common} lines:")];
    shown.extend(
        first[common.saturating_sub(3)..common]
            .iter()
            .map(|line| format!("    {line}")),
    );
    let line = |lines: &[&str]| {
        lines
            .get(common)
            .map_or("(the end)", |line| *line)
            .to_owned()
    };
    shown.push(format!("  - {}", line(&first)));
    shown.push(format!("  + {}", line(&second)));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_traces_are_shown_where_they_part() {
        let shown = parting("a\nb\nc\n", "a\nb\nd\n");
        let expected = [
            "the traces part after 2 lines:",
            "    a",
            "    b",
            "  - c",
            "  + d",
        ];
        assert_eq!(shown, expected);
    }
}
