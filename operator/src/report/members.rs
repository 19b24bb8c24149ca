//! What the status says of each member.
//!
//! Owns: who a member is, whether it is healthy, and since when it has been silent.
//! Always holds: what varies all the time is rounded, so that a healthy cluster causes no writes;
//! what only an answer can tell is kept while there is none.
//! Deliberately does not know: what is wanted of the cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::whole_seconds;
use crate::{
    api::{MemberRole, MemberStatus},
    etcd::Member,
    observe::Observed,
    plan::Gate,
    validate::Desired,
};

pub(super) fn statuses(
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
pub(super) fn without_majority(
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
