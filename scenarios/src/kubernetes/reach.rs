//! The way from here to pods, by address or by the name of a Service.
//!
//! Owns: which pods and endpoints there are, and whether pods are reached directly or through
//! kubectl.
//! Always holds: a Service leads to its ready endpoints in turn, and past one that cannot be
//! reached to the next, as a Service inside the cluster does; while the API server does not
//! answer, what was last heard of counts.
//! Deliberately does not know: who asks, and what for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use etcd_client::{Channel, Client, Error};
use futures::StreamExt;
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, reflector, reflector::Store, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{net::TcpStream, sync::OnceCell, time::timeout};
use tonic::transport;

use super::{ReachChoice, connection::Connection, forward::Forwarder};
use crate::user::chain;

/// Time that users allow for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Limits of a connection to a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Time allowed for opening it. A pod on a lost node answers nothing at all.
    pub(super) connect: Duration,
    /// Time between two signs of life, and time allowed for the answer.
    pub(super) keep_alive: Duration,
}

/// Those of users.
const USERS: Limits = Limits {
    connect: CONNECT_TIMEOUT,
    keep_alive: Duration::from_secs(3),
};

/// How pods are reached, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By their addresses.
    Direct,
    /// Through `kubectl port-forward`.
    Forward,
}

/// The way to the pods of one namespace.
pub(super) struct Reach {
    pods: Store<Pod>,
    slices: Store<EndpointSlice>,
    nodes: Store<Node>,
    forwarder: Forwarder,
    way: OnceCell<Way>,
    turn: AtomicUsize,
}

impl Reach {
    /// Begins to watch pods and endpoints.
    pub(super) fn start(connection: &Connection, namespace: &str, choice: ReachChoice) -> Self {
        let way = match choice {
            ReachChoice::Auto => OnceCell::new(),
            ReachChoice::Direct => OnceCell::new_with(Some(Way::Direct)),
            ReachChoice::Forward => OnceCell::new_with(Some(Way::Forward)),
        };
        Self {
            pods: watch(Api::namespaced(connection.kube.clone(), namespace)),
            slices: watch(Api::namespaced(connection.kube.clone(), namespace)),
            nodes: watch(Api::all(connection.kube.clone())),
            forwarder: Forwarder::new(connection.kubectl_arguments(), namespace),
            way,
            turn: AtomicUsize::new(0),
        }
    }

    /// The way, when it is known.
    pub(super) fn way(&self) -> Option<Way> {
        self.way.get().copied()
    }

    /// Addresses of the pods that have one, by UID, in order of names.
    pub(super) fn addresses(&self) -> Vec<(String, IpAddr)> {
        let mut pods = self.pods.state();
        pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        let address = |pod: &Pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok();
        pods.iter()
            .filter_map(|pod| Some((pod.metadata.uid.clone()?, address(pod)?)))
            .collect()
    }

    /// Names of the nodes.
    pub(super) fn nodes(&self) -> Vec<String> {
        let nodes = self.nodes.state();
        let mut names: Vec<String> = nodes
            .iter()
            .filter_map(|node| node.metadata.name.clone())
            .collect();
        names.sort();
        names
    }

    /// The first node of the control plane, where the cluster shows it as a node.
    pub(super) fn control_plane(&self) -> Option<String> {
        const ROLE: &str = "node-role.kubernetes.io/control-plane";
        let nodes = self.nodes.state();
        let has_role = |node: &&Arc<Node>| {
            let labels = node.metadata.labels.as_ref();
            labels.is_some_and(|labels| labels.contains_key(ROLE))
        };
        let names = nodes
            .iter()
            .filter(has_role)
            .filter_map(|it| it.metadata.name.clone());
        names.min()
    }

