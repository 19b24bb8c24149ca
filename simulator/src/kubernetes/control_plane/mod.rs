//! The control plane of a simulated cluster: all controllers and kubelets, run together.
//!
//! Owns: feeding changes to everyone whom they concern, and the order in which they act.
//! Always holds: a step ends when nothing is due any more at that time; the same seed and the same
//! changes at the same times give the same acts. Parts that keep undoing each other's work are a
//! bug here and end in a panic that names them.
//! Deliberately does not know: sockets, and real or virtual time; it is told the time.

mod drive;
mod nodes;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

pub use self::drive::{Calls, Shared, drive, logs};
use super::{
    api::{ApiServer, Changed},
    controllers::{
        accounts::Accounts,
        cluster::{Cluster, Note},
        disruption::Disruption,
        endpoints::Endpoints,
        events::{Recorder, Style},
        garbage::Garbage,
        namespaces::Namespaces,
        node_lifecycle::NodeLifecycle,
        object::Key,
        queue::{Controller, Queue},
        scheduler::Scheduler,
        statefulset::StatefulSets,
        timings::{Delay, Draw, Timings},
        unmodelled::Unmodelled,
        volumes::{Binder, Protection},
    },
    dns::Zone,
    kubelet::{Kubelets, Power, Runs},
    proxy::Proxy,
    runtime::ContainerRuntime,
};

/// So many rounds at one moment mean that parts of the plane undo each other's work.
const ROUNDS: usize = 1_000;

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes delays, and with them the order of what happens at nearly the same time.
    pub seed: u64,
    /// Number of nodes; they are called `node-1`, `node-2`, ...
    pub nodes: usize,
    /// How long everything takes.
    pub timings: Timings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            nodes: 3,
            timings: Timings::default(),
        }
    }
}

/// One controller with its queue.
struct Loop {
    controller: Box<dyn Controller>,
    queue: Queue,
    recorder: Recorder,
    manager: &'static str,
    delay: Delay,
}

/// All controllers and kubelets of a cluster.
pub struct ControlPlane {
    options: Options,
    draw: Draw,
    /// Up to which revision changes have been fed to everyone; none before the first step.
    seen: Option<u64>,
    loops: Vec<Loop>,
    kubelets: Kubelets,
    silent: Arc<Mutex<BTreeMap<String, Timestamp>>>,
    zone: Arc<Mutex<Zone>>,
    proxy: Arc<Mutex<Proxy>>,
    binder_deletes: Arc<Mutex<Vec<String>>>,
    notes: Vec<Note>,
}

