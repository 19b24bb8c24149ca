//! Planner cases about edits of the spec: who is restarted when, and what holds it up.

use k8s_openapi::apimachinery::pkg::{
    api::resource::Quantity,
    apis::meta::v1::{Condition, Time},
};
use operator::{
    observe::Observed,
    plan::{Waiting, plan},
    validate::Desired,
    version::PathRefused,
};

use super::{
    check,
    sketch::{NOW, print, read},
};

#[test]
fn followers_are_restarted_first_from_the_highest_ordinal() {
    check(
        "want 3 on 3.5.21
         demo-0 voter outdated
         demo-1 leader outdated
         demo-2 voter outdated",
        "3 pods, 3 configs, restart the pod of member 2: it was made from an earlier template",
    );
    check(
        "want 3 on 3.5.21
         demo-0 voter outdated
         demo-1 leader outdated
         demo-2 voter",
        "3 pods, 3 configs, restart the pod of member 0: it was made from an earlier template",
    );
}

#[test]
fn the_leader_comes_last_and_hands_over_before() {
    check(
        "want 3 on 3.5.21
         demo-0 voter
         demo-1 leader outdated
         demo-2 voter",
        "3 pods, 3 configs, move leadership from member 1 to member 0",
    );
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter outdated
         demo-2 voter",
        "3 pods, 3 configs, restart the pod of member 1: it was made from an earlier template",
    );
}

#[test]
fn the_next_one_waits_until_the_last_one_is_healthy_ready_and_has_caught_up() {
    for state in ["down", "unready", "terminating", "behind"] {
        check(
            &format!(
                "want 3 on 3.5.21
                 demo-0 leader outdated busy
                 demo-1 voter outdated current
                 demo-2 voter {state}"
            ),
            "3 pods, 3 configs, nothing to do; waits: RollingOut",
        );
    }
}

#[test]
fn nothing_healthy_is_restarted_while_somebody_is_sick() {
    check(
        "want 5 on 3.5.21
         demo-0 leader outdated
         demo-1 voter outdated
         demo-2 voter down
         demo-3 voter outdated
         demo-4 voter outdated",
        "5 pods, 5 configs, nothing to do; waits: RollingOut",
    );
}

#[test]
fn a_sick_member_that_the_edit_may_cure_comes_first() {
    check(
        "want 3 on 3.5.21
         demo-0 leader outdated
         demo-1 voter outdated dead
         demo-2 voter outdated",
        "3 pods, 3 configs, restart the pod of member 1: it was made from an earlier template",
    );
    // Two that do not run at all: neither can get worse.
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader outdated
         demo-1 voter outdated dead
         demo-2 voter outdated dead",
        "3 pods, 3 configs, restart the pod of member 1: it was made from an earlier template",
    );
}

#[test]
fn a_crash_loop_that_the_edit_itself_began_is_no_reason_to_replace_anybody() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader outdated
         demo-1 voter outdated
         demo-2 voter down silent 200s crashes 6",
        "3 pods, 3 configs, nothing to do; waits: RollingOut",
    );
}

#[test]
fn a_member_that_kubernetes_calls_ready_is_not_restarted_for_not_answering_us() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter
         demo-2 voter outdated down",
        "3 pods, 3 configs, nothing to do; waits: RollingOut",
    );
}

#[test]
fn an_edit_that_broke_the_only_member_can_be_taken_back() {
    let sketch = "want 1 on 3.5.21 bootstrapped
         demo-0 leader outdated dead
         membership unknown";
    check(
        sketch,
        "1 pods, 1 configs, restart the pod of member 0: it was made from an earlier template; waits: MembershipUnknown",
    );
    // It runs and does nothing: only after a while, since it may just be starting.
    let (desired, mut observed) = read(&sketch.replace("dead", "down unready"));
    let waits = "1 pods, 1 configs, nothing to do; waits: MembershipUnknown";
    assert_eq!(print(&plan(&desired, &observed, NOW)), waits);
    unavailable_for(&mut observed, 30);
    assert_eq!(print(&plan(&desired, &observed, NOW)), waits);
    unavailable_for(&mut observed, 61);
    assert!(print(&plan(&desired, &observed, NOW)).contains("restart the pod of member 0"));
}

fn unavailable_for(observed: &mut Observed, seconds: i64) {
    observed.status.conditions = vec![Condition {
        type_: "Available".into(),
        status: "False".into(),
        reason: "QuorumLost".into(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(NOW - jiff::SignedDuration::from_secs(seconds)),
    }];
}

#[test]
fn a_cluster_that_never_formed_can_be_corrected() {
    let (desired, mut observed) =
        read("want 3 on 3.5.21\n replicas 3\n pod 0 outdated dead\n pod 1 outdated dead");
    observed.config = plan(&desired, &observed, NOW).config;
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs new, restart the pod of member 0: it was made from an earlier template; waits: FirstMembersStarting"
    );
}

#[test]
fn one_and_two_members_are_restarted_while_all_are_well() {
    check(
        "want 1 on 3.5.21\n demo-0 leader outdated",
        "1 pods, 1 configs, restart the pod of member 0: it was made from an earlier template",
    );
    check(
        "want 2 on 3.5.21\n demo-0 leader outdated\n demo-1 voter outdated",
        "2 pods, 2 configs, restart the pod of member 1: it was made from an earlier template",
    );
    check(
        "want 2 on 3.5.21\n demo-0 leader outdated\n demo-1 voter",
        "2 pods, 2 configs, move leadership from member 0 to member 1",
    );
}

