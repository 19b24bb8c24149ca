//! Validation of values by the keywords of the schema.
//!
//! Owns: the walk along object and schema, and which errors an update is forgiven.
//! Always holds: every keyword that applies to a value is checked, in one fixed order.
//! Deliberately does not know: CEL rules, list types.

mod limits;

use serde_json::{Map, Value};

use super::{
    correlation,
    field_error::{ErrorKind, FieldError, FieldPath},
    schema::{Schema, Type},
};

/// Errors of a whole object.
pub(super) fn validate(object: &Value, old: Option<&Value>, root: &Schema) -> Vec<FieldError> {
    visit(object, old, root, &FieldPath::root()).errors
}

/// What came out of checking one value.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    errors: Vec<FieldError>,
    /// How many checks went well: among alternatives that all fail, the one that got furthest is
    /// reported.
    passed: usize,
}

impl Outcome {
    fn check(&mut self, error: Option<FieldError>) {
        match error {
            Some(error) => self.errors.push(error),
            None => self.passed += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.passed += other.passed;
    }
}

/// Checks a value; what an update leaves as it was is forgiven.
fn visit(value: &Value, old: Option<&Value>, schema: &Schema, path: &FieldPath) -> Outcome {
    let mut outcome = visit_anew(value, old, schema, path);
    if old == Some(value) {
        outcome.errors.clear();
    }
    outcome
}

fn visit_anew(value: &Value, old: Option<&Value>, schema: &Schema, path: &FieldPath) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.check(check_type(value, schema, path));
    if value.is_null() {
        outcome.check(limits::check_enum(value, &schema.limits, path));
        return outcome;
    }
    alternatives(value, old, schema, path, &mut outcome);
    match value {
        Value::String(text) => limits::check_text(text, &schema.limits, path, &mut outcome),
        Value::Number(number) => limits::check_number(number, &schema.limits, path, &mut outcome),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if let Some(below) = &schema.items {
                    let old = correlation::item(old, item, schema);
                    outcome.merge(visit(item, old, below, &path.index(i)));
                }
            }
            limits::check_items(items, &schema.limits, path, &mut outcome);
        }
        _ => {}
    }
    outcome.check(limits::check_enum(value, &schema.limits, path));
    if let Value::Object(fields) = value {
        check_fields(fields, old, schema, path, &mut outcome);
    }
    outcome
}

fn check_type(value: &Value, schema: &Schema, path: &FieldPath) -> Option<FieldError> {
    let types: Vec<Type> = match schema.kind {
        Some(kind) => vec![kind],
        None if schema.int_or_string => vec![Type::Integer, Type::String],
        None => return None,
    };
    let found = match value {
        Value::Null if schema.nullable => return None,
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() && !is_whole(number.as_f64()) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |kind: &Type| kind.name() == found || (*kind == Type::Number && found == "integer");
    if types.iter().any(fits) {
        return None;
    }
    let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
    let detail = format!(
        "{} in body must be of type {}: \"{found}\"",
        path.name(),
        names.join(",")
    );
    Some(FieldError::new(path, ErrorKind::TypeInvalid, found, detail))
}

fn is_whole(number: Option<f64>) -> bool {
    number.is_some_and(|number| number.fract() == 0.0)
}

fn check_fields(
    fields: &Map<String, Value>,
    old: Option<&Value>,
    schema: &Schema,
    path: &FieldPath,
    outcome: &mut Outcome,
) {
    limits::check_size(fields.len(), &schema.limits, path, outcome);
    for (name, value) in fields {
        let old = correlation::field(old, name);
        let path = path.field(name);
        if let Some(property) = schema.properties.get(name) {
            outcome.merge(visit(value, old, property, &path));
        } else if let Some(entry) = schema.entries.schema() {
            outcome.merge(visit(value, old, entry, &path));
        }
    }
    for name in &schema.limits.required {
        let missing = !fields.contains_key(name);
        let error = || FieldError::new(&path.field(name), ErrorKind::Required, Value::Null, "");
        outcome.check(missing.then(error));
    }
}

fn alternatives(
    value: &Value,
    old: Option<&Value>,
    schema: &Schema,
    path: &FieldPath,
    outcome: &mut Outcome,
) {
    let complaint = |what: String| {
        // These complaints name the place in their text only.
        let detail = format!("{:?} must {what}", path.name());
        FieldError::new(&FieldPath::root(), ErrorKind::Invalid, "", detail)
    };
    let check = |schema: &Schema| visit_anew(value, old, schema, path);
    if !schema.any_of.is_empty() {
        let outcomes: Vec<Outcome> = schema.any_of.iter().map(check).collect();
        if !outcomes.iter().any(|outcome| outcome.errors.is_empty()) {
            outcome
                .errors
                .push(complaint("validate at least one schema (anyOf)".into()));
            outcome.merge(best(outcomes));
        }
    }
    if !schema.one_of.is_empty() {
        let outcomes: Vec<Outcome> = schema.one_of.iter().map(check).collect();
        let valid = outcomes
            .iter()
            .filter(|outcome| outcome.errors.is_empty())
            .count();
        let found = match valid {
            1 => None,
            0 => Some("Found none valid".to_owned()),
            n => Some(format!("Found {n} valid alternatives")),
        };
        if let Some(found) = found {
            let what = format!("validate one and only one schema (oneOf). {found}");
            outcome.errors.push(complaint(what));
            if valid == 0 {
                outcome.merge(best(outcomes));
            }
        }
    }
    if !schema.all_of.is_empty() {
        let outcomes: Vec<Outcome> = schema.all_of.iter().map(check).collect();
        let valid = outcomes
            .iter()
            .filter(|outcome| outcome.errors.is_empty())
            .count();
        let all = outcomes.len();
        outcomes.into_iter().for_each(|other| outcome.merge(other));
        if valid < all {
            let none = if valid == 0 { ". None validated" } else { "" };
            outcome
                .errors
                .push(complaint(format!("validate all the schemas (allOf){none}")));
        }
    }
    if schema
        .not
        .as_deref()
        .is_some_and(|not| check(not).errors.is_empty())
    {
        outcome
            .errors
            .push(complaint("not validate the schema (not)".into()));
    }
}

/// The first of the alternatives with the most checks passed.
fn best(outcomes: Vec<Outcome>) -> Outcome {
    let mut best = Outcome::default();
    for (i, outcome) in outcomes.into_iter().enumerate() {
        if i == 0 || outcome.passed > best.passed {
            best = outcome;
        }
    }
    best
}
