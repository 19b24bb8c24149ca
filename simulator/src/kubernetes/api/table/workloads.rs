//! The columns of what keeps pods running.
//!
//! Owns: StatefulSets, Deployments, ReplicaSets, ControllerRevisions, PodDisruptionBudgets.
//! Always holds: numbers that the status does not have read as 0.
//! Deliberately does not know: how they are reconciled.

use jiff::Timestamp;
use serde_json::Value;

use super::{Layout, age, items, joined, pairs, text_or};
use crate::kubernetes::api::metadata;

pub(super) const STATEFUL_SETS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Ready", 0),
        ("Age", 0),
        ("Containers", 1),
        ("Images", 1),
    ],
    cells: |now, set| {
        let mut cells = vec![
            metadata::name(set).into(),
            ready(set).into(),
            age::of(now, set),
        ];
        cells.extend(containers(set));
        cells
    },
};

pub(super) const DEPLOYMENTS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Ready", 0),
        ("Up-to-date", 0),
        ("Available", 0),
        ("Age", 0),
        ("Containers", 1),
        ("Images", 1),
        ("Selector", 1),
    ],
    cells: |now, deployment| {
        let status = &deployment["status"];
        let mut cells = vec![
            metadata::name(deployment).into(),
            ready(deployment).into(),
            number(&status["updatedReplicas"]),
            number(&status["availableReplicas"]),
            age::of(now, deployment),
        ];
        cells.extend(containers(deployment));
        cells.push(pairs(&deployment["spec"]["selector"]["matchLabels"]).into());
        cells
    },
};

pub(super) const REPLICA_SETS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Desired", 0),
        ("Current", 0),
        ("Ready", 0),
        ("Age", 0),
        ("Containers", 1),
        ("Images", 1),
        ("Selector", 1),
    ],
    cells: |now, set| {
        let mut cells = vec![
            metadata::name(set).into(),
            number(&set["spec"]["replicas"]),
            number(&set["status"]["replicas"]),
            number(&set["status"]["readyReplicas"]),
            age::of(now, set),
        ];
        cells.extend(containers(set));
        cells.push(pairs(&set["spec"]["selector"]["matchLabels"]).into());
        cells
    },
};

pub(super) const CONTROLLER_REVISIONS: Layout = Layout {
    columns: &[("Name", 0), ("Controller", 0), ("Revision", 0), ("Age", 0)],
    cells: |now, revision| {
        let owner = items(&revision["metadata"]["ownerReferences"])
            .find(|owner| owner["controller"] == true)
            .map_or("<none>".to_owned(), |owner| {
                let kind = text_or(&owner["kind"], "").to_lowercase();
                let group = text_or(&owner["apiVersion"], "")
                    .split('/')
                    .next()
                    .unwrap_or_default();
                format!("{kind}.{group}/{}", text_or(&owner["name"], ""))
            });
        vec![
            metadata::name(revision).into(),
            owner.into(),
            number(&revision["revision"]),
            age::of(now, revision),
        ]
    },
};

pub(super) const POD_DISRUPTION_BUDGETS: Layout = Layout {
    columns: &[
        ("Name", 0),
        ("Min Available", 0),
        ("Max Unavailable", 0),
        ("Allowed Disruptions", 0),
        ("Age", 0),
    ],
    cells: budget,
};

fn budget(now: Timestamp, budget: &Value) -> Vec<Value> {
    let limit = |name: &str| match &budget["spec"][name] {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.to_string().into(),
        _ => Value::from("N/A"),
    };
    vec![
        metadata::name(budget).into(),
        limit("minAvailable"),
        limit("maxUnavailable"),
        number(&budget["status"]["disruptionsAllowed"]),
        age::of(now, budget),
    ]
}

fn ready(object: &Value) -> String {
    let ready = object["status"]["readyReplicas"].as_i64().unwrap_or(0);
    format!(
        "{ready}/{}",
        object["spec"]["replicas"].as_i64().unwrap_or(0)
    )
}

fn containers(object: &Value) -> [Value; 2] {
    let containers = &object["spec"]["template"]["spec"]["containers"];
    ["name", "image"].map(|field| {
        joined(
            items(containers).filter_map(|container| container[field].as_str()),
            "",
        )
        .into()
    })
}

fn number(value: &Value) -> Value {
    value.as_i64().unwrap_or(0).into()
}
