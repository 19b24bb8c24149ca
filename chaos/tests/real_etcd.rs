//! Clients, history and reading back against a real etcd, named by ETCD_BIN or found on the PATH.
//!
//! Without one these tests say so and check nothing; the simulated etcd is checked elsewhere.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chaos::{
    history::{History, read_back::read_back},
    traffic::{Door, Rates, Traffic},
};
use etcd_client::{Channel, Client};
use simulator::{clock::Clock, net::BoxFuture};
use tonic::transport::Endpoint;

fn etcd() -> Option<PathBuf> {
    let named = std::env::var_os("ETCD_BIN")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = || {
        std::env::split_paths(&path)
            .map(|dir| dir.join("etcd"))
            .find(|it| it.is_file())
    };
    let found = named.or_else(installed);
    if found.is_none() {
        eprintln!("real arm skipped: no etcd (set ETCD_BIN, or put etcd on the PATH)");
    }
    found
}

/// A cluster of one member, ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait().map(drop));
    }
}

impl Server {
    fn start(program: &Path, data: &Path, ports: [u16; 2]) -> Self {
        let [client, peer] = ports.map(|port| format!("http://127.0.0.1:{port}"));
        let child = Command::new(program)
            .args(["--name", "m", "--data-dir", &data.to_string_lossy()])
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("m={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd starts");
        Self {
            child,
            port: ports[0],
        }
    }
}

/// Two ports that were free a moment ago.
fn ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("bound").port())
}

struct Loopback(u16);

impl Door for Loopback {
    fn open(&self, _: u32) -> BoxFuture<Result<Client, String>> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.0));
        Box::pin(async move {
            let channel = endpoint.map_err(|error| error.to_string())?.connect().await;
            let channel = channel.map_err(|error| error.to_string())?;
            let client = Client::from_channel(Channel::Tonic(channel), None).await;
            client.map_err(|error| error.to_string())
        })
    }
}

/// Clients at work for a while, from before the server is up.
async fn traffic(door: &Arc<dyn Door>, lasting: Duration) -> History {
    let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().expect("a time"));
    let rates = Rates {
        puts: 40,
        reads: 40,
        keys: 10,
        history: 0,
    };
    let mut traffic = Traffic::start(rates, door, clock, |task| drop(tokio::spawn(task)));
    let began = clock.elapsed();
    while traffic.history().acknowledged().count() < 20 {
        assert!(
            clock.elapsed() - began < Duration::from_secs(30),
            "etcd does not answer"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(lasting).await;
    traffic.stop().await;
    traffic.history().clone()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn a_healthy_cluster_passes_every_check() {
    let Some(program) = etcd() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(&program, data.path(), ports());
    run(async {
        let door: Arc<dyn Door> = Arc::new(Loopback(server.port));
        let history = traffic(&door, Duration::from_secs(1)).await;
        assert_eq!(history.check(), []);
        assert!(
            history.reads.iter().any(|read| read.found.is_some()),
            "reads find something"
        );
        let back = read_back(&history, &*door).await.expect("readable");
        assert_eq!(back.found, history.acknowledged().count() as u64);
        assert_eq!((back.lost, back.compacted), (vec![], 0));
    });
}

#[test]
fn what_is_compacted_is_counted_and_not_lost() {
    let Some(program) = etcd() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(&program, data.path(), ports());
    run(async {
        let door: Arc<dyn Door> = Arc::new(Loopback(server.port));
        let history = traffic(&door, Duration::from_millis(300)).await;
        let last = history
            .acknowledged()
            .map(|(_, revision)| revision)
            .max()
            .expect("writes");
        let mut client = door.open(0).await.expect("reachable");
        client.compact(last, None).await.expect("compacted");
        let back = read_back(&history, &*door).await.expect("readable");
        assert_eq!(back.lost, []);
        assert!(back.compacted > 0 && back.found > 0, "{back:?}");
    });
}

#[test]
fn a_wiped_data_dir_is_noticed_as_lost_writes() {
    let Some(program) = etcd() else { return };
    let (data, ports) = (tempfile::tempdir().expect("a folder"), ports());
    let server = Server::start(&program, &data.path().join("before"), ports);
    run(async {
        let door: Arc<dyn Door> = Arc::new(Loopback(server.port));
        let history = traffic(&door, Duration::from_millis(100)).await;
        drop(server);
        let _wiped = Server::start(&program, &data.path().join("after"), ports);
        let back = read_back(&history, &*door).await.expect("readable");
        assert_eq!(back.lost.len(), history.acknowledged().count());
        assert!(
            back.lost[0]
                .evidence
                .contains("read back, there is nothing"),
            "{back:?}"
        );
    });
}
