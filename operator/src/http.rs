//! What the operator tells over HTTP: `/metrics`, `/healthz`, `/readyz`.
//!
//! Owns: a small server.
//! Always holds: liveness depends on nothing but the process itself: restarting the operator does
//! not mend an API server. Readiness says whether it does its part.
//! Deliberately does not know: how the numbers come about.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::metrics::{CONTENT_TYPE, Metrics, Standing};

/// Connections at the same time: a few scrapers and the kubelet, not a crowd.
const CONNECTIONS: usize = 32;
/// A connection serves one request, within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, metrics: Metrics) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve_one(stream, metrics.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: it passes, but not at once.
                warn!(%error, "cannot accept a connection");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, metrics: Metrics) {
    let answer = service_fn(move |request| {
        let answer = respond(&request, &metrics);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer);
    match timeout(PATIENCE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "connection ended"),
        Err(_) => debug!("connection took too long"),
    }
}

fn respond(request: &Request<Incoming>, metrics: &Metrics) -> Response<String> {
    let (code, kind, body) = if request.method() == Method::GET {
        answer(request.uri().path(), metrics)
    } else {
        (
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "only GET\n".to_owned(),
        )
    };
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

const TEXT: &str = "text/plain; charset=utf-8";

fn answer(path: &str, metrics: &Metrics) -> (StatusCode, &'static str, String) {
    match path {
        "/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => {
            let standing = metrics.standing();
            let code = if standing.is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (code, TEXT, format!("{}\n", words(&standing)))
        }
        "/metrics" => match metrics.text() {
            Ok(text) => (StatusCode::OK, CONTENT_TYPE, text),
            Err(error) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!("failed to write the metrics: {error}\n"),
            ),
        },
        _ => (
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /metrics, /healthz and /readyz\n".to_owned(),
        ),
    }
}

fn words(standing: &Standing) -> String {
    match standing {
        Standing::Starting => "starting".to_owned(),
        Standing::StandingBy => "ok: standing by, another operator leads".to_owned(),
        Standing::Leading => "ok: leading".to_owned(),
        Standing::Unable(why) => format!("unable: {why}"),
    }
}
