//! Requests: from a path and a method to the work behind them.
//!
//! Owns: paths, verbs, and which verb of which subresource exists.
//! Always holds: every request gets an answer; a refused one changes nothing.
//! Deliberately does not know: sockets; and how each verb does its work.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;

use super::{
    ApiError, ApiServer, Resource,
    about::page_not_found,
    answer::{Answer, Form, Reply, Request, encode},
    protobuf,
    query::{Query, percent_decode},
    render::Renderer,
    table::Printer,
    write::Writer,
};

/// The largest body that is read: 3 MiB, as on a real server.
pub(super) const MAX_BODY: usize = 3 * 1024 * 1024;

const ENDPOINTS_ARE_OLD: &str =
    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) r: Arc<Resource>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: String,
}

/// One request, read.
pub(super) struct Call<'a> {
    pub(super) now: Timestamp,
    pub(super) request: &'a Request,
    pub(super) query: Query,
}

impl<'a> Call<'a> {
    pub(super) fn header(&self, name: &str) -> &'a str {
        let value = self.request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The media type of the body, without parameters.
    pub(super) fn media_type(&self) -> &'a str {
        let value = self
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if value.is_empty() {
            "application/json"
        } else {
            value
        }
    }

    /// The program that calls: the first word of its user agent.
    pub(super) fn agent(&self) -> &'a str {
        agent(self.request)
    }

    /// Who will own the fields that this call writes.
    pub(super) fn manager(&self) -> Cow<'_, str> {
        self.query
            .get("fieldManager")
            .unwrap_or_else(|| self.agent())
            .into()
    }

    pub(super) fn writer<'w>(&self, manager: &'w str) -> Result<Writer<'w>, ApiError> {
        let options = match *self.request.method() {
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            Method::DELETE => "DeleteOptions",
            _ => "CreateOptions",
        };
        Ok(Writer {
            dry_run: self.query.is_dry_run(options)?,
            validation: self.query.field_validation(options)?,
            ..Writer::new(self.now, manager)
        })
    }
}

/// The program behind a request, by its user agent.
pub(super) fn agent(request: &Request) -> &str {
    let value = request.headers().get(http::header::USER_AGENT);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split('/')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("unknown")
}

impl ApiServer {
    /// Answers a request.
    pub fn handle(&mut self, now: Timestamp, request: &Request) -> Answer {
        let in_json = in_json(request);
        let request = in_json.as_ref().unwrap_or(request);
        let call = Call {
            now,
            request,
            query: Query::parse(request.uri().query()),
        };
        let answer = self.route(&call);
        answer.unwrap_or_else(|refusal| Answer::Reply(refusal.into()))
    }

    fn route(&mut self, call: &Call) -> Result<Answer, ApiError> {
        let path = call.request.uri().path();
        if call.request.body().len() > MAX_BODY {
            return Err(ApiError::too_large(MAX_BODY));
        }
        if let Some(reply) = self.about_itself(call, path)? {
            self.count(call.agent(), format!("get {}", first_segments(path)));
            return Ok(Answer::Reply(reply));
        }
        if let Some(reply) = self.answer_review(call, path)? {
            self.count(call.agent(), format!("create {}", first_segments(path)));
            return Ok(Answer::Reply(reply));
        }
        let target = self.target(path)?;
        let verb = verb(call, &target);
        let subresource = match target.subresource.as_str() {
            "" => String::new(),
            subresource => format!("/{subresource}"),
        };
        self.count(call.agent(), format!("{verb} {}{subresource}", target.r));
        let mut answer = self.perform(call, &target, verb)?;
        if let Answer::Reply(reply) = &mut answer
            && target.r.id == "endpoints"
        {
            reply.warnings.push(ENDPOINTS_ARE_OLD.to_owned());
        }
        Ok(answer)
    }

