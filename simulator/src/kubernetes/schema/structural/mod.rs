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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_modelled_is_refused_loudly() {
        let rule = |rule: &str| json!([{"rule": rule}]);
        for (schema, what) in [
            (
                json!({"type": "string", "format": "isbn"}),
                "the format \"isbn\"",
            ),
            (
                json!({"type": "string", "x-kubernetes-validations": rule("self.optMap(x, x)")}),
                "the CEL function \"optMap\"",
            ),
        ] {
            let root = json!({"type": "object", "properties": {"spec": schema}});
            let error = StructuralSchema::from_crd(&root).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not modelled: {what}")), "{error}");
        }
    }

    #[test]
    fn rules_see_fields_by_their_escaped_names_and_the_name_of_the_object() {
        let schema = StructuralSchema::from_crd(&json!({
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "self.metadata.name == self.spec.my__dash__name", "message": "name"},
                {"rule": "self.spec.__namespace__ == 'n' && self.spec.a_b == 1", "message": "rest"},
            ],
            "properties": {"spec": {"type": "object", "properties": {
                "my-name": {"type": "string"},
                "namespace": {"type": "string"},
                "a_b": {"type": "integer"},
            }}},
        }))
        .unwrap();
        let mut object = json!({
            "apiVersion": "example.com/v1",
            "kind": "Thing",
            "metadata": {"name": "x"},
            "spec": {"my-name": "x", "namespace": "n", "a_b": 1},
        });
        assert_eq!(schema.validate(&object, None), []);
        object["spec"]["my-name"] = json!("y");
        let errors = schema.validate(&object, None);
        assert_eq!(
            errors[0].to_string(),
            "<nil>: Invalid value: \"object\": name"
        );
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn an_update_is_forgiven_what_was_wrong_before_and_did_not_change() {
        let schema = StructuralSchema::from_crd(&json!({
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {
                "a": {"type": "integer", "maximum": 1},
                "b": {"type": "integer"},
            }}},
        }))
        .unwrap();
        let old = json!({"spec": {"a": 5, "b": 1}});
        let new = |a: i64| json!({"spec": {"a": a, "b": 2}});
        assert_eq!(schema.validate(&new(5), Some(&old)), []);
        assert_eq!(schema.validate(&new(6), Some(&old)).len(), 1);
        assert_eq!(schema.validate(&new(5), None).len(), 1);
    }
}
