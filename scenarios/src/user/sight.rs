//! Looking at a cluster without asking for it.
//!
//! Owns: what a world that keeps its objects and members in this process shows of them, and not
//! reading anew what has not changed: most looks find all as it was.
//! Always holds: what is seen is what the API server and the members would answer at this moment;
//! a member that cannot be reached by the user is not seen.
//! Deliberately does not know: what the operator believes, and how the world reaches its parts.

use std::sync::Arc;

use chaos::observation::{List, Listed, Member};
use k8s_openapi::api::core::v1 as core;
use kube::api::DynamicObject;
use serde::Deserialize;
use serde_json::Value;
use simulator::etcd::Glance;

use super::{
    Told,
    pods::{self, Addressed},
    resource::{self, failed},
};
use crate::world::WorldFailed;

/// The objects of a cluster as the API server has them.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The EtcdCluster, if it is there.
    pub cluster: Option<Arc<Value>>,
    /// The pods of its namespace.
    pub pods: Vec<Arc<Value>>,
    /// The volume claims of its namespace.
    pub claims: Vec<Arc<Value>>,
}

impl Stored {
    /// Whether not one object has changed between the two.
    fn is_same(&self, other: &Self) -> bool {
        let same = |ours: &[Arc<Value>], theirs: &[Arc<Value>]| {
            let pairs = || ours.iter().zip(theirs);
            ours.len() == theirs.len() && pairs().all(|(one, other)| Arc::ptr_eq(one, other))
        };
        same(self.cluster.as_slice(), other.cluster.as_slice())
            && same(&self.pods, &other.pods)
            && same(&self.claims, &other.claims)
    }
}

/// What was read last, and from what.
#[derive(Default)]
pub(super) struct Remembered(Option<(Stored, Told)>);

impl Remembered {
    /// Reads the objects of the cluster, unless they are those that were read last.
    pub(super) fn read(&mut self, stored: Stored, cluster: &str) -> Result<Told, WorldFailed> {
        if let Some((before, told)) = &self.0
            && before.is_same(&stored)
        {
            return Ok(told.clone());
        }
        let told = read(&stored, cluster)?;
        self.0 = Some((stored, told.clone()));
        Ok(told)
    }
}

fn read(stored: &Stored, cluster: &str) -> Result<Told, WorldFailed> {
    let object = stored.cluster.as_deref().map(DynamicObject::deserialize);
    let object = object.transpose();
    let object = object.map_err(|error| failed("read the EtcdCluster", error))?;
    let parsed: Result<Vec<core::Pod>, _> = parse(&stored.pods);
    let found = parsed.map_err(|error| failed("read the pods", error))?;
    let parsed: Result<Vec<core::PersistentVolumeClaim>, _> = parse(&stored.claims);
    let claims = parsed.map_err(|error| failed("read the volume claims", error))?;
    Ok((
        object.as_ref().map(resource::found),
        pods::of(cluster, &found, &claims),
    ))
}

fn parse<'a, T: Deserialize<'a>>(objects: &'a [Arc<Value>]) -> Result<Vec<T>, serde_json::Error> {
    objects.iter().map(|it| T::deserialize(&**it)).collect()
}

/// What the members in these pods tell, from what was seen of each.
pub(super) fn members(pods: &[Addressed], glances: Vec<Option<Glance>>) -> Vec<Option<Member>> {
    let addressed = pods.iter().map(|(_, address)| address.is_some());
    let seen: Vec<Option<Glance>> = glances
        .into_iter()
        .zip(addressed)
        .map(|(glance, has_address)| glance.filter(|_| has_address))
        .collect();
    // A read through a member is confirmed by the leader that it follows, in its term.
    let leads = |glance: &Glance| {
        let leaders = seen.iter().flatten().filter(|it| it.leader == it.id);
        let mut leaders = leaders.map(|it| (it.id, it.term));
        leaders.any(|leader| leader == (glance.leader, glance.term))
    };
    let told = seen.iter().map(|glance| {
        let glance = glance.as_ref()?;
        Some(member(glance, leads(glance)))
    });
    told.collect()
}

fn member(glance: &Glance, linearizable: bool) -> Member {
    let mut members: Vec<Listed> = glance
        .members
        .iter()
        .map(|(id, name, learner)| Listed {
            id: *id,
            name: name.clone(),
            learner: *learner,
        })
        .collect();
    members.sort();
    let list = List {
        linearizable,
        members,
    };
    Member {
        cluster: glance.cluster,
        id: glance.id,
        leader: glance.leader,
        learner: glance.learner,
        applied: glance.applied,
        version: glance.version.clone(),
        list: (!glance.learner).then_some(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(id: u64, leader: u64, term: u64) -> Option<Glance> {
        Some(Glance {
            cluster: 7,
            id,
            leader,
            term,
            learner: false,
            applied: 10,
            version: "3.5.21".to_owned(),
            members: vec![(2, "b".to_owned(), false), (1, "a".to_owned(), false)],
        })
    }

    fn current(glances: Vec<Option<Glance>>) -> Vec<Option<bool>> {
        let pod = || {
            (
                chaos::observation::Pod::default(),
                Some("10.0.0.1".to_owned()),
            )
        };
        let pods: Vec<Addressed> = glances.iter().map(|_| pod()).collect();
        let told = members(&pods, glances).into_iter();
        told.map(|member| Some(member?.list?.linearizable))
            .collect()
    }

    #[test]
    fn a_list_is_current_where_the_leader_leads_in_the_same_term() {
        let both = current(vec![glance(1, 1, 5), glance(2, 1, 5)]);
        assert_eq!(both, [Some(true), Some(true)]);
        let left_behind = current(vec![glance(1, 1, 5), glance(2, 1, 4)]);
        assert_eq!(left_behind, [Some(true), Some(false)]);
        let leaderless = current(vec![None, glance(2, 1, 5), glance(3, 0, 5)]);
        assert_eq!(leaderless, [None, Some(false), Some(false)]);
    }

    #[test]
    fn a_member_in_a_pod_without_an_address_is_not_seen() {
        let pods = [(chaos::observation::Pod::default(), None)];
        assert_eq!(members(&pods, vec![glance(1, 1, 5)]), [None]);
    }

    #[test]
    fn what_has_changed_is_read_anew() {
        let stored = |ready: u32| Stored {
            cluster: Some(Arc::new(serde_json::json!({
                "apiVersion": "etcd.etcd.io/v1alpha1", "kind": "EtcdCluster",
                "metadata": {"name": "demo", "uid": "u"}, "status": {"readyReplicas": ready},
            }))),
            ..Stored::default()
        };
        let ready = |told: Told| told.0.map(|(resource, _)| resource.ready);
        let (mut remembered, first) = (Remembered::default(), stored(1));
        let read = remembered.read(first.clone(), "demo").expect("readable");
        assert_eq!(ready(read), Some(1));
        let again = remembered.read(first, "demo").expect("readable");
        assert_eq!(ready(again), Some(1));
        let changed = remembered.read(stored(2), "demo").expect("readable");
        assert_eq!(ready(changed), Some(2));
    }
}
