//! An etcd cluster without Kubernetes.
//!
//! Owns: members that start together on hosts of a simulated network, and a client of them.
//! Always holds: there is a leader before the first client is handed out.
//! Deliberately does not know: what is measured.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use etcd_client::{Channel, Client};
use hyper_util::rt::TokioIo;
use simulator::{
    determinism::Simulation,
    etcd::{Disk, Launch, Running, launch},
    net::{HostId, Net, Resolve, connect_by_name},
};
use tonic::transport::Endpoint;
use tower::{
    BoxError, service_fn,
    util::{BoxCloneSyncService, MapErr},
};

/// Members of one cluster.
pub struct Members {
    net: Arc<dyn Net>,
    client: HostId,
    first: IpAddr,
    _running: Vec<Running>,
}

/// Everything is reached by its address.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }
}

impl Members {
    /// Starts so many members, and waits until they have a leader.
    ///
    /// # Panics
    /// When they have none within ten seconds.
    pub async fn start(simulation: &Simulation, size: u16) -> Self {
        let net: Arc<dyn Net> = Arc::new(simulation.net.clone());
        let hosts: Vec<(String, HostId)> = (0..size)
            .map(|number| format!("m{number}"))
            .map(|name| (name.clone(), net.add_host(&name).expect("an address")))
            .collect();
        let peers = hosts
            .iter()
            .map(|(name, host)| format!("{name}=http://{}:2380", net.ip(*host)));
        let peers = peers.collect::<Vec<_>>().join(",");
        let running = hosts.iter().map(|(name, host)| {
            let ip = net.ip(*host);
            let flags = [
                "etcd".to_owned(),
                "--data-dir=/data/etcd".to_owned(),
                format!("--name={name}"),
                format!("--initial-cluster={peers}"),
                format!("--initial-advertise-peer-urls=http://{ip}:2380"),
                format!("--listen-peer-urls=http://{ip}:2380"),
                format!("--listen-client-urls=http://{ip}:2379"),
                format!("--advertise-client-urls=http://{ip}:2379"),
            ];
            let start = Launch {
                argv: flags.into(),
                env: BTreeMap::new(),
                files: BTreeMap::new(),
                disks: BTreeMap::from([("/data".to_owned(), Disk::new())]),
                version: "3.5.21".parse().expect("a version"),
                seed: u64::from(host.0),
                label: name.clone(),
            };
            let (clock, trace) = (simulation.clock, simulation.trace.clone());
            launch(
                Arc::clone(&net),
                Arc::new(NoNames),
                *host,
                clock,
                trace,
                start,
            )
        });
        let members = Self {
            _running: running.collect(),
            client: net.add_host("client").expect("an address"),
            first: net.ip(hosts[0].1),
            net,
        };
        let serving = tokio::time::timeout(Duration::from_secs(10), members.client()).await;
        serving.expect("a leader within ten seconds");
        members
    }

    /// A client of the first member, once that answers for a majority.
    pub async fn client(&self) -> Client {
        loop {
            if let Some(client) = self.dial().await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn dial(&self) -> Option<Client> {
        let (net, from) = (Arc::clone(&self.net), self.client);
        let connector = service_fn(move |uri: http::Uri| {
            let net = Arc::clone(&net);
            async move {
                let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
                let stream = connect_by_name(net, Arc::new(NoNames), from, host, port).await;
                stream.map(TokioIo::new)
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{}:2379", self.first)).ok()?;
        let channel = endpoint.connect_with_connector_lazy(connector);
        let channel = MapErr::new(channel, BoxError::from);
        let channel = Channel::Custom(BoxCloneSyncService::new(channel));
        let mut client = Client::from_channel(channel, None).await.ok()?;
        client.get("ready", None).await.ok()?;
        Some(client)
    }
}
