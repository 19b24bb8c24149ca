//! The same seed gives the same trace in two processes, and no two seeds give the same one.
//!
//! CI runs this first: while it fails, no failing seed can be debugged.

use std::process::Command;

use chaos::fault::Fault;
use scenarios::{
    library,
    scenario::{Action, Instruction},
};

fn check(arguments: &[&str]) {
    let check = Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .arg("check-determinism")
        .args(arguments)
        .output()
        .expect("the program starts");
    assert!(
        check.status.success(),
        "{}{}",
        String::from_utf8_lossy(&check.stdout),
        String::from_utf8_lossy(&check.stderr)
    );
}

#[test]
fn twenty_seeds_give_twenty_traces_and_each_of_them_twice() {
    check(&["--seeds", "20"]);
}

#[test]
fn the_same_holds_with_every_kind_of_fault() {
    let entry = library::find("every-fault").expect("a scenario");
    let told = entry.scenario.steps.iter().flat_map(|it| &it.instructions);
    let kinds: Vec<String> = told
        .filter_map(|it| match it {
            Instruction::Do(Action::Strike(strike)) => Some(strike.fault.kind()),
            _ => None,
        })
        .collect();
    for kind in Fault::kinds() {
        assert!(kinds.contains(&kind.kind()), "`{kind}` is not in the file");
    }
    check(&["every-fault", "--seeds", "2"]);
}
