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

/// The first release of 3.5 that 3.6 may follow. Before, promotions were stored where 3.6 does not
/// look, so that voters turn into learners again (etcd issue 19557).
const BEFORE_3_6: EtcdVersion = EtcdVersion {
    major: 3,
    minor: 5,
    patch: 20,
};

/// The same for a cluster that was once started anew from a survivor: before, members that were
/// removed by that come back in 3.6 (etcd issue 20967).
const BEFORE_3_6_IF_RECOVERED: EtcdVersion = EtcdVersion {
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
        "etcd {to} may only follow {least} or later here and a member runs {from}: set spec.version to {least} or a later 3.5 first"
    )]
    TooEarly {
        /// What runs.
        from: EtcdVersion,
        /// What is wanted.
        to: EtcdVersion,
        /// The first release that may.
        least: EtcdVersion,
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
    /// never back: etcd's documentation, "Upgrading etcd clusters". `recovered` says whether the
    /// cluster was ever started anew from a survivor.
    ///
    /// # Errors
    /// What speaks against it, and what to do instead.
    pub fn may_become(self, wanted: Self, recovered: bool) -> Result<(), PathRefused> {
        let (from, to) = (self, wanted);
        if to < from {
            return Err(PathRefused::Downgrade { from, to });
        }
        if to.major > from.major || to.minor > from.minor + 1 {
            return Err(PathRefused::Skips { from, to });
        }
        let least = if recovered {
            BEFORE_3_6_IF_RECOVERED
        } else {
            BEFORE_3_6
        };
        if (to.minor, from.minor) == (6, 5) && from < least {
            return Err(PathRefused::TooEarly { from, to, least });
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
            read(from)
                .may_become(read(to), false)
                .map_err(PathRefused::reason)
        };
        assert_eq!(may("3.5.21", "3.5.21"), Ok(()));
        assert_eq!(may("3.5.21", "3.5.30"), Ok(()));
        assert_eq!(may("3.5.21", "3.6.0"), Ok(()));
        assert_eq!(may("3.6.0", "3.7.0"), Ok(()));
        assert_eq!(may("3.5.19", "3.6.16"), Err("UpgradePathRefused"));
        assert_eq!(may("3.5.30", "3.7.0"), Err("UpgradePathRefused"));
        assert_eq!(may("3.5.30", "4.0.0"), Err("UpgradePathRefused"));
        assert_eq!(may("3.6.0", "3.5.30"), Err("DowngradeRefused"));
        assert_eq!(may("3.5.21", "3.5.20"), Err("DowngradeRefused"));
    }

    #[test]
    fn a_recovered_cluster_goes_to_3_6_only_from_where_its_old_members_stay_out() {
        let read = |text: &str| text.parse::<EtcdVersion>().expect("a version");
        let may = |from: &str| read(from).may_become(read("3.6.16"), true).is_ok();
        assert!(!may("3.5.25"));
        assert!(may("3.5.26"));
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
