//! An API server that is asked without a socket.
//!
//! Owns: requests made of a method, a path and a body.
//! Always holds: a request that is refused ends the benchmark.

use jiff::Timestamp;
use serde_json::json;
use simulator::kubernetes::api::{Answer, ApiServer, Reply, Request, Watch};

/// A server with some objects.
pub struct Api {
    server: ApiServer,
    now: Timestamp,
}

impl Api {
    /// A server with so many pods in the namespace `default`.
    #[must_use]
    pub fn with_pods(count: u16) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let mut api = Self {
            server: ApiServer::new(1),
            now,
        };
        for number in 0..count {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{number}")},
                "spec": {"containers": [{"name": "etcd", "image": "etcd:v3.5.21"}]},
            });
            api.ask("POST", "/api/v1/namespaces/default/pods", &pod.to_string());
        }
        api
    }

    /// What the server answers.
    ///
    /// # Panics
    /// When it refuses.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> Reply {
        match self.server.handle(self.now, &request(method, path, body)) {
            Answer::Reply(reply) if reply.code < 300 => reply,
            Answer::Reply(reply) => panic!("{method} {path}: {}", reply.value()),
            Answer::Watch(_) => panic!("{method} {path} is a watch"),
        }
    }

    /// Watches on a collection, from now on.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn watch(&mut self, path: &str, count: u16) -> Vec<Watch> {
        let revision = self.server.revision();
        let path = format!("{path}?watch=true&resourceVersion={revision}");
        let mut open = || match self.server.handle(self.now, &request("GET", &path, "")) {
            Answer::Watch(watch) => *watch,
            Answer::Reply(reply) => panic!("{path}: {}", reply.value()),
        };
        (0..count).map(|_| open()).collect()
    }

    /// How many events the watch gets.
    pub fn told(&self, watch: &mut Watch) -> usize {
        watch.step(&self.server, self.now).lines.len()
    }
}

fn request(method: &str, path: &str, body: &str) -> Request {
    let kind = match (method, path.contains("fieldManager=")) {
        ("PATCH", true) => "application/apply-patch+yaml",
        ("PATCH", false) => "application/merge-patch+json",
        _ => "application/json",
    };
    http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind)
        .header("user-agent", "bench/1")
        .body(body.to_owned().into())
        .expect("paths of benchmarks are valid")
}
