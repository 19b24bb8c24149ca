//! An independent second look at a finished plan.
//!
//! Owns: the rules that no plan may break, stated anew and not shared with the planner.
//! Always holds: it is asked in tests and in simulation only; a plan that fails here is a bug.
//! Deliberately does not know: how the plan came about.

use std::collections::BTreeSet;

use super::{Action, Plan};
use crate::{
    observe::{Membership, Observed},
    validate::Desired,
};

/// A rule that a plan broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Acts on a membership that nobody vouched for.
    #[error("{0} is planned while the membership is unknown")]
    Blind(String),
    /// Removes a voter although too few would answer.
    #[error("removing {id:x} leaves {left} answering of {voters} voters")]
    Quorum {
        /// Who was to go.
        id: u64,
        /// Voters that answer afterwards.
        left: usize,
        /// Voters afterwards.
        voters: usize,
    },
    /// Takes a pod away from a member.
    #[error("{replicas} pods leave a member with ordinal {ordinal} without one")]
    PodsBelowMembers {
        /// Planned pods.
        replicas: u32,
        /// The member that loses its pod.
        ordinal: u32,
    },
    /// Writes `new` for a cluster that has an ID.
    #[error("initial-cluster-state: new is planned for a cluster that has an ID")]
    SecondBirth,
    /// Deletes the volume of somebody who is still a member.
    #[error("the volume of member {0} is planned to be deleted")]
    MembersVolume(u32),
}

/// Every rule that the plan breaks.
#[must_use]
pub fn audit(desired: &Desired, observed: &Observed, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bootstrapped = observed.status.cluster_id.is_some()
        || matches!(observed.membership, Membership::Known { .. });
    let writes_new = plan
        .config
        .iter()
        .flat_map(|files| files.values())
        .any(|file| file.contains("initial-cluster-state: new"));
    if bootstrapped && writes_new {
        findings.push(Finding::SecondBirth);
    }
    match observed.membership.members() {
        None => {
            if let Some(action) = &plan.action {
                findings.push(Finding::Blind(action.to_string()));
            }
        }
        Some(members) => {
            let ordinals: BTreeSet<u32> = members
                .iter()
                .flat_map(|m| m.peer_urls.iter())
                .filter_map(|url| desired.identity.ordinal_of_url(url))
                .collect();
            findings.extend(pods(desired, plan, &ordinals));
            findings.extend(volume(plan, &ordinals));
            findings.extend(removal(observed, plan));
        }
    }
    findings
}

fn pods(desired: &Desired, plan: &Plan, ordinals: &BTreeSet<u32>) -> Option<Finding> {
    let replicas = plan.replicas.filter(|_| desired.size > 0)?;
    let ordinal = *ordinals.iter().find(|ordinal| **ordinal >= replicas)?;
    Some(Finding::PodsBelowMembers { replicas, ordinal })
}

fn volume(plan: &Plan, ordinals: &BTreeSet<u32>) -> Option<Finding> {
    match plan.action {
        Some(Action::DeleteClaim { ordinal, .. }) if ordinals.contains(&ordinal) => {
            Some(Finding::MembersVolume(ordinal))
        }
        _ => None,
    }
}

fn removal(observed: &Observed, plan: &Plan) -> Option<Finding> {
    let Some(Action::RemoveMember { id, .. }) = plan.action else {
        return None;
    };
    let members = observed.membership.members()?;
    let removed_votes = members
        .iter()
        .any(|member| member.id == id && !member.learner);
    let rest = members
        .iter()
        .filter(|member| !member.learner && member.id != id);
    let (mut voters, mut left) = (0, 0);
    for member in rest {
        voters += 1;
        left += usize::from(
            observed
                .report_of(member.id)
                .is_some_and(|r| r.leader.is_some()),
        );
    }
    (removed_votes && 2 * left <= voters).then_some(Finding::Quorum { id, left, voters })
}
