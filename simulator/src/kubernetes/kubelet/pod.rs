//! One pod on a node, from the moment it is bound until it is gone.
//!
//! Owns: the order of its life: mount, network, containers, and its status on the server.
//! Always holds: containers run only in a sandbox with all volumes mounted; a pod that is to go
//! never starts a container again.
//! Deliberately does not know: other pods.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    container::ContainerWorker,
    environment::Place,
    hands::Hands,
    probe::{Purpose, Unusable},
    status::{self, Cause, PodView},
    volumes,
};
use crate::kubernetes::{
    api::{DeleteOptions, resource::PODS},
    controllers::{object::Meta, pods, timings::Delay},
    runtime::{ContainerId, Sandbox, Volume},
};

/// After a failed pass a pod is gone over again after 10 s, or up to half of that later.
pub(super) const RETRY: Delay = Delay::millis(10_000, 15_000);

/// How far a pod has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its volumes are not mounted yet.
    Mounting { failures: u32 },
    /// Its sandbox is not there yet.
    Networking,
    /// Its containers may run.
    Running,
    /// Its containers are asked to stop.
    Stopping,
    /// They have stopped; the rest is taken down.
    Leaving,
    /// All containers have ended by themselves, and none is to start again.
    Finished,
    /// Nothing of it is left on the node.
    Gone,
}

/// A pod and everything its kubelet remembers of it.
#[derive(Debug)]
pub(super) struct PodWorker {
    pub(super) pod: Arc<Value>,
    pub(super) stage: Stage,
    pub(super) stage_at: Option<Timestamp>,
    pub(super) containers: Vec<ContainerWorker>,
    pub(super) volumes: BTreeMap<String, Volume>,
    /// Whether the server has forgotten the pod.
    pub(super) removed: bool,
    ip: Option<IpAddr>,
    sandbox: bool,
    since: Timestamp,
    pub(super) sync_at: Option<Timestamp>,
    pub(super) relist_at: Option<Timestamp>,
}

impl PodWorker {
    /// Takes on a pod that was bound to this node.
    pub(super) fn new(pod: Arc<Value>, hands: &mut Hands) -> Self {
        let now = hands.now();
        let stage_at = hands.after(hands.timings.mount);
        let mut worker = Self {
            stage: Stage::Mounting { failures: 0 },
            stage_at: Some(stage_at),
            containers: containers(&pod, now),
            volumes: BTreeMap::new(),
            removed: false,
            ip: None,
            sandbox: false,
            since: now,
            sync_at: Some(now),
            relist_at: None,
            pod,
        };
        if worker
            .containers
            .iter()
            .any(|container| container.blocked.is_some())
        {
            // What cannot be run is shown, and never started.
            worker.stage_at = None;
            worker.relist_at = Some(hands.next_relist());
        }
        if pods::is_finished(&worker.pod) {
            worker.stage = Stage::Finished;
            worker.stage_at = None;
        }
        worker
    }

    /// Does what is due. Gives when to come again.
    pub(super) fn step(&mut self, hands: &mut Hands) -> Option<Timestamp> {
        let now = hands.now();
        while self.stage != Stage::Gone {
            let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            if due(self.stage_at) {
                self.stage_at = None;
                self.advance(hands);
            } else if due(self.relist_at) {
                self.relist_at = None;
                self.look(now);
                self.sync_at = Some(now);
            } else if due(self.sync_at) {
                self.sync_at = None;
                self.sync(hands);
            } else if !self.step_containers(hands) {
                break;
            }
        }
        self.next()
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if self.stage == Stage::Gone {
            return None;
        }
        let containers = self.containers.iter().filter_map(ContainerWorker::next);
        containers
            .chain(self.stage_at)
            .chain(self.sync_at)
            .chain(self.relist_at)
            .min()
    }

    /// Forgets probe attempts whose results were lost.
    pub(super) fn abandon_probes(&mut self) {
        for container in &mut self.containers {
            for probe in &mut container.probes {
                probe.abandon();
            }
        }
    }

