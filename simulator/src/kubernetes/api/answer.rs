//! What the server answers.
//!
//! Owns: the shape of an answer, and the forms in which a client can ask for objects.
//! Always holds: a finished answer is bytes; nothing in it refers back to the server.
//! Deliberately does not know: how the bytes travel.

use bytes::Bytes;
use serde_json::Value;

use super::{ApiError, watch::Watch};

/// A request: method, path with query, headers, and the whole body.
pub type Request = http::Request<Bytes>;

/// The answer to a request.
pub enum Answer {
    /// All of it.
    Reply(Reply),
    /// A stream of events that goes on.
    Watch(Box<Watch>),
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status code.
    pub code: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u64>,
}

impl Reply {
    /// A JSON body.
    #[must_use]
    pub fn json(code: u16, body: &Value) -> Self {
        Self::raw(code, "application/json", encode(body))
    }

    /// A plain text.
    #[must_use]
    pub fn text(code: u16, body: impl Into<String>) -> Self {
        Self::raw(code, "text/plain; charset=utf-8", Bytes::from(body.into()))
    }

    pub(super) fn raw(code: u16, content_type: &'static str, body: Bytes) -> Self {
        Self {
            code,
            content_type,
            body,
            warnings: Vec::new(),
            retry_after: None,
        }
    }

    /// The body as JSON; `null` when it is not JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl From<ApiError> for Reply {
    fn from(refusal: ApiError) -> Self {
        if refusal.is_page_not_found() {
            return Self::text(404, "404 page not found\n");
        }
        let retry = refusal
            .details()
            .and_then(|details| details["retryAfterSeconds"].as_u64());
        Self {
            retry_after: retry,
            ..Self::json(refusal.code, &refusal.status())
        }
    }
}

impl Answer {
    /// The HTTP status code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Reply(reply) => reply.code,
            Self::Watch(_) => 200,
        }
    }
}

/// JSON text of a value.
pub(super) fn encode(value: &Value) -> Bytes {
    serde_json::to_vec(value)
        .expect("a JSON value always has a text")
        .into()
}

/// The form in which a client wants objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// A `Table` whose rows carry this much of their object.
    Table(Included),
}

/// What the rows of a table carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Included {
    Nothing,
    Metadata,
    Object,
}

impl Form {
    /// The first form in an `Accept` header that the server has.
    pub(super) fn negotiate(accept: &str, include: Option<&str>) -> Result<Self, ApiError> {
        let included = match include {
            Some("None") => Included::Nothing,
            Some("Object") => Included::Object,
            _ => Included::Metadata,
        };
        if accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        let forms = accept
            .split(',')
            .filter_map(|range| Self::of_range(range, included));
        forms.into_iter().next().ok_or_else(|| {
            if accept.starts_with("application/json") {
                let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
                return ApiError::new(406, "NotAcceptable", message);
            }
            let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
            ApiError::new(406, "NotAcceptable", message).with_details(serde_json::json!({}))
        })
    }

    fn of_range(range: &str, included: Included) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        if !matches!(parts.next()?, "application/json" | "*/*" | "application/*") {
            return None;
        }
        let (mut form, mut version) = (Some(Self::Whole), "v1");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match (name, value) {
                ("as", "Table") => form = Some(Self::Table(included)),
                ("as", "PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    form = Some(Self::Metadata);
                }
                ("as", _) => form = None,
                ("v", wanted) => version = wanted,
                _ => {}
            }
        }
        form.filter(|_| version == "v1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_the_server_has_is_taken() {
        let table = Form::Table(Included::Metadata);
        for (accept, expected) in [
            ("", Some(Form::Whole)),
            ("*/*", Some(Form::Whole)),
            ("application/json", Some(Form::Whole)),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Some(Form::Whole),
            ),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                Some(table),
            ),
            (
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some(Form::Whole),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Some(Form::Metadata),
            ),
            ("application/vnd.kubernetes.protobuf", None),
            ("text/html", None),
        ] {
            assert_eq!(Form::negotiate(accept, None).ok(), expected, "{accept}");
        }
    }
}
