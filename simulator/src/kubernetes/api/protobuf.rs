//! Bodies in Kubernetes' protobuf form.
//!
//! Owns: turning such a body into the JSON that the rest of the server reads. `kubectl` and other
//! clients of Go's typed client set send built-in kinds like this.
//! Always holds: a number or text that Go's type cannot leave unset is left out when it is zero, as
//! its JSON form would; custom kinds have no such form, on a real server neither.
//! Deliberately does not know: what kinds mean. Field numbers are in `protobuf/messages.txt`, which
//! follows the `generated.proto` files of Kubernetes 1.34: one message a line, each field as
//! `number:name:type`. Types: `s` text, `b` bool, `i` integer, `y` bytes, `d` double, `T` time, `U`
//! time with microseconds, `q` quantity, `x` number or text, `j` JSON, `e` list of texts, `=name` a
//! message; before them `*` a list, `%` a map from texts, `^` a message whose fields belong to the
//! one around it; `!` after them keeps zeros.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::kinds::base64;

/// Media type of such bodies.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// Every such body begins with this.
const MAGIC: &[u8] = b"k8s\0";

/// A body that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unreadable {
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    NoPrefix,
    #[error("empty body")]
    Empty,
    #[error("unexpected EOF")]
    TooShort,
    #[error("proto: wrong wireType = {0} for field {1}")]
    WrongWireType(u64, String),
    #[error("no kind {kind:?} is registered for version {version:?}")]
    UnknownKind { kind: String, version: String },
}

/// The JSON form of a body.
pub(super) fn to_json(body: &[u8]) -> Result<Value, Unreadable> {
    let rest = body.strip_prefix(MAGIC).ok_or(Unreadable::NoPrefix)?;
    if rest.is_empty() {
        return Err(Unreadable::Empty);
    }
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), Vec::new());
    for (number, field) in fields(rest)? {
        match (number, field) {
            (1, Wire::Bytes(meta)) => {
                for (number, field) in fields(meta)? {
                    let Wire::Bytes(text) = field else { continue };
                    let text = String::from_utf8_lossy(text).into_owned();
                    match number {
                        1 => version = text,
                        2 => kind = text,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object.to_vec(),
            _ => {}
        }
    }
    let message = message_of(&version, &kind);
    let Some(message) = message else {
        return Err(Unreadable::UnknownKind { kind, version });
    };
    let mut object = read(message, &raw)?;
    object.insert("apiVersion".to_owned(), version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

/// One field of a message of the table.
#[derive(Debug)]
struct Field {
    name: &'static str,
    shape: Shape,
    of: Of,
    keeps_zero: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    One,
    List,
    Map,
    Inline,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Text,
    Bool,
    Integer,
    Bytes,
    Double,
    Time,
    MicroTime,
    Quantity,
    IntOrText,
    Json,
    Texts,
    Message(&'static str),
}

type Message = BTreeMap<u64, Field>;

static MESSAGES: LazyLock<BTreeMap<&'static str, Message>> = LazyLock::new(|| {
    let lines = include_str!("protobuf/messages.txt").lines();
    lines
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            Some((name, words.filter_map(field).collect()))
        })
        .collect()
});

fn field(text: &'static str) -> Option<(u64, Field)> {
    let mut parts = text.splitn(3, ':');
    let (number, name, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let (shape, kind) = match kind.as_bytes().first()? {
        b'*' => (Shape::List, &kind[1..]),
        b'%' => (Shape::Map, &kind[1..]),
        b'^' => (Shape::Inline, &kind[1..]),
        _ => (Shape::One, kind),
    };
    let of = match kind.as_bytes().first()? {
        b's' => Of::Text,
        b'b' => Of::Bool,
        b'i' => Of::Integer,
        b'y' => Of::Bytes,
        b'd' => Of::Double,
        b'T' => Of::Time,
        b'U' => Of::MicroTime,
        b'q' => Of::Quantity,
        b'x' => Of::IntOrText,
        b'j' => Of::Json,
        b'e' => Of::Texts,
        _ => Of::Message(kind.strip_prefix('=')?),
    };
    let keeps_zero = kind.ends_with('!');
    let field = Field {
        name,
        shape,
        of,
        keeps_zero,
    };
    Some((number.parse().ok()?, field))
}

/// The message of a kind: `core.v1.ConfigMap`, `rbac.v1.Role`.
fn message_of(version: &str, kind: &str) -> Option<&'static Message> {
    let (group, number) = version.rsplit_once('/').unwrap_or(("core", version));
    let group = group.split('.').next().unwrap_or_default();
    let name = if kind == "DeleteOptions" {
        "meta.v1.DeleteOptions".to_owned()
    } else {
        format!("{group}.{number}.{kind}")
    };
    MESSAGES.get(name.as_str())
}

fn read(message: &Message, bytes: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let mut object = Map::new();
    for (number, wire) in fields(bytes)? {
        let Some(field) = message.get(&number) else {
            continue;
        };
        let name = field.name.to_owned();
        match field.shape {
            Shape::One => {
                let value = value(field, wire)?;
                if field.keeps_zero || !is_zero(&value) {
                    object.insert(name, value);
                }
            }
            Shape::List => {
                let list = object
                    .entry(name)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(value(field, wire)?);
                }
            }
            Shape::Map => {
                let (key, value) = entry(field, wire)?;
                let map = object
                    .entry(name)
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            Shape::Inline => {
                if let Value::Object(inner) = value(field, wire)? {
                    object.extend(inner);
                }
            }
        }
    }
    Ok(object)
}

/// Text, numbers and times that are as Go makes them; objects and lists never count as zero.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn entry(field: &Field, wire: Wire) -> Result<(String, Value), Unreadable> {
    let bytes = wire.bytes(field)?;
    let (mut key, mut found) = (String::new(), value(field, Wire::Bytes(&[])).ok());
    for (number, wire) in fields(bytes)? {
        match number {
            1 => key = text(wire.bytes(field)?),
            2 => found = Some(value(field, wire)?),
            _ => {}
        }
    }
    Ok((key, found.unwrap_or(Value::Null)))
}

