//! Stock `etcdctl` against `simulator serve --etcd`, side by side with real etcd.
//!
//! `session.txt` is what a person types. What etcdctl printed on real etcd is kept in `recorded/`,
//! by the versions of both. Where an etcdctl is, its session on simulated members is compared with
//! that, line by line; where real etcd is asked for too, the recordings are compared with it:
//!
//! ```console
//! $ ETCDCTL_BIN=etcdctl-3.5 ETCDCTL_BIN_3_6=etcdctl-3.6 cargo test -p simulator --test etcdctl
//! $ RECORD=1 ETCDCTL_BIN=... ETCDCTL_BIN_3_6=... ETCD_BIN=... ETCD_BIN_3_6=... \
//!       cargo test -p simulator --test etcdctl
//! ```
//!
//! The second refreshes the recordings. Without an etcdctl nothing is compared here; `--test etcd`
//! makes the same calls on members that listen on TCP, and needs no program.

mod arms;
mod plain;
mod session;

use std::{env, fs, path::PathBuf, process::Command};

use arms::{Arm, Real, Served};

const SESSION: &str = include_str!("session.txt");

/// A program and its version.
#[derive(Clone)]
struct Program {
    path: PathBuf,
    version: String,
}

/// The programs that these variables name.
fn programs(variables: &[&str], ask: &str, prefix: &str) -> Vec<Program> {
    let named = variables.iter().filter_map(env::var_os);
    named
        .map(|path| {
            let output = Command::new(&path).arg(ask).output();
            let output = output.unwrap_or_else(|error| panic!("{path:?} does not run: {error}"));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let version = text.lines().find_map(|line| line.strip_prefix(prefix));
            Program {
                path: path.into(),
                version: version.expect("it tells its version").to_owned(),
            }
        })
        .collect()
}

fn clients() -> Vec<Program> {
    let found = programs(
        &["ETCDCTL_BIN", "ETCDCTL_BIN_3_6"],
        "version",
        "etcdctl version: ",
    );
    if found.is_empty() {
        println!("skipped: ETCDCTL_BIN and ETCDCTL_BIN_3_6 name no etcdctl");
    }
    found
}

fn script() -> Vec<String> {
    let lines = SESSION.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn recording(client: &str, server: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/etcdctl/recorded")
        .join(format!("{client}-on-{server}.txt"))
}

/// The lines that two transcripts do not share, with the command that they belong to.
fn difference(expected: &str, found: &str) -> Option<String> {
    let split =
        |text: &str| -> Vec<String> { text.split("$ ").skip(1).map(str::to_owned).collect() };
    let (expected, found) = (split(expected), split(found));
    let mut text = String::new();
    for index in 0..expected.len().max(found.len()) {
        let one = expected.get(index).map_or("", String::as_str);
        let other = found.get(index).map_or("", String::as_str);
        if one != other {
            text.push_str(&format!("--- recorded\n$ {one}+++ here\n$ {other}"));
        }
    }
    (!text.is_empty()).then_some(text)
}

fn compare(client: &Program, server: &str, arm: &mut dyn Arm, differences: &mut Vec<String>) {
    let found = session::play(arm, &client.path, &script());
    let path = recording(&client.version, server);
    let about = format!("etcdctl {} on {} etcd {server}", client.version, arm.name());
    let Ok(expected) = fs::read_to_string(&path) else {
        println!("{about}: simulated arm only");
        return;
    };
    println!("{about}: {} commands compared", script().len());
    let text = difference(&expected, &found).map(|text| format!("{about}\n{text}"));
    differences.extend(text);
}

#[test]
fn etcdctl_prints_the_same_on_simulated_members_as_it_did_on_real_ones() {
    let mut differences = Vec::new();
    for client in clients() {
        for server in ["3.5.21", "3.6.16"] {
            let mut arm = Served::start(server);
            compare(&client, server, &mut arm, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn etcdctl_prints_on_real_etcd_what_was_recorded() {
    let records = env::var_os("RECORD").is_some();
    if !records && env::var_os("REAL").is_none() {
        println!("simulated arm only: REAL=1 with ETCD_BIN and ETCD_BIN_3_6 asks real etcd");
        return;
    }
    let servers = programs(&["ETCD_BIN", "ETCD_BIN_3_6"], "--version", "etcd Version: ");
    let mut differences = Vec::new();
    for client in clients() {
        for server in &servers {
            let mut arm = Real::start(&server.path);
            if records {
                let found = session::play(&mut arm, &client.path, &script());
                let path = recording(&client.version, &server.version);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, found).expect("written");
            } else {
                compare(&client, &server.version, &mut arm, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_difference_is_shown_with_its_command() {
    let recorded = "$ get a\na\n1\n$ del a\n1\n";
    assert_eq!(difference(recorded, recorded), None);
    let text = difference(recorded, "$ get a\na\n2\n$ del a\n1\n").unwrap();
    assert!(text.contains("get a") && !text.contains("del a"), "{text}");
}
