//! Lies that the comparison must see: the simulation, broken on purpose in one way at a time.
//!
//! A liar stands between the script and the simulated API server and changes what is asked or what
//! is answered, as a server would that has the bug. For every liar the test says which case sees it.

use serde_json::{Value, json};

use crate::{
    play::{self, Arm, Ask, Told},
    simulated::{NAMESPACE, Simulated},
    two_arms::recording::{cases, difference, recorded, recorded_versions},
};

/// Changes a request, before the server sees it, or an answer, before the script does.
struct Liar {
    /// What is broken.
    bug: &'static str,
    asks: fn(&mut Ask),
    tells: fn(&Ask, &mut Told),
}

const HONEST: Liar = Liar {
    bug: "nothing",
    asks: |_| {},
    tells: |_, _| {},
};

const LIARS: &[Liar] = &[
    Liar {
        bug: "writes: a stale resourceVersion is not noticed",
        asks: |ask| {
            edit(&mut ask.body, |body| {
                drop(remove(&mut body["metadata"], "resourceVersion"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "deletion: preconditions are not looked at",
        asks: |ask| edit(&mut ask.body, |body| drop(remove(body, "preconditions"))),
        ..HONEST
    },
    Liar {
        bug: "deletion: finalizers do not hold an object",
        asks: |ask| {
            edit(&mut ask.body, |body| {
                drop(remove(&mut body["metadata"], "finalizers"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "apply: every conflict is forced",
        asks: |ask| {
            if ask.path.contains("fieldManager=") && !ask.path.contains("force=") {
                ask.path.push_str("&force=true");
            }
        },
        ..HONEST
    },
    Liar {
        bug: "dry runs: they are real",
        asks: |ask| ask.path = ask.path.replace("dryRun=All", ""),
        ..HONEST
    },
    Liar {
        bug: "lists: the selector is ignored",
        asks: |ask| ask.path = ask.path.replace("labelSelector=", "ignored="),
        ..HONEST
    },
    Liar {
        bug: "lists: there is no next page",
        tells: |_, told| {
            edit_text(&mut told.body, |body| {
                drop(remove(&mut body["metadata"], "continue"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "watches: a deletion is told as a modification",
        tells: |_, told| {
            told.body = told
                .body
                .replace(r#""type":"DELETED""#, r#""type":"MODIFIED""#)
        },
        ..HONEST
    },
    Liar {
        bug: "status: the main resource writes it too",
        asks: |ask| ask.path = ask.path.replace("/status?", "?").replace("/status", ""),
        ..HONEST
    },
    Liar {
        bug: "generation: labels raise it",
        tells: |ask, told| {
            if ask.method == "PATCH" && String::from_utf8_lossy(&ask.body).contains("labels") {
                edit_text(&mut told.body, |body| {
                    if let Some(generation) = body["metadata"]["generation"].as_i64() {
                        body["metadata"]["generation"] = json!(generation + 1);
                    }
                });
            }
        },
        ..HONEST
    },
    Liar {
        bug: "validation: unknown fields go without a word",
        tells: |_, told| told.warnings.clear(),
        ..HONEST
    },
    Liar {
        bug: "refusals: a conflict is told as a bad request",
        tells: |_, told| {
            if told.code == 409 {
                told.code = 400;
            }
        },
        ..HONEST
    },
    Liar {
        bug: "evictions: budgets are not asked",
        asks: |ask| {
            if let Some(pod) = ask.path.strip_suffix("/eviction") {
                ask.path = pod.to_owned();
                ask.method = "DELETE".to_owned();
                ask.body.clear();
            }
        },
        ..HONEST
    },
    Liar {
        bug: "malformed requests: a media type that cannot be read is taken for JSON",
        asks: |ask| {
            for (name, value) in &mut ask.headers {
                if *name == "content-type" && value == "text/plain" {
                    *value = "application/json".to_owned();
                }
            }
        },
        ..HONEST
    },
];

fn edit(body: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    // What is no JSON object has nothing that could be lied about.
    if let Ok(mut value @ Value::Object(_)) = serde_json::from_slice::<Value>(body) {
        change(&mut value);
        *body = value.to_string().into_bytes();
    }
}

fn edit_text(body: &mut String, change: impl FnOnce(&mut Value)) {
    let mut bytes = std::mem::take(body).into_bytes();
    edit(&mut bytes, change);
    *body = String::from_utf8(bytes).expect("JSON is text");
}

fn remove(from: &mut Value, name: &str) -> Option<Value> {
    from.as_object_mut()?.remove(name)
}

struct Lying<'a> {
    liar: &'a Liar,
    server: Simulated,
}

impl Arm for Lying<'_> {
    fn ask(&mut self, ask: &Ask) -> Told {
        let mut changed = ask.clone();
        (self.liar.asks)(&mut changed);
        let mut told = self.server.ask(&changed);
        (self.liar.tells)(ask, &mut told);
        told
    }
}

/// The cases that see through a liar.
fn seen_by(liar: &Liar) -> Vec<String> {
    let mut seen = Vec::new();
    for version in recorded_versions() {
        for case in cases() {
            let Some(expected) = recorded(&version, &case) else {
                continue;
            };
            let server = Simulated::new();
            let answers = play::play(&mut Lying { liar, server }, NAMESPACE, &case.script);
            if difference(&case, &expected, &answers, "simulated").is_some() {
                seen.push(case.name);
            }
        }
    }
    seen
}

#[test]
fn every_lie_is_seen_and_an_honest_server_is_believed() {
    assert!(seen_by(&HONEST).is_empty());
    for liar in LIARS {
        let seen = seen_by(liar);
        println!("{}: seen by {}", liar.bug, seen.join(", "));
        assert!(!seen.is_empty(), "nothing sees: {}", liar.bug);
    }
}
