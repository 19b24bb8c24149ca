//! No value out of thin air.
//!
//! Statement: a value that is read was written to that key by a write that had begun before the
//! read ended, and at the revision that this write was acknowledged with.
//! Source: the register model of etcd's robustness tests (`tests/robustness/model`).

use std::collections::BTreeMap;

use super::{History, Put};
use crate::Violation;

const NAME: &str = "no value out of thin air";

/// Checks the history.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let written: BTreeMap<&str, &Put> = history
        .puts
        .iter()
        .map(|put| (put.value.as_str(), put))
        .collect();
    let mut violations = Vec::new();
    for read in &history.reads {
        let Some((value, revision)) = &read.found else {
            continue;
        };
        let problem = match written.get(value.as_str()) {
            None => Some("which nobody wrote".to_owned()),
            Some(put) if put.key != read.key => Some(format!("which was written to {}", put.key)),
            Some(put) if put.began > read.ended => Some("which was written later".to_owned()),
            Some(put) => put
                .acknowledged
                .filter(|known| known != revision)
                .map(|known| {
                    format!("at revision {revision}, but its write was acknowledged at {known}")
                }),
        };
        if let Some(problem) = problem {
            let evidence = format!("a read of {} returned `{value}`, {problem}", read.key);
            violations.push(Violation {
                invariant: NAME,
                at: read.ended,
                evidence,
            });
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::{super::example::*, *};

    fn fires(puts: Vec<Put>, read: super::super::Read, why: &str) {
        let found = check(&history(puts, vec![read]));
        assert!(
            found.iter().any(|it| it.evidence.contains(why)),
            "{found:?}"
        );
    }

    #[test]
    fn a_value_that_nobody_wrote_is_a_violation() {
        fires(
            vec![],
            read("a", (0, 10), 5, Some(("x", 4))),
            "nobody wrote",
        );
    }

    #[test]
    fn a_value_under_another_key_is_a_violation() {
        let puts = vec![put("b", "x", (0, 5), Some(4))];
        fires(puts, read("a", (6, 10), 5, Some(("x", 4))), "written to b");
    }

    #[test]
    fn a_value_from_the_future_is_a_violation() {
        let puts = vec![put("a", "x", (20, 25), Some(4))];
        fires(puts, read("a", (6, 10), 5, Some(("x", 4))), "written later");
    }

    #[test]
    fn a_write_that_moved_to_another_revision_is_a_violation() {
        let puts = vec![put("a", "x", (0, 5), Some(4))];
        fires(
            puts,
            read("a", (6, 10), 9, Some(("x", 7))),
            "acknowledged at 4",
        );
    }

    #[test]
    fn a_write_of_unknown_outcome_may_be_read() {
        let puts = vec![put("a", "x", (0, 5), None)];
        assert_eq!(
            check(&history(puts, vec![read("a", (6, 10), 9, Some(("x", 7)))])),
            []
        );
    }
}
