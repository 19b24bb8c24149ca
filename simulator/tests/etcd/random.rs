//! Random scripts about etcd: what is asked, and what happens to members meanwhile.
//!
//! Owns: the vocabulary of random scripts.
//! Deliberately does not know: how scripts are played, compared and shrunk.

use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    real, simulated,
    two_arms::random::{self, Arms},
};

/// Compares with every real etcd that is asked for; with none, the newest version with itself.
fn compare(kind: &str, scripts: impl Strategy<Value = Vec<String>>, begin: &[&str]) {
    let binaries = real::binaries();
    let mut arms: Vec<Arms<'_>> = binaries
        .iter()
        .map(|binary| Arms {
            version: binary.version.clone(),
            real: Some(Box::new(move |script| real::play(binary, script))),
            simulated: Box::new(|script| simulated::play(&binary.version, script)),
        })
        .collect();
    if arms.is_empty() {
        arms.push(Arms {
            version: "3.6.16".to_owned(),
            real: None,
            simulated: Box::new(|script| simulated::play("3.6.16", script)),
        });
    }
    random::compare(kind, scripts, begin, &arms);
}

fn line(parts: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    parts.prop_map(|words| words.join(" ")).boxed()
}

fn word(of: &'static [&'static str]) -> BoxedStrategy<String> {
    select(of).prop_map(str::to_owned).boxed()
}

const KEYS: &[&str] = &["a", "b", "c"];
const VALUES: &[&str] = &["1", "2", "33"];
const REVISIONS: &[&str] = &["1", "2", "3", "5", "8", "13"];
const LEASES: &[&str] = &["5", "7"];

fn about_keys() -> impl Strategy<Value = Vec<String>> {
    let request = prop_oneof![
        4 => line(vec![word(&["put"]), word(KEYS), word(VALUES)]),
        1 => line(vec![word(&["put"]), word(KEYS), word(VALUES), word(&["prev", "lease=5", "lease=7"])]),
        2 => line(vec![word(&["get", "stale-get"]), word(&["a", "b", "*"])]),
        2 => line(vec![word(&["get"]), word(&["a", "b", "*"]), word(&["count", "keys", "limit=1"])]),
        2 => line(vec![word(&["get"]), word(&["a", "*"]), word(REVISIONS).prop_map(|at| format!("revision={at}")).boxed()]),
        2 => line(vec![word(&["delete"]), word(&["a", "b", "c", "*"])]),
        3 => line(vec![
            word(&["txn if"]),
            word(&["value(a)=1", "version(b)>1", "create(c)=0", "mod(a)<5", "lease(a)=5", "value(c)!2"]),
            word(&["then"]),
            word(&["put:a:9", "put:a:1,get:a", "delete:b,get:b", "put:b:1,put:b:2", "get:c", "-"]),
            word(&["else"]),
            word(&["put:c:7", "delete:a", "get:a,put:a:5", "-"]),
        ]),
        1 => line(vec![word(&["compact"]), word(REVISIONS)]),
        1 => line(vec![word(&["grant"]), word(LEASES), word(&["100", "500"])]),
        1 => line(vec![word(&["revoke", "ttl"]), word(LEASES)]),
        1 => word(&["leases", "alarms", "defrag", "snapshot", "hashkv 0", "disarm m0", "raise NOSPACE m0"]),
        1 => line(vec![word(&["watch *"]), word(REVISIONS), word(&["0"])]),
    ];
    vec(request.prop_map(|line| format!("{line} via m0")), 1..60)
}

