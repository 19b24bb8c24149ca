//! The commands.
//!
//! Owns: what each command does, from its options to its exit code.
//! Always holds: input that cannot be understood ends with exit code 64 before anything runs.
//! Deliberately does not know: how options are parsed.

mod determinism;
mod list;
mod replay;
mod run;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    report::{EXIT_BAD_INPUT, Verdict},
    scenario::sentence::{Place, SENTENCES, wording},
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
    let wordings = SENTENCES
        .iter()
        .map(|sentence| wording(sentence.form).len());
    let width = wordings.max().unwrap_or_default();
    for (place, heading) in parts {
        println!("{heading}");
        for sentence in SENTENCES
            .iter()
            .filter(|sentence| sentence.places.contains(&place))
        {
            println!(
                "  {:<width$}   {}",
                wording(sentence.form),
                sentence.meaning
            );
        }
        println!();
    }
    println!("SIZE is 0 to 9, DURATION is like 500ms, 60s, 2m or 1h, VERSION is like 3.5.21.");
}
