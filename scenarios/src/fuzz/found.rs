//! A failure that a campaign found, written down.
//!
//! Owns: the file with the smallest scenario that still fails, its story, and the line that runs it.
//! Always holds: what is written down fails like what was found.
//! Deliberately does not know: how failures are found.

use std::{fs, io, path::Path};

use serde::Serialize;

use super::{Attempt, attempt, shrink::shrink};
use crate::{
    reproduce,
    scenario::{Action, Instruction, Scenario},
};

/// A failure with its smallest scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// What came out.
    pub attempt: Attempt,
    /// The file with the smallest scenario.
    pub scenario: String,
    /// Faults in it.
    pub faults: usize,
    /// Smaller scenarios that were tried.
    pub tried: u32,
    /// The command that runs it.
    pub reproduce: String,
}

impl Found {
    /// Makes the failing scenario small, with at most `budget` attempts, and writes it into the
    /// folder.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(
        failed: Attempt,
        scenario: &Scenario,
        budget: u32,
        folder: &Path,
    ) -> io::Result<Self> {
        let seed = failed.seed;
        let mut fails = |it: &Scenario| attempt(it, seed).symptom == failed.symptom;
        let mut shrunk = shrink(scenario, budget, &mut fails);
        shrunk.scenario.story = story(&failed, budget > 0);
        let file = folder.join(format!("fuzz-{seed}.scenario"));
        fs::create_dir_all(folder)?;
        fs::write(&file, shrunk.scenario.to_string())?;
        let file = file.to_string_lossy().into_owned();
        let words = ["scenarios", "run", &file, "--seed", &seed.to_string()];
        Ok(Self {
            reproduce: reproduce::join(&words.map(str::to_owned)),
            attempt: failed,
            faults: faults(&shrunk.scenario),
            tried: shrunk.tried,
            scenario: file,
        })
    }
}

/// How many faults a scenario has.
#[must_use]
pub fn faults(scenario: &Scenario) -> usize {
    let told = scenario.steps.iter().flat_map(|it| &it.instructions);
    told.filter(|it| matches!(it, Instruction::Do(Action::Strike(_))))
        .count()
}

fn story(failed: &Attempt, shrunk: bool) -> Vec<String> {
    let reason = failed.reason.as_deref().unwrap_or_default();
    let small = if shrunk {
        ", and made as small as it gets"
    } else {
        ""
    };
    vec![
        format!("Found by `scenarios fuzz`, seed {}{small}.", failed.seed),
        format!(
            "{}: {}",
            failed.symptom.verdict,
            reason.replace('\n', " ").trim()
        ),
    ]
}
