//! What may happen to a process's calls on their way.
//!
//! Owns: the layer between the operator's clients and the network, and what can be ruled there:
//! calls and answers late, lost, refused, changed, or the last thing that the process did.
//! Always holds: without a ruling every call passes as it is; the operator cannot see the layer.
//! Deliberately does not know: why something is ruled, and whether servers are simulated.

use std::{future::Future, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame};
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use super::calls::{ETCD_READS, resource};

/// A call that is about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Who is called.
    pub to: Side,
    /// `PATCH statefulsets/scale`, or `MemberAdd`.
    pub name: String,
    /// Path and query.
    pub path: String,
    /// Whether it changes something.
    pub writes: bool,
    /// Whether its answer goes on for as long as the connection lives.
    pub watches: bool,
}

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The API server.
    Kubernetes,
    /// An etcd member.
    Etcd,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It goes its way.
    Pass,
    /// It leaves later.
    Late(Duration),
    /// It never arrives; this is answered in its place.
    Refuse(Refusal),
    /// It never arrives, and is answered as if it had: with what was sent.
    Pretend,
    /// It arrives; its answer is lost, and the connection with it.
    LoseAnswer,
    /// The process dies before it leaves.
    DieBefore,
    /// The process dies when the answer has come, and has not seen it.
    DieAfter,
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status; etcd members answer `UNAVAILABLE` whatever it is.
    pub code: u16,
    /// Kubernetes' reason, such as `Conflict`.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// Rules what becomes of the calls of one process.
pub trait Wire: Send + Sync {
    /// What becomes of a call.
    fn rule(&self, call: &Outgoing) -> Ruling;

    /// The `host:port` that is called instead, if any.
    fn detour(&self, _call: &Outgoing) -> Option<String> {
        None
    }

    /// Another body than the one that is sent, if any.
    fn request(&self, _call: &Outgoing, _body: &Bytes) -> Option<Bytes> {
        None
    }

    /// Another body than the one that was answered, if any. Watches are not among the answers.
    fn answer(&self, _call: &Outgoing, _body: &Bytes) -> Option<Bytes> {
        None
    }

    /// True for as long as watches tell nothing; their readers have to list again afterwards.
    fn silence(&self) -> Option<watch::Receiver<bool>> {
        None
    }
}

/// Ends the process that makes the calls.
pub(super) type Die = Arc<dyn Fn() + Send + Sync>;

/// A wire with the end of the process whose calls it carries.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) wire: Arc<dyn Wire>,
    pub(super) die: Die,
}

/// Puts a wire under a client; none leaves the client as it is.
#[derive(Clone)]
pub(super) struct WireLayer {
    pub(super) line: Option<Line>,
    pub(super) to: Side,
}

impl<S> Layer<S> for WireLayer {
    type Service = Wired<S>;

    fn layer(&self, inner: S) -> Wired<S> {
        Wired {
            inner,
            layer: self.clone(),
        }
    }
}

/// A client on a wire.
#[derive(Clone)]
pub(super) struct Wired<S> {
    inner: S,
    layer: WireLayer,
}

/// A body of either kind of client.
pub(super) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Bodies that can be made of bytes.
pub(super) trait OfBytes {
    /// A body that is these bytes.
    fn of_bytes(bytes: Bytes) -> Self;
}

impl OfBytes for kube::client::Body {
    fn of_bytes(bytes: Bytes) -> Self {
        bytes.into()
    }
}

impl OfBytes for tonic::body::Body {
    fn of_bytes(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}

impl<S, B, R> Service<Request<B>> for Wired<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + OfBytes + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AnyBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone that was polled ready is the one to call.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let WireLayer { line, to } = self.layer.clone();
        Box::pin(async move {
            match line {
                None => plain(inner, request).await,
                Some(line) => carry(inner, request, line, to).await,
            }
        })
    }
}

