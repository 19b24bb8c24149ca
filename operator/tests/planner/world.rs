//! A tiny cluster of numbers and flags in which plans come true, and random edits of its spec.
//!
//! Owns: the loop plan, audit, act; and what must hold at every turn of it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use operator::{
    etcd::{Member, MemberReport},
    observe::{ClaimView, Membership, Observed, PodView, StatefulSetView},
    plan::{Action, Plan, audit::audit, plan},
    validate::Desired,
};
use proptest::{collection::vec, prelude::*};

use super::sketch::{NOW, desired};

/// What the user does.
#[derive(Clone, Debug)]
enum Edit {
    /// A change that works.
    Good,
    /// A change with which no member starts.
    Bad,
    /// Back to the last one that worked.
    TakeBack,
    Size(u32),
    Larger,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        Just(Edit::Good),
        Just(Edit::Bad),
        Just(Edit::TakeBack),
        (1..=5_u32).prop_map(Edit::Size),
        Just(Edit::Larger),
    ]
}

struct Pod {
    uid: u64,
    template: String,
    /// Turns since it was made: it runs after one, and is ready after two.
    age: u32,
}

struct World {
    desired: Desired,
    broken: BTreeSet<String>,
    last_good: String,
    gigabytes: u32,
    members: Vec<Member>,
    pods: BTreeMap<u32, Pod>,
    claims: BTreeMap<u32, Quantity>,
    set: Option<StatefulSetView>,
    config: Option<BTreeMap<String, String>>,
    cluster_id: Option<String>,
    leader: u64,
    next: u64,
}

impl World {
    fn new() -> Self {
        let desired = desired();
        Self {
            broken: BTreeSet::new(),
            last_good: desired.template_hash.clone(),
            gigabytes: 1,
            members: Vec::new(),
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            set: None,
            config: None,
            cluster_id: None,
            leader: 0,
            next: 1,
            desired,
        }
    }

    fn edit(&mut self, edit: &Edit) {
        self.next += 1;
        let hash = format!("hash-{}", self.next);
        match edit {
            Edit::Good => {
                self.last_good.clone_from(&hash);
                self.desired.template_hash = hash;
            }
            Edit::Bad => {
                self.broken.insert(hash.clone());
                self.desired.template_hash = hash;
            }
            Edit::TakeBack => self.desired.template_hash.clone_from(&self.last_good),
            Edit::Size(size) => self.desired.size = *size,
            Edit::Larger => {
                self.gigabytes += 1;
                self.desired.storage_size = Quantity(format!("{}Gi", self.gigabytes));
            }
        }
    }

    fn answers(&self, ordinal: u32) -> bool {
        let pod = self.pods.get(&ordinal);
        pod.is_some_and(|pod| pod.age > 0 && !self.broken.contains(&pod.template))
    }

    fn ordinal(&self, member: &Member) -> u32 {
        self.desired
            .identity
            .ordinal_of_member(&member.peer_urls)
            .expect("ours")
    }

    fn sound_voters(&self) -> Vec<u64> {
        let voters = self.members.iter().filter(|member| !member.learner);
        voters
            .filter(|member| self.answers(self.ordinal(member)))
            .map(|member| member.id)
            .collect()
    }

    fn observe(&mut self) -> Observed {
        let sound = self.sound_voters();
        let voters = self.members.iter().filter(|member| !member.learner).count();
        let quorum = voters > 0 && sound.len() > voters / 2;
        if quorum && !sound.contains(&self.leader) {
            self.leader = sound[0];
        }
        let mut observed = Observed {
            stateful_set: self.set.clone(),
            config: self.config.clone(),
            ..Observed::default()
        };
        observed.status.cluster_id.clone_from(&self.cluster_id);
        for (ordinal, pod) in &self.pods {
            let runs = self.answers(*ordinal);
            observed.pods.insert(
                *ordinal,
                PodView {
                    uid: pod.uid.to_string(),
                    ip: Some("10.0.0.1".into()),
                    running: runs,
                    ready: runs && pod.age > 1,
                    template: Some(pod.template.clone()),
                    ..PodView::default()
                },
            );
        }
        for member in self
            .members
            .iter()
            .filter(|member| self.answers(self.ordinal(member)))
        {
            observed.reports.insert(
                self.ordinal(member),
                Ok(MemberReport {
                    member_id: member.id,
                    cluster_id: 0xc,
                    leader: quorum.then_some(self.leader),
                    term: 2,
                    raft_index: 100,
                    applied_index: 100,
                    learner: member.learner,
                    version: self.desired.version.to_string(),
                    db_size: 1,
                    errors: Vec::new(),
                }),
            );
        }
        for (ordinal, size) in &self.claims {
            observed.claims.insert(
                *ordinal,
                ClaimView {
                    uid: format!("claim-{ordinal}"),
                    bound: true,
                    requested: Some(size.clone()),
                    ..ClaimView::default()
                },
            );
        }
        observed.membership = if quorum {
            Membership::Known {
                cluster_id: 0xc,
                members: self.members.clone(),
            }
        } else {
            Membership::Unknown {
                why: "nobody".into(),
            }
        };
        observed
    }

    /// One pass, and what the cluster does after it. True when there is nothing left to do.
    fn turn(&mut self) -> bool {
        let observed = self.observe();
        let plan = plan(&self.desired, &observed, NOW);
        assert_eq!(audit(&self.desired, &observed, &plan), [], "{plan:?}");
        self.check(&plan);
        self.declare(&plan);
        if let Some(action) = &plan.action {
            self.act(action);
        }
        self.live();
        plan.action.is_none() && plan.waiting.is_none() && observed.membership.members().is_some()
    }

