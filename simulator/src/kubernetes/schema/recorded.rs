//! What a real Kubernetes 1.34 answered, against what is answered here.
//!
//! The files beside this one hold requests and answers as they were, one step per line. Each step
//! is replayed on the real object before it, so that one wrong answer does not spoil the next.

use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::{
    Manager, StructuralSchema, TypeSchema, apply, json_patch, merge_patch, restore_times,
    strategic_merge_patch, track_update,
};

const CUSTOM_RESOURCES: &str = include_str!("recorded/custom_resources.json");
const BUILT_INS: &str = include_str!("recorded/built_ins.json");
const VALIDATION: &str = include_str!("recorded/validation.json");
const REFUSED_SCHEMAS: &str = include_str!("recorded/refused_schemas.json");

fn schema_of(scenario: &Value) -> TypeSchema {
    match &scenario["schema"] {
        Value::Null => {
            let text = |name: &str| scenario[name].as_str().unwrap();
            TypeSchema::builtin(text("group"), text("kind"))
        }
        open_api => TypeSchema::from_crd(open_api).with_status_subresource(true),
    }
}

/// The time of a step: that of its own entry, or much later if nothing should change.
fn manager(step: &Value, api_version: &str, before: Option<&Value>) -> Manager {
    let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let operation = if step["op"] == "apply" {
        "Apply"
    } else {
        "Update"
    };
    let unchanged = before == Some(&step["result"]);
    let entries = step["result"]["metadata"]["managedFields"].as_array();
    let time = entries.into_iter().flatten().find_map(|entry| {
        let past = entry["manager"] == "before-first-apply";
        let mine = entry["manager"] == step["manager"]
            && entry["operation"] == operation
            && entry["subresource"].as_str().unwrap_or_default() == text("subresource")
            || past && step["op"] == "apply";
        let time = entry["time"].as_str().filter(|_| mine && !unchanged)?;
        time.parse::<Timestamp>().ok()
    });
    let late = || Timestamp::UNIX_EPOCH + Span::new().hours(24 * 365 * 100);
    Manager {
        name: text("manager"),
        subresource: text("subresource"),
        api_version: api_version.to_owned(),
        time: time.unwrap_or_else(late),
    }
}

/// Without what storage adds, who manages what, and empty maps, which built-in types leave out.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    let stored = [
        "creationTimestamp",
        "generation",
        "managedFields",
        "namespace",
        "resourceVersion",
        "uid",
    ];
    metadata.retain(|name, value| !stored.contains(&name.as_str()) && *value != json!({}));
    object
}

/// Where two values differ, in a form that people can read.
fn differences(found: &Value, expected: &Value, path: &str, all: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a
                .keys()
                .chain(b.keys().filter(|name| !a.contains_key(*name)))
            {
                let path = format!("{path}/{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => differences(a, b, &path, all),
                    (Some(a), None) => all.push(format!("{path}: {a} too much")),
                    (_, b) => all.push(format!("{path}: missing {}", b.unwrap())),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{i}"), all);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for item in a.iter().filter(|item| !b.contains(item)) {
                all.push(format!("{path}: {item} too much"));
            }
            for item in b.iter().filter(|item| !a.contains(item)) {
                all.push(format!("{path}: missing {item}"));
            }
        }
        (a, b) if a != b => all.push(format!("{path}: {a} instead of {b}")),
        _ => {}
    }
}

fn assert_same(found: &Value, expected: &Value, what: &str) {
    let mut all = Vec::new();
    differences(found, expected, "", &mut all);
    assert!(all.is_empty(), "{what}:\n{}", all.join("\n"));
}

