//! The known-bad operators.
//!
//! Owns: the list.
//! Always holds: each is one class of bug, and says where that class was seen.
//! Deliberately does not know: which of them is found by what.

use serde_json::{Value, json};

use super::{
    How::{Message, Object, PretendAfter, Text},
    Plant,
};

const SET: &[&str] = &["PATCH statefulsets"];
const CONFIG: &[&str] = &["PATCH configmaps"];
const STATUS: &[&str] = &["PATCH etcdclusters/status"];

/// All of them.
pub static PLANTS: &[Plant] = &[
    Plant {
        name: "voter-instead-of-learner",
        story: "adds members as voters: 1 to 2 loses quorum at once (the Go operator; etcd #3477)",
        calls: &["MemberAdd"],
        // `MemberAddRequest.isLearner` is field 2.
        how: Message(|mut message| {
            if message.ends_with(&[0x10, 1]) {
                message.truncate(message.len() - 2);
            }
            message
        }),
    },
    Plant {
        name: "add-is-forgotten",
        story: "takes an add that timed out as done (coreos/etcd-operator #564)",
        calls: &["MemberAdd"],
        how: PretendAfter(0),
    },
    Plant {
        name: "promote-is-forgotten",
        story: "never promotes: a learner for ever blocks everything else (etcd-backup-restore #645)",
        calls: &["MemberPromote"],
        how: PretendAfter(1),
    },
    Plant {
        name: "remove-is-forgotten",
        story: "takes pods away and leaves their members in the list (the Go operator, 3 to 1)",
        calls: &["MemberRemove"],
        how: PretendAfter(0),
    },
    Plant {
        name: "new-for-ever",
        story: "writes `initial-cluster-state: new` after the bootstrap (etcd #12227)",
        calls: CONFIG,
        how: Text(
            "initial-cluster-state: existing",
            "initial-cluster-state: new",
        ),
    },
    Plant {
        name: "frozen-initial-cluster",
        story: "tells a new member of one member too few: `member count is unequal` (the Go operator)",
        calls: CONFIG,
        how: Object(|config, _| each_file(config, drop_last_member)),
    },
    Plant {
        name: "one-data-dir",
        story: "uses the same data dir whatever the member's ID: old data comes back (cozystack #336)",
        calls: CONFIG,
        how: Object(|config, _| {
            each_file(config, |file| {
                let lines = file.lines().map(|line| match line.split_once(": ") {
                    Some(("data-dir", dir)) => format!("data-dir: {}", parent(dir)),
                    _ => line.to_owned(),
                });
                lines.collect::<Vec<_>>().join("\n")
            });
        }),
    },
    Plant {
        name: "wrong-peer-url",
        story: "configures another peer URL than the one that was added (etcd: `mismatch`)",
        calls: CONFIG,
        how: Text(
            "initial-advertise-peer-urls: http://",
            "initial-advertise-peer-urls: http://x-",
        ),
    },
    Plant {
        name: "config-is-late",
        story: "stops writing configuration: new members start with what was there (a frozen cache)",
        calls: CONFIG,
        how: PretendAfter(1),
    },
    Plant {
        name: "pod-before-member",
        story: "raises the replicas before the member is added (the Go operator, 3 to 5)",
        calls: SET,
        how: Object(|set, _| add_replicas(set, 1)),
    },
    Plant {
        name: "pod-goes-first",
        story: "lowers the replicas before the member is removed (many; zookeeper-operator #314)",
        calls: SET,
        how: Object(|set, most| {
            let replicas = set["spec"]["replicas"].as_u64().unwrap_or(0);
            if replicas > 2 && replicas >= *most {
                *most = replicas;
                add_replicas(set, -1);
            }
        }),
    },
    Plant {
        name: "ordered-pods",
        story: "starts pods one by one: after a power loss none gets ready (gluster/gcs #74)",
        calls: SET,
        how: Text("\"Parallel\"", "\"OrderedReady\""),
    },
    Plant {
        name: "hard-anti-affinity",
        story: "insists on a node for each member: five do not fit on three (coreos #1211 and others)",
        calls: SET,
        how: Object(|set, _| harden_affinity(set)),
    },
    Plant {
        name: "another-version",
        story: "runs another version than the one that is wanted (etcd-io/etcd-operator #327)",
        calls: SET,
        how: Object(|set, _| {
            let image = &mut set["spec"]["template"]["spec"]["containers"][0]["image"];
            if let Some((name, _)) = image.as_str().and_then(|text| text.rsplit_once(':')) {
                *image = json!(format!("{name}:v3.5.20"));
            }
        }),
    },
    Plant {
        name: "restart-storm",
        story: "lets liveness depend on quorum: one election restarts everybody (improbable #82)",
        calls: SET,
        how: Object(|set, _| {
            let container = &mut set["spec"]["template"]["spec"]["containers"][0];
            let probe = &mut container["livenessProbe"];
            probe["httpGet"]["path"] = json!("/health");
            probe["periodSeconds"] = json!(1);
            probe["timeoutSeconds"] = json!(1);
            probe["failureThreshold"] = json!(1);
        }),
    },
    Plant {
        name: "names-when-ready",
        story: "publishes members only when they are ready, which they get by finding each other",
        calls: &["PATCH services"],
        how: Object(|service, _| {
            if let Some(spec) = service["spec"].as_object_mut() {
                spec.remove("publishNotReadyAddresses");
            }
        }),
    },
    Plant {
        name: "orphaned-pods",
        story: "leaves the StatefulSet behind when the cluster is deleted",
        calls: SET,
        how: Object(|set, _| forget_owner(set)),
    },
    Plant {
        name: "orphaned-config",
        story: "leaves the configuration behind when the cluster is deleted",
        calls: CONFIG,
        how: Object(|config, _| forget_owner(config)),
    },
    Plant {
        name: "stuck-finalizer",
        story: "sets a finalizer that nobody removes (rancher/k3k #1169)",
        calls: CONFIG,
        how: Object(|config, _| config["metadata"]["finalizers"] = json!(["etcd.etcd.io/stuck"])),
    },
    Plant {
        name: "kept-volumes",
        story: "leaves volumes behind that go with their cluster (etcd-druid #1369)",
        calls: &["PATCH persistentvolumeclaims"],
        how: Object(|claim, _| forget_owner(claim)),
    },
    Plant {
        name: "unguarded-delete",
        story: "deletes by name and not by UID (zookeeper-operator #312 and others, found by Sieve)",
        calls: &["DELETE persistentvolumeclaims", "DELETE pods"],
        how: Object(|options, _| {
            if let Some(options) = options.as_object_mut() {
                options.remove("preconditions");
            }
        }),
    },
    Plant {
        name: "frozen-status",
        story: "stops writing the status: it says what was (cozystack #367, etcd-io #358)",
        calls: STATUS,
        how: PretendAfter(12),
    },
    Plant {
        name: "ready-is-the-most",
        story: "never takes READY back: four ready of three pods (the Go operator)",
        calls: STATUS,
        how: Object(|object, most| {
            let ready = &mut object["status"]["readyReplicas"];
            *most = ready.as_u64().unwrap_or(0).max(*most);
            *ready = json!(*most);
        }),
    },
    Plant {
        name: "always-available",
        story: "says Available whatever happens (etcd-io: 30 s with one of three alive)",
        calls: STATUS,
        how: Object(|object, _| {
            let conditions = object["status"]["conditions"].as_array_mut();
            for condition in conditions.into_iter().flatten() {
                if condition["type"] == "Available" {
                    condition["status"] = json!("True");
                }
            }
        }),
    },
    Plant {
        name: "old-generation",
        story: "never says that it has seen a change of the spec (cozystack #350)",
        calls: STATUS,
        how: Object(|object, _| object["status"]["observedGeneration"] = json!(1)),
    },
    Plant {
        name: "wrong-endpoint",
        story: "tells clients a way in that leads nowhere (etcd-io #371, #420)",
        calls: STATUS,
        how: Text(":2379\"", ":2378\""),
    },
    Plant {
        name: "hot-loop",
        story: "writes a status that differs each time, which wakes it up to write the next",
        calls: STATUS,
        how: Object(|object, count| {
            *count += 1;
            let conditions = object["status"]["conditions"].as_array_mut();
            for condition in conditions.into_iter().flatten() {
                condition["message"] = json!(format!("look number {count}"));
            }
        }),
    },
];

