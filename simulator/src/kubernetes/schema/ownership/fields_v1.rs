//! How field sets are written in `managedFields`: `FieldsV1`.
//!
//! Owns: the `f:`, `k:`, `v:`, `i:` and `.` notation.
//! Always holds: reading what was written gives the same set.
//! Deliberately does not know: whose fields they are.

use serde_json::{Map, Value};

use super::{
    field_set::FieldSet,
    path::{PathElement, Scalar},
};

/// A set as JSON.
pub(super) fn encode(set: &FieldSet) -> Value {
    let mut fields = Map::new();
    if set.member && !set.children.is_empty() {
        fields.insert(".".to_owned(), Value::Object(Map::new()));
    }
    for (element, child) in &set.children {
        fields.insert(encode_element(element), encode(child));
    }
    Value::Object(fields)
}

/// A set from JSON, `None` when it is not one.
pub(super) fn decode(fields: &Value) -> Option<FieldSet> {
    let mut set = FieldSet::default();
    for (key, below) in fields.as_object()? {
        if key == "." {
            set.member = true;
        } else {
            let mut child = decode(below)?;
            // Without anything below, the place itself is meant.
            child.member |= child.children.is_empty();
            set.children.insert(decode_element(key)?, child);
        }
    }
    Some(set)
}

fn encode_element(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => format!("f:{name}"),
        PathElement::Key(fields) => {
            let pairs: Vec<String> = fields
                .iter()
                .map(|(name, Scalar(value))| format!("{}:{value}", Value::from(name.as_str())))
                .collect();
            format!("k:{{{}}}", pairs.join(","))
        }
        PathElement::Value(Scalar(value)) => format!("v:{value}"),
        PathElement::Index(index) => format!("i:{index}"),
    }
}

fn decode_element(key: &str) -> Option<PathElement> {
    match key.split_at_checked(2)? {
        ("f:", name) => Some(PathElement::Field(name.to_owned())),
        ("k:", fields) => {
            let fields: Map<String, Value> = serde_json::from_str(fields).ok()?;
            let mut fields: Vec<_> = fields.into_iter().map(|(k, v)| (k, Scalar(v))).collect();
            fields.sort();
            Some(PathElement::Key(fields))
        }
        ("v:", value) => Some(PathElement::Value(Scalar(
            serde_json::from_str(value).ok()?,
        ))),
        ("i:", index) => Some(PathElement::Index(index.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_written_set_reads_back_the_same() {
        let fields = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"a/b\"": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
            },
        });
        assert_eq!(encode(&decode(&fields).unwrap()), fields);
    }

    #[test]
    fn what_is_not_a_field_set_is_refused() {
        for fields in [
            json!([]),
            json!({"spec": {}}),
            json!({"k:oops": {}}),
            json!({"é": {}}),
        ] {
            assert_eq!(decode(&fields), None, "{fields}");
        }
    }
}
