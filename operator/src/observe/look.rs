//! Taking the picture: caches for Kubernetes, one call to every member.
//!
//! Owns: reading. Nothing here writes.
//! Always holds: one slow or dead member costs its own deadline, not the sum of all: members are
//! asked at the same time.
//! Deliberately does not know: what is wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, ContainerState, ContainerStatus, PersistentVolumeClaim, Pod, Service},
    policy::v1::PodDisruptionBudget,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use tokio::time::{Instant, timeout, timeout_at};

use super::{ClaimView, Exit, LiveObjects, Membership, Observed, PodView, StatefulSetView};
use crate::{
    api::EtcdCluster,
    backend::{CONNECT_TIMEOUT, Dial},
    build::pod::{CONTAINER, TEMPLATE_HASH},
    etcd::{MemberClient, MemberReport},
    identity::{CLIENT_PORT, CLUSTER_UID, Identity},
};

/// Caches of everything the operator owns, each fed by one watch.
#[derive(Clone)]
pub struct Stores {
    /// Pods.
    pub pods: Store<Pod>,
    /// Volume claims.
    pub claims: Store<PersistentVolumeClaim>,
    /// StatefulSets.
    pub stateful_sets: Store<StatefulSet>,
    /// ConfigMaps.
    pub config_maps: Store<ConfigMap>,
    /// Services.
    pub services: Store<Service>,
    /// Disruption budgets.
    pub budgets: Store<PodDisruptionBudget>,
}

/// The picture of Kubernetes alone.
pub struct Objects {
    /// For the planner.
    pub observed: Observed,
    /// For comparing with what should be.
    pub live: LiveObjects,
}

/// Open connections to members, kept between looks.
///
/// A connection belongs to one incarnation of a pod: a pod that comes back has another UID and
/// usually another address, and must not be confused with the one before.
#[derive(Clone, Default)]
pub struct Connections {
    /// By the pod's UID: its address when it was dialled, and the connection.
    by_pod: Arc<Mutex<BTreeMap<String, (String, MemberClient)>>>,
}

impl Connections {
    /// The connection to a pod's member, dialled when there is none.
    ///
    /// # Errors
    /// When the pod cannot be reached, in words for people.
    pub async fn to(&self, dial: &dyn Dial, pod: &PodView) -> Result<MemberClient, String> {
        let ip = pod.ip.as_deref().ok_or("the pod has no address yet")?;
        let known = self.lock().get(&pod.uid).cloned();
        if let Some((_, client)) = known.filter(|(dialled, _)| dialled == ip) {
            return Ok(client);
        }
        let dialled = timeout(CONNECT_TIMEOUT, dial.dial(ip, CLIENT_PORT)).await;
        let client = match dialled {
            Ok(Ok(client)) => MemberClient::new(client),
            Ok(Err(error)) => return Err(format!("cannot connect: {}", chain(&error))),
            Err(_) => return Err(format!("no connection within {CONNECT_TIMEOUT:?}")),
        };
        let connection = (ip.to_owned(), client.clone());
        self.lock().insert(pod.uid.clone(), connection);
        Ok(client)
    }

    /// Forgets the connection to a pod after a failure, so that the next look dials anew.
    pub fn forget(&self, pod: &PodView) {
        self.lock().remove(&pod.uid);
    }

