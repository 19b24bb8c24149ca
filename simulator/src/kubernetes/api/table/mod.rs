//! Tables: what `kubectl get` shows.
//!
//! Owns: the columns of each kind and what stands in them.
//! Always holds: a row has one cell for each column.
//! Deliberately does not know: HTTP, selectors, how wide a terminal is.

mod age;
mod cluster;
mod network;
mod pods;
mod storage;
mod workloads;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Resource, custom::Column as CustomColumn, metadata};

/// One column: a name, and the priority that hides it unless the output is wide.
type Column = (&'static str, i64);

/// How the rows of one built-in kind are made.
struct Layout {
    columns: &'static [Column],
    cells: fn(Timestamp, &Value) -> Vec<Value>,
}

/// Prints the objects of one resource.
#[derive(Clone)]
pub(super) enum Printer {
    /// With the columns of a built-in kind.
    BuiltIn(&'static str),
    /// With the columns that a definition asks for, after the name.
    Custom(Arc<[CustomColumn]>),
}

impl Printer {
    pub(super) fn built_in(r: &Resource) -> Self {
        let known = super::resource::BUILT_INS
            .iter()
            .find(|known| known.id == r.id);
        Self::BuiltIn(known.map_or("", |known| &known.id))
    }

    pub(super) fn custom(columns: &[CustomColumn]) -> Self {
        Self::Custom(columns.into())
    }

    /// The header.
    pub(super) fn definitions(&self) -> Vec<Value> {
        let name = json!({
            "name": "Name", "type": "string", "format": "name", "priority": 0,
            "description": "Name must be unique within a namespace.",
        });
        let age = json!({
            "name": "Age", "type": "date", "format": "", "priority": 0,
            "description": "CreationTimestamp is a timestamp representing the server time when this object was created.",
        });
        match self {
            Self::BuiltIn(id) => layout(id)
                .columns
                .iter()
                .map(|(column, priority)| match *column {
                    "Name" => name.clone(),
                    column => json!({
                        "name": column, "type": "string", "format": "", "description": "",
                        "priority": priority,
                    }),
                })
                .collect(),
            Self::Custom(columns) if columns.is_empty() => vec![name, age],
            Self::Custom(columns) => {
                let own = columns.iter().map(|column| {
                    json!({
                        "name": column.name, "type": column.kind, "format": column.format,
                        "description": column.description, "priority": column.priority,
                    })
                });
                std::iter::once(name).chain(own).collect()
            }
        }
    }

    /// One row.
    pub(super) fn cells(&self, now: Timestamp, object: &Value) -> Vec<Value> {
        // A bookmark has a revision and nothing else.
        if metadata::name(object).is_empty() {
            return vec![Value::Null; self.definitions().len()];
        }
        match self {
            Self::BuiltIn(id) => (layout(id).cells)(now, object),
            Self::Custom(columns) if columns.is_empty() => plain(now, object),
            Self::Custom(columns) => {
                let own = columns
                    .iter()
                    .map(|column| custom_cell(now, column, object));
                std::iter::once(metadata::name(object).into())
                    .chain(own)
                    .collect()
            }
        }
    }
}

fn custom_cell(now: Timestamp, column: &CustomColumn, object: &Value) -> Value {
    let found = column.path.find(object);
    match (column.kind.as_str(), found.as_slice()) {
        (_, []) => Value::Null,
        ("date", [Value::String(time), ..]) => age::since(now, time).into(),
        ("integer", [Value::Number(number), ..]) => number
            .as_i64()
            .map_or_else(|| Value::Number(number.clone()), Value::from),
        ("integer" | "number" | "boolean", [first, ..]) if !first.is_string() => (*first).clone(),
        ("string", [Value::String(text)]) => text.as_str().into(),
        (_, [Value::String(text)]) => text.as_str().into(),
        (_, many) => {
            let texts = many.iter().map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            texts.collect::<Vec<_>>().join(" ").into()
        }
    }
}

fn layout(id: &str) -> Layout {
    match id {
        "pods" => pods::PODS,
        "statefulsets.apps" => workloads::STATEFUL_SETS,
        "deployments.apps" => workloads::DEPLOYMENTS,
        "replicasets.apps" => workloads::REPLICA_SETS,
        "controllerrevisions.apps" => workloads::CONTROLLER_REVISIONS,
        "poddisruptionbudgets.policy" => workloads::POD_DISRUPTION_BUDGETS,
        "services" => network::SERVICES,
        "endpoints" => network::ENDPOINTS,
        "endpointslices.discovery.k8s.io" => network::ENDPOINT_SLICES,
        "persistentvolumeclaims" => storage::CLAIMS,
        "persistentvolumes" => storage::VOLUMES,
        "storageclasses.storage.k8s.io" => storage::CLASSES,
        "configmaps" => cluster::CONFIG_MAPS,
        "secrets" => cluster::SECRETS,
        "namespaces" => cluster::NAMESPACES,
        "nodes" => cluster::NODES,
        "events" => cluster::EVENTS,
        "leases.coordination.k8s.io" => cluster::LEASES,
        "serviceaccounts" => cluster::SERVICE_ACCOUNTS,
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => {
            cluster::ROLES
        }
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => cluster::ROLE_BINDINGS,
        "customresourcedefinitions.apiextensions.k8s.io" => cluster::DEFINITIONS,
        _ => Layout {
            columns: &[("Name", 0), ("Age", 0)],
            cells: plain,
        },
    }
}

fn plain(now: Timestamp, object: &Value) -> Vec<Value> {
    vec![metadata::name(object).into(), age::of(now, object)]
}

/// The text of a field, or what stands for its absence.
fn text_or<'a>(value: &'a Value, absent: &'a str) -> &'a str {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or(absent)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>, absent: &str) -> String {
    let joined = texts.collect::<Vec<_>>().join(",");
    if joined.is_empty() {
        absent.to_owned()
    } else {
        joined
    }
}

/// `a=b,c=d`, as selectors and labels are shown.
fn pairs(map: &Value) -> String {
    let pairs = map.as_object().into_iter().flatten();
    let pairs = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let shown = pairs.collect::<Vec<_>>().join(",");
    if shown.is_empty() {
        "<none>".to_owned()
    } else {
        shown
    }
}
