//! A version of etcd, such as `3.5.21`.
//!
//! Owns: the notation.
//! Always holds: a version prints as it was written.
//! Deliberately does not know: which versions a world can run.

use std::{fmt, str::FromStr};

/// A version of etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EtcdVersion {
    /// `3` in `3.5.21`.
    pub major: u32,
    /// `5` in `3.5.21`.
    pub minor: u32,
    /// `21` in `3.5.21`.
    pub patch: u32,
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for EtcdVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a version of etcd, like 3.5.21");
        let numbers: Vec<u32> = text
            .split('.')
            .map(|part| {
                let canonical = part == "0" || !part.starts_with('0');
                let digits = canonical && part.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| part.parse().ok()).flatten()
            })
            .collect::<Option<_>>()
            .ok_or_else(refuse)?;
        match numbers[..] {
            [major, minor, patch] => Ok(Self {
                major,
                minor,
                patch,
            }),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_prints_as_it_was_written() {
        assert_eq!(
            "3.6.16".parse::<EtcdVersion>().map(|v| v.to_string()),
            Ok("3.6.16".to_owned())
        );
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in [
            "", "3.5", "v3.5.21", "3.5.x", "3.5.21.1", "3.05.1", "3.5.+1", "3..1",
        ] {
            assert!(text.parse::<EtcdVersion>().is_err(), "{text}");
        }
    }
}
