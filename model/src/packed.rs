//! A world in six words, for keeping millions of them.
//!
//! Owns: the layout and the fingerprint.
//! Always holds: packing loses nothing, so two worlds are equal exactly when their words are.
//! Deliberately does not know: what the parts mean.

use crate::world::{
    Cache, Claim, Data, File, Kube, Left, Member, Pod, Proposal, Record, Role, SLOTS, Seen, Set,
    Template, Told, Volume, Whom, World, slots,
};

/// A packed world: one word per ordinal, one for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed([u64; SLOTS + 1]);

/// Appends small numbers to a word.
pub(crate) struct Writer {
    word: u64,
    used: u32,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { word: 0, used: 0 }
    }

    pub(crate) fn put(&mut self, number: u64, bits: u32) {
        debug_assert!(number >> bits == 0 && self.used + bits <= 64);
        self.word |= number << self.used;
        self.used += bits;
    }

    pub(crate) fn word(self) -> u64 {
        self.word
    }
}

struct Reader(u64);

impl Reader {
    fn take(&mut self, bits: u32) -> u64 {
        let number = self.0 & ((1 << bits) - 1);
        self.0 >>= bits;
        number
    }

    fn small(&mut self, bits: u32) -> u8 {
        u8::try_from(self.take(bits)).unwrap_or(u8::MAX)
    }

    fn flag(&mut self) -> bool {
        self.take(1) == 1
    }
}

/// No leader, no proposal.
const NOBODY: u64 = 7;

impl Packed {
    /// Packs a world.
    #[must_use]
    pub fn new(world: &World) -> Self {
        let mut words = [0; SLOTS + 1];
        for slot in slots() {
            let mut writer = Writer::new();
            member(&mut writer, &world.members[slot]);
            seen(&mut writer, &world.kube.slots[slot]);
            if let Some(cache) = &world.cache {
                seen(&mut writer, &cache.kube.slots[slot]);
                writer.put(u64::from(cache.same_pod[slot]), 1);
                writer.put(u64::from(cache.same_claim[slot]), 1);
            }
            words[slot] = writer.word();
        }
        words[SLOTS] = rest(world);
        Self(words)
    }

    /// The world again.
    #[must_use]
    pub fn world(&self) -> World {
        let mut reader = Reader(self.0[SLOTS]);
        let leader = reader.take(3);
        let formed = reader.flag();
        let (kind, about) = (reader.take(2), reader.small(3));
        let left = Left {
            edits: reader.small(3),
            faults: reader.small(3),
        };
        let cached = reader.flag();
        let edited = reader.flag();
        let kube = take_kube(&mut reader);
        let mut cache = cached.then(|| Cache {
            kube: take_kube(&mut reader),
            same_pod: [true; SLOTS],
            same_claim: [true; SLOTS],
            edited,
        });
        let mut world = World {
            members: [Member::NONE; SLOTS],
            kube,
            cache: None,
            leader: (leader != NOBODY).then(|| u8::try_from(leader).unwrap_or(0)),
            formed,
            pending: match kind {
                1 => Some(Proposal::Add(about)),
                2 => Some(Proposal::Promote(about)),
                3 => Some(Proposal::Remove(about)),
                _ => None,
            },
            left,
        };
        for slot in slots() {
            let mut reader = Reader(self.0[slot]);
            world.members[slot] = take_member(&mut reader);
            world.kube.slots[slot] = take_seen(&mut reader);
            if let Some(cache) = &mut cache {
                cache.kube.slots[slot] = take_seen(&mut reader);
                cache.same_pod[slot] = reader.flag();
                cache.same_claim[slot] = reader.flag();
            }
        }
        world.cache = cache;
        world
    }

    /// 64 bits that stand for the world. Among n worlds, two share one with a probability of about
    /// n²/2⁶⁵: one in 100 000 for twenty million.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fold(&self.0)
    }
}

/// Mixes words by multiplying them and folding the product, as wyhash does.
pub(crate) fn fold(words: &[u64]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        let (low, high) = (product as u64, (product >> 64) as u64);
        low ^ high
    };
    let mixed = words.iter().fold(ODD, |sum, word| {
        mix(
            sum ^ word ^ 0xa076_1d64_78bd_642f,
            ODD ^ sum.rotate_left(29),
        )
    });
    mix(mixed ^ 0xe703_7ed1_a0b4_28db, ODD)
}

