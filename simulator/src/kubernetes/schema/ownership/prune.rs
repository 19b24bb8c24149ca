//! Removal of what an applier used to apply and no longer does.
//!
//! Always holds: only fields of the manager's previous configuration go, and only those that
//! nobody, the manager's new configuration included, claims.
//! Deliberately does not know: conflicts.

use serde_json::Value;

use super::{
    field_set::FieldSet,
    managers::{Identity, Managers},
    owned_fields::owned_fields,
    remove::remove,
};
use crate::kubernetes::schema::types::Node;

/// `merged` without the fields of `previous`, the last configuration of the manager `who`, that
/// no one in `managers` owns any more.
pub(super) fn prune(
    merged: &Value,
    previous: &FieldSet,
    who: &Identity,
    managers: &Managers,
    node: &Node,
) -> Value {
    let still_applied = managers
        .get(who)
        .map_or_else(FieldSet::default, |me| me.set.clone());
    if previous.difference(&still_applied).is_empty() {
        // The common case: an operator applies the same fields over and over.
        return merged.clone();
    }
    let previous = previous.with_named_fields(node);
    let everything = owned_fields(merged, node).with_named_fields(node);
    let claimed = managers
        .values()
        .fold(FieldSet::default(), |all, entry| all.union(&entry.set))
        .with_named_fields(node);

    // Removing a field takes along what others own below it, so each cut is made afresh from the
    // merged object, with a set that names exactly what is really to go.
    let cut = remove(merged, &previous, node);
    let left = owned_fields(&cut, node).with_named_fields(node);
    let with_claimed = remove(merged, &everything.difference(&left.union(&claimed)), node);
    let left = owned_fields(&with_claimed, node).with_named_fields(node);
    let gone = everything.difference(&left).intersection(&previous);
    remove(merged, &gone, node)
}
