//! What the operator sees of a world.
//!
//! Owns: which parts of a world the planner can see at all, and how old things are.
//! Always holds: the planner is shown nothing but what is in the key of the picture, so equal keys
//! get equal plans.
//! Deliberately does not know: what the planner makes of it.

use jiff::{SignedDuration, Timestamp};

use crate::{
    packed::{self, Writer},
    world::{Kube, Member, Pod, SLOTS, World, slots},
};

/// The moment at which every plan is made.
pub const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// How long everything has been as it is: pods' ages, silences and learners' times alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// One second: shorter than every patience of the planner.
    Young,
    /// Half a minute: pods have settled, nobody is late.
    Settled,
    /// Ten minutes: longer than every deadline.
    Old,
}

impl Age {
    /// Every age.
    pub const ALL: [Self; 3] = [Self::Young, Self::Settled, Self::Old];

    /// The same as a duration.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(match self {
            Self::Young => 1,
            Self::Settled => 30,
            Self::Old => 600,
        })
    }
}

/// What a look shows.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// The membership.
    pub members: [Member; SLOTS],
    /// Whose member answers.
    pub answers: [bool; SLOTS],
    /// Who leads.
    pub leader: Option<u8>,
    /// Kubernetes.
    pub kube: Kube,
    /// How long everything has been as it is.
    pub age: Age,
}

impl Picture {
    /// A look at the world. Members are asked at the addresses of the pods that are seen; one of
    /// them may be out of the operator's reach.
    #[must_use]
    pub fn of(world: &World, age: Age, unreachable: Option<usize>) -> Self {
        let kube = *world.read();
        Self {
            members: world.members,
            answers: std::array::from_fn(|slot| {
                Some(slot) != unreachable
                    && world.runs(slot)
                    && world.is_same_pod(slot)
                    && !matches!(kube.slots[slot].pod, Pod::Pending | Pod::None)
            }),
            leader: world.leader,
            kube,
            age,
        }
    }

    /// All that the planner is shown, in 114 bits.
    #[must_use]
    pub fn key(&self) -> u128 {
        let (mut low, mut high) = (Writer::new(), Writer::new());
        for slot in slots() {
            let writer = if slot < 3 { &mut low } else { &mut high };
            packed::seen(writer, &self.kube.slots[slot]);
            // What data a member has, nobody is told.
            writer.put(self.members[slot].role.number(), 2);
            writer.put(self.members[slot].told.number(), 2);
            writer.put(u64::from(self.answers[slot]), 1);
        }
        packed::kube(&mut high, &self.kube);
        high.put(self.leader.map_or(7, u64::from), 3);
        high.put(self.age as u64, 2);
        u128::from(low.word()) | u128::from(high.word()) << 64
    }
}
