//! Playing a script against an API server.
//!
//! Owns: the language of scripts. A line is a method, a path, and for some a body. A path that does
//! not begin with `/` is one of the script's own namespace: `pods/a?dryRun=All`. `as KIND` says
//! what the body is: `merge`, `json`, `strategic`, `apply`, or a media type. `WATCH path` shows
//! what a watch tells within a second. In paths and bodies `<rv a>` and `<uid a>` are those that
//! the object `a` was last seen with, `<rv list>` and `<continue>` those of the last list. A body
//! `@huge` is larger than any server takes, `@hex:6b3873` is bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plain::Plain;

/// A request without its transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: String,
}

/// An API server that can be asked.
pub(crate) trait Arm {
    fn ask(&mut self, ask: &Ask) -> Told;
}

/// Plays a script in a namespace that nobody has used before, and gives the answer to each line.
pub(crate) fn play(arm: &mut dyn Arm, namespace: &str, script: &[String]) -> Vec<String> {
    let mut play = Play {
        arm,
        namespace,
        seen: BTreeMap::new(),
        plain: Plain::new(namespace),
    };
    play.prepare();
    script.iter().map(|line| play.line(line)).collect()
}

/// What is in every namespace once its controllers have been there, and pods need.
const ACCOUNT: &str = r#"{"metadata":{"name":"default"}}"#;

struct Play<'a> {
    arm: &'a mut dyn Arm,
    namespace: &'a str,
    /// What a placeholder stands for.
    seen: BTreeMap<String, String>,
    plain: Plain,
}

impl Play<'_> {
    fn prepare(&mut self) {
        let namespace = json!({"metadata": {"name": self.namespace}}).to_string();
        let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", self.namespace);
        for (path, body) in [
            ("/api/v1/namespaces".to_owned(), namespace),
            (accounts, ACCOUNT.to_owned()),
        ] {
            let told = self.arm.ask(&Ask {
                method: "POST".to_owned(),
                path,
                headers: vec![("content-type", "application/json".to_owned())],
                body: body.into_bytes(),
            });
            assert!(
                matches!(told.code, 201 | 409),
                "a namespace is made: {told:?}"
            );
        }
    }

    fn line(&mut self, line: &str) -> String {
        let line = self.fill(line);
        let ask = read(&line, self.namespace);
        let told = self.arm.ask(&ask);
        self.remember(&told.body);
        self.plain.answer(&told)
    }

    /// The line with what its placeholders stand for; one that was never seen stands for itself.
    fn fill(&self, line: &str) -> String {
        let mut line = line.to_owned();
        if !self.seen.contains_key("continue") {
            line = line.replace("&continue=<continue>", "");
        }
        for (name, value) in &self.seen {
            line = line.replace(&format!("<{name}>"), value);
        }
        line
    }

    fn remember(&mut self, body: &str) {
        let Ok(object) = serde_json::from_str::<Value>(body) else {
            return;
        };
        let metadata = &object["metadata"];
        let text = |name: &str| metadata[name].as_str().map(str::to_owned);
        let name = if object.get("items").is_some() {
            Some("list".to_owned())
        } else {
            text("name")
        };
        let Some(name) = name else { return };
        for (what, value) in [("rv", text("resourceVersion")), ("uid", text("uid"))] {
            if let Some(value) = value {
                self.seen.insert(format!("{what} {name}"), value);
            }
        }
        if let Some(token) = text("continue") {
            self.seen.insert("continue".to_owned(), token);
        }
    }
}

/// The folder of paths that a resource's objects are in.
fn root(resource: &str) -> &'static str {
    match resource {
        "statefulsets" | "controllerrevisions" => "/apis/apps/v1",
        "poddisruptionbudgets" => "/apis/policy/v1",
        "leases" => "/apis/coordination.k8s.io/v1",
        "endpointslices" => "/apis/discovery.k8s.io/v1",
        "etcdclusters" => "/apis/etcd.etcd.io/v1alpha1",
        _ => "/api/v1",
    }
}

/// Reads a line with its placeholders filled in.
fn read(line: &str, namespace: &str) -> Ask {
    let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (path, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (kind, body) = match rest.strip_prefix("as ") {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => ("", rest),
    };
    let resource = path.split(['/', '?']).next().unwrap_or_default();
    let mut path = if path.starts_with('/') {
        path.replace("NAMESPACE", namespace)
    } else {
        format!("{}/namespaces/{namespace}/{path}", root(resource))
    };
    let kind = match kind {
        "" => "application/json",
        "merge" => "application/merge-patch+json",
        "json" => "application/json-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "apply" => "application/apply-patch+yaml",
        other => other,
    };
    let mut method = method.to_owned();
    if method == "WATCH" {
        method = "GET".to_owned();
        let more = if path.contains('?') { '&' } else { '?' };
        path = format!("{path}{more}watch=1&timeoutSeconds=1");
    }
    let mut headers = vec![("user-agent", "lab/1".to_owned())];
    if !body.is_empty() || method != "GET" {
        headers.push(("content-type", kind.to_owned()));
    } else if kind != "application/json" {
        headers.push(("accept", kind.to_owned()));
    }
    Ask {
        method,
        // A placeholder that was never filled in is no part of a path.
        path: path.replace('<', "%3C").replace('>', "%3E"),
        headers,
        body: bytes(body),
    }
}

fn bytes(body: &str) -> Vec<u8> {
    if body == "@huge" {
        return vec![b' '; 4 * 1024 * 1024];
    }
    let Some(hex) = body.strip_prefix("@hex:") else {
        return body.as_bytes().to_vec();
    };
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).expect("a hex digit") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] * 16 + pair[1])
        .collect()
}

#[test]
fn a_line_is_read_as_a_request() {
    let ask = read(r#"PATCH pods/a?force=true as apply {"a": 1}"#, "ns");
    assert_eq!(ask.method, "PATCH");
    assert_eq!(ask.path, "/api/v1/namespaces/ns/pods/a?force=true");
    assert_eq!(ask.headers[1].1, "application/apply-patch+yaml");
    assert_eq!(ask.body, br#"{"a": 1}"#);
    let ask = read("WATCH statefulsets", "ns");
    assert!(ask.path.ends_with("/statefulsets?watch=1&timeoutSeconds=1"));
    assert_eq!(bytes("@hex:6b38"), b"k8");
}
