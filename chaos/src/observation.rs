//! What can be seen of a cluster at one moment, from outside the operator.
//!
//! Owns: the shape of such a look: the resource, its pods, and what each member says of itself.
//! Always holds: nothing here comes from the operator's code; what did not answer is `None`.
//! Deliberately does not know: how the look was taken.
//!
//! A look is not instant: the resource is read first, then the pods, then the members, all within
//! a few milliseconds. Rules that compare the parts must allow for that.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// When it was complete, since the world began.
    pub at: Duration,
    /// The resource, while it exists.
    pub resource: Option<Resource>,
    /// The pods of the cluster, by name.
    pub pods: Vec<Pod>,
    /// Whether the members were asked; else nothing is known of who is silent.
    pub asked: bool,
    /// Whether the operator is kept from its work, so that its status may be old.
    pub hindered: bool,
    /// What the operator has sent so far that no operator may send, as far as it can be seen.
    pub misdeeds: Vec<String>,
}

/// The resource as the user reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// UID: a recreated resource is another one.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Generation of the spec.
    pub generation: i64,
    /// Wanted members.
    pub wanted: u32,
    /// Wanted version of etcd.
    pub version: String,
    /// Wanted limit of each member's memory, as Kubernetes writes it.
    pub memory_limit: Option<String>,
    /// Wanted size of each member's volume, as Kubernetes writes it.
    pub volume_size: Option<String>,
    /// Generation that the status is about.
    pub observed_generation: Option<i64>,
    /// Ready members, says the status.
    pub ready: u32,
    /// The cluster in one word, says the status.
    pub phase: String,
    /// Why it is not more, says the status.
    pub message: String,
    /// The conditions of the status.
    pub conditions: Vec<Condition>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// One condition of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `Available`, `Progressing`, `Degraded`.
    pub kind: String,
    /// Whether it holds; `None` when the status says that it is not known.
    pub holds: Option<bool>,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

impl Resource {
    /// What the status says of a condition; `None` also when it says nothing of it.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<bool> {
        self.conditions.iter().find(|it| it.kind == kind)?.holds
    }
}

/// A pod of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The node that it is on; empty before it is scheduled.
    pub node: String,
    /// The limit of its memory, as Kubernetes writes it.
    pub memory_limit: Option<String>,
    /// The size of its volume, as Kubernetes writes it; `None` when that could not be seen.
    pub volume_size: Option<String>,
    /// Whether a container of it runs.
    pub running: bool,
    /// Whether Kubernetes holds it ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Times that its containers were restarted.
    pub restarts: u32,
    /// What the member in it says, when it answers.
    pub member: Option<Member>,
}

/// What one member says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The cluster's ID.
    pub cluster: u64,
    /// Its own ID.
    pub id: u64,
    /// The leader's ID; 0 when it knows of none.
    pub leader: u64,
    /// Whether it is a learner.
    pub learner: bool,
    /// Index of the last log entry that it has applied.
    pub applied: u64,
    /// Its version.
    pub version: String,
    /// The membership that it knows; learners do not tell.
    pub list: Option<List>,
}

/// A membership.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Whether a linearizable read on the same member came before it, so that it is not stale.
    pub linearizable: bool,
    /// The members, by ID.
    pub members: Vec<Listed>,
}

/// One member of a membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its ID.
    pub id: u64,
    /// Its name; empty until it has started.
    pub name: String,
    /// Whether it is a learner.
    pub learner: bool,
}

impl Pod {
    /// The number at the end of its name.
    #[must_use]
    pub fn ordinal(&self) -> Option<u32> {
        self.name.rsplit_once('-')?.1.parse().ok()
    }
}

impl List {
    /// IDs of the voters.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<u64> {
        self.members
            .iter()
            .filter(|member| !member.learner)
            .map(|member| member.id)
            .collect()
    }

    /// IDs of all members.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<u64> {
        self.members.iter().map(|member| member.id).collect()
    }
}

impl Observation {
    /// The members that answered.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.pods.iter().filter_map(|pod| pod.member.as_ref())
    }

    /// The membership as the member knows it that has applied most of the log, and how much.
    #[must_use]
    pub fn newest_list(&self) -> Option<(u64, &List)> {
        let lists = self
            .members()
            .filter_map(|member| Some((member.applied, member.list.as_ref()?)));
        lists.max_by_key(|(applied, _)| *applied)
    }
}

#[cfg(test)]
pub(crate) mod example {
    //! Short notation for looks in tests.

    use super::*;

    /// A pod `demo-N` whose member has ID N + 1 and leader 1.
    pub(crate) fn pod(index: u64, list: &[Listed]) -> Pod {
        let listed = list.iter().find(|listed| listed.id == index + 1);
        let learner = listed.is_some_and(|listed| listed.learner);
        let list = List {
            linearizable: true,
            members: list.to_vec(),
        };
        Pod {
            name: format!("demo-{index}"),
            uid: format!("pod-{index}"),
            running: true,
            ready: true,
            member: Some(Member {
                cluster: 7,
                id: index + 1,
                leader: 1,
                learner,
                applied: 10,
                version: "3.5.21".to_owned(),
                list: (!learner).then_some(list),
            }),
            ..Pod::default()
        }
    }

    pub(crate) fn voter(id: u64) -> Listed {
        Listed {
            id,
            name: format!("demo-{}", id - 1),
            learner: false,
        }
    }

    pub(crate) fn learner(id: u64) -> Listed {
        Listed {
            learner: true,
            ..voter(id)
        }
    }

    pub(crate) fn unstarted(id: u64) -> Listed {
        Listed {
            name: String::new(),
            ..voter(id)
        }
    }

    /// A look at second `at`: the membership, and which of its members run in pods.
    pub(crate) fn look(at: u64, applied: u64, list: &[Listed], running: &[u64]) -> Observation {
        let pods = running.iter().map(|id| {
            let mut pod = pod(id - 1, list);
            if let Some(member) = &mut pod.member {
                member.applied = applied;
            }
            pod
        });
        let resource = Resource {
            uid: "u".to_owned(),
            generation: 1,
            observed_generation: Some(1),
            wanted: running.len() as u32,
            version: "3.5.21".to_owned(),
            ready: running.len() as u32,
            ..Resource::default()
        };
        let at = Duration::from_secs(at);
        Observation {
            at,
            resource: Some(resource),
            pods: pods.collect(),
            asked: true,
            ..Observation::default()
        }
    }
}
