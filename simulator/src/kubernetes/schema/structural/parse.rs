//! Reading an `openAPIV3Schema`.
//!
//! Owns: [`SchemaError`], and the rules of structural schemas that decide whether a CRD is taken.
//! Always holds: what is not understood is refused, never skipped.
//! Deliberately does not know: the object that the schema is for.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{
    formats,
    rules::Rule,
    schema::{Bound, Entries, Limits, List, Schema, Type},
};

/// Why a schema is not accepted. The text reads as a field error of the CRD, with the path
/// inside the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The real server refuses it too.
    #[error("{path}: {problem}")]
    Invalid {
        /// The place in the schema, for example `openAPIV3Schema.properties[spec].type`.
        path: String,
        /// For example `Required value: must not be empty for specified object fields`.
        problem: String,
    },
    /// The real server takes it; this one cannot.
    #[error("{path}: not modelled: {what}")]
    NotModelled {
        /// The place in the schema.
        path: String,
        /// What is asked for.
        what: String,
    },
}

/// A place in a schema, for errors.
#[derive(Clone)]
pub(super) struct Place(String);

impl Place {
    fn child(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    fn key(&self, name: &str) -> Self {
        Self(format!("{}[{name}]", self.0))
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> SchemaError {
        SchemaError::Invalid {
            path: self.0.clone(),
            problem: problem.into(),
        }
    }

    pub(super) fn not_modelled(&self, what: impl Into<String>) -> SchemaError {
        SchemaError::NotModelled {
            path: self.0.clone(),
            what: what.into(),
        }
    }
}

/// Whether a schema is part of the structure, or only limits values of it (`allOf` and so on).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Structure,
    Limits,
}

pub(super) fn root(schema: &Value) -> Result<Schema, SchemaError> {
    let place = Place("openAPIV3Schema".to_owned());
    let parsed = schema_at(schema, &place, Level::Root)?;
    if parsed.kind != Some(Type::Object) {
        return Err(place
            .child("type")
            .invalid("Required value: must be object at the root"));
    }
    Ok(parsed)
}

fn schema_at(schema: &Value, place: &Place, level: Level) -> Result<Schema, SchemaError> {
    let Some(fields) = schema.as_object() else {
        return Err(place.invalid(format!("Invalid value: {schema}: must be a schema")));
    };
    refuse_unknown(fields, place)?;
    let reader = Reader { fields, place };
    let mut parsed = Schema {
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
        rules: Vec::new(),
    };
    parsed.rules = reader.rules(&parsed)?;
    check_structure(&parsed, place, level)?;
    Ok(parsed)
}

/// Keywords that are read, or that carry no meaning for values.
const KNOWN: &[&str] = &[
    "type",
    "nullable",
    "default",
    "properties",
    "additionalProperties",
    "items",
    "required",
    "enum",
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "multipleOf",
    "maxLength",
    "minLength",
    "pattern",
    "format",
    "maxItems",
    "minItems",
    "maxProperties",
    "minProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "description",
    "title",
    "example",
    "externalDocs",
    "uniqueItems",
];

fn refuse_unknown(fields: &Map<String, Value>, place: &Place) -> Result<(), SchemaError> {
    if fields.get("uniqueItems") == Some(&Value::Bool(true)) {
        let problem = "Forbidden: uniqueItems cannot be set to true since the runtime complexity \
                       becomes quadratic";
        return Err(place.child("uniqueItems").invalid(problem));
    }
    match fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if key.starts_with("x-") || key == "$schema" || key == "id" => {
            Err(place.child(key).not_modelled(key))
        }
        Some(key) => {
            let problem = format!("Forbidden: {key} is not supported");
            Err(place.child(key).invalid(problem))
        }
    }
}

fn check_structure(schema: &Schema, place: &Place, level: Level) -> Result<(), SchemaError> {
    let required = |what: &str, why: &str| {
        let problem = format!("Required value: {why}");
        Err(place.child(what).invalid(problem))
    };
    if schema.kind == Some(Type::Array) && schema.items.is_none() && level != Level::Limits {
        return required("items", "must be specified");
    }
    if level == Level::Structure
        && schema.kind.is_none()
        && !schema.int_or_string
        && !schema.preserves_unknown
    {
        return required("type", "must not be empty for specified object fields");
    }
    if schema.embedded_resource && schema.properties.is_empty() && !schema.preserves_unknown {
        let problem =
            "must be true if x-kubernetes-embedded-resource is true and properties is empty";
        return required("x-kubernetes-preserve-unknown-fields", problem);
    }
    if let List::Map(keys) = &schema.list {
        let item = schema.items.as_deref();
        for key in keys {
            if item.is_none_or(|item| !item.properties.contains_key(key)) {
                let problem = format!(
                    "Invalid value: {key:?}: must be the name of a property in items.properties"
                );
                return Err(place.child("x-kubernetes-list-map-keys").invalid(problem));
            }
        }
    }
    Ok(())
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

/// Reads the keywords of one schema that are no schemas themselves.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    place: &'a Place,
}

