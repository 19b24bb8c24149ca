//! The switch between the kernels of all hosts.
//!
//! Owns: turmoil-net's kernels, one per address, and the packets between them.
//! Always holds: when [`Switch::run`] returns, every packet that has arrived by now was delivered
//! and everything that this set off is on the wire.
//! Deliberately does not know: tasks; whoever changes a socket asks for the next run.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use tokio::time::Instant;
use turmoil_net::{EnterGuard, KernelConfig, Packet, Proto};

use super::{
    links::Links,
    repairs::{Arrival, Connection, Repairs, reset},
};
use crate::net::Death;

/// turmoil-net's name for the kernel behind an address.
pub(super) type Kernel = turmoil_net::HostId;

pub(super) struct Switch {
    guard: EnterGuard,
    kernels: BTreeMap<Ipv4Addr, Kernel>,
    pub(super) links: Links,
    repairs: Repairs,
    outgoing: Vec<Packet>,
}

/// The kernel's limits. Each value works around a gap of turmoil-net 0.1:
/// - retransmission counts passes of the switch instead of time, and nothing is ever lost here;
/// - a receive window that once closed never opens again, so it must not close;
/// - an MTU as large as a window makes large transfers cheap.
fn kernel_config() -> KernelConfig {
    KernelConfig::default()
        .retx_threshold(u32::MAX)
        .recv_buf_cap(16 << 20)
        .send_buf_cap(256 << 10)
        .mtu(65_535)
}

impl Switch {
    /// Installs one kernel per address on this thread. Only one switch per thread can be installed.
    pub(super) fn install(addresses: impl IntoIterator<Item = Ipv4Addr>, links: Links) -> Self {
        let mut net = turmoil_net::Net::with_config(kernel_config());
        let kernels = addresses
            .into_iter()
            .map(|ip| (ip, net.add_host(IpAddr::V4(ip))))
            .collect();
        Self {
            guard: net.enter(),
            kernels,
            links,
            repairs: Repairs::default(),
            outgoing: Vec::new(),
        }
    }

    pub(super) fn kernel(&self, ip: Ipv4Addr) -> Kernel {
        *self
            .kernels
            .get(&ip)
            .expect("hosts get their addresses from the list that made the kernels")
    }

    /// Delivers and forwards until nothing is left to do now; returns when the next packet arrives.
    pub(super) fn run(&mut self, now: Instant) -> Option<Instant> {
        loop {
            while let Some(packet) = self.links.arrived(now) {
                self.deliver(now, packet);
            }
            if !self.forward(now) {
                return self.links.next_arrival();
            }
        }
    }

    /// Takes what the kernels want to send; false when nothing of it arrives at once.
    fn forward(&mut self, now: Instant) -> bool {
        self.guard.egress_all(&mut self.outgoing);
        for packet in self.outgoing.drain(..) {
            self.repairs.sent(&packet);
            self.links.send(now, packet);
        }
        self.links.next_arrival().is_some_and(|at| at <= now)
    }

    fn deliver(&mut self, now: Instant, packet: Packet) {
        match self.repairs.arrived(&packet) {
            Arrival::Deliver => {}
            Arrival::CompleteFirst(acknowledgement) => self.guard.deliver(acknowledgement),
            Arrival::ResetBoth((local, peer)) => {
                self.links.send(now, reset(local, peer));
                return self.guard.deliver(reset(peer, local));
            }
        }
        self.guard.deliver(packet);
    }

    /// The process has closed this end.
    pub(super) fn closed(&mut self, connection: Connection) {
        let kernels = &self.kernels;
        self.repairs.closed(connection, || {
            kernels.keys().flat_map(|ip| connections(*ip)).collect()
        });
    }

    /// Ends every connection of an address as its dying process would: both ends learn of it, the
    /// peers after the usual latency. A machine that is lost tells nobody, now or later.
    pub(super) fn end(&mut self, now: Instant, ip: Ipv4Addr, death: Death) {
        self.run(now);
        if death == Death::Node {
            self.links.silence(IpAddr::V4(ip));
        }
        for connection in connections(ip) {
            // Half-done ones go with the listener, which tells their peers.
            if !self.repairs.is_half_done(&connection) {
                let (local, peer) = connection;
                self.guard.deliver(reset(peer, local));
                self.links.send(now, reset(local, peer));
            }
        }
        self.repairs.forget(IpAddr::V4(ip));
        // The kernel lets go of connections that were closed before.
        self.run(now);
    }
}

/// The TCP connections that a kernel knows, in the order they were made.
pub(super) fn connections(ip: Ipv4Addr) -> Vec<Connection> {
    let entries = turmoil_net::netstat(IpAddr::V4(ip)).entries;
    let tcp = entries
        .into_iter()
        .filter(|entry| entry.proto == Proto::Tcp);
    tcp.filter_map(|entry| Some((entry.local, entry.peer?)))
        .collect()
}
