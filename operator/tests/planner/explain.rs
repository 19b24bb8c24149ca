//! What `operator explain` prints.

use operator::{explain::Explanation, plan::plan};

use crate::sketch::{NOW, read};

fn explain(text: &str) -> Explanation {
    let (desired, observed) = read(text);
    Explanation::of(&desired, &observed, &plan(&desired, &observed, NOW))
}

#[test]
fn it_shows_the_gate_and_the_next_step() {
    let text = explain(
        "want 3 on 3.5.21
         demo-0 leader",
    )
    .to_string();
    for line in [
        "wanted      3 members of etcd 3.5.21",
        "gate        1 healthy of 1 voters, quorum is 1: none may be lost",
        "  demo-0  voter, healthy",
        "  add member 1 as learner",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn it_says_why_nothing_more_is_done() {
    let explanation = explain(
        "want 3 on 3.5.21
         demo-0 leader
         demo-1 voter
         demo-2 voter down",
    );
    let waiting = explanation.waiting.as_ref().unwrap();
    let text = explanation.to_string();
    assert!(text.contains(&waiting.message), "{text}");
    assert!(text.contains("quorum is 2: none may be lost"), "{text}");
    assert!(text.contains("demo-2  voter, NOT healthy"), "{text}");
}

#[test]
fn what_cannot_be_reached_is_unknown_and_the_status_speaks() {
    let (desired, mut observed) = read(
        "want 3 on 3.5.21 bootstrapped
         demo-0 voter down
         demo-1 voter down
         membership unknown",
    );
    observed.status.ready_replicas = 2;
    let plan = plan(&desired, &observed, NOW);
    let text = Explanation::of(&desired, &observed, &plan).to_string();
    for line in [
        "membership  unknown",
        "gate        closed",
        "no member could be reached from here",
        "the operator's last word: Creating, 2 healthy voters",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
