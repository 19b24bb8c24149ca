//! Simulated etcd members as containers: started, probed, stopped and killed as a kubelet does.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use simulator::{
    determinism::{Simulation, simulate},
    kubernetes::runtime::{
        Container, ContainerId, ContainerRuntime, HttpProbe, Observation, Sandbox, Signal, Volume,
    },
    net::Resolve,
    runtime::{EtcdImages, SimRuntime},
};
use tokio::{sync::Notify, time::sleep};

const IMAGE: &str = "registry.example/etcd:v3.5.21";

#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeMap<String, IpAddr>>>);

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

struct Kubelet {
    runtime: SimRuntime,
    names: Names,
    wake: Arc<Notify>,
    seen: Vec<Observation>,
}

impl Kubelet {
    fn new(simulation: &Simulation) -> Self {
        let (names, wake) = (Names::default(), Arc::new(Notify::new()));
        let net: Arc<dyn simulator::net::Net> = Arc::new(simulation.net.clone());
        let images = EtcdImages {
            net: Arc::clone(&net),
            resolver: Arc::new(names.clone()),
            clock: simulation.clock,
            trace: simulation.trace.clone(),
            seed: simulation.seed.derive("etcd"),
            versions: Vec::new(),
            starts: 0,
        };
        let runtime = SimRuntime::new(net, simulation.clock, images, Arc::clone(&wake));
        Self {
            runtime,
            names,
            wake,
            seen: Vec::new(),
        }
    }

    fn sandbox(&mut self, pod: &str) {
        let sandbox = Sandbox {
            namespace: "default".to_owned(),
            name: pod.to_owned(),
            uid: format!("uid-{pod}"),
            hostname: pod.to_owned(),
            full_name: None,
            node: "node-1".to_owned(),
        };
        let ip = self.runtime.create_sandbox(&sandbox).unwrap();
        self.names.0.lock().unwrap().insert(pod.to_owned(), ip);
    }

    fn start(&mut self, pod: &str, container: &Container) -> ContainerId {
        self.runtime
            .start(&format!("uid-{pod}"), container)
            .unwrap()
    }

    async fn wait(&mut self, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let look = async {
            loop {
                self.seen.extend(self.runtime.observe());
                if let Some(found) = self.seen.iter().position(&wanted) {
                    return self.seen.remove(found);
                }
                self.wake.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), look)
            .await
            .expect("nothing observed")
    }

    async fn probe(&mut self, container: ContainerId, path: &str) -> Result<u16, String> {
        let probe = HttpProbe {
            port: 2381,
            path: path.to_owned(),
            timeout_seconds: 1,
        };
        self.runtime.probe(container, &probe, 9);
        let probed = |it: &Observation| matches!(it, Observation::Probed { token: 9, .. });
        match self.wait(probed).await {
            Observation::Probed { result, .. } => result,
            Observation::Exited { .. } => unreachable!("waited for a probe"),
        }
    }

    async fn exit_of(&mut self, wanted: ContainerId) -> i32 {
        let exited = |it: &Observation| matches!(it, Observation::Exited { container, .. } if *container == wanted);
        match self.wait(exited).await {
            Observation::Exited { code, .. } => code,
            Observation::Probed { .. } => unreachable!("waited for an exit"),
        }
    }
}

fn member(name: &str, all: &[&str]) -> Container {
    let cluster: Vec<_> = all
        .iter()
        .map(|it| format!("{it}=http://{it}:2380"))
        .collect();
    let config = format!(
        "name: {name}\ndata-dir: /var/lib/etcd/data\n\
         listen-client-urls: http://0.0.0.0:2379\nadvertise-client-urls: http://{name}:2379\n\
         listen-peer-urls: http://0.0.0.0:2380\ninitial-advertise-peer-urls: http://{name}:2380\n\
         listen-metrics-urls: http://0.0.0.0:2381\n\
         initial-cluster: {}\ninitial-cluster-state: new\n",
        cluster.join(",")
    );
    let files = BTreeMap::from([("etcd.yaml".to_owned(), config.into_bytes())]);
    let data = Volume::Persistent {
        volume: format!("pv-{name}"),
    };
    Container {
        name: "etcd".to_owned(),
        image: IMAGE.to_owned(),
        command: vec!["/usr/local/bin/etcd".to_owned()],
        args: vec!["--config-file=/etc/etcd/etcd.yaml".to_owned()],
        env: BTreeMap::new(),
        mounts: BTreeMap::from([
            ("/etc/etcd".to_owned(), Volume::Files(files)),
            ("/var/lib/etcd".to_owned(), data),
        ]),
    }
}

