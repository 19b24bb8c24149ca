//! Choosing objects by labels and by fields.
//!
//! Owns: the grammar of both selectors, and which fields of which kind can be selected.
//! Always holds: an empty selector matches everything.
//! Deliberately does not know: lists and watches.

use serde_json::Value;

use super::{ApiError, Resource, jsonpath, resource::is_built_in};

/// A parsed label selector and field selector.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

#[derive(Clone, Debug)]
struct FieldRequirement {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Parses both selectors; `selectable` are the paths that a custom kind offers.
    pub(super) fn parse(
        r: &Resource,
        selectable: &[String],
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, ApiError> {
        let labels = labels.map_or(Ok(Vec::new()), parse_labels)?;
        let fields = fields.map_or(Ok(Vec::new()), parse_fields)?;
        for field in &fields {
            let known = known_fields(r).contains(&field.path.as_str())
                || matches!(field.path.as_str(), "metadata.name" | "metadata.namespace")
                || selectable.contains(&field.path);
            if !known {
                let why = if known_fields(r).is_empty() && is_built_in(r) {
                    format!(
                        "{:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                        field.path
                    )
                } else {
                    format!("field label not supported: {}", field.path)
                };

                return Err(ApiError::bad_request(why));
            }
        }
        Ok(Self { labels, fields })
    }

    /// Whether it matches everything.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.labels
            .iter()
            .all(|requirement| requirement.matches(&object["metadata"]["labels"]))
            && self
                .fields
                .iter()
                .all(|field| (field_value(object, &field.path) == field.value) == field.equal)
    }
}

/// Whether labels match a `LabelSelector` object (`matchLabels` and `matchExpressions`).
pub(super) fn label_selector_matches(selector: &Value, labels: &Value) -> bool {
    let exact = selector["matchLabels"].as_object();
    let exact = exact
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector["matchExpressions"].as_array();
    exact
        && expressions.into_iter().flatten().all(|expression| {
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            let test = match expression["operator"].as_str() {
                Some("In") => Test::In(values),
                Some("NotIn") => Test::NotIn(values),
                Some("Exists") => Test::Exists,
                Some("DoesNotExist") => Test::Absent,
                _ => return false,
            };
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            Requirement { key, test }.matches(labels)
        })
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        let value = labels.get(&self.key).and_then(Value::as_str);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Test::NotIn(values) => !value.is_some_and(|value| values.iter().any(|v| v == value)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Greater(bound) => number().is_some_and(|number| number > *bound),
            Test::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    split_outside_parentheses(text)
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .map(|part| parse_requirement(part.trim()))
        .collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(text: &str) -> Result<Requirement, ApiError> {
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Requirement {
            key: key_of(key)?,
            test: Test::Absent,
        });
    }
    if let Some((key, set)) = text.split_once('(') {
        let values = set
            .trim_end()
            .strip_suffix(')')
            .ok_or_else(|| unparsable(text))?;
        let values = values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let (key, operator) = key.trim().split_once(' ').ok_or_else(|| unparsable(text))?;
        let test = match operator.trim() {
            "in" => Test::In(values),
            "notin" => Test::NotIn(values),
            other => return Err(unparsable(other)),
        };
        return Ok(Requirement {
            key: key_of(key)?,
            test,
        });
    }
    for (operator, test) in [
        (
            "!=",
            (|value| Some(Test::NotIn(vec![value]))) as fn(String) -> Option<Test>,
        ),
        ("==", |value| Some(Test::In(vec![value]))),
        ("=", |value| Some(Test::In(vec![value]))),
        (">", |value| value.parse().ok().map(Test::Greater)),
        ("<", |value| value.parse().ok().map(Test::Less)),
    ] {
        if let Some((key, value)) = text.split_once(operator) {
            if value.trim_start().starts_with('=') {
                let why = "unable to parse requirement: found '=', expected: identifier";
                return Err(ApiError::bad_request(why));
            }
            let test = test(value.trim().to_owned()).ok_or_else(|| unparsable(text))?;
            return Ok(Requirement {
                key: key_of(key)?,
                test,
            });
        }
    }
    Ok(Requirement {
        key: key_of(text)?,
        test: Test::Exists,
    })
}

