//! etcd versions and what follows from them.
//!
//! Owns: parsing, ordering, and the table of what a version can do.
//! Deliberately does not know: which versions a cluster runs.

use std::{fmt, str::FromStr};

/// A release of etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtcdVersion {
    /// 3.
    pub major: u16,
    /// 5 or 6.
    pub minor: u16,
    /// From 0.
    pub patch: u16,
}

/// Text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {text:?} is not of the form MAJOR.MINOR.PATCH, such as 3.5.21")]
pub struct NotAVersion {
    text: String,
}

impl EtcdVersion {
    /// Whether `--max-learners` exists: it came with 3.6, where its experimental name was dropped.
    #[must_use]
    pub fn has_max_learners(self) -> bool {
        (self.major, self.minor) >= (3, 6)
    }

    /// Learners that a cluster of this version may have at once when created by this operator.
    #[must_use]
    pub fn learner_limit(self) -> usize {
        if self.has_max_learners() { 2 } else { 1 }
    }

    /// Whether `/livez` and `/readyz` exist (backported to 3.5.11).
    #[must_use]
    pub fn has_livez(self) -> bool {
        self >= Self {
            major: 3,
            minor: 5,
            patch: 11,
        }
    }
}

impl FromStr for EtcdVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bad = || NotAVersion {
            text: text.to_owned(),
        };
        let mut parts = text
            .split('.')
            .map(|part| part.parse::<u16>().map_err(|_| bad()));
        let mut next = || parts.next().ok_or_else(bad)?;
        let version = Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        };
        if parts.next().is_some() {
            Err(bad())
        } else {
            Ok(version)
        }
    }
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_prints_as_it_was_read() {
        for text in ["3.5.21", "3.6.0"] {
            assert_eq!(
                text.parse::<EtcdVersion>().map(|v| v.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in ["", "3.5", "3.5.x", "3.5.1.2", "v3.5.1", "3..1", "-3.5.1"] {
            assert!(text.parse::<EtcdVersion>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn livez_is_there_from_3_5_11_on() {
        let has = |text: &str| {
            text.parse::<EtcdVersion>()
                .is_ok_and(EtcdVersion::has_livez)
        };
        assert!(has("3.5.11") && has("3.6.0"));
        assert!(!has("3.5.10"));
    }
}
