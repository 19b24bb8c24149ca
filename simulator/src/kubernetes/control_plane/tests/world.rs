//! A cluster to test: server, control plane and scripted containers, stepped by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kubernetes::{
    api::{
        ApiServer, DeleteOptions, Propagation, Resource,
        resource::{EVENTS, PODS, SERVICES, STATEFUL_SETS},
    },
    control_plane::{ControlPlane, Options},
    controllers::object::Meta,
    runtime::{
        Container, ContainerId, ContainerRuntime, HttpProbe, Observation, Sandbox, Signal,
        StartFailed,
    },
};

/// Containers that do what the test says.
#[derive(Default)]
pub(super) struct Scripted {
    now: Option<Timestamp>,
    next: u64,
    pub(super) sandboxes: BTreeMap<String, Sandbox>,
    pub(super) running: BTreeMap<ContainerId, (String, Container)>,
    pub(super) started: Vec<Container>,
    pub(super) refreshed: Vec<(String, BTreeMap<String, Vec<u8>>)>,
    pub(super) deleted_volumes: Vec<String>,
    pub(super) signals: Vec<(String, Signal)>,
    /// Answers of probes by pod name; 200 where nothing is said.
    pub(super) answers: BTreeMap<String, Result<u16, String>>,
    pub(super) probes: BTreeMap<String, Vec<Timestamp>>,
    /// Pods whose containers do not react to SIGTERM.
    pub(super) deaf: BTreeSet<String>,
    /// Whether containers end right after their start.
    pub(super) exit_on_start: bool,
    exits: BTreeMap<(Timestamp, ContainerId), i32>,
    seen: Vec<Observation>,
}

impl Scripted {
    fn pod_name(&self, uid: &str) -> String {
        self.sandboxes
            .get(uid)
            .map(|sandbox| sandbox.name.clone())
            .unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.now.unwrap()
    }

    /// Has the container of a pod end now.
    pub(super) fn exit(&mut self, pod: &str, code: i32) {
        let found = self
            .running
            .iter()
            .find(|(_, (uid, _))| self.pod_name(uid) == pod);
        let id = *found.unwrap().0;
        let now = self.now();
        self.exits.insert((now, id), code);
    }

    pub(super) fn runs(&self, pod: &str) -> bool {
        self.running
            .values()
            .any(|(uid, _)| self.pod_name(uid) == pod)
    }
}

impl ContainerRuntime for Scripted {
    fn create_sandbox(&mut self, sandbox: &Sandbox) -> Result<IpAddr, StartFailed> {
        self.next += 1;
        assert!(
            self.sandboxes
                .insert(sandbox.uid.clone(), sandbox.clone())
                .is_none(),
            "one sandbox for one pod"
        );
        Ok(format!("10.244.0.{}", self.next).parse().unwrap())
    }

    fn remove_sandbox(&mut self, pod_uid: &str) {
        assert!(
            !self.running.values().any(|(uid, _)| uid == pod_uid),
            "containers have ended"
        );
        assert!(
            self.sandboxes.remove(pod_uid).is_some(),
            "there was a sandbox"
        );
    }

    fn start(&mut self, pod_uid: &str, container: &Container) -> Result<ContainerId, StartFailed> {
        assert!(self.sandboxes.contains_key(pod_uid), "there is a sandbox");
        if !container.image.contains("etcd") {
            let message = format!("{}: not found", container.image);
            return Err(StartFailed {
                reason: "ErrImagePull".to_owned(),
                message,
            });
        }
        self.next += 1;
        let id = ContainerId(self.next);
        self.running
            .insert(id, (pod_uid.to_owned(), container.clone()));
        self.started.push(container.clone());
        if self.exit_on_start {
            let now = self.now();
            self.exits.insert((now, id), 2);
        }
        Ok(id)
    }

    fn refresh_files(&mut self, _: ContainerId, mount: &str, files: &BTreeMap<String, Vec<u8>>) {
        self.refreshed.push((mount.to_owned(), files.clone()));
    }

