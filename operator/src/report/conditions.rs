//! The three conditions: is it available, is it on its way, is something wrong.
//!
//! Owns: their reasons and messages, and when each has changed last.
//! Always holds: a condition's time is that of its last change of status, whatever its message says.
//! Deliberately does not know: the rest of the status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{AVAILABLE, DEGRADED, PROGRESSING, whole_seconds};
use crate::{
    api::EtcdClusterStatus,
    etcd::MemberReport,
    execute::Outcome,
    observe::{Membership, Observed},
    plan::{Gate, Plan, Waiting},
    validate::Desired,
};

pub(super) fn conditions(
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

pub(super) fn truth(kind: &str, holds: bool, reason: &str, message: String) -> Condition {
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
pub(super) fn stamp(
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