impl ControlPlane {
    /// A control plane that has not begun to work. It makes its nodes in its first step.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let silent = Arc::default();
        let deletes = Arc::default();
        let timings = &options.timings;
        let loops = controllers(timings, &silent, &deletes);
        Self {
            draw: Draw::new(options.seed),
            seen: None,
            loops,
            kubelets: Kubelets::new(timings.clone(), options.seed.wrapping_add(1)),
            silent,
            zone: Arc::new(Mutex::new(Zone::new(timings))),
            proxy: Arc::default(),
            binder_deletes: deletes,
            notes: Vec::new(),
            options,
        }
    }

    /// Does everything that is due at `now`. Gives when to come again at the latest.
    pub fn step(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.seen.is_none() {
            self.begin(api, now);
        }
        for round in 0.. {
            self.feed(api, now);
            let before = self.notes.len();
            let mut busy = self.run_controllers(api, now);
            busy |= self.kubelets.step(api, runtime, &mut self.notes, now);
            for volume in std::mem::take(&mut *lock(&self.binder_deletes)) {
                runtime.delete_volume(&volume);
            }
            if !busy && self.seen == Some(api.revision()) {
                break;
            }
            assert!(round < ROUNDS, "{}", endless(&self.notes[before..], now));
        }
        self.next()
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let queues = self.loops.iter().filter_map(|entry| entry.queue.next());
        queues.chain(self.kubelets.next()).min()
    }

    /// What was done since the last call, in order.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The names of the cluster; shared with whoever answers DNS.
    #[must_use]
    pub fn zone(&self) -> Arc<Mutex<Zone>> {
        Arc::clone(&self.zone)
    }

    /// The addresses of services; shared with whoever opens connections.
    #[must_use]
    pub fn proxy(&self) -> Arc<Mutex<Proxy>> {
        Arc::clone(&self.proxy)
    }

    /// The runs of a pod's container, for its logs.
    #[must_use]
    pub fn runs(&self, namespace: &str, pod: &str, container: &str) -> Runs {
        self.kubelets.runs(namespace, pod, container)
    }

    /// Switches a node, or its kubelet alone, off or on.
    pub fn set_power(
        &mut self,
        api: &mut ApiServer,
        runtime: &mut dyn ContainerRuntime,
        now: Timestamp,
        node: &str,
        power: Power,
    ) {
        self.notes.push(Note {
            who: node.to_owned(),
            what: format!("power {power:?}"),
        });
        self.kubelets
            .set_power(api, runtime, &mut self.notes, now, node, power);
        *lock(&self.silent) = self.kubelets.silent();
        let node = Key::new("", node);
        for entry in &mut self.loops {
            if entry.controller.name() == "node-controller" {
                entry.queue.add(node.clone(), now);
            }
        }
    }

    fn begin(&mut self, api: &mut ApiServer, now: Timestamp) {
        let names = nodes::create(api, &mut self.notes, now, self.options.nodes);
        for (name, ip) in names {
            self.kubelets.add(&name, &ip);
        }
        self.seen = Some(0);
    }

    /// Tells everyone what has changed.
    fn feed(&mut self, api: &ApiServer, now: Timestamp) {
        let revision = api.revision();
        if self.seen == Some(revision) {
            return;
        }
        for change in api.changes_since(self.seen.unwrap_or(0)) {
            self.kubelets.observe_change(&change, now);
            self.announce(&change, api, now);
            self.publish(&change, now);
        }
        self.seen = Some(revision);
    }

    fn announce(&mut self, change: &Changed, api: &ApiServer, now: Timestamp) {
        for entry in &mut self.loops {
            for key in entry.controller.affected(change, api) {
                let at = now + self.draw.delay(entry.delay);
                entry.queue.add(key, at);
            }
        }
    }

    /// Brings names and service addresses up to date, each with its own delay.
    fn publish(&mut self, change: &Changed, now: Timestamp) {
        if !Zone::concerns(change) {
            return;
        }
        let timings = &self.options.timings;
        let dns = now + self.draw.delay(timings.dns);
        lock(&self.zone).observe(change, now, dns);
        let proxy = now + self.draw.delay(timings.proxy);
        lock(&self.proxy).observe(change, now, proxy);
    }

    fn run_controllers(&mut self, api: &mut ApiServer, now: Timestamp) -> bool {
        let mut busy = false;
        for entry in &mut self.loops {
            // What this round adds for the same moment is for the next round.
            let due: Vec<Key> = std::iter::from_fn(|| entry.queue.pop(now)).collect();
            for key in due {
                busy = true;
                let name = entry.controller.name();
                let recorder = &mut entry.recorder;
                let notes = &mut self.notes;
                let mut cluster = Cluster::new(api, recorder, notes, now, entry.manager, name);
                let outcome = entry.controller.reconcile(&mut cluster, &key);
                if let Err(error) = &outcome {
                    cluster.note(format_args!("{key}: will try again: {error}"));
                }
                entry.queue.done(key, &outcome, now);
            }
        }
        busy
    }
}

/// Where a connection to a service's address goes now.
#[must_use]
pub fn backend(proxy: &Mutex<Proxy>, ip: IpAddr, port: u16, now: Timestamp) -> Option<SocketAddr> {
    lock(proxy).backend(ip, port, now)
}

fn controllers(
    timings: &Timings,
    silent: &Arc<Mutex<BTreeMap<String, Timestamp>>>,
    deletes: &Arc<Mutex<Vec<String>>>,
) -> Vec<Loop> {
    let manager = "kube-controller-manager";
    let entry = |controller: Box<dyn Controller>, delay: Delay| Loop {
        recorder: Recorder::new(controller.name(), "", Style::Counted),
        controller,
        queue: Queue::default(),
        manager,
        delay,
    };
    let mut loops = vec![
        entry(Box::new(Accounts), timings.controller),
        entry(Box::new(StatefulSets), timings.controller),
        entry(Box::new(Binder::new(timings, deletes)), timings.controller),
        entry(Box::new(Protection), timings.controller),
        entry(Box::new(Endpoints), timings.endpoints),
        entry(Box::new(Disruption), timings.controller),
        entry(
            Box::new(NodeLifecycle::new(timings, silent)),
            timings.controller,
        ),
        entry(Box::<Garbage>::default(), timings.garbage),
        entry(Box::new(Namespaces), timings.controller),
        entry(Box::new(Unmodelled), timings.controller),
    ];
    loops.push(Loop {
        controller: Box::new(Scheduler::default()),
        queue: Queue::default(),
        recorder: Recorder::new(
            "default-scheduler",
            "default-scheduler-simulated",
            Style::Series,
        ),
        manager: "kube-scheduler",
        delay: timings.scheduler,
    });
    loops
}

fn endless(notes: &[Note], now: Timestamp) -> String {
    let last: Vec<String> = notes
        .iter()
        .rev()
        .take(6)
        .map(|note| format!("{}: {}", note.who, note.what))
        .collect();
    format!(
        "the control plane does not come to rest at {now}; it last did: {}",
        last.join("; ")
    )
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
