//! How long to wait for what nobody announces: members that start, elections, a refusal of etcd.
//!
//! Owns: since when each cluster has been waiting for the same thing.
//! Always holds: the pauses grow exponentially while the same thing is waited for, up to a bound,
//! and begin anew with anything else, so that a short wait costs little, a long one is no hot loop,
//! and yesterday's trouble does not slow today's step. A change in Kubernetes ends any pause.
//! Deliberately does not know: what is waited for. It is forgotten with the process; then pauses
//! begin short, which is harmless.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::time::Instant;

use crate::api::EtcdCluster;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);
/// A pause is this part of the wait so far: each makes the next longer by a twentieth, and the end
/// of a wait is noticed with at most as much delay.
const PART: u32 = 20;

/// The waits of all clusters.
pub(super) struct Patience {
    clusters: Store<EtcdCluster>,
    waits: Mutex<BTreeMap<(String, String), Wait>>,
}

struct Wait {
    what: String,
    since: Instant,
}

impl Patience {
    pub(super) fn new(clusters: Store<EtcdCluster>) -> Self {
        Self {
            clusters,
            waits: Mutex::default(),
        }
    }

    /// The pause before the next look at a cluster that waits for `what`.
    pub(super) fn pause(&self, cluster: &EtcdCluster, what: String, longest: Duration) -> Duration {
        let what = format!("{what} {}", cluster.metadata.generation.unwrap_or_default());
        let now = Instant::now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = waits.entry(key(cluster)).or_insert_with(|| Wait {
            what: what.clone(),
            since: now,
        });
        if wait.what != what {
            *wait = Wait { what, since: now };
        }
        let pause = (now.duration_since(wait.since) / PART).max(SHORTEST);
        if waits.len() > self.clusters.len() {
            waits.retain(|(namespace, name), _| {
                let cluster = ObjectRef::new(name).within(namespace);
                self.clusters.get(&cluster).is_some()
            });
        }
        // Many clusters that wait for the same outage to end must not all look at once.
        pause.mul_f64(0.9 + 0.2 * fastrand::f64()).min(longest)
    }

    /// The cluster does not wait any more.
    pub(super) fn over(&self, cluster: &EtcdCluster) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.remove(&key(cluster));
    }
}

fn key(cluster: &EtcdCluster) -> (String, String) {
    (cluster.namespace().unwrap_or_default(), cluster.name_any())
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector, watcher};

    use super::*;

    const LONGEST: Duration = Duration::from_secs(8);

    fn cluster(name: &str) -> EtcdCluster {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "etcd.etcd.io/v1alpha1",
            "kind": "EtcdCluster",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {},
        }))
        .unwrap()
    }

    fn patience(known: &[&str]) -> Patience {
        let (store, mut writer) = reflector::store();
        for name in known {
            writer.apply_watcher_event(&watcher::Event::Apply(cluster(name)));
        }
        Patience::new(store)
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_bound_and_begin_anew_with_anything_else() {
        let (patience, demo) = (patience(&["demo"]), cluster("demo"));
        let mut looks = 0;
        let began = Instant::now();
        let mut pause = Duration::ZERO;
        while began.elapsed() < Duration::from_secs(3600) {
            pause = patience.pause(&demo, "etcd".to_owned(), LONGEST);
            tokio::time::sleep(pause).await;
            looks += 1;
        }
        assert!(
            pause > Duration::from_secs(7) && pause <= LONGEST,
            "{pause:?}"
        );
        assert!((400..700).contains(&looks), "{looks} looks in an hour");
        let anew = patience.pause(&demo, "a learner".to_owned(), LONGEST);
        assert!(anew < SHORTEST * 2, "{anew:?}");
        patience.over(&demo);
        assert!(patience.waits.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_of_clusters_that_are_gone_are_forgotten() {
        let patience = patience(&["demo"]);
        for name in ["demo", "gone", "gone-too"] {
            patience.pause(&cluster(name), "etcd".to_owned(), LONGEST);
        }
        assert_eq!(patience.waits.lock().unwrap().len(), 1);
    }
}
