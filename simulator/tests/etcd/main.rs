//! Two arms for etcd: the same scripts against the simulation and against real etcd.
//!
//! A case is a file in `cases/`: one request or act a line. What real etcd answered is kept in
//! `recorded/VERSION/`, so that the simulation is compared with it everywhere. Where real etcd is
//! present and asked for, the recordings are compared with it too:
//!
//! ```console
//! $ REAL=1 ETCD_BIN=etcd-3.5 ETCD_BIN_3_6=etcd-3.6 cargo test -p simulator --test etcd
//! $ RECORD=1 ETCD_BIN=etcd-3.5 ETCD_BIN_3_6=etcd-3.6 cargo test -p simulator --test etcd real
//! ```
//!
//! The second line refreshes the recordings. Commit them only if you understand the difference.
//! `CASE=name` runs the cases whose name contains it.

mod answer;
mod arm;
mod grpc;
mod lies;
mod play;
mod random;
mod real;
mod simulated;
#[path = "../two_arms/mod.rs"]
mod two_arms;

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    thread,
};

use two_arms::recording::{Case, cases, held, hold_real, recorded, recorded_versions, settle};

/// Where cases and recordings are.
pub(crate) const FOLDER: &str = "tests/etcd";

/// Cases that run at the same time on real etcd. They mostly wait.
const AT_ONCE: usize = 6;

#[test]
fn the_simulation_answers_as_real_etcd_did() {
    let mut failures = Vec::new();
    let mut compared = 0;
    for version in recorded_versions() {
        for case in cases() {
            let Some(expected) = recorded(&version, &case) else {
                println!("{} {version}: simulated arm only", case.name);
                simulated::play(&version, &case.script);
                continue;
            };
            let answers = simulated::play(&version, &case.script);
            compared += 1;
            failures.extend(held(&version, &case, &expected, &answers, "simulated"));
        }
    }
    println!("{compared} cases compared with recordings");
    settle(&failures);
}

#[test]
fn real_etcd_answers_as_it_was_recorded() {
    let mut failures = Vec::new();
    for binary in real::binaries() {
        let version = binary.version.clone();
        let results = on_threads(cases(), |case| (real::play(&binary, &case.script), case));
        for (answers, case) in results {
            failures.extend(hold_real(&version, &case, &answers));
        }
    }
    if real::binaries().is_empty() {
        println!("simulated arm only: REAL=1 with ETCD_BIN and ETCD_BIN_3_6 asks real etcd");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Cases whose members keep their processes, since what a simulated one stores ends with its own,
/// and which do not depend on time: a busy machine is not always in time.
const ON_TCP: &[&str] = &["keys", "refusals", "learner"];

#[test]
fn members_that_listen_on_tcp_answer_as_real_etcd_did() {
    let mut failures = Vec::new();
    let chosen = cases()
        .into_iter()
        .filter(|it| ON_TCP.contains(&it.name.as_str()));
    let chosen: Vec<Case> = chosen.collect();
    for version in recorded_versions() {
        let binary = real::Binary::simulated(&version);
        let results = on_threads(chosen.clone(), |case| {
            (real::play(&binary, &case.script), case)
        });
        for (answers, case) in results {
            let expected = recorded(&version, &case).expect("it was recorded");
            failures.extend(held(&version, &case, &expected, &answers, "simulated"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs something for every case, several at a time.
fn on_threads<T: Send>(cases: Vec<Case>, work: impl Fn(Case) -> T + Sync) -> Vec<T> {
    let waiting = Mutex::new(VecDeque::from(cases));
    let done = Mutex::new(Vec::new());
    let lock = |what: &Mutex<VecDeque<Case>>| {
        what.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = lock(&waiting) {
                    let result = work(case);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}
