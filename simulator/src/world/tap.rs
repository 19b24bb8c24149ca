//! A counter and a wire under clients that somebody else has made.
//!
//! Owns: putting both between a process and the real clients that it was to have.
//! Always holds: what the process is handed is the published client; below the wire is the client
//! that was given, with its own connections, identity and limits.
//! Deliberately does not know: where those connections lead.

use std::sync::Arc;

use etcd_client::{Channel, Client, Error};
use tower::{BoxError, ServiceBuilder, service_fn, util::BoxCloneSyncService};

use super::{
    calls::Counter,
    wire::{AnyBody, Line, Side, Wire, WireLayer},
};

/// Overhears one process's calls, and rules what becomes of them.
#[derive(Clone)]
pub struct Tap {
    counter: Counter,
    line: Line,
}

impl Tap {
    /// A tap on a process that `die` ends.
    pub fn new(
        counter: Counter,
        wire: Arc<dyn Wire>,
        die: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let die = Arc::new(die);
        let line = Line { wire, die };
        Self { counter, line }
    }

    /// The client that the process gets in place of this one.
    #[must_use]
    pub fn kube(&self, client: &kube::Client) -> kube::Client {
        let (client, namespace) = (client.clone(), client.default_namespace().to_owned());
        let send = service_fn(move |request| {
            let client = client.clone();
            async move { client.send(request).await }
        });
        let tapped = ServiceBuilder::new()
            .layer(self.counter.kubernetes())
            .layer(WireLayer {
                line: Some(self.line.clone()),
                to: Side::Kubernetes,
            })
            .service(send);
        kube::Client::new(tapped, namespace)
    }

    /// The client of the member at the end of this channel.
    ///
    /// # Errors
    /// When etcd-client refuses the channel.
    pub async fn etcd(&self, channel: tonic::transport::Channel) -> Result<Client, Error> {
        let tapped = ServiceBuilder::new()
            .layer(self.counter.etcd())
            .map_response(|response: http::Response<AnyBody>| response.map(tonic::body::Body::new))
            .layer(WireLayer {
                line: Some(self.line.clone()),
                to: Side::Etcd,
            })
            .map_err(BoxError::from)
            .service(channel);
        Client::from_channel(Channel::Custom(BoxCloneSyncService::new(tapped)), None).await
    }
}
