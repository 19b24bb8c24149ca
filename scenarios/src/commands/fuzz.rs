//! `scenarios fuzz`.
//!
//! Owns: spreading seeds over processes, counting what comes back, and what is done with failures.
//! Always holds: every failure ends as a file with the smallest scenario that still fails, and one
//! line that runs it; a campaign says how it can be split over machines.
//! Deliberately does not know: what a run does.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use chaos::fault::Fault;
use serde_json::json;
use simulator::determinism::wall_time;

use super::CommandFailed;
use crate::{
    cli::Fuzz,
    fuzz::{Attempt, attempt, generate, shrink::shrink},
    report::Verdict,
    reproduce,
    scenario::Scenario,
};

/// Smaller scenarios that are tried for one failure.
const SHRINK_BUDGET: u32 = 200;

pub(super) fn fuzz(options: &Fuzz) -> Result<Verdict, CommandFailed> {
    let kinds = kinds(options)?;
    if options.worker {
        return Ok(work(options, &kinds));
    }
    let began = wall_time();
    let mut campaign = Campaign::default();
    run(options, &mut campaign)?;
    let wall = wall_time() - began;
    let mut worst = Verdict::Pass;
    for failed in std::mem::take(&mut campaign.failed) {
        worst = worst.worse(failed.verdict());
        let found = keep(options, &kinds, failed)?;
        campaign.found.push(found);
    }
    let minutes = wall.as_secs_f64() / 60.0 * f64::from(options.jobs);
    let rate = campaign.runs as f64 / minutes.max(f64::EPSILON);
    show(options, &campaign, rate);
    Ok(worst)
}

#[derive(Default)]
struct Campaign {
    runs: u64,
    world_ms: u64,
    failed: Vec<Attempt>,
    situations: BTreeMap<String, u64>,
    found: Vec<Found>,
}

/// A failure with its smallest scenario.
struct Found {
    attempt: Attempt,
    file: PathBuf,
    line: String,
    tried: u32,
    faults: usize,
}

fn kinds(options: &Fuzz) -> Result<Vec<Fault>, CommandFailed> {
    let all = Fault::kinds();
    let known: Vec<String> = all.iter().map(Fault::kind).collect();
    for word in options.only.iter().chain(&options.without) {
        if !known.iter().any(|kind| kind.contains(word.as_str())) {
            let text = format!("error: no fault is called `{word}`: {}", known.join(", "));
            return Err(CommandFailed::BadInput(text));
        }
    }
    let matches = |fault: &Fault, words: &[String]| {
        let kind = fault.kind();
        words.iter().any(|word| kind.contains(word.as_str()))
    };
    let wanted = |fault: &Fault| {
        (options.only.is_empty() || matches(fault, &options.only))
            && !matches(fault, &options.without)
    };
    Ok(all.into_iter().filter(wanted).collect())
}

/// The seeds of one share of a campaign.
fn share(options: &Fuzz) -> impl Iterator<Item = u64> {
    let (index, of) = (options.shard.index, options.shard.of);
    (0..options.seeds)
        .filter(move |number| number % of == index)
        .map(|number| options.seed + number)
}

/// A worker: one line of JSON per run.
fn work(options: &Fuzz, kinds: &[Fault]) -> Verdict {
    for seed in share(options) {
        let attempt = attempt(&generate::scenario(seed, kinds), seed);
        let mut out = std::io::stdout().lock();
        let written = serde_json::to_writer(&mut out, &attempt).is_ok() && writeln!(out).is_ok();
        if !written {
            break; // Nobody listens any more.
        }
    }
    Verdict::Pass
}

/// Runs all seeds of this share in `jobs` processes.
fn run(options: &Fuzz, campaign: &mut Campaign) -> Result<(), CommandFailed> {
    let (told, heard) = mpsc::channel::<Attempt>();
    let mut workers = Vec::new();
    for job in 0..u64::from(options.jobs) {
        let mut worker = start(options, job)?;
        let lines = worker.stdout.take();
        let told = told.clone();
        thread::spawn(move || {
            let lines = lines
                .map(BufReader::new)
                .into_iter()
                .flat_map(BufRead::lines);
            for line in lines.map_while(Result::ok) {
                let attempt = serde_json::from_str(&line);
                if attempt.is_ok_and(|attempt| told.send(attempt).is_err()) {
                    return;
                }
            }
        });
        workers.push(worker);
    }
    drop(told);
    let total = share(options).count() as u64;
    let mut shown = wall_time();
    for attempt in heard {
        campaign.runs += 1;
        campaign.world_ms += attempt.world_ms;
        for (situation, count) in &attempt.situations {
            *campaign.situations.entry(situation.clone()).or_default() += count;
        }
        if !attempt.passed() {
            eprintln!(
                "seed {}: {}",
                attempt.seed,
                attempt.reason.as_deref().unwrap_or("")
            );
            campaign.failed.push(attempt);
            if !options.keep_going {
                break;
            }
        }
        if (wall_time() - shown).as_secs() >= 5 {
            shown = wall_time();
            eprintln!(
                "{} of {total} runs, {} failed",
                campaign.runs,
                campaign.failed.len()
            );
        }
    }
    for mut worker in workers {
        // It may have ended by itself.
        let _ = worker.kill();
        let _ = worker.wait();
    }
    Ok(())
}

