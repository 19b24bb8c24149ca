//! The world `kube` against a simulated Kubernetes on real TCP: what the runner does on a real
//! cluster, where there is none. The API server, the pods' addresses and the signals are real.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, config::Kubeconfig};
use simulator::serve::{ServeOptions, serve};
use tempfile::TempDir;

/// A Kubernetes that is served as long as this lives.
struct Served {
    folder: TempDir,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = ServeOptions {
            listen: "127.0.0.1:0".parse().expect("an address"),
            kubeconfig: folder.path().join("kubeconfig"),
            nodes: 3,
            etcd: Vec::new(),
            seed: 1,
            verbose: false,
        };
        let served = Self { folder };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime
                .block_on(serve(&options, &mut std::io::sink()))
                .expect("it serves");
        });
        wait("the kubeconfig is there", || served.kubeconfig().exists());
        served
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn scenarios(&self, text: &str) -> Child {
        self.scenarios_with(text, &[])
    }

    fn scenarios_with(&self, text: &str, options: &[&str]) -> Child {
        let file = self.folder.path().join("it.scenario");
        std::fs::write(&file, text).expect("written");
        Command::new(env!("CARGO_BIN_EXE_scenarios"))
            .args([
                "run",
                "--world",
                "kube",
                "--operator",
                "in-process",
                "--kubeconfig",
            ])
            .args([self.kubeconfig().as_path(), file.as_path()])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Namespaces that runs have made.
    fn namespaces(&self) -> Vec<String> {
        let path = self.kubeconfig();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let found = runtime.block_on(async {
            let namespaces: Api<Namespace> = Api::all(client(&path).await);
            namespaces.list(&kube::api::ListParams::default()).await
        });
        let names = found.expect("a list").items.into_iter();
        names
            .filter_map(|namespace| namespace.metadata.name)
            .filter(|name| name.starts_with("scenario-"))
            .collect()
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let choice = kube::config::KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &choice).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
}

const HEADING: &str = "cluster demo: size 1, version 3.5.21, volumes deleted with it\n\
                       traffic: 20 puts and 20 reads per second over 10 keys\n";

#[test]
fn a_cluster_is_created_written_to_and_deleted_and_nothing_is_left() {
    let served = Served::start();
    let run = served.scenarios(&format!(
        "{HEADING}step \"create\"\n  create the cluster\n  expect 1 member within 60s\n  \
         expect 1 member for 2s\nstep \"read\"\n  expect every acknowledged write is readable\n\
         step \"delete\"\n  delete the cluster\n  expect nothing is left within 60s\n\
         finally\n  expect no invariant was violated\n"
    ));
    let output = run.wait_with_output().expect("it ends");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("operator in this process"), "{text}");
    assert!(
        text.contains("pods were reached by their addresses"),
        "{text}"
    );
    assert_eq!(served.namespaces(), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_takes_its_namespace_with_it() {
    let served = Served::start();
    let run = served.scenarios(&format!(
        "{HEADING}step \"create\"\n  create the cluster\n  wait 10m\n"
    ));
    wait("the run has a namespace", || {
        !served.namespaces().is_empty()
    });
    let interrupt = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(interrupt.expect("kill runs").success());
    let output = run.wait_with_output().expect("it ends");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(served.namespaces(), Vec::<String>::new(), "{text}");
}

#[test]
fn an_operator_that_dies_at_a_call_comes_back_and_goes_on() {
    let served = Served::start();
    let run = served.scenarios(&format!(
        "{HEADING}step \"create\"\n  create the cluster\n  expect 1 member within 60s\n\
         step \"grow\"\n  kill the operator after its next MemberAdd\n  scale to 3\n  \
         expect 3 members within 60s\nfinally\n  expect no invariant was violated\n"
    ));
    let output = run.wait_with_output().expect("it ends");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("fault: kill the operator after its next MemberAdd"),
        "{text}"
    );
    assert!(!text.contains("not counted"), "{text}");
}

#[test]
fn what_only_the_host_can_do_is_done_by_its_command_or_refused_by_name() {
    let served = Served::start();
    let story = format!(
        "{HEADING}step \"create\"\n  create the cluster\n  expect 1 member within 60s\n\
         step \"off\"\n  switch off the node of member 0 for 1s\n  wait 2s\n"
    );
    let refused = served
        .scenarios(&story)
        .wait_with_output()
        .expect("it ends");
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(
        said.contains("the command `node-off` by --commands"),
        "{said}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let (table, log) = (folder.path().join("table.yaml"), folder.path().join("log"));
    let log_to = log.display();
    let lines =
        format!("node-off: echo off $NODE >> {log_to}\nnode-on: echo on $NODE >> {log_to}\n");
    std::fs::write(&table, lines).expect("written");
    let table = table.display().to_string();
    let run = served.scenarios_with(&story, &["--commands", &table]);
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let done = std::fs::read_to_string(log).expect("the commands ran");
    let mut lines = done
        .lines()
        .map(|line| line.split_once(' ').expect("two words"));
    let (off, on) = (lines.next().expect("off"), lines.next().expect("on"));
    assert_eq!((off.0, on.0, off.1), ("off", "on", on.1), "{done}");
    assert!(!off.1.is_empty(), "{done}");
    assert_eq!(lines.next(), None, "{done}");
}
