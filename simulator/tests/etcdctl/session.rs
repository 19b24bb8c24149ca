//! Playing a session of etcdctl.
//!
//! Owns: the language of `session.txt`. A line is what follows `etcdctl`, and in front of it may be
//! `@MEMBER` (ask this one only; `leader`, `follower`, `m3`), `eventually` (until it succeeds) and
//! `first N lines of` (it does not end by itself). `{id MEMBER}`, `{url MEMBER}`, `{peer MEMBER}`,
//! `{lease}` and `{folder}` stand for what they name. After ` <| ` come lines of input, with `|`
//! between them. `start m3` starts the member that was added, `wait 5s` waits, and `roles` finds
//! out again who leads.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    arms::Arm,
    plain::{Names, plain},
};

/// How long something may take that is waited for.
const SOON: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(200);
const LIST: [&str; 2] = ["member", "list"];

/// Plays a script and gives the transcript.
pub(crate) fn play(arm: &mut dyn Arm, etcdctl: &Path, script: &[String]) -> String {
    let mut session = Session {
        etcdctl,
        roles: BTreeMap::new(),
        known: BTreeMap::new(),
        lease: String::new(),
    };
    let ready = Instant::now();
    while !session.find_roles(arm) {
        assert!(
            ready.elapsed() < SOON,
            "no leader on {} members",
            arm.name()
        );
        sleep(AGAIN);
    }
    let mut transcript = String::new();
    for line in script {
        let answer = session.line(arm, line);
        transcript.push_str(&format!("$ {line}\n{answer}"));
    }
    transcript
}

struct Session<'a> {
    etcdctl: &'a Path,
    /// Role to name of the member.
    roles: BTreeMap<String, String>,
    /// Every text that has stood for a member, with its role.
    known: BTreeMap<String, String>,
    lease: String,
}

/// What a run of etcdctl gave.
struct Ran {
    text: String,
    ok: bool,
}

