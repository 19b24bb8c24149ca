//! Stock `kubectl` against the served API, on real TCP. Skipped, aloud, when there is no kubectl.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use simulator::{
    clock::Clock,
    kubernetes::api::{ApiServer, serve},
    net::{Listener, Stream},
    trace::Trace,
};
use tokio::net::TcpListener;

use crate::harness::{start, stateful_set};

struct Tcp(TcpListener);

impl Listener for Tcp {
    fn accept(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + '_>> {
        Box::pin(async {
            let (stream, from) = self.0.accept().await?;
            Ok((Stream::new(stream), from))
        })
    }
}

/// A folder that goes with the test, a server on loopback, and kubectl for it.
struct Kubectl {
    port: u16,
    folder: PathBuf,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg(format!("--server=http://127.0.0.1:{}", self.port))
            .arg(format!(
                "--cache-dir={}",
                self.folder.join("cache").display()
            ))
            .args(arguments)
            .env("KUBECONFIG", "/dev/null")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "kubectl {arguments:?} failed: {err}{out}"
        );
        out
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn with_kubectl(test: impl FnOnce(&Kubectl)) {
    if Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_err()
    {
        eprintln!("skipped: kubectl is not on PATH");
        return;
    }
    let (tell, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            let clock = Clock::starting_at(start());
            let api = Arc::new(Mutex::new(ApiServer::starting_at(1, start())));
            let trace = Trace::new(clock, 1000);
            serve(api, Box::new(Tcp(listener)), clock, trace).await;
        });
    });
    let port = port.recv().unwrap();
    let folder = std::env::temp_dir().join(format!("api-kubectl-{}-{port}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    test(&Kubectl { port, folder });
}

#[test]
fn kubectl_users_get_what_they_are_used_to() {
    with_kubectl(|kubectl| {
        let file = kubectl.folder.join("set.json");
        let file = file.to_str().unwrap();
        let mut set = stateful_set("web");
        std::fs::write(file, set.to_string()).unwrap();
        assert_eq!(
            kubectl.run(&["create", "--save-config", "-f", file]),
            "statefulset.apps/web created\n"
        );
        assert_eq!(
            kubectl.run(&["apply", "-f", file]),
            "statefulset.apps/web unchanged\n"
        );
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2".into();
        std::fs::write(file, set.to_string()).unwrap();
        assert_eq!(
            kubectl.run(&["apply", "-f", file]),
            "statefulset.apps/web configured\n"
        );
        let table = kubectl.run(&["get", "sts", "-o", "wide"]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["NAME", "READY", "AGE", "CONTAINERS", "IMAGES"]);
        assert_eq!(
            [lines[1][0], lines[1][1], lines[1][4]],
            ["web", "0/1", "x:2"]
        );
        assert_eq!(
            kubectl.run(&["scale", "sts", "web", "--replicas=3"]),
            "statefulset.apps/web scaled\n"
        );
        let patch = json!({"spec": {"replicas": 4}}).to_string();
        assert_eq!(
            kubectl.run(&["patch", "sts", "web", "-p", &patch]),
            "statefulset.apps/web patched\n"
        );
        assert_eq!(
            kubectl.run(&["label", "sts", "web", "a=b"]),
            "statefulset.apps/web labeled\n"
        );
        let described = kubectl.run(&["describe", "sts", "web"]);
        assert!(
            described.contains("Replicas:           4 desired | 0 total"),
            "{described}"
        );
        let explained = kubectl.run(&["explain", "sts.spec.replicas"]);
        assert!(
            explained.contains("FIELD: replicas <integer>"),
            "{explained}"
        );
        let applied = kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", file]);
        assert_eq!(applied, "statefulset.apps/web serverside-applied\n");
        assert!(
            kubectl
                .run(&["delete", "sts", "web"])
                .starts_with("statefulset.apps \"web\" deleted")
        );
        assert!(kubectl.run(&["api-resources"]).contains("statefulsets"));
    });
}

#[test]
fn kubectl_follows_changes() {
    with_kubectl(|kubectl| {
        let file = kubectl.folder.join("set.json");
        std::fs::write(&file, stateful_set("web").to_string()).unwrap();
        kubectl.run(&["create", "-f", file.to_str().unwrap()]);
        let mut follower = kubectl
            .command(&["get", "sts", "-w", "--no-headers"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(700));
        kubectl.run(&["scale", "sts", "web", "--replicas=5"]);
        std::thread::sleep(Duration::from_millis(300));
        follower.kill().unwrap();
        let shown = follower.wait_with_output().unwrap().stdout;
        let shown = String::from_utf8_lossy(&shown);
        let ready: Vec<&str> = shown
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(ready, ["0/1", "0/5"], "{shown}");
    });
}
