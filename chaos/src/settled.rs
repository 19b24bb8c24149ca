//! Whether a cluster is where it should be.
//!
//! Owns: what "three members" means to somebody who does not trust the status.
//! Always holds: every member is asked, and all of them have to agree.
//! Deliberately does not know: how long that may take.

use std::collections::BTreeSet;

use crate::{Observation, observation::Resource};

impl Observation {
    /// Whether the cluster is exactly `count` voters, healthy, agreed on by every one of them, with
    /// one leader, no learner and no pod besides, and the status says so.
    ///
    /// # Errors
    /// Says what is still missing.
    pub fn settled_at(&self, count: u32) -> Result<(), String> {
        let resource = self.resource.as_ref().ok_or("there is no EtcdCluster")?;
        self.members_agree(count)?;
        if let Some(other) = self.members().find(|it| it.version != resource.version) {
            return Err(format!("a member runs version {}", other.version));
        }
        self.pods_are_as_wanted(resource)?;
        if resource.observed_generation != Some(resource.generation) {
            return Err("the status is about an earlier spec".to_owned());
        }
        if resource.ready != count {
            return Err(format!("the status says {} ready", resource.ready));
        }
        Ok(())
    }

    /// What the spec says of pods and volumes is true of each.
    fn pods_are_as_wanted(&self, resource: &Resource) -> Result<(), String> {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        for pod in &self.pods {
            if pod.memory_limit != resource.memory_limit {
                let limit = shown(&pod.memory_limit);
                return Err(format!("{} has a memory limit of {limit}", pod.name));
            }
            let wanted = resource.volume_size.as_ref();
            if pod
                .volume_size
                .as_ref()
                .is_some_and(|size| Some(size) != wanted)
            {
                let size = shown(&pod.volume_size);
                return Err(format!("{} has a volume of {size}", pod.name));
            }
        }
        Ok(())
    }

    fn members_agree(&self, count: u32) -> Result<(), String> {
        if self.pods.len() != count as usize {
            return Err(format!("there are {} pods", self.pods.len()));
        }
        let mut leaders = BTreeSet::new();
        let mut clusters = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for pod in &self.pods {
            let member = pod
                .member
                .as_ref()
                .ok_or_else(|| format!("{} does not answer", pod.name))?;
            if !pod.ready || pod.deleting {
                return Err(format!("pod {} is not ready", pod.name));
            }
            if member.learner {
                return Err(format!("{} is a learner", pod.name));
            }
            leaders.insert(member.leader);
            clusters.insert(member.cluster);
            ids.insert(member.id);
        }
        for pod in &self.pods {
            let list = pod.member.as_ref().and_then(|member| member.list.as_ref());
            let list = list.filter(|list| list.linearizable);
            let list = list.ok_or_else(|| format!("{} cannot tell the membership", pod.name))?;
            if list.ids() != ids || list.voters() != ids {
                return Err(format!(
                    "{} lists other members than those that run",
                    pod.name
                ));
            }
        }
        if count == 0 {
            return Ok(());
        }
        if clusters.len() != 1 {
            return Err(format!(
                "the members are in {} different clusters",
                clusters.len()
            ));
        }
        match leaders.first() {
            Some(leader) if leaders.len() == 1 && ids.contains(leader) => Ok(()),
            _ => Err("the members do not agree on a leader".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{List, Member, Resource, example::*};

    #[test]
    fn three_voters_that_agree_are_settled() {
        let list = [voter(1), voter(2), voter(3)];
        assert_eq!(look(1, 10, &list, &[1, 2, 3]).settled_at(3), Ok(()));
    }

    #[test]
    fn what_is_missing_is_said() {
        let list = [voter(1), voter(2), voter(3)];
        let say = |change: fn(&mut Observation)| {
            let mut look = look(1, 10, &list, &[1, 2, 3]);
            change(&mut look);
            look.settled_at(3).expect_err("not settled")
        };
        assert_eq!(say(|look| look.resource = None), "there is no EtcdCluster");
        assert_eq!(
            say(|look| {
                look.pods.pop();
            }),
            "there are 2 pods"
        );
        assert_eq!(
            say(|look| look.pods[1].member = None),
            "demo-1 does not answer"
        );
        assert_eq!(
            say(|look| look.pods[1].ready = false),
            "pod demo-1 is not ready"
        );
        assert!(say(|look| member(look).leader = 2).contains("do not agree on a leader"));
        assert!(say(|look| member(look).cluster = 8).contains("2 different clusters"));
        assert!(say(|look| member(look).learner = true).contains("is a learner"));
        assert!(say(|look| list_of(look).linearizable = false).contains("cannot tell"));
        assert!(
            say(|look| {
                list_of(look).members.pop();
            })
            .contains("lists other members")
        );
        assert!(say(|look| member(look).version = "3.5.20".to_owned()).contains("version 3.5.20"));
        assert!(say(|look| resource(look).ready = 2).contains("the status says 2 ready"));
        assert!(say(|look| resource(look).generation = 2).contains("earlier spec"));
    }

    fn member(look: &mut Observation) -> &mut Member {
        look.pods[1].member.as_mut().expect("answers")
    }

    fn list_of(look: &mut Observation) -> &mut List {
        member(look).list.as_mut().expect("tells")
    }

    fn resource(look: &mut Observation) -> &mut Resource {
        look.resource.as_mut().expect("exists")
    }

    #[test]
    fn a_leader_that_is_no_member_is_no_leader() {
        let list = [voter(2), voter(3)];
        let look = look(1, 10, &list, &[2, 3]);
        assert!(
            look.settled_at(2)
                .expect_err("leader 1 is gone")
                .contains("leader")
        );
    }
}