#[test]
fn who_joins_or_leaves_does_so_first() {
    check(
        "want 3 on 3.5.21\n demo-0 leader outdated",
        "1 pods, 1 configs, add member 1 as learner",
    );
    check(
        "want 3 on 3.5.21\n demo-0 leader outdated\n demo-1 learner started",
        "2 pods, 2 configs, promote member 1",
    );
    check(
        "want 1 on 3.5.21\n demo-0 leader outdated\n demo-1 voter outdated",
        "2 pods, 2 configs, remove member 1",
    );
}

#[test]
fn a_learner_that_cannot_start_gets_the_corrected_spec() {
    check(
        "want 3 on 3.5.21\n demo-0 leader\n demo-1 learner outdated dead",
        "2 pods, 2 configs, restart the pod of member 1: it was made from an earlier template",
    );
}

#[test]
fn nobody_is_restarted_before_the_new_template_would_be_used() {
    for set in ["set outdated", "set unseen"] {
        check(
            &format!("want 1 on 3.5.21\n demo-0 leader outdated\n {set}"),
            "1 pods, 1 configs, nothing to do; waits: RollingOut",
        );
    }
}

#[test]
fn a_size_of_0_restarts_nobody() {
    check(
        "want 0 on 3.5.21 bootstrapped\n demo-0 leader outdated",
        "0 pods, 1 configs, nothing to do; waits: Stopping",
    );
}

#[test]
fn an_upgrade_says_from_where_to_where_and_who_is_next() {
    let (mut desired, mut observed) = read(
        "want 3 on 3.5.26
         demo-0 leader outdated
         demo-1 voter outdated
         demo-2 voter down",
    );
    desired.version = "3.6.16".parse().expect("a version");
    observed.status.version = Some("3.5.26".into());
    let waiting = plan(&desired, &observed, NOW).waiting.expect("it waits");
    assert_eq!(
        waiting.to_string(),
        "upgrading from 3.5.26 to 3.6.16: 1 of 3 done, demo-1 is next once demo-2 is healthy (connection refused)"
    );
}

#[test]
fn while_versions_are_mixed_the_oldest_limits_the_learners() {
    let (mut desired, observed) = read(
        "want 5 on 3.5.26
         demo-0 leader
         demo-1 voter
         demo-2 voter
         demo-3 learner started",
    );
    desired.version = "3.6.16".parse().expect("a version");
    assert!(print(&plan(&desired, &observed, NOW)).contains("promote member 3"));
}

#[test]
fn a_version_that_cannot_be_reached_is_named_when_all_else_is_done() {
    let (mut desired, observed) = read("want 1 on 3.6.0\n demo-0 leader");
    let (from, to) = (
        "3.6.0".parse().expect("a version"),
        "3.5.30".parse().expect("a version"),
    );
    desired.version_refused = Some(PathRefused::Downgrade { from, to });
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(
        print(&plan),
        "1 pods, 1 configs, nothing to do; waits: DowngradeRefused"
    );
    assert!(plan.waiting.is_some_and(|waiting| waiting.is_fault()));
}

fn wants(size: &str, sketch: &str) -> (Desired, Observed) {
    let (desired, observed) = read(sketch);
    (
        Desired {
            storage_size: Quantity(size.into()),
            ..desired
        },
        observed,
    )
}

#[test]
fn volumes_grow_one_by_one_and_then_the_stateful_set_is_made_anew() {
    let sketch = "want 2 on 3.5.21\n demo-0 leader\n demo-1 voter\n claim 0\n claim 1";
    let (desired, mut observed) = wants("2Gi", sketch);
    for ordinal in [0, 1] {
        assert_eq!(
            print(&plan(&desired, &observed, NOW)),
            format!("2 pods, 2 configs, grow the volume of member {ordinal} to 2Gi")
        );
        observed
            .claims
            .get_mut(&ordinal)
            .expect("a claim")
            .requested = Some(Quantity("2048Mi".into()));
    }
    assert!(print(&plan(&desired, &observed, NOW)).contains("recreate the StatefulSet"));
    observed.stateful_set.as_mut().expect("a set").volume_size = Some(Quantity("2Gi".into()));
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "2 pods, 2 configs, nothing to do"
    );
}

#[test]
fn a_full_disk_grows_whoever_is_sick() {
    let sketch =
        "want 1 on 3.5.21 bootstrapped\n demo-0 leader down\n claim 0\n membership unknown";
    let (desired, observed) = wants("2Gi", sketch);
    assert!(print(&plan(&desired, &observed, NOW)).contains("grow the volume of member 0 to 2Gi"));
}

#[test]
fn volumes_never_shrink() {
    let (desired, observed) = wants("512Mi", "want 1 on 3.5.21\n demo-0 leader\n claim 0");
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(plan.action, None);
    assert!(matches!(
        plan.waiting,
        Some(Waiting::VolumeShrinkRefused { .. })
    ));
}

/// A cache that lags says that its container has ended.
#[test]
fn a_member_that_answers_is_not_restarted_as_one_that_is_down() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter outdated",
    );
    let pod = observed.pods.get_mut(&2).expect("a pod");
    (pod.running, pod.ready) = (false, false);
    let waits = "3 pods, 3 configs, nothing to do; waits: RollingOut";
    assert_eq!(print(&plan(&desired, &observed, NOW)), waits);
    observed.reports.insert(2, Err("connection refused".into()));
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, restart the pod of member 2: it was made from an earlier template"
    );
}
