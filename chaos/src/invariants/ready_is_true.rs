//! The status never claims more than the truth.
//!
//! Statement: the number of ready members in the status does not exceed the number of pods that
//! run; after a pod stops, the status says so within [`GRACE`], or within [`SLOW_LOOK`] while a
//! member that runs cannot answer for a majority: whoever looks has to wait for it.
//! Source: the Go operator took READY from the StatefulSet's replicas and showed members that did
//! not exist; a status cannot change in the same instant as a pod, hence the grace. An operator that is kept
//! from its work cannot change it either.

use std::time::Duration;

use super::Invariant;
use crate::{Observation, observation::Pod};

/// Time that a status may lag behind a pod that stopped.
pub const GRACE: Duration = Duration::from_secs(3);

/// Time that a status may lag behind while members are silent. A look waits two seconds for members
/// and three for each voter that may speak for a majority; what was written last came from the look
/// before, so it is as old as two of them.
pub const SLOW_LOOK: Duration = Duration::from_secs(12);

/// Remembers since when the status claims too much.
#[derive(Default)]
pub struct ReadyIsTrue {
    since: Option<Duration>,
    /// When a member that runs was last seen unable to answer.
    silence: Option<Duration>,
}

impl Invariant for ReadyIsTrue {
    fn name(&self) -> &'static str {
        "READY is never above the pods that run"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        if look.asked && look.pods.iter().any(is_silent) {
            self.silence = Some(look.at);
        }
        let running = look.pods.iter().filter(|pod| pod.running).count() as u32;
        let Some(ready) = look
            .resource
            .as_ref()
            .map(|resource| resource.ready)
            .filter(|it| *it > running && !look.hindered)
        else {
            self.since = None;
            return None;
        };
        let since = *self.since.get_or_insert(look.at);
        let slow = self.silence.is_some_and(|at| at + SLOW_LOOK > look.at);
        let grace = if slow { SLOW_LOOK } else { GRACE };
        (look.at.saturating_sub(since) > grace).then(|| {
            format!(
                "the status has said {ready} ready since {:.1} s, while {running} pods run",
                since.as_secs_f64()
            )
        })
    }
}

/// Whether a container runs whose member does not speak for a majority. Learners never do.
fn is_silent(pod: &Pod) -> bool {
    let speaks = pod.member.as_ref().is_some_and(|member| {
        let list = member.list.as_ref();
        member.learner || list.is_some_and(|list| list.linearizable)
    });
    pod.running && !speaks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, voter};

    fn claims(at: u64, ready: u32) -> Observation {
        let mut look = look(at, 10, &[voter(1)], &[1]);
        if let Some(resource) = &mut look.resource {
            resource.ready = ready;
        }
        look
    }

    #[test]
    fn a_claim_that_lasts_is_a_violation() {
        let mut rule = ReadyIsTrue::default();
        assert_eq!(rule.judge(&claims(1, 3)), None);
        assert_eq!(rule.judge(&claims(4, 3)), None);
        let evidence = rule.judge(&claims(5, 3)).expect("a violation");
        assert!(
            evidence.contains("3 ready since 1.0 s, while 1 pods run"),
            "{evidence}"
        );
    }

    #[test]
    fn an_operator_that_cannot_work_is_not_blamed() {
        let mut rule = ReadyIsTrue::default();
        for at in [1, 4, 9] {
            let mut look = claims(at, 3);
            look.hindered = true;
            assert_eq!(rule.judge(&look), None);
        }
        assert_eq!(rule.judge(&claims(10, 3)), None);
        assert!(rule.judge(&claims(14, 3)).is_some());
    }

    #[test]
    fn who_has_to_wait_for_a_silent_member_gets_the_time_of_two_looks() {
        let mut rule = ReadyIsTrue::default();
        let silent = |at: u64| {
            let mut look = claims(at, 3);
            look.pods[0].member = None;
            look
        };
        for at in [1, 5, 13] {
            assert_eq!(rule.judge(&silent(at)), None);
        }
        assert!(rule.judge(&silent(14)).is_some());
        let mut rule = ReadyIsTrue::default();
        let unasked = |at: u64| Observation {
            asked: false,
            ..silent(at)
        };
        assert_eq!(rule.judge(&unasked(1)), None);
        assert!(rule.judge(&unasked(5)).is_some());
    }

    #[test]
    fn a_status_that_catches_up_in_time_is_fine() {
        let mut rule = ReadyIsTrue::default();
        for look in [claims(1, 3), claims(3, 1), claims(5, 3)] {
            assert_eq!(rule.judge(&look), None);
        }
    }
}
