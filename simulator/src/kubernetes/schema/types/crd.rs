//! The type tree of a custom resource, from its OpenAPI schema.
//!
//! Owns: the reading of `x-kubernetes-list-type`, `-list-map-keys`, `-map-type` and
//! `-preserve-unknown-fields` for merging.
//! Always holds: every custom resource, and every embedded one, has the metadata of any object.
//! Deliberately does not know: validation; see `structural`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{Key, Node, Rest, Scalar, Shape, TypeSchema, builtin};

pub(super) fn schema(open_api: &Value) -> TypeSchema {
    let open = preserves_unknown_fields(open_api);
    let mut fields = properties(open_api, open);
    add_object_fields(&mut fields);
    let rest = rest(open_api, open);
    TypeSchema {
        root: Node::new(Shape::Map { fields, rest }),
        zero: Value::Object(Map::new()),
        status_subresource: false,
    }
}

fn add_object_fields(fields: &mut BTreeMap<String, Arc<Node>>) {
    fields.insert("apiVersion".into(), Node::leaf());
    fields.insert("kind".into(), Node::leaf());
    fields.insert("metadata".into(), builtin::object_meta());
}

/// `open`: whether an ancestor preserves unknown fields. For ownership it speaks for everything
/// below it too, unlike for pruning.
fn node(schema: &Value, open: bool) -> Arc<Node> {
    let open = open || preserves_unknown_fields(schema);
    match text(schema, "type") {
        Some("object") => object(schema, open),
        Some("array") => array(schema, open),
        Some("boolean") => Node::new(Shape::Scalar(Scalar::Boolean)),
        Some("integer" | "number") => Node::new(Shape::Scalar(Scalar::Numeric)),
        Some("string") => Node::new(Shape::Scalar(Scalar::String)),
        Some(_) => Node::leaf(),
        None if schema.get("properties").is_some() => object(schema, open),
        None => Node::open(),
    }
}

fn object(schema: &Value, open: bool) -> Arc<Node> {
    if text(schema, "x-kubernetes-map-type") == Some("atomic") {
        return Node::leaf();
    }
    let mut fields = properties(schema, open);
    let mut rest = rest(schema, open);
    if schema.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true)) {
        if fields.is_empty() {
            rest = Rest::Entries(Node::open());
        }
        add_object_fields(&mut fields);
    }
    Node::new(Shape::Map { fields, rest })
}

fn properties(schema: &Value, open: bool) -> BTreeMap<String, Arc<Node>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), node(schema, open)))
        .collect()
}

fn rest(schema: &Value, open: bool) -> Rest {
    match schema.get("additionalProperties") {
        Some(entries @ Value::Object(_)) => Rest::Entries(node(entries, open)),
        Some(Value::Bool(true)) => Rest::Entries(Node::open()),
        Some(_) => Rest::Closed,
        // Not a word about the content means any content.
        None if open || schema.get("properties").is_none() => Rest::Entries(Node::open()),
        None => Rest::Closed,
    }
}

fn array(schema: &Value, open: bool) -> Arc<Node> {
    match text(schema, "x-kubernetes-list-type") {
        Some("set") => Node::new(Shape::Set),
        Some("map") => Node::new(Shape::Keyed {
            keys: keys(schema),
            item: schema
                .get("items")
                .map_or_else(Node::open, |items| node(items, open)),
        }),
        _ => Node::leaf(),
    }
}

fn keys(schema: &Value) -> Vec<Key> {
    let names = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| Key {
            name: name.to_owned(),
            default: schema
                .pointer("/items/properties")
                .and_then(|properties| properties.get(name))
                .and_then(|property| property.get("default"))
                .cloned(),
        })
        .collect()
}

fn preserves_unknown_fields(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

fn text<'a>(schema: &'a Value, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Value::as_str)
}
