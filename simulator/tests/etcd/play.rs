//! Playing a script against an arm.
//!
//! Owns: the language of scripts. A line is a verb with its words; `via NAME` says which member is
//! asked. After the line `roles`, `leader` and `follower` name members by what they are then, and
//! answers show those names, so that it does not matter who won an election.

use std::{collections::BTreeMap, time::Duration};

use etcd_client::proto::{PbStatusRequest, PbStatusResponse};
use tokio::time::{Instant, sleep};

use crate::{
    answer::{self, Names},
    arm::Arm,
    grpc::call,
};

/// Waiting times that are longer than this are part of the answer.
const NOTICED: Duration = Duration::from_secs(3);
/// How long a member may take to become what a line waits for.
const SOON: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(50);

/// What happens while a script is played.
pub(crate) struct Play<'a, A> {
    pub(crate) arm: &'a mut A,
    pub(crate) names: Names,
    flags: BTreeMap<String, Vec<String>>,
}

/// Plays a script, and gives the answer to each line.
pub(crate) async fn play<A: Arm>(arm: &mut A, script: &[String]) -> Vec<String> {
    let mut play = Play {
        arm,
        names: Names::default(),
        flags: BTreeMap::new(),
    };
    let mut answers = Vec::new();
    for line in script {
        let began = Instant::now();
        let mut answer = play.line(line).await;
        let took = began.elapsed();
        if took > NOTICED && !line.starts_with("wait ") && !waits(line) {
            answer.push_str(&format!(" (after {} s)", (took.as_millis() + 500) / 1000));
        }
        answers.push(play.names.plain(&answer));
    }
    answers
}

/// Lines that wait for something, however long it takes.
fn waits(line: &str) -> bool {
    let verb = line.split(' ').next().unwrap_or_default();
    matches!(
        verb,
        "new" | "healthy" | "serving" | "exit" | "roles" | "until" | "stop"
    )
}

impl<A: Arm> Play<'_, A> {
    async fn line(&mut self, line: &str) -> String {
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| self.names.real(word))
            .collect();
        let (words, via) = match words.iter().position(|word| word == "via") {
            Some(at) => (words[..at].to_vec(), Some(words[at + 1].clone())),
            None => (words, None),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match via {
            Some(member) => answer::ask(self, &words, &member).await,
            None => self.act(&words).await,
        }
    }

    async fn act(&mut self, words: &[&str]) -> String {
        match words {
            ["new", rest @ ..] => return self.new_cluster(rest).await,
            ["boot", name, state, rest @ ..] => self.boot(name, state, rest),
            ["restart", name, more @ ..] => {
                let mut flags = self.flags[*name].clone();
                flags.extend(more.iter().map(|flag| (*flag).to_owned()));
                self.arm.boot(name, &flags);
            }
            ["wait", time] => {
                let seconds = time.trim_end_matches('s').parse().expect("seconds");
                sleep(Duration::from_secs_f64(seconds)).await;
            }
            ["healthy", name] => return self.healthy(name).await,
            ["serving", name] => return self.serving(name).await,
            ["until", "members", count, "of", name] => {
                return self.until_members(name, count).await;
            }
            ["roles"] => return self.roles().await,
            ["exit", name] => return self.exit(name).await,
            ["stop", name] => {
                self.arm.terminate(name);
                let code = self.arm.ended(name).await.map(|ended| ended.code);
                return code.map_or("still runs".to_owned(), |code| format!("exit {code}"));
            }
            ["kill", name] => self.arm.kill(name),
            ["pause", name] => self.arm.pause(name),
            ["resume", name] => self.arm.resume(name),
            ["wipe", name] => self.arm.wipe(name),
            ["page", name, path] => {
                return match self.arm.page(name, path).await {
                    // etcd lists its checks in any order.
                    Some((code, body)) => {
                        let mut lines: Vec<&str> = body.trim().lines().collect();
                        lines.sort_unstable();
                        format!("{code} {}", lines.join(" | "))
                    }
                    None => "unreachable".to_owned(),
                };
            }
            _ => panic!("no such line: {}", words.join(" ")),
        }
        String::new()
    }

    async fn new_cluster(&mut self, words: &[&str]) -> String {
        let (flags, members): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("--"));
        let rest = [&members[..], &flags[..]].concat();
        for member in &members {
            self.boot(member, "new", &rest);
        }
        for member in &members {
            if self.healthy(member).await != "healthy" {
                return format!("{member} is not healthy");
            }
        }
        String::new()
    }

    /// `LIST...` are the members of the initial cluster; `m1@m7` is `m1` with the URL of `m7`.
    fn boot(&mut self, name: &str, state: &str, rest: &[&str]) {
        let mut flags = Vec::new();
        let mut cluster = Vec::new();
        for word in rest {
            if word.starts_with("--") {
                flags.push((*word).to_owned());
                continue;
            }
            let (member, place) = word.split_once('@').unwrap_or((word, word));
            let address = self.address(place);
            cluster.push(format!("{member}=http://{address}:2380"));
        }
        let address = self.address(name);
        for (flag, value) in [
            ("name", name.to_owned()),
            ("initial-cluster", cluster.join(",")),
            ("initial-cluster-state", state.to_owned()),
            (
                "initial-advertise-peer-urls",
                format!("http://{address}:2380"),
            ),
            ("listen-peer-urls", format!("http://{address}:2380")),
            ("advertise-client-urls", format!("http://{address}:2379")),
            ("listen-client-urls", format!("http://{address}:2379")),
            ("listen-metrics-urls", format!("http://{address}:2381")),
        ] {
            flags.push(format!("--{flag}={value}"));
        }
        self.flags.insert(name.to_owned(), flags.clone());
        self.arm.boot(name, &flags);
    }

    pub(crate) fn address(&mut self, name: &str) -> String {
        let address = self.arm.address(name);
        self.names.learn(name, &address);
        address
    }

    async fn healthy(&mut self, name: &str) -> String {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            if self
                .arm
                .page(name, "/health")
                .await
                .is_some_and(|(code, _)| code == 200)
            {
                return "healthy".to_owned();
            }
            sleep(LOOK).await;
        }
        "not healthy".to_owned()
    }

    async fn serving(&mut self, name: &str) -> String {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            if self.status(name).await.is_some() {
                return "serving".to_owned();
            }
            sleep(LOOK).await;
        }
        "not serving".to_owned()
    }

    async fn until_members(&mut self, name: &str, count: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            let list = answer::ask(self, &["list"], name).await;
            if list.split(' ').count().to_string() == count && !list.contains(':') {
                return String::new();
            }
            if Instant::now() > until {
                return list;
            }
            sleep(LOOK).await;
        }
    }

    pub(crate) async fn status(&mut self, name: &str) -> Option<PbStatusResponse> {
        let path = "/etcdserverpb.Maintenance/Status";
        call(self.arm.channel(name), path, PbStatusRequest {})
            .await
            .ok()
    }

    async fn roles(&mut self) -> String {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            for name in self.names.members() {
                let Some(status) = self.status(&name).await else {
                    continue;
                };
                let own = status.header.as_ref().map(|header| header.member_id);
                if own == Some(status.leader) {
                    self.names.assign_roles(&name);
                    return String::new();
                }
            }
            sleep(LOOK).await;
        }
        "no leader".to_owned()
    }

    async fn exit(&mut self, name: &str) -> String {
        match self.arm.ended(name).await {
            Some(ended) => format!("exit {}: {}", ended.code, answer::last_words(&ended.log)),
            None => "still runs".to_owned(),
        }
    }
}
