//! What is wrong with a schema, and where.
//!
//! Owns: [`SchemaError`].
//! Deliberately does not know: the rules that schemas must follow.

use serde_json::Value;

use crate::kubernetes::schema::structural::field_error::{ErrorKind, FieldError, FieldPath};

/// Why a schema is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The real server refuses it too.
    #[error("{path}: {problem}")]
    Invalid {
        /// The place in the schema, for example `openAPIV3Schema.properties[spec].type`; what is
        /// before it depends on the CRD's list of versions.
        path: String,
        /// For example `Required value: must not be empty for specified object fields`.
        problem: String,
    },
    /// The real server takes it; this one cannot.
    #[error("{path}: not modelled: {what}")]
    NotModelled {
        /// The place in the schema.
        path: String,
        /// What is asked for.
        what: String,
    },
}

impl From<FieldError> for SchemaError {
    fn from(error: FieldError) -> Self {
        Self::Invalid {
            problem: error.message(),
            path: error.field,
        }
    }
}

/// A place in a schema, for errors.
#[derive(Clone)]
pub(in super::super) struct Place(FieldPath);

impl Place {
    pub(super) fn root() -> Self {
        Self(FieldPath::root().field("openAPIV3Schema"))
    }

    pub(in super::super) fn child(&self, name: &str) -> Self {
        Self(self.0.field(name))
    }

    pub(in super::super) fn key(&self, name: &str) -> Self {
        Self(self.0.key(name))
    }

    pub(in super::super) fn invalid(
        &self,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Invalid, value, detail).into()
    }

    /// An invalid value that is shown as it is given.
    pub(in super::super) fn invalid_shown(
        &self,
        value: String,
        detail: impl Into<String>,
    ) -> SchemaError {
        FieldError::shown(&self.0, value, detail).into()
    }

    pub(in super::super) fn required(&self, detail: &str) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Required, Value::Null, detail).into()
    }

    pub(in super::super) fn forbidden(&self, detail: &str) -> SchemaError {
        FieldError::new(&self.0, ErrorKind::Forbidden, Value::Null, detail).into()
    }

    pub(in super::super) fn unsupported(&self, value: &str, supported: &[&str]) -> SchemaError {
        let quoted: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        FieldError::new(&self.0, ErrorKind::NotSupported, value, detail).into()
    }

    pub(in super::super) fn not_modelled(&self, what: impl Into<String>) -> SchemaError {
        SchemaError::NotModelled {
            path: self.0.to_string(),
            what: what.into(),
        }
    }

    /// Says of an error below this place where it is.
    pub(super) fn locate(&self, mut error: FieldError) -> SchemaError {
        error.field = match error.field.as_str() {
            "<nil>" => self.0.to_string(),
            below => self.0.field(below).to_string(),
        };
        error.into()
    }
}
