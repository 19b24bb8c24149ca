//! A real API server and its etcd, and nothing else, on loopback.
//!
//! Owns: their processes, ports, keys and data.
//! Always holds: they end, and their data goes, with the value.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

const TOKEN: &str = "lab";

pub(crate) struct Bare {
    processes: Vec<Child>,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Bare {
    /// Starts `etcd` and `kube-apiserver` of a folder. The server is not ready yet.
    pub(crate) fn start(assets: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [client, peer, port] = free_ports();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(
            at("tokens.csv"),
            format!("{TOKEN},admin,admin,system:masters\n"),
        )
        .expect("written");
        let key = Command::new("openssl")
            .args(["genrsa", "-out", &at("accounts.key"), "2048"])
            .stderr(Stdio::null())
            .status();
        assert!(key.is_ok_and(|it| it.success()), "openssl makes a key");
        let etcd = [
            format!("--data-dir={}", at("etcd")),
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        let api_server = [
            format!("--etcd-servers=http://127.0.0.1:{client}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", at("certificates")),
            format!("--token-auth-file={}", at("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-signing-key-file={}", at("accounts.key")),
            format!("--service-account-key-file={}", at("accounts.key")),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--allow-privileged=true".to_owned(),
        ];
        let mut bare = Self {
            processes: Vec::new(),
            port,
            _folder: folder,
        };
        bare.spawn(&assets.join("etcd"), &etcd);
        bare.spawn(&assets.join("kube-apiserver"), &api_server);
        bare
    }

    fn spawn(&mut self, program: &Path, arguments: &[String]) {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("{} starts: {error}", program.display()));
        self.processes.push(child);
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn token(&self) -> &'static str {
        TOKEN
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().rev() {
            // One that has ended by itself cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that nobody has at the moment.
fn free_ports() -> [u16; 3] {
    let bound = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    bound.map(|listener| listener.local_addr().expect("an address").port())
}
