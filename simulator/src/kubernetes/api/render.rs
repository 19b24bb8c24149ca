//! Objects, lists and watch events as text.
//!
//! Owns: what a single object, a list and an event look like in each form a client can ask for.
//! Always holds: rendering changes nothing and needs no copy of the objects.
//! Deliberately does not know: where the objects come from.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::{
    Resource,
    answer::{Form, Included, encode},
    metadata,
    table::Printer,
};

/// What a list says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct ListMeta {
    pub(super) revision: u64,
    pub(super) next: Option<String>,
    pub(super) remaining: Option<usize>,
}

impl ListMeta {
    fn value(&self) -> Value {
        let mut meta = Map::new();
        meta.insert("resourceVersion".into(), self.revision.to_string().into());
        if let Some(next) = &self.next {
            meta.insert("continue".into(), next.as_str().into());
        }
        if let Some(remaining) = self.remaining {
            meta.insert("remainingItemCount".into(), remaining.into());
        }
        meta.into()
    }
}

/// Renders the objects of one resource in one form.
#[derive(Clone)]
pub(super) struct Renderer {
    pub(super) form: Form,
    pub(super) printer: Printer,
}

impl Renderer {
    pub(super) fn object(&self, now: Timestamp, object: &Value) -> Bytes {
        match self.form {
            Form::Whole => encode(object),
            Form::Metadata => encode(&partial(object)),
            Form::Table(included) => {
                let meta = json!({"resourceVersion": metadata::resource_version(object)});
                encode(&self.table(now, included, meta, [object].into_iter()))
            }
        }
    }

    pub(super) fn list<'a>(
        &self,
        now: Timestamp,
        r: &Resource,
        meta: &ListMeta,
        objects: impl Iterator<Item = &'a Value>,
    ) -> Bytes {
        match self.form {
            Form::Table(included) => encode(&self.table(now, included, meta.value(), objects)),
            Form::Metadata => encode(&json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": meta.value(), "items": objects.map(partial).collect::<Vec<_>>(),
            })),
            Form::Whole => {
                let typed = super::resource::is_built_in(r);
                let items: Vec<Item> = objects
                    .map(|object| Item {
                        object,
                        bare: typed,
                    })
                    .collect();
                let list = WholeList {
                    kind: format!("{}List", r.kind),
                    api_version: r.api_version(),
                    metadata: meta.value(),
                    items,
                };
                serde_json::to_vec(&list)
                    .expect("a list of JSON values always has a text")
                    .into()
            }
        }
    }

    /// One line of a watch stream.
    pub(super) fn event(&self, now: Timestamp, verb: &str, object: &Value) -> Bytes {
        let mut line = format!("{{\"type\":\"{verb}\",\"object\":").into_bytes();
        line.extend_from_slice(&self.object(now, object));
        line.extend_from_slice(b"}\n");
        line.into()
    }

    fn table<'a>(
        &self,
        now: Timestamp,
        included: Included,
        meta: Value,
        objects: impl Iterator<Item = &'a Value>,
    ) -> Value {
        let rows: Vec<Value> = objects
            .map(|object| {
                let mut row = json!({"cells": self.printer.cells(now, object)});
                match included {
                    Included::Nothing => {}
                    Included::Metadata => row["object"] = partial(object),
                    Included::Object => row["object"] = object.clone(),
                }
                row
            })
            .collect();
        json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
            "columnDefinitions": self.printer.definitions(), "rows": rows,
        })
    }
}

fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeList<'a> {
    kind: String,
    api_version: String,
    metadata: Value,
    items: Vec<Item<'a>>,
}

/// An object in a list; typed lists leave out what the list's own kind says already.
struct Item<'a> {
    object: &'a Value,
    bare: bool,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = self.object.as_object().filter(|_| self.bare) else {
            return self.object.serialize(serializer);
        };
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in fields {
            if !matches!(name.as_str(), "apiVersion" | "kind") {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}
