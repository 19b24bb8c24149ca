//! Changes of members on a healthy cluster.

use std::time::Duration;

use etcd_client::MemberAddOptions;
use tokio::time::sleep;
use tonic::Code;

use super::{
    BOTH,
    fixture::{refusal, run},
};

const NOT_FOUND: &str = "etcdserver: member not found";
const UNHEALTHY: &str = "etcdserver: unhealthy cluster";

fn learner() -> Option<MemberAddOptions> {
    Some(MemberAddOptions::new().with_is_learner())
}

#[test]
fn a_cluster_scales_from_one_to_three_and_back_one_learner_at_a_time() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            let mut client = world.client("m0").await;
            client.put("k", "v", None).await.expect("a put");
            for (name, list) in [("m1", &["m0", "m1"][..]), ("m2", &["m0", "m1", "m2"])] {
                let mut added = client
                    .member_add([format!("http://{name}:2380")], learner())
                    .await;
                while refusal(added.as_ref().map_err(clone)).0 == Code::Unavailable {
                    sleep(Duration::from_millis(200)).await;
                    added = client
                        .member_add([format!("http://{name}:2380")], learner())
                        .await;
                }
                let id = added.expect("a learner").member().expect("a member").id();
                world.start(name, list, "existing");
                world.healthy(name).await;
                client.member_promote(id).await.expect("a promotion");
            }
            let members = client.member_list().await.expect("a list");
            assert_eq!(
                members
                    .members()
                    .iter()
                    .filter(|member| !member.is_learner())
                    .count(),
                3
            );
            let mut last = world.client("m2").await;
            assert_eq!(last.get("k", None).await.expect("a read").kvs().len(), 1);
            sleep(Duration::from_secs(6)).await;
            for name in ["m2", "m1"] {
                let id = world.id("m0", name).await;
                client.member_remove(id).await.expect("a removal");
                assert_eq!(world.exit(name).await.code, 0);
            }
            client.put("k", "w", None).await.expect("a put");
        });
    }
}

fn clone(error: &etcd_client::Error) -> etcd_client::Error {
    match error {
        etcd_client::Error::GRpcStatus(status) => etcd_client::Error::GRpcStatus(status.clone()),
        other => panic!("not a gRPC status: {other}"),
    }
}

#[test]
fn refusals_have_the_codes_and_texts_of_etcd() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            let mut client = world.client("m0").await;
            let own = world.id("m0", "m0").await;
            assert_eq!(
                refusal(client.member_remove(7).await),
                (Code::NotFound, NOT_FOUND.into())
            );
            assert_eq!(
                refusal(client.member_promote(7).await),
                (Code::NotFound, NOT_FOUND.into())
            );
            assert_eq!(
                refusal(client.member_promote(own).await),
                (
                    Code::FailedPrecondition,
                    "etcdserver: can only promote a learner member".into()
                )
            );
            assert_eq!(
                refusal(client.member_add(["http://m0:2380"], None).await),
                (
                    Code::FailedPrecondition,
                    "etcdserver: Peer URLs already exists".into()
                )
            );
            assert_eq!(
                refusal(client.member_add(["http://m0"], None).await),
                (
                    Code::InvalidArgument,
                    "etcdserver: given member URLs are invalid".into()
                )
            );
            assert_eq!(
                refusal(client.member_remove(own).await),
                (
                    Code::Unknown,
                    "etcdserver: re-configuration failed due to not enough started members".into()
                )
            );
            let added = client
                .member_add(["http://m1:2380"], learner())
                .await
                .expect("a learner");
            let id = added.member().expect("a member").id();
            assert_eq!(
                refusal(client.member_promote(id).await),
                (
                    Code::FailedPrecondition,
                    "etcdserver: can only promote a learner member which is in sync with leader"
                        .into()
                )
            );
            assert_eq!(
                refusal(client.member_add(["http://m2:2380"], learner()).await),
                (
                    Code::FailedPrecondition,
                    "etcdserver: too many learner members in cluster".into()
                )
            );
            client
                .put("k", "v", None)
                .await
                .expect("an unstarted learner does no harm");
            client
                .member_remove(id)
                .await
                .expect("an unstarted learner can be removed");
        });
    }
}

#[test]
fn adding_is_refused_until_all_have_been_connected_for_five_seconds() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0", "m1", "m2"]).await;
            let mut client = world.client("m0").await;
            let refused = refusal(client.member_add(["http://m3:2380"], learner()).await);
            assert_eq!(refused, (Code::Unavailable, UNHEALTHY.into()));
            sleep(Duration::from_secs(6)).await;
            client
                .member_add(["http://m3:2380"], learner())
                .await
                .expect("a learner");
        });
    }
}

