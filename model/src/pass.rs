//! One pass of the operator: look, plan, declare, act, report.
//!
//! Owns: what a pass changes, and where it may break off.
//! Always holds: what the executor confirms before it acts is confirmed here by the same rules: a
//! wanted size, a pod, a claim; deletions name the object that was seen.
//! Deliberately does not know: why.

use operator::plan::Removal;

use crate::{
    decision::{Act, Decision, Decisions},
    picture::{Age, Picture},
    safety::{self, Broken},
    world::{
        Claim, File, Pod, Proposal, Record, SLOTS, Set, Template, Volume, Whom, World, slots, small,
    },
};

/// How a pass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should. Whether an action is answered with success or an error makes no difference: it
    /// is not remembered.
    Whole,
    /// Kubernetes takes the status only.
    NotDeclared,
    /// The operator dies after the objects were declared.
    AfterDeclaring,
    /// The operator dies after it has acted.
    BeforeReporting,
    /// The change of the membership is answered with an error, and comes later.
    Late,
}

/// How the operator looks, and how its pass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// How long everything has been as it is.
    pub age: Age,
    /// A member that it cannot reach.
    pub unreachable: Option<usize>,
    /// How it ends.
    pub end: End,
}

impl Pass {
    /// One during which nothing goes wrong.
    #[must_use]
    pub fn calm(age: Age) -> Self {
        Self {
            age,
            unreachable: None,
            end: End::Whole,
        }
    }
}

/// The world after a pass. None: it ends otherwise than this, or changes nothing.
pub fn pass(
    world: &World,
    pass: Pass,
    decisions: &mut Decisions<'_>,
) -> Option<Result<World, Broken>> {
    let limit = decisions.learner_limit();
    let decision = decisions.on(&Picture::of(world, pass.age, pass.unreachable));
    if pass.end == End::Late && (world.pending.is_some() || proposal(decision.act).is_none()) {
        return None;
    }
    let after = run(world, pass.end, decision, limit);
    if matches!(&after, Ok(after) if after == world) {
        return None;
    }
    Some(after)
}

fn run(world: &World, end: End, decision: &Decision, limit: usize) -> Result<World, Broken> {
    if let Some(finding) = &decision.finding {
        return Err(Broken::Audit(finding.clone()));
    }
    let mut after = *world;
    if end == End::NotDeclared {
        report(world, &mut after, decision);
        return Ok(after);
    }
    declare(&mut after, decision);
    safety::declaration(world, &after)?;
    if end == End::AfterDeclaring {
        return Ok(after);
    }
    if let Some(act) = decision.act.filter(|act| is_confirmed(world, *act)) {
        safety::act(world, act, limit)?;
        match (end, proposal(Some(act))) {
            (End::Late, Some(change)) => after.pending = Some(change),
            _ => perform(&mut after, act, limit),
        }
    }
    if end != End::BeforeReporting {
        report(world, &mut after, decision);
    }
    Ok(after)
}

/// Objects are written when they differ from what is seen. Before members are told to begin, or all
/// of them are stopped, the executor reads again, live, whether that is right.
fn declare(world: &mut World, decision: &Decision) {
    let read = *world.read();
    let differ = |files: &[File; SLOTS]| slots().any(|slot| files[slot] != read.slots[slot].file);
    if let Some(files) = decision.files.filter(differ) {
        let exists = |file: File| matches!(file, File::Join | File::Started | File::Earlier);
        let begun = world.kube.slots.iter().any(|seen| exists(seen.file));
        if begun && !files.into_iter().any(exists) {
            return;
        }
        for slot in slots() {
            world.kube.slots[slot].file = files[slot];
        }
    }
    let template = if read.bad {
        Template::Bad
    } else {
        Template::Good
    };
    let set = decision.replicas.map(|replicas| Set { replicas, template });
    if let Some(set) = set.filter(|set| read.set != Some(*set)) {
        let stops = set.replicas == 0 && read.set.is_some_and(|set| set.replicas > 0);
        if !stops || read.size == world.kube.size {
            world.declare_set(set);
        }
    }
}

/// What the executor reads again right before it removes a member, and what the API server compares
/// before it deletes a pod.
fn is_confirmed(world: &World, act: Act) -> bool {
    match act {
        Act::Remove(_, Removal::ScaleDown) => world.read().size == world.kube.size,
        Act::Remove(slot, Removal::DataLost(_)) => {
            let slot = usize::from(slot);
            world.is_same_pod(slot) && world.is_same_claim(slot)
        }
        Act::Restart(slot, _) => {
            let slot = usize::from(slot);
            let unchanged = world.read().slots[slot].pod == world.kube.slots[slot].pod;
            world.is_same_pod(slot) && unchanged
        }
        _ => true,
    }
}

fn proposal(act: Option<Act>) -> Option<Proposal> {
    match act? {
        Act::Add(slot) => Some(Proposal::Add(slot)),
        Act::Promote(slot) => Some(Proposal::Promote(slot)),
        Act::Remove(slot, _) => Some(Proposal::Remove(slot)),
        Act::MoveLeader(_) | Act::Restart(..) | Act::DeleteClaim(_) => None,
    }
}

fn perform(world: &mut World, act: Act, limit: usize) {
    if let Some(change) = proposal(Some(act)) {
        if world.takes(change, limit) {
            world.change(change);
        }
        return;
    }
    match act {
        Act::MoveLeader(slot) => {
            if world.serves() && world.runs(usize::from(slot)) {
                world.leader = Some(slot);
            }
        }
        Act::Restart(slot, _) => {
            let slot = usize::from(slot);
            let pod = &mut world.kube.slots[slot].pod;
            if !matches!(pod, Pod::None | Pod::Ending) {
                *pod = Pod::Ending;
                world.settle();
            }
        }
        Act::DeleteClaim(slot) => {
            let slot = usize::from(slot);
            if world.is_same_claim(slot) && world.kube.slots[slot].claim == Claim::Bound {
                world.kube.slots[slot].claim = Claim::Going;
            }
        }
        Act::Add(_) | Act::Promote(_) | Act::Remove(..) => {}
    }
}

/// Writes the status: what was seen, in terms of what is.
fn report(before: &World, after: &mut World, decision: &Decision) {
    for slot in slots() {
        let mut record = decision.records[slot];
        let left = decision
            .act
            .is_some_and(|act| matches!(act, Act::Remove(other, _) if other == small(slot)))
            && before.members[slot] != after.members[slot];
        if record.whom == Whom::Earlier || (record.whom == Whom::Present && left) {
            record = Record {
                whom: Whom::Earlier,
                volume: Volume::None,
                ..record
            };
        }
        if record.volume == Volume::Same && !after.is_same_claim(slot) {
            record.volume = Volume::Other;
        }
        after.kube.slots[slot].record = record;
    }
    after.kube.has_id |= decision.has_id;
}
