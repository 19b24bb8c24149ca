//! How long the parts of a cluster take to react.
//!
//! Owns: every delay of the simulated control plane, with where its default comes from.
//! Always holds: a delay is drawn from the plane's own seeded stream, so the same seed gives the
//! same cluster.
//! Deliberately does not know: what is delayed.

use jiff::SignedDuration;
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// A delay between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// At least this.
    pub least: SignedDuration,
    /// At most this.
    pub most: SignedDuration,
}

impl Delay {
    /// A delay between two numbers of milliseconds.
    #[must_use]
    pub const fn millis(least: i64, most: i64) -> Self {
        Self {
            least: SignedDuration::from_millis(least),
            most: SignedDuration::from_millis(most),
        }
    }

    /// No delay at all.
    pub const NONE: Self = Self::millis(0, 0);
}

/// Every delay of the control plane. The defaults are those of a quiet three-node cluster of
/// Kubernetes 1.34, where a pod runs about a second after it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From a change until a controller has looked at it: one watch event and one queue.
    pub controller: Delay,
    /// From a pod without a node until it is bound.
    pub scheduler: Delay,
    /// From a claim with a chosen node until its volume is there.
    pub provision: Delay,
    /// From a change of pods or services until endpoints are written.
    pub endpoints: Delay,
    /// From a change until the garbage collector looks at it.
    pub garbage: Delay,
    /// From a change of a pod until its kubelet looks at it.
    pub kubelet: Delay,
    /// Mounting the volumes of a pod: the kubelet looks every 300 ms whether they are there.
    pub mount: Delay,
    /// Making a sandbox with its network.
    pub sandbox: Delay,
    /// Creating and starting one container whose image is there.
    pub container_start: Delay,
    /// From the exit of its last container until a deleted pod has left the server.
    pub teardown: Delay,
    /// How often a kubelet looks at its containers; what happened between is seen then.
    pub relist: SignedDuration,
    /// How often a kubelet goes over a pod for which nothing happened; it brings the files of
    /// mounted ConfigMaps and Secrets up to date. 60 s with up to half of it on top in reality.
    pub sync: Delay,
    /// From a written EndpointSlice until cluster DNS answers with it.
    pub dns: Delay,
    /// How long a DNS answer is repeated from a cache. Zero as in kubeadm's configuration, which
    /// switches the cache off for the cluster's own names.
    pub dns_cache: SignedDuration,
    /// The same for the answer that there is no such name.
    pub dns_negative_cache: SignedDuration,
    /// From a written EndpointSlice until the nodes send traffic of a service there.
    pub proxy: Delay,
    /// How long a silent node counts as ready (`--node-monitor-grace-period`).
    pub node_grace: SignedDuration,
    /// How often nodes are looked at for silence (`--node-monitor-period`).
    pub node_monitor: SignedDuration,
    /// How often a kubelet says that it lives.
    pub heartbeat: SignedDuration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            controller: Delay::millis(5, 20),
            scheduler: Delay::millis(5, 20),
            provision: Delay::millis(40, 80),
            endpoints: Delay::millis(20, 60),
            garbage: Delay::millis(20, 80),
            kubelet: Delay::millis(5, 25),
            mount: Delay::millis(300, 320),
            sandbox: Delay::millis(120, 220),
            container_start: Delay::millis(60, 140),
            teardown: Delay::millis(300, 500),
            relist: SignedDuration::from_secs(1),
            sync: Delay::millis(60_000, 90_000),
            dns: Delay::millis(20, 100),
            dns_cache: SignedDuration::ZERO,
            dns_negative_cache: SignedDuration::ZERO,
            proxy: Delay::millis(20, 100),
            node_grace: SignedDuration::from_secs(50),
            node_monitor: SignedDuration::from_secs(5),
            heartbeat: SignedDuration::from_secs(10),
        }
    }
}

/// Draws delays from a seeded stream.
#[derive(Debug)]
pub struct Draw {
    rng: SmallRng,
}

impl Draw {
    /// A stream that depends on nothing but the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// One delay.
    pub fn delay(&mut self, delay: Delay) -> SignedDuration {
        let spread = (delay.most - delay.least).as_micros();
        let spread = i64::try_from(spread).unwrap_or(i64::MAX);
        if spread <= 0 {
            return delay.least;
        }
        delay.least + SignedDuration::from_micros(self.rng.random_range(0..=spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_stays_between_its_bounds_and_follows_its_seed() {
        let delay = Delay::millis(10, 20);
        let draw = |seed| {
            let mut draw = Draw::new(seed);
            (0..100).map(|_| draw.delay(delay)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(
            draw(1)
                .iter()
                .all(|drawn| (delay.least..=delay.most).contains(drawn))
        );
        assert_eq!(Draw::new(1).delay(Delay::NONE), SignedDuration::ZERO);
    }
}
