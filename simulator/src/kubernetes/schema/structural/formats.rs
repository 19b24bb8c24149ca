//! String formats that CRDs can ask for.
//!
//! Always holds: a format that real servers do not check is not checked here either; `int32` and
//! the like are such.
//! Deliberately does not know: formats that CRDs hardly use; they are refused as not modelled.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A format that is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// As in the schema.
    pub(super) name: &'static str,
    check: fn(&str) -> bool,
}

#[rustfmt::skip]
const CHECKED: &[Format] = &[
    Format {
        name: "date-time",
        check: is_date_time,
    },
    Format {
        name: "datetime",
        check: is_date_time,
    },
    Format {
        name: "date",
        check: is_date,
    },
    Format {
        name: "duration",
        check: is_duration,
    },
    Format {
        name: "byte",
        check: is_base64,
    },
    Format {
        name: "password",
        check: |_| true,
    },
    Format {
        name: "uuid",
        check: is_uuid,
    },
    Format {
        name: "ipv4",
        check: |text| text.parse::<Ipv4Addr>().is_ok(),
    },
    Format {
        name: "ipv6",
        check: |text| text.parse::<Ipv6Addr>().is_ok(),
    },
    Format {
        name: "cidr",
        check: is_cidr,
    },
    Format {
        name: "hostname",
        check: is_host_name,
    },
];

/// Formats that real servers check and this one does not.
const NOT_MODELLED: &[&str] = &[
    "bsonobjectid",
    "uri",
    "email",
    "mac",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
];

/// The check of a format, if it has one.
///
/// # Errors
/// When a real server would check and this one cannot.
pub(super) fn find(name: &str) -> Result<Option<Format>, String> {
    if NOT_MODELLED.contains(&name.replace('-', "").as_str()) {
        return Err(format!("the format {name:?}"));
    }
    Ok(CHECKED.iter().find(|format| format.name == name).copied())
}

impl Format {
    pub(super) fn accepts(self, text: &str) -> bool {
        (self.check)(text)
    }
}

fn is_date_time(text: &str) -> bool {
    text.contains(['T', 't']) && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// Numbers with a unit, as Go reads durations (`1h30m`, `22 ns`) with the longer units of Scala.
fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text == "0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = &rest[..rest.len() - number.len()];
        if digits.parse::<f64>().is_err() {
            return false;
        }
        let number = number.trim_start();
        let next = number.trim_start_matches(|c: char| c.is_alphabetic());
        if !is_unit(&number[..number.len() - next.len()]) {
            return false;
        }
        rest = next;
    }
    !text.is_empty()
}

fn is_unit(unit: &str) -> bool {
    let units = [
        "ns",
        "us",
        "µs",
        "μs",
        "ms",
        "s",
        "m",
        "h",
        "d",
        "w",
        "nano",
        "nanosecond",
        "micro",
        "microsecond",
        "milli",
        "millisecond",
        "sec",
        "second",
        "min",
        "minute",
        "hr",
        "hour",
        "day",
        "week",
    ];
    units.contains(&unit)
        || unit
            .strip_suffix('s')
            .is_some_and(|unit| units.contains(&unit))
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

fn is_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let dashes_fit = text.len() == 32
        || text
            .char_indices()
            .all(|(i, c)| c != '-' || [8, 13, 18, 23].contains(&i));
    digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()) && dashes_fit
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let bits: Option<u8> = bits.parse().ok();
    let fits = |most| bits.is_some_and(|bits| bits <= most);
    (address.parse::<Ipv4Addr>().is_ok() && fits(32))
        || (address.parse::<Ipv6Addr>().is_ok() && fits(128))
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.trim_end_matches('.').split('.').all(label)
}
