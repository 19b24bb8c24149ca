//! What the status says of a look.

use operator::{
    api::EtcdClusterStatus,
    execute::Outcome,
    observe::{Membership, Observed},
    plan::plan,
    report::{self, AVAILABLE, DEGRADED, Transition},
    validate::Desired,
};

use crate::sketch::{NOW, read};

const THREE: &str = "want 3 on 3.5.21
    demo-0 leader
    demo-1 voter
    demo-2 voter";

fn status(desired: &Desired, observed: &Observed) -> EtcdClusterStatus {
    let plan = plan(desired, observed, NOW);
    report::status(desired, observed, &plan, &Outcome::Nothing, NOW)
}

/// The status after one look at the first picture and another at the second.
fn after(first: &str, second: &str) -> (EtcdClusterStatus, EtcdClusterStatus) {
    let (desired, observed) = read(first);
    let before = status(&desired, &observed);
    let (desired, mut observed) = read(second);
    observed.status = before.clone();
    let after = status(&desired, &observed);
    (before, after)
}

fn is(status: &EtcdClusterStatus, kind: &str) -> bool {
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == kind);
    condition.unwrap().status == "True"
}

fn news(first: &str, second: &str) -> Vec<String> {
    let (before, after) = after(first, second);
    let tell = |it: Transition| {
        let kind = if it.fault { "fault" } else { "good" };
        format!("{kind} {} {}", it.reason, it.member.unwrap_or_default())
    };
    let news = report::transitions(&before, &after);
    news.into_iter().map(tell).collect()
}

const ONE_DOWN: &str = "want 3 on 3.5.21
    demo-0 leader
    demo-1 voter
    demo-2 voter down";

#[test]
fn the_same_look_gives_the_same_status() {
    for picture in [THREE, ONE_DOWN] {
        let (before, after) = after(picture, picture);
        assert_eq!(before, after);
    }
}

#[test]
fn a_member_that_falls_silent_keeps_its_version_and_says_since_when() {
    let (before, after) = after(THREE, ONE_DOWN);
    assert_eq!(before.members[2].last_seen, None);
    assert!(after.members[2].last_seen.is_some());
    assert_eq!(after.members[2].version, before.members[2].version);
    assert_eq!(after.ready_replicas, 2);
    assert!(is(&after, AVAILABLE) && is(&after, DEGRADED));
}

#[test]
fn a_silent_majority_is_doubted_before_it_is_called_lost() {
    let (desired, observed) = read(THREE);
    let before = status(&desired, &observed);
    let (desired, mut observed) = read(ONE_DOWN);
    observed.membership = Membership::Unknown {
        why: "no leader".to_owned(),
    };
    observed.status = before.clone();
    let doubt = report::in_doubt(&desired, &observed, NOW);
    assert_eq!((doubt.ready_replicas, doubt.leader_id.clone()), (2, None));
    assert!(is(&doubt, AVAILABLE));
    assert_eq!(report::transitions(&before, &doubt), []);

    let lost = status(&desired, &observed);
    assert_eq!(lost.ready_replicas, 0);
    assert!(!is(&lost, AVAILABLE));
}

#[test]
fn a_full_database_is_no_service() {
    let (desired, mut observed) = read(THREE);
    let report = observed.reports.get_mut(&1).unwrap().as_mut().unwrap();
    report.errors = vec!["memberID:1 alarm:NOSPACE ".to_owned()];
    let status = status(&desired, &observed);
    let mut conditions = status.conditions.iter();
    let available = conditions.find(|it| it.type_ == AVAILABLE).unwrap();
    assert_eq!(
        (available.status.as_str(), available.reason.as_str()),
        ("False", "NoSpace")
    );
    assert!(
        available.message.contains("demo-1"),
        "{}",
        available.message
    );
}

#[test]
fn sizes_are_told_when_they_have_changed_by_much() {
    let (desired, mut observed) = read(THREE);
    let mut told = Vec::new();
    for size in [20 << 20, 21 << 20, 23 << 20, 24 << 20] {
        observed
            .reports
            .get_mut(&0)
            .unwrap()
            .as_mut()
            .unwrap()
            .db_size = size;
        observed.status = status(&desired, &observed);
        told.push(observed.status.members[0].db_size.unwrap() >> 20);
    }
    assert_eq!(told, [20, 20, 23, 23]);
}

#[test]
fn faults_and_their_ends_are_told_once() {
    assert_eq!(news(THREE, THREE), Vec::<String>::new());
    assert_eq!(news(ONE_DOWN, ONE_DOWN), Vec::<String>::new());
    assert_eq!(news(THREE, ONE_DOWN), ["fault MemberUnhealthy demo-2"]);
    assert_eq!(news(ONE_DOWN, THREE), ["good Recovered "]);
    let lost = "want 3 on 3.5.21 bootstrapped
        demo-0 voter down
        demo-1 voter down
        demo-2 voter alone
        membership unknown";
    assert_eq!(news(THREE, lost), ["fault QuorumLost "]);
    assert_eq!(
        news(lost, THREE),
        ["good QuorumRestored ", "good Recovered "]
    );
}
