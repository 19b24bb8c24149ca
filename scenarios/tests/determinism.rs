//! The same seed gives the same trace in two processes, and no two seeds give the same one.
//!
//! CI runs this first: while it fails, no failing seed can be debugged.

use std::process::Command;

#[test]
fn twenty_seeds_give_twenty_traces_and_each_of_them_twice() {
    let check = Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .args(["check-determinism", "--seeds", "20"])
        .output()
        .expect("the program starts");
    assert!(
        check.status.success(),
        "{}{}",
        String::from_utf8_lossy(&check.stdout),
        String::from_utf8_lossy(&check.stderr)
    );
}
