//! A length of time as people write it: `500ms`, `60s`, `2m`, `1h`.
//!
//! Owns: the notation.
//! Always holds: a span prints in the largest unit that divides it, and parses back to itself.
//! Deliberately does not know: which clock it is measured on.

use std::{fmt, str::FromStr, time::Duration};

/// A length of time in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    millis: u64,
}

/// The longest span: a day. What takes longer is a mistake in the file.
const MAX_MILLIS: u64 = 24 * 3_600_000;

/// Units, largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// One second.
    pub const SECOND: Self = Self { millis: 1_000 };

    /// A span of so many milliseconds; `None` for zero and for more than a day.
    #[must_use]
    pub fn from_millis(millis: u64) -> Option<Self> {
        (1..=MAX_MILLIS)
            .contains(&millis)
            .then_some(Self { millis })
    }

    /// The span as the standard library has it.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, millis) in UNITS {
            if self.millis.is_multiple_of(millis) {
                return write!(f, "{}{unit}", self.millis / millis);
            }
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let refuse =
            || format!("`{text}` is not a duration between 1ms and 24h, like 500ms, 60s, 2m or 1h");
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let (_, millis) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(refuse)?;
        number
            .checked_mul(*millis)
            .and_then(Self::from_millis)
            .ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_prints_in_the_largest_unit_that_divides_it() {
        for (text, printed) in [
            ("1500ms", "1500ms"),
            ("90s", "90s"),
            ("60s", "1m"),
            ("60m", "1h"),
        ] {
            assert_eq!(
                text.parse::<Span>().map(|span| span.to_string()),
                Ok(printed.to_owned())
            );
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_examples() {
        for text in [
            "",
            "5",
            "s",
            "5x",
            "-5s",
            "0s",
            "25h",
            "1.5s",
            "99999999999999999999s",
        ] {
            let refused = text.parse::<Span>().expect_err(text);
            assert!(refused.contains("like 500ms, 60s, 2m or 1h"), "{refused}");
        }
    }
}
