//! How long ago something was, as a person reads it.
//!
//! Owns: the rounding that `kubectl` users know (`59s`, `2m3s`, `47h`, `3d4h`).
//! Always holds: a time in the future, by clock skew, reads as `0s`.
//! Deliberately does not know: where times come from.

use jiff::Timestamp;
use serde_json::Value;

/// The age of an object.
pub(super) fn of(now: Timestamp, object: &Value) -> Value {
    let created = object["metadata"]["creationTimestamp"].as_str();
    created.map_or("<unknown>".into(), |time| since(now, time).into())
}

/// The time since a moment given as text.
pub(super) fn since(now: Timestamp, time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => duration(now.duration_since(at).as_secs()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// A duration in at most two units.
pub(super) fn duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |big: i64, unit: char, small: i64, part: char| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{part}"),
    };
    match seconds {
        i64::MIN..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(hours / 24, 'd', hours % 24, 'h'),
        691_200..63_072_000 => format!("{}d", hours / 24),
        63_072_000..252_288_000 => two(hours / 24 / 365, 'y', hours / 24 % 365, 'd'),
        _ => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_read_as_in_kubectl() {
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_860, "3h1m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (864_000, "10d"),
            (-1, "0s"),
            (-5, "<invalid>"),
        ] {
            assert_eq!(super::duration(seconds), expected, "{seconds}");
        }
    }
}
