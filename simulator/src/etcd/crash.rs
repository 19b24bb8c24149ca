//! Panics of etcd, as they are printed.
//!
//! Owns: what etcd prints around a panic: a line of its log, the message, the stack of the
//! goroutine. An operator that reads the end of a container's log sees just this.
//! Always holds: the texts in `crash/` were printed by etcd 3.5.21 and 3.6.16; only version, time,
//! path, message and addresses are filled in here.
//! Deliberately does not know: when etcd panics.

use std::fmt;

use super::version::Version;

/// Exit code of a Go program that panics.
pub(super) const EXIT_CODE: i32 = 2;

/// Why etcd panics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// The leader knows of more entries than the log has: its data was lost.
    LogLost { commit: u64, last: u64 },
    /// The file of the database is none.
    Database { path: String },
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogLost { commit, last } => write!(
                f,
                "tocommit({commit}) is out of range [lastIndex({last})]. Was the raft log \
                 corrupted, truncated, or lost?"
            ),
            Self::Database { .. } => f.write_str("failed to open database"),
        }
    }
}

impl Crash {
    /// Everything that is printed.
    pub(super) fn lines(&self, version: Version, time: impl fmt::Display) -> Vec<String> {
        let old = version < Version::new(3, 6, 0);
        let (template, path) = match self {
            Self::LogLost { .. } if old => (include_str!("crash/log_lost-3.5.txt"), ""),
            Self::LogLost { .. } => (include_str!("crash/log_lost-3.6.txt"), ""),
            Self::Database { path } if old => {
                (include_str!("crash/database-3.5.txt"), path.as_str())
            }
            Self::Database { path } => (include_str!("crash/database-3.6.txt"), path.as_str()),
        };
        template
            .replace("{version}", &version.to_string())
            .replace("{time}", &time.to_string())
            .replace("{path}", path)
            .replace("{message}", &self.to_string())
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_shows_why() {
        let crash = Crash::LogLost { commit: 9, last: 0 };
        for version in [Version::new(3, 5, 21), Version::new(3, 6, 16)] {
            let text = crash.lines(version, "now").join("\n");
            let end = &text[text.len() - 2000..];
            assert!(end.contains("\npanic: tocommit(9) is out of range [lastIndex(0)]. Was"));
            assert!(!text.contains("{message}") && !text.contains("{time}"));
        }
    }
}
