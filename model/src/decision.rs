//! The planner's decision on a picture, as the model understands it.
//!
//! Owns: asking the planner, the auditor and the reporter, once for each picture.
//! Always holds: the real code decides; here its answer is only translated. A picture that was seen
//! before is answered from memory, which changes nothing since the planner is a function.
//! Deliberately does not know: what comes of a decision.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use jiff::Timestamp;
use operator::{
    execute::Outcome,
    observe::Observed,
    plan::{Action, Plan, Removal, Restart, audit::audit},
    report,
    validate::Desired,
    version::EtcdVersion,
};

use crate::{
    packed::fold,
    picture::{NOW, Picture},
    terms::Terms,
    world::{File, Record, SLOTS},
};

/// A planner: the real one, or one with a planted fault.
pub type Planner<'a> = &'a dyn Fn(&Desired, &Observed, Timestamp) -> Plan;

/// A change, by ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Add(u8),
    Promote(u8),
    Remove(u8, Removal),
    MoveLeader(u8),
    Restart(u8, Restart),
    DeleteClaim(u8),
}

/// A plan and the status that goes with it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Pods that the StatefulSet should have.
    pub replicas: Option<u8>,
    /// Every member's configuration file.
    pub files: Option<[File; SLOTS]>,
    /// The one change.
    pub act: Option<Act>,
    /// In the operator's words, for traces.
    pub words: String,
    /// What the status says afterwards.
    pub records: [Record; SLOTS],
    /// Whether the status has the cluster's ID afterwards.
    pub has_id: bool,
    /// Nothing to do and nothing to wait for.
    pub settled: bool,
    /// A rule of the plan's own audit that it breaks.
    pub finding: Option<String>,
}

/// Decisions by picture.
pub struct Decisions<'a> {
    planner: Planner<'a>,
    terms: Terms,
    learner_limit: usize,
    by_picture: HashMap<u128, u32, BuildHasherDefault<Folding>>,
    all: Vec<Decision>,
}

impl<'a> Decisions<'a> {
    /// None yet.
    pub fn new(planner: Planner<'a>, version: EtcdVersion) -> Self {
        Self {
            planner,
            terms: Terms::new(version),
            learner_limit: version.learner_limit(),
            by_picture: HashMap::default(),
            all: Vec::new(),
        }
    }

    /// Pictures on which the planner was asked.
    pub fn asked(&self) -> usize {
        self.all.len()
    }

    /// Learners that etcd allows at once.
    pub fn learner_limit(&self) -> usize {
        self.learner_limit
    }

    /// The decision on a picture.
    pub fn on(&mut self, picture: &Picture) -> &Decision {
        let key = picture.key();
        let index = match self.by_picture.get(&key) {
            Some(index) => *index,
            None => {
                let decision = self.ask(picture);
                let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
                self.all.push(decision);
                self.by_picture.insert(key, index);
                index
            }
        };
        &self.all[usize::try_from(index).unwrap_or(usize::MAX)]
    }

    fn ask(&self, picture: &Picture) -> Decision {
        let desired = self.terms.desired(picture);
        let observed = self.terms.observed(picture);
        let plan = (self.planner)(&desired, &observed, NOW);
        let status = report::status(&desired, &observed, &plan, &Outcome::Nothing, NOW);
        let mut records = [Record::NONE; SLOTS];
        let written = status.members.iter();
        for (slot, record) in written.filter_map(|member| self.terms.read_record(member)) {
            records[slot] = record;
        }
        let finding = audit(&desired, &observed, &plan).into_iter().next();
        Decision {
            replicas: plan
                .replicas
                .map(|count| u8::try_from(count).unwrap_or(u8::MAX)),
            files: plan
                .config
                .as_ref()
                .map(|files| self.terms.read_files(files)),
            act: plan.action.as_ref().map(act),
            words: words(&plan),
            records,
            has_id: status.cluster_id.is_some(),
            settled: plan.action.is_none() && plan.waiting.is_none(),
            finding: finding.map(|finding| finding.to_string()),
        }
    }
}

fn words(plan: &Plan) -> String {
    match (&plan.action, &plan.waiting) {
        (Some(action), _) => action.to_string(),
        (None, Some(waiting)) => format!("waits: {}", waiting.reason()),
        (None, None) => "nothing to do".to_owned(),
    }
}

fn act(action: &Action) -> Act {
    let slot = |ordinal: &u32| u8::try_from(*ordinal).unwrap_or(u8::MAX);
    match action {
        Action::AddLearner { ordinal } => Act::Add(slot(ordinal)),
        Action::Promote { ordinal, .. } => Act::Promote(slot(ordinal)),
        Action::MoveLeader { to, .. } => Act::MoveLeader(slot(to)),
        Action::RemoveMember { ordinal, why, .. } => Act::Remove(slot(ordinal), *why),
        Action::RestartPod { ordinal, why, .. } => Act::Restart(slot(ordinal), *why),
        Action::DeleteClaim { ordinal, .. } => Act::DeleteClaim(slot(ordinal)),
        // Sizes of volumes never change here, and no alarm is ever raised.
        Action::GrowVolume { .. }
        | Action::RecreateStatefulSet { .. }
        | Action::DisarmAlarm { .. } => unreachable!("not modelled: {action}"),
    }
}

/// The same hash in every run.
#[derive(Default)]
struct Folding(u64);

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = fold(&[self.0, u64::from(*byte)]);
        }
    }

    fn write_u128(&mut self, number: u128) {
        let bytes = number.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        let word = |half: &[u8]| {
            half.iter()
                .rfold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        self.0 = fold(&[word(low), word(high)]);
    }
}