#[test]
fn a_learner_serves_status_and_serializable_reads_only() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0"]).await;
            world.add_learner("m0", "m1", &["m0", "m1"]).await;
            let mut client = world.client("m1").await;
            let expected = version.quirks().learner_refusal;
            let text = "etcdserver: rpc not supported for learner".to_owned();
            assert_eq!(
                refusal(client.put("k", "v", None).await),
                (expected, text.clone())
            );
            assert_eq!(
                refusal(client.get("k", None).await),
                (expected, text.clone())
            );
            assert_eq!(refusal(client.member_list().await), (expected, text));
            assert!(client.status().await.expect("a status").is_learner());
            let serializable = Some(etcd_client::GetOptions::new().with_serializable());
            client
                .get("k", serializable)
                .await
                .expect("a serializable read");
        });
    }
}

/// Whether the answer or the end of the process comes first is chance, on real etcd too.
#[test]
fn a_member_removed_through_itself_answers_or_not_and_the_removal_happened() {
    for version in BOTH {
        for leads in [true, false] {
            run(version, async |mut world| {
                world.cluster(&["m0", "m1", "m2"]).await;
                sleep(Duration::from_secs(6)).await;
                let leader = world.leader().await;
                let follower = world.follower().await;
                let name = if leads { leader } else { follower };
                let id = world.id(&name, &name).await;
                let mut client = world.client(&name).await;
                let answer = refusal(client.member_remove(id).await);
                let stopped = (Code::Unavailable, "etcdserver: server stopped".to_owned());
                assert!(answer.0 == Code::Ok || answer == stopped, "{answer:?}");
                assert_eq!(world.exit(&name).await.code, 0);
                world.places.get_mut(&name).expect("a place").running = None;
                let heir = world.leader().await;
                let list = world.linearizable_list(&heir).await.expect("a list");
                assert!(list.members.iter().all(|member| member.id != id));
            });
        }
    }
}

#[test]
fn a_removed_member_exits_with_code_0_within_a_tenth_of_a_second() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0", "m1", "m2"]).await;
            sleep(Duration::from_secs(6)).await;
            let (leader, follower) = (world.leader().await, world.follower().await);
            let id = world.id(&leader, &follower).await;
            let mut client = world.client(&leader).await;
            client.member_remove(id).await.expect("a removal");
            let (exit, took) = super::fixture::timed(world.exit(&follower)).await;
            assert_eq!(exit.code, 0);
            assert!(super::fixture::milliseconds(took) <= 150, "{took:?}");
            let words = exit.last_words.join("\n");
            assert!(words.contains("the member has been permanently removed from the cluster"));
            assert!(words.contains("data-dir used by this member must be removed"));
        });
    }
}

#[test]
fn members_may_be_promoted_removed_and_updated_through_a_follower() {
    for version in BOTH {
        run(version, async |mut world| {
            world.cluster(&["m0", "m1", "m2"]).await;
            sleep(Duration::from_secs(6)).await;
            let follower = world.follower().await;
            let id = world
                .add_learner(&follower, "m3", &["m0", "m1", "m2", "m3"])
                .await;
            let mut client = world.client(&follower).await;
            client
                .member_promote(id)
                .await
                .expect("a promotion through a follower");
            let refused = refusal(client.member_promote(id).await);
            assert_eq!(
                refused,
                (
                    Code::FailedPrecondition,
                    "etcdserver: can only promote a learner member".into()
                )
            );
            world
                .names
                .set("m3-again", Some(world.net.ip(world.places["m3"].host)));
            client
                .member_update(id, vec!["http://m3-again:2380".to_owned()])
                .await
                .expect("an update");
            sleep(Duration::from_secs(6)).await;
            client
                .member_remove(id)
                .await
                .expect("a removal through a follower");
            assert_eq!(world.exit("m3").await.code, 0);
        });
    }
}

#[test]
fn an_answer_names_cluster_member_term_and_revision() {
    run(BOTH[0], async |mut world| {
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        let put = client.put("k", "v", None).await.expect("a put");
        let status = client.status().await.expect("a status");
        let list = client.member_list().await.expect("a list");
        let (header, listed) = (
            put.header().expect("a header"),
            list.header().expect("a header"),
        );
        assert_eq!(header.revision(), 2);
        assert_eq!(
            (header.raft_term(), header.member_id()),
            (status.raft_term(), status.leader())
        );
        assert_eq!(
            (listed.cluster_id(), listed.revision()),
            (header.cluster_id(), 0)
        );
    });
}

#[test]
fn from_36_on_two_learners_may_grow_at_once_when_each_knows_the_full_list() {
    run(BOTH[1], async |mut world| {
        world.extra = "--max-learners=2".into();
        world.cluster(&["m0"]).await;
        let mut client = world.client("m0").await;
        world.add_learner("m0", "m1", &["m0", "m1"]).await;
        let second = world.add_learner("m0", "m2", &["m0", "m1", "m2"]).await;
        let first = world.id("m0", "m1").await;
        for id in [first, second] {
            // Each promotion puts the other learner a few entries behind for a moment.
            while refusal(client.member_promote(id).await).0 == Code::FailedPrecondition {
                sleep(Duration::from_millis(10)).await;
            }
        }
        let members = client.member_list().await.expect("a list");
        assert!(members.members().iter().all(|member| !member.is_learner()));
    });
}
