//! The keywords of a schema that are no schemas themselves.
//!
//! Deliberately does not know: which keywords go together.

use regex::Regex;
use serde_json::{Map, Value};

use super::{Place, SchemaError};
use crate::kubernetes::schema::structural::{
    formats,
    rules::Rule,
    schema::{Bound, Limits, List, Type},
};

/// Reads the keywords of one schema that are no schemas themselves.
pub(super) struct Reader<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) place: &'a Place,
}

impl Reader<'_> {
    pub(super) fn flag(&self, keyword: &str) -> bool {
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

    pub(super) fn kind(&self) -> Result<Option<Type>, SchemaError> {
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

    pub(super) fn list(&self) -> Result<List, SchemaError> {
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

    pub(super) fn limits(&self) -> Result<Limits, SchemaError> {
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

    pub(super) fn rules(&self) -> Result<Vec<Rule>, SchemaError> {
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
