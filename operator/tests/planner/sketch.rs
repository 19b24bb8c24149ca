//! A cluster as a few lines of text, and a plan as one.
//!
//! Owns: the notation of the planner cases.
//!
//! ```text
//! want 3 on 3.5.21          wanted size and version; `bootstrapped` once the status has the ID
//! demo-0 leader             a voter that leads and is healthy
//! demo-0 leader busy        the same, a million entries ahead of everybody
//! demo-1 voter              a healthy voter
//! demo-2 voter down         a voter whose pod does not answer; `silent 90s` since a while
//! demo-2 voter down says no-data   what it said last (a file of `tests/last_words`)
//! demo-2 voter down pending no-node  its pod waits for a node that is no more (`away`: for one that
//!                           is merely away)
//! demo-2 voter down crashes 6   its container was started again six times
//! demo-1 voter corrupt      it raised the CORRUPT alarm
//! demo-0 voter alone term 3 index 42   it answers, but sees no leader
//! demo-0 leader recovery-1  it runs with force-new-cluster
//! demo-2 voter dead         a voter whose container does not run
//! demo-2 voter unready      a voter that answers, but is not ready for clients
//! demo-2 voter withdrawn    the same, after it had been ready
//! demo-2 voter terminating  a voter whose pod is being deleted
//! demo-2 voter behind       a healthy voter that has applied nothing
//! demo-2 voter outdated     a voter whose pod was made from an earlier template
//! demo-3 learner started    a learner that runs and is in sync
//! demo-4 learner            a learner that has not started; `since 400s` it was added
//! set outdated              the StatefulSet has an earlier template (`unseen`: its controller)
//! claim 2                   a volume is left of ordinal 2 (`gone`: being deleted; `other`: not the
//!                           one on which the member last answered); members have one anyway
//! word c/1                  the user's word to start anew from one survivor
//! recovered 1               recoveries so far
//! unavailable 90s           nobody has answered for a majority since
//! pod 3                     a pod without a member (`terminating`)
//! membership unknown        nobody answers for a majority
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::{
    api::resource::Quantity,
    apis::meta::v1::{Condition, Time},
};
use operator::{
    api::MemberStatus,
    build::member_config,
    etcd::{Member, MemberReport},
    identity::Identity,
    observe::{ClaimView, Exit, Membership, Observed, PodView, StatefulSetView},
    plan::Plan,
    validate::Desired,
};

/// Hash of the template that is wanted, and of an earlier one.
pub const NEW: &str = "new";
pub const OLD: &str = "old";

pub const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// Reads a sketch.
pub fn read(text: &str) -> (Desired, Observed) {
    let mut desired = desired();
    let mut observed = Observed::default();
    let mut members = Vec::new();
    let mut unknown = false;
    let leader = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.get(1) == Some(&"leader"))
        .map(|words| member_id(words[0]));
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["want", size, "on", version, rest @ ..] => {
                desired.size = size.parse().expect("a size");
                desired.version = version.parse().expect("a version");
                if rest.contains(&"bootstrapped") {
                    observed.status.cluster_id = Some("c".to_owned());
                }
            }
            ["membership", "unknown"] => unknown = true,
            ["set", state] => {
                observed.stateful_set = Some(StatefulSetView {
                    template: Some(if *state == "outdated" { OLD } else { NEW }.to_owned()),
                    up_to_date: *state != "unseen",
                    ..set(1)
                });
            }
            ["claim", ordinal, rest @ ..] => {
                let claim = ClaimView {
                    uid: if rest.contains(&"other") { "v" } else { "u" }.into(),
                    terminating: rest.contains(&"gone"),
                    bound: true,
                    requested: Some(Quantity("1Gi".into())),
                };
                observed
                    .claims
                    .insert(ordinal.parse().expect("an ordinal"), claim);
            }
            ["word", word] => desired.recovery_word = Some((*word).to_owned()),
            ["recovered", count] => {
                observed.status.recoveries = count.parse().expect("a count");
            }
            ["unavailable", since] => {
                let condition = Condition {
                    type_: "Available".into(),
                    status: "False".into(),
                    reason: "QuorumLost".into(),
                    message: String::new(),
                    last_transition_time: Time(ago(since)),
                    observed_generation: None,
                };
                observed.status.conditions.push(condition);
            }
            ["pod", ordinal, rest @ ..] => {
                let mut pod = pod();
                shape(&mut pod, rest);
                observed
                    .pods
                    .insert(ordinal.parse().expect("an ordinal"), pod);
            }
            ["replicas", count] => {
                let replicas = count.parse().expect("a count");
                observed.stateful_set = Some(set(replicas));
            }
            [name, role, rest @ ..] => {
                add_member(
                    &desired,
                    &mut observed,
                    &mut members,
                    leader,
                    name,
                    role,
                    rest,
                );
            }
            _ => panic!("not a sketch: {line}"),
        }
    }
    if !members.is_empty() && observed.stateful_set.is_none() {
        let replicas = u32::try_from(members.len()).expect("few");
        observed.stateful_set = Some(set(replicas));
    }
    if observed.status.cluster_id.is_none() {
        observed.status.members.clear();
    }
    observed.membership = if unknown {
        Membership::Unknown {
            why: "etcdserver: request timed out".into(),
        }
    } else if members.is_empty() {
        Membership::NotAsked
    } else {
        Membership::Known {
            cluster_id: 0xc,
            members,
        }
    };
    (desired, observed)
}

