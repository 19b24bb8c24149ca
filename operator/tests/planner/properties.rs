//! Whatever the planner is shown, its plan passes the audit.

use operator::{
    etcd::{Member, MemberReport},
    observe::{ClaimView, Membership, Observed, PodView, StatefulSetView},
    plan::{
        Action, Plan, Removal, Restart,
        audit::{Finding, audit},
        plan,
    },
    validate::Desired,
};
use proptest::{collection::vec, prelude::*};

use super::sketch::{NEW, NOW, OLD, desired, read};

#[derive(Clone, Debug)]
struct Shape {
    size: u32,
    modern: bool,
    known: bool,
    bootstrapped: bool,
    slots: Vec<Slot>,
    leader: usize,
}

/// What is true of one ordinal; each part independently of the others.
#[derive(Clone, Debug)]
struct Slot {
    member: bool,
    learner: bool,
    started: bool,
    answers: bool,
    pod: bool,
    terminating: bool,
    claim: bool,
    outdated: bool,
    ready: bool,
}

fn slot() -> impl Strategy<Value = Slot> {
    any::<[bool; 9]>().prop_map(
        |[
            member,
            learner,
            started,
            answers,
            pod,
            terminating,
            claim,
            outdated,
            ready,
        ]| Slot {
            member,
            learner,
            started,
            answers,
            pod,
            terminating,
            claim,
            outdated,
            ready,
        },
    )
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        0..=9_u32,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        vec(slot(), 1..=7),
        0..7_usize,
    )
        .prop_map(|(size, modern, known, bootstrapped, slots, leader)| Shape {
            size,
            modern,
            known,
            bootstrapped,
            slots,
            leader,
        })
}

fn build(shape: &Shape) -> (Desired, Observed) {
    let version = if shape.modern { "3.6.16" } else { "3.5.21" };
    let desired = Desired {
        size: shape.size,
        version: version.parse().expect("a version"),
        ..desired()
    };
    let mut observed = Observed::default();
    let mut members = Vec::new();
    let leader = u64::try_from(shape.leader % shape.slots.len()).expect("small") + 1;
    for (ordinal, slot) in (0_u32..).zip(&shape.slots) {
        let id = u64::from(ordinal) + 1;
        if slot.member {
            members.push(Member {
                id,
                name: if slot.started {
                    desired.identity.member(ordinal)
                } else {
                    String::new()
                },
                peer_urls: vec![desired.identity.peer_url(ordinal)],
                client_urls: if slot.started {
                    vec![desired.identity.client_url(ordinal)]
                } else {
                    Vec::new()
                },
                learner: slot.learner,
            });
        }
        if slot.pod {
            let pod = PodView {
                uid: format!("pod-{ordinal}"),
                ip: Some("10.0.0.1".into()),
                running: slot.answers,
                terminating: slot.terminating,
                ready: slot.answers && slot.ready,
                template: Some(if slot.outdated { OLD } else { NEW }.into()),
                ..PodView::default()
            };
            observed.pods.insert(ordinal, pod);
        }
        if slot.pod && slot.answers {
            let report = MemberReport {
                member_id: id,
                cluster_id: 0xc,
                leader: Some(leader),
                term: 3,
                raft_index: 9,
                applied_index: 9,
                learner: slot.learner,
                version: version.to_owned(),
                db_size: 1,
                errors: Vec::new(),
            };
            observed.reports.insert(ordinal, Ok(report));
        }
        if slot.claim {
            let claim = ClaimView {
                uid: format!("claim-{ordinal}"),
                ..ClaimView::default()
            };
            observed.claims.insert(ordinal, claim);
        }
    }
    let replicas = u32::try_from(shape.slots.len()).expect("small");
    observed.stateful_set = Some(StatefulSetView {
        replicas,
        owned: true,
        template: Some(NEW.into()),
        up_to_date: true,
        ..StatefulSetView::default()
    });
    observed.status.cluster_id = shape.bootstrapped.then(|| "c".to_owned());
    observed.membership = if shape.known {
        Membership::Known {
            cluster_id: 0xc,
            members,
        }
    } else {
        Membership::Unknown {
            why: "etcdserver: request timed out".into(),
        }
    };
    (desired, observed)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn no_plan_breaks_a_rule_of_the_audit(shape in shape()) {
        let (desired, observed) = build(&shape);
        let plan = plan(&desired, &observed, NOW);
        prop_assert_eq!(audit(&desired, &observed, &plan), []);
    }

    #[test]
    fn the_same_picture_gives_the_same_plan(shape in shape()) {
        let (desired, observed) = build(&shape);
        prop_assert_eq!(plan(&desired, &observed, NOW), plan(&desired, &observed, NOW));
    }
}

/// The audit catches what it is there for: each rule is broken on purpose.
#[test]
fn every_rule_of_the_audit_fires() {
    let remove = |id| {
        Some(Action::RemoveMember {
            ordinal: 0,
            id,
            why: Removal::ScaleDown,
        })
    };
    let (desired, known) = read("want 3 on 3.5.21\n demo-0 leader\n demo-1 voter down");
    let (_, unknown) = read("want 3 on 3.5.21 bootstrapped\n membership unknown");
    let found = |observed: &Observed, plan: Plan| audit(&desired, observed, &plan);

    let blind = found(
        &unknown,
        Plan {
            action: remove(1),
            ..Plan::default()
        },
    );
    assert!(matches!(blind[..], [Finding::Blind(_)]));

    let quorum = found(
        &known,
        Plan {
            action: remove(0x10),
            ..Plan::default()
        },
    );
    assert!(matches!(
        quorum[..],
        [Finding::Quorum {
            left: 0,
            voters: 1,
            ..
        }]
    ));

    let pods = found(
        &known,
        Plan {
            replicas: Some(1),
            ..Plan::default()
        },
    );
    assert_eq!(
        pods,
        [Finding::PodsBelowMembers {
            replicas: 1,
            ordinal: 1
        }]
    );

    let file = (
        "demo-0.yaml".to_owned(),
        "initial-cluster-state: new\n".to_owned(),
    );
    let birth = found(
        &known,
        Plan {
            config: Some([file].into()),
            ..Plan::default()
        },
    );
    assert_eq!(birth, [Finding::SecondBirth]);

    let delete = Some(Action::DeleteClaim {
        ordinal: 1,
        uid: "u".into(),
    });
    let volume = found(
        &known,
        Plan {
            action: delete,
            ..Plan::default()
        },
    );
    assert_eq!(volume, [Finding::MembersVolume(1)]);

    let restart = |uid: &str| Plan {
        action: Some(Action::RestartPod {
            ordinal: 0,
            uid: uid.into(),
            why: Restart::Outdated,
        }),
        ..Plan::default()
    };
    assert_eq!(found(&known, restart("other")), [Finding::UnseenPod(0)]);
    assert_eq!(
        found(&known, restart("p")),
        [Finding::RestartBesideSick {
            ordinal: 0,
            silent: 0x11
        }]
    );
}
