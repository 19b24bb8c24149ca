//! A picture in the operator's own types.
//!
//! Owns: the names, IDs, UIDs and files that stand for the few cases which the model tells apart.
//! Always holds: they are computed once; a translation only puts them together.
//! Deliberately does not know: what the planner makes of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::{
    api::resource::Quantity,
    apis::meta::v1::{Condition, Time},
};
use operator::{
    api::MemberStatus,
    build::member_config,
    etcd::{self, MemberReport},
    identity::Identity,
    observe::{ClaimView, Exit, Membership, Observed, PodView, StatefulSetView},
    report::AVAILABLE,
    validate::Desired,
    version::EtcdVersion,
};

use crate::{
    picture::{NOW, Picture},
    world::{
        Claim, File, Member, Pod, Record, Role, SLOTS, Template, Told, Volume, Whom, slots, small,
    },
};

/// The cluster's ID, and its size of volumes.
const CLUSTER: u64 = 0xc;
const VOLUME: &str = "1Gi";

/// What is the same in every picture.
pub struct Terms {
    desired: Desired,
    /// By ordinal.
    slots: [Slot; SLOTS],
}

struct Slot {
    ordinal: u32,
    name: String,
    /// The present member's ID: that of a first member, since then it is the same whether it is
    /// one or not.
    id: u64,
    peer_url: String,
    client_url: String,
    file_name: String,
    new: String,
    join: String,
    started: String,
    earlier: String,
}

impl Terms {
    /// For clusters of this version.
    pub fn new(version: EtcdVersion) -> Self {
        let desired = desired(version);
        let identity = &desired.identity;
        let ids: BTreeMap<u32, u64> = slots()
            .map(|slot| u32::from(small(slot)))
            .map(|ordinal| (ordinal, identity.bootstrap_member_id(ordinal)))
            .collect();
        let new = member_config::bootstrap_files(&desired, &ids);
        let join = member_config::files(&desired, &ids, &BTreeSet::new());
        let slots = std::array::from_fn(|slot| {
            let ordinal = u32::from(small(slot));
            let file_name = member_config::file_name(identity, ordinal);
            Slot {
                ordinal,
                name: identity.member(ordinal),
                id: ids[&ordinal],
                peer_url: identity.peer_url(ordinal),
                client_url: identity.client_url(ordinal),
                new: new[&file_name].clone(),
                join: join[&file_name].clone(),
                started: member_config::started_file(&desired, ordinal, ids[&ordinal]),
                earlier: member_config::started_file(&desired, ordinal, earlier(slot)),
                file_name,
            }
        });
        Self { desired, slots }
    }

    /// What is wanted.
    pub fn desired(&self, picture: &Picture) -> Desired {
        let bad = picture.kube.bad;
        Desired {
            size: u32::from(picture.kube.size),
            template_hash: hash(if bad { Template::Bad } else { Template::Good }),
            ..self.desired.clone()
        }
    }

    /// What is.
    pub fn observed(&self, picture: &Picture) -> Observed {
        let mut observed = Observed {
            stateful_set: picture.kube.set.map(|set| StatefulSetView {
                uid: "set".into(),
                replicas: u32::from(set.replicas),
                terminating: false,
                template: Some(hash(set.template)),
                up_to_date: true,
                volume_size: Some(Quantity(VOLUME.into())),
                owned: true,
            }),
            config: self.files(picture),
            membership: self.membership(picture),
            ..Observed::default()
        };
        for slot in slots() {
            self.observe(picture, slot, &mut observed);
        }
        observed.status.cluster_id = picture.kube.has_id.then(|| format!("{CLUSTER:x}"));
        if observed.membership.members().is_none() {
            observed.status.conditions.push(unavailable(picture));
        }
        observed
    }