#[test]
fn a_member_starts_answers_probes_and_stops_with_exit_code_0() {
    simulate(1, async |simulation| {
        let mut kubelet = Kubelet::new(&simulation);
        kubelet.sandbox("demo-0");
        let etcd = kubelet.start("demo-0", &member("demo-0", &["demo-0"]));
        sleep(Duration::from_secs(3)).await;
        assert_eq!(
            kubelet.probe(etcd, "/health").await,
            Ok(200),
            "{:#?}",
            kubelet.runtime.logs(etcd)
        );
        kubelet.runtime.signal(etcd, Signal::Terminate);
        assert_eq!(kubelet.exit_of(etcd).await, 0);
        let host = kubelet.runtime.host_of("default", "demo-0").unwrap();
        assert_eq!(simulation.net.live_tasks(host), 0);
        let refused = kubelet.probe(etcd, "/health").await.unwrap_err();
        assert!(
            refused.ends_with("connect: connection refused"),
            "{refused}"
        );
    })
    .unwrap();
}

#[test]
fn a_killed_member_exits_137_and_finds_its_data_again() {
    simulate(1, async |simulation| {
        let mut kubelet = Kubelet::new(&simulation);
        let names = ["demo-0", "demo-1", "demo-2"];
        names.iter().for_each(|name| kubelet.sandbox(name));
        let started: Vec<_> = names
            .iter()
            .map(|name| kubelet.start(name, &member(name, &names)))
            .collect();
        sleep(Duration::from_secs(5)).await;
        kubelet.runtime.signal(started[1], Signal::Kill);
        assert_eq!(kubelet.exit_of(started[1]).await, 137);
        let before = kubelet.runtime.disk("pv-demo-1").unwrap().identity("data");
        let again = kubelet.start("demo-1", &member("demo-1", &names));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(
            kubelet.probe(again, "/health").await,
            Ok(200),
            "{:#?}",
            kubelet.runtime.logs(again)
        );
        assert!(before.is_some());
        assert_eq!(
            kubelet.runtime.disk("pv-demo-1").unwrap().identity("data"),
            before
        );
        assert_eq!(simulation.net.leftovers(), []);
    })
    .unwrap();
}

#[test]
fn other_images_cannot_be_pulled() {
    simulate(1, async |simulation| {
        let mut kubelet = Kubelet::new(&simulation);
        kubelet.sandbox("demo-0");
        for image in [
            "nginx:latest",
            "registry.example/etcd:latest",
            "registry.example/etcd",
        ] {
            let container = Container {
                image: image.to_owned(),
                ..member("demo-0", &["demo-0"])
            };
            let failed = kubelet.runtime.start("uid-demo-0", &container).unwrap_err();
            assert_eq!(failed.reason, "ErrImagePull", "{image}: {failed}");
        }
    })
    .unwrap();
}

#[test]
fn a_probe_of_a_frozen_pod_times_out() {
    simulate(1, async |simulation| {
        use simulator::net::Net;
        let mut kubelet = Kubelet::new(&simulation);
        kubelet.sandbox("demo-0");
        let etcd = kubelet.start("demo-0", &member("demo-0", &["demo-0"]));
        sleep(Duration::from_secs(3)).await;
        simulation
            .net
            .pause(kubelet.runtime.host_of("default", "demo-0").unwrap());
        let started = simulation.clock.elapsed();
        let late = kubelet.probe(etcd, "/health").await.unwrap_err();
        assert!(late.contains("context deadline exceeded"), "{late}");
        assert_eq!((simulation.clock.elapsed() - started).as_secs(), 1);
    })
    .unwrap();
}

#[test]
fn a_removed_sandbox_gives_its_address_back() {
    simulate(1, async |simulation| {
        let mut kubelet = Kubelet::new(&simulation);
        for round in 0..200 {
            let pod = format!("pod-{round}");
            kubelet.sandbox(&pod);
            kubelet.runtime.remove_sandbox(&format!("uid-{pod}"));
        }
    })
    .unwrap();
}
