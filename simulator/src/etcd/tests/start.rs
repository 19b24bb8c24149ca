//! Ways in which a member does not start.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    BOTH,
    fixture::{World, milliseconds, run, timed},
};

/// The exit of a member that must not start, and its last words.
async fn refused(world: &World, name: &str) -> (i32, String) {
    let (exit, took) = timed(world.exit(name)).await;
    assert!(milliseconds(took) <= 200, "{name} took {took:?} to fail");
    (exit.code, exit.last_words.join("\n"))
}

#[test]
fn a_member_that_was_never_added_finds_the_member_count_unequal() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            world.start("m1", &["m0", "m1"], "existing");
            let (code, words) = refused(&world, "m1").await;
            assert_eq!(code, 1);
            assert!(words.contains("discovery failed"), "{words}");
            assert!(words.contains("error validating peerURLs"), "{words}");
            assert!(words.contains("member count is unequal"), "{words}");
        });
    }
}

#[test]
fn a_member_joins_while_the_name_of_another_leads_to_an_address_that_nobody_has_any_more() {
    for version in BOTH {
        run(version, async |mut world| {
            let voters = ["m0", "m1", "m2"];
            world.cluster(&voters).await;
            // Nobody is added before every voter has been connected for five seconds.
            sleep(Duration::from_secs(6)).await;
            world.place("m3");
            let leader = world.leader().await;
            let mut client = world.client(&leader).await;
            let learner = Some(etcd_client::MemberAddOptions::new().with_is_learner());
            let added = client.member_add(["http://m3:2380"], learner).await;
            added.expect("a learner");
            for follower in voters.into_iter().filter(|name| **name != *leader) {
                world.names.set(follower, Some([10, 99, 0, 1].into()));
            }
            world.start("m3", &["m0", "m1", "m2", "m3"], "existing");
            let ((), took) = timed(world.healthy("m3")).await;
            // All are asked for their versions, one after the other, and two do not pick up.
            assert!(milliseconds(took) < 10_000, "{took:?}");
        });
    }
}

#[test]
fn a_wrong_url_of_another_member_matches_no_existing_member() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        world.place("m1");
        let mut client = world.client("m0").await;
        let learner = Some(etcd_client::MemberAddOptions::new().with_is_learner());
        client
            .member_add(["http://m1:2380"], learner)
            .await
            .expect("a learner");
        world.place("wrong");
        world.start_with(
            "m1",
            "--initial-cluster=m0=http://m0:2380,m1=http://wrong:2380 --initial-cluster-state=existing",
        );
        let (code, words) = refused(&world, "m1").await;
        assert_eq!(code, 1);
        assert!(
            words.contains("PeerURLs: no match found for existing member"),
            "{words}"
        );
        assert!(
            words.contains("last resolver error (resolved urls:"),
            "{words}"
        );
    });
}

#[test]
fn a_member_missing_from_its_own_list_says_so() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        world.start("m4", &["m0"], "existing");
        let (code, words) = refused(&world, "m4").await;
        assert_eq!(code, 1);
        let expected = r#"couldn't find local name \"m4\" in the initial cluster configuration"#;
        assert!(words.contains(expected), "{words}");
    });
}

#[test]
fn when_no_peer_answers_there_is_no_retry() {
    run(BOTH[0], async |mut world| {
        world.place("m0");
        world.start("m1", &["m0", "m1"], "existing");
        let (code, words) = refused(&world, "m1").await;
        assert_eq!(code, 1);
        assert!(
            words.contains("cannot fetch cluster info from peer urls: could not retrieve cluster")
        );
    });
}

#[test]
fn names_of_other_members_are_not_checked() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let learner = Some(etcd_client::MemberAddOptions::new().with_is_learner());
        client
            .member_add(["http://m1:2380"], learner)
            .await
            .expect("a learner");
        world.start_with(
            "m1",
            "--initial-cluster=other=http://m0:2380,m1=http://m1:2380 --initial-cluster-state=existing",
        );
        world.healthy("m1").await;
    });
}

#[test]
fn a_founding_member_that_lost_its_data_was_bootstrapped_before() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            world.kill("m2");
            world.places["m2"].disk.erase();
            world.start("m2", &members, "new");
            let (code, words) = refused(&world, "m2").await;
            assert_eq!(code, 1);
            assert!(words.contains("has already been bootstrapped"), "{words}");
        });
    }
}

