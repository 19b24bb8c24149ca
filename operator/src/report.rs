//! Telling the truth: status and conditions.
//!
//! Owns: what users read of the cluster.
//! Always holds: every pass writes what was seen in that very pass, also when etcd does not
//! answer. `readyReplicas` counts voters that answered healthy just now and whose container runs.
//! Deliberately does not know: how the pass got there.

mod conditions;
mod members;
mod transitions;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::{
    api::{EtcdClusterStatus, MemberStatus, Phase},
    etcd::Member,
    execute::Outcome,
    observe::{Membership, Observed},
    plan::{Gate, Plan},
    quantity,
    validate::{Desired, Invalid},
    version::EtcdVersion,
};

pub use transitions::{Transition, transitions};

use conditions::{stamp, truth};

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
        members: members::statuses(desired, observed, &gate, now),
        recoveries: recoveries(desired, previous, members),
        conditions: conditions::conditions(desired, observed, plan, outcome, &gate, now),
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
            let seen = members::without_majority(desired, observed, member, now);
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

/// Kubernetes' times carry whole seconds.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
