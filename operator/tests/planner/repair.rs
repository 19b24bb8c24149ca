//! Data that is lost, pods that are of no use, edits by hand.

use operator::{
    build::member_config,
    etcd::Member,
    observe::{Membership, Observed},
    plan::plan,
};

use super::{
    check,
    sketch::{NOW, print, read},
};

/// Three members, of which the third is as told.
fn third(is: &str, expected: &str) {
    check(
        &format!(
            "want 3 on 3.5.21 bootstrapped
             demo-0 leader
             demo-1 voter
             {is}"
        ),
        expected,
    );
}

#[test]
fn a_member_on_another_volume_than_before_is_removed_at_once() {
    third(
        "demo-2 voter down\n claim 2 other",
        "3 pods, 3 configs, remove member 2 to add it anew: the volume with its data is gone",
    );
}

#[test]
fn a_member_that_says_that_its_data_is_lost_is_removed() {
    for words in [
        "no-data",
        "log-lost",
        "log-garbled",
        "log-crc",
        "database-garbled",
    ] {
        let (desired, observed) = read(&format!(
            "want 3 on 3.5.21 bootstrapped
             demo-0 leader
             demo-1 voter
             demo-2 voter down says {words}"
        ));
        let line = print(&plan(&desired, &observed, NOW));
        assert!(
            line.contains("remove member 2 to add it anew"),
            "{words}: {line}"
        );
    }
}

#[test]
fn what_a_container_that_runs_again_said_before_counts_for_nothing() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter down says no-data",
    );
    observed.pods.get_mut(&2).expect("a pod").running = true;
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy"
    );
}

#[test]
fn silence_alone_replaces_nobody() {
    third(
        "demo-2 voter down silent 7200s",
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy",
    );
}

#[test]
fn a_volume_on_a_node_that_is_no_more_is_lost_and_on_one_that_is_away_is_not() {
    third(
        "demo-2 voter down silent 90s pending no-node",
        "3 pods, 3 configs, remove member 2 to add it anew: its volume is bound to a node that is no more",
    );
    third(
        "demo-2 voter down silent 30s pending no-node",
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy",
    );
    third(
        "demo-2 voter down silent 7200s pending away",
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy",
    );
}

#[test]
fn a_crash_loop_counts_after_a_while_and_only_when_the_others_are_well() {
    third(
        "demo-2 voter down silent 200s crashes 6",
        "3 pods, 3 configs, remove member 2 to add it anew: it crashes at every start",
    );
    third(
        "demo-2 voter down silent 100s crashes 6",
        "3 pods, 3 configs, nothing to do; waits: MemberUnhealthy",
    );
    check(
        "want 5 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter down silent 200s crashes 6
         demo-3 voter down
         demo-4 voter",
        "5 pods, 5 configs, nothing to do; waits: MemberUnhealthy",
    );
}

#[test]
fn a_crash_loop_after_an_edit_of_the_spec_is_no_loss() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter down silent 200s crashes 6",
    );
    observed.pods.get_mut(&2).expect("a pod").template = Some("edited".into());
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, restart the pod of member 2: it was made from an earlier template"
    );
}

#[test]
fn a_corrupt_leader_hands_over_before_it_is_removed() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader corrupt
         demo-1 voter
         demo-2 voter",
        "3 pods, 3 configs, move leadership from member 0 to member 1",
    );
    third(
        "demo-2 voter corrupt",
        "3 pods, 3 configs, remove member 2 to add it anew: it found its data to differ from the others'",
    );
}

#[test]
fn the_alarm_of_a_corrupt_member_that_has_left_is_disarmed() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter",
    );
    if let Some(Ok(report)) = observed.reports.get_mut(&1) {
        report.errors = vec!["memberID:3054 alarm:CORRUPT ".into()];
    }
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, disarm the CORRUPT alarm of bee, which is no member any more"
    );
}

#[test]
fn a_volume_that_is_being_deleted_under_a_healthy_member_costs_it_its_place_only_when_all_are_well()
{
    third(
        "demo-2 voter\n claim 2 gone",
        "3 pods, 3 configs, remove member 2 to add it anew: its volume is being deleted",
    );
    check(
        "want 5 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter
         claim 2 gone
         demo-3 voter down
         demo-4 voter",
        "5 pods, 5 configs, nothing to do; waits: QuorumAtRisk",
    );
}

#[test]
fn nobody_is_replaced_while_that_would_cost_quorum() {
    check(
        "want 1 on 3.5.21 bootstrapped
         demo-0 leader corrupt",
        "1 pods, 1 configs, nothing to do; waits: QuorumAtRisk",
    );
}

#[test]
fn all_that_are_lost_go_before_any_is_added() {
    check(
        "want 5 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter down
         claim 1 other
         demo-3 voter
         demo-4 voter",
        "5 pods, 4 configs, remove member 1 to add it anew: the volume with its data is gone",
    );
}

#[test]
fn the_volume_of_a_removed_member_goes_then_a_learner_takes_its_place() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         pod 1
         claim 1
         demo-2 voter",
        "3 pods, 2 configs, delete the volume of member 1",
    );
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         pod 1
         claim 1 gone
         demo-2 voter",
        "3 pods, 2 configs, add member 1 as learner",
    );
}

