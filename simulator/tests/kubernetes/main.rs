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

use two_arms::recording::{self, cases, difference, recorded, recorded_versions};

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
            if let Some(text) = difference(&case, &expected, &answers, "simulated") {
                failures.push(format!("{} {version}\n{text}", case.name));
            }
        }
    }
    println!("{compared} cases with {lines} requests compared with recordings");
    for (case, reason) in recording::kept_differences() {
        println!("kept difference in {case}: {reason}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
        if std::env::var_os("RECORD").is_some() {
            recording::record(&version, &case, &answers);
            continue;
        }
        match recorded(&version, &case) {
            None => failures.push(format!("{} {version} was never recorded", case.name)),
            Some(expected) => failures.extend(
                difference(&case, &expected, &answers, "real")
                    .map(|text| format!("{} {version}\n{text}", case.name)),
            ),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
