//! Revisions never go back.
//!
//! Statement: when one acknowledged operation ended before another one began, the later one speaks
//! of a revision at least as high; of two writes, a higher one.
//! Source: linearizability (Herlihy and Wing 1990) on etcd's single global revision; reads in
//! etcd are linearizable unless asked otherwise (etcd documentation, "KV API guarantees").

use std::time::Duration;

use super::History;
use crate::Violation;

const NAME: &str = "revisions never go back";

struct Operation {
    what: String,
    began: Duration,
    ended: Duration,
    revision: i64,
    writes: bool,
}

/// Checks the history.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let operations = operations(history);
    let mut by_begin: Vec<&Operation> = operations.iter().collect();
    let mut by_end = by_begin.clone();
    by_begin.sort_by_key(|operation| operation.began);
    by_end.sort_by_key(|operation| operation.ended);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<&Operation> = None;
    let mut violations = Vec::new();
    for operation in by_begin {
        while let Some(before) = ended.next_if(|before| before.ended < operation.began) {
            if highest.is_none_or(|highest| before.revision > highest.revision) {
                highest = Some(before);
            }
        }
        let Some(before) = highest else { continue };
        let back = operation.revision < before.revision
            || (operation.writes && operation.revision == before.revision);
        if back {
            let evidence = format!(
                "{} got revision {}, although {} had got revision {} before it began",
                operation.what, operation.revision, before.what, before.revision
            );
            violations.push(Violation {
                invariant: NAME,
                at: operation.ended,
                evidence,
            });
        }
    }
    violations
}

fn operations(history: &History) -> Vec<Operation> {
    let puts = history.acknowledged().map(|(put, revision)| Operation {
        what: format!("the write of `{}` to {}", put.value, put.key),
        began: put.began,
        ended: put.ended,
        revision,
        writes: true,
    });
    let reads = history.reads.iter().map(|read| Operation {
        what: format!("a read of {}", read.key),
        began: read.began,
        ended: read.ended,
        revision: read.revision,
        writes: false,
    });
    puts.chain(reads).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::example::*, *};

    #[test]
    fn a_read_behind_an_earlier_write_is_a_violation() {
        let stale = history(
            vec![put("a", "x", (0, 5), Some(4))],
            vec![read("b", (6, 10), 3, None)],
        );
        let found = check(&stale);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].evidence.contains("a read of b got revision 3"),
            "{found:?}"
        );
    }

    #[test]
    fn two_writes_never_share_a_revision() {
        let puts = vec![
            put("a", "x", (0, 5), Some(4)),
            put("a", "y", (6, 9), Some(4)),
        ];
        assert_eq!(check(&history(puts, vec![])).len(), 1);
    }

    #[test]
    fn operations_that_overlap_may_come_in_either_order() {
        let fine = history(
            vec![put("a", "x", (0, 8), Some(4))],
            vec![read("b", (6, 10), 3, None), read("b", (11, 12), 4, None)],
        );
        assert_eq!(check(&fine), []);
    }
}
