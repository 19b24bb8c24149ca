//! `scenarios replay`.
//!
//! Owns: finding the command in a line, in saved output or in a JSON report.
//! Always holds: what runs is exactly the command that was found; when the record has a trace hash,
//! the new one is compared with it.
//! Deliberately does not know: how the command runs.

use std::{fs, path::Path};

use clap::Parser;
use serde_json::Value;

use super::{CommandFailed, run};
use crate::{
    cli::{Cli, Command, Replay},
    report::Verdict,
    reproduce,
};

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
struct Recorded {
    line: String,
    trace_hash: Option<String>,
}

pub(super) fn replay(options: &Replay) -> Result<Verdict, CommandFailed> {
    let recorded = recorded(&options.what)?;
    let mut wanted = command(&recorded.line)?;
    wanted.json |= options.json;
    if options.html.is_some() {
        wanted.html.clone_from(&options.html);
    }
    if !wanted.json {
        println!("{}", recorded.line);
    }
    let reports = run::reports(&wanted)?;
    let verdict = run::publish(&wanted, &reports)?;
    let now = reports.first().and_then(|run| run.trace_hash.as_deref());
    match difference(recorded.trace_hash.as_deref(), now) {
        Some(difference) => {
            eprintln!("{difference}");
            Ok(verdict.worse(Verdict::Nondeterminism))
        }
        None => Ok(verdict),
    }
}

/// What to say when a run is not the one that was recorded.
fn difference(recorded: Option<&str>, now: Option<&str>) -> Option<String> {
    let (recorded, now) = (recorded?, now?);
    (recorded != now).then(|| {
        format!(
            "error: the record has trace {recorded}, and this run has {now}\n  either this is \
             another build than the one that made the record, or something besides the seed \
             decides: `scenarios check-determinism` tells"
        )
    })
}

fn recorded(what: &str) -> Result<Recorded, CommandFailed> {
    if !Path::new(what).is_file() {
        return in_text(what).ok_or_else(|| refuse(what));
    }
    let text = fs::read_to_string(what).map_err(|error| {
        CommandFailed::BadInput(format!("error: failed to read {what}: {error}"))
    })?;
    in_report(&text)
        .or_else(|| in_text(&text))
        .ok_or_else(|| refuse(what))
}

fn refuse(what: &str) -> CommandFailed {
    CommandFailed::BadInput(format!(
        "error: there is nothing to replay in `{what}`\n  give the line that a run printed after \
         `reproduce:`, in quotes, or a file with the output or the JSON report of a run"
    ))
}

/// The first run that did not pass, or else the first.
fn in_report(text: &str) -> Option<Recorded> {
    let document: Value = serde_json::from_str(text).ok()?;
    let runs = document["runs"].as_array()?;
    let run = runs
        .iter()
        .find(|run| run["verdict"] != "pass")
        .or_else(|| runs.first())?;
    Some(Recorded {
        line: run["subject"]["reproduce"].as_str()?.to_owned(),
        trace_hash: run["trace_hash"].as_str().map(str::to_owned),
    })
}

fn in_text(text: &str) -> Option<Recorded> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("reproduce:").trim());
    let line = lines
        .rev()
        .find(|line| line.starts_with("scenarios run "))?;
    Some(Recorded {
        line: line.to_owned(),
        trace_hash: None,
    })
}

/// The options of a `scenarios run` line.
pub(super) fn command(line: &str) -> Result<crate::cli::Run, CommandFailed> {
    let words = reproduce::split(line)
        .map_err(|why| CommandFailed::BadInput(format!("error: {why}: {line}")))?;
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Run(options)) => Ok(options),
        Ok(_) => Err(refuse(line)),
        Err(error) => Err(CommandFailed::BadInput(error.render().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_in_saved_output() {
        let output = "PASS  walk in 3 s\nreproduce: scenarios run walk --world sim --seed 7\n";
        let line = "scenarios run walk --world sim --seed 7".to_owned();
        assert_eq!(
            in_text(output),
            Some(Recorded {
                line,
                trace_hash: None
            })
        );
        assert_eq!(in_text("nothing here"), None);
    }

    #[test]
    fn a_report_gives_the_run_that_failed() {
        let run = |verdict: &str, seed: u64| {
            serde_json::json!({
                "verdict": verdict,
                "subject": {"reproduce": format!("scenarios run walk --seed {seed}")},
                "trace_hash": "00ff",
            })
        };
        let report = serde_json::json!({"runs": [run("pass", 1), run("safety", 2)]}).to_string();
        let found = in_report(&report).expect("a record");
        assert_eq!(found.line, "scenarios run walk --seed 2");
        assert_eq!(found.trace_hash.as_deref(), Some("00ff"));
    }

    #[test]
    fn another_trace_than_the_recorded_one_is_told_when_both_are_known() {
        let told = difference(Some("00ff"), Some("00fe")).expect("a difference");
        assert!(told.contains("00ff") && told.contains("00fe"));
        assert_eq!(difference(Some("00ff"), Some("00ff")), None);
        assert_eq!(difference(None, Some("00ff")), None);
        assert_eq!(difference(Some("00ff"), None), None, "a world in real time");
    }

    #[test]
    fn the_line_becomes_the_same_options() {
        let options = command("scenarios run 'a b.scenario' --seed 7").expect("a command");
        assert_eq!(
            (options.scenarios, options.seed),
            (vec!["a b.scenario".to_owned()], 7)
        );
        assert!(command("scenarios list").is_err());
    }
}
