//! What must hold at every moment, whatever a step waits for.
//!
//! Owns: the table of invariants, one file each, and the watch over all of them.
//! Always holds: each states its rule and where the rule comes from, judges looks in the order in
//! which they were taken, and reports the same evidence once.
//! Deliberately does not know: what the scenario does.
//!
//! | file | rule |
//! |---|---|
//! | [`ready_is_true`] | the status never claims more ready members than pods that run |
//! | [`available_is_true`] | a cluster that lost its quorum is not called available for long |
//! | [`one_cluster`] | one resource is one etcd cluster, with one ID |
//! | [`one_change`] | one new voter at a time, learners within etcd's limit |
//! | [`removed_stays_removed`] | the ID of a removed member never comes back |
//! | [`quorum_is_kept`] | no change of the voters leaves too few of them alive |
//! | [`deletes_by_uid`] | every deletion names the UID of what it means |

pub mod available_is_true;
pub mod deletes_by_uid;
mod membership;
pub mod one_change;
pub mod one_cluster;
pub mod quorum_is_kept;
pub mod ready_is_true;
pub mod removed_stays_removed;

use crate::{Observation, Violation};

/// One rule with its memory.
pub trait Invariant {
    /// Name of the rule.
    fn name(&self) -> &'static str;

    /// Judges the next look; evidence when the rule is broken.
    fn judge(&mut self, look: &Observation) -> Option<String>;
}

/// All rules, and what they found.
pub struct Watch {
    invariants: Vec<Box<dyn Invariant>>,
    violations: Vec<Violation>,
}

/// More violations than this tell nothing new.
const MOST_VIOLATIONS: usize = 50;

impl Default for Watch {
    fn default() -> Self {
        let invariants: Vec<Box<dyn Invariant>> = vec![
            Box::new(ready_is_true::ReadyIsTrue::default()),
            Box::new(available_is_true::AvailableIsTrue::default()),
            Box::new(deletes_by_uid::DeletesByUid),
            Box::new(one_cluster::OneCluster::default()),
            Box::new(one_change::OneChange),
            Box::new(removed_stays_removed::RemovedStaysRemoved::default()),
            Box::new(quorum_is_kept::QuorumIsKept::default()),
        ];
        Self {
            invariants,
            violations: Vec::new(),
        }
    }
}

impl Watch {
    /// Judges the next look and returns what is new.
    pub fn judge(&mut self, look: &Observation) -> Vec<Violation> {
        let mut new = Vec::new();
        for invariant in &mut self.invariants {
            let Some(evidence) = invariant.judge(look) else {
                continue;
            };
            let known =
                |it: &Violation| it.invariant == invariant.name() && it.evidence == evidence;
            if self.violations.len() < MOST_VIOLATIONS && !self.violations.iter().any(known) {
                let violation = Violation {
                    invariant: invariant.name(),
                    at: look.at,
                    evidence,
                };
                self.violations.push(violation.clone());
                new.push(violation);
            }
        }
        new
    }

    /// Everything found so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Names of the rules.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.invariants.iter().map(|invariant| invariant.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, unstarted, voter};

    #[test]
    fn the_same_evidence_is_reported_once() {
        let mut watch = Watch::default();
        let list = [voter(1), voter(2), voter(3), unstarted(4), unstarted(5)];
        assert_eq!(watch.judge(&look(1, 10, &list, &[1, 2, 3])).len(), 1);
        assert_eq!(watch.judge(&look(2, 10, &list, &[1, 2, 3])).len(), 0);
        assert_eq!(watch.violations().len(), 1);
    }

    #[test]
    fn a_calm_walk_breaks_no_rule() {
        let mut watch = Watch::default();
        let walk = [
            look(1, 10, &[voter(1)], &[1]),
            look(
                2,
                11,
                &[voter(1), crate::observation::example::learner(2)],
                &[1],
            ),
            look(
                3,
                12,
                &[voter(1), crate::observation::example::learner(2)],
                &[1, 2],
            ),
            look(4, 13, &[voter(1), voter(2)], &[1, 2]),
            look(5, 14, &[voter(1)], &[1, 2]),
            look(6, 14, &[voter(1)], &[1]),
        ];
        for look in walk {
            assert_eq!(watch.judge(&look), [], "at {:?}", look.at);
        }
    }
}
