//! The simulated kubelets.
//!
//! Owns: every pod that is bound to a node, its containers, its probes and its status.
//! Always holds: a pod's containers run on the node that it is bound to and nowhere else; a kubelet
//! that is down does nothing, and a node without power loses what ran on it.
//! Deliberately does not know: what runs in a container; that is behind
//! [`ContainerRuntime`](super::runtime::ContainerRuntime).
//!
//! Reading order: `backoff`, `probe`, `status` and `environment` are pure; `container` and `pod`
//! put them together; this file runs all pods of all nodes.

pub mod backoff;
mod container;
pub mod content;
pub mod environment;
mod hands;
mod pod;
pub mod probe;
mod running;
pub mod status;
mod termination;
pub mod volumes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::{
    container::ContainerWorker,
    hands::{Hands, Node},
    pod::{PodWorker, Stage},
    status::Cause,
};
use super::{
    api::{ApiServer, Changed, resource::PODS},
    controllers::{
        cluster::{Cluster, Note},
        events::{Recorder, Style},
        object::Meta,
        pods,
        timings::{Draw, Timings},
    },
    runtime::{ContainerId, ContainerRuntime, Observation, Signal},
};

/// What a node can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// All is well.
    On,
    /// The kubelet does not run; containers do.
    KubeletDown,
    /// The machine is off.
    Off,
}

/// One node's kubelet.
struct Kubelet {
    node: Node,
    power: Power,
    /// Since when it has not said that it lives.
    silent_since: Option<Timestamp>,
    recorder: Recorder,
    pods: BTreeMap<String, PodWorker>,
    /// What happened to its containers while it was down.
    missed: Vec<Observation>,
}

/// Where a container is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Location {
    node: String,
    pod_uid: String,
}

/// All kubelets of a cluster.
pub struct Kubelets {
    timings: Timings,
    draw: Draw,
    nodes: BTreeMap<String, Kubelet>,
    agenda: BTreeSet<(Timestamp, Location)>,
    waiting: BTreeMap<Location, Timestamp>,
    running: BTreeMap<ContainerId, Location>,
    token: u64,
}

/// The containers of one name in one pod, for `kubectl logs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// The run that goes on, or the last one.
    pub latest: Option<ContainerId>,
    /// The run before.
    pub previous: Option<ContainerId>,
}

impl Kubelets {
    /// No kubelets yet.
    #[must_use]
    pub fn new(timings: Timings, seed: u64) -> Self {
        Self {
            timings,
            draw: Draw::new(seed),
            nodes: BTreeMap::new(),
            agenda: BTreeSet::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            token: 1,
        }
    }

    /// Adds a node with a kubelet.
    pub fn add(&mut self, name: &str, ip: &str) {
        let most = self.timings.relist.as_nanos();
        let relist = super::controllers::timings::Delay {
            least: SignedDuration::ZERO,
            most: SignedDuration::from_nanos(i64::try_from(most).unwrap_or(0)),
        };
        let node = Node {
            name: name.to_owned(),
            ip: ip.to_owned(),
            phase: self.draw.delay(relist),
        };
        let kubelet = Kubelet {
            node,
            power: Power::On,
            silent_since: None,
            recorder: Recorder::new("kubelet", name, Style::Counted),
            pods: BTreeMap::new(),
            missed: Vec::new(),
        };
        self.nodes.insert(name.to_owned(), kubelet);
    }

    /// Since when each node has been silent; nodes that speak are not there.
    #[must_use]
    pub fn silent(&self) -> BTreeMap<String, Timestamp> {
        let silent =
            |(name, kubelet): (&String, &Kubelet)| Some((name.clone(), kubelet.silent_since?));
        self.nodes.iter().filter_map(silent).collect()
    }

