//! Whatever the planner is shown, its plan passes the audit.

use operator::{
    api::MemberStatus,
    build::member_config,
    etcd::{Member, MemberReport},
    observe::{ClaimView, Exit, Membership, Observed, PodView, StatefulSetView},
    plan::{
        Action, Damage, Plan, Removal, Restart,
        audit::{Finding, audit},
        plan,
    },
    validate::Desired,
};
use proptest::{collection::vec, option, prelude::*};

use super::sketch::{NEW, NOW, OLD, desired, read};

#[derive(Clone, Debug)]
struct Shape {
    size: u32,
    modern: bool,
    known: bool,
    bootstrapped: bool,
    slots: Vec<Slot>,
    leader: usize,
    /// The word that the user gave, as the number in it.
    word: Option<u32>,
    recoveries: u32,
    /// The ordinal and the recovery of a survivor that has its configuration already.
    forced: Option<(u32, u32)>,
    /// Whether a member that is alone runs under the name of a recovery.
    marked: bool,
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
    going: bool,
    replaced: bool,
    corrupt: bool,
    lost: bool,
    alone: bool,
    outdated: bool,
    ready: bool,
}

fn slot() -> impl Strategy<Value = Slot> {
    any::<[bool; 14]>().prop_map(
        |[
            member,
            learner,
            started,
            answers,
            pod,
            terminating,
            claim,
            going,
            replaced,
            corrupt,
            lost,
            alone,
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
            going,
            replaced,
            corrupt,
            lost,
            alone,
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
        option::of(0..3_u32),
        0..2_u32,
        option::of((0..3_u32, 1..3_u32)),
        any::<bool>(),
    )
        .prop_map(|shape| Shape {
            size: shape.0,
            modern: shape.1,
            known: shape.2,
            bootstrapped: shape.3,
            slots: shape.4,
            leader: shape.5,
            word: shape.6,
            recoveries: shape.7,
            forced: shape.8,
            marked: shape.9,
        })
}

fn build(shape: &Shape) -> (Desired, Observed) {
    let version = if shape.modern { "3.6.16" } else { "3.5.21" };
    let desired = Desired {
        size: shape.size,
        version: version.parse().expect("a version"),
        recovery_word: shape.word.map(|number| format!("c/{number}")),
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
                name: if slot.started && shape.marked && slot.alone {
                    desired.identity.recovering_member(ordinal, 1)
                } else if slot.started {
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
        if slot.member {
            observed.status.members.push(MemberStatus {
                name: desired.identity.member(ordinal),
                id: format!("{id:x}"),
                learner: slot.learner,
                volume: Some(if slot.replaced {
                    "other".into()
                } else {
                    format!("claim-{ordinal}")
                }),
                ..MemberStatus::default()
            });
        }
        if slot.pod {
            let pod = PodView {
                uid: format!("pod-{ordinal}"),
                ip: Some("10.0.0.1".into()),
                running: slot.answers,
                started: slot
                    .answers
                    .then(|| NOW - jiff::SignedDuration::from_secs(60)),
                terminating: slot.terminating,
                last_exit: slot.lost.then(|| Exit {
                    code: 2,
                    message: "panic: tocommit(9) is out of range [lastIndex(0)]".into(),
                    ..Exit::default()
                }),
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
                leader: Some(leader).filter(|_| shape.known || !slot.alone),
                term: 3,
                raft_index: 9,
                applied_index: 9,
                learner: slot.learner,
                version: version.to_owned(),
                db_size: 1,
                errors: slot
                    .corrupt
                    .then(|| format!("memberID:{id} alarm:CORRUPT "))
                    .into_iter()
                    .collect(),
            };
            observed.reports.insert(ordinal, Ok(report));
        }
        if slot.claim {
            let claim = ClaimView {
                uid: format!("claim-{ordinal}"),
                terminating: slot.going,
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
    observed.status.recoveries = shape.recoveries;
    observed.config = shape
        .forced
        .map(|(ordinal, recovery)| member_config::forced_file(&desired, ordinal, 1, recovery));
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
    assert!(found(&known, restart("other")).contains(&Finding::UnseenPod(0)));
    assert!(
        found(&known, restart("p")).contains(&Finding::RestartBesideSick {
            ordinal: 0,
            silent: 0x11
        })
    );
    let (_, well) = read("want 2 on 3.5.21\n demo-0 leader\n demo-1 voter");
    assert_eq!(found(&well, restart("p")), [Finding::LeaderRestarted(0)]);
    let (_, growing) = read("want 2 on 3.5.21\n demo-0 leader\n demo-1 learner started");
    assert_eq!(
        found(&growing, restart("p")),
        [Finding::RestartBesideLearner(0)]
    );
}

#[test]
fn every_rule_of_the_audit_on_repair_and_recovery_fires() {
    let found = |desired: &Desired, observed: &Observed, action, config| {
        let plan = Plan {
            action,
            config,
            ..Plan::default()
        };
        audit(desired, observed, &plan)
    };
    let promote = Some(Action::Promote {
        ordinal: 1,
        id: 0x11,
    });
    let (desired, two) = read("want 3 on 3.5.21\n demo-0 leader\n demo-1 learner");
    assert_eq!(
        found(&desired, &two, promote, None),
        [Finding::Promotion {
            id: 0x11,
            left: 1,
            voters: 2
        }]
    );

    let remove = Some(Action::RemoveMember {
        ordinal: 1,
        id: 0x11,
        why: Removal::DataLost(Damage::VolumeReplaced),
    });
    let (_, three) = read("want 3 on 3.5.21\n demo-0 leader\n demo-1 voter\n demo-2 voter");
    assert_eq!(
        found(&desired, &three, remove, None),
        [Finding::Unproven(0x11)]
    );

    let add = Some(Action::AddLearner { ordinal: 1 });
    let (_, forced) = read("want 3 on 3.5.21\n demo-0 leader recovery-1");
    assert!(matches!(
        found(&desired, &forced, add, None)[..],
        [Finding::BesideForced(_)]
    ));

    let force = |desired: &Desired| Some(member_config::forced_file(desired, 0, 0x10, 1));
    let alone = "want 3 on 3.5.21 bootstrapped
         demo-0 voter alone\n demo-1 voter down\n demo-2 voter down\n membership unknown";
    let (silent, lost) = read(alone);
    assert_eq!(
        found(&silent, &lost, None, force(&silent)),
        [Finding::Forced("without the user's word")]
    );
    assert_eq!(
        found(&desired, &three, None, force(&desired)),
        [Finding::Forced("while a majority answers")]
    );
    let (asked, lost) = read(&format!("word c/1\n {alone}"));
    assert_eq!(found(&asked, &lost, None, force(&asked)), []);
    let mut both = force(&asked).expect("a file");
    both.extend(member_config::forced_file(&asked, 1, 0x11, 1));
    assert_eq!(
        found(&asked, &lost, None, Some(both)),
        [Finding::Forced("for several members at once")]
    );
}
