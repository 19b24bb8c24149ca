//! The operator in a simulated world, from the outside: an administrator installs the CRD, a user
//! makes a cluster with kubectl's means, and etcd answers.

use std::{future::Future, process::Command, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use simulator::{
    determinism::{Simulation, simulate},
    net::Death,
    world::{Counter, Operator, SimWorld, WorldOptions},
};
use tokio::time::{Instant, sleep};

/// Set in the child processes of these tests: the seed to run.
const CHILD: &str = "SIMULATOR_TEST_SEED";

const IMAGE_VERSION: &str = "3.5.21";

struct Stage {
    sim: SimWorld,
    operator: Operator,
    user: Client,
}

impl Stage {
    async fn set(simulation: &Simulation) -> Self {
        // Set RUST_LOG to see what the operator says.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt()
            .without_time()
            .with_env_filter(filter)
            .try_init();
        let options = WorldOptions::new(simulation.seed);
        let sim = SimWorld::start(simulation, options, Vec::new())
            .await
            .unwrap();
        sim.world.install_crd().unwrap();
        let operator = sim
            .world
            .start_operator(operator::Options::default())
            .unwrap();
        let host = sim.world.net().add_host("user").unwrap();
        let user = sim.world.kube_client(host, "kubectl", &Counter::default());
        Self {
            sim,
            operator,
            user,
        }
    }

    fn clusters(&self) -> Api<DynamicObject> {
        let crd = operator::crd();
        let version = &crd.spec.versions[0].name;
        let kind = GroupVersionKind::gvk(&crd.spec.group, version, &crd.spec.names.kind);
        Api::default_namespaced_with(self.user.clone(), &ApiResource::from_gvk(&kind))
    }

    async fn create(&self, size: u32) {
        let crd = operator::crd();
        let cluster: DynamicObject = serde_json::from_value(json!({
            "apiVersion": format!("{}/{}", crd.spec.group, crd.spec.versions[0].name),
            "kind": crd.spec.names.kind,
            "metadata": {"name": "demo"},
            "spec": {"size": size, "version": IMAGE_VERSION},
        }))
        .unwrap();
        self.clusters()
            .create(&PostParams::default(), &cluster)
            .await
            .unwrap();
    }

    async fn scale(&self, size: u32) {
        let patch = Patch::Merge(json!({"spec": {"size": size}}));
        self.clusters()
            .patch("demo", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    async fn status(&self) -> Value {
        let cluster = self.clusters().get("demo").await.unwrap();
        cluster.data["status"].clone()
    }

    /// Members that the whole cluster agrees on: every pod was asked, all gave the same list.
    async fn members(&self) -> Option<usize> {
        let pods: Api<Pod> = Api::default_namespaced(self.user.clone());
        let pods = pods.list(&ListParams::default()).await.ok()?;
        let mut answers = Vec::new();
        for pod in &pods {
            let ip = pod.status.as_ref()?.pod_ip.clone()?;
            let host = self.sim.pods.host_of("default", &pod.name_any())?;
            let mut client = self
                .sim
                .world
                .dial_etcd(host, &ip, 2379, &Counter::default())
                .await
                .ok()?;
            let members = client.member_list().await.ok()?;
            let voters = members
                .members()
                .iter()
                .filter(|it| !it.is_learner() && !it.name().is_empty());
            let mut ids: Vec<u64> = voters.map(etcd_client::Member::id).collect();
            ids.sort_unstable();
            answers.push(ids);
        }
        answers.dedup();
        let [one] = answers.as_slice() else {
            return None;
        };
        (one.len() == pods.items.len()).then_some(one.len())
    }

    async fn until_members(&self, wanted: usize) {
        let what = format!("{wanted} members");
        self.until(&what, async || self.members().await == Some(wanted))
            .await;
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let started = Instant::now();
        while !holds().await {
            if started.elapsed() > Duration::from_secs(120) {
                let mut lines = self.sim.world.trace().since(0);
                lines.retain(|line| !line.what.contains(" by kubectl "));
                let last = lines.len().saturating_sub(60);
                for line in &lines[last..] {
                    println!(
                        "{:>10.3} {:24} {}",
                        line.at.as_secs_f64(),
                        line.who,
                        line.what
                    );
                }
                panic!("not {what} within 120 s; status {}", self.status().await);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[test]
fn a_cluster_walks_from_1_to_5_and_back() {
    simulate(1, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.create(1).await;
        stage.until_members(1).await;
        for size in [3, 5, 3, 1] {
            stage.scale(size).await;
            stage.until_members(size as usize).await;
        }
        assert_eq!(stage.operator.ended(), None);
        assert_eq!(simulation.net.leftovers(), []);
        let calls = stage.operator.counter().calls();
        // Additions are refused while a voter is connected for less than 5 s, and tried again.
        assert_eq!(calls.etcd["MemberPromote"], 4, "{calls:#?}");
        assert_eq!(calls.etcd["MemberRemove"], 4, "{calls:#?}");
    })
    .unwrap();
}

#[test]
fn an_operator_that_dies_goes_on_where_it_was() {
    simulate(2, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.create(1).await;
        stage.until_members(1).await;
        stage.scale(3).await;
        sleep(Duration::from_secs(2)).await;
        stage.operator.kill(Death::Process);
        tokio::task::yield_now().await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(simulation.net.live_tasks(stage.operator.host()), 0);
        stage.operator.restart(operator::Options::default());
        stage.until_members(3).await;
    })
    .unwrap();
}

#[test]
fn the_api_server_comes_back_with_what_it_had() {
    simulate(3, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let maps: Api<ConfigMap> = Api::default_namespaced(stage.user.clone());
        let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "kept"}})).unwrap();
        maps.create(&PostParams::default(), &map).await.unwrap();
        stage
            .sim
            .world
            .net()
            .kill(stage.sim.world.api_host(), Death::Process);
        assert!(maps.get("kept").await.is_err());
        stage.sim.world.start_api_server().await.unwrap();
        assert_eq!(maps.get("kept").await.unwrap().name_any(), "kept");
        stage.create(1).await;
        stage.until_members(1).await;
    })
    .unwrap();
}

