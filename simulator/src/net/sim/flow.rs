//! How much of each connection is on its way.
//!
//! Owns: for every connection, what was sent and what of it was acknowledged.
//! Always holds: an acknowledgement that lets a waiting sender go on is told apart from all others.
//! Deliberately does not know: why that matters; asking all kernels what they want to send is the
//! most expensive thing the network does, and half of all packets are acknowledgements.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use turmoil_net::{Packet, TcpSegment, Transport};

use super::repairs::{Connection, sender};

/// turmoil-net has no window scaling, so a sender waits once this much is on its way.
const WINDOW: u32 = u16::MAX as u32;

/// Sequence numbers of one direction.
#[derive(Clone, Copy)]
struct Sent {
    acknowledged: u32,
    next: u32,
}

#[derive(Default)]
pub(super) struct Flow(HashMap<Connection, Sent, ahash::RandomState>);

impl Flow {
    /// Looks at a packet that leaves a host.
    pub(super) fn sent(&mut self, packet: &Packet) {
        let Transport::Tcp(segment) = &packet.payload else {
            return;
        };
        if segment.payload.is_empty() {
            return;
        }
        let length = u32::try_from(segment.payload.len()).unwrap_or(WINDOW);
        let next = segment.seq.wrapping_add(length);
        let fresh = Sent {
            acknowledged: segment.seq,
            next,
        };
        self.0.entry(sender(packet, segment)).or_insert(fresh).next = next;
    }

    /// Looks at a packet that is about to be delivered; true when the kernel that gets it may have
    /// something to send because of it.
    pub(super) fn arrived(&mut self, packet: &Packet) -> bool {
        let Transport::Tcp(segment) = &packet.payload else {
            return true;
        };
        let (peer, local) = sender(packet, segment);
        let waited = segment.flags.ack
            && self.0.get_mut(&(local, peer)).is_some_and(|sent| {
                let waited = sent.next.wrapping_sub(sent.acknowledged) >= WINDOW;
                sent.acknowledged = segment.ack;
                waited
            });
        waited || !is_acknowledgement(segment)
    }

    /// The machine behind the address is gone.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        self.0
            .retain(|(local, peer), _| local.ip() != ip && peer.ip() != ip);
    }

    /// Forgets connections that no kernel knows any more.
    pub(super) fn prune(&mut self, live: &BTreeSet<Connection>) {
        self.0.retain(|connection, _| live.contains(connection));
    }
}

/// Does the segment say nothing but how much has arrived?
pub(super) fn is_acknowledgement(segment: &TcpSegment) -> bool {
    let flags = segment.flags;
    segment.payload.is_empty() && flags.ack && !flags.syn && !flags.fin && !flags.rst
}