    /// Has the pod gone over after a change of its object.
    pub(super) fn changed(&mut self, at: Timestamp) {
        self.sync_at = Some(self.sync_at.map_or(at, |known| known.min(at)));
    }

    /// Whether the pod is to go, so that nothing may be started in it.
    pub(super) fn is_ending(&self) -> bool {
        self.removed || self.pod.is_terminating()
    }

    pub(super) fn look(&mut self, now: Timestamp) {
        for container in &mut self.containers {
            container.look(now);
        }
    }

    fn advance(&mut self, hands: &mut Hands) {
        match self.stage {
            Stage::Mounting { failures } => self.mount(hands, failures),
            Stage::Networking => self.network(hands),
            Stage::Leaving => self.leave(hands),
            Stage::Running | Stage::Stopping | Stage::Finished | Stage::Gone => {}
        }
    }

    fn mount(&mut self, hands: &mut Hands, failures: u32) {
        match volumes::contents(hands.cluster.api(), &self.pod, &self.place(hands)) {
            Ok(volumes) => {
                self.volumes = volumes;
                self.stage = Stage::Networking;
                self.stage_at = Some(hands.after(hands.timings.sandbox));
            }
            Err(why) => {
                hands
                    .cluster
                    .warning(&self.pod, "FailedMount", &why.to_string());
                self.stage = Stage::Mounting {
                    failures: failures + 1,
                };
                self.stage_at = Some(hands.now() + mount_pause(failures));
            }
        }
    }

    fn network(&mut self, hands: &mut Hands) {
        let sandbox = Sandbox {
            namespace: self.pod.namespace().to_owned(),
            name: self.pod.name().to_owned(),
            uid: self.pod.uid().to_owned(),
            hostname: hostname(&self.pod).to_owned(),
            full_name: full_name(&self.pod),
            node: hands.node.name.clone(),
        };
        match hands.runtime.create_sandbox(&sandbox) {
            Ok(ip) => {
                self.ip = Some(ip);
                self.sandbox = true;
                self.stage = Stage::Running;
                hands.cluster.note(format_args!(
                    "sandbox of {}/{} at {ip}",
                    sandbox.namespace, sandbox.name
                ));
                self.start_all(hands);
                self.relist_at = Some(hands.next_relist());
            }
            Err(why) => {
                let message = format!("Failed to create pod sandbox: {why}");
                hands
                    .cluster
                    .warning(&self.pod, "FailedCreatePodSandBox", &message);
                self.stage_at = Some(hands.after(RETRY));
            }
        }
    }

    /// Plans the start of every container, one after the other.
    fn start_all(&mut self, hands: &mut Hands) {
        let mut at = hands.now();
        for container in &mut self.containers {
            at += hands.draw.delay(hands.timings.container_start);
            container.start_at = Some(at);
        }
    }

    /// Goes over the whole pod.
    fn sync(&mut self, hands: &mut Hands) {
        self.fetch(hands);
        if self.is_ending() {
            self.stop(hands);
        }
        if self.stage == Stage::Running {
            self.refresh_files(hands);
            self.revive(hands);
        }
        if self.stage == Stage::Gone {
            return;
        }
        self.write_status(hands);
        let again = if self.is_blocked() {
            RETRY
        } else {
            hands.timings.sync
        };
        if self.stage != Stage::Finished {
            self.sync_at = Some(hands.after(again));
        }
    }

    fn fetch(&mut self, hands: &Hands) {
        let key = (self.pod.namespace(), self.pod.name());
        match hands.cluster.get(&PODS, key.0, key.1) {
            Some(pod) if pod.uid() == self.pod.uid() => self.pod = pod,
            _ => self.removed = true,
        }
    }

    fn is_blocked(&self) -> bool {
        self.containers
            .iter()
            .any(|container| container.blocked.is_some())
    }

