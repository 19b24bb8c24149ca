//! What a kubelet works with during one step.
//!
//! Owns: nothing; it lends the cluster, the container runtime and the delays to a pod's worker.
//! Always holds: it lives for one step only.
//! Deliberately does not know: which pod is worked on.

use jiff::{SignedDuration, Timestamp};

use crate::kubernetes::{
    controllers::{
        cluster::Cluster,
        timings::{Delay, Draw, Timings},
    },
    runtime::ContainerRuntime,
};

/// Lent to the workers of one kubelet for one step.
pub(super) struct Hands<'a, 'b> {
    pub(super) cluster: &'a mut Cluster<'b>,
    pub(super) runtime: &'a mut dyn ContainerRuntime,
    pub(super) timings: &'a Timings,
    pub(super) draw: &'a mut Draw,
    pub(super) node: &'a Node,
    /// Number of the next probe attempt.
    pub(super) token: &'a mut u64,
}

/// What a kubelet knows of its node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) ip: String,
    /// When in each period of relisting this kubelet relists.
    pub(super) phase: SignedDuration,
}

impl Hands<'_, '_> {
    pub(super) fn now(&self) -> Timestamp {
        self.cluster.now()
    }

    pub(super) fn after(&mut self, delay: Delay) -> Timestamp {
        self.cluster.now() + self.draw.delay(delay)
    }

    /// When the kubelet looks at its containers next.
    pub(super) fn next_relist(&self) -> Timestamp {
        let period = self.timings.relist.as_nanos().max(1);
        let now = self.now().as_nanosecond() - self.node.phase.as_nanos();
        let wait = period - now.rem_euclid(period);
        let wait = i64::try_from(wait).unwrap_or(i64::MAX);
        self.now() + SignedDuration::from_nanos(wait)
    }
}
