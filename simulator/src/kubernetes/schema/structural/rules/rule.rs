//! One CEL rule.
//!
//! Owns: compilation, evaluation, and the wording of what is reported.
//! Always holds: a rule uses only functions that exist here; a rule that cannot be evaluated
//! counts as broken.
//! Deliberately does not know: the cost budget; types are checked when a rule runs, not before.

use std::cell::OnceCell;

use kube_cel::cel::{Context, ExecutionError, Program, Value as CelValue};
use serde_json::Value;

use super::{
    cel_value, fields,
    library::{self, LIBRARY},
};
use crate::kubernetes::schema::structural::{
    field_error::{ErrorKind, FieldError, FieldPath},
    parse::{Place, SchemaError},
    schema::Schema,
};

/// A compiled rule.
#[derive(Debug)]
pub(in super::super) struct Rule {
    rule: String,
    message: String,
    message_expression: Option<Program>,
    kind: ErrorKind,
    field_path: String,
    optional_old_self: bool,
    program: Program,
    uses_old_self: bool,
    /// As in the CRD.
    source: Value,
}

/// What rules are evaluated on.
pub(super) struct Subject<'a> {
    pub(super) value: &'a Value,
    pub(super) old: Option<&'a Value>,
    pub(super) schema: &'a Schema,
    pub(super) is_object: bool,
    pub(super) path: &'a FieldPath,
    /// `value` and `old` as rules see them, made by the first rule and shared by all.
    pub(super) seen: OnceCell<(CelValue, Option<CelValue>)>,
}

impl Subject<'_> {
    fn seen(&self) -> &(CelValue, Option<CelValue>) {
        let convert = |value| {
            if self.is_object {
                cel_value::from_object(value, self.schema)
            } else {
                cel_value::from_json(value, Some(self.schema))
            }
        };
        self.seen
            .get_or_init(|| (convert(self.value), self.old.map(convert)))
    }
}

impl Rule {
    /// # Errors
    /// When the rule does not compile, or uses what is not modelled.
    pub(in super::super) fn parse(rule: &Value, place: &Place) -> Result<Self, SchemaError> {
        let text = |name| {
            rule.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .trim()
        };
        let source = text("rule");
        if source.is_empty() {
            return Err(place.child("rule").required("rule is not specified"));
        }
        let program = compile(source, rule, &place.child("rule"))?;
        let message_expression = match text("messageExpression") {
            "" => None,
            source => Some(compile(source, rule, &place.child("messageExpression"))?),
        };
        Ok(Self {
            rule: source.to_owned(),
            message: text("message").to_owned(),
            message_expression,
            kind: kind(text("reason"), place)?,
            field_path: normalize_path(text("fieldPath")),
            optional_old_self: rule.get("optionalOldSelf") == Some(&Value::Bool(true)),
            uses_old_self: program.references().has_variable("oldSelf"),
            program,
            source: rule.clone(),
        })
    }

    /// # Errors
    /// When the rule names a field that the schema does not have.
    pub(in super::super) fn check_fields(
        &self,
        schema: &Schema,
        is_object: bool,
        place: &Place,
    ) -> Result<(), SchemaError> {
        if self.optional_old_self {
            // Fields of an optional are not fields of a value.
            return Ok(());
        }
        fields::check(self.program.expression(), schema, is_object).map_err(|detail| {
            place
                .child("rule")
                .invalid_shown(show(&self.source), detail)
        })
    }

    /// What is reported when the subject breaks the rule.
    pub(super) fn check(&self, subject: &Subject<'_>) -> Option<FieldError> {
        if self.uses_old_self && subject.old.is_none() && !self.optional_old_self {
            return None;
        }
        let kind = subject.schema.kind.map_or("", |kind| kind.name());
        let context = self.context(subject);
        let path = subject.path;
        match self.program.execute(&context) {
            Ok(CelValue::Bool(true)) => None,
            // What is unchanged is forgiven, unless the change itself is what the rule judges.
            Ok(_) if !self.uses_old_self && subject.old == Some(subject.value) => None,
            Ok(_) => {
                let path = match self.field_path.as_str() {
                    "" => path.clone(),
                    below => path.field(below),
                };
                Some(FieldError::new(
                    &path,
                    self.kind,
                    kind,
                    self.message(&context),
                ))
            }
            Err(error) => {
                let name = if self.message.is_empty() {
                    &self.rule
                } else {
                    &self.message
                };
                let detail = format!("{} evaluating rule: {name}", reword(&error));
                Some(FieldError::new(path, ErrorKind::Invalid, kind, detail))
            }
        }
    }

