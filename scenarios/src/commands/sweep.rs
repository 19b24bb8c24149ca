//! `scenarios sweep`.
//!
//! Owns: one run for every place where a fault could hit a scenario: before and after each write of
//! the operator, or every so often.
//! Always holds: no place is left out; each failure is written down as a file that fails alone, but
//! for objects that came and went more often than in a calm run: only a sweep has one to compare with.
//! Deliberately does not know: how a fault is injected.

use std::{fs, time::Duration};

use chaos::{
    Span,
    fault::{Call, Fault, Moment, OperatorFault, Strike, Trigger},
};

use simulator::determinism::wall_time;

use super::CommandFailed;
use crate::{
    cli::Sweep,
    fuzz::{attempt, lives},
    library::{self, Entry},
    report::Verdict,
    reproduce,
    scenario::{Action, Instruction, Scenario, matching, sentence, words},
    show::progress::Progress,
};

pub(super) fn run(options: &Sweep) -> Result<Verdict, CommandFailed> {
    let found = library::find(&options.scenario);
    let entry = found.map_err(|error| CommandFailed::BadInput(error.to_string()))?;
    let calm = attempt(&entry.scenario, options.seed);
    if !calm.passed() {
        let why = calm.reason.unwrap_or_default();
        let text = format!("error: {} fails without any fault: {why}", entry.name);
        return Err(CommandFailed::BadInput(text));
    }
    let strikes = match &options.fault {
        None => crashes(calm.writes),
        Some(text) => everywhere(text, options.every, Duration::from_millis(calm.world_ms))?,
    };
    let share: Vec<Strike> = strikes
        .into_iter()
        .enumerate()
        .filter(|(index, _)| *index as u64 % options.shard.of == options.shard.index)
        .map(|(_, strike)| strike)
        .collect();
    println!(
        "{} runs of {}, seed {}",
        share.len(),
        entry.name,
        options.seed
    );
    let mut worst = Verdict::Pass;
    let mut failed = 0;
    let (began, mut told) = (wall_time(), wall_time());
    let mut progress = Progress::on_stderr();
    for (index, strike) in share.iter().enumerate() {
        let struck = with(&entry.scenario, *strike);
        let attempt = attempt(&struck, options.seed);
        let more = if is_of_the_operator(&strike.fault) {
            lives::more_than_in_calm(&calm.lives, &attempt.lives)
        } else {
            Vec::new()
        };
        if !attempt.passed() || !more.is_empty() {
            failed += 1;
            worst = worst.worse(attempt.verdict());
            let reason = attempt.reason.as_deref().unwrap_or_default();
            println!("{strike}\n  {}: {reason}", attempt.symptom.verdict);
            for what in &more {
                worst = worst.worse(Verdict::Safety);
                println!("  more often than in a calm run: {what}");
            }
            println!("  reproduce: {}", keep(options, &entry, index, &struck)?);
        }
        let line = format!("{} of {}, {failed} failed", index + 1, share.len());
        progress.show(&line);
        if !progress.is_seen() && (wall_time() - told).as_secs() >= 30 {
            told = wall_time();
            eprintln!("{line}");
        }
    }
    progress.clear();
    let seconds = (wall_time() - began).as_secs_f64();
    println!("{} runs, {failed} failed, {seconds:.0} s", share.len());
    Ok(worst)
}

/// Whether it leaves pods, members and nodes alone: then the same objects come and go as in calm.
fn is_of_the_operator(fault: &Fault) -> bool {
    matches!(fault, Fault::Operator(_) | Fault::Api(..))
}

/// Before and after every write of a calm run.
fn crashes(writes: u64) -> Vec<Strike> {
    let last = u32::try_from(writes).unwrap_or(u32::MAX);
    let places = (1..=last).flat_map(|nth| [(Moment::Before, nth), (Moment::After, nth)]);
    let strikes = places.map(|(moment, nth)| {
        let call = Call::Write;
        Strike {
            trigger: Trigger::Now,
            fault: Fault::Operator(OperatorFault::KillAt { moment, nth, call }),
        }
    });
    strikes.collect()
}

/// The fault once every so often, over the time that a calm run takes.
fn everywhere(text: &str, every: Span, took: Duration) -> Result<Vec<Strike>, CommandFailed> {
    let line = words::words(text).unwrap_or_default();
    let read = matching::read(&line, sentence::Place::Step);
    let Ok(sentence::Statement::Do(Action::Strike(Strike { fault, .. }))) = read else {
        let text = format!("error: `{text}` is no fault; see `scenarios language`");
        return Err(CommandFailed::BadInput(text));
    };
    let every = every.duration().as_millis();
    let times = (1..=took.as_millis() / every.max(1)).filter_map(|number| {
        let span = Span::from_millis(u64::try_from(number * every).ok()?)?;
        Some(Strike {
            trigger: Trigger::In(span),
            fault,
        })
    });
    Ok(times.collect())
}

/// The scenario with the strike at its beginning.
fn with(scenario: &Scenario, strike: Strike) -> Scenario {
    let mut struck = scenario.clone();
    if let Some(step) = struck.steps.first_mut() {
        // Members can be hit only once there is a cluster.
        let after = usize::from(strike.fault.target().is_some());
        let at = after.min(step.instructions.len());
        step.instructions
            .insert(at, Instruction::Do(Action::Strike(strike)));
    }
    struck
}

fn keep(
    options: &Sweep,
    entry: &Entry,
    index: usize,
    scenario: &Scenario,
) -> Result<String, CommandFailed> {
    let name = entry.name.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(".scenario");
    let file = options.out.join(format!("sweep-{name}-{index}.scenario"));
    fs::write(&file, scenario.to_string()).map_err(|error| {
        CommandFailed::Cannot(format!(
            "error: failed to write {}: {error}",
            file.display()
        ))
    })?;
    let seed = options.seed.to_string();
    let words = ["scenarios", "run", &file.to_string_lossy(), "--seed", &seed];
    Ok(reproduce::join(&words.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_is_hit_from_both_sides() {
        let strikes = crashes(3);
        let texts: Vec<String> = strikes.iter().map(Strike::to_string).collect();
        assert_eq!(texts.len(), 6);
        assert_eq!(texts[0], "kill the operator before its next write");
        assert_eq!(texts[5], "kill the operator after its 3rd write");
    }

    #[test]
    fn a_fault_is_put_at_every_moment_of_the_run() {
        let (text, every) = ("silence the watches for 10s", Span::SECOND);
        let strikes = everywhere(text, every, Duration::from_millis(3_500));
        let strikes = strikes.unwrap_or_default();
        assert_eq!(strikes.len(), 3);
        assert_eq!(strikes[2].to_string(), "in 3s: silence the watches for 10s");
        assert!(everywhere("wait 5s", every, Duration::from_secs(9)).is_err());
    }
}
