//! A scenario from a seed.
//!
//! Owns: the shape of a made-up story: create, change while things go wrong, heal, converge, stay.
//! Always holds: the story makes sense, and its schedule is fair (see [`super::fair`]): what it
//! expects is what a right operator brings about.
//! Deliberately does not know: how faults are drawn; that is the swarm's.

use std::time::Duration;

use chaos::{Span, fault::Fault, swarm::Swarm};
use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use simulator::determinism::Seed;

use crate::scenario::{
    Action, Change, Cluster, EtcdVersion, Expectation, Image, Instruction, Scenario, Step, Traffic,
    Volumes,
};

/// Time for everything to be as wanted once nothing is wrong any more.
const CONVERGES: u64 = 300_000;
/// Time in which nothing may change then.
const STAYS: u64 = 20_000;

const OLD: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 5,
    patch: 21,
};
/// From here a cluster may go on to the next minor version.
const NEXT: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 5,
    patch: 26,
};
const NEWEST: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 6,
    patch: 17,
};
const NEW: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 6,
    patch: 16,
};

/// The scenario of a seed, with faults of these kinds.
#[must_use]
pub fn scenario(seed: u64, kinds: &[Fault]) -> Scenario {
    let mut story = Story::new(Seed(seed).derive("fuzz"), kinds);
    let size = *[1, 1, 3, 3, 3, 5].choose(&mut story.random).unwrap_or(&3);
    let version = if story.random.random_bool(0.3) {
        NEW
    } else {
        OLD
    };
    (story.size, story.version) = (size, version);
    let changes = story.random.random_range(1..=3);
    let mut steps = vec![story.create()];
    steps.extend((1..=changes).map(|number| story.change(number)));
    steps.push(story.end());
    Scenario {
        story: vec![],
        cluster: Cluster {
            name: "demo".to_owned(),
            size,
            version,
            volumes: Volumes::Deleted,
        },
        traffic: Some(Traffic {
            puts: 4,
            reads: 4,
            keys: 8,
        }),
        steps,
        finally: vec![Expectation::NoViolation],
    }
}

/// A story that is made up as it goes.
pub struct Story {
    random: SmallRng,
    swarm: Swarm,
    /// Wanted members at this point of the story.
    size: u32,
    /// Wanted version.
    version: EtcdVersion,
    /// Wanted size of the volumes, in GiB.
    volume: u32,
}

impl Story {
    /// A story out of this seed, with faults of these kinds, before anything was created.
    #[must_use]
    pub fn new(seed: Seed, kinds: &[Fault]) -> Self {
        Self {
            random: seed.stream("story"),
            swarm: Swarm::new(seed, kinds),
            size: 0,
            version: OLD,
            volume: 1,
        }
    }

    /// Goes on about a cluster as this heading has it.
    #[must_use]
    pub fn about(self, cluster: &Cluster) -> Self {
        Self {
            size: cluster.size,
            version: cluster.version,
            ..self
        }
    }

    /// From now on draws faults out of another half of these kinds.
    pub fn swarm_anew(&mut self, kinds: &[Fault]) {
        self.swarm = Swarm::new(Seed(self.random.random()), kinds);
    }

