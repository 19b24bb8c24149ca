//! How often a client called Kubernetes and etcd.
//!
//! Owns: the counters, and the layers that count requests as they leave.
//! Always holds: every request that leaves a counted client is counted once, also when it fails.
//! Deliberately does not know: whether servers are simulated.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{Method, Request, Response, Uri};
use tower::{Layer, Service};

use super::Access;

/// Methods of etcd that only ask, by the last part of their path. Listing alarms is one; raising and
/// disarming them has the same name, so it is not told apart.
pub const ETCD_READS: [&str; 7] = [
    "Range",
    "MemberList",
    "Status",
    "Hash",
    "HashKV",
    "Watch",
    "Alarm",
];

/// Calls that one client has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Requests to the API server, by verb and resource: `PATCH statefulsets/scale`.
    pub kubernetes: BTreeMap<String, u64>,
    /// Calls to etcd members, by method: `MemberAdd`.
    pub etcd: BTreeMap<String, u64>,
    /// What of the API server it has used, as roles name it.
    pub accesses: BTreeSet<Access>,
}

/// Counts the calls of one client; a clone counts into the same place.
#[derive(Clone, Default)]
pub struct Counter(Arc<Mutex<Calls>>);

impl Counter {
    /// What was counted so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.lock().clone()
    }

    /// A layer that counts requests to the API server.
    pub(super) fn kubernetes(&self) -> CountLayer {
        CountLayer {
            counter: self.clone(),
            count: count_kubernetes,
        }
    }

    /// A layer that counts calls to etcd.
    pub(super) fn etcd(&self) -> CountLayer {
        CountLayer {
            counter: self.clone(),
            count: count_etcd,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_kubernetes(calls: &mut Calls, method: &Method, uri: &Uri) {
    let query = uri.query().unwrap_or_default();
    let watches = query
        .split('&')
        .any(|pair| pair == "watch=true" || pair == "watch=1");
    calls.accesses.extend(Access::asked(method, uri));
    let verb = if watches { "WATCH" } else { method.as_str() };
    *calls
        .kubernetes
        .entry(format!("{verb} {}", resource(uri.path())))
        .or_default() += 1;
}

/// The gRPC method: the last segment of `/etcdserverpb.Cluster/MemberAdd`.
fn count_etcd(calls: &mut Calls, _: &Method, uri: &Uri) {
    let method = uri.path().rsplit('/').next().unwrap_or_default();
    *calls.etcd.entry(method.to_owned()).or_default() += 1;
}

/// `pods`, `statefulsets/scale`: the resource and subresource of an API path.
pub(super) fn resource(path: &str) -> String {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match segments.next() {
        Some("api") => drop(segments.next()),
        Some("apis") => drop((segments.next(), segments.next())),
        _ => return path.to_owned(),
    }
    let rest: Vec<&str> = segments.collect();
    let rest = match rest.as_slice() {
        ["namespaces", _, inside @ ..] if !inside.is_empty() => inside,
        all => all,
    };
    match rest {
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
        [] => path.to_owned(),
    }
}

/// Counts what passes.
#[derive(Clone)]
pub(super) struct CountLayer {
    counter: Counter,
    count: fn(&mut Calls, &Method, &Uri),
}

impl<S> Layer<S> for CountLayer {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose requests are counted.
#[derive(Clone)]
pub(super) struct Counted<S> {
    inner: S,
    layer: CountLayer,
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let counter = self.layer.counter.clone();
        (self.layer.count)(&mut counter.lock(), request.method(), request.uri());
        let access = Access::asked(request.method(), request.uri());
        let seen = move |answer: &Result<Response<B>, S::Error>| {
            let (Some(access), Ok(answer)) = (access, answer) else {
                return;
            };
            counter
                .lock()
                .accesses
                .extend(access.answered(answer.status()));
        };
        self.inner.call(request).inspect(seen).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(method: Method, uri: &'static str) -> String {
        let mut calls = Calls::default();
        count_kubernetes(&mut calls, &method, &Uri::from_static(uri));
        calls.kubernetes.into_keys().next().unwrap()
    }

    #[test]
    fn requests_are_named_by_verb_and_resource() {
        let apps = "/apis/apps/v1/namespaces/default/statefulsets";
        for (uri, name) in [
            ("/api/v1/pods?watch=true&resourceVersion=5", "WATCH pods"),
            ("/api/v1/namespaces/default/pods/demo-0", "GET pods"),
            ("/api/v1/namespaces/default", "GET namespaces"),
            ("/api/v1/namespaces", "GET namespaces"),
            (
                "/apis/apps/v1/namespaces/a/statefulsets/demo/scale",
                "GET statefulsets/scale",
            ),
            ("/version", "GET /version"),
        ] {
            assert_eq!(counted(Method::GET, uri), name);
        }
        assert_eq!(counted(Method::PATCH, apps), "PATCH statefulsets");
    }

    #[test]
    fn etcd_calls_are_named_by_method() {
        let mut calls = Calls::default();
        count_etcd(
            &mut calls,
            &Method::POST,
            &Uri::from_static("/etcdserverpb.Cluster/MemberAdd"),
        );
        assert_eq!(calls.etcd.get("MemberAdd"), Some(&1));
    }
}
