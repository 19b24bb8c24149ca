//! What to do next, and why not more.
//!
//! Owns: the order of work. A plan has the declared state of Kubernetes objects, at most one
//! action, and, when it waits, the reason as data.
//! Always holds: `plan` is a synchronous function of its arguments. Voters change one at a time;
//! pods follow the membership, never the other way round; what is unknown is left alone.
//! Deliberately does not know: how anything is read or written.

pub mod audit;
mod bootstrap;
mod damage;
mod gate;
mod grow;
mod recover;
mod replace;
mod rollout;
mod shrink;
mod volumes;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

pub use damage::Damage;
pub use gate::{Gate, Refusal, quorum};
pub use recover::{Loss, Survivor};
pub use waiting::Waiting;

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

/// A change of the cluster. A plan has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `MemberAdd` as learner.
    AddLearner {
        /// Ordinal of the new member.
        ordinal: u32,
    },
    /// `MemberPromote`.
    Promote {
        /// Ordinal of the learner.
        ordinal: u32,
        /// Its ID.
        id: u64,
    },
    /// Hand leadership over, so that removing the leader costs no election.
    MoveLeader {
        /// Ordinal of the leader.
        from: u32,
        /// Ordinal of the member that takes over.
        to: u32,
        /// ID of the member that takes over.
        id: u64,
    },
    /// `MemberRemove`.
    RemoveMember {
        /// Ordinal of the member.
        ordinal: u32,
        /// Its ID.
        id: u64,
        /// Why it goes.
        why: Removal,
    },
    /// Delete a pod, so that the StatefulSet makes a new one.
    RestartPod {
        /// Its ordinal.
        ordinal: u32,
        /// Its UID: another pod of the same name must survive.
        uid: String,
        /// Why it is replaced.
        why: Restart,
    },
    /// Ask for a larger volume.
    GrowVolume {
        /// Ordinal of the member.
        ordinal: u32,
        /// UID of the claim.
        uid: String,
        /// Its new size.
        size: String,
    },
    /// Delete the StatefulSet and leave its pods, so that it is made anew with another size of
    /// volumes: Kubernetes lets nobody change that in place.
    RecreateStatefulSet {
        /// Its UID: another StatefulSet of the same name must survive.
        uid: String,
    },
    /// `AlarmDeactivate` for corrupt data that has left with its member; until then etcd takes no
    /// writes.
    DisarmAlarm {
        /// ID that the member had.
        id: u64,
    },
    /// Delete the volume of a member that is no more.
    DeleteClaim {
        /// Ordinal that the member had.
        ordinal: u32,
        /// UID of the claim: another claim of the same name must survive.
        uid: String,
    },
}

/// Why a pod is replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It was made from an earlier template: the spec has changed since.
    Outdated,
    /// It was made for an earlier member with the same ordinal.
    EarlierMember,
    /// It is to start as a cluster of its own, since quorum is lost and the user has said so.
    ForceNewCluster,
    /// It has started as a cluster of its own and must not do so again.
    RecoveryOver,
}

/// Why a member is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Fewer members are wanted.
    ScaleDown,
    /// A learner that did not start or catch up in time; it is added anew afterwards.
    LearnerLate,
    /// Its data is lost; it is added anew afterwards.
    DataLost(Damage),
}

impl Action {
    /// A stable word for the event.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AddLearner { .. } => "MemberAdded",
            Self::Promote { .. } => "MemberPromoted",
            Self::MoveLeader { .. } => "LeaderMoved",
            Self::RemoveMember { .. } => "MemberRemoved",
            Self::RestartPod { why, .. } => why.reason(),
            Self::GrowVolume { .. } => "VolumeGrown",
            Self::RecreateStatefulSet { .. } => "StatefulSetRecreated",
            Self::DeleteClaim { .. } => "VolumeDeleted",
            Self::DisarmAlarm { .. } => "AlarmDisarmed",
        }
    }

    /// Ordinal of the member that it is about, if it is about one.
    #[must_use]
    pub fn ordinal(&self) -> Option<u32> {
        match self {
            Self::RecreateStatefulSet { .. } | Self::DisarmAlarm { .. } => None,
            Self::MoveLeader { from, .. } => Some(*from),
            Self::AddLearner { ordinal }
            | Self::Promote { ordinal, .. }
            | Self::RemoveMember { ordinal, .. }
            | Self::RestartPod { ordinal, .. }
            | Self::GrowVolume { ordinal, .. }
            | Self::DeleteClaim { ordinal, .. } => Some(*ordinal),
        }
    }
}