    /// Wanted members at this point.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    fn create(&mut self) -> Step {
        let count = self.random.random_range(0..=2);
        let mut instructions = self.strikes(count, Duration::from_secs(8), false, false);
        instructions.push(Instruction::Do(Action::Create));
        self.settle(&mut instructions, count > 0);
        Step {
            title: "create".to_owned(),
            instructions,
        }
    }

    /// Something changes while things go wrong; then all is well again.
    pub fn change(&mut self, number: u32) -> Step {
        let before = self.size;
        let mut edits = Vec::new();
        let what = self.random.random_range(0..10);
        if what < 7 {
            self.scale(&mut edits);
            if self.random.random_bool(0.3) {
                self.pause(&mut edits);
                self.scale(&mut edits);
            }
        }
        if (6..9).contains(&what) {
            self.edit(&mut edits);
        }
        let sizes = edits.iter().filter_map(|edit| match edit {
            Instruction::Do(Action::Scale(size)) => Some(*size),
            _ => None,
        });
        let least = sizes.chain([before]).min().unwrap_or(0);
        let count = self.random.random_range(1..=4);
        let mut instructions = self.strikes(count, Duration::from_secs(20), true, least >= 3);
        instructions.extend(edits);
        self.settle(&mut instructions, true);
        Step {
            title: format!("change {number}"),
            instructions,
        }
    }

    fn end(&mut self) -> Step {
        let mut instructions = Vec::new();
        if self.size > 0 {
            instructions.push(Instruction::Expect(Expectation::WritesReadable));
        }
        if self.random.random_bool(0.3) {
            let strikes = self.strikes(1, Duration::from_secs(3), false, false);
            let struck = !strikes.is_empty();
            instructions.extend(strikes);
            instructions.push(Instruction::Do(Action::Delete));
            if struck {
                instructions.extend(wait(10_000));
                instructions.push(Instruction::Do(Action::Heal));
            }
            if let Some(within) = Span::from_millis(CONVERGES) {
                instructions.push(Instruction::Expect(Expectation::NothingLeft { within }));
            }
        }
        if instructions.is_empty() {
            instructions.extend(wait(1_000));
        }
        Step {
            title: "end".to_owned(),
            instructions,
        }
    }

    fn pause(&mut self, edits: &mut Vec<Instruction>) {
        edits.extend(wait(self.random.random_range(1..=8) * 500));
    }

    /// Something of the spec besides its size. A mistake is taken back before it is over.
    fn edit(&mut self, edits: &mut Vec<Instruction>) {
        let mut change = |change| edits.push(Instruction::Do(Action::Change(change)));
        match self.random.random_range(0..4) {
            0 => change(Change::MemoryLimit(256 << self.random.random_range(0..3))),
            1 => {
                self.volume += 1;
                change(Change::VolumeSize(self.volume));
            }
            2 => {
                self.version = if self.version < NEXT { NEXT } else { NEWEST };
                change(Change::Version(self.version));
            }
            _ => {
                change(Change::Image(Image::Missing));
                self.pause(edits);
                edits.push(Instruction::Do(Action::Change(Change::Image(Image::Right))));
            }
        }
    }

    fn scale(&mut self, edits: &mut Vec<Instruction>) {
        let sizes = [0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 5];
        let others: Vec<u32> = sizes.into_iter().filter(|it| *it != self.size).collect();
        if let Some(size) = others.choose(&mut self.random) {
            self.size = *size;
            edits.push(Instruction::Do(Action::Scale(*size)));
        }
    }

    /// Announced faults; members can be hit only once there are some, and one may lose its data
    /// when the others can go on without it.
    fn strikes(
        &mut self,
        count: usize,
        within: Duration,
        members: bool,
        one_may_lose_data: bool,
    ) -> Vec<Instruction> {
        let mut may_lose_data = one_may_lose_data;
        let mut strikes = Vec::new();
        for _ in 0..count * 4 {
            let Some(strike) = self.swarm.strike(within) else {
                break;
            };
            if strike.fault.target().is_some() && !members {
                continue;
            }
            if strike.fault.destroys_data() && !std::mem::take(&mut may_lose_data) {
                continue;
            }
            strikes.push(Instruction::Do(Action::Strike(strike)));
            if strikes.len() == count {
                break;
            }
        }
        strikes
    }

    fn settle(&mut self, instructions: &mut Vec<Instruction>, struck: bool) {
        if struck {
            let time = self.random.random_range(3..=25);
            instructions.extend(wait(time * 1_000));
            instructions.push(Instruction::Do(Action::Heal));
        }
        let spans = (Span::from_millis(CONVERGES), Span::from_millis(STAYS));
        if let (Some(within), Some(lasting)) = spans {
            let count = self.size;
            let members = Expectation::Members { count, within };
            instructions.push(Instruction::Expect(members));
            // To see that nothing moves takes long; now and then is enough.
            if self.random.random_bool(0.4) {
                let stays = Expectation::Stays { count, lasting };
                instructions.push(Instruction::Expect(stays));
            }
        }
    }
}

fn wait(millis: u64) -> Option<Instruction> {
    let span = Span::from_millis(millis)?;
    Some(Instruction::Do(Action::Wait(span)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fuzz::fair, scenario::parse};

    #[test]
    fn every_seed_gives_a_fair_scenario_that_reads_back() {
        for seed in 0..500 {
            let made = scenario(seed, &Fault::kinds());
            let read = parse(&made.to_string());
            assert_eq!(read.as_ref(), Ok(&made), "seed {seed}:\n{made}");
            assert_eq!(fair::check(&made), Ok(()), "seed {seed}:\n{made}");
        }
    }
}
