//! A small world: hosts with names, disks, members on them, and clients.

use std::{
    collections::BTreeMap,
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use etcd_client::{Channel, Client};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, transport::Endpoint};

use crate::{
    clock::Clock,
    determinism::{Simulation, simulate},
    etcd::{Disk, Exit, Launch, Running, Version, launch},
    net::{Death, HostId, Net, Resolve, SimNet, connect_by_name},
    trace::Trace,
};

/// Names that members and clients know.
#[derive(Default)]
pub(super) struct Names(Mutex<BTreeMap<String, IpAddr>>);

impl Resolve for Names {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).copied().into_iter().collect()
    }
}

impl Names {
    pub(super) fn set(&self, name: &str, ip: Option<IpAddr>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ip {
            Some(ip) => names.insert(name.to_owned(), ip),
            None => names.remove(name),
        };
    }
}

/// A member's place: host, disk, and the process that runs there.
pub(super) struct Place {
    pub(super) host: HostId,
    pub(super) disk: Disk,
    pub(super) running: Option<Running>,
}

pub(super) struct World {
    pub(super) net: Arc<dyn Net>,
    pub(super) sim: SimNet,
    pub(super) names: Arc<Names>,
    pub(super) trace: Trace,
    pub(super) places: BTreeMap<String, Place>,
    pub(super) version: Version,
    /// Added to every command line.
    pub(super) extra: String,
    clock: Clock,
    client_host: HostId,
    starts: u64,
}

/// Runs a test in a world of its own.
pub(super) fn run(version: Version, test: impl AsyncFnOnce(World) + Send) {
    simulate(1, async |simulation| {
        test(World::of(simulation, version)).await
    })
    .expect("a deterministic simulation");
}

impl World {
    pub(super) fn of(simulation: Simulation, version: Version) -> Self {
        let net: Arc<dyn Net> = Arc::new(simulation.net.clone());
        let client_host = net.add_host("client").expect("a free address");
        Self {
            net,
            sim: simulation.net,
            names: Arc::default(),
            trace: simulation.trace,
            places: BTreeMap::new(),
            version,
            extra: String::new(),
            clock: simulation.clock,
            client_host,
            starts: 0,
        }
    }

    /// Makes a host of this name, with an empty disk.
    pub(super) fn place(&mut self, name: &str) {
        let host = self.net.add_host(name).expect("a free address");
        self.names.set(name, Some(self.net.ip(host)));
        let place = Place {
            host,
            disk: Disk::new(),
            running: None,
        };
        self.places.insert(name.to_owned(), place);
    }

    /// Starts the member of this name with a list of members and a state.
    pub(super) fn start(&mut self, name: &str, members: &[&str], state: &str) {
        let cluster: Vec<String> = members
            .iter()
            .map(|member| format!("{member}=http://{member}:2380"))
            .collect();
        let cluster = cluster.join(",");
        self.start_with(
            name,
            &format!("--initial-cluster={cluster} --initial-cluster-state={state}"),
        );
    }

    /// Starts the member of this name with more flags.
    pub(super) fn start_with(&mut self, name: &str, flags: &str) {
        let line = format!(
            "etcd --name={name} --data-dir=/data/etcd --listen-peer-urls=http://0.0.0.0:2380 \
             --listen-client-urls=http://0.0.0.0:2379 --advertise-client-urls=http://{name}:2379 \
             --initial-advertise-peer-urls=http://{name}:2380 \
             --listen-metrics-urls=http://0.0.0.0:2381 {flags} {}",
            self.extra
        );
        if !self.places.contains_key(name) {
            self.place(name);
        }
        self.starts += 1;
        let place = self.places.get_mut(name).expect("a place made before");
        let start = Launch {
            argv: line.split_whitespace().map(str::to_owned).collect(),
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            disks: BTreeMap::from([("/data".to_owned(), place.disk.clone())]),
            version: self.version,
            seed: self.starts,
            label: name.to_owned(),
        };
        let (net, names) = (Arc::clone(&self.net), Arc::clone(&self.names));
        let trace = self.trace.clone();
        place.running = Some(launch(net, names, place.host, self.clock, trace, start));
    }

    /// A new cluster of these members, all healthy.
    pub(super) async fn cluster(&mut self, members: &[&str]) {
        for name in members {
            self.start(name, members, "new");
        }
        for name in members {
            self.healthy(name).await;
        }
    }

