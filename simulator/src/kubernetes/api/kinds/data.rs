//! ConfigMaps and Secrets.
//!
//! Owns: keys, sizes, `stringData`, immutability.
//! Always holds: what a secret stores is base64.
//! Deliberately does not know: who mounts them.

use serde_json::{Map, Value};

use super::{fields, fill};
use crate::kubernetes::api::{Cause, Resource};

const MAX_SIZE: usize = 1024 * 1024;
const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn default_secret(secret: &mut Value) {
    let secret = fields(secret);
    fill(secret, "type", "Opaque");
    if let Some(Value::Object(texts)) = secret.remove("stringData") {
        let data = secret.entry("data").or_insert_with(|| Map::new().into());
        for (key, text) in texts {
            let encoded = base64(text.as_str().unwrap_or_default().as_bytes());
            fields(data).insert(key, encoded.into());
        }
    }
}

pub(in crate::kubernetes::api) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let symbol = (group >> (18 - 6 * place)) & 0x3f;
            let padding = place > chunk.len();
            text.push(if padding {
                '='
            } else {
                char::from(ALPHABET[symbol as usize])
            });
        }
    }
    text
}

pub(super) fn validate(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut size = 0;
    for list in ["data", "binaryData"] {
        for (key, value) in object[list].as_object().into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            if key.is_empty() || !key.chars().all(allowed) {
                let at = format!("{list}[{key}]");
                causes.push(Cause::invalid(at, format!("{key:?}"), KEY));
            }
        }
    }
    if size > MAX_SIZE {
        let message = format!("Too long: may not be more than {MAX_SIZE} bytes");
        causes.push(Cause::new("FieldValueTooLong", "", message));
    }
    causes
}

pub(super) fn validate_update(r: &Resource, object: &Value, live: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if r.id == "secrets" && object["type"] != live["type"] {
        causes.push(Cause::invalid(
            "type",
            &object["type"],
            "field is immutable",
        ));
    }
    if live["immutable"] == true {
        for field in ["immutable", "data", "binaryData"] {
            if object[field] != live[field] {
                let why = "field is immutable when `immutable` is set";
                causes.push(Cause::forbidden(field, why));
            }
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_pads() {
        for (text, expected) in [
            ("", ""),
            ("b", "Yg=="),
            ("bc", "YmM="),
            ("bcd", "YmNk"),
            ("bcde", "YmNkZQ=="),
        ] {
            assert_eq!(super::base64(text.as_bytes()), expected);
        }
    }
}
