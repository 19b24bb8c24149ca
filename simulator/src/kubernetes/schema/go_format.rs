//! JSON values as Go's `%v` prints them, for error texts that show a part of a patch.
//!
//! Deliberately does not know: any error text.

use serde_json::Value;

/// `map[a:1 b:[x y]]`.
pub(super) fn go_format(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_format).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", go_format(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_and_lists_print_as_in_go() {
        let value = json!({"b": [1, "x"], "a": {"c": null}});
        assert_eq!(go_format(&value), "map[a:map[c:<nil>] b:[1 x]]");
    }
}