impl Reader<'_> {
    fn flag(&self, keyword: &str) -> bool {
        self.fields.get(keyword) == Some(&Value::Bool(true))
    }

    fn text(&self, keyword: &str) -> Option<&str> {
        let text = self.fields.get(keyword).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    fn count(&self, keyword: &str) -> Option<u64> {
        self.fields.get(keyword).and_then(Value::as_u64)
    }

    fn number(&self, keyword: &str) -> Option<f64> {
        self.fields.get(keyword).and_then(Value::as_f64)
    }

    fn bound(&self, keyword: &str, exclusive: &str) -> Option<Bound> {
        let value = self.number(keyword)?;
        let exclusive = self.flag(exclusive);
        Some(Bound { value, exclusive })
    }

    fn kind(&self) -> Result<Option<Type>, SchemaError> {
        let Some(name) = self.text("type") else {
            return Ok(None);
        };
        let types = [
            Type::Array,
            Type::Boolean,
            Type::Integer,
            Type::Number,
            Type::Object,
            Type::String,
        ];
        match types.into_iter().find(|kind| kind.name() == name) {
            Some(kind) => Ok(Some(kind)),
            None => {
                let problem = format!(
                    "Unsupported value: {name:?}: supported values: \"array\", \"boolean\", \
                     \"integer\", \"number\", \"object\", \"string\""
                );
                Err(self.place.child("type").invalid(problem))
            }
        }
    }

    fn list(&self) -> Result<List, SchemaError> {
        match self.text("x-kubernetes-list-type") {
            None | Some("atomic") => Ok(List::Atomic),
            Some("set") => Ok(List::Set),
            Some("map") => {
                let keys = self.strings("x-kubernetes-list-map-keys");
                if keys.is_empty() {
                    let problem =
                        "Required value: must not be empty if x-kubernetes-list-type is map";
                    return Err(self
                        .place
                        .child("x-kubernetes-list-map-keys")
                        .invalid(problem));
                }
                Ok(List::Map(keys))
            }
            Some(other) => {
                let problem = format!(
                    "Unsupported value: {other:?}: supported values: \"atomic\", \"map\", \"set\""
                );
                Err(self.place.child("x-kubernetes-list-type").invalid(problem))
            }
        }
    }

    fn strings(&self, keyword: &str) -> Vec<String> {
        let strings = self.fields.get(keyword).and_then(Value::as_array);
        let strings = strings.into_iter().flatten().filter_map(Value::as_str);
        strings.map(str::to_owned).collect()
    }

    fn limits(&self) -> Result<Limits, SchemaError> {
        let format = self.text("format").map(|format| {
            let place = self.place.child("format");
            formats::find(format).map_err(|what| place.not_modelled(what))
        });
        Ok(Limits {
            required: self.strings("required"),
            one_of_values: (self.fields.get("enum"))
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            maximum: self.bound("maximum", "exclusiveMaximum"),
            minimum: self.bound("minimum", "exclusiveMinimum"),
            multiple_of: self.number("multipleOf"),
            max_length: self.count("maxLength"),
            min_length: self.count("minLength"),
            pattern: self.pattern()?,
            format: format.transpose()?.flatten(),
            max_items: self.count("maxItems"),
            min_items: self.count("minItems"),
            max_properties: self.count("maxProperties"),
            min_properties: self.count("minProperties"),
        })
    }

    fn pattern(&self) -> Result<Option<Regex>, SchemaError> {
        let Some(pattern) = self.text("pattern") else {
            return Ok(None);
        };
        Regex::new(pattern).map(Some).map_err(|error| {
            let problem = format!(
                "Invalid value: {pattern:?}: must be a valid regular expression, but isn't: {error}"
            );
            self.place.child("pattern").invalid(problem)
        })
    }

    fn rules(&self, schema: &Schema) -> Result<Vec<Rule>, SchemaError> {
        let rules = self
            .fields
            .get("x-kubernetes-validations")
            .and_then(Value::as_array);
        let place = self.place.child("x-kubernetes-validations");
        rules
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(i, rule)| Rule::parse(rule, schema, &place.key(&i.to_string())))
            .collect()
    }
}
