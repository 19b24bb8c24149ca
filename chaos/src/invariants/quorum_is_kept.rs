//! No change of the voters puts quorum at risk.
//!
//! Statement: after a change of the voters, at least a quorum of the new voters is alive: they
//! answered in the last look before the change, in the one that saw it, or in the one after that. A
//! look is not instant: members tell of somebody whose pod was made since the pods were listed.
//! Source: etcd documentation, "runtime reconfiguration": adding a voter to a cluster that cannot
//! spare one loses quorum for good (etcd #3477); the same holds for removing a live member of a
//! cluster with dead ones.

use std::collections::BTreeSet;

use super::{Invariant, membership::Believed};
use crate::Observation;

/// Remembers the voters and who was alive.
#[derive(Default)]
pub struct QuorumIsKept {
    resource: String,
    believed: Believed,
    voters: BTreeSet<u64>,
    alive: BTreeSet<u64>,
    /// A change after which too few were alive, unless the next look finds them.
    doubt: Option<Change>,
}

struct Change {
    from: BTreeSet<u64>,
    to: BTreeSet<u64>,
    /// The most of the new voters that one look found alive.
    alive: usize,
}

impl Change {
    fn quorum(&self) -> usize {
        self.to.len() / 2 + 1
    }

    fn count(&mut self, answered: &BTreeSet<u64>) {
        let living = self.to.intersection(answered).count();
        self.alive = self.alive.max(living);
    }

    fn evidence(&self) -> Option<String> {
        (self.alive < self.quorum()).then(|| {
            format!(
                "the voters changed from {} to {}: {} of them are alive, quorum is {}",
                hex(&self.from),
                hex(&self.to),
                self.alive,
                self.quorum()
            )
        })
    }
}

impl Invariant for QuorumIsKept {
    fn name(&self) -> &'static str {
        "no change of the voters puts quorum at risk"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        let uid = look
            .resource
            .as_ref()
            .filter(|resource| !resource.deleting)?
            .uid
            .clone();
        if uid != self.resource {
            *self = Self {
                resource: uid,
                ..Self::default()
            };
        }
        let alive: BTreeSet<u64> = look.members().map(|member| member.id).collect();
        let before = std::mem::replace(&mut self.alive, alive.clone());
        let settled = self.doubt.take().and_then(|mut change| {
            change.count(&alive);
            change.evidence()
        });
        if let Some(list) = self.believed.next(look) {
            let voters = list.voters();
            let from = std::mem::replace(&mut self.voters, voters.clone());
            if !from.is_empty() && from != voters {
                let mut change = Change {
                    from,
                    to: voters,
                    alive: 0,
                };
                change.count(&before);
                change.count(&alive);
                self.doubt = change.evidence().map(|_| change);
            }
        }
        settled
    }
}

fn hex(ids: &BTreeSet<u64>) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("{id:x}")).collect();
    format!("[{}]", ids.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, unstarted, voter};

    #[test]
    fn a_voter_that_never_started_next_to_a_single_one_is_a_violation() {
        let mut rule = QuorumIsKept::default();
        assert_eq!(rule.judge(&look(1, 10, &[voter(1)], &[1])), None);
        let grown = look(2, 11, &[voter(1), unstarted(2)], &[1]);
        assert_eq!(rule.judge(&grown), None);
        let evidence = rule.judge(&grown);
        assert!(
            evidence
                .expect("a violation")
                .contains("1 of them are alive, quorum is 2")
        );
    }

    #[test]
    fn removing_a_live_member_beside_a_dead_one_is_a_violation() {
        let mut rule = QuorumIsKept::default();
        assert_eq!(
            rule.judge(&look(1, 10, &[voter(1), voter(2), voter(3)], &[1, 2])),
            None
        );
        let shrunk = look(2, 11, &[voter(1), voter(3)], &[1]);
        assert_eq!(rule.judge(&shrunk), None);
        assert!(rule.judge(&shrunk).is_some());
        assert_eq!(rule.judge(&shrunk), None, "it is told once");
    }

    #[test]
    fn a_new_voter_that_the_next_look_finds_is_fine() {
        let mut rule = QuorumIsKept::default();
        assert_eq!(rule.judge(&look(1, 10, &[voter(1)], &[1])), None);
        let both = [voter(1), voter(2)];
        assert_eq!(rule.judge(&look(2, 11, &both, &[1])), None);
        assert_eq!(rule.judge(&look(3, 12, &both, &[1, 2])), None);
        assert_eq!(rule.judge(&look(4, 12, &both, &[1])), None);
    }

    #[test]
    fn removing_a_dead_member_is_fine() {
        let mut rule = QuorumIsKept::default();
        assert_eq!(
            rule.judge(&look(1, 10, &[voter(1), voter(2), voter(3)], &[1, 2])),
            None
        );
        assert_eq!(
            rule.judge(&look(2, 11, &[voter(1), voter(2)], &[1, 2])),
            None
        );
    }

    #[test]
    fn members_that_start_together_are_no_change() {
        let mut rule = QuorumIsKept::default();
        let list = [voter(1), voter(2), voter(3)];
        assert_eq!(rule.judge(&look(1, 4, &list, &[1])), None);
        assert_eq!(rule.judge(&look(2, 5, &list, &[1, 2])), None);
    }
}
