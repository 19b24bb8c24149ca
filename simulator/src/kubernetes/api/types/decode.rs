//! Decoding JSON into a built-in type, as Go would.
//!
//! Owns: type mismatches with Go's words, unknown fields, and what Go drops when it encodes again.
//! Always holds: decoding what was decoded changes nothing.
//! Deliberately does not know: whether the values make sense.

use serde_json::{Map, Value};

use super::{Field, Type, Types, zero};
use crate::kubernetes::api::{metadata, quantity};

/// A value of the wrong type, in the words of Go's JSON decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::kubernetes::api) struct Mismatch(String);

/// Decodes in place, and gives the paths of fields that the type does not have (they are dropped).
pub(in crate::kubernetes::api) fn decode(
    value: &mut Value,
    of: &Type,
) -> Result<Vec<String>, Mismatch> {
    let mut decoder = Decoder {
        types: Types::built_in(),
        holder: "",
        path: Vec::new(),
        unknown: Vec::new(),
    };
    decoder.value(value, of)?;
    Ok(decoder.unknown)
}

/// Decodes the `metadata` of an object whose kind is not built in.
pub(in crate::kubernetes::api) fn decode_metadata(
    object: &mut Value,
) -> Result<Vec<String>, Mismatch> {
    let of = Types::object_meta();
    let types = Types::built_in();
    let mut decoder = Decoder {
        types,
        holder: "",
        path: Vec::new(),
        unknown: Vec::new(),
    };
    decoder.value(&mut object["metadata"], &of)?;
    Ok(decoder
        .unknown
        .iter()
        .map(|path| format!("metadata.{path}"))
        .collect())
}

/// A step of the way from the root to a value.
enum Part {
    Field(String),
    Key(String),
    Index(usize),
}

impl Part {
    /// Go names only the fields in its messages.
    fn field(&self) -> Option<&str> {
        match self {
            Self::Field(name) => Some(name),
            Self::Key(_) | Self::Index(_) => None,
        }
    }
}

