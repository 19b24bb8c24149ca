//! No change of the voters puts quorum at risk.
//!
//! Statement: after a change of the voters, at least a quorum of the new voters is alive: they
//! answered either in the last look before the change or in the first one after it.
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
        let voters = self.believed.next(look)?.voters();
        let old = std::mem::replace(&mut self.voters, voters.clone());
        if old.is_empty() || old == voters {
            return None;
        }
        let quorum = voters.len() / 2 + 1;
        let living = |answered: &BTreeSet<u64>| voters.intersection(answered).count();
        let most = living(&before).max(living(&alive));
        (most < quorum).then(|| {
            format!(
                "the voters changed from {} to {}: {most} of them are alive, quorum is {quorum}",
                hex(&old),
                hex(&voters)
            )
        })
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
        let evidence = rule.judge(&look(2, 11, &[voter(1), unstarted(2)], &[1]));
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
        assert!(
            rule.judge(&look(2, 11, &[voter(1), voter(3)], &[1]))
                .is_some()
        );
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
