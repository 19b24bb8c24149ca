//! The series of each cluster.
//!
//! Owns: what the last look at each cluster has shown, as numbers.
//! Always holds: a cluster that is not in the cache has no series, whatever was seen of it once.
//! Deliberately does not know: how it was seen.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use tokio::time::Instant;

use crate::{
    api::{EtcdCluster, EtcdClusterStatus},
    observe::Observed,
    plan::{Gate, Plan, quorum},
    validate::Desired,
};

/// Namespace and name.
type Key = (String, String);

#[derive(Default)]
pub(super) struct Clusters(Mutex<Known>);

#[derive(Default)]
struct Known {
    alive: Option<Store<EtcdCluster>>,
    clusters: BTreeMap<Key, Series>,
}

struct Series {
    /// The last pass that came to its end; the first that began, when none has.
    success: Instant,
    /// Class of the failure of the last pass.
    failure: Option<String>,
    look: Option<Look>,
}

struct Look {
    wanted: u32,
    phase: String,
    waiting: Option<&'static str>,
    /// None before the cluster has formed.
    quorum_margin: Option<i64>,
    /// By role and health.
    members: BTreeMap<(String, bool), i64>,
    /// Entries of the log that each learner lacks.
    learner_lag: BTreeMap<String, u64>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clusters")
            .field(&self.lock().clusters.keys())
            .finish()
    }
}

impl Clusters {
    pub(super) fn follow(&self, clusters: Store<EtcdCluster>) {
        self.lock().alive = Some(clusters);
    }

    pub(super) fn forget(&self) {
        *self.lock() = Known::default();
    }

    pub(super) fn known(&self, cluster: &EtcdCluster) {
        self.lock().series(key(cluster));
    }

    pub(super) fn looked(
        &self,
        desired: &Desired,
        observed: &Observed,
        plan: &Plan,
        status: &EtcdClusterStatus,
    ) {
        let identity = &desired.identity;
        let key = (identity.namespace.clone(), identity.name.clone());
        self.lock().series(key).look = Some(Look::of(desired, observed, plan, status));
    }

    pub(super) fn succeeded(&self, cluster: &EtcdCluster) {
        let mut known = self.lock();
        let series = known.series(key(cluster));
        series.success = Instant::now();
        series.failure = None;
    }

