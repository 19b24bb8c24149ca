//! Telling the truth: status and conditions.
//!
//! Owns: what users read of the cluster.
//! Always holds: every pass writes what was seen in that very pass, also when etcd does not
//! answer. `readyReplicas` counts voters that answered healthy just now and whose container runs.
//! Deliberately does not know: how the pass got there.

mod transitions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::{
    api::resource::Quantity,
    apis::meta::v1::{Condition, Time},
};

use crate::{
    api::{EtcdClusterStatus, MemberRole, MemberStatus, Phase},
    etcd::{Member, MemberReport},
    execute::Outcome,
    observe::{Membership, Observed},
    plan::{Gate, Plan, Waiting},
    quantity,
    validate::{Desired, Invalid},
    version::EtcdVersion,
};

pub use transitions::{Transition, transitions};

/// A majority answers, so clients are served.
pub const AVAILABLE: &str = "Available";
/// The cluster is on its way to what is wanted.
pub const PROGRESSING: &str = "Progressing";
/// Something is wrong.
pub const DEGRADED: &str = "Degraded";

/// The status after one pass.
#[must_use]
pub fn status(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    outcome: &Outcome,
    now: Timestamp,
) -> EtcdClusterStatus {
    let previous = &observed.status;
    let members = observed.membership.members().unwrap_or_default();
    let gate = Gate::new(observed, members);
    let settled = is_settled(desired, plan, outcome, &gate);
    let selector: Vec<String> = desired
        .identity
        .labels()
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let known_id = match &observed.membership {
        Membership::Known { cluster_id, .. } => Some(format!("{cluster_id:x}")),
        Membership::Unknown { .. } | Membership::NotAsked => None,
    };
    EtcdClusterStatus {
        phase: phase(desired, observed, &gate, settled),
        ready_replicas: u32::try_from(gate.healthy()).unwrap_or(u32::MAX),
        replicas: match &observed.membership {
            Membership::Known { members, .. } => u32::try_from(members.len()).unwrap_or(u32::MAX),
            Membership::Unknown { .. } | Membership::NotAsked => previous.replicas,
        },
        observed_generation: desired.generation,
        // Written once and never again: what does not match it is another cluster.
        cluster_id: previous.cluster_id.clone().or(known_id),
        version: latest_version(observed),
        volume_size: volume_size(observed),
        leader_id: observed.leader().map(|id| format!("{id:x}")),
        endpoints: vec![desired.identity.endpoint()],
        selector: Some(selector.join(",")),
        members: member_statuses(desired, observed, &gate, now),
        recoveries: recoveries(desired, previous, members),
        conditions: conditions(desired, observed, plan, outcome, &gate, now),
    }
}

/// The status while no majority answers that answered just before: it is choosing a leader, or it is
/// lost. What was said of the cluster stands; of its members, only what still answers counts.
#[must_use]
pub fn in_doubt(desired: &Desired, observed: &Observed, now: Timestamp) -> EtcdClusterStatus {
    let previous = &observed.status;
    let members: Vec<MemberStatus> = previous
        .members
        .iter()
        .map(|member| {
            let seen = without_majority(desired, observed, member, now);
            MemberStatus {
                healthy: member.healthy && answers(observed, &member.id),
                message: seen.message.filter(|_| seen.last_seen.is_some()),
                ..seen
            }
        })
        .collect();
    let ready = members.iter().filter(|it| it.healthy && !it.learner);
    EtcdClusterStatus {
        ready_replicas: u32::try_from(ready.count()).unwrap_or(u32::MAX),
        leader_id: None,
        members,
        ..previous.clone()
    }
}

/// Whether the member with this ID, in hexadecimal, answers from a pod that is to stay.
fn answers(observed: &Observed, id: &str) -> bool {
    observed.pods.iter().any(|(ordinal, pod)| {
        let report = observed.reports.get(ordinal);
        let report = report.and_then(|report| report.as_ref().ok());
        pod.running
            && !pod.terminating
            && report.is_some_and(|report| format!("{:x}", report.member_id) == id)
    })
}

/// Whether the status says that clients are served.
#[must_use]
pub fn is_available(status: &EtcdClusterStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| condition.type_ == AVAILABLE && condition.status == "True")
}

