//! Growth: learner first, promoted when it has caught up.
//!
//! Owns: which member is added when, and when a learner becomes a voter.
//! Always holds: voters grow one at a time. A learner never touches quorum and never blocks an
//! add, so where etcd allows two learners (3.6), the second is added while the first still is one.
//! Deliberately does not know: pods; they follow the membership.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Cluster, Removal, Step, Waiting};
use crate::{etcd::Member, validate::Desired, version::EtcdVersion};

/// A learner that has not become a voter this long after its pod was created is removed and added
/// anew: it blocks every other change of the membership.
pub(super) const LEARNER_DEADLINE: SignedDuration = SignedDuration::from_mins(5);

/// A learner this old is promoted without a second one beside it: etcd has refused the second for
/// longer than its own rule (voters connected for 5 s) explains, so less than all is well.
const PATIENCE_FOR_A_SECOND: SignedDuration = SignedDuration::from_secs(15);

/// etcd itself promotes at 90 % of the leader's index; this spares it calls that it would refuse.
pub(super) const CLOSE_ENOUGH: u64 = 1000;

/// Promotes the learner that is ready, or says what it lacks.
pub(super) fn settle_learners(desired: &Desired, cluster: &Cluster<'_>, now: Timestamp) -> Step {
    let mut first_wait = None;
    for (ordinal, member) in cluster.learners() {
        if ordinal >= desired.size {
            return remove(ordinal, member, Removal::ScaleDown);
        }
        if let Some(second) = second_learner(desired, cluster, now) {
            return Step::Act(second);
        }
        match promote(cluster, ordinal, member, now) {
            Step::Wait(waiting) => first_wait = first_wait.or(Some(waiting)),
            decided => return decided,
        }
    }
    first_wait.map_or(Step::Settled, Step::Wait)
}

fn promote(cluster: &Cluster<'_>, ordinal: u32, member: &Member, now: Timestamp) -> Step {
    let name = cluster.desired.identity.member(ordinal);
    if is_late(cluster, ordinal, member.id, now) {
        return remove(ordinal, member, Removal::LearnerLate);
    }
    let report = match cluster.observed.report_of(member.id) {
        Some(report) if member.started() => report,
        _ => return promote_unseen(cluster, ordinal, member),
    };
    let leader = cluster
        .observed
        .leader()
        .and_then(|id| cluster.observed.report_of(id));
    let behind = leader.map_or(0, |leader| {
        leader.raft_index.saturating_sub(report.applied_index)
    });
    if behind > CLOSE_ENOUGH {
        return Step::Wait(Waiting::LearnerBehind {
            member: name,
            entries: behind,
        });
    }
    match cluster.gate.promotion() {
        Ok(()) => Step::Act(Action::Promote {
            ordinal,
            id: member.id,
        }),
        Err(refusal) => Step::Wait(Waiting::QuorumAtRisk {
            step: format!("promote {name}"),
            refusal,
        }),
    }
}

/// A pod that is made anew over and over is always young, and one that never comes has no age; so
/// what counts is since when the member has been a learner.
fn is_late(cluster: &Cluster<'_>, ordinal: u32, id: u64, now: Timestamp) -> bool {
    let pod = cluster.observed.pods.get(&ordinal);
    let created = pod.and_then(|pod| pod.created);
    let learner = cluster.observed.recorded(id);
    let learner = learner.and_then(|member| member.learner_since.as_ref());
    [created, learner.map(|since| since.0)]
        .into_iter()
        .flatten()
        .any(|since| now.duration_since(since) > LEARNER_DEADLINE)
}