    fn observe(&self, picture: &Picture, slot: usize, observed: &mut Observed) {
        let ordinal = self.slots[slot].ordinal;
        let pod = pod(picture, slot);
        let has_address = pod.as_ref().is_some_and(|pod| pod.ip.is_some());
        if picture.answers[slot] {
            let report = self.report(picture, slot);
            observed.reports.insert(ordinal, Ok(report));
        } else if has_address {
            let refused = Err("connection refused".to_owned());
            observed.reports.insert(ordinal, refused);
        }
        if let Some(pod) = pod {
            observed.pods.insert(ordinal, pod);
        }
        if let Some(claim) = claim(picture, slot) {
            observed.claims.insert(ordinal, claim);
        }
        if let Some(record) = self.record(picture, slot) {
            observed.status.members.push(record);
        }
    }

    fn report(&self, picture: &Picture, slot: usize) -> MemberReport {
        MemberReport {
            member_id: self.slots[slot].id,
            cluster_id: CLUSTER,
            leader: picture
                .leader
                .map(|leader| self.slots[usize::from(leader)].id),
            term: 2,
            raft_index: 100,
            applied_index: 100,
            learner: picture.members[slot].role == Role::Learner,
            version: self.desired.version.to_string(),
            db_size: 20480,
            errors: Vec::new(),
        }
    }

    /// Known once a voter answers that sees a leader.
    fn membership(&self, picture: &Picture) -> Membership {
        let votes = |slot: usize| picture.members[slot].role == Role::Voter;
        if picture.leader.is_none() || !slots().any(|slot| picture.answers[slot] && votes(slot)) {
            return Membership::Unknown {
                why: "no member answers that sees a leader".into(),
            };
        }
        let members = slots().zip(&picture.members);
        let members = members.filter(|(_, member)| member.role != Role::None);
        Membership::Known {
            cluster_id: CLUSTER,
            members: members
                .map(|(slot, member)| self.member(slot, member))
                .collect(),
        }
    }

    fn member(&self, slot: usize, member: &Member) -> etcd::Member {
        let slot = &self.slots[slot];
        etcd::Member {
            id: slot.id,
            name: match member.told {
                Told::Nothing => String::new(),
                Told::Name | Told::All => slot.name.clone(),
            },
            peer_urls: vec![slot.peer_url.clone()],
            client_urls: match member.told {
                Told::Nothing | Told::Name => Vec::new(),
                Told::All => vec![slot.client_url.clone()],
            },
            learner: member.role == Role::Learner,
        }
    }

    fn record(&self, picture: &Picture, slot: usize) -> Option<MemberStatus> {
        let Record {
            whom,
            learner,
            volume,
        } = picture.kube.slots[slot].record;
        let id = match whom {
            Whom::Nobody => return None,
            Whom::Earlier => earlier(slot),
            Whom::Present => self.slots[slot].id,
        };
        let silent = whom == Whom::Earlier || !picture.answers[slot];
        Some(MemberStatus {
            name: self.slots[slot].name.clone(),
            id: format!("{id:x}"),
            learner,
            healthy: !silent,
            last_seen: silent.then(|| Time(since(picture))),
            learner_since: learner.then(|| Time(since(picture))),
            volume: match volume {
                Volume::None => None,
                Volume::Same => Some(claim_uid(slot)),
                Volume::Other => Some("another".into()),
            },
            version: Some(self.desired.version.to_string()),
            ..MemberStatus::default()
        })
    }

    /// What a record in the status says.
    pub fn read_record(&self, member: &MemberStatus) -> Option<(usize, Record)> {
        let slot = slots().find(|slot| self.slots[*slot].name == member.name)?;
        let is_present = member.id == format!("{:x}", self.slots[slot].id);
        let record = Record {
            whom: if is_present {
                Whom::Present
            } else {
                Whom::Earlier
            },
            learner: member.learner,
            volume: match &member.volume {
                Some(_) if !is_present => Volume::None,
                Some(uid) if *uid == claim_uid(slot) => Volume::Same,
                Some(_) => Volume::Other,
                None => Volume::None,
            },
        };
        Some((slot, record))
    }

