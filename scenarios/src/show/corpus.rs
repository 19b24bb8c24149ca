//! A page of the repository: which scenarios were last run when, and what came of them.
//!
//! Owns: the table.
//! Always holds: only a run that passed counts as reproduced; every figure is of the run that wrote
//! the page.
//! Deliberately does not know: which scenarios were chosen.

use std::{fmt::Write, time::Duration};

use super::{seconds, short};
use crate::{
    report::{Report, Verdict},
    reproduce,
    scenario::Scenario,
};

/// The page for these runs; `as_of` names the state of the code, such as a commit and a date.
#[must_use]
pub fn page(runs: &[(&Report, &Scenario)], as_of: &str) -> String {
    let passed = runs.iter().filter(|(run, _)| run.verdict == Verdict::Pass);
    let world: Duration = runs.iter().map(|(run, _)| run.took).sum();
    let wall: Duration = runs.iter().map(|(run, _)| run.wall).sum();
    let mut page = format!(
        "# Corpus\n\nEvery scenario with what it is about, and when it was last reproduced. Written \
         by `scenarios run --all --page FILE --as-of TEXT`, as of {as_of}: {} of {} passed, {} in \
         the world, {} on the wall.\n\n| scenario | what it is about | world | etcd | in the world | \
         on the wall | last reproduced | command |\n|---|---|---|---|---|---|---|---|\n",
        passed.count(),
        runs.len(),
        seconds(world),
        short(wall),
    );
    for (run, scenario) in runs {
        let subject = &run.subject;
        let story = scenario.story.first().map_or("", String::as_str);
        let reproduced = match run.verdict {
            Verdict::Pass => as_of.to_owned(),
            other => format!("**{other}**"),
        };
        let words = [
            "scenarios",
            "run",
            &subject.scenario,
            "--world",
            &subject.world,
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| [{}](files/{}.scenario) | {} | {} | {} | {} | {} | {reproduced} | `{}` |",
            subject.scenario,
            subject.scenario,
            story.replace('|', "\\|"),
            subject.world,
            subject.etcd_version,
            seconds(run.took),
            short(run.wall),
            reproduce::join(&words.map(str::to_owned)),
        );
    }
    page
}
