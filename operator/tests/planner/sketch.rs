//! A cluster as a few lines of text, and a plan as one.
//!
//! Owns: the notation of the planner cases.
//!
//! ```text
//! want 3 on 3.5.21          wanted size and version; `bootstrapped` once the status has the ID
//! demo-0 leader             a voter that leads and is healthy
//! demo-0 leader busy        the same, a million entries ahead of everybody
//! demo-1 voter              a healthy voter
//! demo-2 voter down         a voter whose pod does not answer
//! demo-3 learner started    a learner that runs and is in sync
//! demo-4 learner            a learner that has not started
//! claim 2                   a volume is left of ordinal 2 (`gone`: being deleted)
//! pod 3                     a pod without a member (`terminating`)
//! membership unknown        nobody answers for a majority
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use operator::{
    build::member_config,
    etcd::{Member, MemberReport},
    identity::Identity,
    observe::{ClaimView, Membership, Observed, PodView, StatefulSetView},
    plan::Plan,
    validate::Desired,
};

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
            ["claim", ordinal, rest @ ..] => {
                let claim = ClaimView {
                    uid: "u".into(),
                    terminating: rest.contains(&"gone"),
                };
                observed
                    .claims
                    .insert(ordinal.parse().expect("an ordinal"), claim);
            }
            ["pod", ordinal, rest @ ..] => {
                let terminating = rest.contains(&"terminating");
                let pod = PodView {
                    terminating,
                    ..pod()
                };
                observed
                    .pods
                    .insert(ordinal.parse().expect("an ordinal"), pod);
            }
            ["replicas", count] => {
                let replicas = count.parse().expect("a count");
                observed.stateful_set = Some(StatefulSetView {
                    replicas,
                    owned: true,
                    ..StatefulSetView::default()
                });
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
        name: if started {
            name.to_owned()
        } else {
            String::new()
        },
        peer_urls: vec![desired.identity.peer_url(ordinal)],
        learner,
    });
    let old = rest.contains(&"old");
    let created = NOW - jiff::SignedDuration::from_secs(if old { 600 } else { 2 });
    observed.pods.insert(
        ordinal,
        PodView {
            created: Some(created),
            ..pod()
        },
    );
    let answer = if rest.contains(&"down") || !started {
        Err("connection refused".to_owned())
    } else {
        Ok(MemberReport {
            member_id: id,
            cluster_id: 0xc,
            leader,
            term: 2,
            raft_index: 100,
            applied_index: 100,
            learner,
            version: desired.version.to_string(),
            db_size: 20480,
            errors: Vec::new(),
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

fn member_id(name: &str) -> u64 {
    let ordinal: u64 = name
        .rsplit('-')
        .next()
        .and_then(|o| o.parse().ok())
        .expect("an ordinal");
    0x10 + ordinal
}

fn pod() -> PodView {
    PodView {
        uid: "p".into(),
        ip: Some("10.0.0.1".into()),
        running: true,
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
        storage_size: k8s_openapi::apimachinery::pkg::api::resource::Quantity("1Gi".into()),
        storage_class: None,
        retention: operator::api::RetentionPolicy::Retain,
        resources: None,
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
            let new = files
                .values()
                .filter(|file| !member_config::joins_existing(file))
                .count();
            format!(
                "{} configs{}",
                files.len(),
                if new > 0 { " new" } else { "" }
            )
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
    member_config::files(desired, &ids)
}
