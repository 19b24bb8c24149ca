//! What turmoil-net 0.1's TCP leaves out and hosts can notice.
//!
//! Owns: which connections were closed by their process, and which handshakes are half done.
//! Always holds: both sets only hold connections that the kernels still know, give or take a prune.
//! Deliberately does not know: how packets travel; it looks at each one that leaves or arrives.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

/// One end of a connection: its own address, then its peer's.
pub(super) type Connection = (SocketAddr, SocketAddr);

/// What to do with a packet that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Deliver,
    /// Reset both ends instead: it is data for a socket that its process has closed. Linux answers
    /// so; turmoil-net would acknowledge and swallow it, and the sender would never find out.
    ResetBoth(Connection),
    /// Deliver this acknowledgement first: the packet is a RST for a connection whose handshake is
    /// half done. turmoil-net would forget to take it off the port, which could never be bound
    /// again; a connection that is complete before it breaks is accepted, and then fails.
    CompleteFirst(Packet),
}

#[derive(Default)]
pub(super) struct Repairs {
    closed: BTreeSet<Connection>,
    prune_at: usize,
    /// Connections that have answered a SYN, with the number that completes the handshake.
    handshakes: BTreeMap<Connection, u32>,
}

impl Repairs {
    /// Looks at a packet that leaves a host.
    pub(super) fn sent(&mut self, packet: &Packet) {
        let Transport::Tcp(segment) = &packet.payload else {
            return;
        };
        if segment.flags.syn && segment.flags.ack {
            self.handshakes
                .insert(sender(packet, segment), segment.seq.wrapping_add(1));
        }
    }

    /// Looks at a packet that is about to be delivered.
    pub(super) fn arrived(&mut self, packet: &Packet) -> Arrival {
        let Transport::Tcp(segment) = &packet.payload else {
            return Arrival::Deliver;
        };
        let (peer, local) = sender(packet, segment);
        let connection = (local, peer);
        if segment.flags.syn {
            self.closed.remove(&connection);
            return Arrival::Deliver;
        }
        let half_done = self.handshakes.remove(&connection);
        if segment.flags.rst {
            return match half_done {
                Some(ack) => Arrival::CompleteFirst(bare(
                    peer,
                    local,
                    ack,
                    TcpFlags {
                        ack: true,
                        ..TcpFlags::default()
                    },
                )),
                None => Arrival::Deliver,
            };
        }
        if !segment.payload.is_empty() && self.closed.remove(&connection) {
            return Arrival::ResetBoth(connection);
        }
        Arrival::Deliver
    }

    /// A process has closed its end. True when it is time to [`Repairs::prune`].
    pub(super) fn closed(&mut self, connection: Connection) -> bool {
        self.closed.insert(connection);
        self.closed.len() > self.prune_at
    }

    /// Forgets connections that no kernel knows any more.
    pub(super) fn prune(&mut self, live: &BTreeSet<Connection>) {
        self.closed.retain(|connection| live.contains(connection));
        self.handshakes
            .retain(|connection, _| live.contains(connection));
        self.prune_at = 256 + 2 * self.closed.len();
    }

    /// Is this end waiting for the last packet of a handshake?
    pub(super) fn is_half_done(&self, connection: &Connection) -> bool {
        self.handshakes.contains_key(connection)
    }

    /// The machine behind the address is gone.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        self.closed.retain(|(local, _)| local.ip() != ip);
        self.handshakes.retain(|(local, _), _| local.ip() != ip);
    }
}

/// A RST.
pub(super) fn reset(from: SocketAddr, to: SocketAddr) -> Packet {
    bare(
        from,
        to,
        0,
        TcpFlags {
            rst: true,
            ..TcpFlags::default()
        },
    )
}

fn bare(from: SocketAddr, to: SocketAddr, ack: u32, flags: TcpFlags) -> Packet {
    let segment = TcpSegment {
        src_port: from.port(),
        dst_port: to.port(),
        seq: 0,
        ack,
        flags,
        window: u16::MAX,
        payload: bytes::Bytes::new(),
    };
    Packet {
        src: from.ip(),
        dst: to.ip(),
        ttl: 64,
        payload: Transport::Tcp(segment),
    }
}

/// The end that sent it, then the end that it is for.
pub(super) fn sender(packet: &Packet, segment: &TcpSegment) -> Connection {
    (
        SocketAddr::new(packet.src, segment.src_port),
        SocketAddr::new(packet.dst, segment.dst_port),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn ends() -> Connection {
        (
            "10.0.0.1:80".parse().unwrap(),
            "10.0.0.2:5000".parse().unwrap(),
        )
    }

    fn data(from: SocketAddr, to: SocketAddr) -> Packet {
        let mut packet = bare(
            from,
            to,
            0,
            TcpFlags {
                ack: true,
                ..TcpFlags::default()
            },
        );
        if let Transport::Tcp(segment) = &mut packet.payload {
            segment.payload = Bytes::from_static(b"data");
        }
        packet
    }

    fn syn(from: SocketAddr, to: SocketAddr, ack: bool) -> Packet {
        bare(
            from,
            to,
            0,
            TcpFlags {
                syn: true,
                ack,
                ..TcpFlags::default()
            },
        )
    }

    #[test]
    fn data_for_a_closed_socket_resets_both_ends_once() {
        let ((local, peer), mut repairs) = (ends(), Repairs::default());
        repairs.closed((local, peer));
        assert_eq!(
            repairs.arrived(&data(peer, local)),
            Arrival::ResetBoth((local, peer))
        );
        assert_eq!(repairs.arrived(&data(peer, local)), Arrival::Deliver);
    }

    #[test]
    fn a_new_connection_between_the_same_ports_is_not_taken_for_the_closed_one() {
        let ((local, peer), mut repairs) = (ends(), Repairs::default());
        repairs.closed((local, peer));
        repairs.arrived(&syn(peer, local, false));
        assert_eq!(repairs.arrived(&data(peer, local)), Arrival::Deliver);
    }

    #[test]
    fn a_reset_in_the_middle_of_a_handshake_completes_it_first() {
        let ((local, peer), mut repairs) = (ends(), Repairs::default());
        repairs.sent(&syn(local, peer, true));
        assert!(repairs.is_half_done(&(local, peer)));
        assert!(matches!(
            repairs.arrived(&reset(peer, local)),
            Arrival::CompleteFirst(_)
        ));
        assert_eq!(repairs.arrived(&reset(peer, local)), Arrival::Deliver);
    }

    #[test]
    fn connections_that_no_kernel_knows_any_more_are_forgotten() {
        let ((local, _), mut repairs) = (ends(), Repairs::default());
        for port in 1..2_000 {
            if repairs.closed((local, SocketAddr::new(local.ip(), port))) {
                repairs.prune(&BTreeSet::new());
            }
        }
        assert!(repairs.closed.len() < 600, "{}", repairs.closed.len());
    }
}
