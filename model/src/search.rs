//! Every state within the bounds, breadth first.
//!
//! Owns: the search, its bounds, and the shortest trace to what it finds.
//! Always holds: states are visited in one order, so two runs find the same; the first violation
//! found is one of the shortest. A state is remembered by 64 bits and by the one it was reached
//! from; the steps between are found again when a trace is wanted.
//! Deliberately does not know: the time, and what the steps mean.

use operator::version::EtcdVersion;

use crate::{
    calm::Calm,
    decision::{Decisions, Planner},
    packed::Packed,
    prints::Prints,
    safety::Broken,
    steps::{Step, each},
    world::{Left, SLOTS, World},
};

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The largest size; a cluster begins with any up to it.
    pub largest: u8,
    /// Edits of the spec.
    pub edits: u8,
    /// Faults.
    pub faults: u8,
    /// Version of etcd.
    pub version: EtcdVersion,
    /// States after which the search ends unfinished.
    pub states: usize,
}

/// How far the search has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Different states.
    pub states: usize,
    /// States whose every step has been taken.
    pub done: usize,
    /// Steps taken.
    pub steps: u64,
    /// Steps to the states that are being looked at.
    pub depth: usize,
    /// Pictures on which the planner was asked.
    pub pictures: usize,
}

/// What the search found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How far it came.
    pub progress: Progress,
    /// Whether every state within the bounds was seen.
    pub complete: bool,
    /// The first violation, if there is one.
    pub violation: Option<Violation>,
}

/// A broken rule, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub broken: Broken,
    /// The steps from nothing, in words, with the world after each.
    pub trace: Vec<(String, String)>,
}

/// States that are known, in the order in which they were found.
struct Known {
    prints: Prints,
    in_order: Vec<u64>,
    from: Vec<u32>,
}

impl Known {
    fn add(&mut self, print: u64, from: u32) -> Option<u32> {
        self.prints.insert(print).then(|| {
            self.in_order.push(print);
            self.from.push(from);
            index(self.in_order.len() - 1)
        })
    }

    /// Prints from the beginning to a state.
    fn way(&self, to: u32) -> Vec<u64> {
        let mut at = position(to);
        let mut way = vec![self.in_order[at]];
        while self.from[at] != index(at) {
            at = position(self.from[at]);
            way.push(self.in_order[at]);
        }
        way.reverse();
        way
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn position(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Visits every state within the bounds, or all up to the first violation. `tell` hears of the
/// progress now and then.
///
/// # Panics
/// When the largest size is more than the model has.
pub fn search(bounds: &Bounds, planner: Planner<'_>, tell: &mut dyn FnMut(&Progress)) -> Report {
    assert!(
        usize::from(bounds.largest) <= SLOTS,
        "at most {SLOTS} members"
    );
    let mut search = Search {
        bounds: *bounds,
        decisions: Decisions::new(planner, bounds.version),
        calm: Calm::new(),
        known: Known {
            prints: Prints::new(),
            in_order: Vec::new(),
            from: Vec::new(),
        },
        progress: Progress::default(),
    };
    let found = search.run(tell);
    search.told();
    Report {
        progress: search.progress,
        complete: found.is_none() && search.progress.done == search.progress.states,
        violation: found.map(|found| search.explain(found)),
    }
}

struct Search<'a> {
    bounds: Bounds,
    decisions: Decisions<'a>,
    calm: Calm,
    known: Known,
    progress: Progress,
}

/// A rule broken on a way that starts in a state.
struct Found {
    state: u32,
    /// The steps of that way, each with the world before it.
    taken: Vec<(Step, World)>,
    /// Whether it is the way that calm takes.
    calm: bool,
    broken: Broken,
}

/// States between two words about the progress.
const TELL_EVERY: usize = 1 << 16;

impl Search<'_> {
    fn beginnings(&self) -> impl Iterator<Item = World> + use<> {
        let Bounds {
            largest,
            edits,
            faults,
            ..
        } = self.bounds;
        (1..=largest).map(move |size| World::new(size, Left { edits, faults }))
    }

    fn run(&mut self, tell: &mut dyn FnMut(&Progress)) -> Option<Found> {
        let mut layer = Vec::new();
        for world in self.beginnings() {
            let packed = Packed::new(&world);
            let own = index(self.known.in_order.len());
            if let Some(state) = self.known.add(packed.fingerprint(), own) {
                layer.push((state, packed));
            }
        }
        while !layer.is_empty() {
            let mut next_layer = Vec::new();
            for (state, packed) in layer {
                if self.known.in_order.len() >= self.bounds.states {
                    return None;
                }
                if let Some(found) = self.expand(state, &packed.world(), &mut next_layer) {
                    return Some(found);
                }
                self.progress.done += 1;
                if self.progress.done.is_multiple_of(TELL_EVERY) {
                    self.told();
                    tell(&self.progress);
                }
            }
            layer = next_layer;
            self.progress.depth += 1;
        }
        None
    }

    fn told(&mut self) {
        self.progress.states = self.known.in_order.len();
        self.progress.pictures = self.decisions.asked();
    }

    /// Takes every step out of a state, and follows it in calm.
    fn expand(
        &mut self,
        state: u32,
        world: &World,
        layer: &mut Vec<(u32, Packed)>,
    ) -> Option<Found> {
        if let Err(lost) = self.calm.follow(world, &mut self.decisions) {
            return Some(Found {
                state,
                taken: lost.taken,
                calm: true,
                broken: lost.broken,
            });
        }
        let (known, steps) = (&mut self.known, &mut self.progress.steps);
        let mut found = None;
        each(
            world,
            self.bounds.largest,
            &mut self.decisions,
            &mut |step, next| match next {
                Err(why) => {
                    found.get_or_insert((step, why));
                }
                Ok(next) => {
                    *steps += 1;
                    let packed = Packed::new(&next);
                    if let Some(state) = known.add(packed.fingerprint(), state) {
                        layer.push((state, packed));
                    }
                }
            },
        );
        let (step, broken) = found?;
        Some(Found {
            state,
            taken: vec![(step, *world)],
            calm: false,
            broken,
        })
    }

    /// Walks the way again, this time with words.
    fn explain(&mut self, found: Found) -> Violation {
        let way = self.known.way(found.state);
        let mut world = self
            .beginnings()
            .find(|world| Packed::new(world).fingerprint() == way[0])
            .unwrap_or_else(|| {
                World::new(
                    0,
                    Left {
                        edits: 0,
                        faults: 0,
                    },
                )
            });
        let mut trace = vec![("the user creates the cluster".to_owned(), world.to_string())];
        for print in &way[1..] {
            let mut taken = None;
            each(
                &world,
                self.bounds.largest,
                &mut self.decisions,
                &mut |step, next| {
                    if let Ok(next) = next
                        && taken.is_none()
                        && Packed::new(&next).fingerprint() == *print
                    {
                        taken = Some((step, next));
                    }
                },
            );
            let Some((step, next)) = taken else { break };
            trace.push((step.describe(&world, &mut self.decisions), next.to_string()));
            world = next;
        }
        if found.calm {
            trace.push((
                "from here on nothing goes wrong any more".to_owned(),
                String::new(),
            ));
        }
        for (at, (step, before)) in found.taken.iter().enumerate() {
            let words = step.describe(before, &mut self.decisions);
            let after = found.taken.get(at + 1).map(|(_, world)| world.to_string());
            trace.push((words, after.unwrap_or_default()));
        }
        Violation {
            broken: found.broken,
            trace,
        }
    }
}
