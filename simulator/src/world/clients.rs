//! Unmodified clients on a world's network.
//!
//! Owns: the HTTP stack under `kube::Client` and `etcd_client::Client`.
//! Always holds: what is above the stack is the published crate, as the live operator uses it.
//! Deliberately does not know: what the clients are used for.

use etcd_client::{Channel, Client, Error};
use http::{HeaderValue, header::USER_AGENT};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use kube::client::ConfigExt;
use operator::backend::{CONNECT_TIMEOUT, KEEP_ALIVE};
use tonic::transport::Endpoint;
use tower::{BoxError, ServiceBuilder, util::BoxCloneSyncService};

use super::{
    calls::Counter,
    connector::Connector,
    wire::{AnyBody, Line, Side, WireLayer},
};

/// A Kubernetes client on the connector's host, of the server at `HOST:PORT`. `agent` is how it
/// names itself to the server.
///
/// # Panics
/// When `agent` cannot be an HTTP header, or the server is none.
pub(super) fn kube_client(
    connector: Connector,
    server: &str,
    agent: &'static str,
    counter: &Counter,
    line: Option<Line>,
) -> kube::Client {
    let url = format!("http://{server}");
    let config = kube::Config::new(url.parse().expect("made of a host name and a port"));
    let agent = HeaderValue::from_static(agent);
    let http = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build::<_, kube::client::Body>(connector);
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(counter.kubernetes())
        .layer(WireLayer {
            line,
            to: Side::Kubernetes,
        })
        .map_request(move |mut request: http::Request<kube::client::Body>| {
            request.headers_mut().insert(USER_AGENT, agent.clone());
            request
        })
        .map_err(BoxError::from)
        .service(http);
    kube::Client::new(stack, "default")
}

/// A client of the one etcd member that listens on `host:port`, with the limits that the live
/// operator has.
///
/// # Errors
/// When the member cannot be reached.
pub(super) async fn dial_etcd(
    connector: Connector,
    host: &str,
    port: u16,
    counter: &Counter,
    line: Option<Line>,
) -> Result<Client, Error> {
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let channel = Endpoint::from_shared(format!("http://{bracketed}:{port}"))
        .map_err(|error| Error::EndpointError(error.to_string()))?
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .connect_with_connector(connector.within(CONNECT_TIMEOUT))
        .await?;
    let counted = ServiceBuilder::new()
        .layer(counter.etcd())
        .map_response(|response: http::Response<AnyBody>| response.map(tonic::body::Body::new))
        .layer(WireLayer {
            line,
            to: Side::Etcd,
        })
        .map_err(BoxError::from)
        .service(channel);
    Client::from_channel(Channel::Custom(BoxCloneSyncService::new(counted)), None).await
}
