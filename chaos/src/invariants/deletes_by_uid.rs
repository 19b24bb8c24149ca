//! Nothing is deleted by its name alone.
//!
//! Statement: every deletion that the operator asks for names the UID of what it means.
//! Source: Sieve (OSDI 2022), "time travel": an operator that acts on what was deletes the object
//! that has the same name now (zookeeper-operator #312, rabbitmq #648, cass-operator #412).
//! Kubernetes refuses a deletion whose precondition does not hold.

use super::Invariant;
use crate::Observation;

/// Has no memory: a look tells all that was sent so far.
pub struct DeletesByUid;

impl Invariant for DeletesByUid {
    fn name(&self) -> &'static str {
        "no deletion without a UID precondition"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        look.misdeeds.first().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misdeed_is_a_violation() {
        let mut look = Observation::default();
        assert_eq!(DeletesByUid.judge(&look), None);
        look.misdeeds.push("/api/v1/pods/demo-1".to_owned());
        assert!(DeletesByUid.judge(&look).is_some());
    }
}