impl Restart {
    /// A stable word for the event.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Outdated => "OutdatedPodRestarted",
            Self::EarlierMember => "EarlierMembersPodRestarted",
            Self::ForceNewCluster => "RecoveryStarted",
            Self::RecoveryOver => "RecoveryFinished",
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outdated => "it was made from an earlier template",
            Self::EarlierMember => "it was made for an earlier member",
            Self::ForceNewCluster => "it starts as a cluster of its own",
            Self::RecoveryOver => "it has started as a cluster of its own and must not again",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLearner { ordinal } => write!(f, "add member {ordinal} as learner"),
            Self::Promote { ordinal, .. } => write!(f, "promote member {ordinal}"),
            Self::MoveLeader { from, to, .. } => {
                write!(f, "move leadership from member {from} to member {to}")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::ScaleDown,
                ..
            } => {
                write!(f, "remove member {ordinal}")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::LearnerLate,
                ..
            } => {
                write!(f, "remove learner {ordinal}, which missed its deadline")
            }
            Self::RemoveMember {
                ordinal,
                why: Removal::DataLost(damage),
                ..
            } => {
                write!(f, "remove member {ordinal} to add it anew: {damage}")
            }
            Self::RestartPod { ordinal, why, .. } => {
                write!(f, "restart the pod of member {ordinal}: {why}")
            }
            Self::GrowVolume { ordinal, size, .. } => {
                write!(f, "grow the volume of member {ordinal} to {size}")
            }
            Self::RecreateStatefulSet { .. } => write!(
                f,
                "recreate the StatefulSet around its pods, for new members to get volumes of the new size"
            ),
            Self::DeleteClaim { ordinal, .. } => write!(f, "delete the volume of member {ordinal}"),
            Self::DisarmAlarm { id } => {
                write!(
                    f,
                    "disarm the CORRUPT alarm of {id:x}, which is no member any more"
                )
            }
        }
    }
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
        .or_else(|| volumes::grow(desired, observed));
    Plan { action, ..plan }
}

/// Nobody answers for a majority: nothing is changed that could make it worse.
fn unknown(desired: &Desired, observed: &Observed, now: Timestamp, why: &str) -> Plan {
    if !bootstrap::happened(observed) {
        return bootstrap::plan(desired, observed);
    }
    if desired.size > 0 {
        return recover::plan(desired, observed, now, why);
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

/// A cluster whose membership is known, every member matched with its ordinal.
struct Cluster<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    members: BTreeMap<u32, &'a Member>,
    gate: Gate,
}

impl<'a> Cluster<'a> {
    /// None when a member is not one of ours, or two claim one ordinal.
    fn of(desired: &'a Desired, observed: &'a Observed, list: &'a [Member]) -> Option<Self> {
        let mut members = BTreeMap::new();
        for member in list {
            let ordinal = desired.identity.ordinal_of_member(&member.peer_urls)?;
            if members.insert(ordinal, member).is_some() {
                return None;
            }
        }
        let gate = Gate::new(observed, list);
        (!members.is_empty()).then_some(Self {
            desired,
            observed,
            members,
            gate,
        })
    }

    fn ids(&self) -> BTreeMap<u32, u64> {
        self.members
            .iter()
            .map(|(ordinal, member)| (*ordinal, member.id))
            .collect()
    }

    fn started(&self) -> BTreeSet<u32> {
        let started = self.members.iter().filter(|(_, member)| member.started());
        started.map(|(ordinal, _)| *ordinal).collect()
    }

    fn voters(&self) -> impl Iterator<Item = (u32, &'a Member)> + '_ {
        self.members
            .iter()
            .filter(|(_, m)| !m.learner)
            .map(|(ordinal, m)| (*ordinal, *m))
    }

    fn learners(&self) -> impl Iterator<Item = (u32, &'a Member)> + '_ {
        self.members
            .iter()
            .filter(|(_, m)| m.learner)
            .map(|(ordinal, m)| (*ordinal, *m))
    }

    fn voter_count(&self) -> u32 {
        u32::try_from(self.voters().count()).unwrap_or(u32::MAX)
    }

    fn highest_ordinal(&self) -> u32 {
        self.members.keys().next_back().copied().unwrap_or(0)
    }

    fn name_of(&self, id: u64) -> String {
        let found = self.members.iter().find(|(_, member)| member.id == id);
        found.map_or_else(
            || format!("{id:x}"),
            |(ordinal, _)| self.desired.identity.member(*ordinal),
        )
    }

    fn trouble_of(&self, ordinal: u32) -> Option<String> {
        self.observed
            .pods
            .get(&ordinal)
            .and_then(|pod| pod.trouble.clone())
    }

    fn why_unhealthy(&self, id: u64) -> String {
        let found = self.members.iter().find(|(_, member)| member.id == id);
        match (self.observed.report_of(id), found) {
            (Some(report), _) if report.has_corrupt_alarm() => {
                "it found its data to differ from the others'".to_owned()
            }
            (Some(_), _) => "it does not see the leader that the others see".to_owned(),
            (None, Some((ordinal, _))) => self.observed.silence(*ordinal),
            (None, None) => "it is not in the membership".to_owned(),
        }
    }
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
