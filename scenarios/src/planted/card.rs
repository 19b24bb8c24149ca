//! The score card: which known-bad operators are found, and what it takes.
//!
//! Owns: the scores, and the card as a page of the repository.
//! Always holds: what is not found is said; every figure was measured by the run that wrote the card.
//! Deliberately does not know: how a bug is looked for.

use std::fmt::Write;

use serde::Serialize;

/// What it took to find one bug.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// What the bug is called.
    pub name: &'static str,
    /// What such an operator does.
    pub story: &'static str,
    /// Whether the walk without any fault finds it.
    pub by_walk: bool,
    /// Made-up scenarios up to the first that finds it; none when none did.
    pub seeds: Option<u64>,
    /// How it shows.
    pub symptom: String,
    /// Lines of the smallest scenario that shows it.
    pub lines: usize,
    /// Faults among them.
    pub faults: usize,
    /// Time on the wall to find it, without making it small.
    pub seconds: f64,
}

impl Score {
    /// Whether anything found it.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.by_walk || self.seeds.is_some()
    }

    /// One line for a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { name, seconds, .. } = self;
        if !self.is_found() {
            return format!("{name:<26} NOT FOUND {seconds:>31.1} s");
        }
        let walk = if self.by_walk { "walk" } else { "    " };
        let seeds = self.seeds.map_or("-".to_owned(), |seeds| seeds.to_string());
        let symptom: String = self.symptom.chars().take(70).collect();
        format!(
            "{name:<26} {walk} seeds {seeds:<4} {:>2} lines {:>2} faults {seconds:>6.1} s  {symptom}",
            self.lines, self.faults
        )
    }
}

/// The median of the made-up scenarios that it took, over the bugs that were found by them.
#[must_use]
pub fn median_seeds(scores: &[Score]) -> Option<u64> {
    let mut seeds: Vec<u64> = scores.iter().filter_map(|score| score.seeds).collect();
    seeds.sort_unstable();
    seeds.get(seeds.len() / 2).copied()
}

/// The card as a page; `command` is what writes it, `planted` how many bugs there are.
#[must_use]
pub fn page(scores: &[Score], planted: usize, command: &str) -> String {
    let found = scores.iter().filter(|score| score.is_found()).count();
    let walk = scores.iter().filter(|score| score.by_walk).count();
    let median = median_seeds(scores).map_or("none".to_owned(), |median| median.to_string());
    let rest = match planted - scores.len() {
        0 => String::new(),
        rest => format!(" The other {rest} that are planted were not looked for in this run."),
    };
    let mut page = format!(
        "# Score card\n\nWhatever looks for bugs is only as good as its score on bugs that are \
         known. Each row is an operator with one bug of this field, planted on the wire \
         ([`planted/table.rs`](src/planted/table.rs)). *walk*: the walk 1→3→5→3→1 without any fault \
         shows it. *seeds*: made-up scenarios until one shows it, in order from seed 1; the good \
         operator passes the same one. *size*: lines, and faults among them, of the smallest \
         scenario that shows it. *seconds*: on the wall, for the walk and the seeds.\n\nThis page \
         is written by `{command}`.\n\n**{found} of {} found**, {walk} by the walk alone; median \
         of seeds: {median}.{rest}\n\n| bug | what it does | walk | seeds | size | seconds | how it shows |\n\
         |---|---|---|---|---|---|---|\n",
        scores.len()
    );
    for score in scores {
        let walk = if score.by_walk { "yes" } else { "no" };
        let seeds = score
            .seeds
            .map_or("**not found**".to_owned(), |it| it.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {walk} | {seeds} | {} + {} | {:.1} | {} |",
            score.name,
            cell(score.story),
            score.lines,
            score.faults,
            score.seconds,
            cell(&score.symptom),
        );
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &'static str, by_walk: bool, seeds: Option<u64>) -> Score {
        Score {
            name,
            story: "a | b",
            by_walk,
            seeds,
            symptom: "safety: x".to_owned(),
            lines: 3,
            faults: 1,
            seconds: 1.5,
        }
    }

    #[test]
    fn the_card_says_what_was_found_and_what_was_not() {
        let scores = [
            score("one", true, Some(1)),
            score("two", false, Some(7)),
            score("three", false, None),
        ];
        let page = page(&scores, 5, "scenarios planted --card X");
        assert!(
            page.contains("**2 of 3 found**, 1 by the walk alone; median of seeds: 7"),
            "{page}"
        );
        assert!(
            page.contains("| one | a \\| b | yes | 1 | 3 + 1 | 1.5 | safety: x |"),
            "{page}"
        );
        assert!(
            page.contains("| three | a \\| b | no | **not found** |"),
            "{page}"
        );
        assert!(
            page.contains("The other 2 that are planted were not looked for"),
            "{page}"
        );
        assert!(scores[2].line().contains("NOT FOUND"));
    }
}
