//! Requests to the API server, counted as their answers come in.
//!
//! Owns: a layer for the client.
//! Always holds: a request is counted once, also when nobody answers.
//! Deliberately does not know: what is asked for.

use std::task::{Context, Poll};

use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use tower::{Layer, Service};

use super::{Metrics, RequestLabels};

/// Counts the requests of one client.
#[derive(Clone, Debug)]
pub struct CountRequests(Metrics);

/// A client's service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl Metrics {
    /// A layer for the client of the API server.
    #[must_use]
    pub fn count_requests(&self) -> CountRequests {
        CountRequests(self.clone())
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            metrics: self.0.clone(),
        }
    }
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
        let (metrics, method) = (self.metrics.clone(), request.method().to_string());
        let answer = self.inner.call(request);
        let count = move |answer: &Result<Response<B>, S::Error>| {
            let code = match answer {
                Ok(answer) => answer.status().as_str().to_owned(),
                Err(_) => "none".to_owned(),
            };
            let labels = RequestLabels { method, code };
            metrics.0.requests.get_or_create(&labels).inc();
        };
        answer.inspect(count).boxed()
    }
}