fn add_member(
    desired: &Desired,
    observed: &mut Observed,
    members: &mut Vec<Member>,
    leader: Option<u64>,
    name: &str,
    role: &str,
    rest: &[&str],
) {
    let ordinal = desired
        .identity
        .ordinal_of_name(name)
        .expect("a member's name");
    let learner = role == "learner";
    let started = !learner || rest.contains(&"started");
    let id = member_id(name);
    members.push(Member {
        id,
        name: if let Some(recovery) = rest.iter().find(|word| word.starts_with("recovery-")) {
            format!("{name}.{recovery}")
        } else if started {
            name.to_owned()
        } else {
            String::new()
        },
        peer_urls: vec![desired.identity.peer_url(ordinal)],
        client_urls: if started {
            vec![desired.identity.client_url(ordinal)]
        } else {
            Vec::new()
        },
        learner,
    });
    let mut pod = member_pod(rest, started);
    shape(&mut pod, rest);
    observed.pods.insert(ordinal, pod);
    observed.status.members.push(MemberStatus {
        name: name.to_owned(),
        id: format!("{id:x}"),
        learner,
        last_seen: after(rest, "silent").map(|since| Time(ago(since))),
        learner_since: after(rest, "since").map(|since| Time(ago(since))),
        volume: started.then(|| "u".to_owned()),
        ..MemberStatus::default()
    });
    observed.claims.entry(ordinal).or_insert_with(|| ClaimView {
        uid: "u".into(),
        terminating: false,
        bound: true,
        requested: Some(Quantity("1Gi".into())),
    });
    let number = |key, default| after(rest, key).map_or(default, |n| n.parse().expect("a number"));
    let answer = if rest.contains(&"down") || rest.contains(&"dead") || !started {
        Err("connection refused".to_owned())
    } else {
        Ok(MemberReport {
            member_id: id,
            cluster_id: 0xc,
            leader: leader.filter(|_| !rest.contains(&"alone")),
            term: number("term", 2),
            raft_index: number("index", 100),
            applied_index: match () {
                () if rest.contains(&"behind") => 0,
                () if rest.contains(&"busy") || rest.contains(&"current") => 1_000_000,
                () => 100,
            },
            learner,
            version: desired.version.to_string(),
            db_size: 20480,
            errors: rest
                .contains(&"corrupt")
                .then(|| format!("memberID:{id} alarm:CORRUPT "))
                .into_iter()
                .collect(),
        })
    };
    observed.reports.insert(ordinal, answer);
    if role == "leader"
        && let Some(Ok(report)) = observed.reports.get_mut(&ordinal)
    {
        report.raft_index = if rest.contains(&"busy") {
            1_000_000
        } else {
            100
        };
    }
}