async fn plain<S, B, R>(mut inner: S, request: Request<B>) -> Result<Response<AnyBody>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let response = inner.call(request).await.map_err(Into::into)?;
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

async fn carry<S, B, R>(
    inner: S,
    mut request: Request<B>,
    line: Line,
    to: Side,
) -> Result<Response<AnyBody>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + OfBytes + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let call = outgoing(to, request.method(), request.uri());
    let ruling = line.wire.rule(&call);
    match &ruling {
        Ruling::Late(time) => tokio::time::sleep(*time).await,
        Ruling::Refuse(refusal) => return Ok(refused(to, refusal)),
        Ruling::DieBefore => return dead(&line.die).await,
        Ruling::Pretend => return pretended(to, request).await,
        Ruling::Pass | Ruling::LoseAnswer | Ruling::DieAfter => {}
    }
    if let Some(authority) = line.wire.detour(&call) {
        *request.uri_mut() = at(request.uri(), &authority)?;
    }
    if call.writes {
        request = sent(request, &line, &call).await?;
    }
    let response = plain(inner, request).await?;
    match ruling {
        Ruling::LoseAnswer => {
            let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            Err(Box::new(lost))
        }
        Ruling::DieAfter => dead(&line.die).await,
        _ if call.watches => Ok(quiet(response, line.wire.silence())),
        _ => answered(response, &line, &call).await,
    }
}

async fn pretended<B>(to: Side, request: Request<B>) -> Result<Response<AnyBody>, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let sent = request.into_body().collect().await;
    let sent = sent.map_err(Into::into)?.to_bytes();
    let (kind, bytes, trailers) = match to {
        Side::Kubernetes => ("application/json", sent, None),
        Side::Etcd => {
            let mut done = http::HeaderMap::new();
            done.insert("grpc-status", http::HeaderValue::from_static("0"));
            // A frame with an empty message.
            let nothing = Bytes::from_static(&[0; 5]);
            ("application/grpc", nothing, Some(Ok(done)))
        }
    };
    let body = Full::new(bytes).with_trailers(async move { trailers });
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder()
        .header("content-type", kind)
        .body(body)?)
}

/// The host is gone with this call; whoever waits for it is gone too.
async fn dead<T>(die: &Die) -> T {
    die();
    std::future::pending().await
}

fn outgoing(to: Side, method: &Method, uri: &Uri) -> Outgoing {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let watches = uri.query().unwrap_or_default().split('&');
    let watches = to == Side::Kubernetes
        && watches
            .into_iter()
            .any(|pair| pair == "watch=true" || pair == "watch=1");
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    let (name, writes) = match to {
        Side::Kubernetes => {
            let verb = if watches { "WATCH" } else { method.as_str() };
            let name = format!("{verb} {}", resource(uri.path()));
            (name, *method != Method::GET)
        }
        Side::Etcd => (last.to_owned(), !ETCD_READS.contains(&last)),
    };
    Outgoing {
        to,
        name,
        path: path.to_owned(),
        writes,
        watches,
    }
}

fn at(uri: &Uri, authority: &str) -> Result<Uri, BoxError> {
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority.parse()?);
    Ok(Uri::from_parts(parts)?)
}

async fn sent<B>(request: Request<B>, line: &Line, call: &Outgoing) -> Result<Request<B>, BoxError>
where
    B: Body<Data = Bytes> + OfBytes + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(Into::into)?.to_bytes();
    let bytes = match line.wire.request(call, &bytes) {
        Some(other) => {
            head.headers.remove(http::header::CONTENT_LENGTH);
            other
        }
        None => bytes,
    };
    Ok(Request::from_parts(head, B::of_bytes(bytes)))
}

