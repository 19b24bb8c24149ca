//! The rules that make a schema structural.
//!
//! Always holds: a schema that passes says of every field what type it is, and every default and
//! every rule fits the schema that it belongs to.
//! Deliberately does not know: how keywords are read.

use serde_json::{Map, Value};

use super::{Level, Place, SchemaError};
use crate::kubernetes::schema::structural::{
    defaults,
    schema::{List, Schema, Type},
    values,
};

/// Keywords of JSON schema that a structural schema cannot have. What is no keyword at all does
/// not survive the decoding of a CRD and is ignored here too.
const FORBIDDEN: &[&str] = &[
    "$ref",
    "additionalItems",
    "definitions",
    "dependencies",
    "patternProperties",
];

pub(super) fn refuse_forbidden(
    fields: &Map<String, Value>,
    place: &Place,
) -> Result<(), SchemaError> {
    if fields.get("uniqueItems") == Some(&Value::Bool(true)) {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes \
                      quadratic";
        return Err(place.child("uniqueItems").forbidden(detail));
    }
    match FORBIDDEN
        .iter()
        .find(|keyword| fields.contains_key(**keyword))
    {
        None => Ok(()),
        Some(keyword) => {
            let detail = format!("{keyword} is not supported");
            Err(place.child(keyword).forbidden(&detail))
        }
    }
}

pub(super) fn check_structure(
    schema: &Schema,
    place: &Place,
    level: Level,
) -> Result<(), SchemaError> {
    if schema.kind == Some(Type::Array) && schema.items.is_none() && level != Level::Limits {
        return Err(place.child("items").required("must be specified"));
    }
    let any_type = schema.int_or_string || schema.preserves_unknown;
    if level == Level::Structure && schema.kind.is_none() && !any_type {
        let detail = "must not be empty for specified object fields";
        return Err(place.child("type").required(detail));
    }
    if schema.embedded_resource && schema.properties.is_empty() && !schema.preserves_unknown {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        return Err(place.child("properties").required(detail));
    }
    if let List::Map(keys) = &schema.list {
        check_keys(keys, schema.items.as_deref(), place)?;
    }
    check_default(schema, place)
}

/// Rules may only name fields that there are.
pub(super) fn check_rules(schema: &Schema, place: &Place, level: Level) -> Result<(), SchemaError> {
    let place = place.child("x-kubernetes-validations");
    let is_object = level == Level::Root || schema.embedded_resource;
    let mut rules = schema.rules.iter().enumerate();
    rules.try_for_each(|(i, rule)| rule.check_fields(schema, is_object, &place.key(&i.to_string())))
}

/// Keys of a keyed list must be properties of its items that are always there.
fn check_keys(keys: &[String], item: Option<&Schema>, place: &Place) -> Result<(), SchemaError> {
    let property = |key: &String| item.and_then(|item| item.properties.get(key));
    if keys.iter().any(|key| property(key).is_none()) {
        let detail = "entries must all be names of item properties";
        return Err(place
            .child("x-kubernetes-list-map-keys")
            .invalid(keys.to_vec(), detail));
    }
    let required = |key: &String| item.is_some_and(|item| item.limits.required.contains(key));
    let missing = keys.iter().find(|key| {
        let default = property(key).and_then(|property| property.default.as_ref());
        default.is_none() && !required(key)
    });
    match missing {
        None => Ok(()),
        Some(key) => {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a \
                          default or be a required property";
            let place = place.child("items").child("properties").key(key);
            Err(place.child("default").required(detail))
        }
    }
}

fn check_default(schema: &Schema, place: &Place) -> Result<(), SchemaError> {
    let Some(default) = &schema.default else {
        return Ok(());
    };
    let mut filled = default.clone();
    defaults::fill(&mut filled, schema);
    let errors = values::validate(&filled, None, schema);
    match errors.into_iter().next() {
        None => Ok(()),
        Some(error) => Err(place.child("default").locate(error)),
    }
}
