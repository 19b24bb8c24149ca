//! An answer as text, without what differs from run to run.
//!
//! Always holds: the n-th UID and the n-th resource version of a script have the same name in both
//! arms, so it still shows which objects are the same and which writes changed one. Times become
//! `T`, generated names and addresses lose what is random, and everything else is kept, but for three
//! differences that are kept: an object that a refusal quotes is `OBJECT` (the order of its fields is
//! Go's own), the volume with a pod's token is left out, which the simulation does not have, and so
//! are the times of conditions that nobody has set, which Go writes as `null`.

use regex::{Captures, Regex};
use serde_json::Value;

use crate::play::Told;

pub(crate) struct Plain {
    namespace: String,
    uids: Vec<String>,
    revisions: Vec<String>,
}

impl Plain {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            uids: Vec::new(),
            revisions: Vec::new(),
        }
    }

    pub(crate) fn answer(&mut self, told: &Told) -> String {
        let mut text = told.code.to_string();
        for warning in &told.warnings {
            text.push_str(&format!(" [{warning}]"));
        }
        // A watch is several values, one a line; a single one may be spread over lines.
        let whole = serde_json::from_str::<Value>(&told.body).map(|value| value.to_string());
        let body = whole.unwrap_or_else(|_| told.body.clone());
        let lines: Vec<String> = body
            .lines()
            .map(|line| match serde_json::from_str::<Value>(line) {
                Ok(mut value) => {
                    let is_list = value.get("items").is_some();
                    if value["type"] == "BOOKMARK" {
                        value["object"]["metadata"]["resourceVersion"] = "of the list".into();
                    }
                    if is_list {
                        value["metadata"]["resourceVersion"] = "of the list".into();
                    }
                    self.value(&mut value);
                    value.to_string()
                }
                Err(_) => line.to_owned(),
            })
            .collect();
        let body = self.words(&lines.join("\n"));
        let separator = if lines.len() > 1 { "\n" } else { " " };
        format!("{text}{separator}{body}").trim_end().to_owned()
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    self.field(name, field);
                }
                for name in ["lastProbeTime", "lastTransitionTime"] {
                    if fields.get(name).is_some_and(Value::is_null) {
                        fields.remove(name);
                    }
                    fields.remove(&format!("f:{name}"));
                }
                for name in ["volumes", "volumeMounts"] {
                    let is_empty = |list: &Value| list.as_array().is_some_and(Vec::is_empty);
                    if fields.get(name).is_some_and(is_empty) {
                        fields.remove(name);
                    }
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, name: &str, field: &mut Value) {
        match (name, &mut *field) {
            ("uid", Value::String(uid)) => *uid = named("uid", &mut self.uids, uid),
            ("resourceVersion", Value::String(revision))
                if !revision.is_empty() && revision != "of the list" =>
            {
                *revision = named("rv", &mut self.revisions, revision);
            }
            (
                "creationTimestamp" | "deletionTimestamp" | "time" | "lastTransitionTime",
                Value::String(time),
            ) => {
                *time = "T".to_owned();
            }
            ("volumes" | "volumeMounts", Value::Array(volumes)) => {
                volumes.retain(|volume| !is_token(volume));
                self.value(field);
            }
            ("continue", Value::String(token)) => *token = "TOKEN".to_owned(),
            ("clusterIP", Value::String(ip)) if ip != "None" => *ip = "IP".to_owned(),
            ("clusterIPs", Value::Array(ips)) if ips.iter().any(|ip| ip != "None") => {
                *ips = vec!["IP".into()];
            }
            // Entries of one second are in no order that a script could tell.
            ("managedFields", Value::Array(entries)) => {
                let key = |entry: &Value| {
                    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                    (
                        text("manager"),
                        text("operation"),
                        text("subresource"),
                        text("apiVersion"),
                    )
                };
                entries.sort_by_key(key);
                self.value(field);
            }
            (_, Value::String(text)) => {
                let quoted = pattern(r#"Invalid value: "\{\\".*\}": "#);
                *text = quoted
                    .replace_all(text, "Invalid value: OBJECT: ")
                    .into_owned();
            }
            _ => self.value(field),
        }
    }

    /// What is volatile inside of texts.
    fn words(&mut self, text: &str) -> String {
        let text = text.replace(&self.namespace, "NAMESPACE");
        let uid = pattern(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b");
        let text = uid.replace_all(&text, |found: &Captures| {
            named("uid", &mut self.uids, &found[0])
        });
        let revision = pattern(r"(ResourceVersion in (precondition|object meta): )(\d+)");
        let text = revision.replace_all(&text, |found: &Captures| {
            format!(
                "{}{}",
                &found[1],
                named("rv", &mut self.revisions, &found[3])
            )
        });
        let revision = pattern(r"(does not match the ResourceVersion in record )\(\d+\)");
        let text = revision.replace_all(&text, "$1(rv)");
        let text = pattern(r"\bgen-[a-z0-9]{5}\b").replace_all(&text, "gen-RANDOM");
        text.into_owned()
    }
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

fn is_token(volume: &Value) -> bool {
    let name = volume["name"].as_str().unwrap_or_default();
    name.starts_with("kube-api-access-")
}

/// The name of a value: the how many-th different one it is.
fn named(what: &str, seen: &mut Vec<String>, value: &str) -> String {
    let at = seen.iter().position(|it| it == value).unwrap_or_else(|| {
        seen.push(value.to_owned());
        seen.len() - 1
    });
    format!("{what}{}", at + 1)
}

#[test]
fn what_is_random_is_named_by_when_it_came() {
    let mut plain = Plain::new("ns-1");
    let mut shown = |body: &str| {
        plain.answer(&Told {
            code: 200,
            warnings: Vec::new(),
            body: body.to_owned(),
        })
    };
    let first = shown(
        r#"{"metadata":{"resourceVersion":"17","namespace":"ns-1","creationTimestamp":"2026"}}"#,
    );
    assert_eq!(
        first,
        r#"200 {"metadata":{"creationTimestamp":"T","namespace":"NAMESPACE","resourceVersion":"rv1"}}"#
    );
    let again = shown(r#"{"metadata":{"resourceVersion":"17"}}"#);
    assert_eq!(again, r#"200 {"metadata":{"resourceVersion":"rv1"}}"#);
    let other = shown(r#"{"metadata":{"resourceVersion":"19"}}"#);
    assert_eq!(other, r#"200 {"metadata":{"resourceVersion":"rv2"}}"#);
}
