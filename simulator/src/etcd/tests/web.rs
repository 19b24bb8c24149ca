//! Health endpoints and metrics.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    BOTH,
    fixture::{milliseconds, run, timed},
};
use crate::etcd::Version;

#[test]
fn a_healthy_member_says_so_on_the_metrics_and_on_the_client_port() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            for port in [2379, 2381] {
                let page = async |path| world.page_at("m0", port, path).await.expect("a page");
                let health = (200, r#"{"health":"true","reason":""}"#.to_owned());
                assert_eq!(page("/health").await, health);
                assert_eq!(page("/livez").await, (200, "ok\n".to_owned()));
                assert_eq!(page("/readyz").await, (200, "ok\n".to_owned()));
                assert!(
                    page("/version")
                        .await
                        .1
                        .contains(&format!(r#""etcdserver":"{version}""#))
                );
                let metrics = page("/metrics").await.1;
                assert!(metrics.contains("etcd_server_has_leader 1"), "{metrics}");
                assert_eq!(page("/nothing").await.0, 404);
            }
        });
    }
}

#[test]
fn without_leader_health_is_false_livez_true_and_readyz_late() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        world.kill("m1");
        world.kill("m2");
        sleep(Duration::from_secs(10)).await;
        let health = world.page("m0", "/health").await.expect("a page");
        assert_eq!(
            health,
            (
                503,
                "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n".into()
            )
        );
        assert_eq!(
            world
                .page("m0", "/health?serializable=true")
                .await
                .map(|page| page.0),
            Some(200)
        );
        assert_eq!(
            world.page("m0", "/livez").await.map(|page| page.0),
            Some(200)
        );
        let (page, took) = timed(world.page("m0", "/readyz")).await;
        let (status, body) = page.expect("a page");
        assert_eq!(status, 503);
        assert!(
            body.contains("[-]linearizable_read failed: etcdserver: request timed out"),
            "{body}"
        );
        assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
    });
}

#[test]
fn just_after_the_loss_health_blocks_for_seven_seconds() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let leader = world.leader().await;
        for name in world.up().into_iter().filter(|name| *name != leader) {
            world.kill(&name);
        }
        let (page, took) = timed(world.page(&leader, "/health")).await;
        let (status, body) = page.expect("a page");
        assert_eq!(status, 503);
        assert!(
            body.contains("RANGE ERROR:etcdserver: request timed out"),
            "{body}"
        );
        assert!((7000..7100).contains(&milliseconds(took)), "{took:?}");
    });
}

#[test]
fn a_learner_is_healthy_but_not_ready() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            world.add_learner("m0", "m1", &["m0", "m1"]).await;
            assert_eq!(
                world.page("m1", "/health").await.map(|page| page.0),
                Some(200)
            );
            let (status, body) = world.page("m1", "/readyz").await.expect("a page");
            assert_eq!(status, 503);
            assert!(
                body.contains("[-]non_learner failed: not supported for learner"),
                "{body}"
            );
            let excluded = world.page("m1", "/readyz?exclude=non_learner").await;
            assert_eq!(excluded.map(|page| page.0), Some(200));
            let metrics = world.page("m1", "/metrics").await.expect("a page").1;
            assert!(metrics.contains("etcd_server_is_learner 1"), "{metrics}");
        });
    }
}

#[test]
fn old_versions_have_no_livez() {
    run(Version::new(3, 5, 1), async |mut world| {
        world.cluster(&["m0"]).await;
        assert_eq!(
            world.page("m0", "/livez").await.map(|page| page.0),
            Some(404)
        );
        assert_eq!(
            world.page("m0", "/readyz").await.map(|page| page.0),
            Some(404)
        );
    });
}

#[test]
fn what_is_told_at_once_is_what_would_be_answered() {
    for version in BOTH {
        run(version, async |mut world| {
            let all = ["m0", "m1", "m2", "m3"];
            world.cluster(&all[..3]).await;
            // Nobody is added before the voters have been connected for five seconds.
            sleep(Duration::from_secs(6)).await;
            world.add_learner("m0", "m3", &all).await;
            sleep(Duration::from_secs(2)).await;
            for name in all {
                let paths = [
                    "/health",
                    "/livez",
                    "/readyz",
                    "/readyz?exclude=non_learner",
                    "/no",
                ];
                for path in paths {
                    let asked = world.page(name, path).await.map(|page| page.0);
                    let told = world.running(name).status_at_once(2381, path);
                    assert_eq!(told, asked, "{name} {path} of {version}");
                }
                assert_eq!(world.running(name).status_at_once(2380, "/livez"), None);
            }
        });
    }
}

#[test]
fn nothing_is_told_at_once_where_a_read_may_not_be_confirmed() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let leader = world.leader().await;
        let glance = world.running(&leader).glance().expect("it serves");
        assert_eq!((glance.leader, glance.members.len()), (glance.id, 3));
        for name in world.up().into_iter().filter(|name| *name != leader) {
            world.kill(&name);
        }
        sleep(Duration::from_millis(50)).await;
        let running = world.running(&leader);
        assert_eq!(running.status_at_once(2381, "/readyz"), None);
        assert!(running.glance().is_some(), "it still tells what it knows");
    });
}
