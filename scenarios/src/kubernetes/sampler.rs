//! What the status says, five times a second, whatever else goes on.
//!
//! Owns: reading resource and pods in a task of its own, judging the pairs by the rule
//! [`ReadyIsTrue`], and how long the status claimed too much.
//! Always holds: a time in which nobody could read the status is no time in which it was false.
//! Deliberately does not know: what members say; the runner asks them, at its own pace.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chaos::{
    Observation, Violation,
    invariants::{Invariant, ready_is_true::ReadyIsTrue},
};
use kube::Client;
use simulator::clock::Clock;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{user, world::WorldFailed};

/// Time between two samples.
const EVERY: Duration = Duration::from_millis(200);

/// An answer that comes later tells of another moment.
const DEADLINE: Duration = Duration::from_secs(1);

/// Reads the status of one cluster until it is dropped.
pub(super) struct Sampler {
    found: Arc<Mutex<Found>>,
    task: tokio::task::JoinHandle<()>,
}

/// What the samples showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Samples that were judged.
    pub(super) samples: u64,
    /// Samples for which there was no answer.
    pub(super) unanswered: u64,
    /// Longest time for which READY was above the pods that run.
    pub(super) longest_false: Duration,
    /// Broken rules.
    pub(super) violations: Vec<Violation>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sampler {
    /// Begins to sample.
    pub(super) fn start(kube: Client, namespace: &str, cluster: &str, clock: Clock) -> Self {
        let found = Arc::default();
        let sampling = sample(
            (kube, namespace.to_owned(), cluster.to_owned()),
            clock,
            Arc::clone(&found),
        );
        Self {
            found,
            task: tokio::spawn(sampling),
        }
    }

    /// What was found so far.
    pub(super) fn found(&self) -> Found {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn sample(
    (kube, namespace, cluster): (Client, String, String),
    clock: Clock,
    found: Arc<Mutex<Found>>,
) {
    let mut judge = Judge::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let read = timeout(DEADLINE, read(&kube, &namespace, &cluster)).await;
        let look = read.ok().and_then(Result::ok).map(|look| Observation {
            at: clock.elapsed(),
            ..look
        });
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        judge.judge(look.as_ref(), &mut found);
    }
}

async fn read(kube: &Client, namespace: &str, cluster: &str) -> Result<Observation, WorldFailed> {
    let resource = user::resource::read(kube.clone(), namespace, cluster).await?;
    let pods = user::pods::read(kube.clone(), namespace, cluster).await?;
    Ok(Observation {
        at: Duration::ZERO,
        resource: resource.map(|(resource, _)| resource),
        pods: pods.into_iter().map(|(pod, _)| pod).collect(),
        ..Observation::default()
    })
}

#[derive(Default)]
struct Judge {
    rule: ReadyIsTrue,
    false_since: Option<Duration>,
    violated: bool,
}

impl Judge {
    fn judge(&mut self, look: Option<&Observation>, found: &mut Found) {
        let Some(look) = look else {
            found.unanswered += 1;
            *self = Self::default();
            return;
        };
        found.samples += 1;
        let running = look.pods.iter().filter(|pod| pod.running).count();
        let ready = look.resource.as_ref().map_or(0, |it| it.ready as usize);
        if ready > running {
            let since = *self.false_since.get_or_insert(look.at);
            found.longest_false = found.longest_false.max(look.at.saturating_sub(since));
        } else {
            self.false_since = None;
        }
        let evidence = self.rule.judge(look);
        // One claim is one violation, however often it is seen.
        if let Some(evidence) = evidence.clone().filter(|_| !self.violated) {
            found.violations.push(Violation {
                invariant: self.rule.name(),
                at: look.at,
                evidence,
            });
        }
        self.violated = evidence.is_some();
    }
}

#[cfg(test)]
mod tests {
    use chaos::observation::{Pod, Resource};

    use super::*;

    fn look(at_ms: u64, ready: u32, running: usize) -> Observation {
        Observation {
            at: Duration::from_millis(at_ms),
            resource: Some(Resource {
                ready,
                ..Resource::default()
            }),
            pods: vec![
                Pod {
                    running: true,
                    ..Pod::default()
                };
                running
            ],
            ..Observation::default()
        }
    }

    fn judged(looks: &[Option<Observation>]) -> Found {
        let (mut judge, mut found) = (Judge::default(), Found::default());
        for look in looks {
            judge.judge(look.as_ref(), &mut found);
        }
        found
    }

    #[test]
    fn a_status_that_stays_false_is_one_violation_and_its_time_is_known() {
        let looks: Vec<_> = (0..30).map(|i| Some(look(i * 200, 3, 2))).collect();
        let found = judged(&looks);
        assert_eq!(found.violations.len(), 1);
        assert_eq!(found.longest_false, Duration::from_millis(29 * 200));
    }

    #[test]
    fn a_gap_without_answers_begins_anew() {
        let found = judged(&[Some(look(0, 3, 2)), None, Some(look(9000, 3, 2))]);
        assert!(found.violations.is_empty());
        assert_eq!((found.samples, found.unanswered), (2, 1));
        assert_eq!(found.longest_false, Duration::ZERO);
    }
}
