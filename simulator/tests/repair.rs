//! Damage in a whole simulated world: it is found, told truly, and put right.

mod one_cluster;

use std::time::Duration;

use etcd_client::{AlarmAction, AlarmOptions, AlarmType};
use k8s_openapi::api::{
    apps::v1::StatefulSet, core::v1::ConfigMap, policy::v1::PodDisruptionBudget,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use one_cluster::Stage;
use serde_json::json;
use simulator::determinism::simulate;
use tokio::time::{Instant, sleep};

const WORD: &str = "etcd.etcd.io/recover-quorum";

async fn three(stage: &Stage) {
    stage.create(3).await;
    stage.until_settled(3).await;
    stage.put(0, "kept", "yes").await;
}

#[test]
fn a_member_that_lost_its_volume_is_replaced_within_15_s_and_told_of_within_5_s() {
    simulate(11, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let before = stage.ids().await;
        let lost = Instant::now();
        stage.delete_pod_and_volume(2).await;
        stage
            .until("2 ready", async || {
                stage.status().await["readyReplicas"] == 2
            })
            .await;
        assert!(
            lost.elapsed() <= Duration::from_secs(5),
            "{:?}",
            lost.elapsed()
        );
        println!("told of after {:?}", lost.elapsed());
        stage.until_settled(3).await;
        println!("whole again after {:?}", lost.elapsed());
        assert!(
            lost.elapsed() <= Duration::from_secs(15),
            "{:?}",
            lost.elapsed()
        );
        let after = stage.ids().await;
        assert_eq!(before[..2], after[..2]);
        assert_ne!(before[2], after[2], "it came back under its old identity");
        assert_eq!(stage.get(2, "kept").await.as_deref(), Some("yes"));
    })
    .unwrap();
}

#[test]
fn a_leader_that_lost_its_volume_is_replaced_too() {
    simulate(12, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let before = stage.ids().await;
        let leader = stage.status().await["leaderID"].clone();
        let leads = before.iter().position(|(_, id)| *id == leader).unwrap();
        stage
            .delete_pod_and_volume(u32::try_from(leads).unwrap())
            .await;
        stage
            .until("a new member", async || {
                stage
                    .ids()
                    .await
                    .get(leads)
                    .is_some_and(|it| *it != before[leads])
            })
            .await;
        stage.until_settled(3).await;
        assert_eq!(stage.get(0, "kept").await.as_deref(), Some("yes"));
    })
    .unwrap();
}

#[test]
fn a_member_that_finds_its_data_corrupt_is_replaced_and_writes_go_on() {
    simulate(18, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let before = stage.ids().await;
        let id = u64::from_str_radix(&before[2].1, 16).unwrap();
        let mut client = stage.etcd(0).await.unwrap();
        let mut options = AlarmOptions::new();
        options.with_member(id);
        client
            .alarm(AlarmAction::Activate, AlarmType::Corrupt, Some(options))
            .await
            .unwrap();
        stage
            .until("a new member", async || {
                stage.ids().await.get(2).is_some_and(|it| *it != before[2])
            })
            .await;
        stage.until_settled(3).await;
        stage.put(1, "taken", "yes").await;
        assert_eq!(stage.get(2, "taken").await.as_deref(), Some("yes"));
    })
    .unwrap();
}

#[test]
fn a_volume_deleted_under_a_running_member_is_replaced() {
    simulate(13, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let before = stage.ids().await;
        let claim = stage.claim_of(1).await;
        let claims = stage.objects::<k8s_openapi::api::core::v1::PersistentVolumeClaim>();
        claims
            .delete(&claim, &DeleteParams::default())
            .await
            .unwrap();
        stage
            .until("a new member", async || {
                stage.ids().await.get(1).is_some_and(|it| *it != before[1])
            })
            .await;
        stage.until_settled(3).await;
        let claim = claims.get(&stage.claim_of(1).await).await.unwrap();
        assert_eq!(claim.metadata.deletion_timestamp, None);
    })
    .unwrap();
}

#[test]
fn a_pod_that_is_deleted_comes_back_as_the_same_member() {
    simulate(14, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let before = stage.ids().await;
        for ordinal in 0..3 {
            stage.delete_pod(ordinal).await;
            sleep(Duration::from_millis(500)).await;
            stage.until_settled(3).await;
        }
        assert_eq!(stage.ids().await, before);
    })
    .unwrap();
}

/// Loses two of three with their volumes.
async fn lose_two(stage: &Stage) {
    three(stage).await;
    let lost = Instant::now();
    for ordinal in [1, 2] {
        stage.delete_pod_and_volume(ordinal).await;
    }
    stage
        .until("not available", async || {
            stage.condition("Available").await.0 == "False"
        })
        .await;
    assert!(
        lost.elapsed() <= Duration::from_secs(15),
        "{:?}",
        lost.elapsed()
    );
    println!("not available after {:?}", lost.elapsed());
    stage
        .until("lost for good", async || {
            stage.condition("Degraded").await.1 == "QuorumLost"
        })
        .await;
}

