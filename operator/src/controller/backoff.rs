//! When to look again at what Kubernetes does not announce.
//!
//! Owns: since when each cluster has waited for the same thing.
//! Always holds: the time between two looks grows exponentially, since each is a share of the time
//! that has passed; it has a bound, it begins anew when something else is waited for or the spec has
//! changed, and it varies at random, so that clusters that wait together do not come back together.
//! Deliberately does not know: what is waited for. A change that Kubernetes announces wakes the pass
//! at once, whatever was said here.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How the time between two looks grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// The time between the first two looks.
    pub(super) shortest: Duration,
    /// The share of the time passed that the next look is away.
    pub(super) share: f64,
    /// The bound.
    pub(super) longest: Duration,
}

/// One for all clusters.
#[derive(Default)]
pub(super) struct Backoff {
    /// By the cluster's UID: what is waited for, and since when.
    waits: Mutex<BTreeMap<String, (String, Instant)>>,
}

impl Backoff {
    /// Time until the next look.
    pub(super) fn next(&self, cluster: &str, what: String, growth: Growth) -> Duration {
        let now = Instant::now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = waits
            .entry(cluster.to_owned())
            .or_insert_with(|| (what.clone(), now));
        if wait.0 != what {
            *wait = (what, now);
        }
        let passed = now.duration_since(wait.1);
        let Growth {
            shortest,
            share,
            longest,
        } = growth;
        let next = passed.mul_f64(share).clamp(shortest, longest.max(shortest));
        next.mul_f64(1.0 - fastrand::f64() / 5.0)
    }

    /// Nothing is waited for any more.
    pub(super) fn forget(&self, cluster: &str) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.remove(cluster);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth {
        shortest: Duration::from_millis(100),
        share: 0.0625,
        longest: Duration::from_secs(8),
    };

    #[tokio::test(start_paused = true)]
    async fn looks_grow_apart_up_to_the_bound_and_begin_anew_with_something_else() {
        let backoff = Backoff::default();
        let (started, mut looks, mut last) = (Instant::now(), 0, Duration::ZERO);
        while started.elapsed() < Duration::from_secs(600) {
            last = backoff.next("a", "quorum".into(), GROWTH);
            assert!(last <= GROWTH.longest);
            tokio::time::sleep(last).await;
            looks += 1;
        }
        assert!(last >= GROWTH.longest.mul_f64(0.8), "{last:?}");
        assert!((60..220).contains(&looks), "{looks} looks in ten minutes");
        assert!(backoff.next("a", "learner".into(), GROWTH) <= GROWTH.shortest);
        assert!(backoff.next("b", "quorum".into(), GROWTH) <= GROWTH.shortest);
    }
}
