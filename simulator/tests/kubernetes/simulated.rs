//! The simulated arm: the API server as a state machine, with a time that each request moves on.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use simulator::kubernetes::api::{Answer, ApiServer, Request};

use crate::play::{self, Arm, Ask, Told};

/// The definition of the operator's own kind, which both arms serve.
pub(crate) const DEFINITION: &str = include_str!("../../../kind-config/etcdcluster-crd.yaml");

/// Every script has a server of its own, so one name will do.
pub(crate) const NAMESPACE: &str = "simulated-0";

/// Plays a script against a new API server.
pub(crate) fn play(script: &[String]) -> Vec<String> {
    play::play(&mut Simulated::new(), NAMESPACE, script)
}

pub(crate) struct Simulated {
    api: ApiServer,
    now: Timestamp,
}

impl Simulated {
    pub(crate) fn new() -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let mut arm = Self {
            api: ApiServer::starting_at(7, now),
            now,
        };
        let told = arm.ask(&definition());
        assert_eq!(told.code, 201, "{}", told.body);
        arm
    }
}

/// The request that makes the definition.
pub(crate) fn definition() -> Ask {
    let definition: Value = serde_saphyr::from_str(DEFINITION).expect("YAML");
    Ask {
        method: "POST".to_owned(),
        path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: definition.to_string().into_bytes(),
    }
}

impl Arm for Simulated {
    fn ask(&mut self, ask: &Ask) -> Told {
        self.now += SignedDuration::from_millis(100);
        let mut request = Request::new(Bytes::from(ask.body.clone()));
        *request.method_mut() = ask.method.parse().expect("a method");
        *request.uri_mut() = ask.path.parse().expect("a path");
        for (name, value) in &ask.headers {
            let value = value.parse().expect("a header's value");
            request.headers_mut().insert(*name, value);
        }
        match self.api.handle(self.now, &request) {
            Answer::Reply(reply) => Told {
                code: reply.code,
                warnings: reply.warnings,
                body: String::from_utf8_lossy(&reply.body).into_owned(),
            },
            Answer::Watch(mut watch) => {
                let mut lines = watch.step(&self.api, self.now).lines;
                self.now += SignedDuration::from_secs(1);
                lines.extend(watch.step(&self.api, self.now).lines);
                Told {
                    code: 200,
                    warnings: Vec::new(),
                    body: String::from_utf8_lossy(&lines.concat()).into_owned(),
                }
            }
        }
    }
}
