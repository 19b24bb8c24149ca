//! The revisions of a StatefulSet: snapshots of its pod template.
//!
//! Owns: ControllerRevisions, their names and numbers, and how many are kept.
//! Always holds: equal templates are one revision; going back to an old template gives it the
//! newest number again.
//! Deliberately does not know: which pods run which revision beyond what the caller says.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::kubernetes::{
    api::{ApiError, resource::CONTROLLER_REVISIONS},
    controllers::{
        cluster::Cluster,
        object::{Meta, controller_reference, object_at},
        selector,
    },
};

const HASH: &str = "controller.kubernetes.io/hash";

/// The revisions that matter in one pass.
pub(super) struct Revisions {
    pub(super) current: Arc<Value>,
    pub(super) update: Arc<Value>,
    pub(super) collisions: i64,
    all: Vec<Arc<Value>>,
}

/// Finds the current and the newest revision of a set, and makes the newest if it is not there.
pub(super) fn resolve(cluster: &mut Cluster, set: &Value) -> Result<Revisions, ApiError> {
    let mut all = list(cluster, set)?;
    let mut collisions = set["status"]["collisionCount"].as_i64().unwrap_or(0);
    let data = data(set);
    let next = all.last().map_or(1, |last| number(last) + 1);
    let update = match all.iter().rposition(|revision| revision["data"] == data) {
        Some(index) if index + 1 == all.len() => Arc::clone(&all[index]),
        Some(index) => {
            let mut again = (*all[index]).clone();
            again["revision"] = next.into();
            cluster.update(&CONTROLLER_REVISIONS, again)?
        }
        None => create(cluster, set, data, next, &mut collisions)?,
    };
    if !all.iter().any(|revision| revision.uid() == update.uid()) {
        all.push(Arc::clone(&update));
    }
    let named = set.text("/status/currentRevision");
    let current = all
        .iter()
        .find(|revision| revision.name() == named)
        .map_or_else(|| Arc::clone(&update), Arc::clone);
    Ok(Revisions {
        current,
        update,
        collisions,
        all,
    })
}

/// The pod template that a revision holds.
pub(super) fn template(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

/// Deletes the oldest revisions that nothing uses, beyond the set's limit.
pub(super) fn truncate(
    cluster: &mut Cluster,
    set: &Value,
    revisions: &Revisions,
    used: &BTreeSet<&str>,
) -> Result<(), ApiError> {
    let limit = set["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
    let live = [revisions.current.name(), revisions.update.name()];
    let unused: Vec<&Arc<Value>> = revisions
        .all
        .iter()
        .filter(|revision| !live.contains(&revision.name()) && !used.contains(revision.name()))
        .collect();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    for revision in unused.iter().take(unused.len().saturating_sub(limit)) {
        cluster.delete(&CONTROLLER_REVISIONS, revision)?;
    }
    Ok(())
}

fn list(cluster: &mut Cluster, set: &Value) -> Result<Vec<Arc<Value>>, ApiError> {
    let mut found = Vec::new();
    for revision in cluster.list(&CONTROLLER_REVISIONS, Some(set.namespace())) {
        match revision.controller() {
            Some(owner) if owner.uid == set.uid() => found.push(revision),
            None if is_adoptable(set, &revision) => {
                found.push(cluster.adopt(&CONTROLLER_REVISIONS, &revision, set)?);
            }
            _ => {}
        }
    }
    found.sort_by_key(|revision| {
        (
            number(revision),
            revision.created_at(),
            revision.name().to_owned(),
        )
    });
    Ok(found)
}

fn is_adoptable(set: &Value, revision: &Value) -> bool {
    selector::selects(&set["spec"]["selector"], &revision["metadata"]["labels"])
        && !revision.is_terminating()
        && !set.is_terminating()
}

fn create(
    cluster: &mut Cluster,
    set: &Value,
    data: Value,
    number: i64,
    collisions: &mut i64,
) -> Result<Arc<Value>, ApiError> {
    loop {
        let hash = hash(&data, *collisions);
        let name = format!("{}-{hash}", set.name());
        let mut revision = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {
                "name": name, "namespace": set.namespace(),
                "labels": set["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [controller_reference("apps/v1", "StatefulSet", set)],
            },
            "data": data, "revision": number,
        });
        if !set["metadata"]["annotations"].is_null() {
            revision["metadata"]["annotations"] = set["metadata"]["annotations"].clone();
        }
        object_at(&mut revision, &["metadata", "labels"]).insert(HASH.into(), hash.into());
        if let Some(taken) = cluster.get(&CONTROLLER_REVISIONS, set.namespace(), &name) {
            if taken["data"] == data {
                return Ok(taken);
            }
            *collisions += 1;
            continue;
        }
        return cluster.create(&CONTROLLER_REVISIONS, revision);
    }
}

fn number(revision: &Value) -> i64 {
    revision["revision"].as_i64().unwrap_or(0)
}

fn data(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    object_at(&mut template, &[]).insert("$patch".into(), "replace".into());
    json!({"spec": {"template": template}})
}

/// FNV-1 over the data, spelled without vowels as all generated names are.
fn hash(data: &Value, collisions: i64) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = format!("{data}{collisions}");
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        hash.wrapping_mul(0x0100_0193) ^ u32::from(byte)
    });
    hash.to_string()
        .bytes()
        .map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_no_vowels_and_depends_on_data_and_collisions() {
        let one = hash(&json!({"a": 1}), 0);
        assert!(
            one.bytes()
                .all(|letter| b"bcdfghjklmnpqrstvwxz2456789".contains(&letter))
        );
        assert_ne!(one, hash(&json!({"a": 2}), 0));
        assert_ne!(one, hash(&json!({"a": 1}), 1));
        assert_eq!(one, hash(&json!({"a": 1}), 0));
    }

    #[test]
    fn a_revision_gives_back_the_template_it_was_made_from() {
        let set = json!({"spec": {"template": {"metadata": {}, "spec": {"x": 1}}}});
        let revision = json!({"data": data(&set)});
        assert_eq!(template(&revision), set["spec"]["template"]);
    }
}
