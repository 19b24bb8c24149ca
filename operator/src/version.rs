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

/// The first release of 3.5 that 3.6 may follow. Before, members that were promoted from learner
/// can turn into learners again, and removed ones come back (etcd issues 19557, 20793 and 20967;
/// etcd's documentation, "Upgrade etcd from v3.5 to v3.6").
const LAST_STEP_IN_3_5: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 5,
    patch: 26,
};

/// Why a cluster may not go to the wanted version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefused {
    /// Back.
    #[error(
        "etcd cannot be downgraded: {from} has run and {to} is wanted; set spec.version to {from} or later"
    )]
    Downgrade {
        /// What has run.
        from: EtcdVersion,
        /// What is wanted.
        to: EtcdVersion,
    },
    /// Over a minor.
    #[error(
        "etcd is upgraded one minor at a time: {from} runs and {to} is wanted; set spec.version to a release of {}.{} first", from.major, from.minor + 1
    )]
    Skips {
        /// What runs.
        from: EtcdVersion,
        /// What is wanted.
        to: EtcdVersion,
    },
    /// To 3.6 from a 3.5 that is not ready for it.
    #[error(
        "etcd {to} may only follow {LAST_STEP_IN_3_5} or later and a member runs {from}: set spec.version to {LAST_STEP_IN_3_5} or a later 3.5 first"
    )]
    TooEarly {
        /// What runs.
        from: EtcdVersion,
        /// What is wanted.
        to: EtcdVersion,
    },
}

impl PathRefused {
    /// A stable word for conditions.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Downgrade { .. } => "DowngradeRefused",
            Self::Skips { .. } | Self::TooEarly { .. } => "UpgradePathRefused",
        }
    }
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

    /// May a cluster in which this version has run go on to another one? One minor at a time, and
    /// never back: etcd's documentation, "Upgrading etcd clusters".
    ///
    /// # Errors
    /// What speaks against it, and what to do instead.
    pub fn may_become(self, wanted: Self) -> Result<(), PathRefused> {
        let (from, to) = (self, wanted);
        if to < from {
            return Err(PathRefused::Downgrade { from, to });
        }
        if to.major > from.major || to.minor > from.minor + 1 {
            return Err(PathRefused::Skips { from, to });
        }
        if (to.minor, from.minor) == (6, 5) && from < LAST_STEP_IN_3_5 {
            return Err(PathRefused::TooEarly { from, to });
        }
        Ok(())
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
    fn versions_go_up_one_minor_at_a_time() {
        let may = |from: &str, to: &str| {
            let read = |text: &str| text.parse::<EtcdVersion>().expect("a version");
            read(from).may_become(read(to)).map_err(PathRefused::reason)
        };
        assert_eq!(may("3.5.21", "3.5.21"), Ok(()));
        assert_eq!(may("3.5.21", "3.5.30"), Ok(()));
        assert_eq!(may("3.5.26", "3.6.0"), Ok(()));
        assert_eq!(may("3.6.0", "3.7.0"), Ok(()));
        assert_eq!(may("3.5.25", "3.6.16"), Err("UpgradePathRefused"));
        assert_eq!(may("3.5.30", "3.7.0"), Err("UpgradePathRefused"));
        assert_eq!(may("3.5.30", "4.0.0"), Err("UpgradePathRefused"));
        assert_eq!(may("3.6.0", "3.5.30"), Err("DowngradeRefused"));
        assert_eq!(may("3.5.21", "3.5.20"), Err("DowngradeRefused"));
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
