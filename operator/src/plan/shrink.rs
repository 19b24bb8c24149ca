//! Shrinking: the leader hands over, the member is removed, its pod and its volume go.
//!
//! Owns: who leaves, and in which order things go.
//! Always holds: the membership shrinks before the pods do; a removal is asked of the gate.
//! Deliberately does not know: how many pods there are; they follow the membership.

use super::{Action, Cluster, Removal, Step, Waiting};
use crate::validate::Desired;

/// Removes the member with the highest ordinal, after it gave leadership away.
pub(super) fn shrink(desired: &Desired, cluster: &Cluster<'_>) -> Step {
    if cluster.voter_count() <= desired.size {
        return Step::Settled;
    }
    let Some((ordinal, victim)) = cluster.voters().last() else {
        return Step::Settled;
    };
    let name = cluster.desired.identity.member(ordinal);
    if let Err(refusal) = cluster.gate.removal(victim.id) {
        return Step::Wait(Waiting::QuorumAtRisk {
            step: format!("remove {name}"),
            refusal,
        });
    }
    if cluster.observed.leader() != Some(victim.id) {
        return Step::Act(Action::RemoveMember {
            ordinal,
            id: victim.id,
            why: Removal::ScaleDown,
        });
    }
    match hand_over(cluster, ordinal, victim.id) {
        Some(handover) => Step::Act(handover),
        None => Step::Wait(Waiting::VoterUnhealthy {
            member: name,
            why: "it leads, and no other voter is healthy enough to take over".to_owned(),
        }),
    }
}

/// Leadership for the best of the other voters, if any of them is healthy.
pub(super) fn hand_over(cluster: &Cluster<'_>, from: u32, leaving: u64) -> Option<Action> {
    let (to, id) = heir(cluster, leaving)?;
    Some(Action::MoveLeader { from, to, id })
}

/// The healthy voter that has applied most; the lowest ordinal among equals, since it stays.
pub(super) fn heir(cluster: &Cluster<'_>, leaving: u64) -> Option<(u32, u64)> {
    cluster
        .voters()
        .filter(|(_, member)| member.id != leaving && cluster.gate.is_healthy(member.id))
        .max_by_key(|(ordinal, member)| {
            let applied = cluster
                .observed
                .report_of(member.id)
                .map_or(0, |r| r.applied_index);
            (applied, std::cmp::Reverse(*ordinal))
        })
        .map(|(ordinal, member)| (ordinal, member.id))
}

/// Volumes of members that are no more. Above the members the pod goes first, by itself. Between
/// them the StatefulSet keeps a pod, which lets go of the volume when the next member is added.
pub(super) fn clean_up(cluster: &Cluster<'_>) -> Step {
    let highest = cluster.highest_ordinal();
    let stale = cluster.observed.claims.iter().find(|(ordinal, claim)| {
        let pod = cluster.observed.pods.get(ordinal);
        !cluster.members.contains_key(ordinal)
            && !claim.terminating
            && (**ordinal < highest || pod.is_none_or(|pod| pod.terminating))
    });
    match stale {
        Some((ordinal, claim)) => Step::Act(Action::DeleteClaim {
            ordinal: *ordinal,
            uid: claim.uid.clone(),
        }),
        None => Step::Settled,
    }
}
