//! Watches: order, selectors, bookmarks, initial events, compaction, time-outs.

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::kubernetes::api::{Answer, Watch};

use crate::harness::{CONFIG_MAPS, Direct, config_map};

fn watch(api: &mut Direct, query: &str) -> Box<Watch> {
    match api.answer("GET", &format!("{CONFIG_MAPS}?watch=true{query}"), &[], "") {
        Answer::Watch(watch) => watch,
        Answer::Reply(reply) => panic!("{}", reply.value()),
    }
}

/// What a watch says now, as `TYPE name value`.
fn said(api: &Direct, watch: &mut Watch) -> Vec<String> {
    let lines = watch.step(&api.api, api.now).lines;
    let events = lines
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap());
    events
        .map(|event| {
            let object = &event["object"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (text(&event["type"]), text(&object["metadata"]["name"]));
            match kind.as_str() {
                "ERROR" => format!("ERROR {} {}", object["code"], text(&object["reason"])),
                "BOOKMARK" => format!("BOOKMARK {}", object["metadata"]["annotations"]),
                _ => format!("{kind} {name} {}", text(&object["data"]["v"])),
            }
        })
        .collect()
}

fn set(api: &mut Direct, name: &str, value: &str, label: &str) {
    let mut map = config_map(name, &json!({"v": value}));
    map["metadata"]["labels"] = json!({"l": label});
    let path = format!("{CONFIG_MAPS}/{name}");
    if api.ask("GET", &path, &Value::Null).code == 404 {
        api.must("POST", CONFIG_MAPS, &map);
    } else {
        api.must("PUT", &path, &map);
    }
}

#[test]
fn changes_are_seen_once_and_in_order() {
    let mut api = Direct::new();
    set(&mut api, "a", "1", "x");
    let from = api.api.revision();
    let mut watch = watch(&mut api, &format!("&resourceVersion={from}"));
    assert!(said(&api, &mut watch).is_empty());
    set(&mut api, "a", "2", "x");
    set(&mut api, "b", "1", "x");
    api.must("DELETE", &format!("{CONFIG_MAPS}/a"), &Value::Null);
    assert_eq!(
        said(&api, &mut watch),
        ["MODIFIED a 2", "ADDED b 1", "DELETED a 2"]
    );
    assert!(said(&api, &mut watch).is_empty());
}

#[test]
fn an_object_that_comes_to_match_is_added_and_one_that_ceases_is_deleted() {
    let mut api = Direct::new();
    let mut watch = watch(&mut api, "&labelSelector=l%3Dx");
    set(&mut api, "a", "1", "y");
    assert!(said(&api, &mut watch).is_empty());
    set(&mut api, "a", "2", "x");
    set(&mut api, "a", "3", "x");
    set(&mut api, "a", "4", "y");
    assert_eq!(
        said(&api, &mut watch),
        ["ADDED a 2", "MODIFIED a 3", "DELETED a 3"]
    );
    api.must("DELETE", &format!("{CONFIG_MAPS}/a"), &Value::Null);
    assert!(said(&api, &mut watch).is_empty());
}

#[test]
fn initial_events_end_with_an_annotated_bookmark() {
    let mut api = Direct::new();
    set(&mut api, "a", "1", "x");
    set(&mut api, "b", "1", "x");
    let query =
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = watch(&mut api, query);
    set(&mut api, "c", "1", "x");
    assert_eq!(
        said(&api, &mut watch),
        [
            "ADDED a 1",
            "ADDED b 1",
            "ADDED c 1",
            "BOOKMARK {\"k8s.io/initial-events-end\":\"true\"}"
        ]
    );
    set(&mut api, "a", "2", "x");
    assert_eq!(said(&api, &mut watch), ["MODIFIED a 2"]);
}

#[test]
fn bookmarks_come_every_minute_and_carry_the_revision_reached() {
    let mut api = Direct::new();
    let mut watch = watch(&mut api, "&allowWatchBookmarks=true");
    said(&api, &mut watch);
    let next = watch.step(&api.api, api.now).next.unwrap();
    assert_eq!(next, api.now + SignedDuration::from_mins(1));
    api.now = next;
    assert_eq!(said(&api, &mut watch), ["BOOKMARK null"]);
}

#[test]
fn a_watch_ends_when_its_time_is_up() {
    let mut api = Direct::new();
    let mut watch = watch(&mut api, "&timeoutSeconds=10");
    assert_eq!(
        watch.step(&api.api, api.now).next,
        Some(api.now + SignedDuration::from_secs(10))
    );
    api.now += SignedDuration::from_secs(10);
    assert_eq!(watch.step(&api.api, api.now).next, None);
}

#[test]
fn a_revision_that_is_no_longer_known_has_expired() {
    let mut api = Direct::new();
    set(&mut api, "a", "1", "x");
    set(&mut api, "a", "2", "x");
    let latest = api.api.revision();
    api.api.compact(latest);
    let mut old = watch(&mut api, &format!("&resourceVersion={}", latest - 1));
    assert_eq!(said(&api, &mut old), ["ERROR 410 Expired"]);
    assert_eq!(old.step(&api.api, api.now).next, None);
    let mut current = watch(&mut api, &format!("&resourceVersion={latest}"));
    assert!(said(&api, &mut current).is_empty());
    let mut future = watch(
        &mut api,
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999",
    );
    assert_eq!(said(&api, &mut future), ["ERROR 504 Timeout"]);
}

#[test]
fn a_watch_can_be_a_table_and_can_be_of_one_object() {
    let mut api = Direct::new();
    set(&mut api, "a", "1", "x");
    set(&mut api, "b", "1", "x");
    let path = format!("{CONFIG_MAPS}?watch=true&fieldSelector=metadata.name%3Db");
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let Answer::Watch(mut watch) = api.answer("GET", &path, &accept, "") else {
        panic!("no watch")
    };
    let lines = watch.step(&api.api, api.now).lines;
    assert_eq!(lines.len(), 1);
    let event: Value = serde_json::from_slice(&lines[0]).unwrap();
    assert_eq!(event["object"]["kind"], "Table");
    assert_eq!(event["object"]["rows"][0]["cells"], json!(["b", 1, "0s"]));
}
