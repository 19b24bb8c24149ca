//! `operator explain`: what the planner sees of one cluster, what it would do next, and why not more.
//!
//! Owns: one look from outside the controller, and its words.
//! Always holds: it is the controller's own observing and planning; nothing is written. What could
//! not be seen is called unknown.
//! Deliberately does not know: the rules of the plan.

mod text;

use std::{collections::BTreeMap, fmt::Debug};

use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource,
    api::ListParams,
    runtime::{
        reflector::{self, Store},
        watcher,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::{EtcdCluster, EtcdClusterStatus},
    backend::Backend,
    controller::OURS,
    observe::{Connections, Membership, Observed, Stores, observe},
    plan::{Gate, Plan, plan, quorum},
    validate::{Desired, Invalid, validate},
};

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainFailed {
    /// There is none.
    #[error("there is no EtcdCluster {name} in namespace {namespace}; -n names another one")]
    NoSuchCluster {
        /// Where it was looked for.
        namespace: String,
        /// What was looked for.
        name: String,
    },
    /// Kubernetes did not answer.
    #[error("failed to read {what}")]
    Kubernetes {
        /// What was to be read.
        what: String,
        /// Why it was not.
        source: kube::Error,
    },
    /// The planner never sees this cluster.
    #[error("the operator leaves the cluster alone: {0}")]
    Invalid(#[from] Invalid),
}

/// What the planner sees and decides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `namespace/name`.
    pub cluster: String,
    /// Members that the user wants.
    pub size: u32,
    /// The version that the user wants.
    pub version: String,
    /// The phase in the status.
    pub phase: String,
    /// etcd's cluster ID, from the linearizable read that told the membership.
    #[serde(rename = "clusterID")]
    pub cluster_id: Option<String>,
    /// Why the membership is unknown, if it is.
    pub membership_unknown: Option<String>,
    /// Each member, or each pod when the membership is unknown.
    pub members: Vec<MemberSeen>,
    /// The arithmetic that every step is held against; None while the membership is unknown.
    pub gate: Option<GateSeen>,
    /// What the operator would write or do now.
    pub next: Vec<String>,
    /// Why it does not do more.
    pub waiting: Option<Reason>,
    /// What the reader should know of this look.
    pub notes: Vec<String>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberSeen {
    /// Its name, which is that of its pod.
    pub name: String,
    /// Its ID in hexadecimal.
    pub id: Option<String>,
    /// voter, learner or unknown.
    pub role: &'static str,
    /// In the words of the member, or why there are none.
    pub says: String,
    /// Whether it counts as healthy; unknown for those that are not voters.
    pub healthy: Option<bool>,
    /// Its pod.
    pub pod: String,
    /// Its volume claim.
    pub volume: String,
}

/// The gate's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateSeen {
    /// Members with a vote.
    pub voters: usize,
    /// Those seen healthy.
    pub healthy: usize,
    /// Those needed.
    pub quorum: usize,
}

/// A reason with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// A stable word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// Looks at one cluster and plans for it, as the controller would now.
///
/// # Errors
/// See [`ExplainFailed`].
pub async fn explain(
    backend: &Backend,
    domain: &str,
    namespace: &str,
    name: &str,
) -> Result<Explanation, ExplainFailed> {
    let clusters: Api<EtcdCluster> = Api::namespaced(backend.kube.clone(), namespace);
    let cluster = clusters.get_opt(name).await;
    let cluster = cluster.map_err(|source| ExplainFailed::Kubernetes {
        what: format!("EtcdCluster {namespace}/{name}"),
        source,
    })?;
    let cluster = cluster.ok_or_else(|| ExplainFailed::NoSuchCluster {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })?;
    let desired = validate(&cluster, domain)?;
    let stores = stores(&backend.kube, namespace).await?;
    let objects = stores.objects(&desired.identity, &cluster);
    let connections = Connections::default();
    let dial = backend.etcd.as_ref();
    let observed = observe(&desired.identity, objects.observed, dial, &connections).await;
    let plan = plan(&desired, &observed, backend.clock.now());
    Ok(Explanation::of(&desired, &observed, &plan))
}

async fn stores(client: &Client, namespace: &str) -> Result<Stores, ExplainFailed> {
    Ok(Stores {
        pods: store(client, namespace).await?,
        claims: store(client, namespace).await?,
        stateful_sets: store(client, namespace).await?,
        config_maps: store(client, namespace).await?,
        services: store(client, namespace).await?,
        budgets: store(client, namespace).await?,
    })
}

async fn store<K>(client: &Client, namespace: &str) -> Result<Store<K>, ExplainFailed>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + DeserializeOwned
        + Clone
        + Debug
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(OURS)).await;
    let list = list.map_err(|source| ExplainFailed::Kubernetes {
        what: format!("{} in {namespace}", K::plural(&())),
        source,
    })?;
    let (store, mut writer) = reflector::store();
    writer.apply_watcher_event(&watcher::Event::Init);
    for object in list.items {
        writer.apply_watcher_event(&watcher::Event::InitApply(object));
    }
    writer.apply_watcher_event(&watcher::Event::InitDone);
    Ok(store)
}

