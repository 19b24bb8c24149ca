//! Everything that can happen next.
//!
//! Owns: the list of steps, in one order, and what each costs.
//! Always holds: what calm brings costs nothing; an edit costs one of the edits, whatever else goes
//! wrong one of the faults.
//! Deliberately does not know: which of them a search takes.

use std::fmt;

use crate::{
    decision::Decisions,
    pass::{End, Pass, pass},
    picture::{Age, Picture},
    safety::Broken,
    world::{Left, Proposal, World, slots},
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Pass(Pass),
    Gone(usize),
    ClaimGone(usize),
    Create(usize),
    ScaleDown(usize),
    Start(usize),
    Publish(usize),
    Elect(usize),
    Arrive,
    Thaw,
    Resize(u8),
    Edit,
    Mistake(bool),
    Crash(usize),
    DeletePod(usize),
    LoseData(usize),
    DeleteClaim(usize),
    Freeze,
}

/// What a step leads to.
pub type Next = Result<World, Broken>;

/// Visits every step that changes the world.
pub fn each(
    world: &World,
    largest: u8,
    decisions: &mut Decisions<'_>,
    visit: &mut dyn FnMut(Step, Next),
) {
    for age in Age::ALL {
        let calm = Pass::calm(age);
        if let Some(next) = pass(world, calm, decisions) {
            visit(Step::Pass(calm), next);
        }
    }
    for slot in slots() {
        calm_step(world, slot, visit);
    }
    if let Some(change) = world.pending {
        visit(Step::Arrive, Ok(arrive(world, change)));
    }
    if let Some(next) = world.thaw() {
        visit(Step::Thaw, Ok(next));
    }
    if world.left.edits > 0 {
        edits(world, largest, visit);
    }
    if world.left.faults > 0 {
        faults(world, visit);
        broken_passes(world, decisions, visit);
    }
}

/// The steps by which a calm world goes on.
pub fn calm_step(world: &World, slot: usize, visit: &mut dyn FnMut(Step, Next)) {
    let sure = [
        (Step::Gone(slot), world.gone(slot)),
        (Step::ClaimGone(slot), world.claim_gone(slot)),
        (Step::Create(slot), world.create(slot)),
        (Step::ScaleDown(slot), world.scale_down(slot)),
        (Step::Publish(slot), world.publish(slot)),
        (Step::Elect(slot), world.elect(slot)),
    ];
    if let Some(next) = world.start(slot) {
        visit(Step::Start(slot), next);
    }
    for (step, next) in sure {
        if let Some(next) = next {
            visit(step, Ok(next));
        }
    }
}

/// The change that was asked for happens.
pub fn arrive(world: &World, change: Proposal) -> World {
    let mut next = World {
        pending: None,
        ..*world
    };
    next.change(change);
    next
}

fn edits(world: &World, largest: u8, visit: &mut dyn FnMut(Step, Next)) {
    let left = Left {
        edits: world.left.edits - 1,
        ..world.left
    };
    let mut edit = |step, next: Option<World>| {
        if let Some(next) = next {
            visit(step, Ok(World { left, ..next }));
        }
    };
    for size in 0..=largest {
        edit(Step::Resize(size), world.resize(size));
    }
    edit(Step::Edit, Some(world.edit()));
    edit(Step::Mistake(true), world.mistake(true));
    edit(Step::Mistake(false), world.mistake(false));
}

fn less(world: &World) -> Left {
    Left {
        faults: world.left.faults - 1,
        ..world.left
    }
}

fn faults(world: &World, visit: &mut dyn FnMut(Step, Next)) {
    let left = less(world);
    let mut fault = |step, next: Option<World>| {
        if let Some(next) = next {
            visit(step, Ok(World { left, ..next }));
        }
    };
    for slot in slots() {
        fault(Step::Crash(slot), world.crash(slot));
        fault(Step::DeletePod(slot), world.delete_pod(slot));
        fault(Step::LoseData(slot), world.lose_data(slot));
        fault(Step::DeleteClaim(slot), world.delete_claim(slot));
    }
    fault(Step::Freeze, world.freeze());
}

/// Passes that go wrong: the operator dies, an answer is lost, a member cannot be reached.
fn broken_passes(world: &World, decisions: &mut Decisions<'_>, visit: &mut dyn FnMut(Step, Next)) {
    let left = less(world);
    let mut try_pass = |one: Pass| {
        if let Some(next) = pass(world, one, decisions) {
            visit(Step::Pass(one), next.map(|next| World { left, ..next }));
        }
    };
    for age in Age::ALL {
        for end in [
            End::NotDeclared,
            End::AfterDeclaring,
            End::BeforeReporting,
            End::Late,
        ] {
            try_pass(Pass {
                end,
                ..Pass::calm(age)
            });
        }
    }
    for age in [Age::Settled, Age::Old] {
        for slot in slots().filter(|slot| world.runs(*slot)) {
            try_pass(Pass {
                unreachable: Some(slot),
                ..Pass::calm(age)
            });
        }
    }
}

impl Step {
    /// The step in words, for one who reads a trace.
    #[must_use]
    pub fn describe(&self, world: &World, decisions: &mut Decisions<'_>) -> String {
        let Self::Pass(pass) = self else {
            return self.to_string();
        };
        let picture = Picture::of(world, pass.age, pass.unreachable);
        format!("{self}: {}", decisions.on(&picture).words)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(pass) => write_pass(f, pass),
            Self::Gone(slot) => write!(f, "pod {slot} is gone"),
            Self::ClaimGone(slot) => write!(f, "volume {slot} is gone"),
            Self::Create(slot) => write!(f, "pod {slot} is created"),
            Self::ScaleDown(slot) => write!(f, "pod {slot} is one too many and stops"),
            Self::Start(slot) => write!(f, "container {slot} starts"),
            Self::Publish(slot) => write!(f, "member {slot} tells the others where it serves"),
            Self::Elect(slot) => write!(f, "member {slot} is elected"),
            Self::Arrive => write!(f, "the change that was asked for before happens"),
            Self::Thaw => write!(f, "the operator's caches catch up"),
            Self::Resize(size) => write!(f, "the user wants {size} members"),
            Self::Edit => write!(f, "the user changes what members start from"),
            Self::Mistake(true) => write!(f, "the user makes an edit with which no member starts"),
            Self::Mistake(false) => write!(f, "the user takes that edit back"),
            Self::Crash(slot) => write!(f, "! member {slot} crashes"),
            Self::DeletePod(slot) => write!(f, "! pod {slot} is deleted"),
            Self::LoseData(slot) => write!(f, "! member {slot} loses its data"),
            Self::DeleteClaim(slot) => write!(f, "! volume claim {slot} is deleted"),
            Self::Freeze => write!(f, "! the operator's caches stand still"),
        }
    }
}

fn write_pass(f: &mut fmt::Formatter<'_>, pass: &Pass) -> fmt::Result {
    let when = match pass.age {
        Age::Young => "at once",
        Age::Settled => "after half a minute",
        Age::Old => "after ten minutes",
    };
    write!(f, "the operator looks {when}")?;
    if let Some(slot) = pass.unreachable {
        write!(f, " and cannot reach member {slot}")?;
    }
    match pass.end {
        End::Whole => Ok(()),
        End::NotDeclared => write!(f, ", and Kubernetes takes nothing but the status"),
        End::AfterDeclaring => write!(f, ", writes objects and dies before it acts"),
        End::BeforeReporting => write!(f, ", acts and dies before it reports"),
        End::Late => write!(f, ", is told that it failed, and etcd does it later"),
    }
}
