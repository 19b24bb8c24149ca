//! Whether a live object still says all that it should.
//!
//! Owns: the comparison that saves a write when nothing has changed, and finds edits by hand.
//! Always holds: fields that others set and that we do not speak of are no drift.
//! Deliberately does not know: which object it looks at.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Map, Value};

use crate::quantity;

/// Whether `live` has every field of `wanted` with the same value. Maps may have more keys; lists
/// must have the same length, since an extra container or port is a change of what was asked for.
#[must_use]
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let live = live.get(key).unwrap_or(&Value::Null);
            match (key.as_str(), live, wanted) {
                ("limits" | "requests", Value::Object(live), Value::Object(wanted)) => {
                    same_amounts(live, wanted)
                }
                _ => covers(live, wanted),
            }
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        // The API server leaves empty maps and lists out.
        (Value::Null, Value::Object(wanted)) => wanted.is_empty(),
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (live, wanted) => live == wanted,
    }
}

/// The API server writes amounts in its own way: `1024Mi` is read back as `1Gi`.
fn same_amounts(live: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    let amount = |value: &Value| quantity::thousandths(&Quantity(value.as_str()?.to_owned()));
    wanted.iter().all(|(key, wanted)| {
        let live = live.get(key).unwrap_or(&Value::Null);
        live == wanted || (amount(live).is_some() && amount(live) == amount(wanted))
    })
}

/// The same for owner references and data of a ConfigMap, where a key too many is drift as well.
#[must_use]
pub fn same(live: Option<&Value>, wanted: &Value) -> bool {
    live.unwrap_or(&Value::Null) == wanted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_set_by_the_server_are_no_drift() {
        let live = json!({"spec": {"replicas": 3, "revisionHistoryLimit": 10}});
        assert!(covers(&live, &json!({"spec": {"replicas": 3}})));
    }

    #[test]
    fn an_edited_field_and_an_extra_container_are_drift() {
        let live = json!({"replicas": 5, "containers": [{"name": "etcd"}, {"name": "x"}]});
        assert!(!covers(&live, &json!({"replicas": 3})));
        assert!(!covers(&live, &json!({"containers": [{"name": "etcd"}]})));
    }

    #[test]
    fn an_amount_in_other_words_is_no_drift() {
        let live = json!({"resources": {"limits": {"memory": "1Gi", "cpu": "500m"}}});
        let wanted =
            |memory: &str| json!({"resources": {"limits": {"memory": memory, "cpu": "0.5"}}});
        assert!(covers(&live, &wanted("1024Mi")));
        assert!(!covers(&live, &wanted("1G")));
    }

    #[test]
    fn an_absent_empty_map_is_no_drift() {
        assert!(covers(
            &json!({"spec": {}}),
            &json!({"spec": {"emptyDir": {}}})
        ));
        assert!(!covers(&json!({"spec": {}}), &json!({"spec": {"a": 1}})));
    }
}
