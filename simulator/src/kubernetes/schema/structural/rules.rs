//! `x-kubernetes-validations`: CEL rules on values.
//!
//! Owns: the walk that brings each rule its `self` and `oldSelf`.
//! Always holds: rules see non-null values only; a transition rule runs only where there is an
//! old value, unless it takes it as an optional.
//! Deliberately does not know: how rules are compiled; see [`Rule`].

mod cel_value;
mod fields;
mod library;
mod rule;

use std::cell::OnceCell;

use serde_json::Value;

pub(super) use rule::Rule;

use self::rule::Subject;
use super::{
    correlation,
    field_error::{FieldError, FieldPath},
    schema::Schema,
};

/// Whether a schema has rules anywhere.
pub(super) fn any(schema: &Schema) -> bool {
    !schema.rules.is_empty() || schema.below().any(any)
}

/// The rules that a whole object breaks.
pub(super) fn validate(object: &Value, old: Option<&Value>, root: &Schema) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let place = Place {
        rules: root,
        types: root,
        is_object: true,
        path: FieldPath::root(),
    };
    visit(object, old, &place, &mut errors);
    errors
}

/// A place on the walk.
struct Place<'a> {
    /// Where the rules come from.
    rules: &'a Schema,
    /// What the values are: differs from `rules` inside `allOf`.
    types: &'a Schema,
    /// Whether a whole object with its metadata stands here.
    is_object: bool,
    path: FieldPath,
}

fn visit(value: &Value, old: Option<&Value>, place: &Place<'_>, errors: &mut Vec<FieldError>) {
    if value.is_null() {
        return;
    }
    let old = old.filter(|old| !old.is_null());
    let subject = Subject {
        value,
        old,
        schema: place.types,
        is_object: place.is_object,
        path: &place.path,
        seen: OnceCell::new(),
    };
    errors.extend(
        place
            .rules
            .rules
            .iter()
            .filter_map(|rule| rule.check(&subject)),
    );
    for rules in &place.rules.all_of {
        let path = place.path.clone();
        visit(
            value,
            old,
            &Place {
                rules,
                path,
                ..*place
            },
            errors,
        );
    }
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let old = correlation::item(old, item, place.types);
                let items = place
                    .rules
                    .items
                    .as_deref()
                    .zip(place.types.items.as_deref());
                descend(item, old, items, place.path.index(i), errors);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let old = correlation::field(old, name);
                let property =
                    (place.rules.properties.get(name)).zip(place.types.properties.get(name));
                let entry = place
                    .rules
                    .entries
                    .schema()
                    .zip(place.types.entries.schema());
                let path = match property {
                    Some(_) => place.path.field(name),
                    None => place.path.key(name),
                };
                descend(value, old, property.or(entry), path, errors);
            }
        }
        _ => {}
    }
}

fn descend(
    value: &Value,
    old: Option<&Value>,
    schemas: Option<(&Schema, &Schema)>,
    path: FieldPath,
    errors: &mut Vec<FieldError>,
) {
    if let Some((rules, types)) = schemas {
        let is_object = types.embedded_resource;
        let place = Place {
            rules,
            types,
            is_object,
            path,
        };
        visit(value, old, &place, errors);
    }
}
