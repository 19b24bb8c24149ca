//! What has changed between two statuses, as far as people want to be told.
//!
//! Owns: which changes are news, and whether they are good or bad.
//! Always holds: a status that says the same again has no news, whatever its messages say.
//! Deliberately does not know: how news is told.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{AVAILABLE, DEGRADED};
use crate::api::EtcdClusterStatus;

/// News about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whether something is wrong now.
    pub fault: bool,
    /// A stable word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The member that it is about, if it is about one.
    pub member: Option<String>,
}

/// The news in `after`, for one who knows `before`.
#[must_use]
pub fn transitions(before: &EtcdClusterStatus, after: &EtcdClusterStatus) -> Vec<Transition> {
    let available = availability(condition(before, AVAILABLE), condition(after, AVAILABLE));
    let degraded = health(before, after);
    available.into_iter().chain(degraded).collect()
}

fn availability(before: Option<&Condition>, after: Option<&Condition>) -> Option<Transition> {
    let after = after?;
    let was = before.map_or("NotFormed", |before| before.reason.as_str());
    if was == after.reason {
        return None;
    }
    let news = |fault, reason: &str| {
        Some(Transition {
            fault,
            reason: reason.to_owned(),
            message: after.message.clone(),
            member: None,
        })
    };
    match (was, after.reason.as_str()) {
        ("NotFormed", "QuorumHealthy") => news(false, "ClusterFormed"),
        ("Stopped", "QuorumHealthy") => news(false, "ClusterResumed"),
        (_, "QuorumHealthy") => news(false, "QuorumRestored"),
        (_, reason @ ("Stopped" | "Deleting")) => news(false, reason),
        (_, "NotFormed") => None,
        (_, reason) => news(true, reason),
    }
}

fn health(before: &EtcdClusterStatus, after: &EtcdClusterStatus) -> Option<Transition> {
    let now = condition(after, DEGRADED)?;
    let was = condition(before, DEGRADED).filter(|was| was.status == "True");
    let lost = condition(after, AVAILABLE).is_some_and(|it| it.reason == "QuorumLost");
    if now.status != "True" {
        return was.map(|_| Transition {
            fault: false,
            reason: "Recovered".to_owned(),
            message: now.message.clone(),
            member: None,
        });
    }
    let sick = sick_voter(after);
    let was_sick = sick_voter(before);
    let same_reason = was.is_some_and(|was| was.reason == now.reason);
    let same = same_reason && sick == was_sick;
    // A lost quorum is told by itself; that its members are unhealthy as well is no news.
    (!same && !lost).then(|| Transition {
        fault: true,
        reason: now.reason.clone(),
        message: now.message.clone(),
        member: sick.map(str::to_owned),
    })
}

fn sick_voter(status: &EtcdClusterStatus) -> Option<&str> {
    let mut members = status.members.iter();
    let sick = members.find(|member| !member.healthy && !member.learner);
    sick.map(|member| member.name.as_str())
}

fn condition<'a>(status: &'a EtcdClusterStatus, kind: &str) -> Option<&'a Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == kind)
}
