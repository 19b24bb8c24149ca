//! An independent second look at a finished plan.
//!
//! Owns: the rules that no plan may break, stated anew and not shared with the planner.
//! Always holds: it is asked before every plan is carried out, and in tests; a plan that fails here
//! is a bug.
//! Deliberately does not know: how the plan came about.

use std::collections::BTreeSet;

use super::{Action, Plan, Removal, Restart};
use crate::{
    etcd::Member,
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
    /// Restarts a voter that answers although another does not.
    #[error("restarting member {ordinal}, which answers, while {silent:x} does not")]
    RestartBesideSick {
        /// Whose pod was to go.
        ordinal: u32,
        /// A voter that does not answer.
        silent: u64,
    },
    /// Restarts a healthy voter for the spec's sake while a learner is on its way.
    #[error("restarting member {0} for an edit while a learner is there")]
    RestartBesideLearner(u32),
    /// Restarts a healthy leader for the spec's sake although another voter could lead.
    #[error("restarting member {0} for an edit, which leads")]
    LeaderRestarted(u32),
    /// Restarts a pod other than the one that was seen.
    #[error("the pod of member {0} that is to be restarted is not the one that was seen")]
    UnseenPod(u32),
    /// Promotes a learner although too few would answer.
    #[error("promoting {id:x} leaves {left} answering of {voters} voters")]
    Promotion {
        /// Who was to vote.
        id: u64,
        /// Voters that answer afterwards.
        left: usize,
        /// Voters afterwards.
        voters: usize,
    },
    /// Removes a member for lost data although it answers and nothing speaks against its data.
    #[error("member {0:x} is to be removed for lost data, but it answers and has its volume")]
    Unproven(u64),
    /// Would start a second cluster beside one that works, or several, or one nobody asked for.
    #[error("force-new-cluster is planned {0}")]
    Forced(&'static str),
    /// Changes the membership while a member runs that was started with `force-new-cluster`.
    #[error("{0} is planned while a member runs with force-new-cluster")]
    BesideForced(String),
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
    findings.extend(forced(desired, observed, plan));
    match observed.membership.members() {
        None => {
            let forcing = Restart::ForceNewCluster;
            match &plan.action {
                Some(Action::RestartPod { why, .. }) if *why == forcing && forces(observed) => {}
                Some(action) if is_harmless(observed, action) => {}
                Some(action) => findings.push(Finding::Blind(action.to_string())),
                None => {}
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
            findings.extend(restart(desired, observed, plan));
            findings.extend(rollout(observed, members, plan));
            findings.extend(promotion(observed, plan));
            findings.extend(unproven(observed, plan));
            findings.extend(beside_forced(members, plan));
        }
    }
    findings
}

/// Does not touch the membership, nor a pod that runs and is ready.
fn is_harmless(observed: &Observed, action: &Action) -> bool {
    match action {
        Action::GrowVolume { .. } | Action::RecreateStatefulSet { .. } => true,
        Action::RestartPod { ordinal, .. } => {
            let pod = observed.pods.get(ordinal);
            pod.is_some_and(|pod| !(pod.running && pod.ready))
        }
        _ => false,
    }
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

fn promotion(observed: &Observed, plan: &Plan) -> Option<Finding> {
    let Some(Action::Promote { id, .. }) = plan.action else {
        return None;
    };
    let members = observed.membership.members()?;
    let after = members.iter().filter(|m| !m.learner || m.id == id);
    let (mut voters, mut left) = (0, 0);
    for member in after {
        voters += 1;
        left += usize::from(
            observed
                .report_of(member.id)
                .is_some_and(|report| report.leader.is_some()),
        );
    }
    (2 * left <= voters).then_some(Finding::Promotion { id, left, voters })
}

const FORCE: &str = "force-new-cluster: true";

fn forces(observed: &Observed) -> bool {
    let files = observed.config.iter().flat_map(|files| files.values());
    files.into_iter().any(|file| file.contains(FORCE))
}

fn forced(desired: &Desired, observed: &Observed, plan: &Plan) -> Option<Finding> {
    let files = plan.config.as_ref()?;
    if !files.values().any(|file| file.contains(FORCE)) {
        return None;
    }
    let voters = observed.status.members.iter().filter(|m| !m.learner);
    let (mut all, mut lead) = (0, 0);
    for voter in voters {
        all += 1;
        let id = u64::from_str_radix(&voter.id, 16).unwrap_or(0);
        lead += usize::from(
            observed
                .report_of(id)
                .is_some_and(|report| report.leader.is_some()),
        );
    }
    let next = observed.status.recoveries + 1;
    let word = observed
        .status
        .cluster_id
        .as_ref()
        .map(|id| format!("{id}/{next}"));
    if observed.membership.members().is_some() {
        Some(Finding::Forced("while a majority answers"))
    } else if !forces(observed) && 2 * lead > all {
        Some(Finding::Forced("while most members see a leader"))
    } else if files.len() != 1 {
        Some(Finding::Forced("for several members at once"))
    } else if !forces(observed) && (word.is_none() || desired.recovery_word != word) {
        Some(Finding::Forced("without the user's word"))
    } else {
        None
    }
}

fn unproven(observed: &Observed, plan: &Plan) -> Option<Finding> {
    let Some(Action::RemoveMember {
        ordinal,
        id,
        why: Removal::DataLost(_),
    }) = plan.action
    else {
        return None;
    };
    let report = observed.report_of(id)?;
    let complains = report.errors.iter().any(|error| error.contains("CORRUPT"));
    let going = observed
        .claims
        .get(&ordinal)
        .is_some_and(|claim| claim.terminating);
    (!complains && !going).then_some(Finding::Unproven(id))
}

fn beside_forced(members: &[Member], plan: &Plan) -> Option<Finding> {
    let runs = members
        .iter()
        .any(|member| member.name.contains(".recovery-"));
    let action = plan.action.as_ref().filter(|_| runs)?;
    let harmless = matches!(
        action,
        Action::RestartPod {
            why: Restart::RecoveryOver,
            ..
        }
    );
    (!harmless).then(|| Finding::BesideForced(action.to_string()))
}

fn restart(desired: &Desired, observed: &Observed, plan: &Plan) -> Option<Finding> {
    let Some(Action::RestartPod { ordinal, uid, .. }) = &plan.action else {
        return None;
    };
    if observed.pods.get(ordinal).map(|pod| &pod.uid) != Some(uid) {
        return Some(Finding::UnseenPod(*ordinal));
    }
    let answers = |id| {
        observed
            .report_of(id)
            .is_some_and(|report| report.leader.is_some())
    };
    let url = desired.identity.peer_url(*ordinal);
    let voters = observed.membership.members()?.iter();
    let (own, others): (Vec<_>, Vec<_>) = voters
        .filter(|member| !member.learner)
        .partition(|member| member.peer_urls.contains(&url));
    let sound = own.iter().any(|member| answers(member.id));
    let silent = others.iter().find(|member| !answers(member.id))?.id;
    sound.then_some(Finding::RestartBesideSick {
        ordinal: *ordinal,
        silent,
    })
}

/// An edit of the spec costs neither an election nor a learner that has come halfway.
fn rollout(observed: &Observed, members: &[Member], plan: &Plan) -> Option<Finding> {
    let Some(Action::RestartPod {
        ordinal,
        why: Restart::Outdated,
        ..
    }) = plan.action
    else {
        return None;
    };
    let report = observed.reports.get(&ordinal)?.as_ref().ok()?;
    let sound = report.leader.is_some() && report.errors.is_empty();
    if !sound || report.learner {
        return None;
    }
    let learner = members.iter().any(|member| member.learner);
    let voters = members.iter().filter(|member| !member.learner).count();
    if learner {
        Some(Finding::RestartBesideLearner(ordinal))
    } else if voters > 1 && observed.leader() == Some(report.member_id) {
        Some(Finding::LeaderRestarted(ordinal))
    } else {
        None
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
