//! What differs between two versions of an object, place by place.
//!
//! Owns: [`Comparison`].
//! Always holds: the three sets do not overlap.
//! Deliberately does not know: who made the change.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    field_set::FieldSet,
    items::{Walk, items, walk},
    path::PathElement,
};
use crate::kubernetes::schema::types::Node;

/// Where two versions of an object differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// Leaves out everything under the given fields.
    pub(super) fn without(self, ignored: &FieldSet) -> Self {
        Self {
            added: self.added.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            removed: self.removed.recursive_difference(ignored),
        }
    }

    /// The places whose value is new.
    pub(super) fn changed(&self) -> FieldSet {
        self.modified.union(&self.added)
    }
}

/// Compares two versions of an object.
pub(super) fn compare(old: &Value, new: &Value, node: &Node) -> Comparison {
    let mut comparer = Comparer::default();
    comparer.visit(Some(old), Some(new), node);
    comparer.comparison
}

#[derive(Default)]
struct Comparer {
    comparison: Comparison,
    path: Vec<PathElement>,
}

impl Comparer {
    fn visit(&mut self, old: Option<&Value>, new: Option<&Value>, node: &Node) {
        let (old_walk, new_walk) = (walk(node, old), walk(node, new));
        let leaf = match (old, new) {
            (_, None) => self.visit_as(old_walk, old, new, node),
            (Some(_), Some(_)) if old_walk != new_walk => {
                self.visit_as(old_walk, old, new, node);
                self.visit_as(new_walk, old, new, node)
            }
            _ => self.visit_as(new_walk, old, new, node),
        };
        if !leaf && old.is_none() {
            self.comparison.added.insert(&self.path);
        } else if !leaf && new.is_none() {
            self.comparison.removed.insert(&self.path);
        }
    }

    /// Whether the place turned out to be a leaf.
    fn visit_as(
        &mut self,
        how: Walk,
        old: Option<&Value>,
        new: Option<&Value>,
        node: &Node,
    ) -> bool {
        match how {
            Walk::Map if !(is_empty_map(old) && is_empty_map(new)) => {
                self.visit_fields(old, new, node);
                false
            }
            Walk::List if !(is_empty_list(old) && is_empty_list(new)) => {
                self.visit_items(old, new, node);
                false
            }
            _ => {
                self.leaf(old, new);
                true
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.comparison.added.insert(&self.path),
            (_, None) => self.comparison.removed.insert(&self.path),
            (Some(old), Some(new)) if !same(old, new) => {
                self.comparison.modified.insert(&self.path);
            }
            _ => {}
        }
    }

    fn visit_fields(&mut self, old: Option<&Value>, new: Option<&Value>, node: &Node) {
        let empty = Map::new();
        let old = old.and_then(Value::as_object).unwrap_or(&empty);
        let new = new.and_then(Value::as_object).unwrap_or(&empty);
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            if let Some(below) = node.field(name) {
                self.descend(
                    PathElement::Field(name.clone()),
                    old.get(name),
                    new.get(name),
                    below,
                );
            }
        }
    }

    fn visit_items(&mut self, old: Option<&Value>, new: Option<&Value>, node: &Node) {
        let old = items(node, old).unwrap_or_default();
        let new = items(node, new).unwrap_or_default();
        let elements: BTreeSet<&PathElement> =
            old.iter().chain(&new).map(|(element, _)| element).collect();
        for element in elements {
            let of = |list: &[(PathElement, &'_ Value)]| -> Vec<Value> {
                let twins = list.iter().filter(|(other, _)| other == element);
                twins.map(|(_, item)| (*item).clone()).collect()
            };
            self.visit_twins(element, &of(&old), &of(&new), node.item());
        }
    }

    /// Items with the same key are one place as a whole; normally there is one on each side.
    fn visit_twins(&mut self, element: &PathElement, old: &[Value], new: &[Value], item: &Node) {
        let mut path = self.path.clone();
        path.push(element.clone());
        match (old, new) {
            ([] | [_], [] | [_]) => self.descend(element.clone(), old.first(), new.first(), item),
            ([_, _, ..], [_, _, ..]) => {
                if !same(&Value::from(old), &Value::from(new)) {
                    self.comparison.modified.insert(&path);
                }
            }
            ([_, _, ..], _) => {
                if let Some(new) = new.first() {
                    self.descend(element.clone(), None, Some(new), item);
                }
                self.comparison.removed.insert(&path);
            }
            (_, [_, _, ..]) => {
                if let Some(old) = old.first() {
                    self.descend(element.clone(), Some(old), None, item);
                }
                self.comparison.added.insert(&path);
            }
        }
    }

    fn descend(
        &mut self,
        element: PathElement,
        old: Option<&Value>,
        new: Option<&Value>,
        node: &Node,
    ) {
        self.path.push(element);
        self.visit(old, new, node);
        self.path.pop();
    }
}

fn is_empty_map(value: Option<&Value>) -> bool {
    value.and_then(Value::as_object).is_none_or(Map::is_empty)
}

fn is_empty_list(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// Equality of JSON values where 1 and 1.0 are the same number.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
