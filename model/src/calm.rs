//! Liveness: from every state a calm world reaches the spec.
//!
//! Owns: what calm is, and what it means to have arrived.
//! Always holds: in calm nothing goes wrong any more, mistakes are taken back, caches catch up, and
//! whatever can go on goes on. Two orders are followed to their end: the world goes as far as it
//! can between two passes, or the operator does between two steps of the world. Both are functions
//! of the world, so each way is followed only to where it meets one that is known to end well.
//! Deliberately does not know: how a state was reached.

use crate::{
    decision::Decisions,
    packed::Packed,
    pass::{Pass, pass},
    picture::{Age, Picture},
    prints::Prints,
    safety::Broken,
    steps::{Next, Step, arrive, calm_step},
    world::{
        Claim, Data, File, Left, Member, Pod, Role, Seen, Set, Template, Told, Whom, World, slots,
    },
};

/// Steps after which a way is taken to go round in circles.
const ENDLESS: usize = 1_000;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The world, as far as it can.
    World,
    /// The operator, as far as it can.
    Operator,
}

/// A way that does not end well.
pub struct Lost {
    /// The steps taken in calm, each with the world before it.
    pub taken: Vec<(Step, World)>,
    /// The rule that is broken at the end.
    pub broken: Broken,
}

/// The states from which calm is known to end well.
pub struct Calm {
    by_order: [(Order, Prints); 2],
}

impl Calm {
    /// None is known yet.
    pub fn new() -> Self {
        Self {
            by_order: [Order::World, Order::Operator].map(|order| (order, Prints::new())),
        }
    }

    /// Follows a state until the spec is reached.
    ///
    /// # Errors
    /// [`Broken::Stuck`] where it ends otherwise, or the rule that is broken on the way.
    pub fn follow(&mut self, world: &World, decisions: &mut Decisions<'_>) -> Result<(), Lost> {
        let calmed = calmed(world);
        if is_doomed(&calmed) {
            return Ok(());
        }
        for (order, well) in &mut self.by_order {
            let mut world = calmed;
            let (mut way, mut taken) = (Vec::new(), Vec::new());
            loop {
                let print = Packed::new(&world).fingerprint();
                // Too much is lost: only the user's word could help, which is not modelled.
                if well.has(print) || world.is_lost_for_good() {
                    break;
                }
                way.push(print);
                let end = match next(&world, *order, decisions) {
                    Some((step, Err(broken))) => (Some(step), broken),
                    Some((step, Ok(next))) if way.len() < ENDLESS => {
                        taken.push((step, world));
                        world = next;
                        continue;
                    }
                    None if has_arrived(&world, decisions) => break,
                    _ => (None, Broken::Stuck(stuck(&world, decisions))),
                };
                taken.extend(end.0.map(|step| (step, world)));
                return Err(Lost {
                    taken,
                    broken: end.1,
                });
            }
            for print in way {
                well.insert(print);
            }
        }
        Ok(())
    }
}

/// The only voter runs on a volume that is being deleted: whatever is done, its data goes with it.
/// The operator says so and leaves it to the user.
fn is_doomed(world: &World) -> bool {
    let mut voters = world.voters();
    match (voters.next(), voters.next()) {
        (Some(only), None) => world.kube.slots[only].claim == Claim::Going,
        _ => false,
    }
}

/// Nothing goes wrong any more.
fn calmed(world: &World) -> World {
    let mut calmed = World {
        cache: None,
        left: Left {
            edits: 0,
            faults: 0,
        },
        ..*world
    };
    calmed.kube.bad = false;
    match calmed.pending {
        Some(change) => arrive(&calmed, change),
        None => calmed,
    }
}

fn next(world: &World, order: Order, decisions: &mut Decisions<'_>) -> Option<(Step, Next)> {
    let mut look = |age| {
        let calm = Pass::calm(age);
        Some((Step::Pass(calm), pass(world, calm, decisions)?))
    };
    let going_on = match order {
        Order::World => go_on(world).or_else(|| look(Age::Settled)),
        Order::Operator => look(Age::Settled).or_else(|| go_on(world)),
    };
    // Deadlines pass only when nothing else happens.
    going_on.or_else(|| look(Age::Old))
}

fn go_on(world: &World) -> Option<(Step, Next)> {
    let mut first = None;
    for slot in slots() {
        calm_step(world, slot, &mut |step, next| {
            first.get_or_insert((step, next));
        });
        if first.is_some() {
            break;
        }
    }
    first
}

/// The spec is reached, and the operator is content.
fn has_arrived(world: &World, decisions: &mut Decisions<'_>) -> bool {
    let size = usize::from(world.kube.size);
    let picture = Picture::of(world, Age::Settled, None);
    let as_wanted = if size == 0 {
        world.kube.slots.iter().all(|seen| seen.pod == Pod::None)
    } else {
        let set = Set {
            replicas: world.kube.size,
            template: Template::Good,
        };
        world.serves()
            && world.kube.set == Some(set)
            && slots().all(|slot| {
                let (member, seen) = (&world.members[slot], &world.kube.slots[slot]);
                if slot < size {
                    is_well(member, seen)
                } else {
                    is_clear(member, seen)
                }
            })
    };
    as_wanted && decisions.on(&picture).settled
}

fn is_well(member: &Member, seen: &Seen) -> bool {
    *member
        == Member {
            role: Role::Voter,
            told: Told::All,
            data: Data::Here,
        }
        && (seen.pod, seen.template) == (Pod::Running, Template::Good)
        && (seen.claim, seen.file) == (Claim::Bound, File::Started)
        && seen.record.whom == Whom::Present
        && !seen.record.learner
}

fn is_clear(member: &Member, seen: &Seen) -> bool {
    member.role == Role::None
        && (seen.pod, seen.claim, seen.file) == (Pod::None, Claim::None, File::None)
        && seen.record.whom == Whom::Nobody
}

fn stuck(world: &World, decisions: &mut Decisions<'_>) -> String {
    let picture = Picture::of(world, Age::Old, None);
    let words = decisions.on(&picture).words.clone();
    format!("{world}\n     where the operator, after ten minutes: {words}")
}
