//! The status tells the truth, soon, and does not cry wolf.

mod stage;

use std::time::Duration;

use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use operator::Options;
use serde_json::{Value, json};
use simulator::{
    determinism::simulate,
    net::{Death, HostId},
    world::{Counter, SimWorld, WorldOptions},
};
use stage::Stage;
use tokio::time::{Instant, sleep};

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().find(|it| it["type"] == kind).unwrap()
}

fn is(status: &Value, kind: &str) -> bool {
    condition(status, kind)["status"] == "True"
}

impl Stage {
    fn pod(&self, name: &str) -> HostId {
        self.sim.pods.host_of("default", name).unwrap()
    }

    async fn member(&self, role: &str) -> String {
        let status = self.status("demo").await;
        let members = status["members"].as_array().unwrap();
        let found = members.iter().find(|it| it["role"] == role).unwrap();
        found["name"].as_str().unwrap().to_owned()
    }

    async fn running_pods(&self) -> u64 {
        let pods: Api<Pod> = Api::default_namespaced(self.user.clone());
        let pods = pods.list(&ListParams::default()).await.unwrap();
        let running = pods.iter().filter(|pod| {
            let status = pod.status.as_ref();
            let containers = status.and_then(|it| it.container_statuses.as_ref());
            containers.is_some_and(|it| {
                it.iter()
                    .all(|it| it.state.as_ref().is_some_and(|it| it.running.is_some()))
            })
        });
        running.count() as u64
    }

    async fn events(&self) -> Vec<Event> {
        let events: Api<Event> = Api::default_namespaced(self.user.clone());
        let mut events = events.list(&ListParams::default()).await.unwrap().items;
        events.retain(|event| {
            let about = event.regarding.as_ref();
            about.is_some_and(|it| it.kind.as_deref() == Some("EtcdCluster"))
        });
        events
    }

    async fn three(&self) {
        self.sim
            .world
            .start_operator(Options::default())
            .map(std::mem::forget)
            .unwrap();
        self.create("demo", 3).await;
        self.until_ready(3).await;
    }
}

#[test]
fn an_election_is_no_outage() {
    for seed in 1..4 {
        simulate(seed, async |simulation| {
            let stage = Stage::set(&simulation).await;
            stage.three().await;
            sleep(Duration::from_millis(777 * seed)).await;
            let leader = stage.member("Leader").await;
            // Its process dies; the kubelet starts it again.
            stage
                .sim
                .world
                .net()
                .kill(stage.pod(&leader), Death::Process);
            let died = Instant::now();
            let mut lowered = None;
            while died.elapsed() < Duration::from_secs(8) {
                let status = stage.status("demo").await;
                assert!(is(&status, "Available"), "{status:#}");
                if status["readyReplicas"] != 3 {
                    lowered = lowered.or(Some(died.elapsed()));
                }
                sleep(Duration::from_millis(50)).await;
            }
            assert!(lowered.is_some(), "READY never fell");
            stage.until_ready(3).await;
        })
        .unwrap();
    }
}

#[test]
fn a_frozen_majority_is_called_an_outage_within_15_s_and_its_end_as_well() {
    for seed in 1..5 {
        simulate(seed, async |simulation| {
            let stage = Stage::set(&simulation).await;
            stage.three().await;
            sleep(Duration::from_millis(3100 * seed)).await;
            let frozen = [stage.member("Leader").await, stage.member("Follower").await];
            for name in &frozen {
                stage.sim.world.net().pause(stage.pod(name));
            }
            let took = stage.until("demo", |it| !is(it, "Available")).await;
            assert!(took <= Duration::from_secs(15), "{took:?}");
            let status = stage.status("demo").await;
            assert_eq!(status["readyReplicas"], 0, "{status:#}");
            assert_eq!(condition(&status, "Available")["reason"], "QuorumLost");
            let silent = status["members"].as_array().unwrap().iter();
            let silent = silent.filter(|it| it["lastSeen"].is_string()).count();
            assert_eq!(silent, 2, "{status:#}");
            for name in &frozen {
                stage.sim.world.net().resume(stage.pod(name));
            }
            let took = stage.until("demo", |it| is(it, "Available")).await;
            assert!(took <= Duration::from_secs(12), "{took:?}");
        })
        .unwrap();
    }
}

#[test]
fn ready_is_never_above_the_pods_that_run() {
    simulate(5, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        let pods: Api<Pod> = Api::default_namespaced(stage.user.clone());
        for name in ["demo-2", "demo-0", "demo-1"] {
            pods.delete(name, &DeleteParams::default()).await.unwrap();
            let deleted = Instant::now();
            let mut wrong = Duration::ZERO;
            while deleted.elapsed() < Duration::from_secs(6) {
                let ready = stage.status("demo").await["readyReplicas"]
                    .as_u64()
                    .unwrap();
                if ready > stage.running_pods().await {
                    wrong += Duration::from_millis(50);
                }
                sleep(Duration::from_millis(50)).await;
            }
            assert!(wrong <= Duration::from_millis(200), "wrong for {wrong:?}");
            stage.until_ready(3).await;
        }
    })
    .unwrap();
}