/// A learner whose log comes as a snapshot answers clients only seven seconds later: its word of
/// where it serves is in the snapshot, so it never applies the entry that it waits for, and says it
/// again after that time. From 3.6 on that is so in every cluster with more than a hundred entries:
/// etcd then compacts the first of them away (`compactRaftLog` and `memorySnapshotCount` in its
/// `server.go`). The leader knows whether it is in sync, and refuses when it is not. It counts as a
/// voter that does not answer, so the others must hold quorum without it.
fn promote_unseen(cluster: &Cluster<'_>, ordinal: u32, member: &Member) -> Step {
    if cluster.runs(ordinal) && cluster.gate.promotion_unseen().is_ok() {
        return Step::Act(Action::Promote {
            ordinal,
            id: member.id,
        });
    }
    Step::Wait(Waiting::LearnerStarting {
        member: cluster.desired.identity.member(ordinal),
        trouble: cluster.trouble_of(ordinal),
    })
}

/// A second learner beside the first: only where etcd allows it, the first has joined (members that
/// start together wait for each other's names), and every voter is well.
fn second_learner(desired: &Desired, cluster: &Cluster<'_>, now: Timestamp) -> Option<Action> {
    let learners: Vec<_> = cluster.learners().collect();
    let wanted = usize::try_from(desired.size).unwrap_or(usize::MAX);
    let fits = learners.len() < learner_limit(desired, cluster) && cluster.members.len() < wanted;
    let first_joined = learners
        .iter()
        .all(|(ordinal, learner)| learner.started() || cluster.runs(*ordinal));
    let first_is_young = learners.iter().all(|(ordinal, _)| {
        let created = cluster
            .observed
            .pods
            .get(ordinal)
            .and_then(|pod| pod.created);
        created.is_none_or(|created| now.duration_since(created) <= PATIENCE_FOR_A_SECOND)
    });
    if !fits || !first_joined || !first_is_young || cluster.gate.sick().next().is_some() {
        return None;
    }
    match add(cluster) {
        Step::Act(action) => Some(action),
        Step::Wait(_) | Step::Settled => None,
    }
}

/// What every voter allows: while versions are mixed, the oldest decides. A voter of whom no version
/// is known may be of any.
fn learner_limit(desired: &Desired, cluster: &Cluster<'_>) -> usize {
    let of_voter = |member: &Member| {
        let report = cluster.observed.report_of(member.id)?;
        let version: EtcdVersion = report.version.parse().ok()?;
        Some(version.learner_limit())
    };
    let voters = cluster.voters();
    voters
        .map(|(_, member)| of_voter(member).unwrap_or(1))
        .min()
        .unwrap_or(1)
        .min(desired.version.learner_limit())
}

/// Adds the next member when nothing else is going on.
pub(super) fn grow(desired: &Desired, cluster: &Cluster<'_>) -> Step {
    let complete = (0..desired.size).all(|ordinal| cluster.members.contains_key(&ordinal));
    let too_many = cluster.voter_count() > desired.size;
    if complete || too_many || cluster.learners().next().is_some() {
        return Step::Settled;
    }
    if !cluster.gate.has_quorum() {
        return Step::Wait(Waiting::MembershipUnknown {
            why: "too few voters answer".to_owned(),
            trouble: None,
            advice: None,
        });
    }
    add(cluster)
}

/// The lowest free ordinal. Above the members nothing may be left of whoever had it before; between
/// them the volume is on its way out and goes when the pod is restarted.
fn add(cluster: &Cluster<'_>) -> Step {
    let ordinal = (0..)
        .find(|o| !cluster.members.contains_key(o))
        .unwrap_or(0);
    let leftover = |what| {
        Step::Wait(Waiting::Leftovers {
            member: cluster.desired.identity.member(ordinal),
            what,
        })
    };
    if cluster.observed.pods.contains_key(&ordinal) && ordinal > cluster.highest_ordinal() {
        return leftover("pod");
    }
    let claim = cluster.observed.claims.get(&ordinal);
    if ordinal > cluster.highest_ordinal() && claim.is_some_and(|claim| claim.terminating) {
        return leftover("volume");
    }
    Step::Act(Action::AddLearner { ordinal })
}

fn remove(ordinal: u32, member: &Member, why: Removal) -> Step {
    Step::Act(Action::RemoveMember {
        ordinal,
        id: member.id,
        why,
    })
}
