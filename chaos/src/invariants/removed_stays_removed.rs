//! Removed members stay removed.
//!
//! Statement: an ID that was in the membership and left it is never in a later membership again.
//! Source: etcd documentation, "runtime reconfiguration": a removed ID is removed for ever; zombie
//! members after an upgrade (etcd #20967) broke exactly this.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invariant, membership::Believed};
use crate::Observation;

/// Remembers, by cluster ID, how far the log was and who was a member then.
#[derive(Default)]
pub struct RemovedStaysRemoved {
    clusters: BTreeMap<u64, Known>,
}

#[derive(Default)]
struct Known {
    believed: Believed,
    members: BTreeSet<u64>,
    removed: BTreeSet<u64>,
}

impl Invariant for RemovedStaysRemoved {
    fn name(&self) -> &'static str {
        "a removed member never comes back"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        let cluster = look.members().next()?.cluster;
        let known = self.clusters.entry(cluster).or_default();
        let now = known.believed.next(look)?.ids();
        known.removed.extend(known.members.difference(&now));
        known.members = now;
        let back = known.removed.intersection(&known.members).next()?;
        Some(format!(
            "{back:x} was removed, and is in the membership again"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, voter};

    #[test]
    fn an_id_that_comes_back_is_a_violation() {
        let mut rule = RemovedStaysRemoved::default();
        assert_eq!(rule.judge(&look(1, 10, &[voter(1), voter(2)], &[1])), None);
        assert_eq!(rule.judge(&look(2, 11, &[voter(1)], &[1])), None);
        let evidence = rule
            .judge(&look(3, 12, &[voter(1), voter(2)], &[1]))
            .expect("a violation");
        assert!(evidence.contains("2 was removed"), "{evidence}");
    }

    #[test]
    fn the_old_list_of_a_member_that_lags_is_no_return() {
        let mut rule = RemovedStaysRemoved::default();
        assert_eq!(rule.judge(&look(1, 10, &[voter(1), voter(2)], &[1])), None);
        assert_eq!(rule.judge(&look(2, 11, &[voter(1)], &[1])), None);
        let mut lagging = look(3, 10, &[voter(1), voter(2)], &[2]);
        let member = lagging.pods[0].member.as_mut().expect("answers");
        member.list.as_mut().expect("tells").linearizable = false;
        assert_eq!(rule.judge(&lagging), None);
    }
}
