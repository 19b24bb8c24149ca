//! Scenarios to measure with.
//!
//! Owns: their texts, and running one to its end.
//! Always holds: a run that does not pass ends the benchmark: what failed early was not fast.

use scenarios::{
    scenario::{Scenario, parse},
    sim,
    worlds::{Effort, Request},
};

/// A cluster that is made and then left alone for `lasting`, a span such as `10m`.
///
/// # Panics
/// When that is no span.
#[must_use]
pub fn calm(size: u32, lasting: &str) -> Scenario {
    let member = if size == 1 { "member" } else { "members" };
    let text = format!(
        "cluster demo: size {size}, version 3.5.21, volumes deleted with it\n\n\
         step \"create\"\n  create the cluster\n  expect {size} {member} within 90s\n\n\
         step \"calm\"\n  wait {lasting}\n\n\
         finally\n  expect no invariant was violated\n"
    );
    parse(&text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// The walk through five sizes under traffic.
///
/// # Panics
/// Never: the file is part of the repository.
#[must_use]
pub fn walk() -> Scenario {
    parse(include_str!(
        "../../scenarios/files/walk-1-3-5-3-1.scenario"
    ))
    .expect("it parses")
}

/// Runs a scenario, and tells what it took.
///
/// # Panics
/// When it does not pass.
pub fn pass(scenario: &Scenario, seed: u64) -> Effort {
    let request = Request {
        scenario: scenario.clone(),
        seed,
        keep_trace: false,
        planted: None,
        soak: None,
    };
    let ran = sim::run(&request, &mut |_| {}).unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(ran.outcome.reason, None);
    ran.effort.expect("a simulation counts what it takes")
}
