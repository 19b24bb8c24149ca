//! The ports for clients and for metrics.
//!
//! Owns: accepting connections, telling gRPC from plain HTTP, and the connections' tasks.
//! Always holds: a client port speaks gRPC and plain HTTP, a metrics port only the latter.
//! Deliberately does not know: what is asked; see [`super::rpc`] and [`pages`].

mod pages;
mod sniff;

use std::{convert::Infallible, future::Future, sync::Arc};

use hyper::{rt::Executor, server::conn, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{process::Process, rpc::Api, server::Server};
use crate::net::{Listener, Stream};
use sniff::{Protocol, sniff};

pub(super) use pages::status_at_once;

/// Serves a metrics port for as long as the process lives.
pub(super) async fn serve_metrics(server: Arc<Server>, mut listener: Box<dyn Listener>) {
    while let Ok((stream, _)) = listener.accept().await {
        server.process().spawn(plain(Arc::clone(&server), stream));
    }
}

/// Serves a client port until the process wants no new clients.
pub(super) async fn serve_clients(server: Arc<Server>, mut listener: Box<dyn Listener>) {
    let api = Api::new(Arc::clone(&server));
    let accepting = async {
        while let Ok((stream, _)) = listener.accept().await {
            server
                .process()
                .spawn(either(api.clone(), Arc::clone(&server), stream));
        }
    };
    tokio::select! {
        biased;
        () = server.drained() => {}
        () = accepting => {}
    }
}

async fn either(api: Api, server: Arc<Server>, stream: Stream) {
    match sniff(stream).await {
        Ok((Protocol::Grpc, stream)) => grpc(api, server, stream).await,
        Ok((Protocol::Http, stream)) => plain(server, stream).await,
        // Whoever dialled has gone without a word.
        Err(_) => {}
    }
}

async fn grpc(api: Api, server: Arc<Server>, stream: Stream) {
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.route(request).await) }
    });
    let executor = Tasks(Arc::clone(server.process()));
    let connection =
        conn::http2::Builder::new(executor).serve_connection(TokioIo::new(stream), service);
    // A connection that breaks concerns only whoever dialled it.
    let _ = connection.await;
}

async fn plain(server: Arc<Server>, stream: Stream) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(pages::answer(&server, &request).await) }
    });
    let connection = conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks concerns only whoever dialled it.
    let _ = connection.await;
}

/// Runs the requests of a connection as tasks of the process.
#[derive(Clone)]
struct Tasks(Arc<Process>);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(async move {
            task.await;
        });
    }
}