    /// Forgets connections to pods that are no longer there. More connections than pods means that
    /// there are such; else nothing is looked at, so this may be called on every pass.
    pub fn forget_gone(&self, pods: &Store<Pod>) {
        let mut connections = self.lock();
        if connections.len() <= pods.len() {
            return;
        }
        let alive: BTreeSet<String> = pods.state().iter().filter_map(|pod| pod.uid()).collect();
        connections.retain(|uid, _| alive.contains(uid));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (String, MemberClient)>> {
        self.by_pod.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caches will never be filled: the watches behind them have ended.
#[derive(Debug, thiserror::Error)]
#[error("the watches have ended")]
pub struct CachesClosed;

impl Stores {
    /// Waits until every cache has been filled once. Before that, absent means unknown.
    ///
    /// # Errors
    /// When the operator is shutting down.
    pub async fn ready(&self) -> Result<(), CachesClosed> {
        let all = futures::try_join!(
            self.pods.wait_until_ready(),
            self.claims.wait_until_ready(),
            self.stateful_sets.wait_until_ready(),
            self.config_maps.wait_until_ready(),
            self.services.wait_until_ready(),
            self.budgets.wait_until_ready(),
        );
        all.map(drop).map_err(|_| CachesClosed)
    }

    /// Everything in the caches that belongs to the cluster. What a deleted cluster of the same name
    /// has left stays in sight as an object, to be put right or waited for, but says nothing about
    /// this cluster: its pods' members and its configuration are another's.
    #[must_use]
    pub fn objects(&self, identity: &Identity, cluster: &EtcdCluster) -> Objects {
        let namespace = identity.namespace.as_str();
        let live = LiveObjects {
            config_map: get(&self.config_maps, &identity.config_map(), namespace),
            stateful_set: get(&self.stateful_sets, &identity.name, namespace),
            services: [identity.peer_service(), identity.client_service()]
                .into_iter()
                .filter_map(|name| Some((name.clone(), get(&self.services, &name, namespace)?)))
                .collect(),
            budget: get(&self.budgets, &identity.name, namespace),
            claims: (0..=crate::api::MAX_SIZE)
                .filter_map(|o| Some((o, get(&self.claims, &identity.claim(o), namespace)?)))
                .collect(),
        };
        let pods = (0..=crate::api::MAX_SIZE)
            .filter_map(|o| Some((o, get(&self.pods, &identity.member(o), namespace)?)))
            .filter(|(_, pod): &(u32, Pod)| {
                pod.labels().get(CLUSTER_UID).map(String::as_str) == Some(identity.uid.as_str())
            })
            .map(|(o, pod)| (o, pod_view(&pod)))
            .collect();
        let observed = Observed {
            pods,
            claims: live
                .claims
                .iter()
                .map(|(o, claim)| (*o, claim_view(claim)))
                .collect(),
            stateful_set: live
                .stateful_set
                .as_ref()
                .map(|set| set_view(set, identity)),
            config: live
                .config_map
                .as_ref()
                .filter(|config| owned(*config, identity))
                .map(|config| config.data.clone().unwrap_or_default()),
            status: cluster.status.clone().unwrap_or_default(),
            ..Observed::default()
        };
        Objects { observed, live }
    }
}

/// Asks every member of the picture for its own word, and one of them for the membership.
pub async fn observe(
    mut observed: Observed,
    dial: &dyn Dial,
    connections: &Connections,
) -> Observed {
    observed.reports = reports(&observed, dial, connections).await;
    observed.membership = membership(&observed, dial, connections).await;
    observed
}

/// Time for a member to answer, a connection made anew included: how long a look takes decides how
/// soon an outage is known.
const REPORT_WITHIN: Duration = Duration::from_secs(2);

/// A member that gave no healthy answer at the last look is waited for ten times as long as the
/// slowest of those that did, and at least this long: else a learner whose port opens late would
/// make every look, and so every step, as slow as its deadline.
const STRAGGLER_WITHIN: Duration = Duration::from_millis(250);

async fn reports(
    observed: &Observed,
    dial: &dyn Dial,
    connections: &Connections,
) -> BTreeMap<u32, Result<MemberReport, String>> {
    let began = Instant::now();
    let with_address = observed.pods.iter().filter(|(_, pod)| pod.ip.is_some());
    let mut silent: BTreeMap<u32, &PodView> = with_address.map(|(o, pod)| (*o, pod)).collect();
    let mut asked: FuturesUnordered<_> = silent
        .iter()
        .map(|(ordinal, pod)| {
            let (ordinal, pod) = (*ordinal, *pod);
            async move { (ordinal, report(dial, connections, pod).await) }
        })
        .collect();
    let mut reports = BTreeMap::new();
    let mut deadline = began + REPORT_WITHIN;
    while let Ok(Some((ordinal, answer))) = timeout_at(deadline, asked.next()).await {
        silent.remove(&ordinal);
        reports.insert(ordinal, answer);
        let all_awaited = !silent
            .keys()
            .any(|ordinal| answered_before(observed, *ordinal));
        if all_awaited && reports.values().any(Result::is_ok) {
            let patience = (began.elapsed() * 10).max(STRAGGLER_WITHIN);
            deadline = deadline.min(began + patience);
        }
    }
    for (ordinal, pod) in silent {
        connections.forget(pod);
        reports.insert(ordinal, Err("no answer in time".to_owned()));
    }
    reports
}

/// Whether the member of a running pod was healthy when it was last looked at.
fn answered_before(observed: &Observed, ordinal: u32) -> bool {
    let Some(pod) = observed.pods.get(&ordinal) else {
        return false;
    };
    let suffix = format!("-{ordinal}");
    let mut members = observed.status.members.iter();
    pod.running
        && !pod.terminating
        && members.any(|member| member.healthy && member.name.ends_with(&suffix))
}

async fn report(
    dial: &dyn Dial,
    connections: &Connections,
    pod: &PodView,
) -> Result<MemberReport, String> {
    let asked = async {
        let client = connections.to(dial, pod).await?;
        client.report().await.map_err(|failed| chain(&failed))
    };
    let answer = timeout(REPORT_WITHIN, asked).await;
    let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    if answer.is_err() {
        connections.forget(pod);
    }
    answer
}

/// Asks voters that see a leader, the leader first, until one answers for a majority.
async fn membership(observed: &Observed, dial: &dyn Dial, connections: &Connections) -> Membership {
    let mut why = "no member answers that sees a leader".to_owned();
    let voters = observed.answering_voters().into_iter();
    for (pod, report) in voters.filter(|(_, report)| report.leader.is_some()) {
        let answer = match connections.to(dial, pod).await {
            Ok(client) => client.membership().await.map_err(|failed| chain(&failed)),
            Err(error) => Err(error),
        };
        match answer {
            Ok(members) => {
                return Membership::Known {
                    cluster_id: report.cluster_id,
                    members,
                };
            }
            Err(error) => why = error,
        }
    }
    Membership::Unknown { why }
}

fn get<K>(store: &Store<K>, name: &str, namespace: &str) -> Option<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store
        .get(&ObjectRef::new(name).within(namespace))
        .map(|found| found.as_ref().clone())
}

fn pod_view(pod: &Pod) -> PodView {
    let status = pod.status.as_ref();
    let container = status
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|statuses| {
            statuses
                .iter()
                .find(|container| container.name == CONTAINER)
        });
    let state = container.and_then(|container| container.state.as_ref());
    let waiting = state
        .and_then(|state| state.waiting.as_ref())
        .and_then(|waiting| {
            let reason = waiting.reason.clone()?;
            Some(match &waiting.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason,
            })
        });
    let unscheduled = status
        .and_then(|status| status.conditions.as_ref())
        .and_then(|conditions| conditions.iter().find(|c| c.type_ == "PodScheduled"))
        .filter(|condition| condition.status == "False")
        .map(|condition| {
            let message = condition.message.clone().unwrap_or_default();
            format!(
                "{}: {message}",
                condition.reason.clone().unwrap_or_default()
            )
        });
    PodView {
        uid: pod.uid().unwrap_or_default(),
        ip: status
            .and_then(|status| status.pod_ip.clone())
            .filter(|ip| !ip.is_empty()),
        created: pod
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|created| created.0),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        running: state.is_some_and(|state| state.running.is_some()),
        trouble: unscheduled.or(waiting),
        ready: container.is_some_and(|container| container.ready),
        started: state
            .and_then(|state| state.running.as_ref())
            .and_then(|running| running.started_at.as_ref())
            .map(|time| time.0),
        joined: container.is_some_and(|container| container.started == Some(true)),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        restarts: container.map_or(0, |container| {
            u32::try_from(container.restart_count).unwrap_or(0)
        }),
        last_exit: container.and_then(last_exit),
        template: pod.annotations().get(TEMPLATE_HASH).cloned(),
    }
}

