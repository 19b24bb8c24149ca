//! Resource quantities such as `1Gi` and `500m`.
//!
//! Owns: reading them, and comparing them.
//! Always holds: equal amounts compare equal whatever their suffix.
//! Deliberately does not know: rewriting into the canonical form; quantities stay as written.

/// Whether the text is a quantity.
pub(super) fn is_valid(text: &str) -> bool {
    nanos(text).is_some()
}

/// The amount in billionths.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
    let (number, suffix) = text.split_at(split.unwrap_or(text.len()));
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let amount = whole.checked_mul(1_000_000_000)?.checked_add(fraction)?;
    let (multiplier, divisor) = scale(suffix)?;
    Some(sign * (amount.checked_mul(multiplier)? / divisor))
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if let Some(power) = binary.iter().position(|known| *known == suffix) {
        return Some((1 << (10 * (power + 1)), 1));
    }
    let exponent = match suffix {
        "" => 0,
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => suffix.strip_prefix(['e', 'E'])?.parse().ok()?,
    };
    let power = |exponent: i32| 10_i128.checked_pow(exponent.unsigned_abs());
    if exponent < 0 {
        Some((1, power(exponent)?))
    } else {
        Some((power(exponent)?, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_compare_whatever_their_suffix() {
        for (one, other) in [
            ("1Gi", "1024Mi"),
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1e3", "1k"),
            ("2E", "2000P"),
        ] {
            assert_eq!(nanos(one).unwrap(), nanos(other).unwrap(), "{one} {other}");
        }
        assert!(nanos("2Gi") > nanos("1.5Gi"));
        assert!(nanos("-1") < nanos("0"));
    }

    #[test]
    fn what_is_no_quantity_is_not_taken_for_one() {
        for text in ["", "lots", "1 Gi", "1GiB", "--1", "1.2.3", "."] {
            assert_eq!(nanos(text), None, "{text:?}");
        }
    }
}
