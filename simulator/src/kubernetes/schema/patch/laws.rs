//! Laws of patches, and the cases of their specifications.

use proptest::{collection::btree_map, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{PatchError, json_patch, merge_patch, strategic_merge_patch};
use crate::kubernetes::schema::types::TypeSchema;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(1)),
        Just(json!("x")),
        Just(json!(true)),
        Just(json!([1, {"a": null}])),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        btree_map(select(vec!["a", "b", "c"]), inner, 0..3).prop_map(|map| json!(map))
    })
}

/// As a value, but nulls say what is to go.
fn patch() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(2)), Just(Value::Null), Just(json!(["y"]))];
    leaf.prop_recursive(3, 16, 3, |inner| {
        btree_map(select(vec!["a", "b", "c"]), inner, 0..3).prop_map(|map| json!(map))
    })
}

fn object(spec: Value) -> Value {
    json!({"spec": spec})
}

proptest! {
    #[test]
    fn a_merge_patch_is_idempotent(live in value(), patch in patch()) {
        let once = merge_patch(&live, &patch);
        prop_assert_eq!(merge_patch(&once, &patch), once);
    }

    #[test]
    fn an_empty_merge_patch_of_a_map_changes_nothing(live in value()) {
        let live = object(live);
        prop_assert_eq!(merge_patch(&live, &json!({})), live);
    }

    #[test]
    fn what_a_merge_patch_sets_is_there(live in value(), new in value()) {
        let (live, new) = (object(live), object(new));
        let patched = merge_patch(&live, &new);
        prop_assert_eq!(merge_patch(&patched, &new), patched.clone());
        // Merging what is there into the patch again adds only what the patch leaves alone.
        prop_assert_eq!(merge_patch(&new, &patched), patched);
    }

    #[test]
    fn without_directives_and_keyed_lists_a_strategic_patch_is_a_merge_patch(
        live in value(),
        patch in patch(),
    ) {
        let (live, patch) = (object(live), object(patch));
        let merged = strategic_merge_patch(&live, &patch, &TypeSchema::deduced());
        prop_assert_eq!(merged, Ok(merge_patch(&live, &patch)));
    }
}

#[test]
fn a_failed_json_patch_says_only_that_it_failed() {
    let live = json!({"a": 1});
    for patch in [
        json!([{"op": "test", "path": "/a", "value": 2}]),
        json!([{"op": "remove", "path": "/b"}]),
        json!([{"op": "bogus", "path": "/a"}]),
    ] {
        let error = json_patch(&live, &patch).unwrap_err();
        assert!(matches!(error, PatchError::Unprocessable(_)), "{patch}");
    }
    let error = json_patch(&live, &json!({})).unwrap_err();
    assert!(matches!(error, PatchError::Malformed(_)));
}

#[test]
fn strategic_directives_do_what_they_say() {
    let schema = TypeSchema::builtin("apps", "Deployment");
    let volumes = |volumes: Value| json!({"spec": {"template": {"spec": {"volumes": volumes}}}});
    let live = volumes(json!([{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]));
    let cases = [
        (
            "merge by key",
            json!([{"name": "b", "x": 1}]),
            json!([{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}, "x": 1}]),
        ),
        (
            "delete",
            json!([{"name": "a", "$patch": "delete"}]),
            json!([{"name": "b", "emptyDir": {}}]),
        ),
        (
            "replace",
            json!([{"name": "c"}, {"$patch": "replace"}]),
            json!([{"name": "c"}]),
        ),
        (
            "retain keys",
            json!([{"name": "a", "$retainKeys": ["name", "secret"], "secret": {}}]),
            json!([{"name": "a", "secret": {}}, {"name": "b", "emptyDir": {}}]),
        ),
        (
            "new items come first",
            json!([{"name": "c"}]),
            json!([{"name": "c"}, {"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]),
        ),
    ];
    for (what, patch, expected) in cases {
        let patched = strategic_merge_patch(&live, &volumes(patch), &schema).unwrap();
        assert_eq!(patched, volumes(expected), "{what}");
    }
}

#[test]
fn a_strategic_patch_leaves_no_directive_behind_in_what_is_new() {
    let schema = TypeSchema::builtin("", "Pod");
    let patch = json!({"spec": {
        "containers": [{"name": "c", "$setElementOrder/env": [{"name": "E"}], "env": [{"name": "E"}]}],
        "nodeSelector": {"$patch": "replace", "a": "b"},
        "$setElementOrder/containers": [{"name": "c"}],
    }});
    let patched = strategic_merge_patch(&json!({}), &patch, &schema).unwrap();
    let expected = json!({"spec": {
        "containers": [{"name": "c", "env": [{"name": "E"}]}],
        "nodeSelector": {"a": "b"},
    }});
    assert_eq!(patched, expected);
}
