//! The situations that a campaign has to reach: what was never met has not been tested.
//!
//! Owns: the list, by the kinds of faults that a campaign has.
//! Always holds: every situation on it has the words under which runs count it.
//! Deliberately does not know: how often each is reached.

use std::collections::BTreeSet;

use chaos::fault::{ApiTrouble, Call, Circumstance, Fault, OperatorFault};

use crate::strikes::{READ_THE_PAST, died};

/// Every situation that faults of these kinds are to meet.
#[must_use]
pub fn to_reach(kinds: &[Fault]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for kind in kinds {
        for (words, circumstance) in Circumstance::ALL {
            if circumstance.can_meet(kind) {
                all.insert(format!("{} {words}", kind.kind()));
            }
        }
        match kind {
            Fault::Operator(OperatorFault::KillAt { moment, .. }) => {
                all.extend(Call::ALL.map(|(_, call)| died(*moment, call)));
            }
            Fault::Api(ApiTrouble::Stale, _) => {
                all.insert(READ_THE_PAST.to_owned());
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use chaos::fault::Moment;

    use super::*;

    #[test]
    fn all_kinds_together_have_every_death_and_no_member_is_hit_without_a_cluster() {
        let all = to_reach(&Fault::kinds());
        for moment in [Moment::Before, Moment::After] {
            assert!(all.contains(&died(moment, Call::MemberAdd)));
        }
        assert!(all.contains("kill while there is a learner"));
        assert!(!all.contains("kill without a cluster"));
        assert!(all.contains("take the API server away without a cluster"));
        assert!(to_reach(&[]).is_empty());
    }
}