impl Explanation {
    /// Puts a look and its plan into words.
    #[must_use]
    pub fn of(desired: &Desired, observed: &Observed, plan: &Plan) -> Self {
        let identity = &desired.identity;
        let gate = observed.membership.members().map(|members| {
            let gate = Gate::new(observed, members);
            GateSeen {
                voters: gate.voters(),
                healthy: gate.healthy(),
                quorum: quorum(gate.voters()),
            }
        });
        Self {
            cluster: format!("{}/{}", identity.namespace, identity.name),
            size: desired.size,
            version: desired.version.to_string(),
            phase: format!("{:?}", observed.status.phase),
            cluster_id: match &observed.membership {
                Membership::Known { cluster_id, .. } => Some(format!("{cluster_id:x}")),
                Membership::Unknown { .. } | Membership::NotAsked => None,
            },
            membership_unknown: match &observed.membership {
                Membership::Known { .. } => None,
                Membership::Unknown { why } => Some(why.clone()),
                Membership::NotAsked => Some("no member runs".to_owned()),
            },
            members: members(desired, observed),
            gate,
            next: next(desired, observed, plan),
            waiting: plan.waiting.as_ref().map(|waiting| Reason {
                reason: waiting.reason(),
                message: waiting.to_string(),
            }),
            notes: notes(desired, observed),
        }
    }
}

/// Everybody who is a member, has a pod, or left a volume.
fn members(desired: &Desired, observed: &Observed) -> Vec<MemberSeen> {
    let identity = &desired.identity;
    let mut known: BTreeMap<u32, (u64, bool)> = BTreeMap::new();
    let list = observed.membership.members().unwrap_or_default();
    for member in list {
        if let Some(ordinal) = identity.ordinal_of_member(&member.peer_urls) {
            known.insert(ordinal, (member.id, member.learner));
        }
    }
    let mut ordinals: Vec<u32> = known.keys().copied().collect();
    ordinals.extend(observed.pods.keys().chain(observed.claims.keys()));
    ordinals.sort_unstable();
    ordinals.dedup();
    let gate = Gate::new(observed, list);
    ordinals
        .into_iter()
        .map(|ordinal| {
            let member = known.get(&ordinal).copied();
            MemberSeen {
                name: identity.member(ordinal),
                id: member.map(|(id, _)| format!("{id:x}")),
                role: match member {
                    Some((_, true)) => "learner",
                    Some((_, false)) => "voter",
                    None if list.is_empty() => "unknown",
                    None => "no member",
                },
                says: says(observed, ordinal),
                healthy: member
                    .filter(|(_, learner)| !learner)
                    .map(|(id, _)| gate.is_healthy(id)),
                pod: pod(observed, ordinal),
                volume: volume(observed, ordinal),
            }
        })
        .collect()
}

fn says(observed: &Observed, ordinal: u32) -> String {
    match observed.reports.get(&ordinal) {
        None => "not asked: its pod has no address".to_owned(),
        Some(Err(why)) => format!("unknown: {why}"),
        Some(Ok(report)) => {
            let leader = match report.leader {
                Some(id) if id == report.member_id => "leads".to_owned(),
                Some(id) => format!("follows {id:x}"),
                None => "sees no leader".to_owned(),
            };
            let mut says = format!(
                "{leader}, term {}, applied {} of {}, etcd {}",
                report.term, report.applied_index, report.raft_index, report.version
            );
            for error in &report.errors {
                says = format!("{says}, {error}");
            }
            says
        }
    }
}

fn pod(observed: &Observed, ordinal: u32) -> String {
    let Some(pod) = observed.pods.get(&ordinal) else {
        return "none".to_owned();
    };
    let state = match (pod.terminating, pod.running, &pod.trouble) {
        (true, ..) => "being deleted".to_owned(),
        (_, _, Some(trouble)) => trouble.clone(),
        (_, true, None) => "runs".to_owned(),
        (_, false, None) => "starts".to_owned(),
    };
    let address = pod.ip.as_deref().unwrap_or("no address");
    format!("{state} ({address})")
}

fn volume(observed: &Observed, ordinal: u32) -> String {
    match observed.claims.get(&ordinal) {
        None => "none".to_owned(),
        Some(claim) if claim.terminating => "being deleted".to_owned(),
        Some(claim) => format!("claim {}", claim.uid),
    }
}

fn next(desired: &Desired, observed: &Observed, plan: &Plan) -> Vec<String> {
    let mut next = Vec::new();
    if let Some(files) = &plan.config
        && observed.config.as_ref() != Some(files)
    {
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        next.push(format!(
            "write the configuration files {}",
            names.join(", ")
        ));
    }
    if let Some(replicas) = plan.replicas {
        let live = observed.stateful_set.as_ref().map(|set| set.replicas);
        if live != Some(replicas) {
            let from = live.map_or("none".to_owned(), |live| live.to_string());
            let name = &desired.identity.name;
            next.push(format!(
                "set StatefulSet {name} from {from} to {replicas} pods"
            ));
        }
    }
    next.extend(plan.action.as_ref().map(ToString::to_string));
    next
}

fn notes(desired: &Desired, observed: &Observed) -> Vec<String> {
    let mut notes = Vec::new();
    let asked = !observed.reports.is_empty();
    if asked && observed.reports.values().all(Result::is_err) {
        notes.push(format!(
            "no member could be reached from here. Where pods' addresses cannot be reached, as from \
             outside most clusters, this says nothing about the members: run it in the operator's \
             own pod, `kubectl -n etcd-operator-system exec deploy/etcd-operator -- /operator explain \
             {} -n {}`",
            desired.identity.name, desired.identity.namespace
        ));
        notes.extend(last_reported(&observed.status));
    }
    notes
}

/// What the controller saw, for one who sees nothing.
fn last_reported(status: &EtcdClusterStatus) -> Vec<String> {
    let mut told = vec![format!(
        "the operator's last word: {:?}, {} healthy voters of {} members",
        status.phase, status.ready_replicas, status.replicas
    )];
    let conditions = status.conditions.iter();
    told.extend(conditions.map(|it| {
        format!(
            "{}={} since {}, {}: {}",
            it.type_, it.status, it.last_transition_time.0, it.reason, it.message
        )
    }));
    told
}
