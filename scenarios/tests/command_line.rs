//! The program as its user sees it: output and exit codes of commands that need no world.

use std::process::{Command, Output};

fn scenarios(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_scenarios");
    Command::new(program)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn list_tells_the_story_of_each_scenario() {
    let output = scenarios(&["list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(
        text.contains("walk-1-3-5-3-1\n    The walk that every operator"),
        "{text}"
    );
    assert!(text.contains("steps: create, grow to 3"), "{text}");
}

#[test]
fn list_can_be_read_by_machines() {
    let document: serde_json::Value =
        serde_json::from_slice(&scenarios(&["list", "--json"]).stdout).expect("one document");
    let scenarios = document["scenarios"].as_array().expect("a list");
    assert!(scenarios.iter().any(|it| it["name"] == "walk-1-3-5-3-1"));
}

#[test]
fn a_scenario_with_a_typo_is_refused_with_its_line_and_what_is_allowed() {
    let file = tempfile::Builder::new()
        .suffix(".scenario")
        .tempfile()
        .expect("a file");
    let text = "cluster demo: size 1, version 3.5.21\nstep \"create\"\n  craete the cluster\n";
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_string_lossy().into_owned();
    let output = scenarios(&["run", &path]);
    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    assert!(text.contains(&format!("--> {path}:3:3")), "{text}");
    assert!(text.contains("did you mean `create`?"), "{text}");
    assert!(text.contains("create the cluster"), "{text}");
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    let output = scenarios(&["run", "walk-1-3-5"]);
    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    assert!(text.contains("did you mean `walk-1-3-5-3-1`?"), "{text}");
}

#[test]
fn an_unknown_option_is_bad_input_and_help_is_not() {
    assert_eq!(scenarios(&["run", "--sed", "1"]).status.code(), Some(64));
    let help = scenarios(&["run", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(
        stdout(&help).contains("nondeterminism"),
        "the exit codes are told"
    );
}

#[test]
fn an_etcd_program_is_refused_in_the_simulated_world() {
    let output = scenarios(&["run", "walk-1-3-5-3-1", "--etcd", "/bin/etcd"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        stderr(&output).contains("say --etcd-version"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_option_of_a_real_cluster_is_refused_elsewhere() {
    let output = scenarios(&["run", "walk-1-3-5-3-1", "--namespace", "demo"]);
    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    assert!(text.contains("--namespace is for `--world kube`"), "{text}");
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    let output = scenarios(&[
        "run",
        "walk-1-3-5-3-1",
        "--world",
        "kube",
        "--kubeconfig",
        "/no/such/config",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert!(text.contains("failed to find a cluster"), "{text}");
    assert!(text.contains("/no/such/config"), "{text}");
}

#[test]
fn replay_refuses_what_holds_no_run() {
    let output = scenarios(&["replay", "nothing to see"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        stderr(&output).contains("nothing to replay"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn language_names_every_sentence() {
    let text = stdout(&scenarios(&["language"]));
    assert!(
        text.contains("expect SIZE members within DURATION"),
        "{text}"
    );
    assert!(text.contains("step \"TITLE\""), "{text}");
}