/// A whole short life of a world, as a hash over everything that happened.
fn run(seed: u64) -> u64 {
    simulate(seed, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.create(1).await;
        stage.until_members(1).await;
        stage.scale(3).await;
        sleep(Duration::from_millis(1500)).await;
        stage.operator.kill(Death::Node);
        sleep(Duration::from_secs(1)).await;
        stage.operator.restart(operator::Options::default());
        stage.until_members(3).await;
        simulation.trace.record("end", simulation.net.packets());
        simulation.trace.hash()
    })
    .unwrap()
}

/// What [`run_in_another_process`] starts; passes by itself.
#[test]
fn child_process() {
    if let Ok(seed) = std::env::var(CHILD) {
        println!("\nhash {}", run(seed.parse().unwrap()));
    }
}

fn run_in_another_process(seed: u64) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, seed.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let hash = text.lines().find_map(|line| line.strip_prefix("hash "));
    hash.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_world_in_another_process() {
    let here = run(5);
    assert_eq!(here, run_in_another_process(5));
    assert_ne!(here, run(6));
}

#[test]
fn a_calm_world_stays_as_it_is() {
    simulate(4, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.create(3).await;
        stage.until_members(3).await;
        sleep(Duration::from_secs(60)).await;
        let before = (
            stage.operator.counter().calls().kubernetes,
            stage.sim.world.with_api(|api| api.revision()),
        );
        sleep(Duration::from_secs(600)).await;
        let mut after = (
            stage.operator.counter().calls().kubernetes,
            stage.sim.world.with_api(|api| api.revision()),
        );
        // Watches are renewed every few minutes.
        after.0.retain(|call, _| !call.starts_with("WATCH"));
        let mut before = before;
        before.0.retain(|call, _| !call.starts_with("WATCH"));
        assert_eq!(before, after);
    })
    .unwrap();
}
