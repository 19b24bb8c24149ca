//! The status never claims more than the truth.
//!
//! Statement: the number of ready members in the status does not exceed the number of pods that
//! run; after a pod stops, the status says so within [`GRACE`].
//! Source: the Go operator took READY from the StatefulSet's replicas and showed members that did
//! not exist; a status cannot change in the same instant as a pod, hence the grace. An operator that is kept
//! from its work cannot change it either.

use std::time::Duration;

use super::Invariant;
use crate::Observation;

/// Time that a status may lag behind a pod that stopped.
pub const GRACE: Duration = Duration::from_secs(3);

/// Remembers since when the status claims too much.
#[derive(Default)]
pub struct ReadyIsTrue {
    since: Option<Duration>,
}

impl Invariant for ReadyIsTrue {
    fn name(&self) -> &'static str {
        "READY is never above the pods that run"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
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
        (look.at.saturating_sub(since) > GRACE).then(|| {
            format!(
                "the status has said {ready} ready since {:.1} s, while {running} pods run",
                since.as_secs_f64()
            )
        })
    }
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
    fn a_status_that_catches_up_in_time_is_fine() {
        let mut rule = ReadyIsTrue::default();
        for look in [claims(1, 3), claims(3, 1), claims(5, 3)] {
            assert_eq!(rule.judge(&look), None);
        }
    }
}
