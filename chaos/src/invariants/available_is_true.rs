//! The status stops claiming what is no more.
//!
//! Statement: when too few voters answer for [`BOUND`] in a row, the status no longer says that the
//! cluster is available.
//! Source: the field's operators said `Available` for 30 s with one of three members alive, or for
//! ever, because an early return skipped the status (etcd-io/etcd-operator #358, cozystack #367).
//! The bound is what this project promises.

use std::time::Duration;

use super::Invariant;
use crate::Observation;

/// Time that the status may need to notice. A look may take some seconds when members are silent.
pub const BOUND: Duration = Duration::from_secs(20);

/// Remembers since when the status claims too much.
#[derive(Default)]
pub struct AvailableIsTrue {
    since: Option<Duration>,
    /// Voters of the last membership that somebody told, by resource.
    voters: Option<(String, usize)>,
}

impl Invariant for AvailableIsTrue {
    fn name(&self) -> &'static str {
        "a cluster without quorum is not called available"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        let resource = look.resource.as_ref()?;
        if let Some((_, list)) = look.newest_list() {
            self.voters = Some((resource.uid.clone(), list.voters().len()));
        }
        let voters = self.voters.as_ref().filter(|(uid, _)| *uid == resource.uid);
        let voters = voters.map_or(0, |(_, voters)| *voters);
        let answer = look.members().filter(|member| !member.learner).count();
        let claims = resource.condition("Available") == Some(true);
        let lost = voters > 0 && answer < voters / 2 + 1;
        if !claims || !lost || look.hindered || resource.deleting {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(look.at);
        (look.at.saturating_sub(since) > BOUND).then(|| {
            format!(
                "Available since {:.1} s with {answer} of {voters} voters answering",
                since.as_secs_f64()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{
        Condition,
        example::{look, voter},
    };

    fn claims(at: u64, running: &[u64]) -> Observation {
        let mut look = look(at, 10, &[voter(1), voter(2), voter(3)], running);
        if let Some(resource) = &mut look.resource {
            resource.conditions.push(Condition {
                kind: "Available".to_owned(),
                holds: Some(true),
                ..Condition::default()
            });
        }
        look
    }

    #[test]
    fn a_claim_that_outlives_the_quorum_is_a_violation() {
        let mut rule = AvailableIsTrue::default();
        assert_eq!(rule.judge(&claims(1, &[1, 2, 3])), None);
        assert_eq!(rule.judge(&claims(2, &[1])), None);
        assert_eq!(rule.judge(&claims(20, &[1])), None);
        let evidence = rule.judge(&claims(23, &[1])).expect("a violation");
        assert!(evidence.contains("1 of 3 voters"), "{evidence}");
    }

    #[test]
    fn nobody_answering_at_all_is_no_quorum_either() {
        let mut rule = AvailableIsTrue::default();
        assert_eq!(rule.judge(&claims(1, &[1, 2, 3])), None);
        assert_eq!(rule.judge(&claims(2, &[])), None);
        assert!(rule.judge(&claims(30, &[])).is_some());
    }

    #[test]
    fn a_quorum_that_comes_back_in_time_is_fine() {
        let mut rule = AvailableIsTrue::default();
        for (at, running) in [(1, &[1][..]), (15, &[1, 2]), (30, &[1])] {
            assert_eq!(rule.judge(&claims(at, running)), None);
        }
    }
}
