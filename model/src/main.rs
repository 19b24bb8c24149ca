//! The command: how far to look, progress while it looks, and what it found.
//!
//! Owns: arguments, the clock, and exit codes: 0 nothing found, 1 a safety rule broken, 2 the spec
//! not reached, 64 bad input.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use model::{Bounds, Broken, Progress, Report, search};
use operator::{plan::plan, version::EtcdVersion};

/// Checks the planner against an abstract cluster, exhaustively within bounds.
#[derive(Parser)]
struct Arguments {
    /// The largest size, up to 5; clusters begin with any up to it.
    #[arg(long, default_value_t = 3)]
    sizes: u8,
    /// Edits of the spec: another size, another template, one with which no member starts.
    #[arg(long, default_value_t = 1)]
    edits: u8,
    /// Faults: crashes, losses, deletions, stale caches, an operator that dies in the middle.
    #[arg(long, default_value_t = 1)]
    faults: u8,
    /// Version of etcd: 3.6 allows two learners at once.
    #[arg(long, default_value = "3.5.21")]
    version: EtcdVersion,
    /// Ends unfinished after this many states; each takes about 80 bytes.
    #[arg(long, default_value_t = 200_000_000)]
    states: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if usize::from(arguments.sizes) > model::SLOTS || arguments.edits > 7 || arguments.faults > 7 {
        eprintln!(
            "--sizes goes up to {}, --edits and --faults up to 7",
            model::SLOTS
        );
        return ExitCode::from(64);
    }
    let bounds = Bounds {
        largest: arguments.sizes,
        edits: arguments.edits,
        faults: arguments.faults,
        version: arguments.version,
        states: arguments.states,
    };
    let began = Instant::now();
    let mut last = began;
    let report = search(&bounds, &plan, &mut |progress| {
        if last.elapsed() >= Duration::from_secs(5) {
            last = Instant::now();
            println!("{}", line(progress, began.elapsed()));
        }
    });
    println!("{}", line(&report.progress, began.elapsed()));
    conclude(&report)
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let Progress {
        states,
        done,
        steps,
        depth,
        pictures,
    } = progress;
    let seconds = elapsed.as_secs_f64().max(0.001);
    let (each_second, steps_each_second) = (*done as f64 / seconds, *steps as f64 / seconds);
    format!(
        "{seconds:.0} s: {states} states, {done} done ({each_second:.0}/s), {steps} steps \
         ({steps_each_second:.0}/s), depth {depth}, planner asked on {pictures} pictures"
    )
}

fn conclude(report: &Report) -> ExitCode {
    let Some(violation) = &report.violation else {
        println!(
            "{}",
            if report.complete {
                "every state within the bounds: no rule broken, and calm reaches the spec from each"
            } else {
                "no rule broken so far; unfinished"
            }
        );
        return ExitCode::SUCCESS;
    };
    for (number, (step, world)) in violation.trace.iter().enumerate() {
        println!("{number:>3}. {step}");
        if !world.is_empty() {
            println!("     {world}");
        }
    }
    println!("{}", violation.broken);
    match violation.broken {
        Broken::Stuck(_) => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}
