//! The commands.
//!
//! Owns: what each command does, from its options to its exit code.
//! Always holds: input that cannot be understood ends with exit code 64 before anything runs.
//! Deliberately does not know: how options are parsed.

mod determinism;
mod fuzz;
mod list;
mod planted;
mod replay;
mod run;
mod shrink;
mod soak;
mod sweep;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    report::{EXIT_BAD_INPUT, Verdict},
    scenario::sentence::{Place, sentences, wording},
};

/// Why a command ended without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailed {
    /// The input cannot be understood; the text is complete.
    #[error("{0}")]
    BadInput(String),
    /// Something in the surroundings is in the way; the text is complete.
    #[error("{0}")]
    Cannot(String),
    /// Another process did it, and ended like this.
    #[error("another process has ended")]
    EndedElsewhere(ExitCode),
}

/// Does what the command line says.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::List(options) => list::list(&options).map(|()| Verdict::Pass),
        Command::Run(options) => run::run(&options),
        Command::Replay(options) => replay::replay(&options),
        Command::CheckDeterminism(options) => determinism::check(&options),
        Command::Fuzz(options) => fuzz::fuzz(&options),
        Command::Shrink(options) => shrink::run(&options),
        Command::Sweep(options) => sweep::run(&options),
        Command::Planted(options) => planted::run(&options),
        Command::Soak(options) => soak::soak(&options),
        Command::Language => {
            language();
            Ok(Verdict::Pass)
        }
    };
    match result {
        Ok(verdict) => verdict.exit_code().into(),
        Err(CommandFailed::EndedElsewhere(code)) => code,
        Err(failed) => {
            eprintln!("{failed}");
            match failed {
                CommandFailed::BadInput(_) => EXIT_BAD_INPUT.into(),
                _ => Verdict::Crash.exit_code().into(),
            }
        }
    }
}

fn language() {
    let parts = [
        (
            Place::Heading,
            "On top: comment lines (`# ...`) tell the story. Then:",
        ),
        (Place::Step, "In a step:"),
        (Place::End, "After `finally`:"),
    ];
    let wordings = sentences().map(|sentence| wording(&sentence.form).len());
    let width = wordings.max().unwrap_or_default();
    for (place, heading) in parts {
        println!("{heading}");
        for sentence in sentences().filter(|sentence| sentence.places.contains(&place)) {
            println!(
                "  {:<width$}   {}",
                wording(&sentence.form),
                sentence.meaning
            );
        }
        println!();
    }
    println!("MEMBER is `the leader`, `a follower`, `a learner` or `member N`.");
    println!(
        "NTH is `next`, `2nd`, `3rd` and so on. CONDITION is available, progressing, degraded."
    );
    let calls: Vec<&str> = chaos::fault::Call::ALL
        .iter()
        .map(|(word, _)| *word)
        .collect();
    println!("CALL is {}.", calls.join(", "));
    println!("SIZE is 0 to 9, DURATION is like 500ms, 60s, 2m or 1h, VERSION is like 3.5.21.");
}
