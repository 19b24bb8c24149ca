//! Keys, watches, leases and space, through the client.

use std::time::Duration;

use etcd_client::{
    AlarmAction, AlarmType, Compare, CompareOp, EventType, LeaseGrantOptions, PutOptions, Txn,
    TxnOp, WatchOptions,
};
use tokio::time::sleep;
use tonic::Code;

use super::{
    BOTH,
    fixture::{refusal, run},
};

#[test]
fn without_space_compact_defragment_and_disarm_bring_writes_back_in_this_order() {
    run(BOTH[0], async |mut world| {
        world.extra = "--quota-backend-bytes=1048576".into();
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let full = (
            Code::ResourceExhausted,
            "etcdserver: mvcc: database space exceeded".to_owned(),
        );
        let mut puts = 0;
        let refused = loop {
            match client.put("k", vec![0; 100_000], None).await {
                Ok(_) => puts += 1,
                Err(error) => break refusal::<()>(Err(error)),
            }
        };
        assert_eq!(refused, full);
        assert!((7..=10).contains(&puts), "{puts} puts fit");
        let (status, body) = world.page("m0", "/health").await.expect("a page");
        assert_eq!(status, 503);
        assert!(body.contains("ALARM NOSPACE"), "{body}");
        assert_eq!(
            world
                .page("m0", "/health?exclude=NOSPACE")
                .await
                .map(|page| page.0),
            Some(200)
        );
        assert_eq!(
            world.page("m0", "/readyz").await.map(|page| page.0),
            Some(200)
        );
        client.delete("other", None).await.expect("a delete");
        let got = client.get("k", None).await.expect("a read");
        client
            .compact(got.header().expect("a header").revision(), None)
            .await
            .expect("compaction");
        client.defragment().await.expect("defragmentation");
        assert_eq!(
            refusal(client.put("k", "v", None).await),
            full,
            "the alarm is still armed"
        );
        let alarms = client
            .alarm(AlarmAction::Get, AlarmType::None, None)
            .await
            .expect("alarms");
        let mut options = etcd_client::AlarmOptions::new();
        options.with_member(alarms.alarms()[0].member_id());
        client
            .alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options))
            .await
            .expect("disarming");
        client.put("k", "v", None).await.expect("a put");
    });
}

#[test]
fn a_transaction_decides_by_what_it_compares() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let create = || {
            Txn::new()
                .when([Compare::create_revision("k", CompareOp::Equal, 0)])
                .and_then([TxnOp::put("k", "first", None)])
                .or_else([TxnOp::get("k", None)])
        };
        assert!(
            client
                .txn(create())
                .await
                .expect("a transaction")
                .succeeded()
        );
        assert!(
            !client
                .txn(create())
                .await
                .expect("a transaction")
                .succeeded()
        );
    });
}

#[test]
fn a_watcher_sees_what_happened_before_and_after_it_came() {
    run(BOTH[1], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let mut client = world.client("m0").await;
        client.put("a/1", "x", None).await.expect("a put");
        let mut watcher = world.client("m1").await;
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(2)
            .with_prev_key();
        let mut stream = watcher.watch("a/", Some(options)).await.expect("a watch");
        client.put("b", "elsewhere", None).await.expect("a put");
        client.delete("a/1", None).await.expect("a delete");
        let mut kinds = Vec::new();
        while kinds.len() < 2 {
            let response = stream
                .message()
                .await
                .expect("a stream")
                .expect("an answer");
            kinds.extend(response.events().iter().map(etcd_client::Event::event_type));
        }
        assert_eq!(kinds, [EventType::Put, EventType::Delete]);
    });
}

#[test]
fn a_lease_lives_while_it_is_renewed_also_through_a_follower() {
    run(BOTH[1], async |mut world| {
        world.cluster(&["m0", "m1", "m2"]).await;
        let follower = world.follower().await;
        let mut client = world.client(&follower).await;
        let options = Some(LeaseGrantOptions::new().with_id(7));
        client.lease_grant(5, options).await.expect("a lease");
        client
            .put("k", "v", Some(PutOptions::new().with_lease(7)))
            .await
            .expect("a put");
        let (mut keeper, mut answers) = client.lease_keep_alive(7).await.expect("a stream");
        for _ in 0..4 {
            sleep(Duration::from_secs(3)).await;
            keeper.keep_alive().await.expect("a renewal");
            assert_eq!(
                answers
                    .message()
                    .await
                    .expect("a stream")
                    .expect("an answer")
                    .ttl(),
                5
            );
        }
        let left = client.lease_time_to_live(7, None).await.expect("an answer");
        assert_eq!((left.granted_ttl(), left.ttl() > 0), (5, true));
        sleep(Duration::from_secs(7)).await;
        assert_eq!(client.get("k", None).await.expect("a read").count(), 0);
        assert_eq!(
            client
                .lease_time_to_live(7, None)
                .await
                .expect("an answer")
                .ttl(),
            -1
        );
    });
}

#[test]
fn what_is_not_modelled_says_so() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let (code, message) = refusal(client.auth_enable().await);
        assert_eq!(code, Code::Unimplemented);
        assert!(
            message.starts_with("not modelled: /etcdserverpb.Auth/AuthEnable"),
            "{message}"
        );
        assert_eq!(world.running("m0").calls().get("Put"), None);
        client.put("k", "v", None).await.expect("a put");
        assert_eq!(world.running("m0").calls().get("Put"), Some(&1));
    });
}
