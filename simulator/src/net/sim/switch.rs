//! The switch between the kernels of all hosts.
//!
//! Owns: turmoil-net's kernels, one per address, and the packets between them.
//! Always holds: when [`Switch::run`] returns, every packet that has arrived by now was delivered
//! and everything that this set off is on the wire.
//! Deliberately does not know: tasks; whoever changes a socket asks for the next run.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::time::Instant;
use turmoil_net::{EnterGuard, KernelConfig, Packet, Proto, TcpFlags, TcpSegment, Transport};

use super::links::Links;

/// turmoil-net's name for the kernel behind an address.
pub(super) type Kernel = turmoil_net::HostId;

/// One end of a connection: its own address, then its peer's.
type Connection = (SocketAddr, SocketAddr);

pub(super) struct Switch {
    guard: EnterGuard,
    kernels: BTreeMap<Ipv4Addr, Kernel>,
    pub(super) links: Links,
    /// Connections whose process has closed its socket, so that nobody will ever read them.
    closed: BTreeSet<Connection>,
    prune_at: usize,
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
            closed: BTreeSet::new(),
            prune_at: 256,
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

    /// Takes what the kernels want to send; false when there is nothing due at once.
    fn forward(&mut self, now: Instant) -> bool {
        self.guard.egress_all(&mut self.outgoing);
        for packet in self.outgoing.drain(..) {
            self.links.send(now, packet);
        }
        self.links.next_arrival().is_some_and(|at| at <= now)
    }

    /// Linux answers data for a socket that its process has closed with a RST; turmoil-net's
    /// kernel would acknowledge and swallow it, and the sender would never find out.
    fn deliver(&mut self, now: Instant, packet: Packet) {
        let Transport::Tcp(segment) = &packet.payload else {
            return self.guard.deliver(packet);
        };
        let connection = (
            SocketAddr::new(packet.dst, segment.dst_port),
            SocketAddr::new(packet.src, segment.src_port),
        );
        if segment.flags.syn {
            self.closed.remove(&connection);
        } else if !segment.payload.is_empty() && self.closed.remove(&connection) {
            self.guard.deliver(reset(connection.1, connection.0));
            self.links.send(now, reset(connection.0, connection.1));
            return;
        }
        self.guard.deliver(packet);
    }

    /// The process has closed this end.
    pub(super) fn closed(&mut self, connection: Connection) {
        self.closed.insert(connection);
        if self.closed.len() < self.prune_at {
            return;
        }
        let live: BTreeSet<Connection> = self
            .kernels
            .keys()
            .flat_map(|ip| connections(*ip))
            .collect();
        self.closed.retain(|connection| live.contains(connection));
        self.prune_at = 256.max(2 * self.closed.len());
    }

    /// Ends every connection of an address as its dying process would: both ends learn of it, the
    /// peers after the usual latency and only when the machine is still there to tell them.
    pub(super) fn reset_all(&mut self, now: Instant, ip: Ipv4Addr, tell_peers: bool) {
        self.run(now);
        for (local, peer) in connections(ip) {
            self.guard.deliver(reset(peer, local));
            if tell_peers {
                self.links.send(now, reset(local, peer));
            }
        }
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

fn reset(from: SocketAddr, to: SocketAddr) -> Packet {
    let segment = TcpSegment {
        src_port: from.port(),
        dst_port: to.port(),
        seq: 0,
        ack: 0,
        flags: TcpFlags {
            rst: true,
            ..TcpFlags::default()
        },
        window: 0,
        payload: bytes::Bytes::new(),
    };
    Packet {
        src: from.ip(),
        dst: to.ip(),
        ttl: 64,
        payload: Transport::Tcp(segment),
    }
}
