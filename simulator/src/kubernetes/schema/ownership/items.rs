//! Which path element stands for an item of a keyed list or a set.
//!
//! Always holds: the elements of one list are given in the order of its items.
//! Deliberately does not know: what is done with duplicates; that differs between operations.

use serde_json::Value;

use super::path::{PathElement, Scalar};
use crate::kubernetes::schema::types::{Key, Node, Shape};

/// How the value at a place is walked, given its type and what is really there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    Leaf,
    Map,
    List,
}

/// How to walk `value`; a typed place is walked as its type says even if the value is null.
pub(super) fn walk(node: &Node, value: Option<&Value>) -> Walk {
    match &node.shape {
        Shape::Leaf | Shape::Scalar(_) => Walk::Leaf,
        Shape::Map { .. } => Walk::Map,
        Shape::Keyed { .. } | Shape::Set => Walk::List,
        Shape::Open { .. } => match value {
            // Null is an empty map: it keeps what is there rather than replace it.
            Some(Value::Object(_) | Value::Null) => Walk::Map,
            _ => Walk::Leaf,
        },
    }
}

/// The items of a list with the element that stands for each, in order.
///
/// # Errors
/// For each item that cannot be told apart, in the words of the real server.
pub(super) fn items<'a>(
    node: &Node,
    list: Option<&'a Value>,
) -> Result<Vec<(PathElement, &'a Value)>, Vec<String>> {
    let list = list
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let (mut items, mut errors) = (Vec::with_capacity(list.len()), Vec::new());
    for (i, item) in list.iter().enumerate() {
        match element(node, item) {
            Ok(element) => items.push((element, item)),
            Err(error) => errors.push(format!("element {i}: {error}")),
        }
    }
    if errors.is_empty() {
        Ok(items)
    } else {
        Err(errors)
    }
}

fn element(node: &Node, item: &Value) -> Result<PathElement, String> {
    match &node.shape {
        Shape::Keyed { keys, .. } => keyed(keys, item),
        _ => member(item).map_err(str::to_owned),
    }
}

fn keyed(keys: &[Key], item: &Value) -> Result<PathElement, String> {
    let fields = match item {
        Value::Object(fields) => fields,
        Value::Null => {
            return Err("associative list with keys may not have a null element".to_owned());
        }
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut element: Vec<_> = keys
        .iter()
        .filter_map(|key| {
            let value = fields.get(&key.name).or(key.default.as_ref())?;
            Some((key.name.clone(), Scalar(value.clone())))
        })
        .collect();
    if element.is_empty() {
        let names: Vec<_> = keys.iter().map(|key| format!("{:?}", key.name)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            names.join(" ")
        ));
    }
    element.sort();
    Ok(PathElement::Key(element))
}

fn member(item: &Value) -> Result<PathElement, &'static str> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type"),
        Value::Array(_) => Err("not supported: associative list with lists as elements"),
        Value::Null => Err("associative list without keys has an element that's an explicit null"),
        scalar => Ok(PathElement::Value(Scalar(scalar.clone()))),
    }
}
