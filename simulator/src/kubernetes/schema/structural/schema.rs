//! The parsed schema of one place in a custom resource.
//!
//! Always holds: patterns and rules are compiled; every nested schema is as valid as its parent.
//! Deliberately does not know: JSON text; see `parse`.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{formats::Format, rules::Rule};

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Array,
    Boolean,
    Integer,
    Number,
    Object,
    String,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }
}

/// What may stand at one place.
#[derive(Debug, Default)]
pub(super) struct Schema {
    pub(super) kind: Option<Type>,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) entries: Entries,
    pub(super) items: Option<Box<Schema>>,
    pub(super) preserves_unknown: bool,
    pub(super) embedded_resource: bool,
    pub(super) int_or_string: bool,
    pub(super) list: List,
    pub(super) limits: Limits,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    pub(super) rules: Vec<Rule>,
}

/// What a map may hold beyond its properties.
#[derive(Debug, Default)]
pub(super) enum Entries {
    /// `additionalProperties` is not there.
    #[default]
    Unspecified,
    /// Anything.
    Any,
    /// Nothing.
    None,
    /// Values of this schema.
    Of(Box<Schema>),
}

impl Entries {
    pub(super) fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Of(schema) => Some(schema),
            _ => None,
        }
    }

    /// Whether entries beyond the properties survive pruning.
    pub(super) fn allowed(&self) -> bool {
        matches!(self, Self::Any | Self::Of(_))
    }
}

/// What tells items of a list apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// Limits on values. Numbers as in the schema's JSON: comparisons are made on floats.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) required: Vec<String>,
    pub(super) one_of_values: Vec<Value>,
    pub(super) maximum: Option<Bound>,
    pub(super) minimum: Option<Bound>,
    pub(super) multiple_of: Option<f64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_length: Option<u64>,
    pub(super) pattern: Option<Regex>,
    pub(super) format: Option<Format>,
    pub(super) max_items: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) min_properties: Option<u64>,
}

/// A limit on numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) exclusive: bool,
}

impl Schema {
    /// The schema of a field or entry of a map.
    pub(super) fn field(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(self.entries.schema())
    }

    /// Every schema directly below, alternatives included.
    pub(super) fn below(&self) -> impl Iterator<Item = &Schema> {
        let alternatives = self.all_of.iter().chain(&self.any_of).chain(&self.one_of);
        (self.properties.values())
            .chain(self.entries.schema())
            .chain(self.items.as_deref())
            .chain(self.not.as_deref())
            .chain(alternatives)
    }
}
