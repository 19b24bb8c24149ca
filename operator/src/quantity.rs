//! Amounts as Kubernetes writes them: `1536Mi`, `0.5`, `500m`.
//!
//! Owns: reading and comparing them.
//! Always holds: exact; an amount is a whole number of thousandths.
//! Deliberately does not know: what is measured.
//! Source: Kubernetes' `apimachinery/pkg/api/resource`, "Quantity".

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What one unit of each suffix is worth, in thousandths.
const SUFFIXES: [(&str, i128); 14] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
    ("", 1000),
];

/// Thousandths, rounded up as Kubernetes does. None when the text is no amount that this reads:
/// exponents (`1e3`) and fractions below a thousandth are not.
#[must_use]
pub fn thousandths(quantity: &Quantity) -> Option<i128> {
    let text = quantity.0.as_str();
    let (number, scale) = SUFFIXES
        .iter()
        .find_map(|(suffix, scale)| Some((text.strip_suffix(suffix)?, *scale)))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole)
        || !digits(fraction)
        || whole.len() + fraction.len() == 0
        || fraction.len() > 15
    {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let divisor = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let part: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let total = whole
        .checked_mul(divisor)?
        .checked_add(part)?
        .checked_mul(scale)?;
    Some(total.div_euclid(divisor) + i128::from(total.rem_euclid(divisor) > 0))
}

/// Whole units, rounded down: bytes of memory.
#[must_use]
pub fn units(quantity: &Quantity) -> Option<i128> {
    thousandths(quantity).map(|amount| amount / 1000)
}

/// Whether one amount is less than another. What cannot be read is not less than anything.
#[must_use]
pub fn less(one: &Quantity, other: &Quantity) -> bool {
    match (thousandths(one), thousandths(other)) {
        (Some(one), Some(other)) => one < other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i128> {
        thousandths(&Quantity(text.to_owned()))
    }

    #[test]
    fn amounts_are_exact_whatever_their_suffix() {
        for (text, expected) in [
            ("1", 1000),
            ("500m", 500),
            ("0.5", 500),
            ("1.5Gi", 1536 * 1024 * 1024 * 1000),
            ("1Gi", 1_073_741_824_000),
            ("2k", 2_000_000),
            ("0", 0),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_not_read() {
        for text in ["", "Gi", "1e3", "-1", "1.2.3", "one", "1 Gi", "."] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_compare_by_what_they_are_worth() {
        let amount = |text: &str| Quantity(text.to_owned());
        assert!(less(&amount("1G"), &amount("1Gi")));
        assert!(!less(&amount("1024Mi"), &amount("1Gi")));
        assert!(!less(&amount("rubbish"), &amount("1Gi")));
    }
}
