//! Metrics that answer "which cluster is in danger?".
//!
//! Owns: every series that the operator exports, and whether it is ready to be asked for more.
//! Always holds: series of a cluster go away with the cluster, and with leadership; what was not
//! seen has no series, so a missing value is never read as a good one.
//! Deliberately does not know: HTTP, and what is done about any of it.

mod clusters;
mod requests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::runtime::reflector::Store;
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::{
    api::{EtcdCluster, EtcdClusterStatus},
    observe::Observed,
    plan::Plan,
    validate::Desired,
};

use clusters::Clusters;
pub use requests::CountRequests;

/// Content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the operator is doing as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Standing {
    /// It has not reached the API server yet.
    #[default]
    Starting,
    /// Another operator leads.
    StandingBy,
    /// It acts.
    Leading,
    /// It can do nothing, and why.
    Unable(String),
}

impl Standing {
    /// Whether it does its part, be it that of standing by.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::StandingBy | Self::Leading)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    code: String,
}

/// Every series; a clone counts into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clusters: Arc<Clusters>,
    actions: Family<ActionLabels, Histogram>,
    passes: Histogram,
    errors: Family<ErrorLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    leading: Gauge,
    standing: Mutex<Standing>,
    registry: Registry,
}

/// 5 ms to 40 s: from a call that is answered at once to one that runs into every deadline.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 14))
}

impl Default for Metrics {
    fn default() -> Self {
        let clusters = Arc::<Clusters>::default();
        let actions = Family::new_with_constructor(seconds as fn() -> Histogram);
        let (passes, errors, requests) = (seconds(), Family::default(), Family::default());
        let leading = Gauge::default();
        let mut registry = Registry::with_prefix("etcd_operator");
        registry.register_collector(Box::new(Arc::clone(&clusters)));
        registry.register(
            "action_duration_seconds",
            "Time that one action on a cluster took",
            actions.clone(),
        );
        registry.register(
            "pass_duration_seconds",
            "Time that one pass over a cluster took",
            passes.clone(),
        );
        registry.register("errors", "What failed, by class", errors.clone());
        registry.register(
            "api_requests",
            "Requests to the API server, by method and answer",
            requests.clone(),
        );
        registry.register("leading", "1 while this operator acts", leading.clone());
        Self(Arc::new(Inner {
            clusters,
            actions,
            passes,
            errors,
            requests,
            leading,
            standing: Mutex::default(),
            registry,
        }))
    }
}

impl Metrics {
    /// All series in Prometheus' text format.
    ///
    /// # Errors
    /// When a value cannot be written as text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// What the operator is doing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    pub(crate) fn stands(&self, standing: Standing) {
        let leading = standing == Standing::Leading;
        self.0.leading.set(i64::from(leading));
        if !leading {
            self.0.clusters.forget();
        }
        *self.lock() = standing;
    }

    /// From now on, only clusters in this cache have series.
    pub(crate) fn follow(&self, clusters: Store<EtcdCluster>) {
        self.0.clusters.follow(clusters);
    }

    /// A pass over a cluster has begun.
    pub(crate) fn pass_began(&self, cluster: &EtcdCluster) {
        self.0.clusters.known(cluster);
    }

    /// What one look at a cluster has shown.
    pub(crate) fn looked(
        &self,
        desired: &Desired,
        observed: &Observed,
        plan: &Plan,
        status: &EtcdClusterStatus,
    ) {
        self.0.clusters.looked(desired, observed, plan, status);
    }

    pub(crate) fn pass_succeeded(&self, cluster: &EtcdCluster, took: Duration) {
        self.0.passes.observe(took.as_secs_f64());
        self.0.clusters.succeeded(cluster);
    }

    /// A pass has failed. Whether that is news: it failed for another reason before, or not at all.
    pub(crate) fn pass_failed(&self, cluster: &EtcdCluster, class: &str) -> bool {
        self.failed(class);
        self.0.clusters.failed(cluster, class)
    }

    pub(crate) fn failed(&self, class: &str) {
        let class = class.to_owned();
        self.0.errors.get_or_create(&ErrorLabels { class }).inc();
    }

    pub(crate) fn acted(&self, action: &'static str, took: Duration) {
        let labels = ActionLabels { action };
        let histogram = self.0.actions.get_or_create(&labels);
        histogram.observe(took.as_secs_f64());
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.0
            .standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
