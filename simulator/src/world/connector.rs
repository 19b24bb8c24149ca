//! How unmodified clients reach a host by name.
//!
//! Owns: the connector that kube's and etcd's HTTP clients are built on.
//! Always holds: a dial ends after the connector's time limit, whatever happened to the other side.
//! Deliberately does not know: what is said on the connection.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower::Service;

use super::names::Names;
use crate::net::{HostId, Net, Stream};

/// Time allowed for opening a connection unless said otherwise; a lost node answers nothing at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections from one host.
#[derive(Clone)]
pub struct Connector {
    net: Arc<dyn Net>,
    names: Names,
    from: HostId,
    limit: Duration,
}

impl Connector {
    /// The way from a host to others.
    #[must_use]
    pub fn new(net: Arc<dyn Net>, names: Names, from: HostId) -> Self {
        Self {
            net,
            names,
            from,
            limit: CONNECT_TIMEOUT,
        }
    }

    /// The same with another time limit.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Connects to `host:port`, where host is a name or an address.
    ///
    /// # Errors
    /// As a dialling process would see it: no such host, refused, timed out.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<Stream> {
        let to = self.names.find(host, port)?;
        let dialled = timeout(self.limit, self.net.connect(self.from, to)).await;
        let failed = |kind, error: &dyn fmt::Display| {
            io::Error::new(kind, format!("dial tcp {to}: connect: {error}"))
        };
        match dialled {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(failed(error.kind(), &error)),
            Err(_) => Err(failed(io::ErrorKind::TimedOut, &"i/o timeout")),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
            let port = uri.port_u16().unwrap_or(80);
            connector.connect(host, port).await.map(TokioIo::new)
        })
    }
}

/// `host` as an address, when it is one; brackets around IPv6 are allowed.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// One address of many, the first: DNS has put them in the order to use.
pub(super) fn first(addresses: &[IpAddr], host: &str, port: u16) -> io::Result<SocketAddr> {
    let ip = addresses.first().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("lookup {host}: no such host"),
        )
    })?;
    Ok(SocketAddr::new(*ip, port))
}