    fn signal(&mut self, container: ContainerId, signal: Signal) {
        let Some((uid, _)) = self.running.get(&container) else {
            return;
        };
        let pod = self.pod_name(uid);
        self.signals.push((pod.clone(), signal));
        let now = self.now();
        let at = now + SignedDuration::from_millis(30);
        match signal {
            Signal::Terminate if self.deaf.contains(&pod) => {}
            Signal::Terminate => drop(self.exits.insert((at, container), 0)),
            Signal::Kill => drop(self.exits.insert((now, container), 137)),
        }
    }

    fn probe(&mut self, container: ContainerId, _: &HttpProbe, token: u64) {
        let pod = self.pod_name(&self.running[&container].0);
        let now = self.now();
        self.probes.entry(pod.clone()).or_default().push(now);
        let result = self.answers.get(&pod).cloned().unwrap_or(Ok(200));
        self.seen.push(Observation::Probed {
            container,
            token,
            result,
        });
    }

    fn observe(&mut self) -> Vec<Observation> {
        let now = self.now();
        while let Some(entry) = self.exits.first_entry() {
            let (at, container) = *entry.key();
            if at > now {
                break;
            }
            let code = entry.remove();
            if self.running.remove(&container).is_some() {
                self.seen.push(Observation::Exited {
                    container,
                    code,
                    out_of_memory: false,
                    at,
                });
            }
        }
        std::mem::take(&mut self.seen)
    }

    fn logs(&self, container: ContainerId) -> Vec<String> {
        vec![format!("log of {}", container.0)]
    }

    fn delete_volume(&mut self, volume: &str) {
        self.deleted_volumes.push(volume.to_owned());
    }
}

