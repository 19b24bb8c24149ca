//! Reading an `openAPIV3Schema`.
//!
//! Owns: the walk over a schema and the schemas in it.
//! Always holds: what is not understood is refused, never skipped.
//! Deliberately does not know: the object that the schema is for.

mod error;
mod keywords;
mod structure;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use error::SchemaError;

pub(super) use error::Place;

use self::{
    keywords::Reader,
    structure::{check_rules, check_structure, refuse_forbidden},
};
use super::schema::{Entries, Schema, Type};

/// Whether a schema is part of the structure, or only limits values of it (`allOf` and so on).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Structure,
    Limits,
}

pub(super) fn root(schema: &Value) -> Result<Schema, SchemaError> {
    let place = Place::root();
    let parsed = schema_at(schema, &place, Level::Root)?;
    match parsed.kind {
        Some(Type::Object) => Ok(parsed),
        Some(other) => Err(place
            .child("type")
            .invalid(other.name(), "must be object at the root")),
        None => Err(place
            .child("type")
            .required("must not be empty at the root")),
    }
}

fn schema_at(schema: &Value, place: &Place, level: Level) -> Result<Schema, SchemaError> {
    let Some(fields) = schema.as_object() else {
        return Err(place.invalid(schema.clone(), "must be a schema"));
    };
    refuse_forbidden(fields, place)?;
    let reader = Reader { fields, place };
    let parsed = Schema {
        kind: reader.kind()?,
        nullable: reader.flag("nullable"),
        default: fields
            .get("default")
            .filter(|value| !value.is_null())
            .cloned(),
        properties: properties(fields, place, level)?,
        entries: entries(fields, place, level)?,
        items: boxed(fields, "items", place, level)?,
        preserves_unknown: reader.flag("x-kubernetes-preserve-unknown-fields"),
        embedded_resource: reader.flag("x-kubernetes-embedded-resource"),
        int_or_string: reader.flag("x-kubernetes-int-or-string"),
        list: reader.list()?,
        limits: reader.limits()?,
        all_of: alternatives(fields, "allOf", place)?,
        any_of: alternatives(fields, "anyOf", place)?,
        one_of: alternatives(fields, "oneOf", place)?,
        not: boxed(fields, "not", place, Level::Limits)?,
        rules: reader.rules()?,
    };
    check_structure(&parsed, place, level)?;
    if level != Level::Limits {
        check_rules(&parsed, place, level)?;
    }
    Ok(parsed)
}

fn properties(
    fields: &Map<String, Value>,
    place: &Place,
    level: Level,
) -> Result<BTreeMap<String, Schema>, SchemaError> {
    let place = place.child("properties");
    let properties = fields.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let below = below(level);
            // The metadata of the object may be limited, but is not described.
            let level = match (level, name.as_str()) {
                (Level::Root, "metadata") => Level::Limits,
                _ => below,
            };
            Ok((name.clone(), schema_at(schema, &place.key(name), level)?))
        })
        .collect()
}

fn below(level: Level) -> Level {
    match level {
        Level::Root => Level::Structure,
        level => level,
    }
}

fn entries(
    fields: &Map<String, Value>,
    place: &Place,
    level: Level,
) -> Result<Entries, SchemaError> {
    match fields.get("additionalProperties") {
        None => Ok(Entries::Unspecified),
        Some(Value::Bool(true)) => Ok(Entries::Any),
        Some(Value::Bool(false)) => Ok(Entries::None),
        Some(schema) => {
            let place = place.child("additionalProperties");
            Ok(Entries::Of(Box::new(schema_at(
                schema,
                &place,
                below(level),
            )?)))
        }
    }
}

fn boxed(
    fields: &Map<String, Value>,
    keyword: &str,
    place: &Place,
    level: Level,
) -> Result<Option<Box<Schema>>, SchemaError> {
    let schema = fields.get(keyword).filter(|schema| !schema.is_null());
    schema
        .map(|schema| schema_at(schema, &place.child(keyword), below(level)).map(Box::new))
        .transpose()
}

fn alternatives(
    fields: &Map<String, Value>,
    keyword: &str,
    place: &Place,
) -> Result<Vec<Schema>, SchemaError> {
    let alternatives = fields.get(keyword).and_then(Value::as_array);
    let alternatives = alternatives.into_iter().flatten().enumerate();
    alternatives
        .map(|(i, schema)| {
            schema_at(
                schema,
                &place.child(keyword).key(&i.to_string()),
                Level::Limits,
            )
        })
        .collect()
}