    /// Brings the files of mounted ConfigMaps and Secrets up to date.
    fn refresh_files(&mut self, hands: &mut Hands) {
        // What has become unreadable stays as it was; the kubelet would only complain.
        let Ok(fresh) = volumes::contents(hands.cluster.api(), &self.pod, &self.place(hands))
        else {
            return;
        };
        if fresh == self.volumes {
            return;
        }
        self.volumes = fresh;
        for (spec, worker) in self
            .pod
            .items("/spec/containers")
            .iter()
            .zip(&self.containers)
        {
            let (Some(id), Ok(mounts)) = (worker.running(), volumes::mounts(spec, &self.volumes))
            else {
                continue;
            };
            for (path, volume) in mounts {
                if let Volume::Files(files) = volume
                    && volumes::follows(spec, &path)
                {
                    hands.runtime.refresh_files(id, &path, &files);
                }
            }
        }
    }

    /// Writes the status if it differs from the one on the server.
    pub(super) fn write_status(&mut self, hands: &mut Hands) {
        if self.removed {
            return;
        }
        let now = hands.now();
        let view = PodView {
            containers: self.containers.iter().map(ContainerWorker::view).collect(),
            ip: self.ip.map(|ip| ip.to_string()),
            sandbox: self.sandbox,
            host_ip: hands.node.ip.clone(),
            start: self.since,
            terminal: matches!(self.stage, Stage::Leaving | Stage::Finished | Stage::Gone),
        };
        let status = status::status(&self.pod, &view, now);
        if status != self.pod["status"] {
            let mut pod = (*self.pod).clone();
            pod["status"] = status;
            match hands.cluster.update_status(&PODS, pod) {
                Ok(pod) => self.pod = pod,
                Err(_) => self.sync_at = Some(hands.after(hands.timings.kubelet)),
            }
        }
        for container in &mut self.containers {
            container.hurry_readiness(now);
        }
    }

    /// Asks every container to stop, or goes on when none runs.
    fn stop(&mut self, hands: &mut Hands) {
        if matches!(self.stage, Stage::Leaving | Stage::Gone) {
            return;
        }
        let until = hands.now() + self.grace();
        for container in &mut self.containers {
            container.start_at = None;
            let Some(id) = container.running() else {
                continue;
            };
            match container.kill_at {
                Some(at) => container.kill_at = Some(at.min(until)),
                None => {
                    let message = format!("Stopping container {}", container.name);
                    let event = ("Normal", "Killing");
                    hands
                        .cluster
                        .container_event(&self.pod, &container.name, event, &message);
                    super::signal(hands, &self.pod, container, id);
                    container.kill_at = Some(until);
                }
            }
        }
        self.stage = Stage::Stopping;
        self.stage_at = None;
        self.finish_stop(hands);
    }

    /// Goes on once the last container has stopped.
    pub(super) fn finish_stop(&mut self, hands: &mut Hands) {
        let running = self
            .containers
            .iter()
            .any(|container| container.running().is_some());
        if self.stage != Stage::Stopping || running {
            return;
        }
        self.look(hands.now());
        self.stage = Stage::Leaving;
        self.stage_at = Some(hands.after(hands.timings.teardown));
    }

    /// How long containers get to stop: never less than two seconds.
    pub(super) fn grace(&self) -> SignedDuration {
        let given = self.pod["metadata"]["deletionGracePeriodSeconds"].as_i64();
        let own = self.pod["spec"]["terminationGracePeriodSeconds"].as_i64();
        SignedDuration::from_secs(given.or(own).unwrap_or(30).max(2))
    }

