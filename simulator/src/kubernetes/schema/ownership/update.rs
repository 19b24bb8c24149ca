//! How a change of the object changes who owns what.
//!
//! Owns: conflicts, take-overs, and the cap on the number of updaters.
//! Always holds: a removed field is nobody's; a changed field is only the changer's.
//! Deliberately does not know: what the change should be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Manager,
    compare::{Comparison, compare},
    conflict::Conflict,
    field_set::FieldSet,
    ignored_fields,
    managers::{Entry, Identity, Managers, Operation},
    strip_metadata,
};
use crate::kubernetes::schema::types::TypeSchema;

/// Takes changed and removed fields away from everyone but `me`, and drops who is left with none.
///
/// # Errors
/// Without `force`, the fields that others own and that changed; nothing is taken then.
pub(super) fn take_over(
    managers: &mut Managers,
    me: &Identity,
    change: &Comparison,
    force: bool,
) -> Result<(), Vec<Conflict>> {
    let changed = change.changed();
    let conflicts: Vec<Conflict> = managers
        .iter()
        .filter(|(identity, _)| *identity != me)
        .flat_map(|(identity, entry)| {
            let disputed = entry.set.intersection(&changed).paths();
            let conflict = |field| Conflict::new(identity, entry, field);
            disputed.iter().map(conflict).collect::<Vec<_>>()
        })
        .collect();
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    for (identity, entry) in managers.iter_mut() {
        if identity != me {
            entry.set = entry.set.difference(&changed).difference(&change.removed);
        }
    }
    managers.retain(|_, entry| !entry.set.is_empty());
    Ok(())
}

/// Records that `manager` turned `old` into `new`.
pub(super) fn update(
    managers: &mut Managers,
    old: &Value,
    new: &Value,
    manager: &Manager,
    schema: &TypeSchema,
) {
    let ignored = ignored_fields(manager, schema);
    let change = compare(old, new, &schema.root).without(&ignored);
    // The operation is its own owner at first, so that it takes fields over from every earlier
    // entry, this manager's included; it joins that entry at the end.
    let operation = Identity {
        manager: String::new(),
        ..Identity::new(manager, Operation::Update)
    };
    // Cannot fail, as it is forced.
    let _ = take_over(managers, &operation, &change, true);
    let set = change.changed().recursive_difference(&ignored);
    let entry = Entry {
        set,
        api_version: manager.api_version.clone(),
        time: Some(manager.time),
    };
    managers.insert(operation.clone(), entry);
    strip_metadata(managers, &operation);
    let Some(mut entry) = managers
        .remove(&operation)
        .filter(|entry| !entry.set.is_empty())
    else {
        return;
    };
    let me = Identity::new(manager, Operation::Update);
    if let Some(previous) = managers.get(&me) {
        entry.set = entry.set.union(&previous.set);
    }
    managers.insert(me, entry);
}

/// More updaters than this are merged into one per version.
const MAX_UPDATERS: usize = 10;

/// Merges the oldest updaters beyond the cap into an entry named `ancient-changes`.
pub(super) fn cap_updaters(managers: &mut Managers) {
    let mut updaters: Vec<_> = managers
        .iter()
        .filter(|(identity, _)| identity.operation == Operation::Update)
        .map(|(identity, entry)| (entry.time.map_or(0, |t| t.as_second()), identity.clone()))
        .collect();
    updaters.sort();
    let mut excess = updaters.len().saturating_sub(MAX_UPDATERS);
    let mut oldest: BTreeMap<String, Identity> = BTreeMap::new();
    for (_, identity) in updaters {
        if excess == 0 {
            break;
        }
        let Some(first) = oldest.get(&identity.api_version) else {
            oldest.insert(identity.api_version.clone(), identity);
            continue;
        };
        let bucket = Identity {
            manager: "ancient-changes".to_owned(),
            subresource: String::new(),
            ..identity.clone()
        };
        if !managers.contains_key(&bucket)
            && let Some(entry) = managers.remove(first)
        {
            managers.insert(bucket.clone(), entry);
        }
        if let Some(entry) = managers.remove(&identity) {
            let ancient = managers.entry(bucket).or_insert_with(|| Entry {
                set: FieldSet::default(),
                ..entry.clone()
            });
            ancient.set = ancient.set.union(&entry.set);
            ancient.time = entry.time;
        }
        excess -= 1;
    }
}