#[test]
fn a_cluster_with_a_hanging_member_does_not_delay_another() {
    simulate(6, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        stage.create("undisturbed", 3).await;
        let calm = stage
            .until("undisturbed", |it| it["phase"] == "Running")
            .await;
        stage.delete("undisturbed").await;
        sleep(Duration::from_secs(20)).await;
        for name in ["demo-0", "demo-1", "demo-2"] {
            stage.sim.world.net().pause(stage.pod(name));
        }
        sleep(Duration::from_secs(20)).await;
        stage.create("other", 3).await;
        let took = stage.until("other", |it| it["phase"] == "Running").await;
        assert!(
            took <= calm + Duration::from_millis(500),
            "{took:?}, {calm:?} when calm"
        );
    })
    .unwrap();
}

#[test]
fn a_silent_member_costs_few_writes() {
    simulate(7, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        let follower = stage.member("Follower").await;
        stage.sim.world.net().pause(stage.pod(&follower));
        sleep(Duration::from_secs(60)).await;
        let version = stage
            .clusters()
            .get("demo")
            .await
            .unwrap()
            .resource_version();
        sleep(Duration::from_secs(120)).await;
        let status = stage.status("demo").await;
        assert!(
            is(&status, "Available") && is(&status, "Degraded"),
            "{status:#}"
        );
        assert_eq!(status["readyReplicas"], 2);
        let after = stage
            .clusters()
            .get("demo")
            .await
            .unwrap()
            .resource_version();
        assert_eq!(version, after, "the status was written again: {status:#}");
    })
    .unwrap();
}

#[test]
fn deletion_in_the_foreground_is_seen() {
    simulate(8, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        let params = DeleteParams::foreground();
        stage.clusters().delete("demo", &params).await.unwrap();
        let mut seen = false;
        let started = Instant::now();
        while let Some(cluster) = stage.clusters().get_opt("demo").await.unwrap() {
            let status = serde_json::to_value(cluster.status).unwrap();
            seen |= status["phase"] == "Deleting";
            assert!(started.elapsed() < Duration::from_secs(60), "{status:#}");
            sleep(Duration::from_millis(50)).await;
        }
        assert!(seen, "phase Deleting was never there");
    })
    .unwrap();
}

#[test]
fn faults_and_their_ends_are_events_once_each() {
    simulate(9, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        let names = [stage.member("Leader").await, stage.member("Follower").await];
        for name in &names {
            stage.sim.world.net().pause(stage.pod(name));
        }
        sleep(Duration::from_secs(60)).await;
        for name in &names {
            stage.sim.world.net().resume(stage.pod(name));
        }
        sleep(Duration::from_secs(60)).await;
        let mut reasons: Vec<String> = Vec::new();
        for event in stage.events().await {
            let kind = event.type_.unwrap_or_default();
            reasons.push(format!("{kind} {}", event.reason.unwrap_or_default()));
        }
        for reason in [
            "Normal ClusterFormed",
            "Warning QuorumLost",
            "Normal QuorumRestored",
        ] {
            let count = reasons.iter().filter(|it| *it == reason).count();
            assert_eq!(count, 1, "{reason} in {reasons:?}");
        }
        assert!(reasons.len() < 8, "{reasons:?}");
    })
    .unwrap();
}

#[test]
fn what_kubernetes_refuses_is_said_in_the_conditions_until_it_is_mended() {
    simulate(1, async |simulation| {
        let stage = Stage::set(&simulation).await;
        stage.three().await;
        let label = |value: &str| json!({"podTemplate": {"metadata": {"labels": {"team": value}}}});
        stage.edit(label("no spaces")).await;
        let refused = |status: &Value| {
            let degraded = condition(status, "Degraded");
            degraded["reason"] == "KubernetesRefuses"
                && degraded["message"].as_str().is_some_and(|message| {
                    message.contains("StatefulSet demo") && message.contains("spec.template.labels")
                })
        };
        let told = stage.until("demo", refused).await;
        assert!(told < Duration::from_secs(2), "{told:?}");
        stage.edit(label("storage")).await;
        stage
            .until("demo", |status| {
                !is(status, "Degraded") && status["phase"] == "Running"
            })
            .await;
    })
    .unwrap();
}

#[test]
fn an_operator_that_comes_before_its_crd_waits_for_it() {
    simulate(1, async |simulation| {
        let options = WorldOptions::new(simulation.seed);
        let sim = SimWorld::start(&simulation, options, Vec::new());
        let sim = sim.await.unwrap();
        let metrics = operator::Metrics::default();
        let early = Options {
            metrics: metrics.clone(),
            ..Options::default()
        };
        let operator = sim.world.start_operator(early).unwrap();
        sleep(Duration::from_secs(20)).await;
        let standing = format!("{:?}", metrics.standing());
        assert!(standing.contains("install the CRD"), "{standing}");
        sim.world.install_crd().unwrap();
        let host = sim.world.net().add_host("user").unwrap();
        let user = sim.world.kube_client(host, "kubectl", &Counter::default());
        let stage = Stage { sim, user };
        stage.create("demo", 1).await;
        stage.until_ready(1).await;
        assert_eq!(operator.ended(), None);
    })
    .unwrap();
}
