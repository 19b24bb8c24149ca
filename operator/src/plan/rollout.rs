//! Rollouts: every member comes to run what the spec says, one at a time.
//!
//! Owns: which pod is outdated, who is restarted next, and what must hold before.
//! Always holds: a healthy member is restarted only while every other one is healthy, ready and
//! close to the leader, and while nobody joins or leaves; the leader comes last, after handing over
//! to a member that runs the new template. A member that does not run at all is restarted without
//! asking, since the edit may be its cure (a bad image that is taken back), and nothing gets worse.
//! Deliberately does not know: what has changed; a pod carries the hash of what it was made from.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Cluster, Restart, Step, Waiting, grow::CLOSE_ENOUGH, recover, shrink};
use crate::{
    api::EtcdClusterStatus,
    etcd::Member,
    observe::{Observed, PodView},
    validate::Desired,
};

/// How long nobody must have been served before a member that runs without being of use counts as
/// broken: longer than elections, restarts and the API server's absence take.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Restarts an outdated member that is of no use as it is.
pub(super) fn mend(desired: &Desired, cluster: &Cluster<'_>, now: Timestamp) -> Step {
    let observed = cluster.observed;
    let sick: Vec<u64> = cluster.gate.sick().collect();
    let useless = |ordinal: u32, member: &Member, pod: &PodView| {
        if member.learner {
            return observed.report_of(member.id).is_none();
        }
        let is_sick = sick.contains(&member.id) && !runs_unseen(observed, ordinal, pod);
        let others_are_well = sick.iter().all(|id| *id == member.id);
        is_sick
            && (!pod.running || (!pod.ready && others_are_well) || broken(observed, ordinal, now))
    };
    let found = cluster.members.iter().find(|(ordinal, member)| {
        let pod = observed.pods.get(*ordinal);
        pod.is_some_and(|pod| is_outdated(desired, pod) && useless(**ordinal, member, pod))
    });
    match found {
        Some((ordinal, _)) => begin(desired, observed, *ordinal),
        None => Step::Settled,
    }
}