fn replay(scenario: &Value) {
    let schema = schema_of(scenario);
    let open_api = scenario.get("schema").filter(|schema| !schema.is_null());
    let structure = open_api.map(|schema| StructuralSchema::from_crd(schema).unwrap());
    let api_version = scenario["apiVersion"].as_str().unwrap();
    let mut before: Option<Value> = None;
    for (i, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let what = format!(
            "{} step {i}: {} by {}",
            scenario["name"], step["op"], step["manager"]
        );
        let expected = step.get("result");
        // Controllers of the real cluster wrote in between.
        before = step.get("before").cloned().or(before);
        let manager = manager(step, api_version, before.as_ref());
        if step["op"] == "apply" {
            let force = step["force"] == true;
            let answer = apply(before.as_ref(), &step["body"], &manager, force, &schema);
            match (answer, expected) {
                (Ok(found), Some(expected)) => {
                    assert_managers(&settled(before.as_ref(), &found, expected), expected, &what);
                    if let Some(structure) = &structure {
                        let mut found = content(&found);
                        structure.prune(&mut found);
                        structure.default(&mut found);
                        if manager.subresource == "status" {
                            // The endpoint takes the status only; that is the server's part.
                            found["spec"] = expected["spec"].clone();
                        }
                        assert_same(&found, &content(expected), &what);
                    }
                }
                (Err(error), None) => {
                    let expected = step["error"].as_str().unwrap();
                    let (_, expected) = expected
                        .split_once("Kind=Gadget): ")
                        .unwrap_or(("", expected));
                    assert_eq!(error.to_string(), expected, "{what}");
                }
                // What is valid as far as types go may be refused by validation.
                (Ok(_), None) => assert_ne!(step["code"], 409, "{what}"),
                (answer, _) => panic!("{what}: {answer:?}"),
            }
        } else {
            patches(before.as_ref(), step, &schema, &what);
            if let Some(expected) = expected {
                track(before.as_ref(), expected, &manager, &schema, &what);
            }
        }
        before = expected.cloned().or(before);
    }
}

/// What the server does after an apply: defaults, which the recorded answer has, and no write if
/// nothing but times is new.
fn settled(before: Option<&Value>, found: &Value, expected: &Value) -> Value {
    let mut settled = expected.clone();
    settled["metadata"]["managedFields"] = found["metadata"]["managedFields"].clone();
    if let Some(before) = before {
        restore_times(before, &mut settled);
    }
    settled
}

fn assert_managers(found: &Value, expected: &Value, what: &str) {
    let entries = |object: &Value| object["metadata"]["managedFields"].clone();
    assert_same(&entries(found), &entries(expected), what);
}

fn track(
    before: Option<&Value>,
    after: &Value,
    manager: &Manager,
    schema: &TypeSchema,
    what: &str,
) {
    let mut new = after.clone();
    new["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    if after["metadata"].get("managedFields").is_none() {
        new["metadata"]["managedFields"] = json!([{}]);
    }
    if before.is_none() {
        drop_late_additions(&mut new);
    }
    let found = track_update(before, &new, manager, schema);
    assert_managers(&found, after, what);
}

/// Admission and the allocation of addresses come after ownership has been settled on a create,
/// so nobody owns what they add.
fn drop_late_additions(object: &mut Value) {
    let (parent, added): (&str, &[&str]) = match object["kind"].as_str().unwrap() {
        "PersistentVolumeClaim" => ("metadata", &["finalizers"]),
        "Pod" => (
            "spec",
            &[
                "preemptionPolicy",
                "priority",
                "serviceAccount",
                "serviceAccountName",
            ],
        ),
        "Service" => (
            "spec",
            &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        ),
        _ => return,
    };
    let parent = object[parent].as_object_mut().unwrap();
    parent.retain(|name, _| !added.contains(&name.as_str()));
}

fn patches(before: Option<&Value>, step: &Value, schema: &TypeSchema, what: &str) {
    let (Some(before), Some(patch)) = (before, step.get("body")) else {
        return;
    };
    let answer = match step["op"].as_str().unwrap() {
        "merge" => Ok(merge_patch(before, patch)),
        "json" => json_patch(before, patch),
        _ => strategic_merge_patch(before, patch, schema),
    };
    match (answer, step.get("result")) {
        (Ok(found), Some(expected)) => {
            let (found, expected) = (content(&found), content(expected));
            // Defaults that the real server added are not this function's to add.
            assert_same(&found, &intersect(&expected, &found), what);
        }
        (Err(error), None) => assert_eq!(error.to_string(), step["error"], "{what}"),
        (answer, _) => panic!("{what}: {answer:?}"),
    }
}

