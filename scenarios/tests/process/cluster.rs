//! A static etcd cluster on the runtime under test, without a kubelet.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use etcd_client::{Channel, Client};
use scenarios::process::{Enclosure, EtcdBinary, ProcessRuntime};
use simulator::{
    clock::Clock,
    kubernetes::runtime::{
        Container, ContainerId, ContainerRuntime, HttpProbe, Observation, Sandbox, Volume,
    },
    net::Resolve,
    trace::Trace,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tonic::transport::Endpoint;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Names(Mutex<BTreeMap<String, IpAddr>>);

impl Resolve for Names {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.0
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .into_iter()
            .collect()
    }
}

/// The runtime, with what a kubelet would remember.
pub(crate) struct Cluster {
    pub(crate) runtime: ProcessRuntime,
    pub(crate) etcd: EtcdBinary,
    names: Arc<Names>,
    wake: Arc<Notify>,
    unread: Vec<Observation>,
}

impl Cluster {
    pub(crate) fn new(enclosure: &Enclosure) -> Self {
        let etcd = EtcdBinary::find(None).unwrap();
        let names = Arc::new(Names::default());
        let wake = Arc::new(Notify::new());
        enclosure.answer_with(Arc::clone(&names) as Arc<dyn Resolve>);
        let clock = Clock::starting_at(jiff::Timestamp::UNIX_EPOCH);
        let trace = Trace::new(clock, 1);
        let programs = vec![etcd.clone()];
        let runtime = ProcessRuntime::new(enclosure, programs, clock, trace, Arc::clone(&wake));
        Self {
            runtime,
            etcd,
            names,
            wake,
            unread: Vec::new(),
        }
    }

    /// Makes pod `demo-N` and publishes its name.
    pub(crate) fn pod(&mut self, ordinal: usize) -> IpAddr {
        let name = format!("demo-{ordinal}");
        let sandbox = Sandbox {
            namespace: "default".into(),
            name: name.clone(),
            uid: format!("uid-{ordinal}"),
            hostname: name,
            full_name: Some(host(ordinal)),
            node: format!("node-{}", ordinal % 3),
        };
        let ip = self.runtime.create_sandbox(&sandbox).unwrap();
        self.names.0.lock().unwrap().insert(host(ordinal), ip);
        ip
    }

    /// Makes the pods of a cluster, none of which runs anything yet.
    pub(crate) fn pods(&mut self, size: usize) {
        for ordinal in 0..size {
            self.pod(ordinal);
        }
    }

    /// Removes pod `demo-N`; its name is gone with it.
    pub(crate) fn remove_pod(&mut self, ordinal: usize) {
        self.runtime.remove_sandbox(&format!("uid-{ordinal}"));
        self.names.0.lock().unwrap().remove(&host(ordinal));
    }

    /// Starts member N of a static cluster of `size`.
    pub(crate) fn member(&mut self, ordinal: usize, size: usize) -> ContainerId {
        let container = self.container(ordinal, size);
        self.start(ordinal, &container)
    }

    pub(crate) fn start(&mut self, ordinal: usize, container: &Container) -> ContainerId {
        self.runtime
            .start(&format!("uid-{ordinal}"), container)
            .unwrap()
    }

    pub(crate) fn container(&self, ordinal: usize, size: usize) -> Container {
        let file = BTreeMap::from([("etcd.yaml".to_owned(), config(ordinal, size).into_bytes())]);
        let data = Volume::Persistent {
            volume: format!("pv-{ordinal}"),
        };
        Container {
            name: "etcd".into(),
            image: format!("quay.io/coreos/etcd:v{}", self.etcd.version),
            command: vec!["etcd".into()],
            args: vec!["--config-file=/etc/etcd/etcd.yaml".into()],
            env: BTreeMap::new(),
            mounts: BTreeMap::from([
                ("/etc/etcd".to_owned(), Volume::Files(file)),
                ("/var/lib/etcd".to_owned(), data),
            ]),
        }
    }

    /// Waits for a container's exit code.
    pub(crate) async fn exit(&mut self, of: ContainerId) -> i32 {
        self.wait(|observation| match observation {
            Observation::Exited {
                container, code, ..
            } if *container == of => Some(*code),
            _ => None,
        })
        .await
    }

    /// Probes once and waits for the outcome.
    pub(crate) async fn probe(&mut self, of: ContainerId, path: &str) -> Result<u16, String> {
        let probe = HttpProbe {
            port: 2381,
            path: path.into(),
            timeout_seconds: 2,
        };
        self.runtime.probe(of, &probe, 1);
        self.wait(|observation| match observation {
            Observation::Probed {
                container, result, ..
            } if *container == of => Some(result.clone()),
            _ => None,
        })
        .await
    }

    /// Probes until the member says that it is healthy.
    pub(crate) async fn healthy(&mut self, member: ContainerId) {
        let probing = async {
            while self.probe(member, "/health").await != Ok(200) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(PATIENCE, probing).await.is_err() {
            panic!(
                "member stays unhealthy; it said:\n{}",
                self.runtime.logs(member).join("\n")
            );
        }
    }

    async fn wait<T>(&mut self, mut wanted: impl FnMut(&Observation) -> Option<T>) -> T {
        let waiting = async {
            loop {
                self.unread.extend(self.runtime.observe());
                let found = self
                    .unread
                    .iter()
                    .enumerate()
                    .find_map(|(i, o)| Some((i, wanted(o)?)));
                if let Some((index, value)) = found {
                    self.unread.remove(index);
                    return value;
                }
                self.wake.notified().await;
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .expect("what a container does is observed")
    }
}

/// A client of one member, by its name in the cluster's DNS.
pub(crate) async fn client(ordinal: usize) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}:2379", host(ordinal))).unwrap();
    let channel = endpoint.connect_timeout(PATIENCE).connect().await.unwrap();
    Client::from_channel(Channel::Tonic(channel), None)
        .await
        .unwrap()
}

fn host(ordinal: usize) -> String {
    format!("demo-{ordinal}.demo.default.svc.cluster.local")
}

/// Peers find each other by short names, so the search list of the pods is used as well.
fn config(ordinal: usize, size: usize) -> String {
    let peer = |member| format!("http://demo-{member}.demo.default.svc:2380");
    let all: Vec<_> = (0..size)
        .map(|it| format!("demo-{it}={}", peer(it)))
        .collect();
    format!(
        "name: demo-{ordinal}
data-dir: /var/lib/etcd/data
listen-client-urls: http://0.0.0.0:2379
listen-peer-urls: http://0.0.0.0:2380
listen-metrics-urls: http://0.0.0.0:2381
advertise-client-urls: http://{}:2379
initial-advertise-peer-urls: {}
initial-cluster: {}
initial-cluster-token: test
heartbeat-interval: 50
election-timeout: 500
",
        host(ordinal),
        peer(ordinal),
        all.join(",")
    )
}