fn start(options: &Fuzz, job: u64) -> Result<std::process::Child, CommandFailed> {
    let cannot = |why: std::io::Error| {
        CommandFailed::Cannot(format!("error: failed to start a worker: {why}"))
    };
    let jobs = u64::from(options.jobs);
    let shard = format!(
        "{}/{}",
        options.shard.index * jobs + job + 1,
        options.shard.of * jobs
    );
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command
        .args(["fuzz", "--worker", "--shard", &shard])
        .args(["--seed", &options.seed.to_string()])
        .args(["--seeds", &options.seeds.to_string()]);
    for (option, words) in [("--only", &options.only), ("--without", &options.without)] {
        for word in words {
            command.args([option, word]);
        }
    }
    command.stdout(Stdio::piped()).spawn().map_err(cannot)
}

/// Makes the failing scenario small and writes it down.
fn keep(options: &Fuzz, kinds: &[Fault], failed: Attempt) -> Result<Found, CommandFailed> {
    let seed = failed.seed;
    let scenario = generate::scenario(seed, kinds);
    let (mut smallest, tried) = if options.no_shrink {
        (scenario, 0)
    } else {
        eprintln!("seed {seed}: making it smaller");
        let mut fails = |it: &Scenario| attempt(it, seed).symptom == failed.symptom;
        let shrunk = shrink(&scenario, SHRINK_BUDGET, &mut fails);
        (shrunk.scenario, shrunk.tried)
    };
    smallest.story = story(&failed);
    let file = options.out.join(format!("fuzz-{seed}.scenario"));
    write(&file, &smallest)?;
    let words = [
        "scenarios",
        "run",
        &file.to_string_lossy(),
        "--seed",
        &seed.to_string(),
    ];
    let faults = smallest
        .to_string()
        .lines()
        .filter(|line| is_fault(line))
        .count();
    Ok(Found {
        line: reproduce::join(&words.map(str::to_owned)),
        attempt: failed,
        file,
        tried,
        faults,
    })
}

fn is_fault(line: &str) -> bool {
    let words = crate::scenario::words::words(line).unwrap_or_default();
    let place = crate::scenario::sentence::Place::Step;
    let read = crate::scenario::matching::read(&words, place);
    use crate::scenario::{Action, sentence::Statement};
    matches!(read, Ok(Statement::Do(Action::Strike(_))))
}

fn story(failed: &Attempt) -> Vec<String> {
    let reason = failed
        .reason
        .as_deref()
        .unwrap_or_default()
        .replace('\n', " ");
    vec![
        format!(
            "Found by `scenarios fuzz`, seed {}, and made as small as it gets.",
            failed.seed
        ),
        format!("{}: {}", failed.symptom.verdict, reason.trim()),
    ]
}

fn write(file: &Path, scenario: &Scenario) -> Result<(), CommandFailed> {
    fs::write(file, scenario.to_string()).map_err(|error| {
        CommandFailed::Cannot(format!(
            "error: failed to write {}: {error}",
            file.display()
        ))
    })
}

fn show(options: &Fuzz, campaign: &Campaign, rate: f64) {
    let days = campaign.world_ms as f64 / 86_400_000.0;
    if options.json {
        let found: Vec<_> = campaign.found.iter().map(document).collect();
        let document = json!({
            "runs": campaign.runs,
            "world_days": days,
            "runs_per_core_minute": rate.round(),
            "situations": campaign.situations,
            "failed": found,
        });
        println!("{document:#}");
        return;
    }
    println!("situations reached:");
    for (situation, count) in &campaign.situations {
        println!("  {count:>7}  {situation}");
    }
    println!(
        "\n{} runs, {days:.1} simulated days, {rate:.0} runs per core and minute, {} failed",
        campaign.runs,
        campaign.found.len()
    );
    for found in &campaign.found {
        let Found {
            attempt,
            line,
            tried,
            faults,
            ..
        } = found;
        println!(
            "\n{}: {}",
            attempt.symptom.verdict,
            attempt.reason.as_deref().unwrap_or("")
        );
        println!("  smallest of {tried} tried: {faults} faults");
        println!("  reproduce: {line}");
    }
}

fn document(found: &Found) -> serde_json::Value {
    json!({
        "seed": found.attempt.seed,
        "symptom": found.attempt.symptom,
        "reason": found.attempt.reason,
        "scenario": found.file,
        "faults": found.faults,
        "reproduce": found.line,
    })
}
