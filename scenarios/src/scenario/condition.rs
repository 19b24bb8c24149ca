//! A condition of the status: `available`, `progressing`, `degraded`.
//!
//! Owns: its words in files, and its name in the status.
//! Always holds: a condition prints as it is written.
//! Deliberately does not know: what makes it hold.

use std::{fmt, str::FromStr};

/// A condition of an EtcdCluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Clients can write.
    Available,
    /// The cluster is on its way to its spec.
    Progressing,
    /// Something is wrong.
    Degraded,
}

impl Condition {
    /// Its type in the status.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind().to_lowercase())
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Available, Self::Progressing, Self::Degraded];
        let found = all
            .into_iter()
            .find(|condition| condition.to_string() == text);
        found.ok_or_else(|| format!("`{text}` is not one of available, progressing, degraded"))
    }
}
