//! Limits on single values: lengths, ranges, patterns, formats, enumerations.
//!
//! Always holds: a string gets at most one complaint about its length and pattern.
//! Deliberately does not know: nested values.

use serde_json::{Number, Value};

use super::Outcome;
use crate::kubernetes::schema::structural::{
    field_error::{ErrorKind, FieldError, FieldPath},
    schema::{Bound, Limits},
};

fn invalid(path: &FieldPath, value: impl Into<Value>, what: &str) -> FieldError {
    let detail = format!("{} in body should {what}", path.name());
    FieldError::new(path, ErrorKind::Invalid, value, detail)
}

pub(super) fn check_text(text: &str, limits: &Limits, path: &FieldPath, outcome: &mut Outcome) {
    outcome.check(check_length_and_pattern(text, limits, path));
    if let Some(format) = limits.format {
        let error = || {
            let name = path.name();
            let detail = format!("{name} in body must be of type {}: {text:?}", format.name);
            FieldError::new(path, ErrorKind::TypeInvalid, text, detail)
        };
        outcome.check((!format.accepts(text)).then(error));
    }
}

fn check_length_and_pattern(text: &str, limits: &Limits, path: &FieldPath) -> Option<FieldError> {
    let length = text.chars().count() as u64;
    if let Some(max) = limits.max_length.filter(|max| length > *max) {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {unit}");
        return Some(FieldError::new(
            path,
            ErrorKind::TooLong,
            Value::Null,
            detail,
        ));
    }
    if let Some(min) = limits.min_length.filter(|min| length < *min) {
        return Some(invalid(
            path,
            text,
            &format!("be at least {min} chars long"),
        ));
    }
    let pattern = limits.pattern.as_ref()?;
    if pattern.is_match(text) {
        return None;
    }
    Some(invalid(path, text, &format!("match '{pattern}'")))
}

pub(super) fn check_number(
    number: &Number,
    limits: &Limits,
    path: &FieldPath,
    outcome: &mut Outcome,
) {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let complain = |what: String| invalid(path, Value::Number(number.clone()), &what);
    if let Some(factor) = limits.multiple_of {
        let off = (value / factor).fract() != 0.0;
        outcome.check(off.then(|| complain(format!("be a multiple of {factor}"))));
    }
    if let Some(Bound {
        value: max,
        exclusive,
    }) = limits.maximum
    {
        let above = value > max || (exclusive && value >= max);
        let or_equal = if exclusive { "" } else { " or equal to" };
        outcome.check(above.then(|| complain(format!("be less than{or_equal} {max}"))));
    }
    if let Some(Bound {
        value: min,
        exclusive,
    }) = limits.minimum
    {
        let below = value < min || (exclusive && value <= min);
        let or_equal = if exclusive { "" } else { " or equal to" };
        outcome.check(below.then(|| complain(format!("be greater than{or_equal} {min}"))));
    }
}

pub(super) fn check_enum(value: &Value, limits: &Limits, path: &FieldPath) -> Option<FieldError> {
    let allowed = &limits.one_of_values;
    if allowed.is_empty() || allowed.contains(value) {
        return None;
    }
    let quoted: Vec<String> = allowed
        .iter()
        .map(|value| match value {
            Value::String(text) => format!("{text:?}"),
            other => format!("{:?}", other.to_string()),
        })
        .collect();
    let detail = format!("supported values: {}", quoted.join(", "));
    Some(FieldError::new(
        path,
        ErrorKind::NotSupported,
        value.clone(),
        detail,
    ))
}

pub(super) fn check_items(
    items: &[Value],
    limits: &Limits,
    path: &FieldPath,
    outcome: &mut Outcome,
) {
    let size = items.len() as u64;
    if let Some(min) = limits.min_items {
        let error = || invalid(path, size, &format!("have at least {min} items"));
        outcome.check((size < min).then(error));
    }
    if let Some(max) = limits.max_items {
        outcome.check((size > max).then(|| too_many(path, size, max)));
    }
}

pub(super) fn check_size(size: usize, limits: &Limits, path: &FieldPath, outcome: &mut Outcome) {
    let size = size as u64;
    if let Some(min) = limits.min_properties {
        let error = || invalid(path, size, &format!("have at least {min} properties"));
        outcome.check((size < min).then(error));
    }
    if let Some(max) = limits.max_properties {
        outcome.check((size > max).then(|| too_many(path, size, max)));
    }
}

fn too_many(path: &FieldPath, size: u64, max: u64) -> FieldError {
    let items = if max == 1 { "item" } else { "items" };
    let detail = format!("must have at most {max} {items}");
    FieldError::new(path, ErrorKind::TooMany, size, detail)
}
