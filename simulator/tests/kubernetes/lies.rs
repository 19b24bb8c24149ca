//! Lies that the comparison must see: the simulation, broken on purpose in one way at a time.
//!
//! A liar stands between the script and the simulated API server and changes what is asked or what
//! is answered, as a server would that has the bug. Each names the case that sees it.

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
    /// The case that sees it.
    case: &'static str,
    asks: fn(&mut Ask),
    tells: fn(&Ask, &mut Told),
}

const HONEST: Liar = Liar {
    bug: "nothing",
    case: "life",
    asks: |_| {},
    tells: |_, _| {},
};

const LIARS: &[Liar] = &[
    Liar {
        bug: "writes: a stale resourceVersion is not noticed",
        case: "life",
        asks: |ask| {
            edit(&mut ask.body, |body| {
                drop(remove(&mut body["metadata"], "resourceVersion"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "deletion: preconditions are not looked at",
        case: "life",
        asks: |ask| edit(&mut ask.body, |body| drop(remove(body, "preconditions"))),
        ..HONEST
    },
    Liar {
        bug: "deletion: finalizers do not hold an object",
        case: "finalizers",
        asks: |ask| {
            edit(&mut ask.body, |body| {
                drop(remove(&mut body["metadata"], "finalizers"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "apply: every conflict is forced",
        case: "apply",
        asks: |ask| {
            if ask.path.contains("fieldManager=") && !ask.path.contains("force=") {
                ask.path.push_str("&force=true");
            }
        },
        ..HONEST
    },
    Liar {
        bug: "dry runs: they are real",
        case: "dry-runs",
        asks: |ask| ask.path = ask.path.replace("dryRun=All", ""),
        ..HONEST
    },
    Liar {
        bug: "lists: the selector is ignored",
        case: "lists",
        asks: |ask| ask.path = ask.path.replace("labelSelector=", "ignored="),
        ..HONEST
    },
    Liar {
        bug: "lists: there is no next page",
        case: "lists",
        tells: |_, told| {
            edit_text(&mut told.body, |body| {
                drop(remove(&mut body["metadata"], "continue"))
            })
        },
        ..HONEST
    },
    Liar {
        bug: "watches: a deletion is told as a modification",
        case: "watches",
        tells: |_, told| {
            told.body = told
                .body
                .replace(r#""type":"DELETED""#, r#""type":"MODIFIED""#)
        },
        ..HONEST
    },
    Liar {
        bug: "status: the main resource writes it too",
        case: "scale",
        asks: |ask| ask.path = ask.path.replace("/status?", "?").replace("/status", ""),
        ..HONEST
    },
    Liar {
        bug: "generation: labels raise it",
        case: "generation",
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
        case: "dry-runs",
        tells: |_, told| told.warnings.clear(),
        ..HONEST
    },
    Liar {
        bug: "refusals: a conflict is told as a bad request",
        case: "life",
        tells: |ask, told| {
            if told.code == 409 && !ask.path.ends_with("/serviceaccounts") {
                told.code = 400;
            }
        },
        ..HONEST
    },
    Liar {
        bug: "evictions: budgets are not asked",
        case: "budgets",
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
        case: "malformed",
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
        let before = value.clone();
        change(&mut value);
        // What is not changed stays as it was written.
        if value != before {
            *body = value.to_string().into_bytes();
        }
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

/// Whether the liar's case sees it, in any version.
fn is_seen(liar: &Liar) -> bool {
    let case = cases().into_iter().find(|it| it.name == liar.case);
    let case = case.unwrap_or_else(|| panic!("there is no case {}", liar.case));
    recorded_versions().iter().any(|version| {
        let expected = recorded(version, &case).expect("it was recorded");
        let server = Simulated::new();
        let answers = play::play(&mut Lying { liar, server }, NAMESPACE, &case.script);
        difference(&case, &expected, &answers, "simulated").is_some()
    })
}

#[test]
fn every_lie_is_seen_and_an_honest_server_is_believed() {
    if std::env::var_os("CASE").is_some() {
        return;
    }
    assert!(!is_seen(&HONEST));
    for liar in LIARS {
        assert!(is_seen(liar), "{} does not see: {}", liar.case, liar.bug);
        println!("{}: seen by {}", liar.bug, liar.case);
    }
}