fn member_pod(rest: &[&str], started: bool) -> PodView {
    let old = rest.contains(&"old") || after(rest, "silent").is_some();
    let created = NOW - SignedDuration::from_secs(if old { 600 } else { 2 });
    let words = after(rest, "says").map(|words| {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/last_words");
        std::fs::read_to_string(format!("{directory}/{words}-3.5.21.txt")).expect("last words")
    });
    let crashes = after(rest, "crashes").map(|count| count.parse().expect("a count"));
    let trouble = match after(rest, "pending") {
        Some("no-node") => Some(
            "Unschedulable: 0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
        ),
        Some(_) => Some(
            "Unschedulable: 0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 node(s) had volume node affinity conflict.",
        ),
        None if words.is_some() || crashes.is_some() => Some("CrashLoopBackOff: back-off"),
        None => None,
    };
    PodView {
        created: Some(created),
        started: (started && trouble.is_none()).then_some(created),
        running: trouble.is_none(),
        trouble: trouble.map(str::to_owned),
        restarts: crashes.unwrap_or(0),
        last_exit: (words.is_some() || crashes.is_some()).then(|| Exit {
            code: 1,
            reason: "Error".into(),
            message: words.unwrap_or_default(),
            finished: None,
            ran: None,
        }),
        ..pod()
    }
}

/// The word after a key.
fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == key)?;
    words.get(at + 1).copied()
}

/// `90s` before now.
fn ago(text: &str) -> Timestamp {
    let seconds = text.trim_end_matches('s').parse().expect("seconds");
    NOW - SignedDuration::from_secs(seconds)
}

fn member_id(name: &str) -> u64 {
    let ordinal: u64 = name
        .rsplit('-')
        .next()
        .and_then(|o| o.parse().ok())
        .expect("an ordinal");
    0x10 + ordinal
}

fn shape(pod: &mut PodView, words: &[&str]) {
    let says = |word| words.contains(&word);
    if says("outdated") {
        pod.template = Some(OLD.into());
    }
    pod.running &= !says("dead");
    pod.ready = pod.running && !says("unready");
    pod.withdrawn = says("withdrawn");
    pod.terminating = says("terminating");
}

fn set(replicas: u32) -> StatefulSetView {
    StatefulSetView {
        uid: "s".into(),
        replicas,
        owned: true,
        template: Some(NEW.into()),
        up_to_date: true,
        volume_size: Some(Quantity("1Gi".into())),
        ..StatefulSetView::default()
    }
}

fn pod() -> PodView {
    PodView {
        uid: "p".into(),
        ip: Some("10.0.0.1".into()),
        running: true,
        ready: true,
        template: Some(NEW.into()),
        ..PodView::default()
    }
}

/// What is wanted when a sketch does not say.
pub fn desired() -> Desired {
    Desired {
        identity: Identity {
            name: "demo".into(),
            namespace: "default".into(),
            uid: "5f3e1c00-1111".into(),
            domain: "cluster.local".into(),
        },
        size: 3,
        version: "3.5.21".parse().expect("a version"),
        image: "gcr.io/etcd-development/etcd:v3.5.21".into(),
        storage_size: Quantity("1Gi".into()),
        storage_class: None,
        retention: operator::api::RetentionPolicy::Retain,
        version_refused: None,
        resources: Default::default(),
        options: Default::default(),
        pod_template: Default::default(),
        template_hash: NEW.into(),
        recovery_word: None,
        generation: Some(1),
        deleting: false,
    }
}

/// One line: pods, configuration, action, reason.
pub fn print(plan: &Plan) -> String {
    let replicas = plan
        .replicas
        .map_or("as they are".to_owned(), |count| count.to_string());
    let config = plan
        .config
        .as_ref()
        .map_or("config as is".to_owned(), |files| {
            let any = |is: fn(&str) -> bool| files.values().any(|file| is(file));
            let kind = if any(member_config::forces_new_cluster) {
                " forced"
            } else if !files
                .values()
                .all(|file| member_config::joins_existing(file))
            {
                " new"
            } else {
                ""
            };
            format!("{} configs{kind}", files.len())
        });
    let action = plan
        .action
        .as_ref()
        .map_or("nothing to do".to_owned(), ToString::to_string);
    let waiting = plan.waiting.as_ref().map_or(String::new(), |waiting| {
        format!("; waits: {}", waiting.reason())
    });
    format!("{replicas} pods, {config}, {action}{waiting}")
}

/// Files as they lie in the ConfigMap.
pub fn files(desired: &Desired, ordinals: &[u32]) -> BTreeMap<String, String> {
    let ids = ordinals
        .iter()
        .map(|o| (*o, u64::from(*o) + 0x10))
        .collect();
    member_config::files(desired, &ids, &ordinals.iter().copied().collect())
}
