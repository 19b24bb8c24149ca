//! Faults drawn from a seed.
//!
//! Owns: which kinds of faults a seed has at all, and drawing one after the other.
//! Always holds: the same seed draws the same faults. Each seed switches about half of the kinds
//! off: rare combinations come up only where others do not drown them (Groce et al., "Swarm
//! testing", ISSTA 2012).
//! Deliberately does not know: what the cluster does meanwhile, and what a fair schedule is.

use std::time::Duration;

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use simulator::determinism::Seed;

use crate::{
    Span,
    fault::{Call, Fault, OperatorFault, Situation, Strike, Target, Trigger},
};

/// The longest that a drawn fault lasts.
const LONGEST: Duration = Duration::from_secs(60);

/// Draws faults.
pub struct Swarm {
    random: SmallRng,
    kinds: Vec<Fault>,
}

impl Swarm {
    /// The swarm of a seed, out of these kinds.
    #[must_use]
    pub fn new(seed: Seed, of: &[Fault]) -> Self {
        let mut random = seed.stream("swarm");
        let mut kinds: Vec<Fault> = of.to_vec();
        kinds.retain(|_| random.random_bool(0.5));
        if kinds.is_empty() {
            kinds.extend(of.choose(&mut random));
        }
        Self { random, kinds }
    }

    /// The next fault, somewhere in the time to come; `None` when there are no kinds to draw from.
    pub fn strike(&mut self, within: Duration) -> Option<Strike> {
        let kind = *self.kinds.choose(&mut self.random)?;
        let target = self.target();
        let lasts = self.span(Duration::from_millis(500), LONGEST)?;
        let mut fault = kind.hitting(target).lasting(lasts);
        if let Fault::Operator(OperatorFault::KillAt { moment, .. }) = fault {
            let (_, call) = *Call::ALL.choose(&mut self.random)?;
            let nth = if call == Call::Write {
                self.random.random_range(1..=12)
            } else {
                self.random.random_range(1..=2)
            };
            fault = Fault::Operator(OperatorFault::KillAt { moment, nth, call });
        }
        let trigger = if self.random.random_bool(0.25) {
            let (_, situation) = *Situation::ALL.choose(&mut self.random)?;
            Trigger::When(situation)
        } else {
            Trigger::In(self.span(Duration::from_millis(1), within)?)
        };
        Some(Strike { trigger, fault })
    }

    fn target(&mut self) -> Target {
        match self.random.random_range(0..6) {
            0 | 1 => Target::Leader,
            2 => Target::Follower,
            3 => Target::Learner,
            _ => Target::Ordinal(self.random.random_range(0..5)),
        }
    }

    /// Evenly spread over the orders of magnitude: short ones matter as much as long ones.
    fn span(&mut self, shortest: Duration, longest: Duration) -> Option<Span> {
        let ratio = longest.as_secs_f64().max(0.002) / shortest.as_secs_f64();
        let power: f64 = self.random.random_range(0.0..1.0);
        let millis = shortest.as_millis() as f64 * ratio.max(1.0).powf(power);
        let millis = millis as u64;
        // Two digits are as good as five, and are easier to read.
        let coarse = match millis {
            0..=99 => millis.max(1),
            100..=999 => millis / 10 * 10,
            1_000..=9_999 => millis / 100 * 100,
            _ => millis / 1_000 * 1_000,
        };
        Span::from_millis(coarse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<String> {
        let mut swarm = Swarm::new(Seed(seed), &Fault::kinds());
        let strikes = (0..40).filter_map(|_| swarm.strike(Duration::from_secs(30)));
        strikes.map(|strike| strike.to_string()).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7).len(), 40);
    }

    #[test]
    fn over_many_seeds_every_kind_is_drawn_and_each_seed_leaves_some_out() {
        let kinds = |seed: u64| {
            let mut swarm = Swarm::new(Seed(seed), &Fault::kinds());
            let strikes = (0..60).filter_map(|_| swarm.strike(Duration::from_secs(30)));
            let kinds = strikes.map(|strike| strike.fault.kind());
            kinds.collect::<std::collections::BTreeSet<String>>()
        };
        let all: std::collections::BTreeSet<_> = (0..20).flat_map(kinds).collect();
        assert_eq!(all.len(), Fault::kinds().len());
        assert!((0..20).all(|seed| kinds(seed).len() < all.len()));
    }
}
