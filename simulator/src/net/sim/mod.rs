//! The simulated network: real TCP state machines, simulated wires, virtual time.
//!
//! Owns: the hosts of one paused current-thread runtime and the pump that moves their packets.
//! Always holds: nothing happens unless a packet arrives or a socket changes, so that an idle
//! world costs nothing; the same seed gives the same packets at the same times.
//! Deliberately does not know: what the hosts are, and which faults are worth making.

mod flow;
mod links;
mod pump;
mod repairs;
mod scope;
mod socket;
mod switch;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::rngs::SmallRng;
use tokio::{runtime::Builder, time::Instant};

pub use links::Latency;

use self::{
    links::Links,
    pump::{Pump, Wake},
    scope::Scope,
    switch::{Kernel, Switch},
};
use super::{
    BoxFuture, Death, HostId, Listener, Net, Stream,
    hosts::{Boot, Hosts},
};
use crate::trace::Trace;

/// What a simulated network is made of.
#[derive(Clone, Copy, Debug)]
pub struct SimNetOptions {
    /// How long packets travel.
    pub latency: Latency,
    /// How many hosts can live at once. Every packet costs a little for each of them.
    pub addresses: u16,
}

impl Default for SimNetOptions {
    fn default() -> Self {
        Self {
            latency: Latency::default(),
            addresses: 64,
        }
    }
}

/// A simulated network; a clone is another handle on the same one.
#[derive(Clone)]
pub struct SimNet {
    shared: Arc<Shared>,
    options: SimNetOptions,
}

struct Shared {
    hosts: Hosts,
    scope: Scope,
    /// None before the network is installed and after it is taken down.
    switch: Mutex<Option<Switch>>,
    wake: Wake,
    trace: Mutex<Option<Trace>>,
}

/// A task that still lives although the boot that it belongs to is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Name of the host.
    pub host: String,
    /// How many tasks are left of it.
    pub tasks: usize,
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} tasks outlived host {}",
            self.tasks, self.host
        )
    }
}

impl SimNet {
    /// A network that is not installed yet.
    #[must_use]
    pub fn new(options: SimNetOptions) -> Self {
        let shared = Shared {
            hosts: Hosts::new(addresses(options)),
            scope: Scope::default(),
            switch: Mutex::new(None),
            wake: Wake::default(),
            trace: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
            options,
        }
    }

    /// Makes the runtime tell this network which task is running. `also` runs before every poll.
    #[cfg(tokio_unstable)]
    pub fn watch_tasks(&self, builder: &mut Builder, also: impl Fn() + Send + Sync + 'static) {
        let scope = || self.shared.scope.clone();
        let (spawned, enter, leave, ended) = (scope(), scope(), scope(), scope());
        builder
            .on_task_spawn(move |task| spawned.spawned(task.id()))
            .on_before_task_poll(move |task| {
                also();
                enter.enter(task.id());
            })
            .on_after_task_poll(move |_| leave.leave())
            .on_task_terminate(move |task| ended.ended(task.id()));
    }

    /// Starts the network on this thread; call it inside the runtime that was built for it.
    ///
    /// # Panics
    /// When another simulated network is installed on this thread.
    pub fn install(&self, random: SmallRng, trace: Trace) {
        let links = Links::new(self.options.latency, random);
        *lock(&self.shared.switch) = Some(Switch::install(addresses(self.options), links));
        *lock(&self.shared.trace) = Some(trace);
        tokio::spawn(Pump::new(Arc::clone(&self.shared)));
    }

    /// Takes the network down; call it on the same thread, after the runtime was dropped.
    pub fn uninstall(&self) {
        drop(lock(&self.shared.switch).take());
    }

    /// Live tasks of a host, of any boot.
    #[must_use]
    pub fn live_tasks(&self, host: HostId) -> usize {
        self.shared.scope.live_on(host)
    }

    /// Tasks that outlived the boot that they belong to. A task is gone a moment after its host
    /// died, when the runtime has come round to it.
    #[must_use]
    pub fn leftovers(&self) -> Vec<Leftover> {
        let mut count = std::collections::BTreeMap::<HostId, usize>::new();
        for boot in self.shared.scope.live() {
            if self.shared.hosts.boot(boot.host) != boot {
                *count.entry(boot.host).or_default() += 1;
            }
        }
        let named = |(host, tasks)| Leftover {
            host: self.shared.hosts.name(host),
            tasks,
        };
        count.into_iter().map(named).collect()
    }

    /// Packets put on the wire so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.shared.switch(|switch| switch.links.sent())
    }

    /// How often tasks were polled so far: the best count of what a simulation has cost.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.shared.scope.polls()
    }

    /// The host's TCP connections: own address, peer's address.
    #[must_use]
    pub fn connections(&self, host: HostId) -> Vec<(SocketAddr, SocketAddr)> {
        switch::connections(self.shared.hosts.ip(host))
    }

    /// Whether `to`, if it serves anybody, would answer what `from` asks.
    #[must_use]
    pub fn answers(&self, from: HostId, to: HostId) -> bool {
        let (asking, asked) = (self.ip(from), self.ip(to));
        let passes = self.shared.switch(|switch| {
            switch.links.reaches(asking, asked) && switch.links.reaches(asked, asking)
        });
        passes && !self.shared.hosts.is_frozen(to)
    }

    /// Adds to the latency of one direction; zero ends it.
    pub fn slow(&self, from: HostId, to: HostId, by: Duration) {
        let (from_ip, to_ip) = (self.ip(from), self.ip(to));
        self.shared
            .switch(|switch| switch.links.slow(from_ip, to_ip, by));
        self.shared
            .record(format_args!("{by:?} slower: {}", self.pair(from, to)));
    }

    fn pair(&self, from: HostId, to: HostId) -> String {
        format!(
            "{} -> {}",
            self.shared.hosts.name(from),
            self.shared.hosts.name(to)
        )
    }

    /// The kernel of a host, and the boot that a call on its behalf belongs to.
    fn place(&self, host: HostId) -> (Kernel, Boot) {
        let boot = match self.shared.scope.current() {
            Some(boot) if boot.host == host => boot,
            _ => self.shared.hosts.boot(host),
        };
        let ip = self.shared.hosts.ip(host);
        (self.shared.switch(|switch| switch.kernel(ip)), boot)
    }
}