/// Everything together.
pub(super) struct World {
    pub(super) api: ApiServer,
    pub(super) plane: ControlPlane,
    pub(super) runtime: Scripted,
    pub(super) now: Timestamp,
    pub(super) begin: Timestamp,
    pub(super) log: Vec<String>,
    pub(super) steps: usize,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Options {
            seed: 7,
            ..Options::default()
        })
    }

    pub(super) fn with(options: Options) -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut world = Self {
            api: ApiServer::new(1),
            plane: ControlPlane::new(options),
            runtime: Scripted::default(),
            now,
            begin: now,
            log: Vec::new(),
            steps: 0,
        };
        world.run(SignedDuration::from_secs(1));
        world
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: SignedDuration) {
        let end = self.now + time;
        loop {
            self.runtime.now = Some(self.now);
            let next = self.plane.step(&mut self.api, &mut self.runtime, self.now);
            self.steps += 1;
            for note in self.plane.take_notes() {
                let at = self.now.duration_since(self.begin).as_millis();
                self.log.push(format!("{at:>7} {} {}", note.who, note.what));
            }
            let exit = self.runtime.exits.first_key_value().map(|((at, _), _)| *at);
            let seen = (!self.runtime.seen.is_empty()).then_some(self.now);
            match next.into_iter().chain(exit).chain(seen).min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = end;
        self.runtime.now = Some(end);
    }

    pub(super) fn run_millis(&mut self, millis: i64) {
        self.run(SignedDuration::from_millis(millis));
    }

    pub(super) fn run_seconds(&mut self, seconds: i64) {
        self.run(SignedDuration::from_secs(seconds));
    }

    /// Lets time pass until something holds. Gives how long it took.
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> SignedDuration {
        let begin = self.now;
        for _ in 0..60_000 {
            if holds(self) {
                return self.now.duration_since(begin);
            }
            self.run_millis(10);
        }
        panic!(
            "{what} did not happen in 10 minutes:\n{}",
            self.log.join("\n")
        );
    }

    pub(super) fn create(&mut self, resource: &Resource, mut object: Value) -> Arc<Value> {
        if resource.namespaced && object.namespace().is_empty() {
            object["metadata"]["namespace"] = "default".into();
        }
        self.api.create(self.now, "test", resource, object).unwrap()
    }

    pub(super) fn edit(&mut self, resource: &Resource, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = (*self.get(resource, name)).clone();
        edit(&mut object);
        self.api
            .update(self.now, "test", resource, "", object)
            .unwrap();
    }

    pub(super) fn delete(&mut self, resource: &Resource, name: &str) {
        self.delete_with(
            resource,
            name,
            &DeleteOptions {
                propagation: Some(Propagation::Background),
                ..DeleteOptions::default()
            },
        );
    }

    pub(super) fn delete_with(&mut self, resource: &Resource, name: &str, options: &DeleteOptions) {
        let namespace = if resource.namespaced { "default" } else { "" };
        self.api
            .delete(self.now, "test", resource, namespace, name, options)
            .unwrap();
    }

    pub(super) fn find(&self, resource: &Resource, name: &str) -> Option<Arc<Value>> {
        let namespace = if resource.namespaced { "default" } else { "" };
        self.api.get(resource, namespace, name)
    }

    pub(super) fn get(&self, resource: &Resource, name: &str) -> Arc<Value> {
        let found = self.find(resource, name);
        found.unwrap_or_else(|| panic!("no {resource} {name}:\n{}", self.log.join("\n")))
    }

    pub(super) fn names(&self, resource: &Resource) -> Vec<String> {
        let namespace = resource.namespaced.then_some("default");
        let all = self.api.list(resource, namespace);
        all.iter().map(|object| object.name().to_owned()).collect()
    }

    pub(super) fn ready(&self, pod: &str) -> bool {
        self.find(&PODS, pod)
            .is_some_and(|pod| pod.condition_is_true("Ready"))
    }

    pub(super) fn ready_replicas(&self, set: &str) -> i64 {
        self.get(&STATEFUL_SETS, set)["status"]["readyReplicas"]
            .as_i64()
            .unwrap_or(0)
    }

    /// Events about an object: reason and message, with how often.
    pub(super) fn events(&self, name: &str) -> Vec<(String, String, i64)> {
        self.api
            .list(&EVENTS, Some("default"))
            .iter()
            .filter(|event| event.text("/involvedObject/name") == name)
            .map(|event| {
                let count = event["count"].as_i64().unwrap_or(1);
                (
                    event.text("/reason").to_owned(),
                    event.text("/message").to_owned(),
                    count,
                )
            })
            .collect()
    }

    pub(super) fn has_event(&self, name: &str, reason: &str, message: &str) -> bool {
        let all = self.events(name);
        all.iter()
            .any(|(found, text, _)| found == reason && text.contains(message))
    }

    /// A headless service and a set with a volume for each pod.
    pub(super) fn create_set(&mut self, replicas: i64, edit: impl FnOnce(&mut Value)) {
        let service = json!({
            "metadata": {"name": "demo"},
            "spec": {
                "clusterIP": "None", "publishNotReadyAddresses": true,
                "selector": {"app": "demo"}, "ports": [{"name": "client", "port": 2379}],
            },
        });
        self.create(&SERVICES, service);
        let mut set = set(replicas);
        edit(&mut set);
        self.create(&STATEFUL_SETS, set);
    }
}

pub(super) fn set(replicas: i64) -> Value {
    json!({
        "metadata": {"name": "demo"},
        "spec": {
            "serviceName": "demo", "replicas": replicas, "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": {"app": "demo"}},
            "template": {
                "metadata": {"labels": {"app": "demo"}},
                "spec": {
                    "terminationGracePeriodSeconds": 10,
                    "containers": [container()],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    })
}

pub(super) fn container() -> Value {
    json!({
        "name": "etcd", "image": "quay.io/coreos/etcd:v3.5.21",
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "args": ["--name=$(POD)"],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 2381}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/etcd"}],
    })
}

/// A pod of its own, without volumes.
pub(super) fn pod(name: &str) -> Value {
    let mut container = container();
    container["volumeMounts"] = json!([]);
    json!({
        "metadata": {"name": name, "labels": {"app": "demo"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 10},
    })
}
