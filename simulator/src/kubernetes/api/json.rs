//! Reading the text of a request body.
//!
//! Owns: JSON with a record of fields that are given twice, and YAML.
//! Always holds: of a field given twice the last value counts, as on a real server.
//! Deliberately does not know: what the fields are.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{ApiError, go_json};

/// Bytes of an unreadable body that are shown.
const SHOWN: usize = 30;

/// A parsed body.
pub(super) struct Parsed {
    pub(super) value: Value,
    /// Paths of fields that are given more than once.
    pub(super) duplicates: Vec<String>,
}

/// Parses JSON, or YAML when the media type says so.
///
/// # Errors
/// When the body cannot be read; `expected` is the kind that it should hold.
pub(super) fn parse(body: &[u8], media_type: &str, expected: &str) -> Result<Parsed, ApiError> {
    // JSON is YAML too, and then told of in JSON's words.
    let is_json =
        || body.trim_ascii_start().first() == Some(&b'{') && go_json::complaint(body).is_none();
    if media_type.ends_with("yaml") && !is_json() {
        let value = serde_saphyr::from_slice(body)
            .map_err(|wrong| unrecognized(body, expected, format_args!("yaml: {wrong}")))?;
        return Ok(Parsed {
            value,
            duplicates: Vec::new(),
        });
    }
    let duplicates = RefCell::new(Vec::new());
    let mut input = serde_json::Deserializer::from_slice(body);
    let seed = Node {
        path: String::new(),
        duplicates: &duplicates,
    };
    let value = seed
        .deserialize(&mut input)
        .and_then(|value| input.end().map(|()| value))
        .map_err(|wrong| unreadable(body, &wrong, expected))?;

    Ok(Parsed {
        value,
        duplicates: duplicates.into_inner(),
    })
}

/// What a real server says to a body that is not JSON.
fn unreadable(body: &[u8], wrong: &serde_json::Error, expected: &str) -> ApiError {
    let what = go_json::complaint(body).unwrap_or_else(|| wrong.to_string());
    unrecognized(
        body,
        expected,
        format_args!("couldn't get version/kind; json parse error: {what}"),
    )
}

/// A body that is none of the kind.
pub(super) fn unrecognized(body: &[u8], expected: &str, why: impl fmt::Display) -> ApiError {
    let start = &body[..body.len().min(SHOWN)];
    let mut shown = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start.iter().map(|b| format!("{b:02x}")).collect(),
    };
    if body.len() > SHOWN {
        shown.push_str(" ...");
    }
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {expected}): {why} ({shown})"
    ))
}

/// Parses the options of a request.
///
/// # Errors
/// In other words than for an object, and as a failure of the server.
pub(super) fn parse_options(body: &[u8], media_type: &str) -> Result<Value, ApiError> {
    let parsed = parse(body, media_type, "").map_err(|refusal| match go_json::complaint(body) {
        Some(what) => {
            let why = format!("couldn't get version/kind; json parse error: {what}");
            ApiError::new(500, "", why)
        }
        None => refusal,
    });
    parsed.map(|parsed| parsed.value)
}

/// Parses a patch in JSON.
///
/// # Errors
/// In other words than for an object.
pub(super) fn parse_patch(body: &[u8]) -> Result<Parsed, ApiError> {
    parse(body, "application/json", "").map_err(|refusal| match go_json::complaint(body) {
        Some(what) => ApiError::bad_request(format!("error decoding patch: {what}")),
        None => refusal,
    })
}

struct Node<'a> {
    path: String,
    duplicates: &'a RefCell<Vec<String>>,
}

impl Node<'_> {
    fn child(&self, name: &str) -> Self {
        let path = match (self.path.is_empty(), name.starts_with('[')) {
            (true, _) => name.to_owned(),
            (false, true) => format!("{}{name}", self.path),
            (false, false) => format!("{}.{name}", self.path),
        };
        Self {
            path,
            duplicates: self.duplicates,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a JSON number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.child(&format!("[{}]", items.len())))? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let node = self.child(&name);
            if self.path.len() > 10_000 {
                return Err(A::Error::custom("exceeded max depth"));
            }
            let path = node.path.clone();
            let value = map.next_value_seed(node)?;
            if fields.insert(name, value).is_some() {
                self.duplicates.borrow_mut().push(path);
            }
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_given_twice_is_noticed_and_the_last_value_counts() {
        let parsed = parse(
            br#"{"a":{"b":1,"b":2},"l":[{"c":1,"c":3}]}"#,
            "application/json",
            "X",
        )
        .unwrap();
        assert_eq!(parsed.value, json!({"a": {"b": 2}, "l": [{"c": 3}]}));
        assert_eq!(parsed.duplicates, ["a.b", "l[0].c"]);
    }

    #[test]
    fn broken_bodies_are_bad_requests() {
        for body in ["", "{", "{\"a\":1}x", "\u{1}"] {
            let refusal =
                parse(body.as_bytes(), "application/json", "X").map(|parsed| parsed.value);
            assert_eq!(refusal.unwrap_err().code, 400, "{body:?}");
        }
    }

    #[test]
    fn yaml_is_read_when_it_is_announced() {
        let parsed = parse(b"a:\n- b: 1\n", "application/apply-patch+yaml", "X").unwrap();
        assert_eq!(parsed.value, json!({"a": [{"b": 1}]}));
    }
}