impl Session<'_> {
    fn line(&mut self, arm: &mut dyn Arm, line: &str) -> String {
        if line == "start m3" {
            arm.start_added();
            return String::new();
        }
        if let Some(time) = line.strip_prefix("wait ") {
            let seconds = time.trim_end_matches('s').parse().expect("seconds");
            sleep(Duration::from_secs(seconds));
            return String::new();
        }
        if line == "roles" {
            let began = Instant::now();
            while !self.find_roles(arm) {
                assert!(
                    began.elapsed() < SOON,
                    "no leader on {} members",
                    arm.name()
                );
                sleep(AGAIN);
            }
            return String::new();
        }
        let (line, input) = line.split_once(" <| ").unwrap_or((line, ""));
        let (target, line) = match line.strip_prefix('@').and_then(|it| it.split_once(' ')) {
            Some((member, rest)) => (Some(member), rest),
            None => (None, line),
        };
        let began = Instant::now();
        loop {
            let (again, command) = match line.strip_prefix("eventually ") {
                Some(rest) => (true, rest),
                None => (false, line),
            };
            let ran = self.run(arm, target, command, input);
            if again && !ran.ok && began.elapsed() < SOON {
                sleep(AGAIN);
                continue;
            }
            if command.starts_with("member add") {
                self.learn_members(arm);
            }
            let mut names = Names::new(arm.folder());
            names.members = self.known.clone();
            self.remember_lease(&ran.text);
            return plain(&names, command, &ran.text);
        }
    }

    fn run(&self, arm: &dyn Arm, target: Option<&str>, command: &str, input: &str) -> Ran {
        let (count, command) = match command.strip_prefix("first ") {
            Some(rest) => {
                let (count, rest) = rest.split_once(" lines of ").expect("first N lines of");
                (Some(count.parse().expect("a number")), rest)
            }
            None => (None, command),
        };
        let endpoints = match target {
            Some(member) => self.url(arm, member),
            None => ["m0", "m1", "m2"].map(|it| self.url(arm, it)).join(","),
        };
        let words = self.words(arm, command);
        run(self.etcdctl, &endpoints, &words, input, count)
    }

    /// The words of a command, with what its braces stand for.
    fn words(&self, arm: &dyn Arm, text: &str) -> Vec<String> {
        let mut text = text.to_owned();
        while let Some((before, rest)) = text.split_once('{') {
            let (inside, after) = rest.split_once('}').expect("a brace is closed");
            let value = match inside.split_once(' ') {
                Some(("id", member)) => id_of(&self.known, member),
                Some(("url", member)) => self.url(arm, member),
                Some(("peer", member)) => self.url(arm, member).replace(":2379", ":2380"),
                None if inside == "lease" => self.lease.clone(),
                None if inside == "folder" => arm.folder().display().to_string(),
                _ => panic!("nothing is called {inside}"),
            };
            text = format!("{before}{value}{after}");
        }
        let word = |word: &str| {
            if word == "''" {
                String::new()
            } else {
                word.to_owned()
            }
        };
        text.split_whitespace().map(word).collect()
    }

    fn url(&self, arm: &dyn Arm, member: &str) -> String {
        let name = self.roles.get(member).map_or(member, String::as_str);
        format!("http://{}:2379", arm.addresses()[name])
    }

    fn remember_lease(&mut self, text: &str) {
        let granted = text
            .strip_prefix("lease ")
            .and_then(|it| it.split_once(" granted"));
        if let Some((id, _)) = granted {
            self.lease = id.to_owned();
        }
    }

    /// Learns which texts stand for which member at the moment.
    fn learn_members(&mut self, arm: &dyn Arm) {
        let role = |name: &str| {
            let role = self.roles.iter().find(|(_, member)| *member == name);
            role.map_or(name.to_owned(), |(role, _)| role.clone())
        };
        let mut known = BTreeMap::new();
        for (name, address) in arm.addresses() {
            known.insert(address.clone(), role(name));
            known.insert(name.clone(), role(name));
        }
        let list = run(
            self.etcdctl,
            &self.url(arm, "m0"),
            &LIST.map(str::to_owned),
            "",
            None,
        );
        for line in list.text.lines() {
            let fields: Vec<&str> = line.split(", ").collect();
            let [id, _, _, peer, ..] = fields.as_slice() else {
                continue;
            };
            let listed = arm.addresses().iter();
            let mut listed = listed.filter(|(_, address)| peer.contains(&format!("//{address}:")));
            let Some((name, _)) = listed.next() else {
                continue;
            };
            known.insert((*id).to_owned(), format!("id-of-{}", role(name)));
            if let Ok(number) = u64::from_str_radix(id, 16) {
                known.insert(number.to_string(), format!("number-of-{}", role(name)));
            }
        }
        self.known.extend(known);
    }

    /// Whether all three are healthy and one leads, and who that is.
    fn find_roles(&mut self, arm: &dyn Arm) -> bool {
        let endpoints = ["m0", "m1", "m2"].map(|it| format!("http://{}:2379", arm.addresses()[it]));
        let words = ["endpoint", "status", "-w", "json"].map(str::to_owned);
        let status = run(self.etcdctl, &endpoints.join(","), &words, "", None);
        let first = status.text.lines().find(|line| line.starts_with('['));
        let parsed: serde_json::Value =
            serde_json::from_str(first.unwrap_or("[]")).expect("etcdctl prints JSON");
        let all = parsed.as_array().cloned().unwrap_or_default();
        let leader = all.iter().find_map(|it| {
            let status = &it["Status"];
            let leads = status["leader"] == status["header"]["member_id"];
            (leads && status["leader"].is_u64())
                .then(|| it["Endpoint"].as_str().unwrap_or_default())
        });
        let Some(leader) = leader.filter(|_| all.len() == 3) else {
            return false;
        };
        self.roles.clear();
        let mut followers = ["follower", "follower2"].into_iter();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let role = if endpoint == leader {
                Some("leader")
            } else {
                followers.next()
            };
            let role = role.expect("three members").to_owned();
            self.roles.insert(role, format!("m{index}"));
        }
        self.learn_members(arm);
        true
    }
}

fn id_of(known: &BTreeMap<String, String>, member: &str) -> String {
    let wanted = format!("id-of-{member}");
    let found = known.iter().find(|(_, name)| **name == wanted);
    found.map_or("dead".to_owned(), |(id, _)| id.clone())
}

/// Runs etcdctl to its end, or until it has printed so many lines.
fn run(
    etcdctl: &Path,
    endpoints: &str,
    words: &[String],
    input: &str,
    count: Option<usize>,
) -> Ran {
    let mut child = Command::new(etcdctl)
        .args(words)
        .env_clear()
        .env("ETCDCTL_ENDPOINTS", endpoints)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("etcdctl starts");
    let mut to = child.stdin.take().expect("its input is piped");
    for line in input.split('|').filter(|_| !input.is_empty()) {
        writeln!(to, "{}", line.trim()).expect("it reads");
    }
    drop(to);
    let mut text = String::new();
    if let Some(count) = count {
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        for line in output.lines().take(count) {
            text.push_str(&line.expect("text"));
            text.push('\n');
        }
        child.kill().expect("it still runs");
        child.wait().expect("it has ended");
        return Ran { text, ok: true };
    }
    let output = child.wait_with_output().expect("it ends");
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    // Its log may come in between; what it prints last is what a person sees.
    let mut errors = String::new();
    output
        .stderr
        .as_slice()
        .read_to_string(&mut errors)
        .expect("text");
    text.push_str(&errors);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let ok = output.status.success();
    if !ok {
        text.push_str(&format!("exit {}\n", output.status.code().unwrap_or(-1)));
    }
    Ran { text, ok }
}