/// The status for a spec that cannot be planned: what was last seen, and what to mend.
#[must_use]
pub fn refused(
    previous: &EtcdClusterStatus,
    invalid: &Invalid,
    now: Timestamp,
) -> EtcdClusterStatus {
    let mut status = previous.clone();
    let degraded = truth(DEGRADED, true, "InvalidSpec", invalid.to_string());
    status.conditions = stamp(previous, vec![degraded], None, now);
    status
}

/// A recovery counts once the survivor runs under its name.
fn recoveries(desired: &Desired, previous: &EtcdClusterStatus, members: &[Member]) -> u32 {
    let under_way = members
        .iter()
        .filter_map(|member| desired.identity.recovery_of_name(&member.name));
    under_way.max().unwrap_or(0).max(previous.recoveries)
}

fn is_settled(desired: &Desired, plan: &Plan, outcome: &Outcome, gate: &Gate) -> bool {
    let wanted = usize::try_from(desired.size).unwrap_or(usize::MAX);
    matches!(outcome, Outcome::Nothing) && plan.waiting.is_none() && gate.voters() == wanted
}

/// The latest version that any member has ever reported: etcd does not go back behind it.
fn latest_version(observed: &Observed) -> Option<String> {
    let members = observed.membership.members().unwrap_or_default();
    let reported = members
        .iter()
        .filter_map(|member| observed.report_of(member.id));
    let recorded = observed.status.version.iter();
    recorded
        .chain(reported.map(|report| &report.version))
        .filter_map(|text| text.parse::<EtcdVersion>().ok())
        .max()
        .map(|version| version.to_string())
}

fn volume_size(observed: &Observed) -> Option<Quantity> {
    let claims = observed
        .claims
        .values()
        .filter_map(|claim| claim.requested.clone());
    let largest = claims.reduce(|one, other| {
        if quantity::less(&one, &other) {
            other
        } else {
            one
        }
    });
    largest.or_else(|| observed.status.volume_size.clone())
}

fn phase(desired: &Desired, observed: &Observed, gate: &Gate, settled: bool) -> Phase {
    let previous = observed.status.phase;
    let wanted = usize::try_from(desired.size).unwrap_or(usize::MAX);
    if desired.deleting {
        Phase::Deleting
    } else if desired.size == 0 {
        if observed.pods.is_empty() {
            Phase::Stopped
        } else {
            Phase::Scaling
        }
    } else if settled {
        Phase::Running
    } else if previous == Phase::Creating {
        Phase::Creating
    } else if observed.membership.members().is_none() {
        Phase::Failed
    } else if gate.voters() == wanted && rolls_out(desired, observed) {
        Phase::Upgrading
    } else if gate.voters() == wanted && gate.has_quorum() && previous == Phase::Upgrading {
        // The last one is on its way back.
        Phase::Upgrading
    } else if gate.voters() == wanted && gate.has_quorum() && previous == Phase::Running {
        // A member that is briefly away does not change what the cluster is; `Degraded` tells.
        Phase::Running
    } else if gate.has_quorum() {
        Phase::Scaling
    } else {
        Phase::Failed
    }
}

/// Whether a pod is still to be replaced for what the spec says.
fn rolls_out(desired: &Desired, observed: &Observed) -> bool {
    let mut pods = observed.pods.values();
    pods.any(|pod| pod.template.as_deref() != Some(desired.template_hash.as_str()))
}

fn member_statuses(
    desired: &Desired,
    observed: &Observed,
    gate: &Gate,
    now: Timestamp,
) -> Vec<MemberStatus> {
    let Some(members) = observed.membership.members() else {
        return observed
            .status
            .members
            .iter()
            .map(|member| without_majority(desired, observed, member, now))
            .collect();
    };
    let mut sorted: BTreeMap<(Option<u32>, u64), &Member> = BTreeMap::new();
    for member in members {
        let ordinal = desired.identity.ordinal_of_member(&member.peer_urls);
        sorted.insert((ordinal, member.id), member);
    }
    sorted
        .into_iter()
        .map(|((ordinal, _), member)| member_status(desired, observed, gate, ordinal, member, now))
        .collect()
}