#[test]
fn an_extra_founding_member_keeps_running_without_leader() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let learner = Some(etcd_client::MemberAddOptions::new().with_is_learner());
        client
            .member_add(["http://m1:2380"], learner)
            .await
            .expect("a learner");
        world.start("m1", &["m0", "m1"], "new");
        sleep(Duration::from_secs(20)).await;
        assert_eq!(
            world.page("m1", "/health").await.map(|(status, _)| status),
            Some(503)
        );
        let words = world.running("m1").logs().join("\n");
        assert!(
            words.contains("request sent was ignored by remote peer due to cluster ID mismatch"),
            "{words}\n{}",
            world.story()
        );
        let members = client.member_list().await.expect("a list");
        assert!(
            members
                .members()
                .iter()
                .any(|member| member.name().is_empty()),
            "still unstarted"
        );
    });
}

#[test]
fn a_follower_that_lost_its_data_panics_on_each_start() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            let follower = world.follower().await;
            world.kill(&follower);
            world.places[&follower].disk.erase();
            for _ in 0..2 {
                world.start(&follower, &members, "existing");
                let exit = world.exit(&follower).await;
                let words = exit.last_words.join("\n");
                assert_eq!(exit.code, 2, "{words}");
                assert!(words.contains("is out of range [lastIndex(0)]"), "{words}");
            }
        });
    }
}

#[test]
fn a_removed_member_restarted_on_its_old_data_exits_with_code_0() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            sleep(Duration::from_secs(6)).await;
            let (leader, follower) = (world.leader().await, world.follower().await);
            let id = world.id(&leader, &follower).await;
            world.kill(&follower);
            let mut client = world.client(&leader).await;
            client.member_remove(id).await.expect("a removal");
            world.start(&follower, &members, "existing");
            let exit = world.exit(&follower).await;
            assert_eq!(exit.code, 0);
            let words = exit.last_words.join("\n");
            assert!(
                words.contains("permanently removed from the cluster"),
                "{words}"
            );
        });
    }
}

#[test]
fn a_member_waits_for_names_in_dns_and_starts_when_they_appear() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        world.place("m1");
        let ip = world.net.ip(world.places["m1"].host);
        let mut client = world.client("m0").await;
        let learner = Some(etcd_client::MemberAddOptions::new().with_is_learner());
        client
            .member_add(["http://m1:2380"], learner)
            .await
            .expect("a learner");
        world.names.set("m1", None);
        world.start("m1", &["m0", "m1"], "existing");
        sleep(Duration::from_secs(6)).await;
        assert!(
            world
                .running("m1")
                .logs()
                .join("\n")
                .contains("failed to resolve URL Host")
        );
        world.names.set("m1", Some(ip));
        let ((), took) = timed(world.healthy("m1")).await;
        assert!(took <= Duration::from_millis(1500), "{took:?}");
    });
}

#[test]
fn an_older_version_does_not_start_on_newer_data() {
    run(BOTH[1], async |mut world| {
        world.cluster(&["m0"]).await;
        world.kill("m0");
        world.version = BOTH[0];
        world.start("m0", &["m0"], "new");
        let (code, words) = refused(&world, "m0").await;
        assert_eq!(code, 1);
        assert!(words.contains("cluster cannot be downgraded"), "{words}");
    });
}

#[test]
fn a_corrupt_log_does_not_start() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        world.kill("m0");
        world.places["m0"].disk.corrupt();
        world.start("m0", &["m0"], "new");
        let (code, words) = refused(&world, "m0").await;
        assert_eq!(code, 1);
        assert!(words.contains("crc mismatch"), "{words}");
    });
}

#[test]
fn a_corrupt_database_ends_in_a_panic() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            world.kill("m0");
            world.places["m0"].disk.corrupt_database();
            world.start("m0", &["m0"], "new");
            let (code, words) = refused(&world, "m0").await;
            assert_eq!(code, 2);
            assert!(words.contains("panic: failed to open database"), "{words}");
        });
    }
}

#[test]
fn a_forced_new_cluster_keeps_data_and_ids_and_throws_the_others_out() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            let mut client = world.client("m0").await;
            client.put("k", "v", None).await.expect("a put");
            let before = client.status().await.expect("a status");
            let before = before.header().map(|h| (h.cluster_id(), h.member_id()));
            for name in members {
                world.kill(name);
            }
            world.start_with("m0", "--force-new-cluster");
            world.healthy("m0").await;
            let mut client = world.client("m0").await;
            let after = client.status().await.expect("a status");
            assert_eq!(
                after.header().map(|h| (h.cluster_id(), h.member_id())),
                before
            );
            assert_eq!(
                client.member_list().await.expect("a list").members().len(),
                1
            );
            assert_eq!(client.get("k", None).await.expect("a read").kvs().len(), 1);
            world.start("m1", &members, "existing");
            let exit = world.exit("m1").await;
            // Which of the two it says is chance.
            let words = exit.last_words.join(" ");
            assert!(matches!(exit.code, 0 | 1), "{words}");
            assert!(words.contains("permanently removed"), "{words}");
        });
    }
}
