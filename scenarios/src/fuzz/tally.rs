//! What came of a campaign so far.
//!
//! Owns: the counts, what is still to be reached, and how fast it goes.
//! Always holds: a situation that has to be reached and was not is named.
//! Deliberately does not know: which process ran what, and how a tally is shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;

use super::Attempt;

/// The counts of a campaign.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Runs that ended, in whatever way.
    pub runs: u64,
    /// Runs that did not pass.
    pub failed: u64,
    /// Time in the worlds of all runs together.
    pub world_ms: u64,
    /// How often which situation was met.
    pub situations: BTreeMap<String, u64>,
    #[serde(skip)]
    wanted: BTreeSet<String>,
}

impl Tally {
    /// Nothing yet, with situations that are to be reached.
    #[must_use]
    pub fn of(wanted: BTreeSet<String>) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// Counts a run.
    pub fn add(&mut self, attempt: &Attempt) {
        self.runs += 1;
        self.failed += u64::from(!attempt.passed());
        self.world_ms += attempt.world_ms;
        for (situation, count) in &attempt.situations {
            *self.situations.entry(situation.clone()).or_default() += count;
        }
    }

    /// Situations that were met less than so many times.
    #[must_use]
    pub fn missing(&self, times: u64) -> Vec<&str> {
        let met = |situation: &str| self.situations.get(situation).copied().unwrap_or(0);
        let missing = self.wanted.iter().filter(|it| met(it) < times);
        missing.map(String::as_str).collect()
    }

    /// How many situations there are to reach.
    #[must_use]
    pub fn to_reach(&self) -> usize {
        self.wanted.len()
    }

    /// Simulated days.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.world_ms as f64 / 86_400_000.0
    }

    /// Runs per core and minute, when `jobs` processes have run for so long.
    #[must_use]
    pub fn rate(&self, wall: Duration, jobs: u32) -> f64 {
        let minutes = wall.as_secs_f64() / 60.0 * f64::from(jobs);
        self.runs as f64 / minutes.max(f64::EPSILON)
    }

    /// One line: how far it is out of `total` runs, how fast, and how long it will take.
    #[must_use]
    pub fn progress(&self, total: u64, wall: Duration, jobs: u32) -> String {
        let left = total.saturating_sub(self.runs);
        let seconds = wall.as_secs_f64() * left as f64 / self.runs.max(1) as f64;
        let reached = self.to_reach() - self.missing(1).len();
        format!(
            "{} of {total} runs, {} failed, {reached} of {} situations, {:.0} runs per core and minute, {} to go",
            self.runs,
            self.failed,
            self.to_reach(),
            self.rate(wall, jobs),
            minutes(seconds as u64),
        )
    }
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::Symptom;

    fn ran(verdict: &str, situations: &[(&str, u64)]) -> Attempt {
        let met = situations
            .iter()
            .map(|(it, count)| ((*it).to_owned(), *count));
        Attempt {
            seed: 1,
            symptom: Symptom {
                verdict: verdict.to_owned(),
                what: String::new(),
            },
            reason: None,
            situations: met.collect(),
            writes: 0,
            world_ms: 43_200_000,
            lives: BTreeMap::new(),
            lost: false,
        }
    }

    #[test]
    fn what_was_met_too_seldom_is_missing() {
        let mut tally = Tally::of(["a", "b", "c"].map(str::to_owned).into());
        tally.add(&ran("pass", &[("a", 3), ("b", 1), ("other", 1)]));
        assert_eq!(tally.missing(1), ["c"]);
        assert_eq!(tally.missing(2), ["b", "c"]);
        tally.add(&ran("safety", &[("b", 1), ("c", 2)]));
        assert_eq!(tally.missing(2), Vec::<&str>::new());
        assert_eq!((tally.runs, tally.failed), (2, 1));
        assert!((tally.days() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn progress_tells_the_rate_of_one_core_and_the_time_to_go() {
        let mut tally = Tally::of(["a", "b"].map(str::to_owned).into());
        (0..30).for_each(|_| tally.add(&ran("pass", &[("a", 1)])));
        let line = tally.progress(120, Duration::from_secs(60), 2);
        let expected =
            "30 of 120 runs, 0 failed, 1 of 2 situations, 15 runs per core and minute, 3 min to go";
        assert_eq!(line, expected);
    }
}