    fn files(&self, picture: &Picture) -> Option<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        for (slot, seen) in self.slots.iter().zip(&picture.kube.slots) {
            let content = match seen.file {
                File::None => continue,
                File::New => &slot.new,
                File::Join => &slot.join,
                File::Started => &slot.started,
                File::Earlier => &slot.earlier,
            };
            files.insert(slot.file_name.clone(), content.clone());
        }
        (!files.is_empty()).then_some(files)
    }

    /// What the files of a plan are.
    ///
    /// # Panics
    /// On a file that starts a cluster of its own: nobody has asked for one.
    pub fn read_files(&self, files: &BTreeMap<String, String>) -> [File; SLOTS] {
        std::array::from_fn(|slot| {
            let slot = &self.slots[slot];
            let Some(file) = files.get(&slot.file_name) else {
                return File::None;
            };
            assert!(!member_config::forces_new_cluster(file), "not modelled");
            if *file == slot.started {
                File::Started
            } else if member_config::member_id(file) != Some(slot.id) {
                File::Earlier
            } else if member_config::joins_existing(file) {
                File::Join
            } else {
                File::New
            }
        })
    }
}

fn desired(version: EtcdVersion) -> Desired {
    Desired {
        identity: Identity {
            name: "demo".into(),
            namespace: "default".into(),
            uid: "5f3e1c00-1111".into(),
            domain: "cluster.local".into(),
        },
        size: 0,
        version,
        image: format!("gcr.io/etcd-development/etcd:v{version}"),
        storage_size: Quantity(VOLUME.into()),
        storage_class: None,
        retention: operator::api::RetentionPolicy::Retain,
        version_refused: None,
        resources: Default::default(),
        options: Default::default(),
        pod_template: Default::default(),
        template_hash: String::new(),
        recovery_word: None,
        generation: Some(1),
        deleting: false,
    }
}

fn since(picture: &Picture) -> Timestamp {
    NOW - picture.age.duration()
}

fn pod(picture: &Picture, slot: usize) -> Option<PodView> {
    let seen = &picture.kube.slots[slot];
    let says = |message: &str| Exit {
        code: 1,
        reason: "Error".into(),
        message: message.into(),
        finished: None,
    };
    let running = seen.pod == Pod::Running;
    let last_exit = match seen.pod {
        Pod::None => return None,
        Pod::Pending | Pod::Running | Pod::Ending => None,
        Pod::Crashed => Some(says("signal: killed")),
        Pod::SaidNoData => Some(says("has already been bootstrapped")),
        Pod::SaidNoFile => Some(says("failed to verify flags\",\"error\":\"open demo.yaml")),
    };
    Some(PodView {
        uid: format!("pod-{slot}"),
        revision: "1".into(),
        ip: (seen.pod != Pod::Pending).then(|| "10.0.0.1".into()),
        created: Some(since(picture)),
        terminating: seen.pod == Pod::Ending,
        running,
        trouble: last_exit
            .as_ref()
            .map(|_| "CrashLoopBackOff: back-off".into()),
        ready: running && picture.leader.is_some(),
        started: running.then(|| since(picture)),
        joined: running,
        node: None,
        restarts: u32::from(last_exit.is_some()),
        last_exit,
        template: Some(hash(seen.template)),
    })
}

fn claim(picture: &Picture, slot: usize) -> Option<ClaimView> {
    let seen = &picture.kube.slots[slot];
    (seen.claim != Claim::None).then(|| ClaimView {
        uid: claim_uid(slot),
        terminating: seen.claim == Claim::Going,
        bound: true,
        requested: Some(Quantity(VOLUME.into())),
    })
}

fn unavailable(picture: &Picture) -> Condition {
    Condition {
        type_: AVAILABLE.into(),
        status: "False".into(),
        reason: "QuorumLost".into(),
        message: String::new(),
        last_transition_time: Time(since(picture)),
        observed_generation: None,
    }
}

/// ID of an earlier member.
fn earlier(slot: usize) -> u64 {
    0xea00 + u64::from(small(slot))
}

fn claim_uid(slot: usize) -> String {
    format!("claim-{slot}")
}

fn hash(template: Template) -> String {
    match template {
        Template::Good => "good",
        Template::Old => "old",
        Template::Bad => "bad",
    }
    .to_owned()
}
