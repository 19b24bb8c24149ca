//! Whether an applied configuration can be taken apart by its type.
//!
//! Always holds: what passes has no unknown fields, and no list with items that cannot be told
//! apart or that are there twice.
//! Deliberately does not know: required fields and limits, which validation sees to.

use serde_json::Value;

use super::{
    conflict::TypeMismatch,
    items::{Walk, items, walk},
    path::{Path, PathElement},
};
use crate::kubernetes::schema::{
    go_format::go_format,
    types::{Node, Scalar, Shape},
};

/// # Errors
/// When a place of `applied` does not fit.
pub(super) fn fits(applied: &Value, node: &Node) -> Result<(), TypeMismatch> {
    let mut errors = Vec::new();
    check(applied, node, &Path::default(), &mut errors);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(TypeMismatch(errors))
    }
}

fn check(value: &Value, node: &Node, path: &Path, errors: &mut Vec<String>) {
    match walk(node, Some(value)) {
        Walk::Leaf => check_scalar(value, node, path, errors),
        Walk::Map => check_fields(value, node, path, errors),
        Walk::List => check_items(value, node, path, errors),
    }
}

fn check_scalar(value: &Value, node: &Node, path: &Path, errors: &mut Vec<String>) {
    let Shape::Scalar(scalar) = &node.shape else {
        return;
    };
    let plain = go_format(value);
    let problem = match scalar {
        _ if value.is_null() => return,
        Scalar::Numeric if !value.is_number() => {
            format!("expected numeric (int or float), got {}", go_type(value))
        }
        Scalar::String if !value.is_string() => {
            format!("expected string, got &value.valueUnstructured{{Value:{plain}}}")
        }
        Scalar::Boolean if !value.is_boolean() => format!("expected boolean, got &{{{plain}}}"),
        _ => return,
    };
    errors.push(format!("{path}: {problem}"));
}

/// The type of a JSON value in Go.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn check_fields(value: &Value, node: &Node, path: &Path, errors: &mut Vec<String>) {
    let Some(fields) = value.as_object() else {
        expected("map", value, path, errors);
        return;
    };
    for (name, value) in fields {
        let path = below(path, PathElement::Field(name.clone()));
        match node.field(name) {
            Some(node) => check(value, node, &path, errors),
            None => errors.push(format!("{path}: field not declared in schema")),
        }
    }
}

fn check_items(value: &Value, node: &Node, path: &Path, errors: &mut Vec<String>) {
    if !value.is_array() {
        expected("list", value, path, errors);
        return;
    }
    let items = match items(node, Some(value)) {
        Ok(items) => items,
        Err(problems) => {
            errors.extend(problems.iter().map(|problem| format!("{path}: {problem}")));
            return;
        }
    };
    for (i, (element, item)) in items.iter().enumerate() {
        if items[..i].iter().any(|(other, _)| other == element) {
            errors.push(format!("{path}: duplicate entries for key {element}"));
        }
        check(item, node.item(), &below(path, element.clone()), errors);
    }
}

fn expected(what: &str, value: &Value, path: &Path, errors: &mut Vec<String>) {
    if !value.is_null() {
        errors.push(format!(
            "{path}: expected {what}, got &{{{}}}",
            go_format(value)
        ));
    }
}

fn below(path: &Path, element: PathElement) -> Path {
    let mut path = path.clone();
    path.0.push(element);
    path
}
