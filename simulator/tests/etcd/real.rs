//! The real arm: processes of real etcd on loopback addresses. Simulated members can be processes
//! too, which is how they are asked over TCP.
//!
//! Always holds: each script has addresses and a folder of its own; its processes end with it.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tonic::transport::Endpoint;

use crate::{
    arm::{Arm, Ended},
    grpc::Wire,
};

/// An etcd that runs as processes.
pub(crate) struct Binary {
    path: PathBuf,
    /// What comes before etcd's own flags.
    arguments: Vec<String>,
    pub(crate) version: String,
}

impl Binary {
    /// Simulated members as processes: `simulator etcd`.
    pub(crate) fn simulated(version: &str) -> Self {
        Self {
            path: env!("CARGO_BIN_EXE_simulator").into(),
            arguments: vec!["etcd".to_owned(), version.to_owned()],
            version: version.to_owned(),
        }
    }
}

/// Those that the environment names, when it asks for them. They take minutes, and real time on a
/// busy machine is not always in time, so an ordinary run of all tests leaves them out.
pub(crate) fn binaries() -> Vec<Binary> {
    if std::env::var_os("REAL").is_none() && std::env::var_os("RECORD").is_none() {
        return Vec::new();
    }
    let named = ["ETCD_BIN", "ETCD_BIN_3_6"]
        .into_iter()
        .filter_map(std::env::var_os);
    named
        .map(|path| {
            let output = Command::new(&path).arg("--version").output();
            let output = output.expect("the etcd that the environment names runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let version = text
                .lines()
                .find_map(|line| line.strip_prefix("etcd Version: "));
            Binary {
                path: path.into(),
                arguments: Vec::new(),
                version: version.expect("etcd tells its version").to_owned(),
            }
        })
        .collect()
}

/// Plays a script against real processes.
pub(crate) fn play(binary: &Binary, script: &[String]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut arm = Real::new(binary);
        crate::play::play(&mut arm, script).await
    })
}

struct Real<'a> {
    binary: &'a Binary,
    /// Third part of the addresses.
    subnet: u8,
    folder: tempfile::TempDir,
    running: BTreeMap<String, Child>,
}

impl<'a> Real<'a> {
    fn new(binary: &'a Binary) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        Self {
            binary,
            subnet: NEXT.fetch_add(1, Ordering::Relaxed),
            folder: tempfile::tempdir().expect("a folder"),
            running: BTreeMap::new(),
        }
    }

    fn signal(&mut self, name: &str, signal: i32) {
        if let Some(child) = self.running.get(name) {
            let pid = child.id().to_string();
            let sent = Command::new("kill")
                .args([format!("-{signal}"), pid])
                .status();
            assert!(
                sent.is_ok_and(|status| status.success()),
                "a signal is sent"
            );
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }
}

impl Drop for Real<'_> {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // One that has ended by itself cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Arm for Real<'_> {
    fn address(&mut self, name: &str) -> String {
        let number: u8 = name
            .trim_start_matches('m')
            .parse()
            .expect("a member is m0 to m9");
        let process = 64 + std::process::id() % 128;
        format!("127.{process}.{}.{}", self.subnet, number + 1)
    }

    fn boot(&mut self, name: &str, flags: &[String]) {
        let log = File::create(self.log(name)).expect("a log");
        let child = Command::new(&self.binary.path)
            .args(&self.binary.arguments)
            .arg(format!(
                "--data-dir={}",
                self.folder.path().join(name).display()
            ))
            .args(flags)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.running
            .insert(name.to_owned(), child.expect("etcd starts"));
    }

    fn kill(&mut self, name: &str) {
        if let Some(mut child) = self.running.remove(name) {
            child.kill().expect("a process that can be killed");
            child.wait().expect("a process that has ended");
        }
    }

    fn terminate(&mut self, name: &str) {
        self.signal(name, 15);
    }

    fn pause(&mut self, name: &str) {
        self.signal(name, 19);
    }

    fn resume(&mut self, name: &str) {
        self.signal(name, 18);
    }

    fn wipe(&mut self, name: &str) {
        // A member that never ran has no data.
        let _ = std::fs::remove_dir_all(self.folder.path().join(name));
    }

    async fn ended(&mut self, name: &str) -> Option<Ended> {
        let child = self.running.get_mut(name)?;
        for _ in 0..3000 {
            if let Some(status) = child.try_wait().expect("a child") {
                use std::os::unix::process::ExitStatusExt as _;
                self.running.remove(name);
                let log = std::fs::read(self.log(name)).expect("a log");
                let log = String::from_utf8_lossy(&log);
                return Some(Ended {
                    // A container is told 0 by etcd's PID 1 after SIGTERM; a child sees the signal.
                    code: status.code().or(status.signal().map(|_| 0)).unwrap_or(-1),
                    log: log.lines().map(str::to_owned).collect(),
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    }

    fn channel(&mut self, name: &str) -> Wire {
        let address = self.address(name);
        Endpoint::from_shared(format!("http://{address}:2379"))
            .expect("a valid address")
            .connect_lazy()
            .into()
    }

    async fn page(&mut self, name: &str, path: &str) -> Option<(u16, String)> {
        let address = self.address(name);
        let stream = TcpStream::connect((address.as_str(), 2381)).await.ok()?;
        get(stream, &address, path).await
    }
}

/// Gets a page from a connection.
pub(crate) async fn get<S>(stream: S, host: &str, path: &str) -> Option<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asking = async {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.ok()?;
        tokio::spawn(connection);
        let request = http::Request::get(path)
            .header("host", host)
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .expect("a valid request");
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(Duration::from_secs(20), asking).await.ok()?
}
