//! A world in real time for people: `simulator serve`.
//!
//! Owns: the listener that kubectl talks to, the kubeconfig, signals, and what is printed.
//! [`run_member`] is one etcd member alone.
//! Always holds: when it ends, by itself or by a signal, nothing of it runs on.
//! Deliberately does not know: how a world works.

mod etcd;
mod kubeconfig;
mod member;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use self::etcd::Clusters;
pub use self::{
    etcd::{ClusterSpec, NotACluster},
    kubeconfig::KubeconfigFailed,
    member::{MemberFailed, run_member},
};
use crate::{
    clock::Clock,
    determinism::Seed,
    net::{LoopbackNet, Outside, Resolve},
    trace::Trace,
    world::{Ground, SimWorld, WorldOptions},
};

/// Lines of the trace that are kept.
const KEEP_LINES: usize = 10_000;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where the API server listens.
    pub listen: SocketAddr,
    /// The kubeconfig to write.
    pub kubeconfig: PathBuf,
    /// Number of nodes.
    pub nodes: usize,
    /// etcd clusters beside it.
    pub etcd: Vec<ClusterSpec>,
    /// The root of all randomness.
    pub seed: u64,
    /// Whether to print the trace.
    pub verbose: bool,
}

/// Why a world is not served any more.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailed {
    /// The address is taken, or not one of this machine.
    #[error("listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No kubeconfig.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigFailed),
    /// The loopback has no addresses for pods.
    #[error("start the world: {0}")]
    World(#[source] io::Error),
    /// Signals cannot be received.
    #[error("wait for Ctrl-C: {0}")]
    Signals(#[source] io::Error),
    /// A part of the world stopped working, which is a bug in it.
    #[error(
        "go on: the simulated control plane ended by itself, which is a bug; its last words are above"
    )]
    Broken,
}

/// Serves a world until Ctrl-C or SIGTERM. Call it inside a current-thread runtime with IO.
///
/// # Errors
/// When it cannot start, or breaks.
pub async fn serve(
    options: &ServeOptions,
    out: &mut (dyn Write + Send),
) -> Result<(), ServeFailed> {
    let listen_failed = |source| ServeFailed::Listen {
        address: options.listen,
        source,
    };
    // First of all, so that a signal during the start is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeFailed::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeFailed::Signals)?;
    let listener = Outside::bind(options.listen).await.map_err(listen_failed)?;
    let address = listener.address().map_err(listen_failed)?;

    let (sim, mut clusters) = start(options).await.map_err(ServeFailed::World)?;
    sim.world.serve_api_on(Box::new(listener));
    kubeconfig::write(&options.kubeconfig, address)?;
    // Nobody reads any more: that is no reason to stop serving.
    let _ = greet(out, address, options, &clusters);

    let mut told = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sim.world.broken() => return Err(ServeFailed::Broken),
            gone = clusters.next_end() => {
                let words = gone.exit.last_words.last().cloned().unwrap_or_default();
                let _ = writeln!(out, "{} ended with code {}: {words}", gone.name, gone.exit.code);
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(200)), if options.verbose => {
                told = tell(out, sim.world.trace(), told);
            }
        }
    }
    kubeconfig::remove(&options.kubeconfig);
    let _ = writeln!(
        out,
        "\nThe world is gone, and {} with it.",
        options.kubeconfig.display()
    );
    Ok(())
}

async fn start(options: &ServeOptions) -> io::Result<(SimWorld, Clusters)> {
    let clock = Clock::starting_at(Timestamp::now());
    let trace = Trace::new(clock, KEEP_LINES);
    let net = Arc::new(LoopbackNet::claim(trace.clone())?);
    let ground = Ground { net, clock, trace };
    let world = WorldOptions {
        nodes: options.nodes,
        ..WorldOptions::new(Seed(options.seed))
    };
    let sim = SimWorld::start_on(ground.clone(), world, Vec::new()).await?;
    let resolver: Arc<dyn Resolve> = Arc::new(sim.world.names().clone());
    let seed = Seed(options.seed).derive("etcd clusters");
    let clusters = Clusters::start(&ground, &resolver, seed, &options.etcd)?;
    Ok((sim, clusters))
}

fn greet(
    out: &mut dyn Write,
    address: SocketAddr,
    options: &ServeOptions,
    clusters: &Clusters,
) -> io::Result<()> {
    let (path, nodes) = (options.kubeconfig.display(), options.nodes);
    writeln!(
        out,
        "A simulated Kubernetes with {nodes} nodes listens on http://{address}.
Pods whose image is REGISTRY/etcd:vX.Y.Z run a simulated etcd of that version.

  export KUBECONFIG={path}
  kubectl get nodes
  operator crd | kubectl apply --server-side -f -
  operator run
"
    )?;
    for (spec, urls) in &clusters.shown {
        writeln!(
            out,
            "{spec} listen beside it:\n\n  export ETCDCTL_ENDPOINTS={}\n",
            urls.join(",")
        )?;
    }
    writeln!(out, "Ctrl-C ends it; nothing is kept.")?;
    out.flush()
}

fn tell(out: &mut dyn Write, trace: &Trace, from: u64) -> u64 {
    let lines = trace.since(from);
    for line in &lines {
        let _ = writeln!(
            out,
            "{:>10.3} {:24} {}",
            line.at.as_secs_f64(),
            line.who,
            line.what
        );
    }
    lines.last().map_or(from, |line| line.ordinal + 1)
}
