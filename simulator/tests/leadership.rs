//! Several operators over the same clusters: one acts, another takes over in time.

mod stage;

use std::time::Duration;

use simulator::{determinism::simulate, net::Death, world::Operator};
use stage::{Stage, options};
use tokio::time::{Instant, sleep};

/// What an operator has done to clusters: calls to members, and writes but those of the lease.
fn deeds(operator: &Operator) -> u64 {
    let calls = operator.counter().calls();
    let harmless = |call: &str| {
        ["GET", "WATCH"].iter().any(|verb| call.starts_with(verb)) || call.ends_with(" leases")
    };
    let writes = calls.kubernetes.iter().filter(|(call, _)| !harmless(call));
    calls.etcd.values().sum::<u64>() + writes.map(|(_, count)| count).sum::<u64>()
}

/// Time until the operator has done something that it had not done yet.
async fn until_deed(operator: &Operator) -> Duration {
    let (started, before) = (Instant::now(), deeds(operator));
    while deeds(operator) == before {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "nothing was done"
        );
        sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

#[test]
fn one_of_two_acts_and_the_other_takes_over_within_6_s_of_a_kill() {
    for seed in 1..4 {
        simulate(seed, async |simulation| {
            let stage = Stage::set(&simulation).await;
            let first = stage.operator("first");
            sleep(Duration::from_secs(1)).await;
            let second = stage.operator("second");
            stage.create("demo", 1).await;
            stage.until_ready(1).await;
            sleep(Duration::from_millis(400 * seed)).await;
            assert_eq!(deeds(&second), 0);
            stage.scale(3).await;
            first.kill(Death::Node);
            let waited = until_deed(&second).await;
            assert!(waited > Duration::from_secs(1), "{waited:?}: nobody waited");
            assert!(waited <= Duration::from_secs(6), "{waited:?}");
            stage.until_ready(3).await;
        })
        .unwrap();
    }
}

#[test]
fn an_operator_that_is_stopped_gives_the_lease_back() {
    simulate(4, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let first = stage.operator("first");
        stage.create("demo", 1).await;
        stage.until_ready(1).await;
        let second = stage.operator("second");
        sleep(Duration::from_secs(1)).await;
        stage.scale(3).await;
        first.stop();
        let waited = until_deed(&second).await;
        assert!(waited <= Duration::from_secs(3), "{waited:?}");
        assert_eq!(stage.holder().await, "second");
        stage.until_ready(3).await;
    })
    .unwrap();
}

#[test]
fn an_operator_that_comes_back_under_its_name_goes_on_at_once() {
    simulate(5, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let only = stage.operator("only");
        stage.create("demo", 1).await;
        stage.until_ready(1).await;
        stage.scale(3).await;
        only.restart(options("only"));
        let waited = until_deed(&only).await;
        assert!(waited <= Duration::from_secs(1), "{waited:?}");
        stage.until_ready(3).await;
    })
    .unwrap();
}

#[test]
fn an_operator_without_the_api_server_stops_before_another_starts() {
    for seed in 6..9 {
        simulate(seed, async |simulation| {
            let stage = Stage::set(&simulation).await;
            let first = stage.operator("first");
            stage.create("demo", 1).await;
            stage.until_ready(1).await;
            let second = stage.operator("second");
            sleep(Duration::from_secs(1)).await;
            // Something that keeps the operator asking members all the time.
            stage.scale(3).await;
            sleep(Duration::from_millis(300 * seed)).await;
            stage.cut(&first, true);
            let before = deeds(&second);
            let (mut last, mut last_at, started) = (deeds(&first), Instant::now(), Instant::now());
            while deeds(&second) == before {
                sleep(Duration::from_millis(10)).await;
                if deeds(&first) != last {
                    (last, last_at) = (deeds(&first), Instant::now());
                }
                assert!(started.elapsed() < Duration::from_secs(10));
            }
            assert!(
                last_at.elapsed() > Duration::from_millis(500),
                "{last_at:?}"
            );
            sleep(Duration::from_secs(20)).await;
            assert_eq!(deeds(&first), last, "it acts without its lease");
            stage.cut(&first, false);
            stage.until_ready(3).await;
            assert_eq!(deeds(&first), last);
            assert_eq!(
                (first.ended(), stage.holder().await),
                (None, "second".into())
            );
        })
        .unwrap();
    }
}

#[test]
fn an_api_server_that_freezes_costs_little_more_than_the_freeze() {
    simulate(10, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let only = stage.operator("only");
        stage.create("demo", 3).await;
        stage.until_ready(3).await;
        let host = stage.sim.world.api_host();
        stage.sim.world.net().pause(host);
        sleep(Duration::from_secs(5)).await;
        let idle = deeds(&only);
        sleep(Duration::from_secs(25)).await;
        assert_eq!(deeds(&only), idle, "it acts without its lease");
        stage.sim.world.net().resume(host);
        let waited = until_deed(&only).await;
        assert!(waited <= Duration::from_secs(2), "{waited:?}");
        assert_eq!(only.ended(), None);
    })
    .unwrap();
}

#[test]
fn an_idle_operator_writes_its_lease_and_nothing_else() {
    simulate(11, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let only = stage.operator("only");
        stage.create("demo", 3).await;
        stage.until_ready(3).await;
        sleep(Duration::from_secs(60)).await;
        let before = only.counter().calls().kubernetes;
        sleep(Duration::from_secs(600)).await;
        let mut made = only.counter().calls().kubernetes;
        for (call, count) in &mut made {
            *count -= before.get(call).copied().unwrap_or(0);
        }
        made.retain(|call, count| *count > 0 && !call.starts_with("WATCH"));
        let leases = made.remove("PUT leases").unwrap();
        assert!((295..=300).contains(&leases), "{leases} in ten minutes");
        assert!(made.is_empty(), "{made:?}");
    })
    .unwrap();
}
