//! No acknowledged write is lost.
//!
//! Statement: a read that speaks of a revision sees, on its key, no value older than the last
//! write acknowledged up to that revision.
//! Source: etcd documentation, "KV API guarantees" (durability, strict serializability).

use std::collections::BTreeMap;

use super::History;
use crate::Violation;

const NAME: &str = "no acknowledged write is lost";

/// Checks the history.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let mut written: BTreeMap<&str, BTreeMap<i64, &str>> = BTreeMap::new();
    for (put, revision) in history.acknowledged() {
        written
            .entry(&put.key)
            .or_default()
            .insert(revision, &put.value);
    }
    let mut violations = Vec::new();
    for read in &history.reads {
        let last = written
            .get(read.key.as_str())
            .and_then(|writes| writes.range(..=read.revision).next_back());
        let Some((revision, value)) = last else {
            continue;
        };
        let seen = read.found.as_ref().map(|(_, revision)| *revision);
        if seen.is_none_or(|seen| seen < *revision) {
            let instead = read
                .found
                .as_ref()
                .map_or("nothing".to_owned(), |(value, revision)| {
                    format!("`{value}` of revision {revision}")
                });
            let evidence = format!(
                "a read of {} at revision {} returned {instead}, although `{value}` was \
                 acknowledged at revision {revision}",
                read.key, read.revision
            );
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

    #[test]
    fn a_key_that_vanished_is_a_violation() {
        let lost = history(
            vec![put("a", "x", (0, 5), Some(4))],
            vec![read("a", (6, 10), 9, None)],
        );
        assert!(
            check(&lost)[0].evidence.contains("returned nothing"),
            "{:?}",
            check(&lost)
        );
    }

    #[test]
    fn an_older_value_is_a_violation() {
        let lost = history(
            vec![
                put("a", "x", (0, 5), Some(4)),
                put("a", "y", (5, 6), Some(6)),
            ],
            vec![read("a", (7, 10), 9, Some(("x", 4)))],
        );
        assert_eq!(check(&lost).len(), 1);
    }

    #[test]
    fn a_read_of_an_earlier_revision_need_not_see_a_later_write() {
        let fine = history(
            vec![
                put("a", "x", (0, 5), Some(4)),
                put("a", "y", (5, 11), Some(6)),
            ],
            vec![read("a", (7, 10), 5, Some(("x", 4)))],
        );
        assert_eq!(check(&fine), []);
    }
}
