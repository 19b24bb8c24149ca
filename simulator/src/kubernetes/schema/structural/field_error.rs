//! A complaint about one field, worded as the real server words it.
//!
//! Owns: [`FieldError`] and paths as errors print them (`spec.members[1].labels[app]`).
//! Deliberately does not know: which status code a list of errors becomes (422 `Invalid`).

use std::fmt;

use serde_json::Value;

/// What kind of complaint; its name in a `Status` is [`ErrorKind::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The value is of the wrong type.
    TypeInvalid,
    /// The value is not acceptable.
    Invalid,
    /// The value is missing.
    Required,
    /// The value is none of those allowed.
    NotSupported,
    /// The value is there twice.
    Duplicate,
    /// The string is too long.
    TooLong,
    /// There are too many items.
    TooMany,
    /// The value may not be set, or not changed.
    Forbidden,
}

impl ErrorKind {
    /// The `reason` of the cause in a `Status`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Forbidden => "FieldValueForbidden",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::TypeInvalid | Self::Invalid => "Invalid value",
            Self::Required => "Required value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Forbidden => "Forbidden",
        }
    }

    /// Whether the text shows the bad value.
    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::TooLong | Self::Forbidden)
    }
}

/// A complaint about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field, `<nil>` for the object as a whole.
    pub field: String,
    /// What kind of complaint.
    pub kind: ErrorKind,
    /// The value as it is shown.
    value: String,
    detail: String,
}

impl FieldError {
    pub(super) fn new(
        path: &FieldPath,
        kind: ErrorKind,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: path.to_string(),
            kind,
            value: value.into().to_string(),
            detail: detail.into(),
        }
    }

    /// An invalid value, shown as it is given rather than as JSON.
    pub(super) fn shown(path: &FieldPath, value: String, detail: impl Into<String>) -> Self {
        Self {
            value,
            ..Self::new(path, ErrorKind::Invalid, Value::Null, detail)
        }
    }

    /// What real servers add when rules had to be left unchecked.
    pub(super) fn rules_not_checked() -> Self {
        let detail = "some validation rules were not checked because the object was invalid; \
                      correct the existing errors to complete validation";
        Self::new(&FieldPath::root(), ErrorKind::Invalid, Value::Null, detail)
    }

    /// Whether rules could stumble over the error.
    pub(super) fn blocks_rules(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::NotSupported
                | ErrorKind::Required
                | ErrorKind::TooLong
                | ErrorKind::TooMany
                | ErrorKind::TypeInvalid
        )
    }

    /// The complaint without the field: the `message` of the cause in a `Status`.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.kind.title().to_owned();
        if self.kind.shows_value() {
            message += &format!(": {}", self.value);
        }
        if !self.detail.is_empty() {
            message += &format!(": {}", self.detail);
        }
        message
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

/// Where a field is, in an object or in a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldPath(String);

impl FieldPath {
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The field of a struct.
    pub(super) fn field(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// The entry of a map.
    pub(super) fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The item of a list.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path as schema validation names it inside its messages; the root has no name there.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}
