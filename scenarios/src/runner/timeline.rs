//! What changed between two looks, in words.
//!
//! Owns: the sentences of a timeline.
//! Always holds: two equal looks have nothing to tell.
//! Deliberately does not know: why something changed.

use std::collections::BTreeMap;

use chaos::{
    Observation,
    observation::{Listed, Pod, Resource},
};

/// What changed from `before` to `now`.
pub(super) fn changes(before: Option<&Observation>, now: &Observation) -> Vec<String> {
    let nothing = Observation::default();
    let before = before.unwrap_or(&nothing);
    let mut told = Vec::new();
    pods(&before.pods, &now.pods, &mut told);
    members(before, now, &mut told);
    leader(before, now, &mut told);
    resource(before.resource.as_ref(), now.resource.as_ref(), &mut told);
    told
}

fn resource(before: Option<&Resource>, now: Option<&Resource>, told: &mut Vec<String>) {
    match (before, now) {
        (Some(_), None) => told.push("the EtcdCluster is gone".to_owned()),
        (before, Some(now)) => {
            let known = before.map(|before| (before.phase.as_str(), before.ready));
            if known != Some((&now.phase, now.ready)) && !now.phase.is_empty() {
                told.push(format!("status: {}, {} ready", now.phase, now.ready));
            }
            if now.deleting && before.is_none_or(|before| !before.deleting) {
                told.push("the EtcdCluster is being deleted".to_owned());
            }
        }
        (None, None) => {}
    }
}

fn pods(before: &[Pod], now: &[Pod], told: &mut Vec<String>) {
    let known: BTreeMap<&str, &Pod> = before.iter().map(|pod| (pod.uid.as_str(), pod)).collect();
    let still: BTreeMap<&str, &Pod> = now.iter().map(|pod| (pod.uid.as_str(), pod)).collect();
    for pod in before
        .iter()
        .filter(|pod| !still.contains_key(pod.uid.as_str()))
    {
        told.push(format!("pod {} is gone", pod.name));
    }
    for pod in now {
        let before = known.get(pod.uid.as_str());
        let news = [
            (before.is_none(), "is created"),
            (
                pod.running && !before.is_some_and(|before| before.running),
                "runs",
            ),
            (
                pod.ready && !before.is_some_and(|before| before.ready),
                "is ready",
            ),
            (
                !pod.ready && before.is_some_and(|before| before.ready),
                "is not ready any more",
            ),
            (
                pod.deleting && !before.is_some_and(|before| before.deleting),
                "is being deleted",
            ),
            (
                pod.restarts > before.map_or(0, |before| before.restarts),
                "was restarted",
            ),
        ];
        let news: Vec<&str> = news
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| *what)
            .collect();
        if !news.is_empty() {
            told.push(format!("pod {} {}", pod.name, news.join(", ")));
        }
    }
}

fn members(before: &Observation, now: &Observation, told: &mut Vec<String>) {
    let applied = |look: &Observation| look.newest_list().map(|(applied, _)| applied);
    if applied(now).is_none() || applied(now) < applied(before) {
        return; // Nobody tells, or only a member that lags behind, whose list is an old one.
    }
    let (known, still) = (by_id(before), by_id(now));
    for (id, member) in &known {
        if !still.contains_key(id) {
            told.push(format!("etcd: member {} is removed", name(member, before)));
        }
    }
    for (id, member) in &still {
        let role = if member.learner { "learner" } else { "voter" };
        match known.get(id) {
            None => told.push(format!(
                "etcd: member {} is added as {role}",
                name(member, now)
            )),
            Some(known) if known.learner && !member.learner => {
                told.push(format!(
                    "etcd: member {} is promoted to voter",
                    name(member, now)
                ));
            }
            Some(known) if known.name.is_empty() && !member.name.is_empty() => {
                told.push(format!("etcd: member {} has started", member.name));
            }
            Some(_) => {}
        }
    }
}

fn by_id(look: &Observation) -> BTreeMap<u64, &Listed> {
    let members = look.newest_list().map(|(_, list)| list.members.iter());
    members
        .into_iter()
        .flatten()
        .map(|member| (member.id, member))
        .collect()
}

/// A member is best known by its name; one that never started has only an ID.
fn name(member: &Listed, look: &Observation) -> String {
    let pod = look
        .pods
        .iter()
        .find(|pod| pod.member.as_ref().is_some_and(|it| it.id == member.id));
    match (member.name.as_str(), pod) {
        ("", Some(pod)) => pod.name.clone(),
        ("", None) => format!("{:x}", member.id),
        (name, _) => name.to_owned(),
    }
}

fn leader(before: &Observation, now: &Observation, told: &mut Vec<String>) {
    let of = |look: &Observation| {
        let newest = look.members().max_by_key(|member| member.applied)?;
        Some(newest.leader)
    };
    let (known, leader) = (of(before), of(now));
    match leader {
        Some(0) if known != leader => told.push("etcd: no leader".to_owned()),
        Some(id) if known != leader => {
            let pod = now
                .pods
                .iter()
                .find(|pod| pod.member.as_ref().is_some_and(|it| it.id == id));
            let name = pod.map_or_else(|| format!("{id:x}"), |pod| pod.name.clone());
            told.push(format!("etcd: {name} leads"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use chaos::observation::{List, Member};

    use super::*;

    fn look(members: &[(u64, &str, bool)], ready: u32) -> Observation {
        let listed = members.iter().map(|(id, name, learner)| Listed {
            id: *id,
            name: (*name).to_owned(),
            learner: *learner,
        });
        let list = List {
            linearizable: true,
            members: listed.collect(),
        };
        let member = Member {
            id: 1,
            leader: 1,
            list: Some(list),
            ..Member::default()
        };
        let pod = Pod {
            name: "demo-0".to_owned(),
            uid: "a".to_owned(),
            member: Some(member),
            ..Pod::default()
        };
        let resource = Resource {
            phase: "Running".to_owned(),
            ready,
            ..Resource::default()
        };
        Observation {
            resource: Some(resource),
            pods: vec![pod],
            ..Observation::default()
        }
    }

    fn told(before: &Observation, now: &Observation) -> Vec<String> {
        changes(Some(before), now)
    }

    #[test]
    fn equal_looks_have_nothing_to_tell() {
        let look = look(&[(1, "demo-0", false)], 1);
        assert_eq!(told(&look, &look), Vec::<String>::new());
    }

    #[test]
    fn a_member_is_followed_from_learner_to_removal() {
        let one = look(&[(1, "demo-0", false)], 1);
        let added = look(&[(1, "demo-0", false), (16, "", true)], 1);
        let started = look(&[(1, "demo-0", false), (16, "demo-1", true)], 1);
        let voter = look(&[(1, "demo-0", false), (16, "demo-1", false)], 2);
        assert_eq!(told(&one, &added), ["etcd: member 10 is added as learner"]);
        assert_eq!(told(&added, &started), ["etcd: member demo-1 has started"]);
        assert_eq!(
            told(&started, &voter),
            [
                "etcd: member demo-1 is promoted to voter",
                "status: Running, 2 ready"
            ]
        );
        assert_eq!(told(&voter, &one)[0], "etcd: member demo-1 is removed");
    }

    #[test]
    fn the_first_look_tells_what_is_there() {
        let first = changes(None, &look(&[(1, "demo-0", false)], 1));
        assert!(
            first.contains(&"pod demo-0 is created".to_owned()),
            "{first:?}"
        );
        assert!(
            first.contains(&"etcd: demo-0 leads".to_owned()),
            "{first:?}"
        );
    }
}