async fn answered(
    response: Response<AnyBody>,
    line: &Line,
    call: &Outgoing,
) -> Result<Response<AnyBody>, BoxError> {
    let (mut head, body) = response.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    let bytes = collected.to_bytes();
    let bytes = match line.wire.answer(call, &bytes) {
        Some(other) => {
            head.headers.remove(http::header::CONTENT_LENGTH);
            other
        }
        None => bytes,
    };
    let trailers = async move { trailers.map(Ok) };
    let body = Full::new(bytes).with_trailers(trailers);
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Ok(Response::from_parts(head, body))
}

/// A watch that tells nothing while it is silenced, and then that its reader is too late.
fn quiet(response: Response<AnyBody>, silence: Option<watch::Receiver<bool>>) -> Response<AnyBody> {
    let Some(silence) = silence else {
        return response;
    };
    response.map(|body| {
        let state = (BodyStream::new(body), silence, false);
        let frames = stream::unfold(state, |(mut frames, mut silence, over)| async move {
            if over {
                return None;
            }
            let silenced = *silence.borrow();
            let frame = if silenced {
                None
            } else {
                tokio::select! {
                    biased;
                    _ = silence.wait_for(|silenced| *silenced) => None,
                    frame = frames.next() => Some(frame?),
                }
            };
            match frame {
                Some(frame) => Some((frame, (frames, silence, false))),
                None => {
                    // A sender that is gone silences nobody any more.
                    let _ = silence.wait_for(|silenced| !*silenced).await;
                    Some((Ok(Frame::data(expired())), (frames, silence, true)))
                }
            }
        });
        StreamBody::new(frames).boxed_unsync()
    })
}

fn expired() -> Bytes {
    let line = serde_json::json!({
        "type": "ERROR",
        "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410,
        },
    });
    format!("{line}\n").into()
}

fn refused(to: Side, refusal: &Refusal) -> Response<AnyBody> {
    let Refusal {
        code,
        reason,
        message,
    } = refusal;
    let (builder, body) = match to {
        Side::Kubernetes => {
            let status = serde_json::json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reason, "code": code,
            });
            let builder = Response::builder().status(*code);
            let builder = builder.header("content-type", "application/json");
            let builder = match code {
                429 => builder.header("retry-after", "1"),
                _ => builder,
            };
            (builder, Bytes::from(status.to_string()))
        }
        Side::Etcd => {
            let builder = Response::builder().header("content-type", "application/grpc");
            let builder = builder.header("grpc-status", "14");
            let plain: String = message
                .chars()
                .filter(|c| (' '..='~').contains(c))
                .collect();
            (builder.header("grpc-message", plain), Bytes::new())
        }
    };
    let body = Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync();
    builder
        .body(body)
        .expect("constant headers and a code of the vocabulary are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_whether_they_change_something() {
        let call = |to, method: Method, uri: &'static str| {
            let call = outgoing(to, &method, &Uri::from_static(uri));
            (call.name, call.writes, call.watches)
        };
        let sets = "http://k/apis/apps/v1/namespaces/a/statefulsets/demo";
        assert_eq!(
            call(Side::Kubernetes, Method::PATCH, sets),
            ("PATCH statefulsets".to_owned(), true, false)
        );
        assert_eq!(
            call(
                Side::Kubernetes,
                Method::GET,
                "http://k/api/v1/pods?watch=true"
            ),
            ("WATCH pods".to_owned(), false, true)
        );
        let add = "http://m/etcdserverpb.Cluster/MemberAdd";
        assert_eq!(
            call(Side::Etcd, Method::POST, add),
            ("MemberAdd".to_owned(), true, false)
        );
        let list = "http://m/etcdserverpb.Cluster/MemberList";
        assert!(!call(Side::Etcd, Method::POST, list).1);
    }

    #[test]
    fn a_detour_keeps_path_and_query() {
        let uri = Uri::from_static("http://k:6443/api/v1/pods?limit=1");
        let there = at(&uri, "stale:6443").expect("an authority");
        assert_eq!(there, "http://stale:6443/api/v1/pods?limit=1");
    }
}
