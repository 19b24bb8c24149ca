//! The driver: observe, validate, plan, execute, report.
//!
//! Owns: the watches, the pass over one cluster, when to look again, and acting only while it leads.
//! Always holds: a change in Kubernetes wakes the pass at once; a pass that changed something is
//! followed by another at once; nothing waits for a fixed step of time. An operator that loses its
//! lease drops its passes and its caches in the same instant, and begins anew when it leads again.
//! Deliberately does not know: what to do; that is the planner's.

mod announce;
mod pass;
mod patience;
mod watches;

use std::{future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::Shared};
use kube::{
    Api, ResourceExt,
    runtime::{
        Controller,
        controller::Action as Requeue,
        events::{Recorder, Reporter},
    },
};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{
    api::EtcdCluster,
    backend::Backend,
    build::FIELD_MANAGER,
    lease::{Leadership, Lease, Tenure},
    metrics::{Metrics, Standing},
    observe::{Connections, Stores},
};

pub use pass::PassFailed;
use patience::Patience;
pub(crate) use watches::OURS;

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace to work in; all of them when None.
    pub namespace: Option<String>,
    /// DNS domain of the Kubernetes cluster.
    pub domain: String,
    /// Clusters worked on at the same time; 0 means no limit. A slow cluster does not hold up others.
    pub concurrency: u16,
    /// Longest time between two looks at a healthy cluster. A quorum that is lost without a sign,
    /// as when processes freeze, is seen at the next look; with its deadlines that is within 15 s.
    pub look_every: Duration,
    /// The Lease to hold while acting; None when no other operator works on the same clusters.
    pub leadership: Option<Leadership>,
    /// Where numbers are kept.
    pub metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            domain: "cluster.local".to_owned(),
            concurrency: 0,
            look_every: Duration::from_secs(8),
            leadership: None,
            metrics: Metrics::default(),
        }
    }
}

/// Why the operator cannot begin yet.
#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error(
        "failed to list EtcdClusters, there is no such resource: install the CRD with `operator crd | kubectl apply --server-side -f -`"
    )]
    NoCrd,
    #[error("failed to list EtcdClusters")]
    NoAccess(#[source] kube::Error),
}

impl From<kube::Error> for NotYet {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(answer) if answer.code == 404 => Self::NoCrd,
            other => Self::NoAccess(other),
        }
    }
}

struct Context {
    backend: Backend,
    options: Options,
    /// One for all passes: it remembers what it has told, and counts what it tells again.
    events: Recorder,
    stores: Stores,
    connections: Connections,
    tenure: Tenure,
    patience: Patience,
}

/// Time that passes have to come to their end when the operator is stopped. A pass that is cut
/// short does no harm, so this is short: the next operator is waiting.
const LAST_PASSES: Duration = Duration::from_secs(2);

/// Between two attempts to begin, at first and at most.
const BEGIN_AGAIN: Duration = Duration::from_millis(250);
const BEGIN_AGAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Runs until `shutdown` completes. Where the API server is away, or the CRD is not installed yet,
/// it waits for them; readiness and the log say so.
pub async fn run(
    backend: Backend,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let shutdown = shutdown.shared();
    tokio::select! {
        () = ready_to_begin(&backend, &options) => {}
        () = shutdown.clone() => return,
    }
    match options.leadership.clone() {
        Some(wanted) => {
            let lease = Lease::new(&backend, wanted, options.metrics.clone());
            lead(&backend, &options, &lease, shutdown).await;
        }
        None => {
            options.metrics.stands(Standing::Leading);
            work(&backend, &options, Tenure::unlimited(), shutdown).await;
        }
    }
}

async fn ready_to_begin(backend: &Backend, options: &Options) {
    let clusters: Api<EtcdCluster> = watches::api(&backend.kube, options);
    let probe = kube::api::ListParams::default().limit(1);
    let (mut told, mut pause) = (String::new(), BEGIN_AGAIN);
    while let Err(error) = clusters.list(&probe).await {
        let why = crate::observe::chain(&NotYet::from(error));
        options.metrics.stands(Standing::Unable(why.clone()));
        if why != told {
            warn!("{why}; waiting for it");
            told = why;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BEGIN_AGAIN_AT_MOST);
    }
    options.metrics.stands(Standing::Starting);
}

/// Works while the lease is held. What a lost lease interrupts is dropped wherever it stands.
async fn lead<F>(backend: &Backend, options: &Options, lease: &Lease, shutdown: Shared<F>)
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    loop {
        let mut held = tokio::select! {
            held = lease.acquire() => held,
            () = shutdown.clone() => return,
        };
        info!("leading");
        let tenure = held.tenure();
        tokio::select! {
            () = work(backend, options, tenure, shutdown.clone()) => {
                return lease.release(held).await;
            }
            lost = lease.keep(&mut held) => {
                options.metrics.stands(Standing::Unable(lost.to_string()));
                warn!(%lost, "not leading any more");
            }
        }
    }
}

async fn work<F>(backend: &Backend, options: &Options, tenure: Tenure, shutdown: Shared<F>)
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let watches = watches::start(&backend.kube, options);
    options.metrics.follow(watches.cluster_store.clone());
    let context = Arc::new(Context {
        events: events(backend, options),
        patience: Patience::new(watches.cluster_store.clone()),
        backend: backend.clone(),
        options: options.clone(),
        stores: watches.stores,
        connections: Connections::default(),
        tenure,
    });
    let config = kube::runtime::controller::Config::default().concurrency(options.concurrency);
    let mut controller = Controller::for_stream(watches.clusters, watches.cluster_store)
        .with_config(config)
        .graceful_shutdown_on(shutdown.clone());
    for stream in watches.owned {
        controller = controller.watches_stream(stream, |object| watches::cluster_of(&object));
    }
    info!("watching EtcdClusters");
    let passes = controller
        .run(reconcile, on_error, context)
        .for_each(|_| async {});
    let out_of_patience = shutdown.then(|()| tokio::time::sleep(LAST_PASSES));
    tokio::select! {
        () = passes => {}
        () = out_of_patience => info!("dropping passes that do not end"),
    }
}

fn events(backend: &Backend, options: &Options) -> Recorder {
    let identity = options.leadership.as_ref().map(|it| it.identity.clone());
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: identity,
    };
    Recorder::new(backend.kube.clone(), reporter)
}

async fn reconcile(
    cluster: Arc<EtcdCluster>,
    context: Arc<Context>,
) -> Result<Requeue, PassFailed> {
    let (metrics, began) = (&context.options.metrics, Instant::now());
    metrics.pass_began(&cluster);
    let requeue = pass::run(&cluster, &context).await?;
    metrics.pass_succeeded(&cluster, began.elapsed());
    Ok(requeue)
}

/// Kubernetes did not take a write: again soon, and later each time it fails in a row.
fn on_error(cluster: Arc<EtcdCluster>, failed: &PassFailed, context: Arc<Context>) -> Requeue {
    let class = failed.class();
    let longest = context.options.look_every;
    let delay = context.patience.pause(&cluster, class.clone(), longest);
    let delay = delay.max(Duration::from_millis(500));
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let error = crate::observe::chain(failed);
    if context.options.metrics.pass_failed(&cluster, &class) {
        warn!(
            namespace,
            cluster = name,
            class,
            error,
            "pass failed; it is tried again"
        );
    } else {
        debug!(
            namespace,
            cluster = name,
            class,
            error,
            ?delay,
            "pass failed again"
        );
    }
    Requeue::requeue(delay)
}
