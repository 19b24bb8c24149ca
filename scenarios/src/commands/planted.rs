//! `scenarios planted`.
//!
//! Owns: the score card: which known-bad operators are found, and what it takes.
//! Always holds: a bug counts as found only where the good operator passes the same scenario with
//! the same seed; what is not found is said.
//! Deliberately does not know: the bugs.

use std::collections::BTreeMap;

use chaos::fault::Fault;
use serde_json::json;
use simulator::determinism::wall_time;

use super::CommandFailed;
use crate::{
    cli::Planted,
    fuzz::{Attempt, attempt, attempt_with, generate, shrink::shrink},
    library,
    planted::{PLANTS, Plant},
    report::Verdict,
    scenario::{Action, Instruction, Scenario},
};

/// Smaller scenarios that are tried for one bug.
const SHRINK_BUDGET: u32 = 60;

/// What it took to find one bug.
struct Score {
    plant: &'static Plant,
    /// Runs up to the one that failed; none when all passed.
    runs: Option<u64>,
    symptom: String,
    /// Instructions and faults of the smallest scenario.
    size: (usize, usize),
    seconds: f64,
}

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
            println!("{}", line(&score));
        }
        scores.push(score);
    }
    show(options, &scores);
    let missed = scores.iter().any(|score| score.runs.is_none());
    Ok(if missed {
        Verdict::Liveness
    } else {
        Verdict::Pass
    })
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
        let mut score = Score {
            plant,
            runs: None,
            symptom: String::new(),
            size: (0, 0),
            seconds: 0.0,
        };
        for run in 0..=options.seeds {
            let scenario = self.scenario(run);
            let failed = attempt_with(&scenario, run.max(1), Some(plant));
            if failed.passed() || !self.passes(run, &scenario) {
                continue;
            }
            score.runs = Some(run + 1);
            score.symptom = format!("{}: {}", failed.symptom.verdict, failed.symptom.what);
            score.size = size(&smallest(&scenario, run.max(1), plant, &failed));
            break;
        }
        score.seconds = (wall_time() - began).as_secs_f64();
        score
    }

    fn passes(&mut self, run: u64, scenario: &Scenario) -> bool {
        let passes = || attempt(scenario, run.max(1)).passed();
        *self.passes.entry(run).or_insert_with(passes)
    }
}

fn smallest(scenario: &Scenario, seed: u64, plant: &'static Plant, failed: &Attempt) -> Scenario {
    let mut fails = |it: &Scenario| attempt_with(it, seed, Some(plant)).symptom == failed.symptom;
    shrink(scenario, SHRINK_BUDGET, &mut fails).scenario
}

fn size(scenario: &Scenario) -> (usize, usize) {
    let told: Vec<&Instruction> = scenario
        .steps
        .iter()
        .flat_map(|it| &it.instructions)
        .collect();
    let faults = told
        .iter()
        .filter(|it| matches!(it, Instruction::Do(Action::Strike(_))));
    (told.len(), faults.count())
}

fn line(score: &Score) -> String {
    let name = score.plant.name;
    let seconds = score.seconds;
    match score.runs {
        None => format!("{name:<26} NOT FOUND {seconds:>28.1} s"),
        Some(runs) => {
            let (told, faults) = score.size;
            let symptom: String = score.symptom.chars().take(70).collect();
            format!(
                "{name:<26} run {runs:<4} {told:>2} lines {faults:>2} faults {seconds:>6.1} s  {symptom}"
            )
        }
    }
}

fn show(options: &Planted, scores: &[Score]) {
    let mut runs: Vec<u64> = scores.iter().filter_map(|score| score.runs).collect();
    runs.sort_unstable();
    let median = runs.get(runs.len() / 2).copied();
    if options.json {
        let bugs: Vec<_> = scores.iter().map(document).collect();
        let document = json!({"found": runs.len(), "of": scores.len(), "median_runs": median,
            "bugs": bugs});
        println!("{document:#}");
        return;
    }
    let median = median.map_or(String::new(), |median| format!(", median {median} runs"));
    println!("\n{} of {} found{median}", runs.len(), scores.len());
}

fn document(score: &Score) -> serde_json::Value {
    json!({
        "name": score.plant.name,
        "story": score.plant.story,
        "found_in_run": score.runs,
        "symptom": score.symptom,
        "lines": score.size.0,
        "faults": score.size.1,
        "seconds": score.seconds,
    })
}