    fn perform(&mut self, call: &Call, target: &Target, verb: &str) -> Result<Answer, ApiError> {
        match (verb, target.subresource.as_str()) {
            ("get", "" | "status") => self.get_as(call, target),
            ("list", "") => self.answer_list(call, target),
            ("watch", "") => self.answer_watch(call, target),
            ("create", "") => self.answer_create(call, target),
            ("update", "" | "status" | "finalize") => self.answer_update(call, target),
            ("patch", "" | "status") => self.answer_patch(call, target),
            ("delete", "") => self.answer_delete(call, target),
            ("deletecollection", "") => self.answer_delete_collection(call, target),
            (_, "scale") => self.answer_scale(call, target, verb),
            ("create", "eviction") => self.answer_eviction(call, target),
            ("create", "binding") => self.answer_binding(call, target),
            ("get", "log") => self.answer_log(call, target),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    /// What a path of a resource is about.
    fn target(&self, path: &str) -> Result<Target, ApiError> {
        let segments: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(percent_decode)
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(page_not_found()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, plural, ..]
                if !(group.is_empty() && ["status", "finalize"].contains(plural)) =>
            {
                (Some((*namespace).to_owned()), &rest[2..])
            }
            _ => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, None, ""),
            [plural, name] => (*plural, Some((*name).to_owned()), ""),
            [plural, name, subresource] => (*plural, Some((*name).to_owned()), *subresource),
            _ => return Err(ApiError::unknown_path()),
        };
        let r = self.registry.find(group, version, plural).ok_or_else(|| {
            let served = self.registry.all().any(|r| r.group == group);
            if served {
                ApiError::unknown_path()
            } else {
                page_not_found()
            }
        })?;
        if !has_subresource(r, subresource)? || (namespace.is_some() && !r.namespaced) {
            return Err(ApiError::unknown_path());
        }
        if r.namespaced && namespace.is_none() && name.is_some() {
            return Err(ApiError::unknown_path());
        }
        let subresource = subresource.to_owned();
        Ok(Target {
            r: Arc::clone(r),
            namespace,
            name,
            subresource,
        })
    }

    /// Shows objects of this resource in the form that the caller wants.
    pub(super) fn renderer(&self, call: &Call, r: &Resource) -> Result<Renderer, ApiError> {
        let form = Form::negotiate(call.header("accept"), call.query.get("includeObject"))?;
        let printer = match self.registry.custom(r) {
            Some(version) => Printer::custom(&version.columns),
            None => Printer::built_in(r),
        };
        Ok(Renderer { form, printer })
    }
}

/// The same request with its body in JSON, if it comes in protobuf. A kind that has no such form
/// stays as it is, and is refused like any other media type that its resource does not take.
fn in_json(request: &Request) -> Option<Request> {
    let content_type = request.headers().get(CONTENT_TYPE);
    let is_protobuf = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(';').next() == Some(protobuf::MEDIA_TYPE));
    if !is_protobuf || request.method() == Method::PATCH || request.body().is_empty() {
        return None;
    }
    match protobuf::to_json(request.body()) {
        Ok(object) => {
            let mut converted = request.clone();
            let json = HeaderValue::from_static("application/json");
            converted.headers_mut().insert(CONTENT_TYPE, json);
            *converted.body_mut() = encode(&object);
            Some(converted)
        }
        // Told where it is known what the body should have been.
        Err(_) => None,
    }
}

fn verb(call: &Call, target: &Target) -> &'static str {
    let watches = call.query.flag("watch");
    match (call.request.method(), &target.name) {
        (&Method::GET, None) if watches => "watch",
        (&Method::GET, None) => "list",
        (&Method::GET, Some(_)) => "get",
        (&Method::POST, None) => "create",
        (&Method::POST, Some(_)) if !target.subresource.is_empty() => "create",
        (&Method::PUT, Some(_)) => "update",
        (&Method::PATCH, Some(_)) => "patch",
        (&Method::DELETE, Some(_)) => "delete",
        (&Method::DELETE, None) => "deletecollection",
        _ => "unknown",
    }
}

fn has_subresource(r: &Resource, subresource: &str) -> Result<bool, ApiError> {
    Ok(match (r.id.as_ref(), subresource) {
        (_, "") => true,
        (_, "status") => r.status,
        (_, "scale") => r.scale,
        ("namespaces", "finalize") | ("pods", "eviction" | "binding" | "log") => true,
        (
            "pods",
            "exec" | "attach" | "portforward" | "proxy" | "ephemeralcontainers" | "resize",
        )
        | ("services" | "nodes", "proxy")
        | ("serviceaccounts", "token") => {
            return Err(ApiError::not_modelled(format!("{r}/{subresource}")));
        }
        _ => false,
    })
}

fn first_segments(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').take(4).collect();
    segments.join("/")
}

impl Target {
    /// The namespace of the object, empty for one that has none.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}
