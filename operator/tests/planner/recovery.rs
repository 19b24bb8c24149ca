//! Quorum lost for good, and the way back on the user's word.

use operator::{
    build::member_config,
    plan::{audit::audit, plan},
};

use super::{
    check,
    sketch::{NOW, print, read},
};

/// Two of three are lost with their volumes.
const LOST: &str = "want 3 on 3.5.21 bootstrapped
     replicas 3
     demo-0 voter alone term 3 index 42
     demo-1 voter down
     claim 1 other
     demo-2 voter down
     claim 2 other
     membership unknown";

fn with(more: &str) -> String {
    format!("{LOST}\n{more}")
}

#[test]
fn what_is_lost_what_survives_and_what_helps_is_told() {
    let (desired, observed) = read(LOST);
    let plan = plan(&desired, &observed, NOW);
    let told = plan.waiting.expect("a reason");
    assert_eq!(told.reason(), "QuorumLost");
    assert_eq!(
        told.to_string(),
        "quorum is lost for good: demo-1 is lost (the volume with its data is gone); \
         demo-2 is lost (the volume with its data is gone); \
         demo-0 has its data (raft term 3, index 42); \
         if they cannot be brought back, start anew from demo-0 alone, losing what only the others \
         had: `kubectl annotate etcdcluster demo -n default --overwrite \
         etcd.etcd.io/recover-quorum=c/1`"
    );
}

/// The configuration is written before the status, and either write may fail.
#[test]
fn nobody_is_told_to_begin_a_cluster_that_has_an_id() {
    let (desired, mut observed) = read(LOST);
    let ids = [(0, 0x10), (1, 0x11), (2, 0x12)].into();
    observed.config = Some(member_config::bootstrap_files(&desired, &ids));
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(
        print(&plan),
        "3 pods, 3 configs, nothing to do; waits: QuorumLost"
    );
    assert_eq!(audit(&desired, &observed, &plan), []);
}

#[test]
fn without_the_word_nothing_is_done() {
    check(LOST, "3 pods, 3 configs, nothing to do; waits: QuorumLost");
}

#[test]
fn a_word_for_another_cluster_or_another_loss_is_refused() {
    for word in ["d/1", "c/2", "c", "c/0", "yes"] {
        check(
            &with(&format!("word {word}")),
            "3 pods, 3 configs, nothing to do; waits: QuorumLost",
        );
    }
    let (desired, observed) = read(&with("recovered 1\n word c/1"));
    let told = plan(&desired, &observed, NOW).waiting.expect("a reason");
    let text = told.to_string();
    assert!(text.contains("the annotation says \"c/1\""), "{text}");
    assert!(text.contains("recover-quorum=c/2"), "{text}");
}

#[test]
fn on_the_word_the_survivor_alone_has_a_configuration() {
    check(
        &with("word c/1"),
        "as they are pods, 1 configs forced, nothing to do; waits: Recovering",
    );
}

#[test]
fn the_most_advanced_survivor_is_taken() {
    for (zero, one, expected) in [
        ("term 3 index 42", "term 3 index 43", "demo-1.yaml"),
        ("term 4 index 42", "term 3 index 43", "demo-0.yaml"),
        ("term 3 index 42", "term 3 index 42", "demo-0.yaml"),
    ] {
        let (desired, observed) = read(&format!(
            "want 5 on 3.5.21 bootstrapped
             word c/1
             demo-0 voter alone {zero}
             demo-1 voter alone {one}
             demo-2 voter down\n claim 2 other
             demo-3 voter down\n claim 3 other
             demo-4 voter down\n claim 4 other
             membership unknown"
        ));
        let config = plan(&desired, &observed, NOW)
            .config
            .expect("a configuration");
        let files: Vec<&String> = config.keys().collect();
        assert_eq!(files, [expected]);
    }
}

