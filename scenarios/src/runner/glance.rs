//! A look in short: enough to draw it.
//!
//! Owns: who is what at one moment, how far quorum is from being lost, and what the operator wrote
//! since the glance before.
//! Always holds: it says no more than what was seen; who did not answer has no role in etcd.
//! Deliberately does not know: how it is drawn.

use std::{collections::BTreeMap, time::Duration};

use chaos::Observation;

use crate::world::Calls;

/// A look in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// When, since the world began.
    pub at: Duration,
    /// The role of each pod, by name.
    pub pods: BTreeMap<String, Role>,
    /// Voters that answer above those that a majority needs; none when nobody tells the membership.
    pub margin: Option<i64>,
    /// Wanted members.
    pub wanted: u32,
    /// Ready members, says the status.
    pub ready: u32,
    /// What the operator wrote since the glance before, by call.
    pub writes: BTreeMap<String, u64>,
}

/// What a pod is for the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It leads.
    Leader,
    /// It votes and follows.
    Voter,
    /// It learns.
    Learner,
    /// It runs and knows of no leader.
    Leaderless,
    /// It runs and does not answer.
    Silent,
    /// It is there and does not run.
    Down,
}

impl Glance {
    /// The look in short; `made` is what the operator has called since the glance before.
    #[must_use]
    pub fn of(look: &Observation, made: Option<&Calls>) -> Self {
        let resource = look.resource.as_ref();
        let margin = look.newest_list().map(|(_, list)| {
            let voters = list.voters();
            let answer = look.members().filter(|it| voters.contains(&it.id)).count();
            answer as i64 - (voters.len() as i64 / 2 + 1)
        });
        Self {
            at: look.at,
            pods: roles(look),
            margin,
            wanted: resource.map_or(0, |it| it.wanted),
            ready: resource.map_or(0, |it| it.ready),
            writes: made.map(Calls::changes).unwrap_or_default(),
        }
    }

    /// Whether nothing is different but the time.
    #[must_use]
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let at = self.at;
        *self
            == Self {
                at,
                ..other.clone()
            }
    }
}

fn roles(look: &Observation) -> BTreeMap<String, Role> {
    let role = |pod: &chaos::observation::Pod| match &pod.member {
        Some(member) if member.leader == member.id => Role::Leader,
        Some(member) if member.learner => Role::Learner,
        Some(member) if member.leader == 0 => Role::Leaderless,
        Some(_) => Role::Voter,
        None if pod.running => Role::Silent,
        None => Role::Down,
    };
    let pods = look.pods.iter();
    pods.map(|pod| (pod.name.clone(), role(pod))).collect()
}

#[cfg(test)]
mod tests {
    use chaos::observation::{List, Listed, Member, Pod};

    use super::*;

    fn pod(index: u64, member: Option<Member>) -> Pod {
        Pod {
            name: format!("demo-{index}"),
            running: true,
            member,
            ..Pod::default()
        }
    }

    #[test]
    fn roles_and_the_margin_of_quorum_are_read_off_a_look() {
        let listed = |id| Listed {
            id,
            ..Listed::default()
        };
        let list = List {
            linearizable: true,
            members: [1, 2, 3].map(listed).into(),
        };
        let member = |id| Member {
            id,
            leader: 1,
            list: Some(list.clone()),
            ..Member::default()
        };
        let look = Observation {
            pods: vec![
                pod(0, Some(member(1))),
                pod(1, Some(member(2))),
                pod(2, None),
            ],
            ..Observation::default()
        };
        let mut calls = Calls::default();
        calls.etcd.insert("MemberAdd".to_owned(), 1);
        calls.etcd.insert("MemberList".to_owned(), 7);
        let glance = Glance::of(&look, Some(&calls));
        let roles: Vec<Role> = glance.pods.values().copied().collect();
        assert_eq!(roles, [Role::Leader, Role::Voter, Role::Silent]);
        assert_eq!(glance.margin, Some(0));
        assert_eq!(glance.writes, BTreeMap::from([("MemberAdd".to_owned(), 1)]));
        let later = Glance {
            at: Duration::from_secs(9),
            ..glance.clone()
        };
        assert!(glance.shows_the_same(&later));
    }
}
