//! Members that Kubernetes keeps from starting although nothing is wrong with them.
//!
//! Owns: who is let out of the kubelet's back-off (10 s after the second end of a container, doubling
//! to 5 min: Kubernetes documentation, "Pod Lifecycle", container restart policy).
//! Always holds: only a container that did its work and was killed from outside starts at once. One
//! that ends by itself, or for its memory, would do so again: for those the back-off is made.
//! Deliberately does not know: who killed it.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Restart, damage, recover, replace};
use crate::{
    observe::{Observed, PodView},
    validate::Desired,
};

/// A container that ran this long had started well. It also bounds how often a pod is made anew.
const RAN_WELL: SignedDuration = SignedDuration::from_secs(10);
/// A container that is started at once is running again after this time.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(3);
/// Exit codes of a process that SIGKILL or SIGTERM has ended.
const KILLED: [i32; 2] = [137, 143];

/// A new pod for one of them: back-off is counted by pod.
pub(super) fn release(desired: &Desired, observed: &Observed, now: Timestamp) -> Option<Action> {
    if desired.size == 0 || recover::is_told(observed) {
        return None;
    }
    let mut pods = observed.pods.iter();
    let (ordinal, _) = pods.find(|(_, pod)| is_held_back(pod, now))?;
    replace::restart(observed, *ordinal, Restart::HeldBack)
}

/// The kubelet says so only when it looks again, 10 s later or more; but it starts what it does not
/// hold back within a second.
fn is_held_back(pod: &PodView, now: Timestamp) -> bool {
    let Some(exit) = pod.last_exit.as_ref().filter(|_| !pod.running) else {
        return false;
    };
    let waits = match &pod.trouble {
        Some(_) => damage::loops(pod),
        None => exit
            .finished
            .is_some_and(|finished| now.duration_since(finished) >= AT_ONCE),
    };
    let killed = KILLED.contains(&exit.code) && exit.reason != "OOMKilled";
    let ran_well = exit.ran.is_some_and(|ran| ran >= RAN_WELL);
    waits && killed && ran_well && !pod.terminating
}
