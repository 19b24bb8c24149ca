//! What to do next, and why not more.
//!
//! Owns: the order of work. A plan has the declared state of Kubernetes objects, at most one
//! action, and, when it waits, the reason as data.
//! Always holds: `plan` is a synchronous function of its arguments. Voters change one at a time;
//! pods follow the membership, never the other way round; what is unknown is left alone.
//! Deliberately does not know: how anything is read or written.

mod action;
pub mod audit;
mod bootstrap;
mod cluster;
mod damage;
mod gate;
mod grow;
mod recover;
mod replace;
mod rollout;
mod shrink;
mod volumes;
mod waiting;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use action::{Action, Removal, Restart};
pub use damage::Damage;
pub use gate::{Gate, Refusal, quorum};
pub use recover::{Loss, Survivor};
pub use waiting::Waiting;

use cluster::Cluster;

use crate::{
    build::member_config,
    etcd::Member,
    observe::{Membership, Observed},
    validate::Desired,
};

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The members' configuration files as they should be; None leaves them as they are.
    pub config: Option<BTreeMap<String, String>>,
    /// Pods that the StatefulSet should have; None leaves it as it is, or absent.
    pub replicas: Option<u32>,
    /// Voters that the disruption budget protects.
    pub protected_voters: u32,
    /// The one change to make, if any.
    pub action: Option<Action>,
    /// What stands in the way of more.
    pub waiting: Option<Waiting>,
}

/// Decides what to do next.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
    if desired.deleting {
        return Plan::default();
    }
    if observed.stateful_set.as_ref().is_some_and(|set| !set.owned) {
        return Plan::wait(Waiting::NotOurs {
            name: desired.identity.name.clone(),
        });
    }
    match &observed.membership {
        Membership::Known {
            cluster_id,
            members,
        } => known(desired, observed, now, *cluster_id, members),
        Membership::Unknown { why } => without_majority(desired, observed, now, why),
        Membership::NotAsked => without_majority(desired, observed, now, "no member runs"),
    }
}

/// Nobody answers for a majority: what may be the cure and harms nobody is done.
fn without_majority(desired: &Desired, observed: &Observed, now: Timestamp, why: &str) -> Plan {
    let plan = unknown(desired, observed, now, why);
    let action = plan
        .action
        .or_else(|| rollout::mend_blindly(desired, observed, now))
        .or_else(|| replace::refresh_blindly(desired, observed, now))
        .or_else(|| volumes::grow(desired, observed));
    Plan { action, ..plan }
}

/// Nobody answers for a majority: nothing is changed that could make it worse.
fn unknown(desired: &Desired, observed: &Observed, now: Timestamp, why: &str) -> Plan {
    let happened = bootstrap::happened(observed);
    if desired.size > 0 && happened {
        return recover::plan(desired, observed, now, why);
    }
    if desired.size > 0 || (!happened && observed.stateful_set.is_none()) {
        return bootstrap::plan(desired, observed);
    }
    let files = observed.config.as_ref().map_or(0, BTreeMap::len);
    let live = observed.stateful_set.as_ref().map_or(0, |set| set.replicas);
    Plan {
        replicas: Some(0),
        protected_voters: u32::try_from(files).unwrap_or(u32::MAX),
        waiting: (live > 0 || !observed.pods.is_empty()).then_some(Waiting::Stopping),
        ..Plan::default()
    }
}

fn known(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    cluster_id: u64,
    members: &[Member],
) -> Plan {
    let expected = observed.status.cluster_id.as_deref();
    let found = format!("{cluster_id:x}");
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Plan::wait(Waiting::OtherCluster {
            expected: expected.to_owned(),
            found,
        });
    }
    let Some(cluster) = Cluster::of(desired, observed, members) else {
        return foreign_member(desired, observed, members);
    };
    if let Some(waiting) = recover::uncounted(&cluster) {
        return Plan::wait(waiting);
    }
    if desired.size == 0 {
        return Plan {
            config: Some(member_config::files(
                desired,
                &cluster.ids(),
                &cluster.started(),
            )),
            replicas: Some(0),
            protected_voters: cluster.voter_count(),
            waiting: Some(Waiting::Stopping),
            ..Plan::default()
        };
    }
    let mut plan = Plan {
        config: Some(member_config::files(
            desired,
            &cluster.ids(),
            &cluster.started(),
        )),
        replicas: Some(cluster.highest_ordinal() + 1),
        protected_voters: cluster.voter_count().max(desired.size),
        ..Plan::default()
    };
    match next_step(desired, &cluster, now) {
        Step::Act(action) => plan.action = Some(action),
        Step::Wait(waiting) => plan.waiting = Some(waiting),
        Step::Settled => {}
    }
    // Volumes grow beside whatever else is waited for.
    if plan.action.is_none() {
        plan.action = volumes::grow(desired, observed);
    }
    plan
}

