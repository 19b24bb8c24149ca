//! Laws of field ownership that hold for every configuration.

use jiff::Timestamp;
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};

use super::{
    Manager, apply,
    compare::compare,
    field_set::FieldSet,
    fields_v1, managers,
    owned_fields::owned_fields,
    path::{PathElement, Scalar},
    track_update,
};
use crate::kubernetes::schema::types::TypeSchema;

fn schema() -> TypeSchema {
    TypeSchema::from_crd(&json!({"type": "object", "properties": {"spec": {
        "type": "object",
        "properties": {
            "size": {"type": "integer"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                "a": {"type": "string"},
            }},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "deep": {"type": "object", "properties": {"er": {"type": "object", "properties": {
                "x": {"type": "integer"}, "y": {"type": "integer"},
            }}}},
            "items": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {
                    "name": {"type": "string"},
                    "value": {"type": "integer"},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                }},
            },
        },
    }}}))
}

fn manager(name: &str) -> Manager {
    Manager {
        name: name.to_owned(),
        subresource: String::new(),
        api_version: "example.com/v1".to_owned(),
        time: Timestamp::UNIX_EPOCH,
    }
}

fn labels(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    btree_map(select(keys), select(vec!["v", "w"]), 1..3).prop_map(|map| json!(map))
}

fn item(names: &'static [&'static str]) -> impl Strategy<Value = (String, Value)> {
    let value = option::of(0..3_i64);
    (select(names), value, option::of(labels(names))).prop_map(|(name, value, tags)| {
        let mut item = json!({"name": name});
        insert(&mut item, "value", value.map(Value::from));
        insert(&mut item, "tags", tags);
        (name.to_owned(), item)
    })
}

fn insert(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[field] = value;
    }
}

/// A configuration whose map keys and list items are among `names`; single fields only when
/// `single`, so that configurations over other names have nothing in common with it.
fn config(names: &'static [&'static str], single: bool) -> impl Strategy<Value = Value> {
    let scalars = (
        option::of(0..3_i64),
        option::of(labels(&["a"])),
        option::of(0..3_i64),
    );
    let lists = (
        option::of(labels(names)),
        option::of(btree_set(select(names), 1..3)),
        option::of(vec(item(names), 1..3)),
    );
    (scalars, lists).prop_map(move |((size, whole, deep), (labels, set, items))| {
        let mut spec = Value::Object(Map::new());
        if single {
            insert(&mut spec, "size", size.map(Value::from));
            insert(&mut spec, "whole", whole);
            insert(
                &mut spec,
                "deep",
                deep.map(|x| json!({"er": {"x": x, "y": 1}})),
            );
        }
        insert(&mut spec, "labels", labels);
        insert(&mut spec, "set", set.map(|set| json!(set)));
        let items = items.map(|items| {
            let unique: std::collections::BTreeMap<_, _> = items.into_iter().collect();
            Value::Array(unique.into_values().collect())
        });
        insert(&mut spec, "items", items);
        let mut object = json!({
            "apiVersion": "example.com/v1",
            "kind": "Thing",
            "metadata": {"name": "x"},
        });
        if spec != json!({}) {
            object["spec"] = spec;
        }
        object
    })
}

fn any_config() -> impl Strategy<Value = Value> {
    config(&["a", "b", "c"], true)
}

fn applied(live: Option<&Value>, config: &Value, name: &str) -> Value {
    apply(live, config, &manager(name), true, &schema()).unwrap()
}

/// The object with lists in one order and without owners.
fn settled(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        for list in ["set", "items"] {
            if let Some(list) = spec.get_mut(list).and_then(Value::as_array_mut) {
                list.sort_by_key(ToString::to_string);
            }
        }
    }
    object
}

fn set_of(object: &Value, name: &str) -> FieldSet {
    let mut managers = managers::read(object).into_iter();
    let entry = managers.find(|(identity, _)| identity.manager == name);
    entry.map(|(_, entry)| entry.set).unwrap_or_default()
}

fn spec_fields(object: &Value) -> FieldSet {
    let ignored = FieldSet::from_paths([&["apiVersion"][..], &["kind"], &["metadata"]]);
    owned_fields(object, &schema().root).recursive_difference(&ignored)
}