    /// The promises of a rollout, stated anew.
    fn check(&self, plan: &Plan) {
        let Some(Action::RestartPod { ordinal, .. }) = &plan.action else {
            return;
        };
        if !self.answers(*ordinal) {
            return;
        }
        let voters: Vec<&Member> = self
            .members
            .iter()
            .filter(|member| !member.learner)
            .collect();
        assert_eq!(
            self.sound_voters().len(),
            voters.len(),
            "restarts a healthy one beside a sick one"
        );
        assert_eq!(
            voters.len(),
            self.members.len(),
            "restarts a healthy one while a learner is there"
        );
        let leads = voters
            .iter()
            .any(|member| member.id == self.leader && self.ordinal(member) == *ordinal);
        assert!(
            !leads || voters.len() == 1,
            "restarts the leader before it has handed over"
        );
    }

    fn declare(&mut self, plan: &Plan) {
        if let Some(config) = &plan.config {
            self.config = Some(config.clone());
        }
        let Some(replicas) = plan.replicas else {
            return;
        };
        let wanted = self.desired.template_hash.clone();
        let size = self.desired.storage_size.clone();
        let set = self.set.get_or_insert_with(|| StatefulSetView {
            uid: "set".into(),
            owned: true,
            volume_size: Some(size),
            ..StatefulSetView::default()
        });
        set.replicas = replicas;
        set.up_to_date = set.template.as_ref() == Some(&wanted);
        set.template = Some(wanted);
    }

    fn act(&mut self, action: &Action) {
        self.next += 1;
        match action {
            Action::AddLearner { ordinal } => self.members.push(Member {
                id: 0x1000 + self.next,
                name: String::new(),
                peer_urls: vec![self.desired.identity.peer_url(*ordinal)],
                client_urls: Vec::new(),
                learner: true,
            }),
            Action::Promote { id, .. } => {
                let mut members = self.members.iter_mut();
                members
                    .find(|member| member.id == *id)
                    .expect("a learner")
                    .learner = false;
            }
            Action::MoveLeader { id, .. } => self.leader = *id,
            Action::RemoveMember { id, .. } => self.members.retain(|member| member.id != *id),
            Action::RestartPod { ordinal, .. } => {
                self.pods.remove(ordinal);
            }
            Action::GrowVolume { ordinal, size, .. } => {
                self.claims.insert(*ordinal, Quantity(size.clone()));
            }
            Action::RecreateStatefulSet { .. } => self.set = None,
            Action::DeleteClaim { ordinal, .. } => {
                self.claims.remove(ordinal);
            }
            #[allow(unreachable_patterns)] // for actions to come
            other => panic!("this world cannot {other}"),
        }
    }

    /// Kubernetes makes and ends pods; members start; the first ones form the cluster.
    fn live(&mut self) {
        self.pods.values_mut().for_each(|pod| pod.age += 1);
        if let Some(set) = &mut self.set {
            set.up_to_date = true;
            let (replicas, template) = (set.replicas, set.template.clone().unwrap_or_default());
            let size = set.volume_size.clone().unwrap_or_default();
            self.pods.retain(|ordinal, _| *ordinal < replicas);
            for ordinal in 0..replicas {
                self.claims.entry(ordinal).or_insert_with(|| size.clone());
                self.next += 1;
                let uid = self.next;
                self.pods.entry(ordinal).or_insert_with(|| Pod {
                    uid,
                    template: template.clone(),
                    age: 0,
                });
            }
        }
        let founders = self.config.as_ref().map_or(0, BTreeMap::len);
        let founders = u32::try_from(founders).expect("few");
        if self.cluster_id.is_none() && founders > 0 && (0..founders).all(|o| self.answers(o)) {
            self.cluster_id = Some("c".into());
            self.members = (0..founders)
                .map(|ordinal| Member {
                    id: u64::from(ordinal) + 0x10,
                    name: self.desired.identity.member(ordinal),
                    peer_urls: vec![self.desired.identity.peer_url(ordinal)],
                    client_urls: vec![self.desired.identity.client_url(ordinal)],
                    learner: false,
                })
                .collect();
        }
        for index in 0..self.members.len() {
            let ordinal = self.ordinal(&self.members[index]);
            if self.answers(ordinal) {
                self.members[index].name = self.desired.identity.member(ordinal);
                self.members[index].client_urls = vec![self.desired.identity.client_url(ordinal)];
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Whatever a user edits, in whatever order and at whatever moment: no rule is broken on the
    /// way, and once the spec is one with which members can start, the cluster gets there.
    #[test]
    fn every_edit_that_works_takes_effect(story in vec((edit(), 0..12_u32), 0..10)) {
        let mut world = World::new();
        for (edit, turns) in &story {
            world.edit(edit);
            for _ in 0..*turns {
                world.turn();
            }
        }
        world.edit(&Edit::Good);
        let settled = (0..400).any(|_| world.turn());
        prop_assert!(settled, "{:?}", plan(&world.desired.clone(), &world.observe(), NOW));
        prop_assert_eq!(world.members.len(), usize::try_from(world.desired.size).expect("small"));
        for pod in world.pods.values() {
            prop_assert_eq!(&pod.template, &world.desired.template_hash);
        }
        for claim in world.claims.values() {
            prop_assert_eq!(claim, &world.desired.storage_size);
        }
    }
}