/// The order of work: a member that the spec itself broke comes first, then what was begun, then
/// repair and cleaning up, growth, shrinking, and last, when nobody joins or leaves any more,
/// restarts of healthy members.
fn next_step(desired: &Desired, cluster: &Cluster<'_>, now: Timestamp) -> Step {
    match recover::finish(cluster, now) {
        Step::Settled => {}
        under_way => return under_way,
    }
    let steps: [&dyn Fn() -> Step; 9] = [
        &|| replace::refresh_pods(cluster, now),
        &|| rollout::mend(desired, cluster, now),
        &|| grow::settle_learners(desired, cluster, now),
        &|| replace::replace(cluster, now),
        &|| replace::disarm(cluster),
        &|| shrink::clean_up(cluster),
        &|| grow::grow(desired, cluster),
        &|| shrink::shrink(desired, cluster),
        &|| rollout::advance(desired, cluster),
    ];
    let mut waiting = None;
    for step in steps {
        match step() {
            Step::Act(action) => return Step::Act(action),
            Step::Wait(reason) => waiting = waiting.or(Some(reason)),
            Step::Settled => {}
        }
    }
    match waiting.map_or_else(|| sick_voter(cluster), Step::Wait) {
        Step::Settled => refused(desired, cluster.observed),
        decided => decided,
    }
}

/// All is well, and the spec asks for what cannot be.
fn refused(desired: &Desired, observed: &Observed) -> Step {
    let version = desired.version_refused.map(Waiting::VersionRefused);
    let waiting = version.or_else(|| volumes::refused(desired, observed));
    waiting.map_or(Step::Settled, Step::Wait)
}

/// At the wanted size, yet somebody does not answer.
fn sick_voter(cluster: &Cluster<'_>) -> Step {
    match cluster.gate.sick().next() {
        Some(id) => Step::Wait(Waiting::VoterUnhealthy {
            member: cluster.name_of(id),
            why: cluster.why_unhealthy(id),
        }),
        None => Step::Settled,
    }
}

/// What one rule has to say.
enum Step {
    Act(Action),
    Wait(Waiting),
    Settled,
}

/// The membership is left alone, but what the members have keeps being looked after.
fn foreign_member(desired: &Desired, observed: &Observed, members: &[Member]) -> Plan {
    let ours = members
        .iter()
        .filter_map(|member| desired.identity.ordinal_of_member(&member.peer_urls));
    let live = observed.stateful_set.as_ref().map_or(0, |set| set.replicas);
    let pods = ours.max().map_or(0, |highest| highest + 1).max(live);
    Plan {
        replicas: (desired.size > 0).then_some(pods),
        protected_voters: u32::try_from(members.len()).unwrap_or(u32::MAX),
        waiting: Some(Waiting::ForeignMember {
            peer_urls: foreign_urls(desired, members),
        }),
        ..Plan::default()
    }
}

fn foreign_urls(desired: &Desired, members: &[Member]) -> Vec<String> {
    members
        .iter()
        .filter(|member| {
            let ordinal = desired.identity.ordinal_of_member(&member.peer_urls);
            ordinal.is_none()
        })
        .flat_map(|member| member.peer_urls.clone())
        .collect()
}

fn first_trouble(desired: &Desired, observed: &Observed) -> Option<String> {
    observed.pods.iter().find_map(|(ordinal, pod)| {
        let trouble = pod.trouble.as_ref()?;
        Some(format!("{}: {trouble}", desired.identity.member(*ordinal)))
    })
}

impl Plan {
    fn wait(waiting: Waiting) -> Self {
        Self {
            waiting: Some(waiting),
            ..Self::default()
        }
    }
}