    /// Waits until the member's `/health` is good.
    pub(super) async fn healthy(&self, name: &str) {
        let waiting = async {
            while self
                .page(name, "/health")
                .await
                .is_none_or(|(status, _)| status != 200)
            {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(Duration::from_secs(60), waiting).await.is_err() {
            panic!("{name} is not healthy within a minute:\n{}", self.story());
        }
    }

    /// A page of the metrics port: status and body.
    pub(super) async fn page(&self, name: &str, path: &str) -> Option<(u16, String)> {
        self.page_at(name, 2381, path).await
    }

    pub(super) async fn page_at(&self, name: &str, port: u16, path: &str) -> Option<(u16, String)> {
        use http_body_util::BodyExt as _;
        let (net, names) = (Arc::clone(&self.net), Arc::clone(&self.names));
        let stream = connect_by_name(net, names, self.client_host, name, port)
            .await
            .ok()?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.ok()?;
        tokio::spawn(connection);
        let request = http::Request::get(path)
            .header("host", name)
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .expect("a valid request");
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// A client of one member.
    pub(super) async fn client(&self, name: &str) -> Client {
        let channel = Channel::Tonic(self.channel(name));
        Client::from_channel(channel, None)
            .await
            .expect("a lazy channel")
    }

    pub(super) fn channel(&self, name: &str) -> tonic::transport::Channel {
        let (net, names, host) = (
            Arc::clone(&self.net),
            Arc::clone(&self.names),
            self.client_host,
        );
        let connector = tower::service_fn(move |uri: http::Uri| {
            let (net, names) = (Arc::clone(&net), Arc::clone(&names));
            async move {
                let (name, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
                connect_by_name(net, names, host, name, port)
                    .await
                    .map(TokioIo::new)
            }
        });
        let endpoint =
            Endpoint::from_shared(format!("http://{name}:2379")).expect("a valid address");
        endpoint.connect_with_connector_lazy(connector)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, name: &str) {
        let place = self.places.get_mut(name).expect("a known member");
        place.running = None;
        self.net.kill(place.host, Death::Process);
    }

    pub(super) fn running(&self, name: &str) -> &Running {
        self.places[name]
            .running
            .as_ref()
            .expect("a running member")
    }

    /// Waits for the member's exit.
    pub(super) async fn exit(&self, name: &str) -> Exit {
        match timeout(Duration::from_secs(60), self.running(name).exited()).await {
            Ok(exit) => exit,
            Err(_) => panic!("{name} does not exit within a minute:\n{}", self.story()),
        }
    }

    /// The name of the leader, once the members agree on one.
    pub(super) async fn leader(&self) -> String {
        for _ in 0..200 {
            for name in self.up() {
                let Ok(status) = self.client(&name).await.status().await else {
                    continue;
                };
                let own = status.header().map(|header| header.member_id());
                if own == Some(status.leader()) {
                    return name;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("no leader within 10 s:\n{}", self.story());
    }

    /// Some member that does not lead.
    pub(super) async fn follower(&self) -> String {
        let leader = self.leader().await;
        self.up()
            .into_iter()
            .find(|name| *name != leader)
            .expect("more than one member")
    }

    pub(super) fn up(&self) -> Vec<String> {
        let up = self
            .places
            .iter()
            .filter(|(_, place)| place.running.is_some());
        up.map(|(name, _)| name.clone()).collect()
    }

    /// The ID of a member, by its name or its peer URL.
    pub(super) async fn id(&self, through: &str, name: &str) -> u64 {
        let mut client = self.client(through).await;
        let members = client.member_list().await.expect("a list");
        let url = format!("http://{name}:2380");
        let member = members
            .members()
            .iter()
            .find(|member| member.peer_urls().contains(&url));
        member.expect("a member").id()
    }

    /// Adds a learner through a member, starts it, and waits until it is healthy.
    pub(super) async fn add_learner(&mut self, through: &str, name: &str, list: &[&str]) -> u64 {
        let mut client = self.client(through).await;
        let options = etcd_client::MemberAddOptions::new().with_is_learner();
        let added = client
            .member_add([format!("http://{name}:2380")], Some(options))
            .await;
        let id = added
            .expect("a learner is added")
            .member()
            .expect("the new member")
            .id();
        self.start(name, list, "existing");
        self.healthy(name).await;
        id
    }

    /// Everything that happened, for a failed test.
    pub(super) fn story(&self) -> String {
        let lines = self.trace.since(0);
        let lines = lines.iter().filter(|line| !line.who.starts_with("net"));
        lines
            .map(|line| format!("{:?} {} {}\n", line.at, line.who, line.what))
            .collect()
    }
}

/// The code and message of a refusal.
pub(super) fn refusal<T>(result: Result<T, etcd_client::Error>) -> (Code, String) {
    match result {
        Ok(_) => (Code::Ok, String::new()),
        Err(etcd_client::Error::GRpcStatus(status)) => (status.code(), status.message().to_owned()),
        Err(other) => panic!("not a gRPC status: {other}"),
    }
}

/// A result, and how long it took.
pub(super) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let result = work.await;
    (result, began.elapsed())
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