impl Net for SimNet {
    fn add_host(&self, name: &str) -> io::Result<HostId> {
        let host = self.shared.hosts.add(name)?;
        let ip = self.ip(host);
        self.shared.switch(|switch| switch.links.speak(ip));
        self.shared.record(format_args!("host {name} has {ip}"));
        Ok(host)
    }

    fn remove_host(&self, host: HostId) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        self.kill(host, Death::Process);
        let ip = self.ip(host);
        self.shared.switch(|switch| switch.links.forget(ip));
        self.shared.hosts.remove(host);
        self.shared.record(format_args!(
            "host {} gave {ip} back",
            self.shared.hosts.name(host)
        ));
    }

    fn ip(&self, host: HostId) -> IpAddr {
        IpAddr::V4(self.shared.hosts.ip(host))
    }

    fn bind(&self, host: HostId, port: u16) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        let (kernel, boot) = self.place(host);
        Box::pin(socket::bind(Arc::clone(&self.shared), kernel, boot, port))
    }

    fn connect(&self, from: HostId, to: SocketAddr) -> BoxFuture<io::Result<Stream>> {
        let (kernel, boot) = self.place(from);
        // Connections to itself use the host's own address, so that a kill finds both ends.
        let ip = if to.ip().is_loopback() {
            self.ip(from)
        } else {
            to.ip()
        };
        Box::pin(socket::dial(
            Arc::clone(&self.shared),
            kernel,
            boot,
            SocketAddr::new(ip, to.port()),
        ))
    }

    fn spawn(&self, host: HostId, task: BoxFuture<()>) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        let ip = self.ip(host);
        self.shared.switch(|switch| switch.links.speak(ip));
        let boot = self.shared.hosts.boot(host);
        let root = self.shared.hosts.root(boot, task);
        let handle = self
            .shared
            .scope
            .within(boot, || tokio::spawn(root).abort_handle());
        self.shared.hosts.keep(host, handle);
    }

    fn kill(&self, host: HostId, death: Death) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        let ip = self.shared.hosts.ip(host);
        self.shared
            .switch(|switch| switch.end(Instant::now(), ip, death));
        self.shared.hosts.end_boot(host);
        self.shared.changed();
        self.shared.record(format_args!(
            "{death:?} of {} died",
            self.shared.hosts.name(host)
        ));
    }

    fn pause(&self, host: HostId) {
        self.shared.hosts.freeze(host);
        self.shared
            .record(format_args!("{} frozen", self.shared.hosts.name(host)));
    }

    fn resume(&self, host: HostId) {
        self.shared.hosts.thaw(host);
        self.shared
            .record(format_args!("{} thawed", self.shared.hosts.name(host)));
    }

    fn cut(&self, from: HostId, to: HostId) {
        let (from_ip, to_ip) = (self.ip(from), self.ip(to));
        self.shared
            .switch(|switch| switch.links.cut(from_ip, to_ip));
        self.shared
            .record(format_args!("cut: {}", self.pair(from, to)));
    }

    fn heal(&self, from: HostId, to: HostId) {
        let (from_ip, to_ip) = (self.ip(from), self.ip(to));
        self.shared
            .switch(|switch| switch.links.heal(Instant::now(), from_ip, to_ip));
        self.shared.changed();
        self.shared
            .record(format_args!("healed: {}", self.pair(from, to)));
    }

    fn is_whole(&self) -> bool {
        self.shared.switch(|switch| switch.links.are_whole()) && !self.shared.hosts.any_frozen()
    }
}

impl Shared {
    fn is_installed(&self) -> bool {
        lock(&self.switch).is_some()
    }

    /// Some socket changed: the pump has to look.
    fn changed(&self) {
        self.wake.set();
    }

    fn closed(&self, connection: (SocketAddr, SocketAddr)) {
        self.switch(|switch| switch.closed(connection));
    }

    fn switch<R>(&self, action: impl FnOnce(&mut Switch) -> R) -> R {
        action(
            lock(&self.switch)
                .as_mut()
                .expect("used only between install and uninstall"),
        )
    }

    fn record(&self, what: fmt::Arguments<'_>) {
        if let Some(trace) = lock(&self.trace).as_ref() {
            trace.record("net", what);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 10.244.0.10 and on, as a cluster's pod network would have them.
fn addresses(options: SimNetOptions) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(10, 244, 0, 10));
    (0..u32::from(options.addresses)).map(move |index| Ipv4Addr::from(first + index))
}
