//! What ConfigMaps and Secrets hold.
//!
//! Owns: reading their data as bytes.
//! Always holds: what cannot be decoded is left out; the server does not store it in the first place.
//! Deliberately does not know: where the bytes go.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde_json::Value;

/// The entries of a ConfigMap or a Secret: name to content.
#[must_use]
pub fn files(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let plain = object["kind"] == "ConfigMap";
    let entries = |field: &str| object[field].as_object().into_iter().flatten();
    let data = entries("data").filter_map(|(name, value)| {
        let bytes = if plain {
            value.as_str()?.as_bytes().to_vec()
        } else {
            decode(value)?
        };
        Some((name.clone(), bytes))
    });
    let binary =
        entries("binaryData").filter_map(|(name, value)| Some((name.clone(), decode(value)?)));
    data.chain(binary).collect()
}

fn decode(value: &Value) -> Option<Vec<u8>> {
    let ByteString(bytes) = serde_json::from_value(value.clone()).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_decoded_and_config_maps_taken_as_they_are() {
        let secret = json!({"kind": "Secret", "data": {"a": "aGVsbG8="}});
        assert_eq!(files(&secret)["a"], b"hello");
        let map = json!({"kind": "ConfigMap", "data": {"a": "aGVs"}, "binaryData": {"b": "AAE="}});
        assert_eq!(files(&map)["a"], b"aGVs");
        assert_eq!(files(&map)["b"], [0, 1]);
    }
}
