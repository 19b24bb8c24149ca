//! Planner cases: a cluster sketched in a few lines, and the plan in one.

mod explain;
mod properties;
mod recovery;
mod repair;
mod report;
mod rollout;
mod sketch;
mod world;

use operator::plan::{audit::audit, plan};
use sketch::{NOW, files, print, read};

fn check(text: &str, expected: &str) {
    let (desired, observed) = read(text);
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(print(&plan), expected, "\n{text}");
    assert_eq!(audit(&desired, &observed, &plan), [], "\n{text}");
}

#[test]
fn a_new_cluster_starts_all_its_first_members_together() {
    check(
        "want 3 on 3.5.21",
        "3 pods, 3 configs new, nothing to do; waits: FirstMembersStarting",
    );
}

#[test]
fn a_size_changed_before_the_cluster_has_formed_waits_until_it_has() {
    let (mut desired, mut observed) = read("want 3 on 3.5.21");
    observed.config = plan(&desired, &observed, NOW).config;
    desired.size = 5;
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs new, nothing to do; waits: FirstMembersStarting"
    );
}

#[test]
fn a_cluster_that_has_not_formed_yet_can_be_stopped() {
    check(
        "want 0 on 3.5.21
         replicas 1
         pod 0 dead",
        "0 pods, config as is, nothing to do; waits: Stopping",
    );
}

#[test]
fn once_formed_no_configuration_says_new() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter
         demo-2 voter",
        "3 pods, 3 configs, nothing to do",
    );
}

#[test]
fn growth_begins_with_a_learner() {
    check(
        "want 3 on 3.5.21\n demo-0 leader",
        "1 pods, 1 configs, add member 1 as learner",
    );
}

#[test]
fn a_learner_gets_its_pod_and_is_waited_for() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 learner",
        "2 pods, 2 configs, nothing to do; waits: LearnerStarting",
    );
}

#[test]
fn a_learner_in_sync_is_promoted_before_the_next_is_added() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 learner started",
        "2 pods, 2 configs, promote member 1",
    );
}

#[test]
fn from_3_6_on_a_second_learner_joins_the_first_once_that_has_started() {
    check(
        "want 3 on 3.6.16
         demo-0 leader
         demo-1 learner",
        "2 pods, 2 configs, nothing to do; waits: LearnerStarting",
    );
    check(
        "want 3 on 3.6.16
         demo-0 leader
         demo-1 learner started",
        "2 pods, 2 configs, add member 2 as learner",
    );
    check(
        "want 3 on 3.6.16
         demo-0 leader
         demo-1 learner started
         demo-2 learner",
        "3 pods, 3 configs, promote member 1",
    );
}

#[test]
fn a_first_learner_that_has_joined_and_is_silent_makes_way_for_the_second() {
    let after_joining = |joined| {
        let (desired, mut observed) = read(
            "want 5 on 3.6.16 bootstrapped
             demo-0 leader
             demo-1 voter
             demo-2 voter
             demo-3 learner",
        );
        observed.pods.get_mut(&3).expect("a pod").joined = joined;
        print(&plan(&desired, &observed, NOW))
    };
    assert_eq!(
        after_joining(true),
        "4 pods, 4 configs, add member 4 as learner"
    );
    assert_eq!(
        after_joining(false),
        "4 pods, 4 configs, nothing to do; waits: LearnerStarting"
    );
}

#[test]
fn a_second_learner_is_not_added_while_a_voter_is_down() {
    check(
        "want 5 on 3.6.16
         demo-0 leader
         demo-1 voter
         demo-2 voter down
         demo-3 learner started",
        "4 pods, 4 configs, promote member 3",
    );
}

#[test]
fn a_learner_far_behind_is_waited_for() {
    check(
        "want 3 on 3.5.21
         demo-0 leader busy
         demo-1 learner started",
        "2 pods, 2 configs, nothing to do; waits: LearnerBehind",
    );
}

#[test]
fn a_learner_that_missed_its_deadline_is_removed() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 learner old",
        "2 pods, 2 configs, remove learner 1, which missed its deadline",
    );
}

#[test]
fn a_learner_nobody_wants_any_more_is_removed() {
    check(
        "want 1 on 3.5.21
         demo-0 leader
         demo-1 learner started",
        "2 pods, 2 configs, remove member 1",
    );
}

#[test]
fn shrinking_removes_the_highest_ordinal_and_keeps_its_pod_until_it_is_out() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter
         demo-2 voter
         demo-3 voter
         demo-4 voter",
        "5 pods, 5 configs, remove member 4",
    );
}

#[test]
fn a_leader_hands_over_before_it_leaves() {
    check(
        "want 1 on 3.5.21
         demo-0 voter
         demo-1 voter
         demo-2 leader",
        "3 pods, 3 configs, move leadership from member 2 to member 0",
    );
}

#[test]
fn nobody_is_removed_while_that_would_cost_quorum() {
    check(
        "want 1 on 3.5.21
         demo-0 voter down
         demo-1 leader
         demo-2 voter",
        "3 pods, 3 configs, nothing to do; waits: QuorumAtRisk",
    );
}

#[test]
fn the_volume_of_a_removed_member_goes_once_its_pod_does() {
    check(
        "want 1 on 3.5.21
         demo-0 leader
         pod 1
         claim 1",
        "1 pods, 1 configs, nothing to do",
    );
    check(
        "want 1 on 3.5.21
         demo-0 leader
         pod 1 terminating
         claim 1",
        "1 pods, 1 configs, delete the volume of member 1",
    );
}

#[test]
fn a_member_is_not_added_before_what_is_left_of_its_predecessor_is_gone() {
    for left in ["pod 1 terminating", "pod 1", "claim 1 gone"] {
        check(
            &format!("want 3 on 3.5.21\n demo-0 leader\n {left}"),
            "1 pods, 1 configs, nothing to do; waits: LeftoversOfEarlierMember",
        );
    }
}

#[test]
fn an_unknown_membership_is_left_alone() {
    check(
        "want 1 on 3.5.21 bootstrapped
         replicas 3
         demo-0 voter down
         demo-1 voter down
         demo-2 voter
         membership unknown",
        "3 pods, 3 configs, nothing to do; waits: MembershipUnknown",
    );
}

#[test]
fn a_deleted_stateful_set_comes_back_with_as_many_pods_as_have_a_configuration() {
    let (desired, mut observed) = read("want 5 on 3.5.21 bootstrapped\n membership unknown");
    observed.config = Some(files(&desired, &[0, 1, 2]));
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, nothing to do; waits: MembershipUnknown"
    );
}

#[test]
fn size_0_stops_the_pods_and_removes_nobody() {
    check(
        "want 0 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter",
        "0 pods, 3 configs, nothing to do; waits: Stopping",
    );
}

#[test]
fn members_of_another_cluster_are_left_alone() {
    let (desired, mut observed) = read("want 3 on 3.5.21\n demo-0 leader");
    observed.status.cluster_id = Some("dead".into());
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "as they are pods, config as is, nothing to do; waits: ClusterIDMismatch"
    );
}

#[test]
fn a_voter_that_is_down_is_reported_and_not_replaced_in_haste() {
    check(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter
         demo-2 voter down",
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy",
    );
}
