//! Refusals: what the server answers when it does not do what was asked.
//!
//! Owns: the reasons, their HTTP codes, their wording, and the `Status` object around them.
//! Always holds: code, reason and wording are those of a real API server.
//! Deliberately does not know: who asked.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::resource::Resource;

/// A refused request. Its text is the message of the `Status` object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, for example `NotFound`; empty when the real server gives none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    details: Option<Box<Value>>,
}

/// One field that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// For example `FieldValueInvalid`.
    pub reason: &'static str,
    /// Path of the field.
    pub field: String,
    /// What is wrong with it, without the path.
    pub message: String,
}

impl Cause {
    /// A field that must be there.
    pub fn required(field: impl Into<String>, detail: impl Display) -> Self {
        Self::new(
            "FieldValueRequired",
            field,
            with_detail("Required value", detail),
        )
    }

    /// A field whose value is not acceptable.
    pub fn invalid(field: impl Into<String>, value: impl Display, detail: impl Display) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {value}: {detail}"),
        )
    }

    /// A field whose value is none of the known ones.
    pub fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let known: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message = format!(
            "Unsupported value: {value:?}: supported values: {}",
            known.join(", ")
        );
        Self::new("FieldValueNotSupported", field, message)
    }

    /// A field that may not be set, or not be changed.
    pub fn forbidden(field: impl Into<String>, detail: impl Display) -> Self {
        Self::new(
            "FieldValueForbidden",
            field,
            with_detail("Forbidden", detail),
        )
    }

    /// A value that may be there only once.
    pub fn duplicate(field: impl Into<String>, value: impl Display) -> Self {
        Self::new(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {value}"),
        )
    }

    /// Any other cause, in the server's own words.
    pub fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: field.into(),
            message: message.into(),
        }
    }
}

fn list_causes(causes: &[Cause]) -> Vec<Value> {
    let list = |cause: &Cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field});
    causes.iter().map(list).collect()
}

fn with_detail(what: &str, detail: impl Display) -> String {
    let detail = detail.to_string();
    if detail.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {detail}")
    }
}

impl ApiError {
    /// There is no such object.
    #[must_use]
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, name)
    }

    /// There is nothing at this path.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_details(json!({}))
    }

    /// An object of that name is there already.
    #[must_use]
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{resource} \"{name}\" already exists"),
        )
        .about(resource, name)
    }

    /// The object is not in the state that the request relies on.
    #[must_use]
    pub fn conflict(resource: &Resource, name: &str, why: impl Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// The object was changed since the writer read it.
    #[must_use]
    pub fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// Not allowed in this state of the world.
    #[must_use]
    pub fn forbidden(resource: &Resource, name: &str, why: impl Display) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("{resource} \"{name}\" is forbidden: {why}"),
        )
        .about(resource, name)
    }

    /// Fields are not acceptable.
    #[must_use]
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = if texts.len() == 1 {
            texts.concat()
        } else {
            format!("[{}]", texts.join(", "))
        };
        let message = format!("{} \"{name}\" is invalid: {all}", resource.qualified_kind());
        let causes = list_causes(causes);
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".into(), name.into());
        }
        if !resource.group.is_empty() {
            details.insert("group".into(), resource.group.as_ref().into());
        }
        details.insert("kind".into(), resource.kind.as_ref().into());
        details.insert("causes".into(), causes.into());
        Self::new(422, "Invalid", message).with_details(details.into())
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// This resource cannot do that.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).with_details(json!({}))
    }

    /// The body is in a format that cannot be read here.
    #[must_use]
    pub fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// The body is larger than what is read.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// The parameters of a request contradict each other or cannot be read. `kind` is for example
    /// `ListOptions`.
    #[must_use]
    pub fn invalid_options(kind: &str, causes: &[Cause]) -> Self {
        let texts: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let all = if texts.len() == 1 {
            texts.concat()
        } else {
            format!("[{}]", texts.join(", "))
        };
        let message = format!("{kind}.meta.k8s.io \"\" is invalid: {all}");
        let details = json!({"group": "meta.k8s.io", "kind": kind, "causes": list_causes(causes)});
        Self::new(422, "Invalid", message).with_details(details)
    }

    /// A patch whose result is not an object of the kind.
    #[must_use]
    pub fn invalid_patch(shown: &str, why: &str) -> Self {
        let cause = Cause::invalid("patch", format!("{shown:?}"), why);
        let message = format!(" \"\" is invalid: patch: {}", cause.message);
        Self::new(422, "Invalid", message).with_details(json!({"causes": list_causes(&[cause])}))
    }

    /// The revision is no longer known.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The simulation does not have this. Fails loudly, so that nobody takes it for done.
    #[must_use]
    pub fn not_modelled(what: impl Display) -> Self {
        Self::new(501, "InternalError", format!("not modelled: {what}"))
    }

    /// A refusal with a code, a reason and a message.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    /// Adds the `details` of the `Status`.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    fn about(self, resource: &Resource, name: &str) -> Self {
        let mut details = Map::new();
        details.insert("name".into(), name.into());
        if !resource.group.is_empty() {
            details.insert("group".into(), resource.group.as_ref().into());
        }
        details.insert("kind".into(), resource.plural.as_ref().into());
        self.with_details(details.into())
    }

    /// The `details`, when there are any.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.details.as_deref()
    }

    /// Whether nothing at all is served at the path, so that the answer is no `Status`.
    pub(super) fn is_page_not_found(&self) -> bool {
        self.code == 404 && self.reason.is_empty()
    }

    /// Whether it says that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// Whether it says that the object has changed meanwhile.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// The `Status` object that a client gets.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        status
    }
}