    fn context(&self, subject: &Subject<'_>) -> Context<'static> {
        let (value, old) = subject.seen().clone();
        let mut context = LIBRARY.new_inner_scope();
        context.add_variable_from_value("self", value);
        if self.optional_old_self {
            context.add_variable_from_value("oldSelf", cel_value::optional(old));
        } else if let Some(old) = old {
            context.add_variable_from_value("oldSelf", old);
        }
        context
    }

    fn message(&self, context: &Context<'_>) -> String {
        let computed = self.message_expression.as_ref().and_then(|expression| {
            let Ok(CelValue::String(text)) = expression.execute(context) else {
                return None;
            };
            let text = text.trim();
            let usable = !text.is_empty() && !text.contains('\n') && text.len() <= 5 * 1024;
            usable.then(|| text.to_owned())
        });
        match computed {
            Some(text) => text,
            None if self.message.is_empty() => format!("failed rule: {}", self.rule),
            None => self.message.clone(),
        }
    }
}

fn compile(source: &str, rule: &Value, place: &Place) -> Result<Program, SchemaError> {
    let program = Program::compile(source)
        .map_err(|error| place.invalid_shown(show(rule), format!("compilation failed: {error}")))?;
    let references = program.references();
    let mut called: Vec<&str> = references.functions();
    called.sort_unstable();
    let unknown = called
        .iter()
        .find_map(|name| Some((name, library::find(name).err()?)));
    match unknown {
        None => Ok(program),
        Some((name, library::Missing::Here)) => {
            Err(place.not_modelled(format!("the CEL function {name:?}")))
        }
        Some((name, library::Missing::Everywhere)) => {
            let detail = format!("compilation failed: undeclared reference to '{name}'");
            Err(place.invalid_shown(show(rule), detail))
        }
    }
}

/// A rule as error texts show it.
fn show(rule: &Value) -> String {
    let text = |name| rule.get(name).cloned().unwrap_or_else(|| Value::from(""));
    let other = |name| rule.get(name).cloned().unwrap_or_default();
    format!(
        r#"{{"Rule":{},"Message":{},"MessageExpression":{},"Reason":{},"FieldPath":{},"OptionalOldSelf":{}}}"#,
        text("rule"),
        text("message"),
        text("messageExpression"),
        other("reason"),
        text("fieldPath"),
        other("optionalOldSelf"),
    )
}

fn kind(reason: &str, place: &Place) -> Result<ErrorKind, SchemaError> {
    match reason {
        "" | "FieldValueInvalid" => Ok(ErrorKind::Invalid),
        "FieldValueForbidden" => Ok(ErrorKind::Forbidden),
        "FieldValueRequired" => Ok(ErrorKind::Required),
        "FieldValueDuplicate" => Ok(ErrorKind::Duplicate),
        other => Err(place.child("reason").unsupported(
            other,
            &[
                "FieldValueDuplicate",
                "FieldValueForbidden",
                "FieldValueInvalid",
                "FieldValueRequired",
            ],
        )),
    }
}

/// `.a.b['c']` as `a.b[c]`.
fn normalize_path(path: &str) -> String {
    let path = path.strip_prefix('.').unwrap_or(path);
    path.replace("['", "[").replace("']", "]")
}

/// The errors that rules meet in practice, in the words of the real evaluator.
fn reword(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::IndexOutOfBounds(CelValue::Int(index)) => {
            format!("index out of bounds: {index}")
        }
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        other => other.to_string(),
    }
}
