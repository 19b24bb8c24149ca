//! The `scenarios` program. See `scenarios --help`.

use std::process::ExitCode;

use clap::Parser;
use scenarios::{cli::Cli, commands, overheard, report::EXIT_BAD_INPUT};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A simulation says what is in the way if this comes too late; other commands need it not.
    let _ = simulator::determinism::prepare_process();
    show_logs();
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

/// Logs of the operator and the libraries, on standard error, when `RUST_LOG` asks for them.
/// In virtual time they carry the time of the world. What the operator calls an error is heard in
/// any case: a run must not pass over it.
fn show_logs() {
    let shown = EnvFilter::try_from_default_env().ok().map(|filter| {
        tracing_subscriber::fmt::layer()
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr)
            .with_filter(filter)
    });
    tracing_subscriber::registry()
        .with(overheard::layer())
        .with(shown)
        .init();
}
