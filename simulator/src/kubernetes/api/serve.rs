//! The server on a socket: a thin HTTP shell around the state machine.
//!
//! Owns: connections, bodies, the stream of a watch, and one trace line per request.
//! Always holds: the state machine is locked for the moment of one request only; a broken
//! connection or request ends itself and nothing else.
//! Deliberately does not know: Kubernetes.

use std::{
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream::FuturesUnordered};
use http::Response;
use http_body_util::{BodyExt, Either, Full, Limited, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;

use super::{
    ApiError, ApiServer, Watch,
    answer::{Answer, Reply, Request},
    rest::{MAX_BODY, agent},
};
use crate::{clock::Clock, net::Listener, trace::Trace};

type Events = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
type Body = Either<Full<Bytes>, StreamBody<Events>>;

#[derive(Clone)]
struct Shell {
    api: Arc<Mutex<ApiServer>>,
    clock: Clock,
    trace: Trace,
}

/// Serves the API to all who connect, for as long as it is polled. All connections live in this
/// one future, so they end with the task (and the host) that runs it.
pub async fn serve(
    api: Arc<Mutex<ApiServer>>,
    mut listener: Box<dyn Listener>,
    clock: Clock,
    trace: Trace,
) {
    let shell = Shell { api, clock, trace };
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let shell = shell.clone();
                    connections.push(async move {
                        let service = service_fn(move |request| {
                            let shell = shell.clone();
                            async move { Ok::<_, Infallible>(shell.answer(request).await) }
                        });
                        // A connection that breaks is the client's affair.
                        let _ = http1::Builder::new()
                            .auto_date_header(false)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                Err(broken) => {
                    shell.trace.record("api", format_args!("failed to accept: {broken}"));
                    break;
                }
            },
            Some(()) = connections.next(), if !connections.is_empty() => {}
        }
    }
    while connections.next().await.is_some() {}
}

impl Shell {
    async fn answer(&self, request: http::Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answer = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => {
                let request = Request::from_parts(head, body.to_bytes());
                let answer = self.lock().handle(self.clock.now(), &request);
                self.note(&request, answer.code());
                answer
            }
            Err(wrong) if wrong.is::<http_body_util::LengthLimitError>() => {
                Answer::Reply(ApiError::too_large(MAX_BODY).into())
            }
            Err(wrong) => {
                let why = format!("failed to read the body: {wrong}");
                Answer::Reply(ApiError::bad_request(why).into())
            }
        };
        match answer {
            Answer::Reply(reply) => whole(reply),
            Answer::Watch(watch) => self.stream(watch),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ApiServer> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: &Request, code: u16) {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let mut line = format!("{} {path} by {} → {code}", request.method(), agent(request));
        let manager = request.uri().query().and_then(|query| {
            query
                .split('&')
                .find_map(|part| part.strip_prefix("fieldManager="))
        });
        if let Some(manager) = manager.filter(|manager| *manager != agent(request)) {
            let _ = write!(line, " ({manager})");
        }
        self.trace.record("api", line);
    }

    fn stream(&self, watch: Box<Watch>) -> Response<Body> {
        let changed = self.lock().changed();
        let state = (self.clone(), watch, changed, None, false);
        let events = futures::stream::unfold(state, |state| async move {
            let (shell, mut watch, mut changed, mut wake, mut over) = state;
            loop {
                if over {
                    return None;
                }
                if let Some(at) = wake.take() {
                    tokio::select! {
                        biased;
                        gone = changed.changed() => if gone.is_err() { return None },
                        () = tokio::time::sleep_until(shell.clock.instant_of(at)) => {}
                    }
                }
                changed.mark_unchanged();
                let step = watch.step(&shell.lock(), shell.clock.now());
                wake = step.next;
                over = step.next.is_none();
                if !step.lines.is_empty() {
                    let lines: Bytes = step.lines.concat().into();
                    return Some((Ok(Frame::data(lines)), (shell, watch, changed, wake, over)));
                }
            }
        });
        let body: Events = Box::pin(events);
        let response = Response::builder().header("content-type", "application/json");
        response
            .body(Either::Right(StreamBody::new(body)))
            .expect("a constant header is valid")
    }
}

fn whole(reply: Reply) -> Response<Body> {
    let mut response = Response::builder()
        .status(reply.code)
        .header("content-type", reply.content_type)
        .header("cache-control", "no-cache, private");
    for warning in &reply.warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        response = response.header("warning", format!("299 - \"{text}\""));
    }
    if let Some(seconds) = reply.retry_after {
        response = response.header("retry-after", seconds);
    }
    let body = reply.body;
    response
        .body(Either::Left(Full::new(body.clone())))
        .unwrap_or_else(|_| Response::new(Either::Left(Full::new(body))))
}