fn member_status(
    desired: &Desired,
    observed: &Observed,
    gate: &Gate,
    ordinal: Option<u32>,
    member: &Member,
    now: Timestamp,
) -> MemberStatus {
    let report = observed.report_of(member.id);
    let healthy = if member.learner {
        report.is_some()
    } else {
        gate.is_healthy(member.id)
    };
    let role = match report {
        None => MemberRole::Unknown,
        Some(_) if member.learner => MemberRole::Learner,
        Some(_) if observed.leader() == Some(member.id) => MemberRole::Leader,
        Some(_) => MemberRole::Follower,
    };
    let id = format!("{:x}", member.id);
    let before = observed.status.members.iter().find(|old| old.id == id);
    let claim = ordinal.and_then(|ordinal| observed.claims.get(&ordinal));
    let answered_on = claim.filter(|_| report.is_some());
    MemberStatus {
        name: ordinal.map_or_else(|| member.name.clone(), |o| desired.identity.member(o)),
        id,
        role,
        learner: member.learner,
        healthy,
        last_seen: last_seen(before, report.is_some(), now),
        learner_since: member.learner.then(|| {
            let known = before.and_then(|before| before.learner_since.clone());
            known.unwrap_or_else(|| Time(whole_seconds(now)))
        }),
        volume: answered_on
            .map(|claim| claim.uid.clone())
            .or_else(|| before.and_then(|before| before.volume.clone())),
        // Kept while it does not answer: an upgrade is judged by what everybody has run.
        version: report
            .map(|report| report.version.clone())
            .or_else(|| before.and_then(|before| before.version.clone())),
        db_size: report
            .map(|report| about(report.db_size, before.and_then(|before| before.db_size)))
            .or_else(|| before.and_then(|before| before.db_size)),
        message: ordinal
            .filter(|_| !healthy)
            .map(|ordinal| observed.silence(ordinal)),
    }
}

/// Written when a member falls silent and kept until it answers again: a healthy cluster causes no
/// writes.
fn last_seen(before: Option<&MemberStatus>, answers: bool, now: Timestamp) -> Option<Time> {
    if answers {
        return None;
    }
    // One that has never answered has never been seen.
    let before = before.filter(|before| before.version.is_some())?;
    let known = before.last_seen.clone();
    known.or_else(|| Some(Time(whole_seconds(now))))
}

/// A member while the membership is unknown: who it was, and whether it answers now. Nobody is
/// healthy without a majority.
fn without_majority(
    desired: &Desired,
    observed: &Observed,
    member: &MemberStatus,
    now: Timestamp,
) -> MemberStatus {
    let ordinal = desired.identity.ordinal_of_name(&member.name);
    let answers = ordinal.is_some_and(|o| matches!(observed.reports.get(&o), Some(Ok(_))));
    let message = if answers {
        Some("it answers, but sees no majority".to_owned())
    } else {
        ordinal.map(|ordinal| observed.silence(ordinal))
    };
    MemberStatus {
        role: MemberRole::Unknown,
        healthy: false,
        last_seen: last_seen(Some(member), answers, now),
        message,
        ..member.clone()
    }
}

/// A size that grows all the time is told when it has grown by a tenth, lest the status be written
/// at every look.
fn about(size: i64, told: Option<i64>) -> i64 {
    const LEAST: i64 = 1 << 20;
    match told {
        Some(told) if (size - told).abs() < LEAST.max(told / 10) => told,
        _ => size,
    }
}

fn conditions(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    outcome: &Outcome,
    gate: &Gate,
    now: Timestamp,
) -> Vec<Condition> {
    let all = vec![
        available(desired, observed, plan),
        progressing(plan, outcome),
        degraded(desired, observed, plan, gate),
    ];
    stamp(&observed.status, all, desired.generation, now)
}

