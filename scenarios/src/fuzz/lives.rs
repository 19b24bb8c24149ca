//! Damage that heals itself.
//!
//! Owns: comparing how often objects came and went with a run in which nothing went wrong.
//! Always holds: names that are made up anew in each run are held to be the same.
//! Deliberately does not know: what went wrong, and whether it excuses anything.
//!
//! Source: Sieve (OSDI 2022): 17 of its 46 bugs left the right end state, and were seen only by the
//! number of creations and deletions.

use std::collections::BTreeMap;

use simulator::kubernetes::api::Lives;

/// What an operator looks after. Endpoints and leases come and go with whoever is there.
const KINDS: [&str; 6] = [
    "configmaps",
    "persistentvolumeclaims",
    "poddisruptionbudgets.policy",
    "pods",
    "services",
    "statefulsets.apps",
];

/// Each object that was created or deleted more often than in the calm run.
#[must_use]
pub fn more_than_in_calm(
    calm: &BTreeMap<String, Lives>,
    now: &BTreeMap<String, Lives>,
) -> Vec<String> {
    let (calm, now) = (plain(calm), plain(now));
    let mut more = Vec::new();
    for (object, lives) in now {
        let usual = calm.get(&object).copied().unwrap_or_default();
        let counts = [
            ("created", lives.created, usual.created),
            ("deleted", lives.deleted, usual.deleted),
        ];
        for (what, times, usual) in counts {
            if times > usual {
                more.push(format!("{object} {what} {times} times instead of {usual}"));
            }
        }
    }
    more
}

fn plain(lives: &BTreeMap<String, Lives>) -> BTreeMap<String, Lives> {
    let mut plain: BTreeMap<String, Lives> = BTreeMap::new();
    for (object, lives) in lives {
        let (kind, name) = object.split_once(' ').unwrap_or_default();
        if KINDS.contains(&kind) {
            let sum = plain
                .entry(format!("{kind} {}", without_ids(name)))
                .or_default();
            sum.created += lives.created;
            sum.deleted += lives.deleted;
        }
    }
    plain
}

/// `data-25d1ea5d-demo-3` is called `data-#-demo-3`: the number is that of the cluster.
fn without_ids(name: &str) -> String {
    let is_id = |word: &str| word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = name
        .split('-')
        .map(|word| if is_id(word) { "#" } else { word });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(of: &[(&str, u64, u64)]) -> BTreeMap<String, Lives> {
        let lives = of.iter().map(|(object, created, deleted)| {
            let (created, deleted) = (*created, *deleted);
            ((*object).to_owned(), Lives { created, deleted })
        });
        lives.collect()
    }

    #[test]
    fn an_object_that_came_and_went_once_more_is_told() {
        let calm = lives(&[("pods default/demo-1", 1, 0), ("pods default/demo-2", 1, 1)]);
        let now = lives(&[("pods default/demo-1", 2, 1), ("pods default/demo-2", 1, 1)]);
        let told = [
            "pods default/demo-1 created 2 times instead of 1",
            "pods default/demo-1 deleted 1 times instead of 0",
        ];
        assert_eq!(more_than_in_calm(&calm, &now), told);
        assert_eq!(more_than_in_calm(&calm, &calm), Vec::<String>::new());
        assert_eq!(more_than_in_calm(&now, &calm), Vec::<String>::new());
    }

    #[test]
    fn names_with_another_id_are_the_same_and_leases_do_not_count() {
        let claim = |id: &str| format!("persistentvolumeclaims default/data-{id}-demo-3");
        let calm = lives(&[(&claim("25d1ea5d"), 1, 1)]);
        let now = lives(&[
            (&claim("0123abcd"), 1, 1),
            ("leases.coordination.k8s.io default/x", 5, 5),
        ]);
        assert_eq!(more_than_in_calm(&calm, &now), Vec::<String>::new());
    }
}
