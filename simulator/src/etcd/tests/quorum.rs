//! What a member answers when the cluster has no quorum, and how long it takes.

use std::time::Duration;

use etcd_client::MemberAddOptions;
use tokio::time::{sleep, timeout};
use tonic::Code;

use super::{
    BOTH,
    fixture::{World, milliseconds, refusal, run, timed},
};

/// A cluster of three that lost two members ten seconds ago.
async fn survivor(world: &mut World) -> String {
    world.cluster(&["m0", "m1", "m2"]).await;
    sleep(Duration::from_secs(6)).await;
    world.kill("m1");
    world.kill("m2");
    sleep(Duration::from_secs(10)).await;
    "m0".to_owned()
}

#[test]
fn linearizable_reads_give_up_after_seven_seconds_and_local_ones_answer_at_once() {
    for version in BOTH {
        run(version, async |mut world| {
            let name = survivor(&mut world).await;
            let mut client = world.client(&name).await;
            let timed_out = (
                Code::Unavailable,
                "etcdserver: request timed out".to_owned(),
            );
            let (listed, took) = timed(world.linearizable_list(&name)).await;
            assert_eq!(refusal(listed), timed_out);
            assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
            let (got, took) = timed(client.get("k", None)).await;
            assert_eq!(refusal(got), timed_out);
            assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
            let (listed, took) = timed(client.member_list()).await;
            assert_eq!(listed.expect("a local list").members().len(), 3);
            assert!(milliseconds(took) <= 5, "{took:?}");
        });
    }
}

#[test]
fn writes_run_into_the_servers_own_deadline_after_seven_seconds() {
    run(BOTH[0], async |mut world| {
        let name = survivor(&mut world).await;
        let mut client = world.client(&name).await;
        let late = (
            Code::DeadlineExceeded,
            "context deadline exceeded".to_owned(),
        );
        let (put, took) = timed(client.put("k", "v", None)).await;
        assert_eq!(refusal(put), late);
        assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
        assert_eq!(refusal(client.lease_grant(10, None).await), late);
    });
}

#[test]
fn removing_a_dead_member_hangs_for_as_long_as_the_client_waits() {
    run(BOTH[0], async |mut world| {
        let name = survivor(&mut world).await;
        let dead = world.id(&name, "m1").await;
        let mut client = world.client(&name).await;
        let removal = timeout(Duration::from_secs(30), client.member_remove(dead)).await;
        assert!(removal.is_err(), "{removal:?}");
    });
}

#[test]
fn adding_is_refused_at_once_and_promotion_after_seven_seconds() {
    run(BOTH[0], async |mut world| {
        let name = survivor(&mut world).await;
        let other = world.id(&name, "m1").await;
        let mut client = world.client(&name).await;
        let learner = Some(MemberAddOptions::new().with_is_learner());
        let (added, took) = timed(client.member_add(["http://m3:2380"], learner)).await;
        assert_eq!(
            refusal(added),
            (Code::Unavailable, "etcdserver: unhealthy cluster".into())
        );
        assert!(milliseconds(took) <= 5, "{took:?}");
        let (promoted, took) = timed(client.member_promote(other)).await;
        assert_eq!(
            refusal(promoted),
            (Code::Unavailable, "etcdserver: no leader".into())
        );
        assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
    });
}

#[test]
fn status_answers_at_once_and_says_that_there_is_no_leader() {
    run(BOTH[0], async |mut world| {
        let name = survivor(&mut world).await;
        let mut client = world.client(&name).await;
        let (status, took) = timed(client.status()).await;
        let status = status.expect("a status");
        assert_eq!(
            (status.leader(), status.errors()),
            (0, &["etcdserver: no leader".to_owned()][..])
        );
        assert!(milliseconds(took) <= 5, "{took:?}");
    });
}

#[test]
fn with_one_of_three_down_the_dead_one_can_be_removed_and_nothing_else_changed() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0", "m1", "m2"]).await;
            sleep(Duration::from_secs(6)).await;
            world.kill("m2");
            sleep(Duration::from_secs(2)).await;
            let mut client = world.client("m0").await;
            let (healthy, dead) = (world.id("m0", "m1").await, world.id("m0", "m2").await);
            let unhealthy = (
                Code::Unavailable,
                "etcdserver: unhealthy cluster".to_owned(),
            );
            assert_eq!(
                refusal(client.member_add(["http://m3:2380"], None).await),
                unhealthy
            );
            assert_eq!(refusal(client.member_remove(healthy).await), unhealthy);
            client.member_remove(dead).await.expect("the dead one goes");
        });
    }
}

#[test]
fn a_single_member_that_adds_a_voter_loses_quorum_until_the_voter_starts() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        client
            .member_add(["http://m1:2380"], None)
            .await
            .expect("the one exception");
        sleep(Duration::from_secs(3)).await;
        assert_eq!(client.status().await.expect("a status").leader(), 0);
        let members = client.member_list().await.expect("a local list");
        assert_eq!(
            members
                .members()
                .iter()
                .filter(|member| member.name().is_empty())
                .count(),
            1
        );
        assert_eq!(
            refusal(client.member_add(["http://m2:2380"], None).await).1,
            "etcdserver: re-configuration failed due to not enough started members"
        );
        world.start("m1", &["m0", "m1"], "existing");
        world.healthy("m1").await;
        client.put("k", "v", None).await.expect("healthy again");
    });
}