#[test]
fn members_that_may_come_back_are_waited_for_even_with_the_word() {
    let silent = "want 3 on 3.5.21 bootstrapped
         word c/1
         demo-0 voter alone
         demo-1 voter down
         demo-2 voter down
         membership unknown";
    check(
        silent,
        "3 pods, 3 configs, nothing to do; waits: MembershipUnknown",
    );
    check(
        &format!("{silent}\n unavailable 30s"),
        "3 pods, 3 configs, nothing to do; waits: MembershipUnknown",
    );
    check(
        &format!("{silent}\n unavailable 90s"),
        "as they are pods, 1 configs forced, nothing to do; waits: Recovering",
    );
}

#[test]
fn without_a_survivor_the_word_does_nothing() {
    let (desired, observed) = read(
        "want 1 on 3.5.21 bootstrapped
         word c/1
         demo-0 voter down
         claim 0 other
         membership unknown",
    );
    let plan = plan(&desired, &observed, NOW);
    assert_eq!(
        print(&plan),
        "1 pods, 1 configs, nothing to do; waits: QuorumLost"
    );
    let text = plan.waiting.expect("a reason").to_string();
    assert!(text.contains("no member with data answers"), "{text}");
}

#[test]
fn a_survivor_that_ran_before_is_restarted_once_its_configuration_is_there() {
    let (desired, mut observed) = read(&with("word c/1"));
    observed.config = plan(&desired, &observed, NOW).config;
    // It has run for two seconds only: it may be the new one, on its way to lead.
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 1 configs forced, nothing to do; waits: Recovering"
    );
    let long_ago = NOW - jiff::SignedDuration::from_secs(60);
    observed.pods.get_mut(&0).expect("a pod").started = Some(long_ago);
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 1 configs forced, restart the pod of member 0: it starts as a cluster of its own; waits: Recovering"
    );
}

#[test]
fn a_word_that_was_acted_upon_cannot_be_taken_back() {
    let (desired, mut observed) = read(&with("word c/1"));
    observed.config = plan(&desired, &observed, NOW).config;
    let (desired, _) = read(LOST);
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 1 configs forced, nothing to do; waits: Recovering"
    );
}

#[test]
fn the_recovery_is_counted_before_the_flag_goes() {
    check(
        "want 3 on 3.5.21 bootstrapped
         demo-0 leader recovery-1",
        "as they are pods, config as is, nothing to do; waits: Recovering",
    );
    check(
        "want 3 on 3.5.21 bootstrapped
         recovered 1
         demo-0 leader recovery-1",
        "1 pods, 1 configs, nothing to do; waits: Recovering",
    );
    check(
        "want 3 on 3.5.21 bootstrapped
         recovered 1
         demo-0 leader recovery-1 old",
        "1 pods, 1 configs, restart the pod of member 0: it has started as a cluster of its own and must not again",
    );
}

#[test]
fn growth_begins_when_the_survivor_runs_without_the_flag() {
    check(
        "want 3 on 3.5.21 bootstrapped
         recovered 1
         demo-0 leader",
        "1 pods, 1 configs, add member 1 as learner",
    );
}

#[test]
fn a_file_of_a_recovery_that_is_over_is_replaced() {
    let (desired, mut observed) = read(&with("word c/1"));
    observed.config = plan(&desired, &observed, NOW).config;
    observed.status.recoveries = 1;
    observed.status.members.truncate(1);
    assert_eq!(
        print(&plan(&desired, &observed, NOW)),
        "3 pods, 1 configs, nothing to do; waits: MembershipUnknown"
    );
}

#[test]
fn files_deleted_by_hand_while_nobody_answers_are_made_anew_from_the_status() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 voter down
         demo-1 voter down
         demo-2 voter down
         membership unknown",
    );
    let whole = plan(&desired, &observed, NOW).config.expect("files");
    assert_eq!(whole.len(), 3);
    let mut spoilt = whole.clone();
    spoilt.insert("demo-1.yaml".into(), "spoilt".into());
    spoilt.insert("another".into(), String::new());
    observed.config = Some(spoilt);
    assert_eq!(plan(&desired, &observed, NOW).config, Some(whole));
}
