//! The switch between the kernels of all hosts.
//!
//! Owns: turmoil-net's kernels, one per address, and the packets between them.
//! Always holds: packets reach kernels only through here, in the order of their arrival.
//! Deliberately does not know: tasks, and when to look; the pump does.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use tokio::time::Instant;
use turmoil_net::{EnterGuard, KernelConfig, NetstatEntry, NetstatState, Packet, Proto};

use super::{
    flow::Flow,
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
    flow: Flow,
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
            flow: Flow::default(),
            outgoing: Vec::new(),
        }
    }

    pub(super) fn kernel(&self, ip: Ipv4Addr) -> Kernel {
        *self
            .kernels
            .get(&ip)
            .expect("hosts get their addresses from the list that made the kernels")
    }

    /// Delivers what has arrived by now; true when some kernel may have something to send since.
    pub(super) fn deliver_arrived(&mut self, now: Instant) -> bool {
        let mut answers = false;
        while let Some(packet) = self.links.arrived(now) {
            answers |= self.flow.arrived(&packet);
            self.deliver(now, packet);
        }
        answers
    }

    /// Takes what the kernels want to send and puts it on the wire.
    pub(super) fn forward(&mut self, now: Instant) {
        self.guard.egress_all(&mut self.outgoing);
        for packet in self.outgoing.drain(..) {
            self.repairs.sent(&packet);
            self.flow.sent(&packet);
            self.links.send(now, packet);
        }
    }

    /// Delivers and forwards until nothing more arrives now.
    fn settle(&mut self, now: Instant) {
        loop {
            self.deliver_arrived(now);
            self.forward(now);
            if self.links.next_arrival().is_none_or(|at| at > now) {
                return;
            }
        }
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
        if self.repairs.closed(connection) {
            let live = self
                .kernels
                .keys()
                .flat_map(|ip| connections(*ip))
                .collect();
            self.repairs.prune(&live);
            self.flow.prune(&live);
        }
    }

    /// Ends every connection of an address as its dying process would: both ends learn of it, the
    /// peers after the usual latency. A machine that is lost tells nobody, now or later.
    pub(super) fn end(&mut self, now: Instant, ip: Ipv4Addr, death: Death) {
        self.settle(now);
        if death == Death::Node {
            self.links.silence(IpAddr::V4(ip));
        }
        for entry in tcp(ip) {
            let Some(peer) = entry.peer else { continue };
            // Half-done ones go with the listener, which tells their peers.
            if self.repairs.is_half_done(&(entry.local, peer)) {
                continue;
            }
            self.guard.deliver(reset(peer, entry.local));
            // What the process has closed itself ends in peace: the peer has read or will read the
            // last bytes, and a reset would throw them away.
            if !has_said_goodbye(&entry) {
                self.links.send(now, reset(entry.local, peer));
            }
        }
        self.repairs.forget(IpAddr::V4(ip));
        self.flow.forget(IpAddr::V4(ip));
        // The kernel lets go of connections that were closed before.
        self.settle(now);
    }
}

/// The TCP connections that a kernel knows, in the order they were made.
pub(super) fn connections(ip: Ipv4Addr) -> Vec<Connection> {
    tcp(ip)
        .filter_map(|entry| Some((entry.local, entry.peer?)))
        .collect()
}

fn tcp(ip: Ipv4Addr) -> impl Iterator<Item = NetstatEntry> {
    let entries = turmoil_net::netstat(IpAddr::V4(ip)).entries;
    entries
        .into_iter()
        .filter(|entry| entry.proto == Proto::Tcp)
}

fn has_said_goodbye(entry: &NetstatEntry) -> bool {
    use NetstatState::{Closing, FinWait1, FinWait2, LastAck};
    matches!(entry.state, Some(FinWait1 | FinWait2 | Closing | LastAck))
}
