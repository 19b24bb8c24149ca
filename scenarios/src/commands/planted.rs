//! `scenarios planted`.
//!
//! Owns: looking for each known-bad operator: first by the walk without faults, then by made-up
//! scenarios, seed by seed.
//! Always holds: a bug counts as found only where the good operator passes the same scenario with
//! the same seed; what is not found is said.
//! Deliberately does not know: the bugs.

use std::{collections::BTreeMap, fs};

use chaos::fault::Fault;
use serde_json::json;
use simulator::determinism::wall_time;

use super::CommandFailed;
use crate::{
    cli::Planted,
    fuzz::{Attempt, attempt, attempt_with, found::faults, generate, shrink::shrink},
    library,
    planted::{
        PLANTS, Plant,
        card::{self, Score},
    },
    report::Verdict,
    scenario::Scenario,
};

/// Smaller scenarios that are tried for one bug.
const SHRINK_BUDGET: u32 = 40;

pub(super) fn run(options: &Planted) -> Result<Verdict, CommandFailed> {
    let chosen = chosen(options)?;
    let walk = library::find("walk-1-3-5-3-1");
    let walk = walk.map_err(|error| CommandFailed::Cannot(error.to_string()))?;
    let mut good = Good {
        walk: walk.scenario,
        kinds: Fault::kinds(),
        passes: BTreeMap::new(),
    };
    let mut scores = Vec::new();
    for plant in chosen {
        let score = good.look_for(plant, options);
        if !options.json {
            println!("{}", score.line());
        }
        scores.push(score);
        if let Some(path) = &options.card {
            // After each: a card that takes long is not lost when something ends it.
            let page = card::page(&scores, PLANTS.len(), &command(options));
            fs::write(path, page).map_err(|error| {
                let path = path.display();
                CommandFailed::Cannot(format!("error: failed to write --card {path}: {error}"))
            })?;
        }
    }
    show(options, &scores);
    let missed = scores.iter().any(|score| !score.is_found());
    Ok(if missed {
        Verdict::Liveness
    } else {
        Verdict::Pass
    })
}

fn command(options: &Planted) -> String {
    let card = options.card.iter().map(|path| path.display().to_string());
    let card: String = card.collect();
    format!("scenarios planted --seeds {} --card {card}", options.seeds)
}

fn chosen(options: &Planted) -> Result<Vec<&'static Plant>, CommandFailed> {
    let all = PLANTS.iter().enumerate();
    let share = all.filter(|(index, _)| *index as u64 % options.shard.of == options.shard.index);
    if options.names.is_empty() {
        return Ok(share.map(|(_, plant)| plant).collect());
    }
    let named = options.names.iter().map(|name| {
        Plant::named(name).ok_or_else(|| {
            let known: Vec<&str> = PLANTS.iter().map(|plant| plant.name).collect();
            let text = format!("error: no bug is called `{name}`: {}", known.join(", "));
            CommandFailed::BadInput(text)
        })
    });
    named.collect()
}

/// The good operator, for comparison.
struct Good {
    walk: Scenario,
    kinds: Vec<Fault>,
    /// Whether it passes, by run.
    passes: BTreeMap<u64, bool>,
}

/// A scenario that shows a bug.
struct Shown {
    scenario: Scenario,
    seed: u64,
    failed: Attempt,
}

impl Good {
    /// Run 0 is the calm walk; run N is the made-up scenario of the Nth seed.
    fn scenario(&self, run: u64) -> Scenario {
        match run {
            0 => self.walk.clone(),
            seed => generate::scenario(seed, &self.kinds),
        }
    }

    fn look_for(&mut self, plant: &'static Plant, options: &Planted) -> Score {
        let began = wall_time();
        let by_walk = self.shows(plant, 0);
        let by_seed = (1..=options.seeds).find_map(|seed| self.shows(plant, seed));
        let seconds = (wall_time() - began).as_secs_f64();
        let seeds = by_seed.as_ref().map(|shown| shown.seed);
        let found_by_walk = by_walk.is_some();
        // The walk has no faults, so what it shows is small already.
        let shown = by_walk.or(by_seed);
        let smallest = shown.as_ref().map(|shown| smallest(shown, plant));
        let symptom = shown.map(|shown| shown.failed.symptom);
        Score {
            name: plant.name,
            story: plant.story,
            by_walk: found_by_walk,
            seeds,
            symptom: symptom.map_or(String::new(), |it| format!("{}: {}", it.verdict, it.what)),
            lines: smallest.as_ref().map_or(0, lines),
            faults: smallest.as_ref().map_or(0, faults),
            seconds,
        }
    }

    fn shows(&mut self, plant: &'static Plant, run: u64) -> Option<Shown> {
        let (scenario, seed) = (self.scenario(run), run.max(1));
        let failed = attempt_with(&scenario, seed, Some(plant));
        let bad = !failed.passed() && self.passes(run, &scenario);
        bad.then_some(Shown {
            scenario,
            seed,
            failed,
        })
    }

    fn passes(&mut self, run: u64, scenario: &Scenario) -> bool {
        let passes = || attempt(scenario, run.max(1)).passed();
        *self.passes.entry(run).or_insert_with(passes)
    }
}

fn smallest(shown: &Shown, plant: &'static Plant) -> Scenario {
    let (seed, symptom) = (shown.seed, &shown.failed.symptom);
    let mut fails = |it: &Scenario| attempt_with(it, seed, Some(plant)).symptom == *symptom;
    shrink(&shown.scenario, SHRINK_BUDGET, &mut fails).scenario
}

fn lines(scenario: &Scenario) -> usize {
    let steps = scenario.steps.iter();
    steps.map(|step| step.instructions.len()).sum()
}

fn show(options: &Planted, scores: &[Score]) {
    let found = scores.iter().filter(|score| score.is_found()).count();
    let median = card::median_seeds(scores);
    if options.json {
        let document = json!({"found": found, "of": scores.len(), "median_seeds": median,
            "bugs": scores});
        println!("{document:#}");
        return;
    }
    let median = median.map_or(String::new(), |median| format!(", median {median} seeds"));
    println!("\n{found} of {} found{median}", scores.len());
}
