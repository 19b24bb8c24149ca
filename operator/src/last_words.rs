//! What a member that ended said last.
//!
//! Owns: the table from etcd's words to what has become of the member's data.
//! Always holds: only words that leave no doubt are in the table; etcd prints `discovery failed`
//! for any failed start, so it is never enough by itself.
//! Deliberately does not know: whether the member is needed.
//!
//! The words are those of etcd 3.5.21 and 3.6.16, taken from runs on damaged data directories; what
//! the kubelet keeps of them are the last 2048 bytes or 80 lines of the log (Kubernetes docs,
//! "Customizing the termination message"). `operator/tests/last_words` has them whole. A database
//! cut short ends in a bus error whose cause is not within those bytes: that member is known by
//! its crash loop only.

use std::fmt;

/// What last words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWords {
    /// The data directory was empty, so it tried to join, which a member that is known already may
    /// not.
    NoData,
    /// The log lacks entries that it had acknowledged.
    LogLost,
    /// The log cannot be read.
    LogCorrupt,
    /// The database cannot be read.
    DatabaseCorrupt,
    /// Its configuration file was not there.
    NoConfiguration,
}

const TABLE: [(&str, LastWords); 11] = [
    ("is out of range [lastIndex(", LastWords::LogLost),
    ("walpb: crc mismatch", LastWords::LogCorrupt),
    ("panic: cannot use none as id", LastWords::LogCorrupt),
    ("\"error\":\"invalid database\"", LastWords::DatabaseCorrupt),
    (
        "panic: failed to recover v3 backend from snapshot",
        LastWords::DatabaseCorrupt,
    ),
    (
        "failed to find database snapshot file",
        LastWords::DatabaseCorrupt,
    ),
    ("has already been bootstrapped", LastWords::NoData),
    ("member count is unequal", LastWords::NoData),
    ("no match found for existing member", LastWords::NoData),
    (
        "could not retrieve cluster information from the given URLs",
        LastWords::NoData,
    ),
    (
        "failed to verify flags\",\"error\":\"open ",
        LastWords::NoConfiguration,
    ),
];

impl LastWords {
    /// The first row of the table that the words match.
    #[must_use]
    pub fn of(message: &str) -> Option<Self> {
        TABLE
            .into_iter()
            .find(|(words, _)| message.contains(words))
            .map(|(_, meaning)| meaning)
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoData => "its data directory is empty",
            Self::LogLost => "its log lacks entries that it had acknowledged",
            Self::LogCorrupt => "its log is corrupt",
            Self::DatabaseCorrupt => "its database is corrupt",
            Self::NoConfiguration => "its configuration file was not there",
        })
    }
}