    /// Takes note of a changed object.
    pub fn observe_change(&mut self, change: &Changed, now: Timestamp) {
        if !change.is_of(&PODS) {
            return;
        }
        let Some(node) = pods::node(&change.object) else {
            return;
        };
        if !self.nodes.contains_key(node) {
            return;
        }
        let location = Location {
            node: node.to_owned(),
            pod_uid: change.object.uid().to_owned(),
        };
        let at = now + self.draw.delay(self.timings.kubelet);
        let kubelet = self.nodes.get_mut(node).expect("looked up above");
        match kubelet.pods.get_mut(&location.pod_uid) {
            Some(worker) if is_own_write(worker, change) => return,
            Some(worker) => {
                if change.deleted {
                    // The final state carries the grace that is left.
                    worker.pod = Arc::clone(&change.object);
                }
                worker.changed(at);
            }
            None if change.deleted => return,
            None => {}
        }
        self.plan(location, Some(at));
    }

    /// When something is due on any node.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// Does everything that is due. Gives whether there was anything.
    pub fn step(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        notes: &mut Vec<Note>,
        now: Timestamp,
    ) -> bool {
        let mut busy = false;
        for observation in runtime.observe() {
            busy = true;
            self.observe(api, runtime, notes, now, observation);
        }
        while let Some((at, location)) = self.agenda.first().cloned() {
            if at > now {
                break;
            }
            busy = true;
            self.plan(location.clone(), None);
            self.with(api, runtime, notes, now, &location, |worker, hands| {
                worker.step(hands);
            });
        }
        busy
    }

    /// The runs of a container of the pod that has, or had last, this name.
    #[must_use]
    pub fn runs(&self, namespace: &str, pod: &str, container: &str) -> Runs {
        let named =
            |worker: &&PodWorker| worker.pod.namespace() == namespace && worker.pod.name() == pod;
        let workers = self
            .nodes
            .values()
            .flat_map(|kubelet| kubelet.pods.values());
        let found = workers
            .filter(named)
            .max_by_key(|worker| !worker.removed)
            .and_then(|worker| worker.containers.iter().find(|run| run.name == container));
        found.map_or(Runs::default(), |worker| Runs {
            latest: worker.latest(),
            previous: worker.previous(),
        })
    }

    /// Switches a node, or its kubelet alone, off or on.
    pub fn set_power(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        notes: &mut Vec<Note>,
        now: Timestamp,
        node: &str,
        power: Power,
    ) {
        let Some(kubelet) = self.nodes.get_mut(node) else {
            return;
        };
        let before = std::mem::replace(&mut kubelet.power, power);
        if power != Power::On {
            let since = last_beat(now, kubelet.node.phase, self.timings.heartbeat);
            kubelet.silent_since.get_or_insert(since);
        } else {
            kubelet.silent_since = None;
        }
        let uids: Vec<String> = kubelet.pods.keys().cloned().collect();
        if power == Power::Off && before != Power::Off {
            for id in uids
                .iter()
                .flat_map(|uid| kubelet.pods[uid].containers.iter())
            {
                if let Some(id) = id.running() {
                    runtime.signal(id, Signal::Kill);
                }
            }
        }
        for pod_uid in uids {
            let location = Location {
                node: node.to_owned(),
                pod_uid,
            };
            self.plan(location.clone(), None);
            if power == Power::On {
                self.with(api, runtime, notes, now, &location, |worker, hands| {
                    worker.abandon_probes();
                    if before == Power::Off {
                        worker.lose_everything(hands);
                    }
                    worker.relist_at = Some(now);
                });
            }
        }
        if power == Power::On {
            let kubelet = self.nodes.get_mut(node).expect("looked up above");
            let missed = std::mem::take(&mut kubelet.missed);
            for observation in missed {
                self.observe(api, runtime, notes, now, observation);
            }
            self.take_on_missed(api, node, now);
        }
    }

    /// Plans a look at every pod of a node, also at those that came while it was silent.
    fn take_on_missed(&mut self, api: &ApiServer, node: &str, now: Timestamp) {
        for pod in api.list(&PODS, None) {
            if pods::node(&pod) == Some(node) {
                let location = Location {
                    node: node.to_owned(),
                    pod_uid: pod.uid().to_owned(),
                };
                self.plan(location, Some(now));
            }
        }
    }

