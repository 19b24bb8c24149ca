//! The operator's command line.
//!
//! Owns: flags, logging, signals, and the live backend.
//! Deliberately does not know: how clusters are run.

use std::{
    io::{ErrorKind, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use kube::client::ClientBuilder;
use operator::{
    Backend, Leadership, Metrics, Options,
    backend::{SystemClock, TcpDial},
    build::FIELD_MANAGER,
};
use tokio::net::TcpListener;
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
    Run(RunFlags),
    /// Print what the operator sees of a cluster, what it would do next, and why not more. Changes
    /// nothing.
    Explain(ExplainFlags),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
}

#[derive(Args)]
struct RunFlags {
    /// Work in this namespace only; all of them when left out.
    #[arg(long, env = "WATCH_NAMESPACE")]
    namespace: Option<String>,
    /// DNS domain of the Kubernetes cluster.
    #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
    cluster_domain: String,
    /// Hold a Lease while acting, so that of several operators only one acts.
    #[arg(long, env = "LEADER_ELECTION", default_value_t = true, action = ArgAction::Set)]
    leader_election: bool,
    /// Namespace of the Lease; the operator's own when left out. Operators that look after the
    /// same clusters must name the same one.
    #[arg(long, env = "LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Who this operator is in the Lease: its pod's name, or host and process.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// Where to serve /metrics, /healthz and /readyz, for example 0.0.0.0:8080; nowhere when left
    /// out.
    #[arg(long, env = "HTTP_ADDRESS")]
    http_address: Option<SocketAddr>,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Args)]
struct ExplainFlags {
    /// Name of the EtcdCluster.
    name: String,
    /// Its namespace; that of the kubeconfig's context when left out.
    #[arg(long, short)]
    namespace: Option<String>,
    /// DNS domain of the Kubernetes cluster.
    #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
    cluster_domain: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
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
        Command::Run(flags) => {
            start_logging(flags.log_format);
            match run(flags) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => {
                    error!("{}", operator::observe::chain(failure.as_ref()));
                    ExitCode::FAILURE
                }
            }
        }
        Command::Explain(flags) => match explain(flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("{}", operator::observe::chain(failure.as_ref()));
                ExitCode::FAILURE
            }
        },
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
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.with_target(false).init(),
        LogFormat::Json => logs.json().init(),
    }
}

#[tokio::main]
async fn run(flags: RunFlags) -> Result<(), Box<dyn std::error::Error>> {
    let config = cluster().await?;
    info!(server = %config.cluster_url, "connecting");
    let metrics = Metrics::default();
    if let Some(address) = flags.http_address {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|failure| format!("failed to listen on {address}: {failure}"))?;
        tokio::spawn(operator::http::serve(listener, metrics.clone()));
    }
    let options = options(flags, metrics, &config.default_namespace);
    let kube = ClientBuilder::try_from(config)?
        .with_layer(&options.metrics.count_requests())
        .build();
    operator::run(live(kube), options, shutdown()).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn explain(flags: ExplainFlags) -> Result<(), Box<dyn std::error::Error>> {
    let config = cluster().await?;
    let namespace = flags.namespace.unwrap_or(config.default_namespace.clone());
    let backend = live(kube::Client::try_from(config)?);
    let explanation =
        operator::explain::explain(&backend, &flags.cluster_domain, &namespace, &flags.name)
            .await?;
    let text = if flags.json {
        format!("{}\n", serde_json::to_string_pretty(&explanation)?)
    } else {
        explanation.to_string()
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader has seen enough.
        Err(failure) if failure.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

async fn cluster() -> Result<kube::Config, String> {
    kube::Config::infer().await.map_err(|failure| {
        format!("failed to find a cluster: set KUBECONFIG or run in a pod: {failure}")
    })
}

fn live(kube: kube::Client) -> Backend {
    Backend {
        kube,
        etcd: Arc::new(TcpDial),
        clock: Arc::new(SystemClock),
    }
}

fn options(flags: RunFlags, metrics: Metrics, own_namespace: &str) -> Options {
    let lease_namespace = flags
        .lease_namespace
        .or_else(|| flags.namespace.clone())
        .unwrap_or_else(|| own_namespace.to_owned());
    let identity = flags.identity.unwrap_or_else(|| {
        let host = hostname::get().unwrap_or_default();
        format!("{}-{}", host.display(), std::process::id())
    });
    Options {
        namespace: flags.namespace,
        domain: flags.cluster_domain,
        leadership: flags.leader_election.then(|| Leadership {
            namespace: lease_namespace,
            name: FIELD_MANAGER.to_owned(),
            identity,
        }),
        metrics,
        ..Options::default()
    }
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
