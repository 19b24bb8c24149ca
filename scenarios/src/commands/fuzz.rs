//! `scenarios fuzz`.
//!
//! Owns: a campaign from its options to its exit code: which kinds of faults, which seeds, when it is
//! over, and what is done with failures.
//! Always holds: every failure ends as a file with the smallest scenario that still fails, and one
//! line that runs it; a campaign can be split over processes and machines.
//! Deliberately does not know: what a run does, and how a campaign is shown.

use std::{io::Write, path::Path, time::Duration};

use chaos::fault::Fault;
use simulator::determinism::wall_time;

use super::{CommandFailed, replay, run};
use crate::{
    cli::{self, Fuzz},
    fuzz::{Attempt, attempt, crew::Crew, found::Found, generate, situations, tally::Tally},
    report::Verdict,
    show::{
        campaign::{self as show, Campaign},
        progress::Progress,
    },
};

/// Smaller scenarios that are tried for one failure.
const SHRINK_BUDGET: u32 = 200;

/// Failures that are made small; more of them take long and seldom tell more.
const SHRUNK_AT_MOST: usize = 10;

pub(super) fn fuzz(options: &Fuzz) -> Result<Verdict, CommandFailed> {
    let kinds = kinds(&options.only, &options.without)?;
    if options.worker {
        return Ok(work(&kinds));
    }
    if options.print {
        share(options).for_each(|seed| print!("{}", generate::scenario(seed, &kinds)));
        return Ok(Verdict::Pass);
    }
    let began = wall_time();
    let mut tally = Tally::of(situations::to_reach(&kinds));
    let failed = campaign(options, &mut tally)?;
    let wall = wall_time() - began;
    let mut worst = Verdict::Pass;
    let mut found = Vec::new();
    for (index, failed) in failed.into_iter().enumerate() {
        worst = worst.worse(failed.verdict());
        let small = !options.no_shrink && index < SHRUNK_AT_MOST;
        let kept = keep(options, &kinds, failed, small)?;
        if options.html {
            picture(&kept)?;
        }
        found.push(kept);
    }
    let reached_all = options
        .until_reached
        .is_none_or(|times| tally.missing(times).is_empty());
    if !reached_all {
        worst = worst.worse(Verdict::Liveness);
    }
    let campaign = Campaign {
        tally: &tally,
        found: &found,
        wall,
        options,
        verdict: worst,
    };
    publish(options, &campaign)?;
    Ok(worst)
}

fn publish(options: &Fuzz, campaign: &Campaign<'_>) -> Result<(), CommandFailed> {
    if options.json {
        println!("{:#}", show::document(campaign));
    } else {
        print!("{}", show::text(campaign));
    }
    if let Some(path) = &options.junit {
        std::fs::write(path, show::junit(campaign)).map_err(|error| {
            let path = path.display();
            CommandFailed::Cannot(format!("error: failed to write --junit {path}: {error}"))
        })?;
    }
    Ok(())
}

/// The kinds of faults with these words in their names, or all, without those.
pub(super) fn kinds(only: &[String], without: &[String]) -> Result<Vec<Fault>, CommandFailed> {
    let all = Fault::kinds();
    let known: Vec<String> = all.iter().map(Fault::kind).collect();
    for word in only.iter().chain(without) {
        if !known.iter().any(|kind| kind.contains(word.as_str())) {
            let text = format!("error: no fault is called `{word}`: {}", known.join(", "));
            return Err(CommandFailed::BadInput(text));
        }
    }
    let matches = |fault: &Fault, words: &[String]| {
        let kind = fault.kind();
        words.iter().any(|word| kind.contains(word.as_str()))
    };
    let wanted =
        |fault: &Fault| (only.is_empty() || matches(fault, only)) && !matches(fault, without);
    Ok(all.into_iter().filter(wanted).collect())
}

/// The seeds of one share of a campaign.
fn share(options: &Fuzz) -> impl Iterator<Item = u64> + Send + use<> {
    let (index, of, first) = (options.shard.index, options.shard.of, options.seed);
    (0..options.seeds)
        .filter(move |number| number % of == index)
        .map(move |number| first + number)
}

/// A worker: for each seed on standard input, one line of JSON.
fn work(kinds: &[Fault]) -> Verdict {
    let lines = std::io::stdin().lines().map_while(Result::ok);
    for seed in lines.map_while(|line| line.trim().parse().ok()) {
        let attempt = attempt(&generate::scenario(seed, kinds), seed);
        let mut out = std::io::stdout().lock();
        let written = serde_json::to_writer(&mut out, &attempt).is_ok() && writeln!(out).is_ok();
        if !written {
            break; // Nobody listens any more.
        }
    }
    Verdict::Pass
}

/// Runs the seeds of this share, and gives those that failed.
fn campaign(options: &Fuzz, tally: &mut Tally) -> Result<Vec<Attempt>, CommandFailed> {
    let crew = Crew {
        jobs: options.jobs,
        arguments: arguments(options),
        limit: Duration::from_secs(options.limit_s),
    };
    let total = share(options).count() as u64;
    let (began, mut told) = (wall_time(), wall_time());
    let mut progress = Progress::on_stderr();
    let mut failed = Vec::new();
    let ran = crew.run(share(options), |attempt| {
        tally.add(&attempt);
        let passed = attempt.passed();
        if !passed {
            progress.clear();
            let reason = attempt.reason.as_deref().unwrap_or_default();
            eprintln!(
                "seed {}: {}: {reason}",
                attempt.seed, attempt.symptom.verdict
            );
            failed.push(attempt);
        }
        let now = wall_time();
        let line = tally.progress(total, now - began, options.jobs);
        progress.show(&line);
        if !progress.is_seen() && (now - told).as_secs() >= options.tell_every_s {
            told = now;
            eprintln!("{line}");
        }
        let reached = |times| tally.missing(times).is_empty();
        let enough = options.until_reached.is_some_and(reached);
        (passed || options.keep_going) && !enough
    });
    ran.map_err(|why| {
        CommandFailed::Cannot(format!("error: failed to start another process: {why}"))
    })?;
    Ok(failed)
}

/// What makes this program a worker of the campaign.
fn arguments(options: &Fuzz) -> Vec<String> {
    let mut arguments = vec!["fuzz".to_owned(), "--worker".to_owned()];
    for (option, words) in [("--only", &options.only), ("--without", &options.without)] {
        for word in words {
            arguments.extend([option.to_owned(), word.clone()]);
        }
    }
    arguments
}

/// Makes the failing scenario small and writes it down.
fn keep(
    options: &Fuzz,
    kinds: &[Fault],
    failed: Attempt,
    small: bool,
) -> Result<Found, CommandFailed> {
    let seed = failed.seed;
    // What was lost once is lost each time.
    let budget = if small && !failed.lost {
        eprintln!("seed {seed}: making it smaller");
        SHRINK_BUDGET
    } else {
        0
    };
    let scenario = generate::scenario(seed, kinds);
    Found::keep(failed, &scenario, budget, &options.out).map_err(|error| {
        let folder = options.out.display();
        CommandFailed::Cannot(format!("error: failed to write into {folder}: {error}"))
    })
}

/// Runs the smallest scenario once more, and draws it.
fn picture(found: &Found) -> Result<(), CommandFailed> {
    if found.attempt.lost {
        return Ok(()); // It would be lost again.
    }
    let page = Path::new(&found.scenario).with_extension("html");
    let again = cli::Run {
        html: Some(page),
        json: true,
        ..replay::command(&found.reproduce)?
    };
    run::reports(&again).map(drop)
}
