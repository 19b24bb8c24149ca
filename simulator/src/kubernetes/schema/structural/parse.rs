//! Reading an `openAPIV3Schema`.
//!
//! Owns: [`SchemaError`], and the rules of structural schemas that decide whether a CRD is taken.
//! Always holds: what is not understood is refused, never skipped.
//! Deliberately does not know: the object that the schema is for.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{
    defaults,
    field_error::{ErrorKind, FieldError, FieldPath},
    formats,
    rules::Rule,
    schema::{Bound, Entries, Limits, List, Schema, Type},
    values,
};

/// Why a schema is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The real server refuses it too.
    #[error("{path}: {problem}")]
    Invalid {
        /// The place in the schema, for example `openAPIV3Schema.properties[spec].type`; what is
        /// before it depends on the CRD's list of versions.
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

impl From<FieldError> for SchemaError {
    fn from(error: FieldError) -> Self {
        Self::Invalid {
            problem: error.message(),
            path: error.field,
        }
    }
}

/// A place in a schema, for errors.
#[derive(Clone)]
pub(super) struct Place(FieldPath);

impl Place {
    pub(super) fn child(&self, name: &str) -> Self {
        Self(self.0.field(name))
    }

    fn key(&self, name: &str) -> Self {
        Self(self.0.key(name))
    }

    fn invalid(&self, value: impl Into<Value>, detail: impl Into<String>) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Invalid, value, detail).into()
    }

    /// An invalid value that is shown as it is given.
    pub(super) fn invalid_shown(&self, value: String, detail: impl Into<String>) -> SchemaError {
        FieldError::shown(&self.0, value, detail).into()
    }

    pub(super) fn required(&self, detail: &str) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Required, Value::Null, detail).into()
    }

    fn forbidden(&self, detail: &str) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Forbidden, Value::Null, detail).into()
    }

    pub(super) fn unsupported(&self, value: &str, supported: &[&str]) -> SchemaError {
        let quoted: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        FieldError::new(&self.0, ErrorKind::NotSupported, value, detail).into()
    }

    pub(super) fn not_modelled(&self, what: impl Into<String>) -> SchemaError {
        SchemaError::NotModelled {
            path: self.0.to_string(),
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
    let place = Place(FieldPath::root().field("openAPIV3Schema"));
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

/// Keywords of JSON schema that a structural schema cannot have. What is no keyword at all does
/// not survive the decoding of a CRD and is ignored here too.
const FORBIDDEN: &[&str] = &[
    "$ref",
    "additionalItems",
    "definitions",
    "dependencies",
    "patternProperties",
];

fn refuse_forbidden(fields: &Map<String, Value>, place: &Place) -> Result<(), SchemaError> {
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

fn check_structure(schema: &Schema, place: &Place, level: Level) -> Result<(), SchemaError> {
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
fn check_rules(schema: &Schema, place: &Place, level: Level) -> Result<(), SchemaError> {
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
    match values::validate(&filled, None, schema).into_iter().next() {
        None => Ok(()),
        Some(mut error) => {
            let place = place.child("default").0;
            error.field = match error.field.as_str() {
                "<nil>" => place.to_string(),
                below => place.field(below).to_string(),
            };
            Err(error.into())
        }
    }
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
                let names = types.map(Type::name);
                Err(self.place.child("type").unsupported(name, &names))
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
                    let detail = "must not be empty if x-kubernetes-list-type is map";
                    let place = self.place.child("x-kubernetes-list-map-keys");
                    return Err(place.required(detail));
                }
                Ok(List::Map(keys))
            }
            Some(other) => {
                let place = self.place.child("x-kubernetes-list-type");
                Err(place.unsupported(other, &["atomic", "set", "map"]))
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
            let detail = format!("must be a valid regular expression, but isn't: {error}");
            self.place.child("pattern").invalid(pattern, detail)
        })
    }

    fn rules(&self) -> Result<Vec<Rule>, SchemaError> {
        let rules = self
            .fields
            .get("x-kubernetes-validations")
            .and_then(Value::as_array);
        let place = self.place.child("x-kubernetes-validations");
        rules
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(i, rule)| Rule::parse(rule, &place.key(&i.to_string())))
            .collect()
    }
}