    /// Connects to etcd at `host:port`, where host is a pod's address or the name of a Service.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Client, Error> {
        let channel = self.open(host, port, USERS).await?;
        Client::from_channel(Channel::Tonic(channel), None).await
    }

    /// Opens a channel to `host:port`; a Service is tried endpoint by endpoint.
    pub(super) async fn open(
        &self,
        host: &str,
        port: u16,
        limits: Limits,
    ) -> Result<transport::Channel, Error> {
        let targets = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self.endpoints(host.split('.').next().unwrap_or(host)),
        };
        let mut last = format!("the Service {host} has no ready endpoint");
        for target in targets {
            match self.connect(target, limits).await {
                Ok(channel) => return Ok(channel),
                Err(error) => last = format!("{target}: {error}"),
            }
        }
        Err(Error::EndpointError(last))
    }

    async fn connect(&self, pod: SocketAddr, limits: Limits) -> Result<transport::Channel, String> {
        let at = match self.way.get_or_init(|| tell_way(pod)).await {
            Way::Direct => pod,
            Way::Forward => self.forwarded(pod).await?,
        };
        let opening = transport::Endpoint::from_shared(format!("http://{at}"))
            .map_err(|error| chain(&error))?
            .connect_timeout(limits.connect)
            .http2_keep_alive_interval(limits.keep_alive)
            .keep_alive_timeout(limits.keep_alive);
        opening.connect().await.map_err(|error| chain(&error))
    }

    async fn forwarded(&self, to: SocketAddr) -> Result<SocketAddr, String> {
        let address = to.ip().to_string();
        let holds = |pod: &Pod| {
            let status = pod.status.as_ref();
            let live = status.is_some_and(|it| it.phase.as_deref() == Some("Running"));
            live && status.and_then(|it| it.pod_ip.as_ref()) == Some(&address)
        };
        let pod = self.pods.find(holds);
        let pod = pod.ok_or_else(|| format!("no running pod has the address {address}"))?;
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        self.forwarder.way_to(name, uid, to.port()).await
    }

    /// The ready endpoints of a Service, beginning with another one each time.
    fn endpoints(&self, service: &str) -> Vec<SocketAddr> {
        let slices = self.slices.state();
        let mut all: Vec<SocketAddr> = slices
            .iter()
            .filter(|slice| {
                let labels = slice.metadata.labels.as_ref();
                labels
                    .and_then(|it| it.get("kubernetes.io/service-name"))
                    .map(String::as_str)
                    == Some(service)
            })
            .flat_map(|slice| ready(slice))
            .collect();
        all.sort_unstable();
        all.dedup();
        if !all.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % all.len();
            all.rotate_left(turn);
        }
        all
    }
}

/// Addresses of the endpoints that take connections; etcd's clients want the slice's one port.
fn ready(slice: &EndpointSlice) -> Vec<SocketAddr> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
        return Vec::new();
    };
    let endpoints = slice.endpoints.iter().filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|it| it.ready).unwrap_or(true)
    });
    endpoints
        .flat_map(|endpoint| &endpoint.addresses)
        .filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, port)))
        .collect()
}

/// Whether a pod can be reached by its address: its kernel refuses the connection, or etcd answers.
/// That somebody takes the connection is not enough: in some networks a gateway takes them all.
async fn tell_way(pod: SocketAddr) -> Way {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(pod)).await {
        Ok(Ok(_)) if speaks_etcd(pod).await => Way::Direct,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Way::Direct,
        Ok(Ok(_) | Err(_)) | Err(_) => Way::Forward,
    }
}

async fn speaks_etcd(pod: SocketAddr) -> bool {
    let Ok(endpoint) = transport::Endpoint::from_shared(format!("http://{pod}")) else {
        return false;
    };
    let asked = async {
        let channel = endpoint.connect().await.ok()?;
        let client = Client::from_channel(Channel::Tonic(channel), None).await;
        client.ok()?.status().await.ok()
    };
    timeout(CONNECT_TIMEOUT, asked)
        .await
        .is_ok_and(|status| status.is_some())
}

fn watch<K>(api: Api<K>) -> Store<K>
where
    K: Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    tokio::spawn(reflector(writer, stream).for_each(|_| async {}));
    store
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_gateway_that_takes_every_connection_is_not_the_pod() {
        let gateway = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let gateway = gateway.expect("a port");
        let address = gateway.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = gateway.accept().await {
                let refusal = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, refusal).await;
            }
        });
        assert_eq!(tell_way(address).await, Way::Forward);
    }

    #[test]
    fn only_ready_endpoints_count() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.3"]},
            ],
            "ports": [{"name": "client", "port": 2379}],
        }))
        .expect("a slice");
        let expected: Vec<SocketAddr> = ["10.0.0.1:2379", "10.0.0.3:2379"]
            .map(|it| it.parse().expect("an address"))
            .into();
        assert_eq!(ready(&slice), expected);
    }
}