    pub(super) fn failed(&self, cluster: &EtcdCluster, class: &str) -> bool {
        let mut known = self.lock();
        let before = known.series(key(cluster)).failure.replace(class.to_owned());
        before.as_deref() != Some(class)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn series(&mut self, key: Key) -> &mut Series {
        self.clusters.entry(key).or_insert_with(|| Series {
            success: Instant::now(),
            failure: None,
            look: None,
        })
    }

    fn forget_gone(&mut self) {
        let alive = self.alive.take();
        if let Some(store) = &alive {
            self.clusters.retain(|(namespace, name), _| {
                let cluster = ObjectRef::new(name).within(namespace);
                store.get(&cluster).is_some()
            });
        }
        self.alive = alive;
    }
}

impl Look {
    fn of(desired: &Desired, observed: &Observed, plan: &Plan, status: &EtcdClusterStatus) -> Self {
        let mut members = BTreeMap::new();
        for member in &status.members {
            let role = format!("{:?}", member.role).to_lowercase();
            *members.entry((role, member.healthy)).or_default() += 1;
        }
        Self {
            wanted: desired.size,
            phase: format!("{:?}", status.phase),
            waiting: plan.waiting.as_ref().map(|waiting| waiting.reason()),
            quorum_margin: quorum_margin(observed, status),
            members,
            learner_lag: learner_lag(desired, observed),
        }
    }
}

/// Healthy voters that could be lost before a majority is: 0 is danger, less is an outage.
fn quorum_margin(observed: &Observed, status: &EtcdClusterStatus) -> Option<i64> {
    let (healthy, voters) = match observed.membership.members() {
        Some(members) => {
            let gate = Gate::new(observed, members);
            (gate.healthy(), gate.voters())
        }
        // Nobody answers for a majority, so nobody is known to be healthy.
        None => (0, status.members.iter().filter(|it| !it.learner).count()),
    };
    let needed = i64::try_from(quorum(voters)).ok()?;
    (voters > 0).then_some(i64::try_from(healthy).ok()? - needed)
}

fn learner_lag(desired: &Desired, observed: &Observed) -> BTreeMap<String, u64> {
    let leader = observed.leader().and_then(|id| observed.report_of(id));
    let committed = leader.map_or(0, |leader| leader.raft_index);
    let reports = observed.reports.iter();
    reports
        .filter_map(|(ordinal, report)| Some((ordinal, report.as_ref().ok()?)))
        .filter(|(_, report)| report.learner)
        .map(|(ordinal, report)| {
            let lag = committed.saturating_sub(report.applied_index);
            (desired.identity.member(*ordinal), lag)
        })
        .collect()
}

fn key(cluster: &EtcdCluster) -> Key {
    (cluster.namespace().unwrap_or_default(), cluster.name_any())
}

type Label = (&'static str, String);

impl Collector for Clusters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut known = self.lock();
        known.forget_gone();
        let mut family = |name: &str, help: &str, values: &dyn Fn(&Series) -> Values| {
            encode_family(&mut encoder, name, help, &known.clusters, values)
        };
        family(
            "cluster_seconds_since_successful_pass",
            "Seconds since a pass over the cluster came to its end",
            &|series| one(series.success.elapsed().as_secs_f64()),
        )?;
        family(
            "cluster_quorum_margin",
            "Healthy voters that can be lost before quorum is; below 0 quorum is lost",
            &looked(|look| {
                look.quorum_margin
                    .into_iter()
                    .flat_map(|it| one(it as f64))
                    .collect()
            }),
        )?;
        family(
            "cluster_members_wanted",
            "Members that the user wants",
            &looked(|look| one(f64::from(look.wanted))),
        )?;
        family(
            "cluster_members",
            "Members by role and health",
            &looked(members),
        )?;
        family(
            "cluster_learner_lag_entries",
            "Log entries that a learner lacks",
            &looked(lags),
        )?;
        family(
            "cluster_phase",
            "1 for the phase that the cluster is in",
            &looked(|look| vec![(vec![("phase", look.phase.clone())], 1.0)]),
        )?;
        family(
            "cluster_waiting",
            "1 for the reason for which the operator does not do more",
            &looked(|look| {
                let waiting = look.waiting.iter();
                waiting
                    .map(|it| (vec![("reason", (*it).to_owned())], 1.0))
                    .collect()
            }),
        )
    }
}

/// The values of one metric for one cluster, each with the labels that tell it from the others.
type Values = Vec<(Vec<Label>, f64)>;

fn one(value: f64) -> Values {
    vec![(Vec::new(), value)]
}

fn looked(values: impl Fn(&Look) -> Values) -> impl Fn(&Series) -> Values {
    move |series| series.look.as_ref().map(&values).unwrap_or_default()
}

fn members(look: &Look) -> Values {
    let members = look.members.iter();
    members
        .map(|((role, healthy), count)| {
            let labels = vec![("role", role.clone()), ("healthy", healthy.to_string())];
            (labels, *count as f64)
        })
        .collect()
}

fn lags(look: &Look) -> Values {
    let lags = look.learner_lag.iter();
    lags.map(|(member, lag)| (vec![("member", member.clone())], *lag as f64))
        .collect()
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    clusters: &BTreeMap<Key, Series>,
    values: &dyn Fn(&Series) -> Values,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for ((namespace, name), series) in clusters {
        for (mut labels, value) in values(series) {
            labels.push(("namespace", namespace.clone()));
            labels.push(("cluster", name.clone()));
            let labels = labels.as_slice();
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
