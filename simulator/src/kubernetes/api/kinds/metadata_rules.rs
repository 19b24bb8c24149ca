//! What makes `metadata` invalid, in every kind.
//!
//! Owns: labels, annotations, finalizers, owner references.
//! Always holds: at most one owner is the controller.
//! Deliberately does not know: whether owners exist.

use serde_json::Value;

use super::items;
use crate::kubernetes::api::{Cause, Resource, metadata, names};

const PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const STANDARD: [&str; 3] = ["kubernetes", "foregroundDeletion", "orphan"];
const MAX_ANNOTATIONS: usize = 256 * 1024;

pub(super) fn validate(r: &Resource, object: &Value) -> Vec<Cause> {
    let meta = &object["metadata"];
    let mut causes = Vec::new();
    check_labels(&meta["labels"], "metadata.labels", &mut causes);
    check_annotations(&meta["annotations"], "metadata.annotations", &mut causes);
    check_owners(meta, &mut causes);
    check_finalizers(r, object, &mut causes);
    causes
}

pub(super) fn check_labels(labels: &Value, at: &str, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        check_key(key, at, causes);
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            let why = "must be no more than 63 characters";
            causes.push(Cause::invalid(at, format!("{value:?}"), why));
        } else if !value.is_empty() && !is_name_part(value) {
            causes.push(Cause::invalid(at, format!("{value:?}"), VALUE));
        }
    }
}

pub(super) fn check_annotations(annotations: &Value, at: &str, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        check_key(&key.to_lowercase(), at, causes);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_ANNOTATIONS {
        let message = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        causes.push(Cause::new("FieldValueTooLong", at, message));
    }
}

fn check_owners(meta: &Value, causes: &mut Vec<Cause>) {
    let at = "metadata.ownerReferences";
    for owner in items(&meta["ownerReferences"]) {
        for (field, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner[field].as_str().is_none_or(str::is_empty) {
                causes.push(Cause::invalid(format!("{at}.{field}"), "\"\"", why));
            }
        }
    }
    let controllers: Vec<&Value> = items(&meta["ownerReferences"])
        .filter(|owner| owner["controller"] == true)
        .collect();
    if let [first, second, ..] = controllers.as_slice() {
        let text =
            |owner: &Value, field: &str| owner[field].as_str().unwrap_or_default().to_owned();
        let name = |owner: &Value| format!("{}/{}", text(owner, "kind"), text(owner, "name"));
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            name(first),
            name(second)
        );
        let shown: Vec<String> = items(&meta["ownerReferences"]).map(shown).collect();
        let shown = format!("[{}]", shown.join(","));
        causes.push(Cause::invalid(at, shown, why));
    }
}

/// An owner as Go writes it: in the order of its struct.
fn shown(owner: &Value) -> String {
    let order = [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion",
    ];
    let fields = order.iter().filter_map(|field| {
        let value = owner.get(*field)?;
        Some(format!("{field:?}:{value}"))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn check_finalizers(r: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let finalizers = metadata::finalizers(object);
    for (index, finalizer) in finalizers.iter().enumerate() {
        check_key(finalizer, "metadata.finalizers", causes);
        // Custom kinds and the core group differ only in how loudly they complain.
        let strict = r.group.is_empty();
        if strict && !finalizer.contains('/') && !STANDARD.contains(finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            let at = format!("metadata.finalizers[{index}]");
            causes.push(Cause::invalid(at, format!("{finalizer:?}"), why));
        }
    }
    if ["orphan", "foregroundDeletion"]
        .iter()
        .all(|policy| finalizers.contains(policy))
    {
        let shown = &object["metadata"]["finalizers"];
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.push(Cause::invalid("metadata.finalizers", shown, why));
    }
}

/// A key: a name, perhaps after a DNS name and a slash.
fn check_key(key: &str, at: &str, causes: &mut Vec<Cause>) {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let mut wrong = |why: String| causes.push(Cause::invalid(at, format!("{key:?}"), why));
    match prefix {
        Some("") => wrong("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            if let Some(why) = names::subdomain(prefix) {
                wrong(format!("prefix part {why}"));
            }
        }
        None => {}
    }
    if name.is_empty() {
        wrong("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong("name part must be no more than 63 characters".to_owned());
    }
    if !is_name_part(name) {
        wrong(PART.to_owned());
    }
}

fn is_name_part(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::api::resource::CONFIG_MAPS;

    #[test]
    fn what_is_wrong_is_told_in_the_words_and_order_of_a_real_server() {
        let object = json!({"metadata": {
            "finalizers": ["foo"], "labels": {"a b": "c", "d": "e f"},
            "ownerReferences": [{"kind": "x"}],
        }});
        let told: Vec<String> = validate(&CONFIG_MAPS, &object)
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        assert_eq!(
            told,
            [
                format!("metadata.labels: Invalid value: \"a b\": {PART}"),
                format!("metadata.labels: Invalid value: \"e f\": {VALUE}"),
                "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty".to_owned(),
                "metadata.ownerReferences.name: Invalid value: \"\": must not be empty".to_owned(),
                "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty".to_owned(),
                "metadata.finalizers[0]: Invalid value: \"foo\": name is neither a standard finalizer name nor is it fully qualified".to_owned(),
            ]
        );
    }
}
