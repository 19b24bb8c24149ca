//! What the operator is handed from outside.
//!
//! Owns: the three seams (Kubernetes, etcd, calendar time) and their live implementations.
//! Always holds: the operator reaches the world through these and tokio's clock, nothing else.
//! Deliberately does not know: who else implements them.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use etcd_client::{Channel, Client, Error};
use jiff::Timestamp;
use tonic::transport::Endpoint;

/// A boxed future, so that [`Dial`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens a connection to one etcd member.
pub trait Dial: Send + Sync {
    /// Connects to `host:port`, where host is the address of the member's pod.
    fn dial(&self, host: &str, port: u16) -> BoxFuture<'_, Result<Client, Error>>;
}

/// Calendar time, for timestamps that people read.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The world as the operator sees it.
#[derive(Clone)]
pub struct Backend {
    /// The API server.
    pub kube: kube::Client,
    /// The way to a member.
    pub etcd: Arc<dyn Dial>,
    /// Calendar time.
    pub clock: Arc<dyn Clock>,
}

/// Time allowed for opening a connection. A pod on a lost node answers nothing at all.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two signs of life on an open connection, and time allowed for the answer.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Dials members over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial(&self, host: &str, port: u16) -> BoxFuture<'_, Result<Client, Error>> {
        let bracketed = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let url = format!("http://{bracketed}:{port}");
        Box::pin(async move {
            let channel = Endpoint::from_shared(url)
                .map_err(|error| Error::EndpointError(error.to_string()))?
                .connect_timeout(CONNECT_TIMEOUT)
                // A lost node never answers; without keep-alive its channel would be kept for ever.
                .http2_keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .connect()
                .await?;
            Client::from_channel(Channel::Tonic(channel), None).await
        })
    }
}

/// The system's calendar.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
