//! Killed, paused, cut off, restarted, terminated.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::Code;

use super::{
    BOTH,
    fixture::{World, milliseconds, refusal, run, timed},
};
use crate::{determinism::simulate, net::Death};

/// Puts until one succeeds; a put that hangs is given up on after 300 ms.
async fn first_write(world: &World, names: &[String]) {
    loop {
        for name in names {
            let mut client = world.client(name).await;
            let put = timeout(Duration::from_millis(300), client.put("k", "v", None)).await;
            if matches!(put, Ok(Ok(_))) {
                return;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_terminated_leader_hands_over_at_once_and_exits_with_code_0() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0", "m1", "m2"]).await;
            let leader = world.leader().await;
            world.running(&leader).terminate();
            let rest: Vec<String> = world
                .up()
                .into_iter()
                .filter(|name| *name != leader)
                .collect();
            let ((), took) = timed(first_write(&world, &rest)).await;
            assert!(took <= Duration::from_millis(350), "{took:?}");
            assert_eq!(world.exit(&leader).await.code, 0);
        });
    }
}

#[test]
fn a_killed_leader_is_replaced_after_one_to_two_seconds() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let leader = world.leader().await;
        world.kill(&leader);
        let ((), took) = timed(first_write(&world, &world.up())).await;
        assert!((900..2500).contains(&milliseconds(took)), "{took:?}");
    });
}

#[test]
fn a_member_comes_back_on_its_data_with_another_address_under_its_name() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            world.kill("m2");
            let place = world.places.remove("m2").expect("a place");
            world.net.remove_host(place.host);
            first_write(&world, &["m0".to_owned()]).await;
            world.place("m2");
            world.places.get_mut("m2").expect("a place").disk = place.disk;
            world.start("m2", &members, "new");
            let ((), took) = timed(world.healthy("m2")).await;
            assert!(took <= Duration::from_secs(1), "{took:?}");
            let mut client = world.client("m2").await;
            let got = client.get("k", None).await.expect("a read");
            assert_eq!(got.kvs()[0].value_str().expect("text"), "v");
        });
    }
}

#[test]
fn a_paused_leader_is_replaced_and_does_not_lead_when_it_comes_back() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let leader = world.leader().await;
        let host = world.places[&leader].host;
        world.net.pause(host);
        let rest: Vec<String> = world
            .up()
            .into_iter()
            .filter(|name| *name != leader)
            .collect();
        let ((), took) = timed(first_write(&world, &rest)).await;
        assert!((900..2500).contains(&milliseconds(took)), "{took:?}");
        world.net.resume(host);
        sleep(Duration::from_secs(3)).await;
        assert_ne!(world.leader().await, leader);
        first_write(&world, &[leader]).await;
    });
}

#[test]
fn a_follower_cut_off_for_long_does_not_disturb_the_leader_when_it_comes_back() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let (leader, follower) = (world.leader().await, world.follower().await);
        let mut client = world.client(&leader).await;
        let term = client.status().await.expect("a status").raft_term();
        let cut_off = world.places[&follower].host;
        let others: Vec<_> = world
            .places
            .values()
            .map(|place| place.host)
            .filter(|host| *host != cut_off)
            .collect();
        for other in &others {
            world.net.cut(cut_off, *other);
            world.net.cut(*other, cut_off);
        }
        sleep(Duration::from_secs(20)).await;
        for other in &others {
            world.net.heal(cut_off, *other);
            world.net.heal(*other, cut_off);
        }
        sleep(Duration::from_secs(5)).await;
        let status = client.status().await.expect("a status");
        assert_eq!((status.raft_term(), world.leader().await), (term, leader));
        first_write(&world, &[follower]).await;
    });
}

#[test]
fn a_lost_node_counts_as_connected_until_its_silence_is_noticed() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        sleep(Duration::from_secs(6)).await;
        let (leader, follower) = (world.leader().await, world.follower().await);
        let id = world.id(&leader, &follower).await;
        let place = world.places.get_mut(&follower).expect("a place");
        place.running = None;
        world.net.kill(place.host, Death::Node);
        let other = world.follower().await;
        let healthy = world.id(&leader, &other).await;
        sleep(Duration::from_secs(8)).await;
        let mut client = world.client(&leader).await;
        let refused = refusal(client.member_remove(healthy).await);
        assert_eq!(
            refused,
            (Code::Unavailable, "etcdserver: unhealthy cluster".into())
        );
        client.member_remove(id).await.expect("the lost one goes");
    });
}

#[test]
fn a_lost_voter_is_replaced_by_remove_add_and_an_empty_disk() {
    for version in BOTH {
        run(version, async |mut world| {
            let members = ["m0", "m1", "m2"];
            world.cluster(&members).await;
            sleep(Duration::from_secs(6)).await;
            let (leader, follower) = (world.leader().await, world.follower().await);
            let id = world.id(&leader, &follower).await;
            world.kill(&follower);
            world.places[&follower].disk.erase();
            let mut client = world.client(&leader).await;
            client.member_remove(id).await.expect("a removal");
            let again = world.add_learner(&leader, &follower, &members).await;
            assert_ne!(again, id);
            client.member_promote(again).await.expect("a promotion");
        });
    }
}

#[test]
fn a_slow_disk_delays_writes_and_not_reads() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        world.places["m0"]
            .disk
            .set_sync_time(Duration::from_millis(400));
        let mut client = world.client("m0").await;
        let (put, took) = timed(client.put("k", "v", None)).await;
        put.expect("a put");
        assert!((400..500).contains(&milliseconds(took)), "{took:?}");
        let (got, took) = timed(client.get("k", None)).await;
        got.expect("a read");
        assert!(milliseconds(took) <= 5, "{took:?}");
    });
}

#[test]
fn an_idle_cluster_of_three_costs_few_packets() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        sleep(Duration::from_secs(10)).await;
        let (before, wall) = (world.sim.packets(), crate::determinism::wall_time());
        sleep(Duration::from_secs(3600)).await;
        let packets = (world.sim.packets() - before) / 3600;
        eprintln!(
            "{packets} packets/s, {:?} per hour",
            crate::determinism::wall_time() - wall
        );
        assert!(packets <= 25, "{packets} packets in a simulated second");
    });
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = || {
        simulate(9, async |simulation| {
            let trace = simulation.trace.clone();
            run_inside(World::of(simulation, BOTH[1])).await;
            trace.hash()
        })
        .expect("a deterministic simulation")
    };
    assert_eq!(story(), story());
}

async fn run_inside(mut world: World) {
    world.cluster(&["m0", "m1", "m2"]).await;
    let leader = world.leader().await;
    world.kill(&leader);
    first_write(&world, &world.up()).await;
    world.start(&leader, &["m0", "m1", "m2"], "existing");
    world.healthy(&leader).await;
    sleep(Duration::from_secs(10)).await;
}