fn member(writer: &mut Writer, member: &Member) {
    writer.put(member.role.number(), 2);
    writer.put(member.told.number(), 2);
    writer.put(member.data.number(), 2);
}

fn take_member(reader: &mut Reader) -> Member {
    Member {
        role: Role::from_number(reader.take(2)),
        told: Told::from_number(reader.take(2)),
        data: Data::from_number(reader.take(2)),
    }
}

/// Fifteen bits.
pub(crate) fn seen(writer: &mut Writer, seen: &Seen) {
    writer.put(seen.pod.number(), 3);
    writer.put(seen.template.number(), 2);
    writer.put(seen.claim.number(), 2);
    writer.put(seen.record.whom.number(), 2);
    writer.put(u64::from(seen.record.learner), 1);
    writer.put(seen.record.volume.number(), 2);
    writer.put(seen.file.number(), 3);
}

fn take_seen(reader: &mut Reader) -> Seen {
    Seen {
        pod: Pod::from_number(reader.take(3)),
        template: Template::from_number(reader.take(2)),
        claim: Claim::from_number(reader.take(2)),
        record: Record {
            whom: Whom::from_number(reader.take(2)),
            learner: reader.flag(),
            volume: Volume::from_number(reader.take(2)),
        },
        file: File::from_number(reader.take(3)),
    }
}

/// What is not about one ordinal: twelve bits.
pub(crate) fn kube(writer: &mut Writer, kube: &Kube) {
    writer.put(u64::from(kube.size), 3);
    writer.put(u64::from(kube.bad), 1);
    writer.put(u64::from(kube.has_id), 1);
    writer.put(u64::from(kube.set.is_some()), 1);
    let set = kube.set.unwrap_or(Set {
        replicas: 0,
        template: Template::Good,
    });
    writer.put(u64::from(set.replicas), 3);
    writer.put(set.template.number(), 2);
}

fn take_kube(reader: &mut Reader) -> Kube {
    let World { kube: nothing, .. } = World::new(
        0,
        Left {
            edits: 0,
            faults: 0,
        },
    );
    let (size, bad, has_id) = (reader.small(3), reader.flag(), reader.flag());
    let exists = reader.flag();
    let set = Set {
        replicas: reader.small(3),
        template: Template::from_number(reader.take(2)),
    };
    Kube {
        size,
        bad,
        has_id,
        set: exists.then_some(set),
        ..nothing
    }
}

fn rest(world: &World) -> u64 {
    let mut writer = Writer::new();
    writer.put(world.leader.map_or(NOBODY, u64::from), 3);
    writer.put(u64::from(world.formed), 1);
    let (kind, about) = match world.pending {
        None => (0, 0),
        Some(Proposal::Add(slot)) => (1, slot),
        Some(Proposal::Promote(slot)) => (2, slot),
        Some(Proposal::Remove(slot)) => (3, slot),
    };
    writer.put(kind, 2);
    writer.put(u64::from(about), 3);
    writer.put(u64::from(world.left.edits), 3);
    writer.put(u64::from(world.left.faults), 3);
    writer.put(u64::from(world.cache.is_some()), 1);
    writer.put(u64::from(world.cache.is_some_and(|cache| cache.edited)), 1);
    kube(&mut writer, &world.kube);
    if let Some(cache) = &world.cache {
        kube(&mut writer, &cache.kube);
    }
    writer.word()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use operator::plan::plan;

    use super::*;
    use crate::{decision::Decisions, steps::each};

    /// Every way of five steps, with all that can happen.
    #[test]
    fn what_was_packed_is_unpacked_again_and_no_two_worlds_share_a_fingerprint() {
        let version = "3.6.16".parse().expect("a version");
        let mut decisions = Decisions::new(&plan, version);
        let left = Left {
            edits: 2,
            faults: 2,
        };
        let mut worlds = vec![World::new(2, left)];
        let mut prints = BTreeSet::new();
        let mut packs: Vec<Packed> = Vec::new();
        for _ in 0..5 {
            let mut next_worlds = Vec::new();
            for world in &worlds {
                let packed = Packed::new(world);
                assert_eq!(packed.world(), *world);
                if prints.insert(packed.fingerprint()) {
                    packs.push(packed);
                    each(world, 3, &mut decisions, &mut |_, next| {
                        next_worlds.extend(next.ok());
                    });
                }
            }
            worlds = next_worlds;
        }
        let different: BTreeSet<[u64; SLOTS + 1]> = packs.iter().map(|packed| packed.0).collect();
        assert_eq!(different.len(), prints.len());
    }
}
