//! Why a system refuses namespaces, and what its owner can do about it.
//!
//! Owns: the error of entering and its advice.
//! Always holds: a refusal names the setting that causes it, when the system shows one.
//! Deliberately does not know: how namespaces are made.

use std::{fmt::Write as _, fs, io};

use nix::errno::Errno;

/// A run could not get its own namespaces.
#[derive(Debug, thiserror::Error)]
pub enum CannotEnter {
    /// The system refused.
    #[error("failed to {step}: {source}{advice}")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// The answer of the system.
        source: io::Error,
        /// What to do, on lines of its own.
        advice: String,
    },
    /// Threads are running already.
    #[error(
        "failed to make namespaces: this process already runs threads; enter first thing in main"
    )]
    TooLate,
    /// The command could not be started again inside.
    #[error("failed to start this command again inside its namespaces: {source}")]
    Start {
        /// The answer of the system.
        source: io::Error,
    },
    /// The command that was called is gone, so nobody would clean up.
    #[error("failed to stay: the command that started this one has ended")]
    Orphan,
}

impl CannotEnter {
    pub(super) fn namespaces(errno: Errno) -> Self {
        match errno {
            Errno::EINVAL => Self::TooLate,
            errno => Self::step("make namespaces of its own", errno.into()),
        }
    }

    pub(super) fn step(step: &'static str, source: io::Error) -> Self {
        let refused = matches!(
            source.raw_os_error().map(Errno::from_raw),
            Some(Errno::EPERM | Errno::EACCES | Errno::ENOSPC)
        );
        let setting = |path: &str| fs::read_to_string(path).ok();
        let advice = if refused {
            advice(setting)
        } else {
            String::new()
        };
        Self::Refused {
            step,
            source,
            advice,
        }
    }
}

/// A setting that keeps ordinary users out: its name, the value that does, the one that does not.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "16384"),
];

fn advice(setting: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::from(
        "\nreal etcd processes need a network of their own, and this system does not let this user make one",
    );
    let mut found = false;
    for (name, closed, open) in SETTINGS {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        if setting(&path).is_some_and(|value| value.trim() == closed) {
            found = true;
            // Writing to a string does not fail.
            let _ = write!(text, "\n  {name} is {closed}: sudo sysctl -w {name}={open}");
        }
    }
    text.push_str("\n  or run this command as root");
    if !found {
        text.push_str("; in a container, start the container with --privileged");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_closes_the_door_is_named_with_its_remedy() {
        let text = advice(|path| {
            (path == "/proc/sys/kernel/apparmor_restrict_unprivileged_userns").then(|| "1\n".into())
        });
        assert!(
            text.contains("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
            "{text}"
        );
        assert!(!text.contains("unprivileged_userns_clone"), "{text}");
        assert!(text.contains("as root"), "{text}");
    }

    #[test]
    fn without_a_known_cause_the_container_is_suspected() {
        let text = advice(|_| None);
        assert!(text.contains("--privileged"), "{text}");
    }

    #[test]
    fn a_missing_file_brings_no_advice_on_permissions() {
        let shown = CannotEnter::step("mount", io::Error::from(Errno::ENOENT)).to_string();
        assert!(!shown.contains("as root"), "{shown}");
    }
}
