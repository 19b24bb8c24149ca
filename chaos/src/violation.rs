//! Something that must never happen, and did.
//!
//! Owns: the shape of that report.
//! Always holds: it names the rule that was broken and the evidence.
//! Deliberately does not know: the rules.

use std::{fmt, time::Duration};

use serde::Serialize;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Name of the rule.
    pub invariant: &'static str,
    /// When it was noticed, since the world began.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// What was seen.
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            invariant,
            at,
            evidence,
        } = self;
        write!(
            f,
            "{invariant}, noticed at {:.3} s: {evidence}",
            at.as_secs_f64()
        )
    }
}

fn millis<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(at.as_millis())
}
