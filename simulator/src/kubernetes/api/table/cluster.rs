//! The columns of what the cluster itself consists of, and of plain data.
//!
//! Owns: Nodes, Namespaces, ConfigMaps, Secrets, Events, Leases, accounts, roles, definitions.
//! Always holds: data is counted, never shown.
//! Deliberately does not know: who uses these objects.

use jiff::Timestamp;
use serde_json::Value;

use super::{Layout, age, items, joined, text_or};
use crate::kubernetes::api::metadata;

const ROLE_LABEL: &str = "node-role.kubernetes.io/";

pub(super) const CONFIG_MAPS: Layout = Layout {
    columns: &[("Name", 0), ("Data", 0), ("Age", 0)],
    cells: |now, map| {
        let count = size(&map["data"]) + size(&map["binaryData"]);
        vec![metadata::name(map).into(), count.into(), age::of(now, map)]
    },
};

pub(super) const SECRETS: Layout = Layout {
    columns: &[("Name", 0), ("Type", 0), ("Data", 0), ("Age", 0)],
    cells: |now, secret| {
        vec![
            metadata::name(secret).into(),
            text_or(&secret["type"], "").into(),
            size(&secret["data"]).into(),
            age::of(now, secret),
        ]
    },
};

pub(super) const NAMESPACES: Layout = Layout {
    columns: &[("Name", 0), ("Status", 0), ("Age", 0)],
    cells: |now, namespace| {
        let phase = text_or(&namespace["status"]["phase"], "");
        vec![
            metadata::name(namespace).into(),
            phase.into(),
            age::of(now, namespace),
        ]
    },
};

pub(super) const NODES: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Status", 0),
        ("Roles", 0),
        ("Age", 0),
        ("Version", 0),
        ("Internal-IP", 1),
        ("External-IP", 1),
        ("OS-Image", 1),
        ("Kernel-Version", 1),
        ("Container-Runtime", 1),
    ],
    cells: node,
};

pub(super) const EVENTS: Layout = Layout {
    columns: &[
        ("Last Seen", 0),
        ("Type", 0),
        ("Reason", 0),
        ("Object", 0),
        ("Subobject", 1),
        ("Source", 1),
        ("Message", 0),
        ("First Seen", 1),
        ("Count", 1),
        ("Name", 1),
    ],
    cells: event,
};

pub(super) const LEASES: Layout = Layout {
    columns: &[("Name", 0), ("Holder", 0), ("Age", 0)],
    cells: |now, lease| {
        let holder = text_or(&lease["spec"]["holderIdentity"], "");
        vec![
            metadata::name(lease).into(),
            holder.into(),
            age::of(now, lease),
        ]
    },
};

pub(super) const SERVICE_ACCOUNTS: Layout = Layout {
    columns: &[("Name", 0), ("Secrets", 0), ("Age", 0)],
    cells: |now, account| {
        let secrets = items(&account["secrets"]).count();
        vec![
            metadata::name(account).into(),
            secrets.into(),
            age::of(now, account),
        ]
    },
};

pub(super) const ROLES: Layout = Layout {
    columns: &[("Name", 0), ("Created At", 0)],
    cells: |_, role| {
        let created = metadata::text(role, "creationTimestamp");
        vec![metadata::name(role).into(), created.into()]
    },
};

pub(super) const ROLE_BINDINGS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Role", 0),
        ("Age", 0),
        ("Users", 1),
        ("Groups", 1),
        ("ServiceAccounts", 1),
    ],
    cells: binding,
};

pub(super) const DEFINITIONS: Layout = Layout {
    columns: &[("Name", 0), ("Created At", 0)],
    cells: ROLES.cells,
};

fn binding(now: Timestamp, binding: &Value) -> Vec<Value> {
    let role = &binding["roleRef"];
    let subjects = |kind: &str| {
        let named: Vec<String> = items(&binding["subjects"])
            .filter(|subject| subject["kind"] == kind)
            .map(|subject| match (kind, subject["namespace"].as_str()) {
                ("ServiceAccount", Some(space)) => {
                    format!("{space}/{}", text_or(&subject["name"], ""))
                }
                _ => text_or(&subject["name"], "").to_owned(),
            })
            .collect();
        Value::from(named.join(", "))
    };
    vec![
        metadata::name(binding).into(),
        format!(
            "{}/{}",
            text_or(&role["kind"], ""),
            text_or(&role["name"], "")
        )
        .into(),
        age::of(now, binding),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn node(now: Timestamp, node: &Value) -> Vec<Value> {
    let status = &node["status"];
    let info = &status["nodeInfo"];
    let ready = items(&status["conditions"]).find(|condition| condition["type"] == "Ready");
    let mut state = match ready.map(|condition| condition["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    let labels = node["metadata"]["labels"].as_object();
    let roles = labels
        .into_iter()
        .flatten()
        .filter_map(|(label, _)| label.strip_prefix(ROLE_LABEL));
    let address = |kind: &str| {
        let found = items(&status["addresses"]).find(|address| address["type"] == kind);
        Value::from(found.map_or("<none>", |address| text_or(&address["address"], "<none>")))
    };
    vec![
        metadata::name(node).into(),
        state.into(),
        joined(roles, "<none>").into(),
        age::of(now, node),
        text_or(&info["kubeletVersion"], "").into(),
        address("InternalIP"),
        address("ExternalIP"),
        text_or(&info["osImage"], "<unknown>").into(),
        text_or(&info["kernelVersion"], "<unknown>").into(),
        text_or(&info["containerRuntimeVersion"], "<unknown>").into(),
    ]
}

fn event(now: Timestamp, event: &Value) -> Vec<Value> {
    // Either face of an event, and either way of counting, can be shown.
    let field = |core: &str, own: &str| match &event[core] {
        Value::Null => &event[own],
        found => found,
    };
    let about = field("involvedObject", "regarding");
    let first = match field("firstTimestamp", "deprecatedFirstTimestamp").as_str() {
        Some(time) => Some(time),
        None => event["eventTime"].as_str(),
    };
    let series = &event["series"];
    let last = match field("lastTimestamp", "deprecatedLastTimestamp").as_str() {
        Some(time) => Some(time),
        None => series["lastObservedTime"].as_str().or(first),
    };
    let count = series["count"].as_i64();
    let count = count
        .or(field("count", "deprecatedCount").as_i64())
        .unwrap_or(1);
    let since = |time: Option<&str>| time.map_or("<unknown>".into(), |time| age::since(now, time));
    let source = field("source", "deprecatedSource");
    let component = text_or(
        &source["component"],
        text_or(field("reportingComponent", "reportingController"), ""),
    );
    let source = match source["host"].as_str().filter(|host| !host.is_empty()) {
        Some(host) => format!("{component}, {host}"),
        None => component.to_owned(),
    };
    let kind = text_or(&about["kind"], "").to_lowercase();
    vec![
        since(last).into(),
        text_or(&event["type"], "").into(),
        text_or(&event["reason"], "").into(),
        format!("{kind}/{}", text_or(&about["name"], "")).into(),
        text_or(&about["fieldPath"], "").into(),
        source.into(),
        text_or(field("message", "note"), "").trim().into(),
        since(first).into(),
        count.into(),
        metadata::name(event).into(),
    ]
}

fn size(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}
