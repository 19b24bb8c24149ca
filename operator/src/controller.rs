//! The driver: observe, validate, plan, execute, report.
//!
//! Owns: the watches, the pass over one cluster, and when to look again.
//! Always holds: a change in Kubernetes wakes the pass at once; a pass that changed something is
//! followed by another at once; nothing waits for a fixed step of time.
//! Deliberately does not know: what to do; that is the planner's.

mod pass;
mod watches;

use std::{future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api,
    runtime::{Controller, controller::Action as Requeue},
};
use tracing::{info, warn};

use crate::{
    api::EtcdCluster,
    backend::Backend,
    observe::{Connections, Stores},
};

pub use pass::PassFailed;

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace to work in; all of them when None.
    pub namespace: Option<String>,
    /// DNS domain of the Kubernetes cluster.
    pub domain: String,
    /// Clusters worked on at the same time; 0 means no limit. A slow cluster does not hold up others.
    pub concurrency: u16,
    /// Longest time between two looks at a healthy cluster. A lost quorum is seen within this.
    pub look_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            domain: "cluster.local".to_owned(),
            concurrency: 0,
            look_every: Duration::from_secs(10),
        }
    }
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum RunFailed {
    /// The CRD is not there, or may not be read.
    #[error(
        "failed to list EtcdClusters: install the CRD (`operator crd | kubectl apply --server-side -f -`) and check the operator's role: {0}"
    )]
    NoAccess(#[source] kube::Error),
}

struct Context {
    backend: Backend,
    options: Options,
    stores: Stores,
    connections: Connections,
}

/// Runs until `shutdown` completes.
///
/// # Errors
/// See [`RunFailed`].
pub async fn run(
    backend: Backend,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), RunFailed> {
    let clusters: Api<EtcdCluster> = watches::api(&backend.kube, &options);
    let probe = kube::api::ListParams::default().limit(1);
    clusters.list(&probe).await.map_err(RunFailed::NoAccess)?;

    let watches = watches::start(&backend.kube, &options);
    let context = Arc::new(Context {
        backend,
        options: options.clone(),
        stores: watches.stores,
        connections: Connections::default(),
    });
    let config = kube::runtime::controller::Config::default().concurrency(options.concurrency);
    let mut controller = Controller::for_stream(watches.clusters, watches.cluster_store)
        .with_config(config)
        .graceful_shutdown_on(shutdown);
    for stream in watches.owned {
        controller = controller.watches_stream(stream, |object| watches::cluster_of(&object));
    }
    info!("watching EtcdClusters");
    controller
        .run(reconcile, on_error, context)
        .for_each(|_| async {})
        .await;
    Ok(())
}

async fn reconcile(
    cluster: Arc<EtcdCluster>,
    context: Arc<Context>,
) -> Result<Requeue, PassFailed> {
    pass::run(&cluster, &context).await
}

/// Kubernetes did not take a write: again soon, and later each time it fails in a row.
fn on_error(cluster: Arc<EtcdCluster>, failed: &PassFailed, context: Arc<Context>) -> Requeue {
    let since = cluster.status.as_ref().and_then(|status| {
        status
            .conditions
            .iter()
            .map(|condition| condition.last_transition_time.0)
            .max()
    });
    let delay = patience(
        since,
        context.backend.clock.now(),
        context.options.look_every,
    )
    .max(Duration::from_millis(500));
    let name = cluster.metadata.name.as_deref().unwrap_or_default();
    warn!(cluster = name, error = %crate::observe::chain(failed), ?delay, "pass failed");
    Requeue::requeue(delay)
}

/// How long to wait before looking again while something is under way that Kubernetes does not
/// announce: a twentieth of the time it has taken so far, so that a short wait costs little and a
/// long one is not a hot loop.
fn patience(since: Option<Timestamp>, now: Timestamp, longest: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(100);
    let taken = since
        .and_then(|since| Duration::try_from(now.duration_since(since)).ok())
        .unwrap_or_default();
    (taken / 20).clamp(SHORTEST, longest.max(SHORTEST))
}