#[test]
fn quorum_lost_for_good_is_told_and_left_alone_until_the_user_gives_the_word() {
    simulate(15, async |simulation| {
        let stage = Stage::set(&simulation).await;
        lose_two(&stage).await;
        let cluster = stage.status().await["clusterID"]
            .as_str()
            .unwrap()
            .to_owned();
        let (_, _, message) = stage.condition("Degraded").await;
        for part in [
            "demo-1 is lost",
            "demo-2 is lost",
            "demo-0 has its data",
            &format!("recover-quorum={cluster}/1"),
        ] {
            assert!(message.contains(part), "{message}");
        }
        let alone = stage
            .objects::<ConfigMap>()
            .get("demo-config")
            .await
            .unwrap();
        stage.annotate(WORD, "deadbeef/1").await;
        sleep(Duration::from_secs(60)).await;
        let (_, _, message) = stage.condition("Degraded").await;
        assert!(
            message.contains("the annotation says \"deadbeef/1\""),
            "{message}"
        );
        let still = stage
            .objects::<ConfigMap>()
            .get("demo-config")
            .await
            .unwrap();
        assert_eq!(alone.data, still.data);

        let word = Instant::now();
        stage.annotate(WORD, &format!("{cluster}/1")).await;
        stage.until_settled(3).await;
        println!("recovered after {:?}", word.elapsed());
        let status = stage.status().await;
        assert_eq!(status["clusterID"], json!(cluster));
        assert_eq!(status["recoveries"], json!(1));
        for ordinal in 0..3 {
            assert_eq!(stage.get(ordinal, "kept").await.as_deref(), Some("yes"));
        }
        let files = stage
            .objects::<ConfigMap>()
            .get("demo-config")
            .await
            .unwrap();
        let forced = files.data.unwrap_or_default().into_values();
        assert_eq!(
            forced
                .filter(|file| file.contains("force-new-cluster"))
                .count(),
            0
        );
        // The flag would throw the others out at the next start.
        stage.delete_pod(0).await;
        sleep(Duration::from_secs(1)).await;
        stage.until_settled(3).await;
    })
    .unwrap();
}

#[test]
fn a_word_counts_once() {
    simulate(16, async |simulation| {
        let stage = Stage::set(&simulation).await;
        lose_two(&stage).await;
        let cluster = stage.status().await["clusterID"]
            .as_str()
            .unwrap()
            .to_owned();
        stage.annotate(WORD, &format!("{cluster}/1")).await;
        stage.until_settled(3).await;
        for ordinal in [1, 2] {
            stage.delete_pod_and_volume(ordinal).await;
        }
        stage
            .until("lost again", async || {
                stage.condition("Degraded").await.1 == "QuorumLost"
            })
            .await;
        sleep(Duration::from_secs(90)).await;
        let (_, reason, message) = stage.condition("Degraded").await;
        assert_eq!(reason, "QuorumLost");
        assert!(
            message.contains(&format!("recover-quorum={cluster}/2")),
            "{message}"
        );
        stage.annotate(WORD, &format!("{cluster}/2")).await;
        stage.until_settled(3).await;
        assert_eq!(stage.get(1, "kept").await.as_deref(), Some("yes"));
    })
    .unwrap();
}

#[test]
fn an_operator_that_dies_anywhere_in_a_recovery_brings_it_to_its_end() {
    for (seed, millis) in [(21, 50), (22, 400), (23, 2500), (24, 5000), (25, 9000)] {
        simulate(seed, async |simulation| {
            let stage = Stage::set(&simulation).await;
            lose_two(&stage).await;
            let cluster = stage.status().await["clusterID"]
                .as_str()
                .unwrap()
                .to_owned();
            stage.annotate(WORD, &format!("{cluster}/1")).await;
            sleep(Duration::from_millis(millis)).await;
            stage.operator.kill(simulator::net::Death::Process);
            sleep(Duration::from_secs(3)).await;
            stage.operator.restart(operator::Options::default());
            stage.until_settled(3).await;
            assert_eq!(stage.status().await["recoveries"], json!(1));
            assert_eq!(stage.get(2, "kept").await.as_deref(), Some("yes"));
        })
        .unwrap();
    }
}

#[test]
fn what_is_edited_or_deleted_by_hand_is_put_back() {
    simulate(17, async |simulation| {
        let stage = Stage::set(&simulation).await;
        three(&stage).await;
        let ids = stage.ids().await;
        let sets = stage.objects::<StatefulSet>();
        for replicas in [5, 2] {
            let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            sets.patch("demo", &PatchParams::default(), &patch)
                .await
                .unwrap();
            sleep(Duration::from_secs(2)).await;
            stage.until_settled(3).await;
        }
        let maps = stage.objects::<ConfigMap>();
        maps.delete("demo-config", &DeleteParams::default())
            .await
            .unwrap();
        let budgets = stage.objects::<PodDisruptionBudget>();
        budgets
            .delete("demo", &DeleteParams::default())
            .await
            .unwrap();
        sets.delete("demo", &DeleteParams::background())
            .await
            .unwrap();
        sleep(Duration::from_secs(2)).await;
        stage.until_settled(3).await;
        assert_eq!(
            maps.get("demo-config").await.unwrap().name_any(),
            "demo-config"
        );
        assert_eq!(budgets.get("demo").await.unwrap().name_any(), "demo");
        assert_eq!(stage.ids().await, ids);
    })
    .unwrap();
}
