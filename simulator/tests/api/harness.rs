//! A server in virtual time with clients on in-memory pipes, and requests without any transport.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::Uri;
use hyper_util::{
    client::legacy::Client as HttpClient,
    rt::{TokioExecutor, TokioIo},
};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use simulator::{
    clock::Clock,
    kubernetes::api::{Answer, ApiServer, Reply, Request, serve},
    net::{Listener, Stream},
    trace::Trace,
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};
use tower::{ServiceExt, service_fn};

pub fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Accepts the pipes that clients open.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    fn accept(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + '_>> {
        Box::pin(async {
            let pipe = self
                .0
                .recv()
                .await
                .ok_or(io::ErrorKind::ConnectionAborted)?;
            Ok((Stream::new(pipe), SocketAddr::from(([127, 0, 0, 1], 1))))
        })
    }
}

/// A served API and a `kube` client for it.
pub struct World {
    pub api: Arc<Mutex<ApiServer>>,
    pub client: kube::Client,
    pub trace: Trace,
}

/// Serves an API in virtual time and runs a test against it.
pub fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at(start());
        let api = Arc::new(Mutex::new(ApiServer::starting_at(7, start())));
        let trace = Trace::new(clock, 10_000);
        let (dial, pipes) = mpsc::unbounded_channel();
        tokio::spawn(serve(
            Arc::clone(&api),
            Box::new(Pipes(pipes)),
            clock,
            trace.clone(),
        ));
        test(World {
            api,
            client: client(dial),
            trace,
        })
        .await;
    });
}

fn client(dial: mpsc::UnboundedSender<DuplexStream>) -> kube::Client {
    let connector = service_fn(move |_: Uri| {
        let (near, far) = duplex(64 * 1024);
        let dialled = dial
            .send(far)
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
        Box::pin(async move { dialled.map(|()| TokioIo::new(Stream::new(near))) })
    });
    let http = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = service_fn(move |request: http::Request<Body>| {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("http://api{path}").parse().unwrap();
        head.headers.insert("user-agent", "test/1".parse().unwrap());
        http.clone().oneshot(http::Request::from_parts(head, body))
    });
    kube::Client::new(service, "default")
}

/// A server that is asked without any transport.
pub struct Direct {
    pub api: ApiServer,
    pub now: Timestamp,
}

impl Direct {
    pub fn new() -> Self {
        Self {
            api: ApiServer::starting_at(7, start()),
            now: start(),
        }
    }

    pub fn ask(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let kind = match (method, body) {
            ("PATCH", Value::Array(_)) => "application/json-patch+json",
            ("PATCH", _) if path.contains("fieldManager=") => "application/apply-patch+yaml",
            ("PATCH", _) => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        };
        self.send(method, path, &[("content-type", kind)], body)
    }

    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        match self.answer(method, path, headers, body) {
            Answer::Reply(reply) => reply,
            Answer::Watch(_) => panic!("{path} is a watch"),
        }
    }

    pub fn answer(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::new(body.into());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        request
            .headers_mut()
            .insert("user-agent", "lab/1".parse().unwrap());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.api.handle(self.now, &request)
    }

    pub fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).value()
    }

    /// Sends what must be accepted.
    pub fn must(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.ask(method, path, body);
        assert!(
            reply.code < 300,
            "{method} {path}: {} {}",
            reply.code,
            reply.value()
        );
        reply.value()
    }

    /// Sends what must be refused, and gives code and message.
    pub fn refused(&mut self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let reply = self.ask(method, path, body);
        assert!(
            reply.code >= 400,
            "{method} {path}: {} {}",
            reply.code,
            reply.value()
        );
        (
            reply.code,
            reply.value()["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

pub const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

pub fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "c", "image": "x:1"}]},
    })
}

pub fn stateful_set(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "x:1"}]},
            },
        },
    })
}
