//! Two arms for Kubernetes: the same requests to the simulated API server and to a real one.
//!
//! A case is a file in `cases/`: one request a line. What a real API server answered is kept in
//! `recorded/VERSION/`, so that the simulation is compared with it everywhere. Where a real one is
//! asked for, the recordings are compared with it too, and random scripts are played on both:
//!
//! ```console
//! $ REAL=1 KUBEBUILDER_ASSETS=folder cargo test -p simulator --test kubernetes  # SCRIPTS=50 SEED=7
//! $ RECORD=1 KUBEBUILDER_ASSETS=folder cargo test -p simulator --test kubernetes recorded
//! ```
//!
//! The folder has `kube-apiserver` and `etcd`, as `setup-envtest` makes it; they run on loopback
//! and end with the test. The second line refreshes the recordings. Commit them only if you
//! understand the difference. `CASE=name` runs the cases whose name contains it.
//!
//! No controllers run in either arm: what is compared is the API server alone.

mod bare;
mod lies;
mod plain;
mod play;
mod random;
mod real;
mod simulated;
#[path = "../two_arms/mod.rs"]
mod two_arms;

use two_arms::recording::{cases, held, hold_real, recorded, recorded_versions, settle};

/// Where cases and recordings are.
pub(crate) const FOLDER: &str = "tests/kubernetes";

#[test]
fn the_simulation_answers_as_the_real_server_was_recorded() {
    let mut failures = Vec::new();
    let (mut compared, mut lines) = (0, 0);
    for version in recorded_versions() {
        for case in cases() {
            let answers = simulated::play(&case.script);
            let Some(expected) = recorded(&version, &case) else {
                println!("{} {version}: simulated arm only", case.name);
                continue;
            };
            compared += 1;
            lines += case.script.len();
            failures.extend(held(&version, &case, &expected, &answers, "simulated"));
        }
    }
    println!("{compared} cases with {lines} requests compared with recordings");
    settle(&failures);
}

#[test]
fn the_real_server_answers_as_it_was_recorded() {
    let Some(server) = real::Server::asked_for() else {
        println!("simulated arm only: REAL=1 with KUBEBUILDER_ASSETS asks a real API server");
        return;
    };
    let version = server.version().to_owned();
    let mut failures = Vec::new();
    for case in cases() {
        let answers = server.play(&case.script);
        failures.extend(hold_real(&version, &case, &answers));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
