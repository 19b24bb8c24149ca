//! The simulator's command line.
//!
//! Owns: flags and exit codes.
//! Deliberately does not know: what is served.

use std::{fmt::Display, io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use simulator::{
    etcd::Version,
    serve::{ClusterSpec, ServeOptions, run_member, serve},
};
use tokio::runtime::{Builder, Runtime};

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
    /// Run one simulated etcd member in real time, with etcd's own flags and variables. What it
    /// stores ends with it.
    Etcd(Member),
}

#[derive(Args)]
struct Member {
    /// Which etcd it is, for example 3.6.16.
    version: Version,
    /// Flags of etcd.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<String>,
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
    /// An etcd cluster beside it, as SIZE or SIZE@VERSION; give it several times for several.
    #[arg(long, value_name = "SIZE[@VERSION]")]
    etcd: Vec<ClusterSpec>,
    /// The root of all randomness.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print everything that happens.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(format_args!("start a runtime: {error}")),
    };
    match Cli::parse().command {
        Command::Serve(flags) => run_world(&runtime, flags),
        Command::Etcd(member) => run_etcd(&runtime, member),
    }
}

fn run_world(runtime: &Runtime, flags: Serve) -> ExitCode {
    let options = ServeOptions {
        listen: flags.listen,
        kubeconfig: flags.kubeconfig,
        nodes: usize::from(flags.nodes),
        etcd: flags.etcd,
        seed: flags.seed,
        verbose: flags.verbose,
    };
    match runtime.block_on(serve(&options, &mut io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(failure),
    }
}

fn run_etcd(runtime: &Runtime, member: Member) -> ExitCode {
    let env = std::env::vars().collect();
    let mut err = io::stderr();
    match runtime.block_on(run_member(member.version, member.flags, env, &mut err)) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(failure) => failed(failure),
    }
}

fn failed(failure: impl Display) -> ExitCode {
    eprintln!("failed to {failure}");
    ExitCode::FAILURE
}
