//! Which fields of `self` a rule names, and whether there are such.
//!
//! Always holds: a rule that reaches for a field that the schema does not have is refused with
//! its CRD, as a typo would otherwise show up with the first object only.
//! Deliberately does not know: the types of operators and functions.

use kube_cel::cel::{
    IdedExpr,
    common::ast::{Expr, operators},
};

use super::cel_value;
use crate::kubernetes::schema::structural::schema::{Schema, Type};

/// What the schema says about an expression.
enum Known<'a> {
    /// The value of this schema; `object` when it is a whole object with metadata.
    Value { schema: &'a Schema, object: bool },
    /// Not a place of the schema: a computed value, or one that has no schema.
    Nothing,
}

/// # Errors
/// The first field that does not exist, or a rule that is no condition, in the words of the real
/// compiler.
pub(super) fn check(rule: &IdedExpr, schema: &Schema, object: bool) -> Result<(), String> {
    match known(rule, schema, object)? {
        Known::Value { schema, .. } if is_other_than_bool(schema) => {
            Err("cel expression must evaluate to a bool".to_owned())
        }
        _ => Ok(()),
    }
}

fn is_other_than_bool(schema: &Schema) -> bool {
    schema.kind.is_some_and(|kind| kind != Type::Boolean)
}

fn known<'a>(expr: &IdedExpr, root: &'a Schema, object: bool) -> Result<Known<'a>, String> {
    let visit = |expr| known(expr, root, object);
    match &expr.expr {
        Expr::Ident(name) if name == "self" || name == "oldSelf" => {
            return Ok(Known::Value {
                schema: root,
                object,
            });
        }
        Expr::Select(select) => {
            return match visit(&select.operand)? {
                Known::Value { schema, object } => field(schema, object, &select.field),
                Known::Nothing => Ok(Known::Nothing),
            };
        }
        Expr::Call(call) => {
            let operand = call.target.iter().map(AsRef::as_ref).chain(&call.args);
            let mut operands = Vec::new();
            for expr in operand {
                operands.push(visit(expr)?);
            }
            if let (operators::INDEX, Some(Known::Value { schema, .. })) =
                (call.func_name.as_str(), operands.first())
            {
                let below = schema.items.as_deref().or(schema.entries.schema());
                return Ok(below.map_or(Known::Nothing, value));
            }
        }
        Expr::List(list) => list
            .elements
            .iter()
            .try_for_each(|expr| visit(expr).map(drop))?,
        Expr::Comprehension(loop_) => {
            let parts = [
                &loop_.iter_range,
                &loop_.accu_init,
                &loop_.loop_cond,
                &loop_.loop_step,
                &loop_.result,
            ];
            parts
                .into_iter()
                .try_for_each(|expr| visit(expr).map(drop))?;
        }
        _ => {}
    }
    Ok(Known::Nothing)
}

fn value(schema: &Schema) -> Known<'_> {
    let object = schema.embedded_resource;
    Known::Value { schema, object }
}

fn field<'a>(schema: &'a Schema, object: bool, name: &str) -> Result<Known<'a>, String> {
    if object && ["apiVersion", "kind", "metadata"].contains(&name) {
        return Ok(Known::Nothing);
    }
    let mut properties = schema.properties.iter();
    if let Some((_, below)) = properties.find(|(field, _)| cel_value::escape(field) == name) {
        return Ok(value(below));
    }
    if let Some(below) = schema.entries.schema() {
        return Ok(value(below));
    }
    let anything = schema.kind != Some(Type::Object) || schema.properties.is_empty();
    if anything {
        return Ok(Known::Nothing);
    }
    Err(format!("compilation failed: undefined field '{name}'"))
}
