//! Whether a member's data is lost, and how we know.
//!
//! Owns: the evidence. Any one piece is enough.
//! Always holds: a member that answers as itself is damaged only by its own word (the CORRUPT
//! alarm) or because its volume is being deleted under it. Silence alone is no evidence: a node that
//! is away comes back with its data.
//! Deliberately does not know: what is done about it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::{
    last_words::LastWords,
    observe::{Observed, PodView},
};

/// Starts in a row after which a crash is taken for lasting.
const CRASHES: u32 = 5;
/// How long a member must have been silent before its crash loop counts.
const CRASHING_FOR: SignedDuration = SignedDuration::from_mins(3);
/// How long a volume that no node can mount is waited for: a node may be replaced under its name.
const UNREACHABLE_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Why a member's data is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its volume is another one than the one on which it last answered, or there is none.
    VolumeReplaced,
    /// Its volume is being deleted: what is on it is gone with the next restart.
    VolumeGoing,
    /// No node can mount its volume.
    VolumeUnreachable,
    /// It said so when it ended.
    Said(LastWords),
    /// It raised the CORRUPT alarm.
    Corrupt,
    /// It crashes at every start, for a reason that is not known.
    Crashing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VolumeReplaced => f.write_str("the volume with its data is gone"),
            Self::VolumeGoing => f.write_str("its volume is being deleted"),
            Self::VolumeUnreachable => f.write_str("its volume is bound to a node that is no more"),
            Self::Said(words) => words.fmt(f),
            Self::Corrupt => f.write_str("it found its data to differ from the others'"),
            Self::Crashing => f.write_str("it crashes at every start"),
        }
    }
}

/// What is wrong with the data of the member with this ordinal and ID, if anything.
pub(super) fn of(observed: &Observed, ordinal: u32, id: u64, now: Timestamp) -> Option<Damage> {
    let claim = observed.claims.get(&ordinal);
    let going = claim.is_some_and(|claim| claim.terminating);
    if let Some(report) = observed.report_of(id) {
        let corrupt = report.has_corrupt_alarm();
        return corrupt
            .then_some(Damage::Corrupt)
            .or(going.then_some(Damage::VolumeGoing));
    }
    let before = observed.recorded(id);
    let silent = |at_least| {
        let since = before.and_then(|member| member.last_seen.as_ref());
        since.is_some_and(|since| now.duration_since(since.0) >= at_least)
    };
    if going {
        return Some(Damage::VolumeGoing);
    }
    let known = before.and_then(|member| member.volume.as_ref());
    if known.is_some_and(|known| claim.is_none_or(|claim| claim.uid != *known)) {
        return Some(Damage::VolumeReplaced);
    }
    let pod = observed.pods.get(&ordinal).filter(|pod| !pod.terminating)?;
    if no_node_can_mount(pod) && silent(UNREACHABLE_FOR) {
        return Some(Damage::VolumeUnreachable);
    }
    // What a container that runs again said before is of no interest.
    if pod.running {
        return None;
    }
    match words(pod) {
        Some(LastWords::NoConfiguration) => None,
        Some(words) => Some(Damage::Said(words)),
        None => (crashes(pod) && silent(CRASHING_FOR)).then_some(Damage::Crashing),
    }
}

/// What a pod's container said when it ended.
pub(super) fn words(pod: &PodView) -> Option<LastWords> {
    LastWords::of(&pod.last_exit.as_ref()?.message)
}

/// Whether the kubelet says that it waits before it starts the container again.
pub(super) fn loops(pod: &PodView) -> bool {
    let trouble = pod.trouble.as_ref();
    trouble.is_some_and(|trouble| trouble.starts_with("CrashLoopBackOff"))
}

/// A member that is killed for its memory, or whose image cannot be had, has its data.
fn crashes(pod: &PodView) -> bool {
    let failed = pod
        .last_exit
        .as_ref()
        .is_some_and(|exit| exit.code != 0 && exit.reason != "OOMKilled");
    loops(pod) && failed && pod.restarts >= CRASHES
}

/// The scheduler counts, for each reason, the nodes that it rules out; when the volume rules all of
/// them out, the node that it is bound to is no more. A node that is merely away is counted under
/// its taint. The wording changed with Kubernetes 1.33.
fn no_node_can_mount(pod: &PodView) -> bool {
    let Some(text) = pod.trouble.as_deref() else {
        return false;
    };
    let nodes = text
        .split_once("0/")
        .and_then(|(_, rest)| rest.split(' ').next());
    [
        " node(s) had volume node affinity conflict",
        " node(s) didn't match PersistentVolume's node affinity",
    ]
    .into_iter()
    .filter_map(|reason| text.split_once(reason)?.0.rsplit(' ').next())
    .any(|ruled_out| Some(ruled_out) == nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(message: &str) -> PodView {
        PodView {
            trouble: Some(format!("Unschedulable: {message}")),
            ..PodView::default()
        }
    }

    #[test]
    fn a_volume_is_lost_only_when_it_rules_out_every_node() {
        for lost in [
            "0/2 nodes are available: 2 node(s) had volume node affinity conflict. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
        ] {
            assert!(no_node_can_mount(&pending(lost)), "{lost}");
        }
        for kept in [
            "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 node(s) had volume node affinity conflict.",
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match PersistentVolume's node affinity.",
            "0/3 nodes are available: 3 Insufficient memory.",
            "running PreBind plugin \"VolumeBinding\": binding volumes: timed out",
        ] {
            assert!(!no_node_can_mount(&pending(kept)), "{kept}");
        }
    }
}
