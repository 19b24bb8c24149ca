//! What things cost, in counts: nothing here looks at a clock on the wall, so that a slow machine
//! fails no test, and a change that makes everything dearer does.
//!
//! The bounds are what was counted, and a quarter more. When one is broken for a good reason, count
//! again and write the new number down; the tests print what they count.

use std::collections::BTreeMap;

use scenarios::{
    runner::Event,
    scenario::parse,
    sim,
    world::Calls,
    worlds::{Effort, Request},
};

/// What a run has taken, and what the operator has asked in each of its steps.
fn run(text: &str) -> (Effort, Vec<Calls>) {
    simulator::determinism::prepare_process().expect("nothing drew keys before");
    let request = Request {
        scenario: parse(text).expect("a scenario"),
        seed: 1,
        keep_trace: false,
        planted: None,
        soak: None,
    };
    let mut steps = Vec::new();
    let mut tell = |event| {
        if let Event::Ended(step) = event {
            steps.push(step.calls.expect("the simulated world counts calls"));
        }
    };
    let ran = sim::run(&request, &mut tell).expect("the simulation starts");
    assert_eq!(ran.outcome.reason, None);
    (ran.effort.expect("a simulation counts"), steps)
}

fn sum(calls: &BTreeMap<String, u64>) -> u64 {
    calls.values().sum()
}

#[track_caller]
fn at_most(what: &str, counted: u64, bound: u64) {
    println!("{what}: {counted} of at most {bound}");
    assert!(counted <= bound, "{what}: {counted}, more than {bound}");
}

const CALM: &str = "\
cluster demo: size 3, version 3.5.21, volumes deleted with it

step \"create\"
  create the cluster
  expect 3 members within 60s

step \"calm\"
  wait 20m

finally
  expect no invariant was violated
";

#[test]
fn twenty_calm_minutes_cost_little() {
    let (effort, steps) = run(CALM);
    let [_, calm] = &steps[..] else {
        panic!("two steps, not {}", steps.len());
    };
    assert_eq!(calm.writes(), 0, "a calm cluster needs nothing: {calm:?}");
    at_most(
        "requests to the API server in 20 minutes",
        sum(&calm.kubernetes),
        35,
    );
    at_most("calls to etcd in 20 minutes", sum(&calm.etcd), 930);
    at_most("packets", effort.packets, 37_500);
    at_most("polls", effort.polls, 106_000);
}

const WALK: &str = include_str!("../files/walk-1-3-5-3-1.scenario");

#[test]
fn the_walk_takes_no_more_calls_than_it_needs() {
    let (effort, steps) = run(WALK);
    let writes = steps.iter().map(Calls::writes).sum();
    let requests = steps.iter().map(|calls| sum(&calls.kubernetes)).sum();
    let etcd = steps.iter().map(|calls| sum(&calls.etcd)).sum();
    at_most("requests to the API server", requests, 145);
    at_most("writes", writes, 180);
    at_most("calls to etcd", etcd, 980);
    at_most("packets", effort.packets, 44_000);
    at_most("polls", effort.polls, 138_000);
}
