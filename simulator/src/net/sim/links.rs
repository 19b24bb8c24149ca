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
use turmoil_net::{Packet, Transport};

use super::flow::is_acknowledgement;

/// Acknowledgements take no time. Nobody sees them but the sender's kernel, and half of all packets
/// are such: simulated time would be spent on what makes no difference.
fn is_instant(packet: &Packet) -> bool {
    matches!(&packet.payload, Transport::Tcp(segment) if is_acknowledgement(segment))
}

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
    /// The silent addresses of machines that are lost, not of none.
    lost: BTreeSet<IpAddr>,
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
            lost: BTreeSet::new(),
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
        if is_instant(&packet) {
            self.travelling.insert((now, self.sent), packet);
            self.sent += 1;
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
        self.lost.insert(ip);
    }

    /// Ends a silence.
    pub(super) fn speak(&mut self, ip: IpAddr) {
        self.silent.remove(&ip);
        self.lost.remove(&ip);
    }

    /// Whether packets in this direction arrive.
    pub(super) fn reaches(&self, from: IpAddr, to: IpAddr) -> bool {
        !self.cut.contains_key(&(from, to))
            && !self.silent.contains(&from)
            && !self.silent.contains(&to)
    }

    /// Whether nothing hinders any packet.
    pub(super) fn are_whole(&self) -> bool {
        self.cut.is_empty() && self.slower.is_empty() && self.lost.is_empty()
    }

    /// Forgets the faults of an address that changes hands. What it sent last still arrives.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        let concerns = |(from, to): &Direction| *from == ip || *to == ip;
        self.cut.retain(|direction, _| !concerns(direction));
        self.slower.retain(|direction, _| !concerns(direction));
        self.silent.insert(ip);
        self.lost.remove(&ip);
    }

    /// How many packets were put on the wire so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use turmoil_net::UdpDatagram;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn links(latency: Latency) -> Links {
        Links::new(latency, SmallRng::seed_from_u64(1))
    }

    fn millis(least: u64, most: u64) -> Latency {
        Latency {
            min: Duration::from_millis(least),
            max: Duration::from_millis(most),
        }
    }

    fn packet(src: IpAddr, dst: IpAddr, number: u16) -> Packet {
        let datagram = UdpDatagram {
            src_port: number,
            dst_port: 1,
            payload: bytes::Bytes::new(),
        };
        Packet {
            src,
            dst,
            ttl: 64,
            payload: Transport::Udp(datagram),
        }
    }

    /// Numbers of the packets that arrive until `at`, in order.
    fn arrivals(links: &mut Links, at: Instant) -> Vec<u16> {
        let arrived = std::iter::from_fn(|| links.arrived(at));
        arrived
            .map(|packet| match packet.payload {
                Transport::Udp(datagram) => datagram.src_port,
                Transport::Tcp(_) => unreachable!("these tests send datagrams"),
            })
            .collect()
    }

    #[test]
    fn packets_of_one_direction_stay_in_order() {
        let (mut links, start) = (links(millis(0, 20)), Instant::now());
        for number in 0..200 {
            links.send(
                start + Duration::from_millis(u64::from(number)),
                packet(A, B, number),
            );
        }
        let order = arrivals(&mut links, start + Duration::from_secs(1));
        assert_eq!(order, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn latency_below_the_timer_s_resolution_is_kept_on_average() {
        let latency = Latency {
            min: Duration::from_micros(200),
            max: Duration::from_micros(400),
        };
        let mut links = links(latency);
        let total: Duration = (0..10_000).map(|_| links.draw()).sum();
        let mean = total / 10_000;
        assert!((280..320).contains(&mean.as_micros()), "{mean:?}");
    }

    #[test]
    fn a_cut_stops_one_direction_also_for_what_is_on_its_way() {
        let (mut links, start) = (links(millis(5, 5)), Instant::now());
        links.send(start, packet(A, B, 1));
        links.cut(A, B);
        links.send(start, packet(A, B, 2));
        links.send(start, packet(B, A, 3));
        let later = start + Duration::from_secs(1);
        assert_eq!(arrivals(&mut links, later), [3]);
        links.heal(later, A, B);
        assert_eq!(
            arrivals(&mut links, later + Duration::from_secs(1)).len(),
            2
        );
    }

    #[test]
    fn a_silent_address_neither_sends_nor_receives() {
        let (mut links, start) = (links(millis(1, 1)), Instant::now());
        links.send(start, packet(A, B, 1));
        links.send(start, packet(B, A, 2));
        links.silence(B);
        links.send(start, packet(B, A, 3));
        assert_eq!(
            arrivals(&mut links, start + Duration::from_secs(1)),
            [2],
            "sent before it fell silent"
        );
    }

    #[test]
    fn a_slow_direction_is_slow_and_the_other_is_not() {
        let (mut links, start) = (links(millis(1, 1)), Instant::now());
        links.slow(A, B, Duration::from_millis(200));
        links.send(start, packet(A, B, 1));
        links.send(start, packet(B, A, 2));
        assert_eq!(
            arrivals(&mut links, start + Duration::from_millis(200)),
            [2]
        );
        assert_eq!(
            arrivals(&mut links, start + Duration::from_millis(201)),
            [1]
        );
    }

    #[test]
    fn faults_do_not_outlive_the_host_that_had_the_address() {
        let (mut links, start) = (links(millis(1, 1)), Instant::now());
        links.cut(A, B);
        links.send(start, packet(A, B, 1));
        links.forget(B);
        links.speak(B);
        links.send(start, packet(A, B, 2));
        assert_eq!(arrivals(&mut links, start + Duration::from_secs(1)), [2]);
    }
}
