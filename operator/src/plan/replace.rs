//! Members whose data is lost are replaced: removed, and added anew with an empty volume.
//!
//! Owns: who is replaced when, and how the new member comes to a pod and a volume of its own.
//! Always holds: a removal is asked of the gate. After it the ordinal has no member, so its volume
//! goes (`shrink::clean_up`), a learner is added (`grow`), and a pod that still holds the volume of
//! the member before is restarted. Each stage can be told from the cluster alone.
//! Deliberately does not know: how the loss was found out.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Cluster, Damage, Removal, Restart, Step, Waiting, damage, shrink};
use crate::{
    etcd::MemberReport,
    last_words::LastWords,
    observe::{Observed, PodView},
    validate::Desired,
};

/// A pod this young may still be given the file that it lacks.
const SETTLING: SignedDuration = SignedDuration::from_secs(5);

/// Removes a member whose data is lost. All such members go before any is added: etcd adds nobody
/// while a voter does not answer.
pub(super) fn replace(cluster: &Cluster<'_>, now: Timestamp) -> Step {
    let answers = |id| cluster.observed.report_of(id).is_some();
    let lost = cluster.members.iter();
    let lost = lost.filter(|(_, m)| m.started() || (!m.learner && answers(m.id)));
    let lost = lost.filter_map(|(ordinal, member)| {
        let damage = damage::of(cluster.observed, *ordinal, member.id, now)?;
        Some((*ordinal, *member, damage))
    });
    let mut waiting = None;
    for (ordinal, member, damage) in lost {
        if damage == Damage::Crashing && !others_are_well(cluster, ordinal) {
            continue;
        }
        if let Err(refusal) = may_go(cluster, member.id) {
            let name = cluster.desired.identity.member(ordinal);
            let step = format!("replace {name} ({damage})");
            waiting = waiting.or(Some(Waiting::QuorumAtRisk { step, refusal }));
            continue;
        }
        if cluster.observed.leader() == Some(member.id)
            && let Some(handover) = shrink::hand_over(cluster, ordinal, member.id)
        {
            return Step::Act(handover);
        }
        return Step::Act(Action::RemoveMember {
            ordinal,
            id: member.id,
            why: Removal::DataLost(damage),
        });
    }
    waiting.map_or(Step::Settled, Step::Wait)
}

/// A member that still answers leaves only while all the others are well.
fn may_go(cluster: &Cluster<'_>, id: u64) -> Result<(), super::Refusal> {
    cluster.gate.removal(id)?;
    cluster.gate.restart(id)
}

/// A crash whose cause is not known may come from the spec; then replacing the member would cost a
/// healthy cluster its margin for nothing. So: every other voter is well, and on the same template.
fn others_are_well(cluster: &Cluster<'_>, ordinal: u32) -> bool {
    let template = |ordinal| {
        let pod = cluster.observed.pods.get(&ordinal);
        pod.and_then(|pod| pod.template.as_ref())
    };
    cluster
        .voters()
        .filter(|(other, _)| *other != ordinal)
        .all(|(other, member)| {
            cluster.gate.is_healthy(member.id) && template(other) == template(ordinal)
        })
}

/// The alarm of a member that found its data corrupt outlives it, and keeps every other member from
/// taking writes.
pub(super) fn disarm(cluster: &Cluster<'_>) -> Step {
    let reports = cluster.observed.reports.values().flatten();
    let gone = reports
        .flat_map(MemberReport::corrupt_members)
        .find(|id| cluster.members.values().all(|member| member.id != *id));
    gone.map_or(Step::Settled, |id| Step::Act(Action::DisarmAlarm { id }))
}

/// Restarts a pod that its member cannot use: its volume went before the pod ran. Or the member has
/// not started yet, and its pod holds the volume of the member before, or was made before there was
/// a configuration file.
pub(super) fn refresh_pods(cluster: &Cluster<'_>, now: Timestamp) -> Step {
    let unusable = cluster.members.iter().find_map(|(ordinal, member)| {
        let observed = cluster.observed;
        if lacks_volume(observed, *ordinal, now) {
            return restart(observed, *ordinal, Restart::VolumeGone);
        }
        let pod = observed.pods.get(ordinal).filter(|pod| !pod.terminating)?;
        if member.started() {
            return None;
        }
        let claim = observed.claims.get(ordinal);
        let holds_old_volume = member.learner && claim.is_some_and(|claim| claim.terminating);
        let lacks_file =
            is_waiting(pod, now) && damage::words(pod) == Some(LastWords::NoConfiguration);
        let unusable = holds_old_volume || lacks_file;
        unusable.then(|| restart(observed, *ordinal, Restart::EarlierMember))?
    });
    unusable.map_or(Step::Settled, Step::Act)
}

/// The same while the membership is unknown, or not there yet: a pod without a volume does nothing.
pub(super) fn refresh_blindly(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> Option<Action> {
    let mut pods = observed.pods.keys().filter(|_| desired.size > 0);
    let ordinal = pods.find(|ordinal| lacks_volume(observed, **ordinal, now))?;
    restart(observed, *ordinal, Restart::VolumeGone)
}

/// The StatefulSet controller does not look for the volumes of pods that exist.
fn lacks_volume(observed: &Observed, ordinal: u32, now: Timestamp) -> bool {
    let pod = observed.pods.get(&ordinal);
    !observed.claims.contains_key(&ordinal) && pod.is_some_and(|pod| is_waiting(pod, now))
}

/// Does not run, and is old enough for all that it needs to be there.
fn is_waiting(pod: &PodView, now: Timestamp) -> bool {
    let age = pod.created.map(|created| now.duration_since(created));
    !pod.terminating && !pod.running && age.is_some_and(|age| age > SETTLING)
}

/// A new pod in place of this one.
pub(super) fn restart(observed: &Observed, ordinal: u32, why: Restart) -> Option<Action> {
    let uid = observed.pods.get(&ordinal)?.uid.clone();
    Some(Action::RestartPod { ordinal, uid, why })
}