/// What members can be asked about each other. What a member says about itself that depends on
/// whether it leads is left out.
fn about_members() -> impl Strategy<Value = Vec<String>> {
    const MEMBERS: &[&str] = &["m0", "m1", "m2"];
    let request = prop_oneof![
        2 => line(vec![word(&["add"]), word(&["m3", "m4"]), word(&["learner", ""])]),
        1 => line(vec![word(&["remove", "promote"]), word(&["m3", "m4", "m2"])]),
        1 => line(vec![word(&["update"]), word(&["m3", "m2"]), word(&["m5", "m0"])]),
        2 => word(&["list", "stale-list"]),
        1 => line(vec![word(&["put"]), word(KEYS), word(VALUES)]),
        1 => line(vec![word(&["get"]), word(KEYS)]),
        1 => line(vec![word(&["grant"]), word(LEASES), word(&["100", "500"])]),
        1 => word(&["alarms", "leases", "raise NOSPACE m1", "disarm m1", "move m4", "hashkv 0"]),
    ];
    let asked = (request, select(MEMBERS)).prop_map(|(line, via)| format!("{line} via {via}"));
    let act = prop_oneof![
        2 => Just("wait 6s".to_owned()),
        1 => word(&["kill m2", "restart m2"]),
        1 => word(&["pause m1\nwait 4s\nresume m1\nwait 2s"]),
    ];
    vec(prop_oneof![4 => asked, 1 => act], 1..14).prop_map(settled)
}

/// Learners that join, fail to, are promoted, removed, restarted and lose their data, beside one
/// voter that all can rely on.
fn about_learners() -> impl Strategy<Value = Vec<String>> {
    let request = prop_oneof![
        3 => line(vec![word(&["add"]), word(&["m1", "m2"]), word(&["learner"]), word(&["via m0"])]),
        3 => line(vec![word(&["remove", "promote"]), word(&["m1", "m2"]), word(&["via m0"])]),
        2 => word(&["list via m0", "put a 1 via m0", "get a via m0"]),
        2 => word(&["boot m1 existing m0 m1\nwait 2s", "boot m1 existing m0 m1 m2\nwait 2s"]),
        1 => word(&["boot m1 new m0 m1\nwait 2s", "boot m1 existing m0\nwait 2s"]),
        1 => word(&["kill m1\nwait 2s", "kill m1\nwipe m1\nwait 2s"]),
        2 => word(&["stale-get a via m1", "list via m1", "put b 1 via m1", "status via m1"]),
        1 => word(&["page m1 /health", "page m1 /readyz", "page m1 /livez"]),
    ];
    vec(request, 1..10).prop_map(one_process_each)
}

/// Starts a member only when it does not run, and stops it only when it may. One that has ended by
/// itself is not known here, so its end is asked for before it is started again.
fn one_process_each(lines: Vec<String>) -> Vec<String> {
    let mut script = Vec::new();
    let mut runs = false;
    for line in lines.iter().flat_map(|line| line.split('\n')) {
        let verb = line.split(' ').next().unwrap_or_default();
        match verb {
            "boot" if runs => script.extend(["kill m1".to_owned(), "wait 2s".to_owned()]),
            "boot" => runs = true,
            "kill" if !runs => continue,
            "kill" => runs = false,
            "wipe" if runs => continue,
            _ => {}
        }
        script.push(line.to_owned());
    }
    script
}

/// Gives the cluster time to notice what happened to a member, and lets a member start only after
/// it has ended.
fn settled(lines: Vec<String>) -> Vec<String> {
    let mut script = Vec::new();
    let mut down = false;
    for line in lines.iter().flat_map(|line| line.split('\n')) {
        match line {
            "kill m2" if !down => down = true,
            "restart m2" if down => down = false,
            "kill m2" | "restart m2" => continue,
            // What it is told depends on whether it leads.
            "remove m2 via m2" => continue,
            _ => {
                script.push(line.replace("  ", " "));
                continue;
            }
        }
        script.extend([line.to_owned(), "wait 4s".to_owned()]);
    }
    script
}

#[test]
fn random_requests_about_keys_are_answered_alike() {
    compare("keys", about_keys(), &["new m0"]);
}

#[test]
fn random_changes_of_members_are_answered_alike() {
    compare("members", about_members(), &["new m0 m1 m2", "wait 6s"]);
}

#[test]
fn random_lives_of_learners_are_told_alike() {
    compare("learners", about_learners(), &["new m0"]);
}
