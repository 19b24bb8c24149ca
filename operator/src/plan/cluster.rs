//! A cluster whose membership is known, as the rules look at it.
//!
//! Owns: which member has which ordinal, and the words for what one of them lacks.
//! Always holds: every member is ours, no two share an ordinal, and there is at least one.
//! Deliberately does not know: what is to be done.

use std::collections::{BTreeMap, BTreeSet};

use super::Gate;
use crate::{etcd::Member, observe::Observed, validate::Desired};

/// A cluster whose membership is known, every member matched with its ordinal.
pub(super) struct Cluster<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) members: BTreeMap<u32, &'a Member>,
    pub(super) gate: Gate,
}

impl<'a> Cluster<'a> {
    /// None when a member is not one of ours, or two claim one ordinal.
    pub(super) fn of(
        desired: &'a Desired,
        observed: &'a Observed,
        list: &'a [Member],
    ) -> Option<Self> {
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

    pub(super) fn ids(&self) -> BTreeMap<u32, u64> {
        self.members
            .iter()
            .map(|(ordinal, member)| (*ordinal, member.id))
            .collect()
    }

    /// Members that have started once. A learner whose startup probe has succeeded has, though it
    /// has told nobody yet: it may be promoted any moment, and must not come back without its data.
    pub(super) fn started(&self) -> BTreeSet<u32> {
        let members = self.members.iter();
        let started = members.filter(|(ordinal, member)| member.started() || self.runs(**ordinal));
        started.map(|(ordinal, _)| *ordinal).collect()
    }

    /// Whether the member runs as one of the cluster, by the word of its startup probe.
    pub(super) fn runs(&self, ordinal: u32) -> bool {
        let pod = self.observed.pods.get(&ordinal);
        pod.is_some_and(|pod| pod.running && pod.joined && !pod.terminating)
    }

    pub(super) fn voters(&self) -> impl Iterator<Item = (u32, &'a Member)> + '_ {
        self.members
            .iter()
            .filter(|(_, m)| !m.learner)
            .map(|(ordinal, m)| (*ordinal, *m))
    }

    pub(super) fn learners(&self) -> impl Iterator<Item = (u32, &'a Member)> + '_ {
        self.members
            .iter()
            .filter(|(_, m)| m.learner)
            .map(|(ordinal, m)| (*ordinal, *m))
    }

    pub(super) fn voter_count(&self) -> u32 {
        u32::try_from(self.voters().count()).unwrap_or(u32::MAX)
    }

    pub(super) fn highest_ordinal(&self) -> u32 {
        self.members.keys().next_back().copied().unwrap_or(0)
    }

    pub(super) fn name_of(&self, id: u64) -> String {
        let found = self.members.iter().find(|(_, member)| member.id == id);
        found.map_or_else(
            || format!("{id:x}"),
            |(ordinal, _)| self.desired.identity.member(*ordinal),
        )
    }

    pub(super) fn trouble_of(&self, ordinal: u32) -> Option<String> {
        self.observed
            .pods
            .get(&ordinal)
            .and_then(|pod| pod.trouble.clone())
    }

    pub(super) fn why_unhealthy(&self, id: u64) -> String {
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