/// `object` without the fields that `like` does not have.
fn intersect(object: &Value, like: &Value) -> Value {
    match (object, like) {
        (Value::Object(object), Value::Object(like)) => {
            let both = object.iter().filter_map(|(name, value)| {
                Some((name.clone(), intersect(value, like.get(name)?)))
            });
            Value::Object(both.collect())
        }
        (Value::Array(object), Value::Array(like)) if object.len() == like.len() => object
            .iter()
            .zip(like)
            .map(|(object, like)| intersect(object, like))
            .collect(),
        _ => object.clone(),
    }
}

#[test]
fn owners_of_custom_resources_are_those_of_a_real_server() {
    let scenarios: Vec<Value> = serde_json::from_str(CUSTOM_RESOURCES).unwrap();
    scenarios.iter().for_each(replay);
}

#[test]
fn owners_and_patches_of_built_in_kinds_are_those_of_a_real_server() {
    let scenarios: Vec<Value> = serde_json::from_str(BUILT_INS).unwrap();
    scenarios.iter().for_each(replay);
}

fn object(case: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "schema-lab.example.com/v1",
        "kind": "Check",
        "metadata": {"name": "x"},
    });
    if let Some(spec) = case.get("spec") {
        object["spec"] = spec.clone();
    }
    for (name, value) in case
        .get("extra")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        object[name] = value.clone();
    }
    object
}

#[test]
fn validation_defaults_and_pruning_are_those_of_a_real_server() {
    let recorded: Value = serde_json::from_str(VALIDATION).unwrap();
    let schema = StructuralSchema::from_crd(&recorded["schema"]).unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let mut new = object(case);
        let unknown = schema.prune(&mut new);
        schema.default(&mut new);
        let old = case.get("old").map(|spec| object(&json!({"spec": spec})));
        let mut found: Vec<String> = schema
            .validate(&new, old.as_ref())
            .iter()
            .map(ToString::to_string)
            .collect();
        let causes = case.get("causes").and_then(Value::as_array);
        let mut expected: Vec<String> = causes
            .into_iter()
            .flatten()
            .map(|cause| {
                format!(
                    "{}: {}",
                    cause["field"].as_str().unwrap(),
                    cause["message"].as_str().unwrap()
                )
            })
            .collect();
        if case["code"] == 400 {
            let unknown: Vec<_> = unknown
                .iter()
                .map(|path| format!("unknown field {path:?}"))
                .collect();
            let message = case["message"].as_str().unwrap();
            assert!(message.ends_with(&format!("strict decoding error: {}", unknown.join(", "))));
            continue;
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{case}");
        let warnings = case.get("warnings").and_then(Value::as_array);
        let warned: Vec<&str> = warnings
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let unknown: Vec<String> = unknown
            .iter()
            .map(|path| format!("299 - \"unknown field \\\"{path}\\\"\""))
            .collect();
        assert_eq!(unknown, warned, "{case}");
        if let Some(expected) = case.get("result") {
            assert_same(&new["spec"], expected, &case.to_string());
        }
    }
}

#[test]
fn schemas_are_refused_with_the_words_of_a_real_server() {
    let cases: Vec<Value> = serde_json::from_str(REFUSED_SCHEMAS).unwrap();
    for case in cases {
        let answer = StructuralSchema::from_crd(&case["schema"]);
        let causes = case.get("causes").and_then(Value::as_array);
        match (answer, causes.and_then(|causes| causes.first())) {
            (Ok(_), None) => {}
            (Err(error), Some(cause)) => {
                let text = |name: &str| cause[name].as_str().unwrap();
                let expected = format!("{}: {}", text("field"), text("message"));
                let found = format!("spec.validation.{error}");
                // Go and Rust explain bad expressions in words of their own.
                let until = ["isn't: ", "compilation failed: "];
                let cut = until
                    .iter()
                    .find_map(|mark| Some(expected.find(mark)? + mark.len()));
                let length = cut.unwrap_or(expected.len());
                assert_eq!(found.get(..length), expected.get(..length), "{case}");
            }
            (answer, _) => panic!("{case}: {answer:?}"),
        }
    }
}