/// A container that has ended and was not started again yet says so in its state, later in its
/// last state.
fn last_exit(container: &ContainerStatus) -> Option<Exit> {
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    let exit = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))?;
    Some(Exit {
        code: exit.exit_code,
        reason: exit.reason.unwrap_or_default(),
        message: exit.message.unwrap_or_default(),
        finished: exit.finished_at.map(|time| time.0),
    })
}

fn claim_view(claim: &PersistentVolumeClaim) -> ClaimView {
    ClaimView {
        uid: claim.uid().unwrap_or_default(),
        terminating: claim.metadata.deletion_timestamp.is_some(),
        bound: claim
            .status
            .as_ref()
            .is_some_and(|status| status.phase.as_deref() == Some("Bound")),
        requested: requested(claim).cloned(),
    }
}

/// The size that a claim, or a template of one, asks for.
pub(crate) fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage")
}

fn owned(object: &impl Resource, identity: &Identity) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.uid == identity.uid)
}

fn set_view(set: &StatefulSet, identity: &Identity) -> StatefulSetView {
    let spec = set.spec.as_ref();
    let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let template = spec.and_then(|spec| spec.template.metadata.as_ref());
    let seen = set
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let claims = spec.and_then(|spec| spec.volume_claim_templates.as_ref());
    StatefulSetView {
        uid: set.uid().unwrap_or_default(),
        replicas: u32::try_from(replicas).unwrap_or(0),
        terminating: set.metadata.deletion_timestamp.is_some(),
        template: template
            .and_then(|metadata| metadata.annotations.as_ref()?.get(TEMPLATE_HASH).cloned()),
        up_to_date: seen >= set.metadata.generation,
        volume_size: claims.and_then(|claims| requested(claims.first()?).cloned()),
        owned: owned(set, identity),
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
