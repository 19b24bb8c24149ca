//! Names of objects: which are acceptable, and making them up.
//!
//! Owns: the DNS-1123 and DNS-1035 rules with their wording, generated suffixes, uids.
//! Always holds: what is made up comes from the generator that is passed in.
//! Deliberately does not know: which rule a kind follows.

use rand::{Rng, rngs::SmallRng};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// The letters of generated suffixes: no vowels, so that no words come out.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const MAX_GENERATED: usize = 63 - 5;

/// What is wrong with a name that must be a DNS subdomain.
pub(super) fn subdomain(name: &str) -> Option<String> {
    if name.len() > 253 {
        return Some("must be no more than 253 characters".to_owned());
    }
    (!name.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned())
}

/// What is wrong with a name that must be a DNS label.
pub(super) fn label(name: &str) -> Option<String> {
    if name.len() > 63 {
        return Some("must be no more than 63 characters".to_owned());
    }
    if is_label(name) {
        return None;
    }
    // What is right but for its dots is told so.
    let dots_only = subdomain(name).is_none();
    Some(
        if dots_only {
            "must not contain dots"
        } else {
            LABEL
        }
        .to_owned(),
    )
}

/// What is wrong with a name that must be a DNS label of the older, stricter kind.
pub(super) fn label_1035(name: &str) -> Option<String> {
    if name.len() > 63 {
        return Some("must be no more than 63 characters".to_owned());
    }
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    (!starts || !is_label(name)).then(|| LABEL_1035.to_owned())
}

/// What is wrong with a name that must only fit in a path (roles and their bindings).
pub(super) fn path_segment(name: &str) -> Option<String> {
    if name == "." || name == ".." {
        return Some(format!("may not be '{name}'"));
    }
    ['/', '%']
        .into_iter()
        .find(|c| name.contains(*c))
        .map(|c| format!("may not contain '{c}'"))
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A name from `generateName`.
pub(super) fn generated(base: &str, rng: &mut SmallRng) -> String {
    let mut name: String = base.chars().take(MAX_GENERATED).collect();
    for _ in 0..5 {
        name.push(char::from(SUFFIX[rng.random_range(0..SUFFIX.len())]));
    }
    name
}

/// A random (version 4) UUID.
pub(super) fn uid(rng: &mut SmallRng) -> String {
    let bits: u128 = rng.random();
    let bits = (bits & !(0xf << 76) | (0x4 << 76)) & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for (name, as_subdomain, as_label, as_1035) in [
            ("demo-0", true, true, true),
            ("0-demo", true, true, false),
            ("a.b", true, false, false),
            ("a..b", false, false, false),
            ("Demo", false, false, false),
            ("-a", false, false, false),
            ("", false, false, false),
        ] {
            assert_eq!(
                subdomain(name).is_none(),
                as_subdomain,
                "subdomain {name:?}"
            );
            assert_eq!(label(name).is_none(), as_label, "label {name:?}");
            assert_eq!(label_1035(name).is_none(), as_1035, "1035 label {name:?}");
        }
    }

    #[test]
    fn uids_are_version_4_uuids_and_follow_the_seed() {
        let uid = |seed| super::uid(&mut SmallRng::seed_from_u64(seed));
        assert_eq!(uid(1), uid(1));
        assert_ne!(uid(1), uid(2));
        let (uid, lengths) = (uid(1), [8, 4, 4, 4, 12]);
        assert_eq!(uid.split('-').map(str::len).collect::<Vec<_>>(), lengths);
        assert_eq!(&uid[14..15], "4");
        assert!("89ab".contains(&uid[19..20]), "{uid}");
    }
}
