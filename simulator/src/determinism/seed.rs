//! One root seed, one named stream of randomness per subsystem.
//!
//! Owns: the derivation of a stream from the root seed and a name.
//! Always holds: a draw more or less in one stream changes no other stream.
//! Deliberately does not know: who draws.

use std::fmt;

use rand::{SeedableRng, rngs::SmallRng};

use super::interpose::splitmix;

/// The root of all randomness in one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of a sub-system, by name: `seed.derive("etcd").derive("demo-0")`.
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        let mut state = self.0;
        let mut derived = splitmix(&mut state);
        for byte in name.bytes() {
            state ^= u64::from(byte);
            derived ^= splitmix(&mut state);
        }
        Self(derived)
    }

    /// A generator for a sub-system, by name.
    #[must_use]
    pub fn stream(self, name: &str) -> SmallRng {
        SmallRng::seed_from_u64(self.derive(name).0)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn a_draw_in_one_stream_does_not_shift_another() {
        let seed = Seed(7);
        let mut net = seed.stream("net");
        let alone = seed.stream("etcd").next_u64();
        net.next_u64();
        assert_eq!(seed.stream("etcd").next_u64(), alone);
    }

    #[test]
    fn streams_differ_by_name_and_by_seed() {
        let draws = [
            Seed(7).stream("net").next_u64(),
            Seed(7).stream("etcd").next_u64(),
            Seed(8).stream("net").next_u64(),
            Seed(7).derive("etcd").stream("net").next_u64(),
        ];
        for (index, draw) in draws.iter().enumerate() {
            assert!(!draws[..index].contains(draw), "{draws:?}");
        }
    }
}
