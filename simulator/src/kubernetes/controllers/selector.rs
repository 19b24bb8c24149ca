//! Label selectors as objects carry them.
//!
//! Owns: whether a set of labels is selected.
//! Always holds: an empty selector selects everything, an absent one nothing.
//! Deliberately does not know: the text form that requests carry.

use serde_json::Value;

/// Whether `selector` (with `matchLabels` and `matchExpressions`) selects `labels`.
#[must_use]
pub fn selects(selector: &Value, labels: &Value) -> bool {
    if !selector.is_object() {
        return false;
    }
    matches_all(&selector["matchLabels"], labels)
        && selector["matchExpressions"]
            .as_array()
            .is_none_or(|list| list.iter().all(|entry| expression_holds(entry, labels)))
}

/// Whether `labels` carry every pair of `wanted`, the simple selector of a Service.
#[must_use]
pub fn matches_all(wanted: &Value, labels: &Value) -> bool {
    wanted
        .as_object()
        .is_none_or(|pairs| pairs.iter().all(|(key, value)| labels[key] == *value))
}

/// One entry of `matchExpressions`, of label selectors and of node selectors alike.
#[must_use]
pub fn expression_holds(expression: &Value, labels: &Value) -> bool {
    let found = labels[expression["key"].as_str().unwrap_or_default()].as_str();
    let values = expression["values"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let listed = |found: &str| values.iter().any(|value| value == found);
    let bound = || values.first()?.as_str()?.parse::<i64>().ok();
    let number = || found?.parse::<i64>().ok();
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => found.is_some_and(listed),
        "NotIn" => !found.is_some_and(listed),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => matches!((number(), bound()), (Some(number), Some(bound)) if number > bound),
        "Lt" => matches!((number(), bound()), (Some(number), Some(bound)) if number < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_absent_selector_selects_nothing_and_an_empty_one_everything() {
        let labels = json!({"app": "demo"});
        assert!(!selects(&Value::Null, &labels));
        assert!(selects(&json!({}), &labels));
        assert!(selects(&json!({}), &Value::Null));
    }

    #[test]
    fn labels_and_expressions_must_all_hold() {
        let selector = json!({
            "matchLabels": {"app": "demo"},
            "matchExpressions": [
                {"key": "tier", "operator": "NotIn", "values": ["test"]},
                {"key": "zone", "operator": "Exists"},
            ],
        });
        assert!(selects(&selector, &json!({"app": "demo", "zone": "a"})));
        assert!(!selects(&selector, &json!({"app": "demo"})));
        assert!(!selects(&selector, &json!({"app": "other", "zone": "a"})));
        assert!(!selects(
            &selector,
            &json!({"app": "demo", "zone": "a", "tier": "test"})
        ));
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let more = json!({"key": "disks", "operator": "Gt", "values": ["9"]});
        assert!(expression_holds(&more, &json!({"disks": "10"})));
        assert!(!expression_holds(&more, &json!({"disks": "9"})));
        assert!(!expression_holds(&more, &json!({})));
    }
}
