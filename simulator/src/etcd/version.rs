//! Versions of etcd, and how they differ where an operator can notice.
//!
//! Owns: the table of quirks; every difference between versions is a field of [`Quirks`].
//! Always holds: nothing else in the simulated etcd compares versions.
//! Deliberately does not know: what the quirks do; the code that asks does.

use std::{fmt, str::FromStr};

use tonic::Code;

/// A version of etcd, such as 3.5.21.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

/// A text that is not a version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {0:?} as a version: write it as MAJOR.MINOR.PATCH, for example 3.6.16")]
pub struct NotAVersion(String);

impl Version {
    /// A version from its three numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// What a cluster of this version calls its cluster version: `3.5.0`.
    #[must_use]
    pub const fn of_cluster(self) -> Self {
        Self { patch: 0, ..self }
    }

    /// The quirks of this version.
    #[must_use]
    pub fn quirks(self) -> Quirks {
        let since_36 = self >= Self::new(3, 6, 0);
        // A fix lands in each minor by its own patch release.
        let fixed = |in_35, in_36| match (self.major, self.minor) {
            (3, ..=4) => false,
            (3, 5) => self.patch >= in_35,
            (3, 6) => self.patch >= in_36,
            _ => true,
        };
        Quirks {
            add_needs_every_voter: !fixed(30, 11),
            update_drops_learner: !fixed(31, 12),
            learner_refusal: if since_36 {
                Code::FailedPrecondition
            } else {
                Code::Unavailable
            },
            max_learners_flag: since_36,
            livez_and_readyz: fixed(11, 0),
            health_has_reason: self >= Self::new(3, 5, 0),
            version_probe_is_bounded: since_36,
            names_the_bootstrap: since_36,
            tells_storage: since_36,
            snapshot_count: if since_36 { 10_000 } else { 100_000 },
            first_compaction: if since_36 { 100 } else { u64::MAX },
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAVersion(text.to_owned());
        let mut numbers = text
            .trim_start_matches('v')
            .split('.')
            .map(str::parse::<u16>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(wrong);
        let version = Self::new(next()?, next()?, next()?);
        if numbers.next().is_some() {
            Err(wrong())
        } else {
            Ok(version)
        }
    }
}

/// What differs from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// `member add` wants every voter connected for 5 s; later a quorum of the grown cluster
    /// (etcd-io/etcd pull requests 21667 and 21669).
    pub add_needs_every_voter: bool,
    /// `member update` of a learner turns it into a voter in the member list, though not in raft
    /// (etcd-io/etcd issue 21694).
    pub update_drops_learner: bool,
    /// The gRPC code of `rpc not supported for learner`.
    pub learner_refusal: Code,
    /// There is a flag `--max-learners`; before, the limit is 1.
    pub max_learners_flag: bool,
    /// `/livez` and `/readyz` exist.
    pub livez_and_readyz: bool,
    /// `/health` tells a reason.
    pub health_has_reason: bool,
    /// A joining member gives up on a silent peer's version after the request timeout (7 s);
    /// before, it waits for as long as the connection lives.
    pub version_probe_is_bounded: bool,
    /// The line before the last of a failed start is `bootstrap failed`, and not `failed to start
    /// etcd`.
    pub names_the_bootstrap: bool,
    /// Maintenance tells the storage version and the quota, and which revision a hash is of.
    pub tells_storage: bool,
    /// Default of `--snapshot-count`.
    pub snapshot_count: u64,
    /// Applied entries after which the log loses its first one, and everybody who joins needs a
    /// snapshot (`memorySnapshotCount` and `compactRaftLog` in etcd's `server.go`).
    pub first_compaction: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_as_it_prints() {
        assert_eq!(
            "3.5.21".parse::<Version>().map(|v| v.to_string()),
            Ok("3.5.21".to_owned())
        );
        assert!("3.5".parse::<Version>().is_err());
        assert!("3.5.1.1".parse::<Version>().is_err());
    }

    #[test]
    fn the_add_rule_was_relaxed_in_each_minor_by_its_own_patch() {
        let strict = |text: &str| {
            text.parse::<Version>()
                .expect("a version")
                .quirks()
                .add_needs_every_voter
        };
        assert!(strict("3.5.21") && strict("3.6.10"));
        assert!(!strict("3.5.30") && !strict("3.6.16"));
    }
}
