//! JSON values as CEL sees them, given their schema.
//!
//! Always holds: field names are escaped as rules must write them; keys of maps are not; fields
//! that the schema does not have are invisible.
//! Deliberately does not know: rules.

use std::{collections::HashMap, sync::Arc};

use kube_cel::cel::{
    Context, Program, Value as CelValue,
    objects::{Key, Map, OptionalValue},
};
use serde_json::Value;

use crate::kubernetes::schema::structural::schema::{Schema, Type};

/// Words of the language that cannot be field names.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A whole object: its type and name are visible without being in the schema.
pub(super) fn from_object(object: &Value, schema: &Schema) -> CelValue {
    let Value::Object(fields) = object else {
        return from_json(object, Some(schema));
    };
    let mut map = struct_fields(object, schema);
    for name in ["apiVersion", "kind"] {
        if let Some(value) = fields.get(name) {
            map.insert(key(name), from_json(value, None));
        }
    }
    if let Some(metadata) = fields.get("metadata") {
        let visible = ["name", "generateName"].into_iter();
        let visible = visible.filter_map(|name| {
            let value = metadata.get(name)?;
            Some((key(name), from_json(value, None)))
        });
        map.insert(key("metadata"), to_map(visible.collect()));
    }
    to_map(map)
}

/// A value of a schema; without one, numbers and strings are what they look like.
pub(super) fn from_json(value: &Value, schema: Option<&Schema>) -> CelValue {
    let kind = schema.and_then(|schema| schema.kind);
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => from_number(number, kind),
        Value::String(text) => from_text(text, schema),
        Value::Array(items) => {
            let below = schema.and_then(|schema| schema.items.as_deref());
            let items = items.iter().map(|item| from_json(item, below));
            CelValue::List(Arc::new(items.collect()))
        }
        Value::Object(fields) => match schema {
            Some(schema) if !schema.properties.is_empty() => to_map(struct_fields(value, schema)),
            _ => {
                let below = schema.and_then(|schema| schema.entries.schema());
                let entries = fields.iter();
                to_map(
                    entries
                        .map(|(name, value)| (key(name), from_json(value, below)))
                        .collect(),
                )
            }
        },
    }
}

/// An optional that may hold a value.
pub(super) fn optional(value: Option<CelValue>) -> CelValue {
    let optional = value.map_or_else(OptionalValue::none, OptionalValue::of);
    CelValue::Opaque(Arc::new(optional))
}

fn struct_fields(value: &Value, schema: &Schema) -> HashMap<Key, CelValue> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter_map(|(name, value)| {
            let below = schema.properties.get(name)?;
            Some((key(&escape(name)), from_json(value, Some(below))))
        })
        .collect()
}

fn to_map(map: HashMap<Key, CelValue>) -> CelValue {
    CelValue::Map(Map { map: Arc::new(map) })
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn from_number(number: &serde_json::Number, kind: Option<Type>) -> CelValue {
    let float = number.as_f64().unwrap_or(f64::NAN);
    match (kind, number.as_i64()) {
        (Some(Type::Number), _) | (_, None) => CelValue::Float(float),
        (_, Some(int)) => CelValue::Int(int),
    }
}

fn from_text(text: &str, schema: Option<&Schema>) -> CelValue {
    let plain = || CelValue::String(Arc::new(text.to_owned()));
    let format = schema.and_then(|schema| schema.limits.format);
    let conversion = match format.map(|format| format.name) {
        Some("date-time" | "datetime") => "timestamp(text)",
        Some("duration") => "duration(text)",
        _ => return plain(),
    };
    let mut context = Context::default();
    context.add_variable_from_value("text", text.to_owned());
    let converted = Program::compile(conversion).map(|program| program.execute(&context));
    // What does not convert has been reported by the check of the format already.
    converted.ok().and_then(Result::ok).unwrap_or_else(plain)
}

/// The name by which a rule reaches a field.
pub(super) fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