struct Decoder<'a> {
    types: &'a Types,
    /// The struct whose field is being decoded.
    holder: &'a str,
    path: Vec<Part>,
    unknown: Vec<String>,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, value: &mut Value, of: &'a Type) -> Result<(), Mismatch> {
        let fits = match of {
            Type::Any => true,
            Type::Text => value.is_string(),
            Type::Bool => value.is_boolean(),
            Type::Int32 => value
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            Type::Int64 => value.as_i64().is_some() || whole(value),
            Type::Float => value.is_number(),
            Type::Time => return time(value),
            Type::MicroTime => return micro_time(value),
            Type::Base64 => return self.base64(value),
            Type::IntOrText => value.is_string() || value.as_i64().is_some(),
            Type::Quantity => return self.quantity(value),
            Type::List(item) => return self.list(value, item, of),
            Type::Map(item) => return self.map(value, item, of),
            Type::Struct(name) => return self.fields(value, name, of),
            Type::Either(first, second) => return self.either(value, first, second),
        };
        if fits {
            Ok(())
        } else {
            Err(self.mismatch(value, of))
        }
    }

    fn list(&mut self, value: &mut Value, item: &'a Type, of: &Type) -> Result<(), Mismatch> {
        let Value::Array(items) = value else {
            return Err(self.mismatch(value, of));
        };
        for (index, value) in items.iter_mut().enumerate() {
            self.path.push(Part::Index(index));
            if value.is_null() {
                *value = zero_of(item);
            } else {
                self.value(value, item)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    fn map(&mut self, value: &mut Value, item: &'a Type, of: &Type) -> Result<(), Mismatch> {
        let Value::Object(entries) = value else {
            return Err(self.mismatch(value, of));
        };
        for (key, value) in entries.iter_mut() {
            self.path.push(Part::Key(key.clone()));
            if value.is_null() {
                *value = zero_of(item);
            } else {
                self.value(value, item)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    fn fields(&mut self, value: &mut Value, name: &str, of: &Type) -> Result<(), Mismatch> {
        let Some(known) = self.types.get(name) else {
            return Ok(());
        };
        let Value::Object(fields) = value else {
            return Err(self.mismatch(value, of));
        };
        let outer = std::mem::replace(&mut self.holder, &known.name);
        let mut dropped = Vec::new();
        for (name, value) in fields.iter_mut() {
            self.path.push(Part::Field(name.clone()));
            match known.fields.get(name) {
                None => {
                    self.unknown.push(self.at());
                    dropped.push(name.clone());
                }
                Some(_) if value.is_null() => dropped.push(name.clone()),
                Some(field) => {
                    self.value(value, &field.of)?;
                    if is_omitted(field, value) || zero::is_omitted(&known.name, name, value) {
                        dropped.push(name.clone());
                    }
                }
            }
            self.path.pop();
        }
        self.holder = outer;
        fields.retain(|name, _| !dropped.contains(name));
        Ok(())
    }

    fn either(
        &mut self,
        value: &mut Value,
        first: &'a Type,
        second: &'a Type,
    ) -> Result<(), Mismatch> {
        if value.is_object() {
            self.value(value, first)
        } else {
            self.value(value, second)
        }
    }

    fn base64(&self, value: &mut Value) -> Result<(), Mismatch> {
        let Value::String(text) = value else {
            return Err(self.mismatch(value, &Type::Base64));
        };
        let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        let body = text.trim_end_matches('=').as_bytes();
        let wrong = body.iter().position(|b| !valid(*b));
        match wrong {
            Some(at) => Err(Mismatch(format!("illegal base64 data at input byte {at}"))),
            None if text.len() % 4 != 0 => Err(Mismatch(format!(
                "illegal base64 data at input byte {}",
                text.len() / 4 * 4
            ))),
            None => Ok(()),
        }
    }

    fn quantity(&self, value: &mut Value) -> Result<(), Mismatch> {
        let text = match &*value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(self.mismatch(value, &Type::Quantity)),
        };
        if !quantity::is_valid(&text) {
            let rule = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
            return Err(Mismatch(format!(
                "quantities must match the regular expression '{rule}'"
            )));
        }
        *value = text.into();
        Ok(())
    }

    fn at(&self) -> String {
        let mut text = String::new();
        for part in &self.path {
            match part {
                Part::Index(index) => text.push_str(&format!("[{index}]")),
                Part::Key(name) | Part::Field(name) if text.is_empty() => text.push_str(name),
                Part::Key(name) | Part::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
            }
        }
        text
    }

    fn mismatch(&self, value: &Value, of: &Type) -> Mismatch {
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if matches!(of, Type::Int32 | Type::Int64) => {
                format!("number {number}")
            }
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let names: Vec<&str> = self.path.iter().filter_map(Part::field).collect();
        Mismatch(format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {}",
            self.holder,
            names.join("."),
            of.go_name(self.types)
        ))
    }
}

/// Times are kept in whole seconds, in UTC.
fn time(value: &mut Value) -> Result<(), Mismatch> {
    let Value::String(text) = value else {
        return Err(Mismatch(format!("parsing time {value}: not a string")));
    };
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => {
            *text = metadata::time(at);
            Ok(())
        }
        Err(_) => {
            let layout = "2006-01-02T15:04:05Z07:00";
            Err(Mismatch(format!(
                "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
            )))
        }
    }
}

fn micro_time(value: &Value) -> Result<(), Mismatch> {
    let text = value.as_str().unwrap_or_default();
    let layout = "2006-01-02T15:04:05.000000Z07:00";
    if text.parse::<jiff::Timestamp>().is_err() {
        return Err(Mismatch(format!(
            "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
        )));
    }
    let rest = text.get(19..).unwrap_or_default();
    let digits = rest
        .strip_prefix('.')
        .map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits == Some(6) {
        return Ok(());
    }
    Err(Mismatch(format!(
        "parsing time {text:?} as {layout:?}: cannot parse {rest:?} as \".000000\""
    )))
}

/// Go writes whole floats such as `1.0` or `1e3` into integers when it comes from YAML tools.
fn whole(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() == 0.0) && value.as_u64().is_none()
}

fn zero_of(of: &Type) -> Value {
    match of {
        Type::Text | Type::Base64 | Type::Time | Type::MicroTime => "".into(),
        Type::Bool => false.into(),
        Type::Int32 | Type::Int64 | Type::Float | Type::IntOrText => 0.into(),
        Type::Quantity => "0".into(),
        Type::Struct(_) => Value::Object(Map::new()),
        Type::Any | Type::List(_) | Type::Map(_) | Type::Either(..) => Value::Null,
    }
}

/// Go leaves out empty lists, maps and texts of optional fields when it encodes.
fn is_omitted(field: &Field, value: &Value) -> bool {
    let empty = match (&field.of, value) {
        (Type::List(_), Value::Array(items)) => items.is_empty(),
        (Type::Map(_), Value::Object(entries)) => entries.is_empty(),
        _ => false,
    };
    empty && !field.required
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mut object: Value) -> Result<(Value, Vec<String>), String> {
        let version = object["apiVersion"].as_str().unwrap().to_owned();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let of = Types::built_in().of_kind(&version, &kind).unwrap();
        let unknown = decode(&mut object, of).map_err(|mismatch| mismatch.to_string())?;
        Ok((object, unknown))
    }

    fn set(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}, "spec": spec})
    }

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let (object, unknown) = check(set(json!({
            "replicas": 1, "foo": 1,
            "template": {"spec": {"containers": [{"name": "a", "imagee": "x"}]}},
        })))
        .unwrap();
        assert_eq!(
            unknown,
            ["spec.foo", "spec.template.spec.containers[0].imagee"]
        );
        assert_eq!(
            object["spec"]["template"]["spec"]["containers"],
            json!([{"name": "a"}])
        );
        assert_eq!(object["spec"].get("foo"), None);
    }

    #[test]
    fn a_wrong_type_is_refused_in_the_words_of_go() {
        for (spec, expected) in [
            (
                json!({"replicas": "1"}),
                "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32",
            ),
            (
                json!({"template": {"spec": {"containers": [{"ports": [{"containerPort": "x"}]}]}}}),
                "json: cannot unmarshal string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
            ),
            (
                json!({"template": {"spec": {"containers": {}}}}),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
            ),
        ] {
            assert_eq!(check(set(spec)).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_go_would_leave_out_is_left_out() {
        let (object, unknown) = check(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "creationTimestamp": null, "labels": {}, "finalizers": []},
            "data": {"x": ""},
        }))
        .unwrap();
        assert_eq!(object["metadata"], json!({"name": "a"}));
        assert_eq!(object["data"], json!({"x": ""}));
        assert!(unknown.is_empty());
    }

    #[test]
    fn quantities_become_text() {
        let claim = |storage: Value| {
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {},
                "spec": {"resources": {"requests": {"storage": storage}}}})
        };
        let (object, _) = check(claim(json!(5))).unwrap();
        assert_eq!(object["spec"]["resources"]["requests"]["storage"], "5");
        assert!(check(claim(json!("1Gi"))).is_ok());
        assert!(
            check(claim(json!("lots")))
                .unwrap_err()
                .starts_with("quantities must match")
        );
    }
}
