//! One new voter at a time, learners within etcd's limit.
//!
//! Statement: never more than one voter in the membership that has not started yet, and never more
//! learners than etcd allows: one, from 3.6 on two.
//! Source: Raft dissertation (Ongaro 2014), 4.1, single-server changes; etcd documentation on
//! learners (`max-learners`). etcd's own reconfiguration check does not refuse a second voter that
//! has not started in every version.

use super::Invariant;
use crate::Observation;

/// Has no memory.
pub struct OneChange;

impl Invariant for OneChange {
    fn name(&self) -> &'static str {
        "one new voter at a time, learners within the limit"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        let (_, list) = look.newest_list()?;
        let unstarted = list
            .members
            .iter()
            .filter(|it| !it.learner && it.name.is_empty())
            .count();
        if unstarted > 1 {
            return Some(format!(
                "{unstarted} voters have not started yet: {}",
                ids(list)
            ));
        }
        let learners = list.members.iter().filter(|listed| listed.learner).count();
        let limit = learner_limit(look);
        (learners > limit).then(|| {
            format!(
                "{learners} learners where {limit} are allowed: {}",
                ids(list)
            )
        })
    }
}

fn ids(list: &crate::observation::List) -> String {
    let described = list.members.iter().map(|listed| {
        let role = if listed.learner { "learner" } else { "voter" };
        format!("{:x} ({role} `{}`)", listed.id, listed.name)
    });
    described.collect::<Vec<_>>().join(", ")
}

/// The limit of the oldest version that runs.
fn learner_limit(look: &Observation) -> usize {
    let old = look
        .members()
        .any(|member| member.version.starts_with("3.5."));
    if old { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{learner, look, unstarted, voter};

    #[test]
    fn two_voters_that_have_not_started_are_a_violation() {
        let list = [voter(1), voter(2), voter(3), unstarted(4), unstarted(5)];
        let evidence = OneChange
            .judge(&look(1, 10, &list, &[1, 2, 3]))
            .expect("a violation");
        assert!(
            evidence.contains("2 voters have not started yet"),
            "{evidence}"
        );
    }

    #[test]
    fn a_second_learner_is_a_violation_before_3_6() {
        let list = [voter(1), learner(2), learner(3)];
        let mut two = look(1, 10, &list, &[1]);
        assert!(OneChange.judge(&two).is_some());
        two.pods[0].member.as_mut().expect("answers").version = "3.6.16".to_owned();
        assert_eq!(OneChange.judge(&two), None);
    }
}