    fn observe(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        notes: &mut Vec<Note>,
        now: Timestamp,
        observation: Observation,
    ) {
        let (Observation::Exited { container, .. } | Observation::Probed { container, .. }) =
            observation;
        let Some(location) = self.running.get(&container).cloned() else {
            return;
        };
        if let Some(kubelet) = self.nodes.get_mut(&location.node)
            && kubelet.power == Power::KubeletDown
        {
            kubelet.missed.push(observation);
            return;
        }
        self.with(
            api,
            runtime,
            notes,
            now,
            &location,
            |worker, hands| match &observation {
                Observation::Exited {
                    container,
                    code,
                    out_of_memory,
                    at,
                } => {
                    let cause = if *out_of_memory {
                        Cause::OutOfMemory
                    } else {
                        Cause::Exited
                    };
                    worker.exited(*container, *code, cause, *at, hands);
                }
                Observation::Probed {
                    container,
                    token,
                    result,
                } => {
                    worker.probed(*container, *token, result, hands);
                }
            },
        );
    }

    /// Runs something on the worker of a pod, which is made if there is none, and plans its next.
    fn with(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        notes: &mut Vec<Note>,
        now: Timestamp,
        location: &Location,
        work: impl FnOnce(&mut PodWorker, &mut Hands),
    ) {
        let Some(kubelet) = self.nodes.get_mut(&location.node) else {
            return;
        };
        if kubelet.power != Power::On {
            return;
        }
        let who = format!("kubelet/{}", location.node);
        let mut cluster = Cluster::new(api, &mut kubelet.recorder, notes, now, "kubelet", who);
        let mut hands = Hands {
            cluster: &mut cluster,
            runtime,
            timings: &self.timings,
            draw: &mut self.draw,
            node: &kubelet.node,
            token: &mut self.token,
        };
        let uid = &location.pod_uid;
        if !kubelet.pods.contains_key(uid) {
            let Some(pod) = find(hands.cluster.api(), uid, &location.node) else {
                return;
            };
            kubelet
                .pods
                .insert(uid.clone(), PodWorker::new(pod, &mut hands));
        }
        let worker = kubelet
            .pods
            .get_mut(uid)
            .expect("inserted above if it was missing");
        work(worker, &mut hands);
        let next = worker.next();
        for container in worker
            .containers
            .iter()
            .filter_map(ContainerWorker::running)
        {
            self.running.insert(container, location.clone());
        }
        if worker.stage == Stage::Gone || (worker.stage == Stage::Finished && worker.removed) {
            kubelet.pods.remove(uid);
            self.running.retain(|_, place| place != location);
        }
        self.plan(location.clone(), next);
    }

    fn plan(&mut self, location: Location, at: Option<Timestamp>) {
        if let Some(known) = self.waiting.remove(&location) {
            self.agenda.remove(&(known, location.clone()));
            if let Some(at) = at
                && known < at
            {
                return self.plan(location, Some(known));
            }
        }
        if let Some(at) = at {
            self.agenda.insert((at, location.clone()));
            self.waiting.insert(location, at);
        }
    }
}

/// Asks a container to stop.
fn signal(hands: &mut Hands, pod: &Value, container: &mut ContainerWorker, id: ContainerId) {
    let key = (pod.namespace(), pod.name());
    hands
        .cluster
        .note(format_args!("stop {}/{} {}", key.0, key.1, container.name));
    container.stopping = true;
    hands.runtime.signal(id, Signal::Terminate);
}

fn find(api: &ApiServer, uid: &str, node: &str) -> Option<Arc<Value>> {
    let pods = api.list(&PODS, None);
    pods.into_iter()
        .find(|pod| pod.uid() == uid && pods::node(pod) == Some(node))
}

/// Whether a change is just the status that this kubelet wrote.
fn is_own_write(worker: &PodWorker, change: &Changed) -> bool {
    !change.deleted
        && worker.pod["metadata"]["resourceVersion"] == change.object["metadata"]["resourceVersion"]
}

/// The last time before `now` that a kubelet said that it lives.
fn last_beat(now: Timestamp, phase: SignedDuration, period: SignedDuration) -> Timestamp {
    let period = period.as_nanos().max(1);
    let since = (now.as_nanosecond() - phase.as_nanos()).rem_euclid(period);
    now - SignedDuration::from_nanos(i64::try_from(since).unwrap_or(0))
}