fn value(field: &Field, wire: Wire) -> Result<Value, Unreadable> {
    Ok(match field.of {
        Of::Text => text(wire.bytes(field)?).into(),
        Of::Bool => (wire.number(field)? != 0).into(),
        Of::Integer => wire.number(field)?.cast_signed().into(),
        Of::Double => f64::from_bits(wire.number(field)?).into(),
        Of::Bytes => base64(wire.bytes(field)?).into(),
        Of::Time => time(wire.bytes(field)?, "%Y-%m-%dT%H:%M:%SZ")?,
        Of::MicroTime => time(wire.bytes(field)?, "%Y-%m-%dT%H:%M:%S%.6fZ")?,
        Of::Quantity => first_text(wire.bytes(field)?)?,
        Of::IntOrText => int_or_text(wire.bytes(field)?)?,
        Of::Json => {
            let inner = fields(wire.bytes(field)?)?;
            let raw = inner.into_iter().find_map(|(_, wire)| match wire {
                Wire::Bytes(bytes) => Some(bytes),
                Wire::Number(_) => None,
            });
            serde_json::from_slice(raw.unwrap_or_default()).unwrap_or(Value::Null)
        }
        Of::Texts => {
            let inner = fields(wire.bytes(field)?)?;
            let texts = inner.into_iter().filter_map(|(_, wire)| match wire {
                Wire::Bytes(bytes) => Some(Value::from(text(bytes))),
                Wire::Number(_) => None,
            });
            texts.collect()
        }
        Of::Message(name) => match MESSAGES.get(name) {
            Some(message) => Value::Object(read(message, wire.bytes(field)?)?),
            None => Value::Null,
        },
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn first_text(bytes: &[u8]) -> Result<Value, Unreadable> {
    let found = fields(bytes)?.into_iter().find_map(|(_, wire)| match wire {
        Wire::Bytes(bytes) => Some(text(bytes)),
        Wire::Number(_) => None,
    });
    Ok(found.map_or(Value::Null, Value::from))
}

fn time(bytes: &[u8], form: &str) -> Result<Value, Unreadable> {
    let (mut seconds, mut nanos, mut given) = (0, 0, false);
    for (number, wire) in fields(bytes)? {
        if let Wire::Number(value) = wire {
            given = true;
            match number {
                1 => seconds = value.cast_signed(),
                _ => nanos = i32::try_from(value).unwrap_or(0),
            }
        }
    }
    // Go writes its zero time as an empty message.
    let time = Timestamp::new(seconds, nanos).ok().filter(|_| given);
    Ok(time.map_or(Value::Null, |time| time.strftime(form).to_string().into()))
}

fn int_or_text(bytes: &[u8]) -> Result<Value, Unreadable> {
    let (mut is_text, mut number_value, mut text_value) = (false, 0, String::new());
    for (number, wire) in fields(bytes)? {
        match (number, wire) {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(value)) => number_value = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text_value = text(bytes),
            _ => {}
        }
    }
    Ok(if is_text {
        text_value.into()
    } else {
        number_value.into()
    })
}

/// A field as it is on the wire.
#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    fn bytes(self, field: &Field) -> Result<&'a [u8], Unreadable> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Unreadable::WrongWireType(0, field.name.to_owned())),
        }
    }

    fn number(self, field: &Field) -> Result<u64, Unreadable> {
        match self {
            Self::Number(number) => Ok(number),
            // The value of a map entry that was left out.
            Self::Bytes([]) => Ok(0),
            Self::Bytes(_) => Err(Unreadable::WrongWireType(2, field.name.to_owned())),
        }
    }
}

fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, Unreadable> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Number(u64::from_le_bytes(
                take(&mut bytes, 8)?.try_into().unwrap_or([0; 8]),
            )),
            2 => {
                let length =
                    usize::try_from(varint(&mut bytes)?).map_err(|_| Unreadable::TooShort)?;
                Wire::Bytes(take(&mut bytes, length)?)
            }
            5 => {
                let short = take(&mut bytes, 4)?.try_into().unwrap_or([0; 4]);
                Wire::Number(u32::from_le_bytes(short).into())
            }
            other => return Err(Unreadable::WrongWireType(other, (tag >> 3).to_string())),
        };
        found.push((tag >> 3, wire));
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Unreadable::TooShort)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Unreadable::TooShort)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unreadable> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Unreadable::TooShort)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("short");
        let tag = u16::from(number) << 3 | 2;
        let mut field = vec![(tag & 0x7f) as u8];
        if tag > 0x7f {
            field[0] |= 0x80;
            field.push((tag >> 7) as u8);
        }
        field.push(length);
        [&field, content].concat()
    }

    fn body(version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC, &bytes(1, &meta), &bytes(2, object)].concat()
    }

    #[test]
    fn a_config_map_is_read_without_what_go_cannot_leave_unset() {
        let metadata = [bytes(1, b"settings"), bytes(2, b""), bytes(8, b"")].concat();
        let pair = [bytes(1, b"k"), bytes(2, b"v")].concat();
        let object = [bytes(1, &metadata), bytes(2, &pair)].concat();
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings"}, "data": {"k": "v"},
        });
        assert_eq!(to_json(&body("v1", "ConfigMap", &object)), Ok(expected));
    }

    #[test]
    fn numbers_that_are_pointers_keep_their_zero() {
        let options = to_json(&body("policy/v1", "DeleteOptions", &[8, 0])).expect("readable");
        assert_eq!(options["gracePeriodSeconds"], 0);
    }

    #[test]
    fn the_fields_of_an_embedded_struct_belong_to_the_one_around_it() {
        let reference = bytes(1, b"settings");
        let source = bytes(1, &reference);
        let volume = [bytes(1, b"files"), bytes(2, &bytes(19, &source))].concat();
        let pod = body("v1", "Pod", &bytes(2, &bytes(1, &volume)));
        let pod = to_json(&pod).expect("readable");
        assert_eq!(
            pod["spec"]["volumes"],
            json!([{"name": "files", "configMap": {"name": "settings"}}])
        );
    }

    #[test]
    fn broken_bodies_are_told_apart() {
        assert_eq!(to_json(b"{}"), Err(Unreadable::NoPrefix));
        let cut = body("v1", "ConfigMap", &[10, 200]);
        assert_eq!(to_json(&cut), Err(Unreadable::TooShort));
        let unknown = to_json(&body("example.com/v1", "Toy", &[]));
        assert!(matches!(unknown, Err(Unreadable::UnknownKind { .. })));
    }
}