/// The same while the membership is unknown, or not there yet: only pods of which Kubernetes
/// itself says that they do nothing.
pub(super) fn mend_blindly(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> Option<Action> {
    if desired.size == 0 || recover::is_told(observed) {
        return None;
    }
    let (ordinal, _) = observed.pods.iter().find(|(ordinal, pod)| {
        is_outdated(desired, pod)
            && !runs_unseen(observed, **ordinal, pod)
            && (!pod.running || broken(observed, **ordinal, now))
    })?;
    match begin(desired, observed, *ordinal) {
        Step::Act(action) => Some(action),
        Step::Wait(_) | Step::Settled => None,
    }
}

/// Restarts the next healthy member that is outdated.
pub(super) fn advance(desired: &Desired, cluster: &Cluster<'_>) -> Step {
    let outdated: Vec<(u32, &Member)> = cluster
        .voters()
        .filter(|(ordinal, _)| {
            let pod = cluster.observed.pods.get(ordinal);
            pod.is_some_and(|pod| is_outdated(desired, pod))
        })
        .collect();
    let changing = cluster.learners().next().is_some() || cluster.voter_count() != desired.size;
    let leader = cluster.observed.leader();
    let follower = outdated
        .iter()
        .rev()
        .find(|(_, member)| Some(member.id) != leader);
    let Some((ordinal, member)) = follower.or(outdated.first()).copied() else {
        return Step::Settled;
    };
    if changing {
        return Step::Settled;
    }
    let wait = |why| Step::Wait(progress(desired, cluster, outdated.len(), ordinal, why));
    if let Some(why) = unfit(cluster) {
        return wait(why);
    }
    if let Err(refusal) = cluster.gate.restart(member.id) {
        return wait(refusal.to_string());
    }
    if Some(member.id) != leader || cluster.voter_count() == 1 {
        return match begin(desired, cluster.observed, ordinal) {
            Step::Wait(_) => wait(UNSEEN.to_owned()),
            decided => decided,
        };
    }
    match shrink::heir(cluster, member.id) {
        Some((to, id)) => Step::Act(Action::MoveLeader {
            from: ordinal,
            to,
            id,
        }),
        None => wait("no other voter can take over leadership".to_owned()),
    }
}

const UNSEEN: &str = "the StatefulSet controller has seen the new template";

/// Deleting a pod before its successor would be made from the new template were in vain.
fn begin(desired: &Desired, observed: &Observed, ordinal: u32) -> Step {
    let set = observed
        .stateful_set
        .as_ref()
        .filter(|set| !set.terminating);
    let seen = set.is_some_and(|set| {
        set.up_to_date && set.template.as_deref() == Some(desired.template_hash.as_str())
    });
    match observed.pods.get(&ordinal) {
        Some(pod) if seen => Step::Act(Action::RestartPod {
            ordinal,
            uid: pod.uid.clone(),
            why: Restart::Outdated,
        }),
        _ => Step::Wait(Waiting::Rollout {
            change: change(desired, observed),
            done: 0,
            total: observed.pods.len(),
            next: desired.identity.member(ordinal),
            why: UNSEEN.to_owned(),
        }),
    }
}

pub(super) fn is_outdated(desired: &Desired, pod: &PodView) -> bool {
    !pod.terminating && pod.template.as_deref() != Some(desired.template_hash.as_str())
}

/// A member that answers runs, whatever a cache that lags says of its pod.
fn runs_unseen(observed: &Observed, ordinal: u32, pod: &PodView) -> bool {
    !pod.running && matches!(observed.reports.get(&ordinal), Some(Ok(_)))
}

/// Runs, is not ready, and nobody has been served for long.
fn broken(observed: &Observed, ordinal: u32, now: Timestamp) -> bool {
    let ready = observed.pods.get(&ordinal).is_some_and(|pod| pod.ready);
    !ready
        && unavailable_since(&observed.status)
            .is_some_and(|since| now.duration_since(since) >= GIVEN_UP_AFTER)
}

fn unavailable_since(status: &EtcdClusterStatus) -> Option<Timestamp> {
    let mut conditions = status.conditions.iter();
    conditions
        .find(|condition| {
            condition.type_ == crate::report::AVAILABLE && condition.status == "False"
        })
        .map(|condition| condition.last_transition_time.0)
}

/// What keeps healthy members from being restarted: somebody else needs them.
fn unfit(cluster: &Cluster<'_>) -> Option<String> {
    if let Some(id) = cluster.gate.sick().next() {
        return Some(format!(
            "{} is healthy ({})",
            cluster.name_of(id),
            cluster.why_unhealthy(id)
        ));
    }
    let observed = cluster.observed;
    let leader = observed.leader().and_then(|id| observed.report_of(id))?;
    cluster.voters().find_map(|(ordinal, member)| {
        let name = cluster.desired.identity.member(ordinal);
        let ready = observed.pods.get(&ordinal).is_some_and(|pod| pod.ready);
        let applied = observed
            .report_of(member.id)
            .map_or(0, |report| report.applied_index);
        let behind = leader.raft_index.saturating_sub(applied);
        if !ready {
            Some(format!("{name} is ready"))
        } else if behind > CLOSE_ENOUGH {
            Some(format!(
                "{name} has caught up, it lacks {behind} log entries"
            ))
        } else {
            None
        }
    })
}

fn progress(
    desired: &Desired,
    cluster: &Cluster<'_>,
    outdated: usize,
    next: u32,
    why: String,
) -> Waiting {
    let total = cluster.voters().count();
    Waiting::Rollout {
        change: change(desired, cluster.observed),
        done: total.saturating_sub(outdated),
        total,
        next: desired.identity.member(next),
        why,
    }
}

/// From which version to which, if that is what changes.
fn change(desired: &Desired, observed: &Observed) -> Option<(String, String)> {
    let wanted = desired.version.to_string();
    let reports = observed.reports.values().flatten();
    let mut others = reports.filter(|report| report.version != wanted);
    others
        .next()
        .map(|report| (report.version.clone(), wanted.clone()))
}
