//! The planner passes within small bounds, and planners with a planted fault do not.

use jiff::Timestamp;
use model::{Bounds, Broken, Planner, Report, search};
use operator::{
    etcd::Member,
    observe::Observed,
    plan::{Action, Damage, Plan, Removal, Restart, plan},
    validate::Desired,
};

fn check(planner: Planner<'_>, largest: u8, edits: u8, faults: u8, version: &str) -> Report {
    let bounds = Bounds {
        largest,
        edits,
        faults,
        version: version.parse().expect("a version"),
        states: 1_000_000,
    };
    search(&bounds, planner, &mut |_| {})
}

fn assert_sound(largest: u8, edits: u8, faults: u8, version: &str) {
    let report = check(&plan, largest, edits, faults, version);
    assert!(report.violation.is_none(), "{report:#?}");
    assert!(report.complete);
}

#[test]
fn two_members_an_edit_and_a_fault() {
    assert_sound(2, 1, 1, "3.5.21");
}

#[test]
fn three_members_and_an_edit() {
    assert_sound(3, 1, 0, "3.5.21");
}

#[test]
fn three_members_two_at_once_and_an_edit() {
    assert_sound(3, 1, 0, "3.6.16");
}

#[test]
fn the_same_bounds_give_the_same_states() {
    let once = check(&plan, 2, 1, 0, "3.6.16");
    let again = check(&plan, 2, 1, 0, "3.6.16");
    assert_eq!(once.progress, again.progress);
}

/// The rule that a planner breaks first.
fn caught(planner: Planner<'_>, largest: u8, edits: u8, faults: u8) -> Broken {
    let report = check(planner, largest, edits, faults, "3.5.21");
    let violation = report.violation.expect("a violation");
    // None of these faults needs a long story.
    assert!(report.progress.depth < 10, "{violation:#?}");
    violation.broken
}

fn members(observed: &Observed) -> &[Member] {
    observed.membership.members().unwrap_or_default()
}

fn ordinal(desired: &Desired, member: &Member) -> u32 {
    let ordinal = desired.identity.ordinal_of_member(&member.peer_urls);
    ordinal.expect("one of ours")
}

/// The real plan, but with another action where the fault has one.
fn instead(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    fault: impl FnOnce(&Plan) -> Option<Action>,
) -> Plan {
    let plan = plan(desired, observed, now);
    match fault(&plan) {
        Some(action) => Plan {
            action: Some(action),
            waiting: None,
            ..plan
        },
        None => plan,
    }
}

#[test]
fn a_planner_that_takes_silence_for_a_loss_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        instead(desired, observed, now, |_| {
            let mut voters = members(observed).iter().filter(|member| !member.learner);
            let silent = voters.find(|member| observed.report_of(member.id).is_none())?;
            Some(Action::RemoveMember {
                ordinal: ordinal(desired, silent),
                id: silent.id,
                why: Removal::DataLost(Damage::VolumeReplaced),
            })
        })
    };
    let broken = caught(&faulty, 3, 0, 1);
    assert_eq!(broken, Broken::RemovedWithData(0));
}

#[test]
fn a_planner_that_removes_one_too_many_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        instead(desired, observed, now, |_| {
            let known = members(observed);
            let last = known.last().filter(|_| known.len() > 2)?;
            Some(Action::RemoveMember {
                ordinal: ordinal(desired, last),
                id: last.id,
                why: Removal::ScaleDown,
            })
        })
    };
    let broken = caught(&faulty, 3, 0, 0);
    assert_eq!(broken, Broken::RemovedUnasked(2));
}

#[test]
fn a_planner_that_promotes_at_once_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        instead(desired, observed, now, |_| {
            let learner = members(observed).iter().find(|member| member.learner)?;
            Some(Action::Promote {
                ordinal: ordinal(desired, learner),
                id: learner.id,
            })
        })
    };
    // Of one voter the audit knows already; beside two healthy ones only the model sees it.
    let broken = caught(&faulty, 2, 1, 0);
    assert!(matches!(broken, Broken::Audit(_)), "{broken}");
    let patient = |desired: &Desired, observed: &Observed, now| {
        if members(observed).len() > 2 {
            faulty(desired, observed, now)
        } else {
            plan(desired, observed, now)
        }
    };
    let broken = caught(&patient, 3, 1, 0);
    assert_eq!(broken, Broken::PromotedAsleep(2));
}

#[test]
fn a_planner_that_restarts_beside_a_sick_member_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        instead(desired, observed, now, |plan| {
            let outdated = observed.pods.iter().rfind(|(_, pod)| {
                let wanted = Some(desired.template_hash.as_str());
                pod.running && pod.template.as_deref() != wanted
            });
            let (ordinal, pod) = outdated.filter(|_| plan.action.is_none())?;
            Some(Action::RestartPod {
                ordinal: *ordinal,
                uid: pod.uid.clone(),
                why: Restart::Outdated,
            })
        })
    };
    let broken = caught(&faulty, 3, 1, 0);
    assert!(matches!(broken, Broken::Audit(_)), "{broken}");
}

#[test]
fn a_planner_whose_pods_follow_the_spec_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| Plan {
        replicas: Some(desired.size),
        ..plan(desired, observed, now)
    };
    let broken = caught(&faulty, 2, 1, 0);
    assert!(matches!(broken, Broken::Audit(_)), "{broken}");
}

#[test]
fn a_planner_that_deletes_a_silent_members_volume_is_caught() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        instead(desired, observed, now, |_| {
            observed.membership.members()?;
            let down = |ordinal| observed.pods.get(ordinal).is_none_or(|pod| !pod.running);
            let (ordinal, claim) = observed.claims.iter().find(|(ordinal, _)| down(*ordinal))?;
            Some(Action::DeleteClaim {
                ordinal: *ordinal,
                uid: claim.uid.clone(),
            })
        })
    };
    let broken = caught(&faulty, 3, 0, 1);
    assert!(
        matches!(broken, Broken::Audit(_) | Broken::MembersVolume(_)),
        "{broken}"
    );
}

#[test]
fn a_planner_that_never_adds_does_not_reach_the_spec() {
    let faulty = |desired: &Desired, observed: &Observed, now| {
        let plan = plan(desired, observed, now);
        let action = plan.action.clone();
        Plan {
            action: action.filter(|action| !matches!(action, Action::AddLearner { .. })),
            ..plan
        }
    };
    let broken = caught(&faulty, 2, 1, 0);
    assert!(matches!(broken, Broken::Stuck(_)), "{broken}");
}