fn key_of(text: &str) -> Result<String, ApiError> {
    let key = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || !key.chars().all(allowed) {
        return Err(unparsable(text));
    }
    Ok(key.to_owned())
}

fn unparsable(text: &str) -> ApiError {
    ApiError::bad_request(format!(
        "unable to parse requirement: found '{text}', expected: in, notin, =, ==, !=, gt, lt"
    ))
}

fn parse_fields(text: &str) -> Result<Vec<FieldRequirement>, ApiError> {
    let parse = |part: &str| {
        for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some((path, value)) = part.split_once(operator) {
                return Ok(FieldRequirement {
                    path: path.into(),
                    value: value.into(),
                    equal,
                });
            }
        }
        let why = format!("invalid selector: '{part}'; can't understand '{part}'");
        Err(ApiError::bad_request(why))
    };
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(parse)
        .collect()
}

fn known_fields(r: &Resource) -> &'static [&'static str] {
    match (r.group.as_ref(), r.plural.as_ref()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("apps", "replicasets") => &["status.replicas"],
        _ => &[],
    }
}

/// The text that a field selector compares with: empty when there is no such field.
fn field_value(object: &Value, path: &str) -> String {
    let regarding;
    let (object, path) = match path {
        // Stored as core events, whatever view the selector was written for.
        _ if path.starts_with("regarding.") => {
            regarding = path.replacen("regarding.", "involvedObject.", 1);
            (object, regarding.as_str())
        }
        "reportingController" | "reportingComponent" => {
            let component = object["reportingComponent"]
                .as_str()
                .filter(|name| !name.is_empty());
            return component
                .or_else(|| object["source"]["component"].as_str())
                .unwrap_or_default()
                .to_owned();
        }
        "source" => {
            return object["source"]["component"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
        }
        _ => (object, path),
    };
    let flag = matches!(path, "spec.unschedulable" | "spec.hostNetwork");
    match jsonpath::field(object, path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None if flag => "false".to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::resource, *};

    fn labels_match(selector: &str, labels: &Value) -> bool {
        let parsed = Selector::parse(&resource::PODS, &[], Some(selector), None).unwrap();
        parsed.matches(&json!({"metadata": {"labels": labels}}))
    }

    #[test]
    fn label_selectors_follow_the_grammar() {
        let labels = json!({"app": "etcd", "tier": "db", "n": "7"});
        for (selector, expected) in [
            ("", true),
            ("app=etcd", true),
            ("app==etcd,tier!=web", true),
            ("app=other", false),
            ("missing!=x", true),
            ("app in (a, etcd),tier notin (x,y)", true),
            ("app notin (etcd)", false),
            ("app,!missing", true),
            ("!app", false),
            ("n>6,n<8", true),
            ("n>7", false),
        ] {
            assert_eq!(labels_match(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn a_selector_that_cannot_be_parsed_is_refused() {
        for selector in ["app in", "a b", "=x", "a in (b", "n>x"] {
            let parsed = Selector::parse(&resource::PODS, &[], Some(selector), None);
            assert_eq!(
                parsed.map(drop).map_err(|refusal| refusal.code),
                Err(400),
                "{selector}"
            );
        }
    }

    #[test]
    fn fields_can_be_selected_where_the_kind_offers_them() {
        let parse = |fields| Selector::parse(&resource::PODS, &[], None, Some(fields));
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}});
        assert!(
            parse("spec.nodeName=n1,metadata.name!=b")
                .unwrap()
                .matches(&pod)
        );
        assert!(!parse("status.phase=Running").unwrap().matches(&pod));
        assert!(parse("status.phase=").unwrap().matches(&pod));
        assert!(
            parse("spec.image=x")
                .unwrap_err()
                .message
                .ends_with("field label not supported: spec.image")
        );
    }

    #[test]
    fn a_label_selector_object_matches_like_its_text() {
        let selector = json!({
            "matchLabels": {"app": "etcd"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}],
        });
        assert!(label_selector_matches(&selector, &json!({"app": "etcd"})));
        assert!(!label_selector_matches(
            &selector,
            &json!({"app": "etcd", "tier": "web"})
        ));
        assert!(!label_selector_matches(&selector, &json!({})));
    }
}
