//! What came of a campaign, for people and for machines.
//!
//! Owns: the text, the JSON document and the JUnit report of `scenarios fuzz`.
//! Always holds: whatever failed is there with the line that runs it again; a situation that was to
//! be reached and was not is named.
//! Deliberately does not know: how a campaign is run.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::{junit, markup::escape, short};
use crate::{
    cli::Fuzz,
    fuzz::{found::Found, tally::Tally},
    report::Verdict,
};

/// A campaign that is over.
pub struct Campaign<'a> {
    /// What was counted.
    pub tally: &'a Tally,
    /// What failed.
    pub found: &'a [Found],
    /// Time that it took on the wall.
    pub wall: Duration,
    /// What was asked for.
    pub options: &'a Fuzz,
    /// How it ended.
    pub verdict: Verdict,
}

impl Campaign<'_> {
    fn rate(&self) -> f64 {
        self.tally.rate(self.wall, self.options.jobs)
    }

    fn missing(&self) -> Vec<&str> {
        self.tally.missing(self.options.until_reached.unwrap_or(1))
    }
}

/// For people.
#[must_use]
pub fn text(campaign: &Campaign<'_>) -> String {
    let Campaign { tally, found, .. } = campaign;
    let mut text = String::from("situations reached:\n");
    for (situation, count) in &tally.situations {
        line(&mut text, format_args!("  {count:>7}  {situation}"));
    }
    let missing = campaign.missing();
    let reached = tally.to_reach() - missing.len();
    line(
        &mut text,
        format_args!("\n{reached} of {} situations reached", tally.to_reach()),
    );
    for situation in missing {
        line(&mut text, format_args!("  not reached: {situation}"));
    }
    line(
        &mut text,
        format_args!(
            "\n{} runs, {:.1} simulated days, {} on the wall, {:.0} runs per core and minute, {} failed",
            tally.runs,
            tally.days(),
            short(campaign.wall),
            campaign.rate(),
            tally.failed
        ),
    );
    for found in *found {
        let reason = found.attempt.reason.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!("\n{}: {reason}", found.attempt.symptom.verdict),
        );
        line(
            &mut text,
            format_args!(
                "  smallest of {} tried: {} faults",
                found.tried, found.faults
            ),
        );
        line(&mut text, format_args!("  reproduce: {}", found.reproduce));
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// One JSON document.
#[must_use]
pub fn document(campaign: &Campaign<'_>) -> Value {
    let Campaign {
        tally,
        found,
        wall,
        options,
        verdict,
    } = campaign;
    json!({
        "verdict": verdict,
        "exit_code": verdict.exit_code(),
        "first_seed": options.seed,
        "seeds": options.seeds,
        "shard": format!("{}/{}", options.shard.index + 1, options.shard.of),
        "runs": tally.runs,
        "world_days": tally.days(),
        "wall_s": wall.as_secs_f64(),
        "runs_per_core_minute": campaign.rate().round(),
        "situations": tally.situations,
        "to_reach": tally.to_reach(),
        "not_reached": campaign.missing(),
        "failed": found,
    })
}

/// A JUnit report: one case for the campaign, and one for each seed that failed.
#[must_use]
pub fn junit(campaign: &Campaign<'_>) -> String {
    let Campaign {
        tally,
        found,
        wall,
        options,
        ..
    } = campaign;
    let name = format!(
        "fuzz seeds {} to {}, share {}/{}",
        options.seed,
        options.seed + options.seeds - 1,
        options.shard.index + 1,
        options.shard.of
    );
    let mut cases = String::new();
    let missing = campaign.missing();
    let unreached = (options.until_reached.is_some() && !missing.is_empty())
        .then(|| format!("not reached:\n{}", missing.join("\n")));
    let took = wall.as_secs_f64();
    let what = format!("{} runs", tally.runs);
    junit::case(&mut cases, "fuzz", &what, took, unreached.as_deref());
    for found in *found {
        let why = format!(
            "{}: {}\nreproduce: {}",
            found.attempt.symptom.verdict,
            found.attempt.reason.as_deref().unwrap_or_default(),
            found.reproduce
        );
        let seed = format!("seed {}", found.attempt.seed);
        junit::case(&mut cases, "fuzz", &seed, 0.0, Some(&why));
    }
    let failures = found.len() + usize::from(unreached.is_some());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" \
         tests=\"{}\" failures=\"{failures}\" time=\"{took:.3}\">\n{cases}  </testsuite>\n</testsuites>\n",
        escape(&name),
        found.len() + 1,
    )
}
