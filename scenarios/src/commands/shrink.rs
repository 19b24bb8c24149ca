//! `scenarios shrink`.
//!
//! Owns: making a failing file smaller.
//! Always holds: the file that is written fails like the one that was read.
//! Deliberately does not know: what is tried.

use std::fs;

use super::CommandFailed;
use crate::{
    cli::Shrink,
    fuzz::{attempt, shrink::shrink},
    library,
    report::Verdict,
    scenario::Scenario,
};

pub(super) fn run(options: &Shrink) -> Result<Verdict, CommandFailed> {
    let found = library::find(&options.scenario);
    let entry = found.map_err(|error| CommandFailed::BadInput(error.to_string()))?;
    let failed = attempt(&entry.scenario, options.seed);
    if failed.passed() {
        let text = format!("error: {} passes with seed {}", entry.name, options.seed);
        return Err(CommandFailed::BadInput(text));
    }
    eprintln!("it fails: {}", failed.reason.as_deref().unwrap_or_default());
    let mut fails = |it: &Scenario| attempt(it, options.seed).symptom == failed.symptom;
    let shrunk = shrink(&entry.scenario, options.budget, &mut fails);
    eprintln!("the smallest of {} that were tried", shrunk.tried);
    match &options.out {
        None => print!("{}", shrunk.scenario),
        Some(path) => fs::write(path, shrunk.scenario.to_string()).map_err(|error| {
            CommandFailed::Cannot(format!(
                "error: failed to write {}: {error}",
                path.display()
            ))
        })?,
    }
    Ok(Verdict::Pass)
}
