//! Each key behaves like one register.
//!
//! Statement: for each key there is an order of its writes and reads, each at some moment between
//! its begin and its end, in which every read gives what was written last. A write without an
//! answer may take effect at any moment after its begin, or never.
//! Source: linearizability (Herlihy and Wing 1990); the search is theirs as improved by Wing and
//! Gong (1993) and Lowe (2017): undo what leads nowhere, and never try the same state twice. It is
//! what the etcd robustness tests do with porcupine. Keys are independent (locality), so each is
//! searched alone.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::History;
use crate::Violation;

const NAME: &str = "each key behaves like one register";

/// States that are tried for one key before the search is given up, undecided.
const BUDGET: usize = 200_000;

/// One operation on a register. Values are numbered; 0 is "not there yet".
#[derive(Clone, Copy, Debug)]
struct Operation {
    began: Duration,
    /// `None` when it may take effect at any later time, or never.
    ended: Option<Duration>,
    writes: bool,
    value: usize,
}

/// Checks the history.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let keys = registers(history);
    let broken = keys
        .iter()
        .filter(|(_, operations)| !is_linearizable(operations));
    let broken = broken.map(|(key, operations)| {
        let ended = operations.iter().filter_map(|operation| operation.ended);
        let reads = operations
            .iter()
            .filter(|operation| !operation.writes)
            .count();
        Violation {
            invariant: NAME,
            at: ended.max().unwrap_or_default(),
            evidence: format!(
                "no order of the {} writes and {reads} reads of {key} explains what was read",
                operations.len() - reads
            ),
        }
    });
    broken.collect()
}

fn registers(history: &History) -> BTreeMap<&str, Vec<Operation>> {
    let mut keys: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    let mut values: BTreeMap<&str, usize> = BTreeMap::new();
    for put in &history.puts {
        let next = values.len() + 1;
        let value = *values.entry(put.value.as_str()).or_insert(next);
        keys.entry(&put.key).or_default().push(Operation {
            began: put.began,
            ended: put.acknowledged.map(|_| put.ended),
            writes: true,
            value,
        });
    }
    for read in &history.reads {
        // A value that nobody wrote is another check's affair; here nothing explains it either.
        let value = match &read.found {
            None => 0,
            Some((value, _)) => values.get(value.as_str()).copied().unwrap_or(usize::MAX),
        };
        keys.entry(&read.key).or_default().push(Operation {
            began: read.began,
            ended: Some(read.ended),
            writes: false,
            value,
        });
    }
    for operations in keys.values_mut() {
        operations.sort_by_key(|operation| operation.began);
    }
    keys
}

/// Searches for an order. When the budget does not suffice, nothing is claimed.
fn is_linearizable(operations: &[Operation]) -> bool {
    let must: usize = operations.iter().filter(|it| it.ended.is_some()).count();
    let mut search = Search {
        operations,
        done: vec![false; operations.len()],
        tried: HashSet::new(),
    };
    search.from(0, must) || search.tried.len() >= BUDGET
}

struct Search<'a> {
    operations: &'a [Operation],
    done: Vec<bool>,
    /// States that lead nowhere: what was done, and the value then.
    tried: HashSet<(Vec<bool>, usize)>,
}

impl Search<'_> {
    /// Whether the rest can be put in order, with the register holding `value` and `left`
    /// operations that have to take effect.
    fn from(&mut self, value: usize, left: usize) -> bool {
        if left == 0 {
            return true;
        }
        if self.tried.len() >= BUDGET || !self.tried.insert((self.done.clone(), value)) {
            return false;
        }
        // Nothing can come before an operation that had ended when it began.
        let open = self.operations.iter().zip(&self.done);
        let ends = open
            .filter(|(_, done)| !**done)
            .filter_map(|(it, _)| it.ended);
        let first_end = ends.min().unwrap_or(Duration::MAX);
        for index in 0..self.operations.len() {
            let operation = self.operations[index];
            if operation.began > first_end {
                break; // They are sorted by their begin.
            }
            if self.done[index] || (!operation.writes && operation.value != value) {
                continue;
            }
            let next = if operation.writes {
                operation.value
            } else {
                value
            };
            self.done[index] = true;
            if self.from(next, left - usize::from(operation.ended.is_some())) {
                return true;
            }
            self.done[index] = false;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{super::example::*, *};

    fn broken(puts: Vec<super::super::Put>, reads: Vec<super::super::Read>) -> usize {
        check(&history(puts, reads)).len()
    }

    #[test]
    fn operations_one_after_the_other_are_fine() {
        let puts = vec![
            put("a", "1", (0, 10), Some(2)),
            put("a", "2", (20, 30), Some(3)),
        ];
        let reads = vec![
            read("a", (12, 15), 2, Some(("1", 2))),
            read("a", (40, 45), 3, Some(("2", 3))),
            read("b", (40, 45), 3, None),
        ];
        assert_eq!(broken(puts, reads), 0);
    }

    #[test]
    fn a_read_of_what_was_overwritten_before_it_began_is_a_violation() {
        let puts = vec![
            put("a", "1", (0, 10), Some(2)),
            put("a", "2", (20, 30), Some(3)),
        ];
        let stale = vec![read("a", (40, 45), 3, Some(("1", 2)))];
        assert_eq!(broken(puts, stale), 1);
    }

    #[test]
    fn a_read_during_a_write_may_see_either_but_never_first_the_new_and_then_the_old() {
        let puts = || {
            vec![
                put("a", "1", (0, 10), Some(2)),
                put("a", "2", (20, 100), Some(3)),
            ]
        };
        let old = read("a", (40, 45), 2, Some(("1", 2)));
        let new = |times| read("a", times, 3, Some(("2", 3)));
        assert_eq!(broken(puts(), vec![old.clone(), new((50, 55))]), 0);
        assert_eq!(broken(puts(), vec![new((30, 35)), old]), 1);
    }

    #[test]
    fn a_write_without_an_answer_may_take_effect_late_or_never_but_only_once() {
        let puts = || {
            vec![
                put("a", "1", (0, 10), Some(2)),
                put("a", "2", (20, 30), None),
                put("a", "3", (300, 310), Some(4)),
            ]
        };
        let saw = |value, times| read("a", times, 9, Some((value, 2)));
        let late = vec![
            saw("1", (100, 105)),
            saw("2", (200, 205)),
            saw("3", (400, 405)),
        ];
        assert_eq!(broken(puts(), late), 0);
        assert_eq!(broken(puts(), vec![saw("3", (400, 405))]), 0);
        let twice = vec![
            saw("2", (200, 205)),
            saw("3", (400, 405)),
            saw("2", (500, 505)),
        ];
        assert_eq!(broken(puts(), twice), 1);
    }

    #[test]
    fn an_acknowledged_write_that_vanishes_is_a_violation() {
        let puts = vec![put("a", "1", (0, 10), Some(2))];
        assert_eq!(broken(puts, vec![read("a", (20, 25), 2, None)]), 1);
    }

    #[test]
    fn a_value_from_nowhere_is_a_violation() {
        assert_eq!(
            broken(vec![], vec![read("a", (20, 25), 2, Some(("x", 2)))]),
            1
        );
    }
}
