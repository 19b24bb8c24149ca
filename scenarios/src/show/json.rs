//! One JSON document.
//!
//! Owns: its shape around the reports: `{"verdict": ..., "runs": [...]}`.
//! Always holds: standard output has the document and nothing else.
//! Deliberately does not know: what is in a report.

use serde::Serialize;

use super::{Show, progress::Progress, seconds};
use crate::{
    report::{Report, Subject, Verdict},
    runner::Event,
    scenario::Scenario,
};

/// Shows progress only; the document is printed at the end, by [`document`].
pub struct Quiet {
    progress: Progress,
}

impl Default for Quiet {
    fn default() -> Self {
        Self {
            progress: Progress::on_stderr(),
        }
    }
}

impl Show for Quiet {
    fn begin(&mut self, _: &Subject, _: &Scenario) {}

    fn event(&mut self, event: &Event) {
        if let Event::Waiting { at, missing } = event {
            self.progress.show(&format!("{}  {missing}", seconds(*at)));
        }
    }

    fn end(&mut self, _: &Report) {
        self.progress.clear();
    }
}

/// All runs of one command.
#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    exit_code: u8,
    runs: &'a [Report],
}

/// The document for these runs.
///
/// # Errors
/// When a report cannot be written as JSON.
pub fn document(runs: &[Report]) -> Result<String, serde_json::Error> {
    let verdict = runs
        .iter()
        .fold(Verdict::Pass, |worst, run| worst.worse(run.verdict));
    serde_json::to_string_pretty(&Document {
        verdict,
        exit_code: verdict.exit_code(),
        runs,
    })
}
