//! What is: Kubernetes objects and every member's own word.
//!
//! Owns: the picture of one cluster that the planner decides on.
//! Always holds: the membership counts only when it came from a linearizable read; otherwise it is
//! *unknown*, which is never read as *empty*.
//! Deliberately does not know: what is wanted.

mod caches;
mod connections;
mod look;
mod views;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Service},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    api::{EtcdClusterStatus, MemberStatus},
    etcd::{Member, MemberReport},
    last_words::LastWords,
};

pub use caches::{CachesClosed, Objects, Stores};
pub use connections::{Connections, chain};
pub use look::observe;
pub(crate) use views::requested;

/// One cluster, as seen just now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Pods by ordinal.
    pub pods: BTreeMap<u32, PodView>,
    /// Volumes by ordinal.
    pub claims: BTreeMap<u32, ClaimView>,
    /// The StatefulSet, if there is one.
    pub stateful_set: Option<StatefulSetView>,
    /// The members' configuration files: name to content. None when the ConfigMap is not there.
    pub config: Option<BTreeMap<String, String>>,
    /// What each pod's member says of itself, by ordinal; absent for pods without an address.
    pub reports: BTreeMap<u32, Result<MemberReport, String>>,
    /// The membership.
    pub membership: Membership,
    /// The status as last written.
    pub status: EtcdClusterStatus,
}

/// The live objects that are compared with what they should be.
#[derive(Clone, Debug, Default)]
pub struct LiveObjects {
    /// Members' configuration.
    pub config_map: Option<ConfigMap>,
    /// The members' pods.
    pub stateful_set: Option<StatefulSet>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Disruption budget.
    pub budget: Option<PodDisruptionBudget>,
    /// Volume claims by ordinal.
    pub claims: BTreeMap<u32, PersistentVolumeClaim>,
}

/// What matters of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodView {
    /// Its UID.
    pub uid: String,
    /// Its resource version: every change gives it another one.
    pub revision: String,
    /// Its address, once it has one.
    pub ip: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether its container runs.
    pub running: bool,
    /// Why it does not run, in the kubelet's or the scheduler's words.
    pub trouble: Option<String>,
    /// Whether its readiness probe succeeds.
    pub ready: bool,
    /// Since when its container runs.
    pub started: Option<Timestamp>,
    /// Whether its startup probe has succeeded: etcd has read the membership from the others and
    /// takes part, though it may serve no clients yet.
    pub joined: bool,
    /// The node that it was given to.
    pub node: Option<String>,
    /// Times its container was started again.
    pub restarts: u32,
    /// How its container ended the last time, if it ever did.
    pub last_exit: Option<Exit>,
    /// Hash of the template that it was made from, as the operator wrote it down there.
    pub template: Option<String>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code.
    pub code: i32,
    /// The kubelet's word for it: `Error`, `Completed`, `OOMKilled`.
    pub reason: String,
    /// Its last words: the end of its log.
    pub message: String,
    /// When.
    pub finished: Option<Timestamp>,
}

/// What matters of a volume claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimView {
    /// Its UID.
    pub uid: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether it has a volume.
    pub bound: bool,
    /// The size that it asks for.
    pub requested: Option<Quantity>,
}

/// What matters of the StatefulSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatefulSetView {
    /// Its UID.
    pub uid: String,
    /// Wanted pods.
    pub replicas: u32,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Hash of its pod template.
    pub template: Option<String>,
    /// Whether its controller has seen all that it says.
    pub up_to_date: bool,
    /// The size of the volumes that it makes.
    pub volume_size: Option<Quantity>,
    /// Whether this cluster owns it: a StatefulSet of the same name may be somebody else's.
    pub owned: bool,
}

/// What is known of the membership.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Not known, and why.
    #[default]
    NotAsked,
    /// Nobody could answer for a majority.
    Unknown {
        /// In the words of the last member that was asked.
        why: String,
    },
    /// As a linearizable read told it.
    Known {
        /// The cluster's ID.
        cluster_id: u64,
        /// Every member.
        members: Vec<Member>,
    },
}

impl Membership {
    /// The members, if they are known.
    #[must_use]
    pub fn members(&self) -> Option<&[Member]> {
        match self {
            Self::Known { members, .. } => Some(members),
            Self::NotAsked | Self::Unknown { .. } => None,
        }
    }
}

impl Observed {
    /// The report of the member with this ID, if its pod answered as that very member.
    #[must_use]
    pub fn report_of(&self, id: u64) -> Option<&MemberReport> {
        self.reports
            .values()
            .flatten()
            .find(|report| report.member_id == id)
    }

    /// Voters that answered, with their pods, in the order in which to ask them for more: the
    /// leader first, since it answers without forwarding.
    #[must_use]
    pub fn answering_voters(&self) -> Vec<(&PodView, &MemberReport)> {
        let leader = self.leader();
        let mut voters: Vec<_> = self
            .reports
            .iter()
            .filter_map(|(ordinal, report)| Some((self.pods.get(ordinal)?, report.as_ref().ok()?)))
            .filter(|(_, report)| !report.learner)
            .collect();
        voters.sort_by_key(|(_, report)| Some(report.member_id) != leader);
        voters
    }

    /// What the status recorded of the member with this ID.
    #[must_use]
    pub fn recorded(&self, id: u64) -> Option<&MemberStatus> {
        let id = format!("{id:x}");
        self.status.members.iter().find(|member| member.id == id)
    }

    /// Why the member with this ordinal does not answer, in words for people.
    #[must_use]
    pub fn silence(&self, ordinal: u32) -> String {
        let Some(pod) = self.pods.get(&ordinal) else {
            return "it has no pod".to_owned();
        };
        if pod.terminating {
            return match &pod.node {
                Some(node) => format!("its pod is being deleted from node {node}"),
                None => "its pod is being deleted".to_owned(),
            };
        }
        if let Some(trouble) = &pod.trouble {
            let words = pod.last_exit.as_ref().filter(|_| !pod.running);
            let words = words.and_then(|exit| LastWords::of(&exit.message));
            return match words {
                Some(words) => format!("{words}: {trouble}"),
                None => trouble.clone(),
            };
        }
        match self.reports.get(&ordinal) {
            Some(Err(why)) => why.clone(),
            Some(Ok(_)) => "its pod answers as another member".to_owned(),
            None => "its pod has no address yet".to_owned(),
        }
    }

    /// The leader that the members agree on: the one named in the highest term.
    #[must_use]
    pub fn leader(&self) -> Option<u64> {
        self.reports
            .values()
            .flatten()
            .filter_map(|report| Some((report.term, report.leader?)))
            .max_by_key(|(term, _)| *term)
            .map(|(_, leader)| leader)
    }
}
