//! Cases of field ownership; answers marked "real" were taken from Kubernetes 1.34.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ApplyError, Manager, apply, track_update};
use crate::kubernetes::schema::types::TypeSchema;

fn manager(name: &str, second: i64) -> Manager {
    Manager {
        name: name.to_owned(),
        subresource: String::new(),
        api_version: "v1".to_owned(),
        time: Timestamp::from_second(second).unwrap(),
    }
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data})
}

fn config_maps() -> TypeSchema {
    TypeSchema::builtin("", "ConfigMap")
}

#[test]
fn an_apply_that_creates_owns_the_fields_it_sets_and_not_the_name() {
    let applied = config_map(json!({"a": "1"}));
    let object = apply(None, &applied, &manager("m", 1), false, &config_maps()).unwrap();
    assert_eq!(object["data"], json!({"a": "1"}));
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{
            "manager": "m", "operation": "Apply", "apiVersion": "v1",
            "time": "1970-01-01T00:00:01Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }])
    );
}

#[test]
fn applying_the_same_again_returns_the_live_object() {
    let applied = config_map(json!({"a": "1"}));
    let live = apply(None, &applied, &manager("m", 1), false, &config_maps()).unwrap();
    let again = apply(
        Some(&live),
        &applied,
        &manager("m", 9),
        false,
        &config_maps(),
    )
    .unwrap();
    assert_eq!(again, live);
}

#[test]
fn a_field_that_is_left_out_goes_unless_somebody_else_owns_it() {
    let schema = config_maps();
    let both = config_map(json!({"a": "1", "b": "2"}));
    let live = apply(None, &both, &manager("m", 1), false, &schema).unwrap();
    let only_b = config_map(json!({"b": "2"}));
    let live = apply(Some(&live), &only_b, &manager("n", 2), false, &schema).unwrap();
    let live = apply(
        Some(&live),
        &config_map(json!({})),
        &manager("m", 3),
        false,
        &schema,
    )
    .unwrap();
    assert_eq!(live["data"], json!({"b": "2"}));
}

#[test]
fn another_value_conflicts_and_force_takes_over() {
    let schema = config_maps();
    let live = config_map(json!({"a": "1", "b": "1"}));
    let live = apply(None, &live, &manager("m", 1), false, &schema).unwrap();
    let other = config_map(json!({"a": "2", "b": "2"}));
    let error = apply(Some(&live), &other, &manager("n", 2), false, &schema).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"m\":\n- .data.a\n- .data.b"
    );
    let live = apply(Some(&live), &other, &manager("n", 2), true, &schema).unwrap();
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["manager"], "n");
}

#[test]
fn an_update_takes_over_what_it_changes() {
    let schema = config_maps();
    let live = config_map(json!({"a": "1", "b": "1"}));
    let live = apply(None, &live, &manager("m", 1), false, &schema).unwrap();
    let mut new = live.clone();
    new["data"] = json!({"a": "2", "c": "3"});
    let live = track_update(Some(&live), &new, &manager("u", 2), &schema);
    let entries = &live["metadata"]["managedFields"];
    assert_eq!(entries.as_array().unwrap().len(), 1, "{entries:#}");
    assert_eq!(entries[0]["manager"], "u");
    assert_eq!(
        entries[0]["fieldsV1"],
        json!({"f:data": {"f:a": {}, "f:c": {}}})
    );
}

#[test]
fn an_applied_object_must_not_bring_managed_fields() {
    let mut applied = config_map(json!({}));
    applied["metadata"]["managedFields"] = json!([]);
    let error = apply(None, &applied, &manager("m", 1), false, &config_maps()).unwrap_err();
    assert_eq!(error, ApplyError::ManagedFields);
}
