//! The operator's command line.
//!
//! Owns: flags, logging, signals, and the live backend.
//! Deliberately does not know: how clusters are run.

use std::{process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand, ValueEnum};
use operator::{
    Backend, Options,
    backend::{SystemClock, TcpDial},
};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// Runs etcd clusters on Kubernetes.
#[derive(Parser)]
#[command(name = "operator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator against the cluster that KUBECONFIG (or the pod's service account) names.
    Run {
        /// Work in this namespace only; all of them when left out.
        #[arg(long, env = "WATCH_NAMESPACE")]
        namespace: Option<String>,
        /// DNS domain of the Kubernetes cluster.
        #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
        cluster_domain: String,
        /// How log lines look.
        #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
        log_format: LogFormat,
    },
    /// Print the CustomResourceDefinition as YAML.
    Crd,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Crd => print_crd(),
        Command::Run {
            namespace,
            cluster_domain,
            log_format,
        } => {
            start_logging(log_format);
            let options = Options {
                namespace,
                domain: cluster_domain,
                ..Options::default()
            };
            match run(options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => {
                    error!("{failure}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

fn print_crd() -> ExitCode {
    match serde_saphyr::to_string(&operator::crd()) {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("failed to print the CRD: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start_logging(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.with_target(false).init(),
        LogFormat::Json => logs.json().init(),
    }
}

#[tokio::main]
async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let config = kube::Config::infer().await.map_err(|failure| {
        format!("failed to find a cluster: set KUBECONFIG or run in a pod: {failure}")
    })?;
    info!(server = %config.cluster_url, "connecting");
    let kube = kube::Client::try_from(config)?;
    let backend = Backend {
        kube,
        etcd: Arc::new(TcpDial),
        clock: Arc::new(SystemClock),
    };
    operator::run(backend, options, shutdown()).await?;
    Ok(())
}

/// Completes on Ctrl-C or SIGTERM.
async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {}
    }
    info!("stopping");
}