#[test]
fn a_pod_that_still_holds_the_volume_of_the_member_before_is_restarted() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 learner
         claim 1 gone
         demo-2 voter",
        "3 pods, 3 configs, restart the pod of member 1: it was made for an earlier member",
    );
}

#[test]
fn a_pod_whose_volume_went_before_it_ran_is_restarted() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 learner old pending away
         demo-2 voter",
    );
    observed.claims.remove(&1);
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 3 configs, restart the pod of member 1: its volume went before it ran"
    );
}

#[test]
fn a_first_member_whose_volume_went_before_it_ran_gets_another() {
    let (desired, mut observed) = read("want 1 on 3.5.21\n replicas 1\n pod 0 dead");
    let plan_at = |observed: &_| print(&plan(&desired, observed, NOW));
    let pod = observed.pods.get_mut(&0).expect("a pod");
    pod.created = Some(NOW - jiff::SignedDuration::from_secs(2));
    assert_eq!(
        plan_at(&observed),
        "1 pods, 1 configs new, nothing to do; waits: FirstMembersStarting"
    );
    let pod = observed.pods.get_mut(&0).expect("a pod");
    pod.created = Some(NOW - jiff::SignedDuration::from_secs(10));
    assert_eq!(
        plan_at(&observed),
        "1 pods, 1 configs new, restart the pod of member 0: its volume went before it ran; waits: FirstMembersStarting"
    );
}

/// As in the instant after the first members have begun.
#[test]
fn a_first_member_that_answers_and_has_told_nobody_yet_is_replaced_before_others_leave() {
    let (desired, mut observed) = read(
        "want 1 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         claim 0 gone",
    );
    members(&mut observed)[0].client_urls.clear();
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "2 pods, 2 configs, move leadership from member 0 to member 1"
    );
}

/// It may be promoted any moment, and must not come back without its data from then on.
#[test]
fn a_learner_whose_startup_probe_has_succeeded_is_told_of_nobody_to_join() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 learner",
    );
    let file = |observed: &Observed| {
        let files = plan(&desired, observed, NOW).config.expect("files");
        files["demo-2.yaml"].clone()
    };
    let alone = member_config::started_file(&desired, 2, 0x12);
    assert_ne!(file(&observed), alone);
    observed.pods.get_mut(&2).expect("a pod").joined = true;
    assert_eq!(file(&observed), alone);
}

/// A member that was promoted before it was heard of has data, so it must not come back without.
#[test]
fn a_voter_without_a_name_has_started() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 voter down says no-data",
    );
    let promoted = &mut members(&mut observed)[2];
    promoted.client_urls.clear();
    promoted.name.clear();
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(
        print(&plan),
        "3 pods, 3 configs, remove member 2 to add it anew: its data directory is empty"
    );
    assert_eq!(
        plan.config.expect("files")["demo-2.yaml"],
        member_config::started_file(&desired, 2, 0x12)
    );
}

#[test]
fn a_pod_made_before_its_learner_had_a_file_is_restarted() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 learner old says no-configuration
         demo-2 voter",
        "3 pods, 3 configs, restart the pod of member 1: it was made for an earlier member",
    );
}

#[test]
fn a_learner_that_runs_and_does_not_answer_is_tried_once_the_others_can_bear_it() {
    let late = |others: &str| {
        let (desired, mut observed) = read(&format!(
            "want 3 on 3.5.21 bootstrapped\n {others}\n demo-2 learner"
        ));
        let pod = observed.pods.get_mut(&2).expect("a pod");
        pod.joined = true;
        print(&plan(&desired, &observed, NOW))
    };
    assert_eq!(
        late("demo-0 leader\n demo-1 voter"),
        "3 pods, 3 configs, promote member 2"
    );
    assert_eq!(
        late("demo-0 leader\n demo-1 voter down"),
        "3 pods, 3 configs, nothing to do; waits: LearnerStarting"
    );
}

#[test]
fn a_hole_is_filled_before_the_cluster_is_at_its_size() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-2 voter
         demo-3 voter",
        "4 pods, 3 configs, add member 1 as learner",
    );
}

#[test]
fn a_learner_whose_pod_is_made_anew_over_and_over_misses_its_deadline_all_the_same() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader
         demo-1 voter
         demo-2 learner since 400s",
        "3 pods, 3 configs, remove learner 2, which missed its deadline",
    );
}

#[test]
fn a_member_added_by_hand_stops_changes_of_the_membership_and_nothing_else() {
    let (desired, mut observed) = read(
        "want 5 on 3.5.21 bootstrapped
         replicas 1
         demo-0 leader
         demo-1 voter",
    );
    let members = members(&mut observed);
    let mut foreign = members[1].clone();
    foreign.id = 0xf;
    foreign.peer_urls = vec!["http://10.9.9.9:2380".into()];
    members.push(foreign);
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "2 pods, config as is, nothing to do; waits: ForeignMember"
    );
}

fn members(observed: &mut Observed) -> &mut Vec<Member> {
    match &mut observed.membership {
        Membership::Known { members, .. } => members,
        unknown => panic!("the membership is {unknown:?}"),
    }
}
