//! Random scripts, played on both arms.
//!
//! Always holds: a script that the arms answer differently is shrunk to the shortest that still
//! does, and printed as a case. Without a real etcd the simulation is played twice and compared
//! with itself. `RANDOM=n` is how many scripts there are of each kind; `SEED=n` picks others.

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

use crate::{real, recording::transcript, simulated};

fn number(name: &str, default: u32) -> u32 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// Plays random scripts until two arms differ.
fn compare(kind: &str, scripts: impl Strategy<Value = Vec<String>>, begin: &[&str]) {
    let binaries = real::binaries();
    let cases = number("RANDOM", if binaries.is_empty() { 10 } else { 2 });
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("SEED", 1).to_le_bytes());
    let config = Config {
        cases,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&scripts, |lines| {
        let script: Vec<String> = begin
            .iter()
            .map(|line| (*line).to_owned())
            .chain(lines)
            .collect();
        if binaries.is_empty() {
            let version = "3.6.16";
            let one = simulated::play(version, &script);
            return same(version, &script, &one, &simulated::play(version, &script));
        }
        for binary in &binaries {
            let real = real::play(binary, &script);
            let simulated = simulated::play(&binary.version, &script);
            same(&binary.version, &script, &real, &simulated)?;
        }
        Ok(())
    });
    let arms = if binaries.is_empty() {
        "simulated arm only"
    } else {
        "two arms"
    };
    println!("{kind}: {cases} scripts, {arms}");
    if let Err(failure) = result {
        panic!("{kind}: {failure}");
    }
}

fn same(
    version: &str,
    script: &[String],
    real: &[String],
    simulated: &[String],
) -> Result<(), TestCaseError> {
    let different = (0..script.len()).find(|line| real[*line] != simulated[*line]);
    let Some(line) = different else { return Ok(()) };
    Err(TestCaseError::fail(format!(
        "on {version} at `{}`\n  real:      {}\n  simulated: {}\nscript with real answers:\n{}",
        script[line],
        real[line],
        simulated[line],
        transcript(script, real)
    )))
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

fn about_members() -> impl Strategy<Value = Vec<String>> {
    const MEMBERS: &[&str] = &["m0", "m1", "m2"];
    let request = prop_oneof![
        2 => line(vec![word(&["add"]), word(&["m3", "m4"]), word(&["learner", ""])]),
        1 => line(vec![word(&["remove", "promote"]), word(&["m3", "m4", "m2"])]),
        1 => line(vec![word(&["update"]), word(&["m3", "m2"]), word(&["m5", "m0"])]),
        2 => word(&["list", "stale-list"]),
        1 => line(vec![word(&["put"]), word(KEYS), word(VALUES)]),
        1 => line(vec![word(&["get"]), word(KEYS)]),
    ];
    let asked = (request, select(MEMBERS)).prop_map(|(line, via)| format!("{line} via {via}"));
    let act = prop_oneof![
        2 => Just("wait 6s".to_owned()),
        1 => line(vec![word(&["kill", "restart"]), word(&["m2"])]),
        1 => line(vec![word(&["pause m1\nwait 4s\nresume m1\nwait 2s"])]),
    ];
    vec(prop_oneof![4 => asked, 1 => act], 1..14).prop_map(settled)
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
