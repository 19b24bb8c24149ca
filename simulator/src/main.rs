//! The simulator's command line.
//!
//! Owns: flags and exit codes.
//! Deliberately does not know: what is served.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use simulator::serve::{ServeFailed, ServeOptions, serve};
use tokio::runtime::Builder;

/// A simulated Kubernetes with simulated etcd in its pods.
#[derive(Parser)]
#[command(name = "simulator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a world in real time, for kubectl and for operators.
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Where the API server listens.
    #[arg(long, default_value = "127.0.0.1:6443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The kubeconfig to write; it is removed at the end.
    #[arg(long, default_value = "simulator.kubeconfig", value_name = "PATH")]
    kubeconfig: PathBuf,
    /// Number of nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// The root of all randomness.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print everything that happens.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let Command::Serve(flags) = Cli::parse().command;
    let options = ServeOptions {
        listen: flags.listen,
        kubeconfig: flags.kubeconfig,
        nodes: usize::from(flags.nodes),
        seed: flags.seed,
        verbose: flags.verbose,
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("failed to {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &ServeOptions) -> Result<(), ServeFailed> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeFailed::World)?;
    runtime.block_on(serve(options, &mut io::stdout()))
}
