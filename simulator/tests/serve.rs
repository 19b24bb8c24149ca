//! `simulator serve` as its users see it.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};

struct Serving {
    process: Child,
    kubeconfig: PathBuf,
}

impl Serving {
    fn start(name: &str, more: &[&str]) -> Self {
        let file = format!("simulator-serve-{name}-{}", std::process::id());
        let kubeconfig = std::env::temp_dir().join(file);
        let process = Command::new(env!("CARGO_BIN_EXE_simulator"))
            .args(["serve", "--listen", "127.0.0.1:0", "--kubeconfig"])
            .arg(&kubeconfig)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let serving = Self {
            process,
            kubeconfig,
        };
        serving.wait("a kubeconfig", || {
            fs::read_to_string(&serving.kubeconfig).is_ok_and(|text| text.contains("users:"))
        });
        serving
    }

    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < Duration::from_secs(20), "no {what}");
            sleep(Duration::from_millis(20));
        }
    }

    async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        Client::try_from(config).unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.kubeconfig);
    }
}

#[tokio::test]
async fn clients_find_the_nodes_through_the_kubeconfig() {
    let serving = Serving::start("nodes", &["--nodes", "5"]);
    let nodes: Api<Node> = Api::all(serving.client().await);
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    assert_eq!(nodes.items.len(), 5);
}

#[test]
fn it_ends_cleanly_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut serving = Serving::start("signal", &[]);
        serving.signal(signal);
        let status = serving.process.wait().unwrap();
        assert!(status.success(), "{signal}: {status}");
        assert!(!serving.kubeconfig.exists(), "{signal}");
    }
}

fn refused(arguments: &[&str]) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .arg("serve")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(!process.wait().unwrap().success());
    text
}

#[test]
fn refusals_name_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = refused(&["--listen", &address]);
    assert!(
        text.contains(&address) && text.contains("--listen"),
        "{text}"
    );
    let text = refused(&[
        "--listen",
        "127.0.0.1:0",
        "--kubeconfig",
        "/nonexistent/kubeconfig",
    ]);
    assert!(
        text.contains("/nonexistent/kubeconfig") && text.contains("--kubeconfig"),
        "{text}"
    );
    assert!(refused(&["--nodes", "0"]).contains("--nodes"));
}