fn available(desired: &Desired, observed: &Observed, plan: &Plan) -> Condition {
    if desired.deleting {
        let message = "the cluster is being deleted".to_owned();
        return truth(AVAILABLE, false, "Deleting", message);
    }
    if desired.size == 0 {
        return truth(
            AVAILABLE,
            false,
            "Stopped",
            "size is 0; data is kept".to_owned(),
        );
    }
    match &observed.membership {
        // The membership is known because a majority has just confirmed a read.
        Membership::Known { .. } => match full(desired, observed) {
            None => truth(
                AVAILABLE,
                true,
                "QuorumHealthy",
                "a majority of voters answers".to_owned(),
            ),
            Some(message) => truth(AVAILABLE, false, "NoSpace", message),
        },
        Membership::Unknown { .. } | Membership::NotAsked => {
            let begun = observed.status.cluster_id.is_some();
            let reason = if begun { "QuorumLost" } else { "NotFormed" };
            let message = match plan.waiting.as_ref() {
                Some(waiting) => waiting.to_string(),
                None => "no member answers for a majority".to_owned(),
            };
            truth(AVAILABLE, false, reason, message)
        }
    }
}

/// A member whose database is full: then etcd takes no writes (etcd documentation, "Maintenance",
/// space quota).
fn full(desired: &Desired, observed: &Observed) -> Option<String> {
    let mut reports = observed.reports.iter();
    let (ordinal, _) = reports.find(|(_, report)| {
        let errors = report.iter().flat_map(|report| &report.errors);
        errors.into_iter().any(|error| error.contains("NOSPACE"))
    })?;
    let member = desired.identity.member(*ordinal);
    Some(format!(
        "the database of {member} is full, etcd takes no writes: compact, defragment and disarm the alarm, or raise the quota"
    ))
}

fn progressing(plan: &Plan, outcome: &Outcome) -> Condition {
    match (outcome, &plan.waiting) {
        (Outcome::NotNow { action, why }, _) => truth(
            PROGRESSING,
            true,
            why.label(),
            format!("trying to {action}: {why}"),
        ),
        (Outcome::Done(action), _) => truth(PROGRESSING, true, action.reason(), action.to_string()),
        (Outcome::Nothing, Some(waiting)) => {
            truth(PROGRESSING, true, waiting.reason(), waiting.to_string())
        }
        (Outcome::Nothing, None) => truth(
            PROGRESSING,
            false,
            "AsWanted",
            "the cluster is as wanted".to_owned(),
        ),
    }
}

fn degraded(desired: &Desired, observed: &Observed, plan: &Plan, gate: &Gate) -> Condition {
    if desired.deleting || desired.size == 0 {
        let message = "members stop because the user wants it".to_owned();
        return truth(DEGRADED, false, "AsWanted", message);
    }
    if let Some(waiting) = plan
        .waiting
        .as_ref()
        .filter(|waiting| Waiting::is_fault(waiting))
    {
        return truth(DEGRADED, true, waiting.reason(), waiting.to_string());
    }
    let sick = gate.sick().count();
    if sick > 0 {
        let message = format!("{sick} of {} voters do not answer healthy", gate.voters());
        return truth(DEGRADED, true, "MemberUnhealthy", message);
    }
    let mut reports = observed.reports.values().flatten();
    if reports.any(MemberReport::has_space_alarm) {
        let message = "etcd has used up its quota and takes no writes: free space with `etcdctl \
                       compact`, then `etcdctl defrag`, then `etcdctl alarm disarm`";
        return truth(DEGRADED, true, "NoSpace", message.to_owned());
    }
    truth(
        DEGRADED,
        false,
        "AllHealthy",
        "every voter is healthy".to_owned(),
    )
}

fn truth(kind: &str, holds: bool, reason: &str, message: String) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    }
}

/// A condition's time is that of its last change of status, so that a message that varies does
/// not hide since when something has been so.
fn stamp(
    previous: &EtcdClusterStatus,
    conditions: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let now = whole_seconds(now);
    conditions
        .into_iter()
        .map(|mut condition| {
            let before = previous
                .conditions
                .iter()
                .find(|old| old.type_ == condition.type_ && old.status == condition.status);
            condition.last_transition_time =
                before.map_or(Time(now), |old| old.last_transition_time.clone());
            condition.observed_generation = generation;
            condition
        })
        .collect()
}

/// Kubernetes' times carry whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