fn add_replicas(set: &mut Value, more: i64) {
    let replicas = &mut set["spec"]["replicas"];
    if let Some(count) = replicas.as_i64().filter(|count| *count > 0) {
        *replicas = json!(count + more);
    }
}

fn forget_owner(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
}

fn harden_affinity(set: &mut Value) {
    let affinity = &mut set["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"];
    let kind = "preferredDuringSchedulingIgnoredDuringExecution";
    let term = affinity[kind][0]["podAffinityTerm"].clone();
    if !term.is_null() {
        *affinity = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
    }
}

fn each_file(config: &mut Value, change: impl Fn(&str) -> String) {
    let files = config["data"].as_object_mut();
    for file in files.into_iter().flat_map(|files| files.values_mut()) {
        if let Some(text) = file.as_str() {
            *file = json!(change(text));
        }
    }
}

fn drop_last_member(file: &str) -> String {
    let lines = file
        .lines()
        .map(|line| match line.strip_prefix("initial-cluster: ") {
            Some(members) => {
                let kept = members.rsplit_once(',').map_or(members, |(kept, _)| kept);
                format!("initial-cluster: {kept}")
            }
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn parent(dir: &str) -> String {
    let parent = dir.rsplit_once('/').map_or(dir, |(parent, _)| parent);
    format!("{parent}/data")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_plant_has_a_name_and_a_story_of_its_own() {
        let names: BTreeSet<_> = PLANTS.iter().map(|plant| plant.name).collect();
        let stories: BTreeSet<_> = PLANTS.iter().map(|plant| plant.story).collect();
        assert_eq!((names.len(), stories.len()), (PLANTS.len(), PLANTS.len()));
        assert!(PLANTS.iter().all(|plant| !plant.calls.is_empty()));
    }

    #[test]
    fn files_are_changed_where_they_should_be() {
        let file = "name: demo-1\ndata-dir: /data/ab\ninitial-cluster: a=u,b=v\n";
        assert_eq!(
            drop_last_member(file),
            "name: demo-1\ndata-dir: /data/ab\ninitial-cluster: a=u"
        );
        let mut config = json!({"data": {"x": file}});
        let plant = Plant::named("one-data-dir").expect("in the table");
        let Object(change) = plant.how else {
            panic!("it changes objects")
        };
        change(&mut config, &mut 0);
        assert!(
            config["data"]["x"]
                .as_str()
                .unwrap()
                .contains("data-dir: /data/data")
        );
    }
}