    fn leave(&mut self, hands: &mut Hands) {
        if self.sandbox {
            hands.runtime.remove_sandbox(self.pod.uid());
            self.sandbox = false;
        }
        self.stage = Stage::Gone;
        self.fetch(hands);
        if self.removed {
            return;
        }
        self.write_status(hands);
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            uid: Some(self.pod.uid().to_owned()),
            ..DeleteOptions::default()
        };
        let (namespace, name) = (self.pod.namespace(), self.pod.name());
        // Gone already, or replaced by another of the same name: both are fine.
        let _ = hands.cluster.delete_with(&PODS, namespace, name, &options);
    }

    /// Takes the sandbox down after all containers have ended by themselves.
    pub(super) fn finish(&mut self, hands: &mut Hands) {
        self.stage = Stage::Finished;
        if self.sandbox {
            hands.runtime.remove_sandbox(self.pod.uid());
            self.sandbox = false;
        }
    }

    /// The node has lost its memory: nothing runs any more, and a new sandbox is needed.
    pub(super) fn lose_everything(&mut self, hands: &mut Hands) {
        let now = hands.now();
        for container in &mut self.containers {
            container.ended(255, Cause::Lost, String::new(), now);
            container.start_at = None;
        }
        self.look(now);
        self.sync_at = Some(now);
        if self.sandbox {
            hands.runtime.remove_sandbox(self.pod.uid());
            self.sandbox = false;
            if !self.is_ending() && self.stage == Stage::Running {
                let message = "Pod sandbox changed, it will be killed and re-created.";
                hands.cluster.event(&self.pod, "SandboxChanged", message);
                self.stage = Stage::Networking;
                self.stage_at = Some(hands.after(hands.timings.sandbox));
            }
        }
        self.finish_stop(hands);
    }

    /// The worker of the container that has this run.
    pub(super) fn container(&mut self, id: ContainerId) -> Option<usize> {
        self.containers
            .iter()
            .position(|container| container.running() == Some(id))
    }

    pub(super) fn place(&self, hands: &Hands) -> Place {
        Place {
            pod_ip: self.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            host_ip: hands.node.ip.clone(),
        }
    }
}

fn containers(pod: &Value, now: Timestamp) -> Vec<ContainerWorker> {
    let unusable = unusable(pod);
    let specs = pod.items("/spec/containers").iter();
    specs
        .map(|spec| match &unusable {
            Some(why) => ContainerWorker::blocked(spec, why),
            None => ContainerWorker::new(spec, now)
                .unwrap_or_else(|why| ContainerWorker::blocked(spec, &why)),
        })
        .collect()
}

/// Parts of a pod that the simulation cannot run: the pod stays, and says so.
fn unusable(pod: &Value) -> Option<Unusable> {
    let spec = &pod["spec"];
    for field in ["initContainers", "ephemeralContainers"] {
        if !pod.items(&format!("/spec/{field}")).is_empty() {
            return Some(Unusable::NotModelled(field));
        }
    }
    if spec["hostNetwork"] == true {
        return Some(Unusable::NotModelled("hostNetwork"));
    }
    let hooks = pod.items("/spec/containers").iter();
    hooks
        .map(|container| &container["lifecycle"])
        .any(|lifecycle| lifecycle.as_object().is_some_and(|hooks| !hooks.is_empty()))
        .then_some(Unusable::NotModelled("lifecycle hooks"))
}

fn hostname(pod: &Value) -> &str {
    match pod.text("/spec/hostname") {
        "" => pod.name(),
        hostname => hostname,
    }
}

fn full_name(pod: &Value) -> Option<String> {
    let subdomain = Some(pod.text("/spec/subdomain")).filter(|name| !name.is_empty())?;
    let (hostname, namespace) = (hostname(pod), pod.namespace());
    Some(format!(
        "{hostname}.{subdomain}.{namespace}.svc.cluster.local"
    ))
}

/// Mounting is tried again after half a second, doubled each time up to two minutes.
fn mount_pause(failures: u32) -> SignedDuration {
    let millis = 500_i64.saturating_mul(1 << failures.min(20));
    SignedDuration::from_millis(millis.min(122_000))
}

/// Purposes whose failure kills the container.
pub(super) fn kills(purpose: Purpose) -> bool {
    purpose != Purpose::Readiness
}
