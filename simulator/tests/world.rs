//! The operator in a simulated world, from the outside: an administrator installs the CRD, a user
//! makes a cluster with kubectl's means, and etcd answers.

mod one_cluster;

use std::{process::Command, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt, api::PostParams};
use one_cluster::Stage;
use serde_json::json;
use simulator::{determinism::simulate, net::Death};
use tokio::time::sleep;

/// Set in the child processes of these tests: the seed to run.
const CHILD: &str = "SIMULATOR_TEST_SEED";

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
