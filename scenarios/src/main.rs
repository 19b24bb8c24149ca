//! The `scenarios` program. See `scenarios --help`.

use std::process::ExitCode;

use clap::Parser;
use scenarios::{cli::Cli, commands, report::EXIT_BAD_INPUT};

fn main() -> ExitCode {
    // A simulation says what is in the way if this comes too late; other commands need it not.
    let _ = simulator::determinism::prepare_process();
    match Cli::try_parse() {
        Ok(cli) => commands::execute(cli),
        Err(error) => {
            // Printing can fail only when nobody reads it.
            let _ = error.print();
            if error.use_stderr() {
                EXIT_BAD_INPUT.into()
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}