proptest! {
    #[test]
    fn applying_twice_changes_nothing(first in any_config(), second in any_config()) {
        let live = applied(None, &first, "other");
        let once = applied(Some(&live), &second, "me");
        prop_assert_eq!(applied(Some(&once), &second, "me"), once);
    }

    #[test]
    fn what_is_applied_is_there_and_owned(first in any_config(), second in any_config()) {
        let live = applied(None, &first, "other");
        let live = applied(Some(&live), &second, "me");
        let changes = compare(&second, &live, &schema().root);
        prop_assert!(changes.modified.is_empty(), "{:?}", changes.modified);
        prop_assert!(changes.removed.is_empty(), "{:?}", changes.removed);
        prop_assert_eq!(set_of(&live, "me"), spec_fields(&second));
    }

    #[test]
    fn who_applies_nothing_any_more_leaves_only_what_others_own(
        mine in any_config(),
        others in any_config(),
    ) {
        let live = applied(None, &mine, "me");
        let live = applied(Some(&live), &others, "other");
        let nothing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}});
        let live = applied(Some(&live), &nothing, "me");
        prop_assert_eq!(settled(&live), settled(&others));
        prop_assert_eq!(set_of(&live, "me"), FieldSet::default());
    }

    #[test]
    fn configurations_without_a_common_field_may_come_in_any_order(
        a in config(&["a", "b"], true),
        b in config(&["c", "d"], false),
    ) {
        let apply = |live: Option<&Value>, config: &Value, name: &str| {
            apply(live, config, &manager(name), false, &schema())
        };
        let ab = apply(Some(&apply(None, &a, "a").unwrap()), &b, "b").unwrap();
        let ba = apply(Some(&apply(None, &b, "b").unwrap()), &a, "a").unwrap();
        prop_assert_eq!(settled(&ab), settled(&ba));
        prop_assert_eq!(managers::read(&ab), managers::read(&ba));
    }

    #[test]
    fn a_conflict_is_a_field_of_another_value(a in any_config(), b in any_config()) {
        let live = applied(None, &a, "a");
        let answer = apply(Some(&live), &b, &manager("b"), false, &schema());
        let disputed = compare(&live, &applied(Some(&live), &b, "b"), &schema().root).modified;
        let owned = set_of(&live, "a").intersection(&disputed);
        prop_assert_eq!(answer.is_ok(), owned.is_empty());
    }

    #[test]
    fn an_update_owns_what_it_changes_and_nobody_owns_what_is_gone(
        old in any_config(),
        new in any_config(),
    ) {
        let live = applied(None, &old, "applier");
        // Of an object that nobody manages, ownership is not tracked at all.
        prop_assume!(!set_of(&live, "applier").is_empty());
        let mut changed = new.clone();
        changed["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
        let after = track_update(Some(&live), &changed, &manager("updater"), &schema());
        let change = compare(&old, &new, &schema().root);
        prop_assert_eq!(set_of(&after, "updater"), change.changed());
        let applier = set_of(&after, "applier");
        prop_assert!(applier.intersection(&change.changed().union(&change.removed)).is_empty());
        let kept = set_of(&live, "applier").difference(&change.changed());
        prop_assert_eq!(applier, kept.difference(&change.removed));
    }

    #[test]
    fn written_sets_read_back(set in field_set()) {
        prop_assert_eq!(fields_v1::decode(&fields_v1::encode(&set)), Some(set));
    }

    #[test]
    fn sets_obey_the_algebra_of_sets(a in field_set(), b in field_set()) {
        let both = a.intersection(&b);
        prop_assert_eq!(&both, &b.intersection(&a));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.difference(&b).union(&both), a.clone());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.difference(&a).is_empty());
    }
}

fn element() -> impl Strategy<Value = PathElement> {
    let name = select(vec!["a", "b", "c.d", "é"]);
    prop_oneof![
        name.clone()
            .prop_map(|name| PathElement::Field(name.to_owned())),
        (name, 0..3_i64).prop_map(|(name, port)| PathElement::Key(vec![
            ("name".to_owned(), Scalar(name.into())),
            ("port".to_owned(), Scalar(port.into())),
        ])),
        (0..3_i64).prop_map(|value| PathElement::Value(Scalar(value.into()))),
    ]
}

fn field_set() -> impl Strategy<Value = FieldSet> {
    vec(vec(element(), 1..4), 0..6).prop_map(|paths| {
        let mut set = FieldSet::default();
        for path in paths {
            set.insert(&path);
        }
        set
    })
}
