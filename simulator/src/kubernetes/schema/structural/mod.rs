//! The structural schema of a custom resource: defaults, pruning, validation.
//!
//! Owns: [`StructuralSchema`], made from the `openAPIV3Schema` of one version of a CRD.
//! Always holds: a schema that was accepted has valid patterns and compiled rules; errors come in
//! a fixed order.
//! Deliberately does not know: the built-in metadata rules (names, labels), list sizes, the cost
//! budget of CEL rules.

mod correlation;
mod defaults;
mod field_error;
mod formats;
mod list_types;
mod object_meta;
mod parse;
mod prune;
mod rules;
mod schema;
mod values;

use serde_json::Value;

pub use field_error::{ErrorKind, FieldError};
pub use parse::SchemaError;

use self::{field_error::FieldPath, schema::Schema};

/// What a custom resource may look like.
#[derive(Debug)]
pub struct StructuralSchema {
    root: Schema,
}

impl StructuralSchema {
    /// Reads the `openAPIV3Schema` of one version of a CRD.
    ///
    /// # Errors
    /// When the real server would refuse the schema, or when it asks for something that is not
    /// modelled.
    pub fn from_crd(open_api_v3_schema: &Value) -> Result<Self, SchemaError> {
        let root = parse::root(open_api_v3_schema)?;
        Ok(Self { root })
    }

    /// Fills in defaults, and drops nulls where null is no value and there is no default.
    pub fn default(&self, object: &mut Value) {
        defaults::drop_nulls(object, Some(&self.root));
        defaults::fill(object, &self.root);
    }

    /// Drops fields that the schema does not have and returns their paths in order, worded as in
    /// `unknown field "spec.foo"`.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut dropped = object_meta::prune(object, &self.root);
        dropped.extend(prune::prune(object, &self.root));
        dropped
    }

    /// Everything that is wrong with an object, given what it was before if it is an update.
    /// What was already wrong in an unchanged part is not held against an update.
    #[must_use]
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = values::validate(object, old, &self.root);
        let root = FieldPath::root();
        errors.extend(object_meta::validate_embedded(object, &self.root, &root));
        if old.is_none_or(|old| list_types::validate(old, &self.root, &root).is_empty()) {
            errors.extend(list_types::validate(object, &self.root, &root));
        }
        if rules::any(&self.root) {
            if errors.iter().any(FieldError::blocks_rules) {
                errors.push(FieldError::rules_not_checked());
            } else {
                errors.extend(rules::validate(object, old, &self.root));
            }
        }
        errors
    }
}
