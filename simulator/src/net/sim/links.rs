//! Packets on their way.
//!
//! Owns: latency, order, cuts, and which addresses are silent.
//! Always holds: two packets in the same direction between the same addresses arrive in the order
//! they were sent (turmoil-net's receivers drop what comes out of order).
//! Deliberately does not know: what packets carry, hosts, tasks. Time comes as an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use rand::{Rng, rngs::SmallRng};
use tokio::time::Instant;
use turmoil_net::Packet;

/// From one address to another.
type Direction = (IpAddr, IpAddr);

/// How long a packet travels, drawn evenly between both ends.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// The fastest packet.
    pub min: Duration,
    /// The slowest packet.
    pub max: Duration,
}

impl Default for Latency {
    /// What pods of one cluster see, kernels and proxies included.
    fn default() -> Self {
        Self {
            min: Duration::from_micros(200),
            max: Duration::from_millis(1),
        }
    }
}

pub(super) struct Links {
    latency: Latency,
    random: SmallRng,
    travelling: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    latest: BTreeMap<Direction, Instant>,
    slower: BTreeMap<Direction, Duration>,
    cut: BTreeMap<Direction, Vec<Packet>>,
    silent: BTreeSet<IpAddr>,
}

impl Links {
    pub(super) fn new(latency: Latency, random: SmallRng) -> Self {
        Self {
            latency,
            random,
            travelling: BTreeMap::new(),
            sent: 0,
            latest: BTreeMap::new(),
            slower: BTreeMap::new(),
            cut: BTreeMap::new(),
            silent: BTreeSet::new(),
        }
    }

    /// Puts a packet on the wire.
    pub(super) fn send(&mut self, now: Instant, packet: Packet) {
        let direction = (packet.src, packet.dst);
        if self.silent.contains(&packet.src) || self.silent.contains(&packet.dst) {
            return;
        }
        if let Some(parked) = self.cut.get_mut(&direction) {
            parked.push(packet);
            return;
        }
        let slower = self.slower.get(&direction).copied().unwrap_or_default();
        let arrival = now + self.draw() + slower;
        let latest = self.latest.entry(direction).or_insert(arrival);
        *latest = arrival.max(*latest);
        self.travelling.insert((*latest, self.sent), packet);
        self.sent += 1;
    }

    /// tokio's timers have a resolution of one millisecond and round up, which would make every
    /// packet take at least that. Rounding by chance keeps the mean: 0.3 ms is 1 ms for three
    /// packets out of ten, and none for the others.
    fn draw(&mut self) -> Duration {
        let drawn = self
            .random
            .random_range(self.latency.min..=self.latency.max);
        let whole = Duration::from_millis(u64::try_from(drawn.as_millis()).unwrap_or(u64::MAX));
        let rest = (drawn - whole).as_micros();
        let up = rest > 0 && self.random.random_range(0..1000) < rest;
        whole
            + if up {
                Duration::from_millis(1)
            } else {
                Duration::ZERO
            }
    }

    /// The next packet that has arrived by now.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<Packet> {
        loop {
            let next = self.travelling.first_entry()?;
            if next.key().0 > now {
                return None;
            }
            let packet = next.remove();
            if self.silent.contains(&packet.dst) {
                continue;
            }
            match self.cut.get_mut(&(packet.src, packet.dst)) {
                Some(parked) => parked.push(packet),
                None => return Some(packet),
            }
        }
    }

    /// When the next packet arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.travelling.first_key_value().map(|((at, _), _)| *at)
    }

    /// Parks what travels in this direction until [`Links::heal`].
    pub(super) fn cut(&mut self, from: IpAddr, to: IpAddr) {
        self.cut.entry((from, to)).or_default();
    }

    /// Ends a cut and sends what was parked.
    pub(super) fn heal(&mut self, now: Instant, from: IpAddr, to: IpAddr) {
        for packet in self.cut.remove(&(from, to)).unwrap_or_default() {
            self.send(now, packet);
        }
    }

    /// Adds to the latency of one direction; zero ends it.
    pub(super) fn slow(&mut self, from: IpAddr, to: IpAddr, by: Duration) {
        if by.is_zero() {
            self.slower.remove(&(from, to));
        } else {
            self.slower.insert((from, to), by);
        }
    }

    /// Nothing leaves or reaches the address until [`Links::speak`].
    pub(super) fn silence(&mut self, ip: IpAddr) {
        self.silent.insert(ip);
    }

    /// Ends a silence.
    pub(super) fn speak(&mut self, ip: IpAddr) {
        self.silent.remove(&ip);
    }

    /// Forgets the faults of an address that changes hands. What it sent last still arrives.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        let concerns = |(from, to): &Direction| *from == ip || *to == ip;
        self.cut.retain(|direction, _| !concerns(direction));
        self.slower.retain(|direction, _| !concerns(direction));
        self.silent.insert(ip);
    }

    /// How many packets were put on the wire so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}
