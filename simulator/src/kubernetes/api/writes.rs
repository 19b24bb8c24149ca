//! The verbs that write: create, update, patch, delete.
//!
//! Owns: reading the body of such a request, and the answer to it.
//! Always holds: the object in the body is the one that the path names.
//! Deliberately does not know: what a write does; see `create`, `update`, `delete`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    ApiError, ApiServer, Cause, Resource,
    answer::{Answer, Form, Reply},
    delete::{DeleteOptions, Deleted, Propagation},
    json, metadata,
    patching::PatchKind,
    protobuf,
    query::Query,
    resource::is_built_in,
    rest::{Call, Target},
    types::{Types, decode::decode},
    views,
    write::{Writer, Written, check_type},
};

/// Kinds that an update creates when they are not there.
const CREATED_BY_UPDATE: [&str; 3] = ["leases.coordination.k8s.io", "endpoints", "events"];

/// What Go reads first of every object.
const TYPE_META: &str = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

const BODIES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

impl ApiServer {
    pub(super) fn answer_create(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        if target.r.namespaced && target.namespace.is_none() {
            return Err(ApiError::method_not_allowed());
        }
        let manager = call.manager();
        let mut writer = call.writer(&manager)?;
        let object = self.body(call, &target.r, &mut writer)?;
        let object = in_place(target, object)?;
        let written = self.create_as(&writer, &target.r, object)?;
        self.written(call, &target.r, 201, written)
    }

    pub(super) fn answer_update(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let manager = call.manager();
        let mut writer = call.writer(&manager)?;
        let object = self.body(call, &target.r, &mut writer)?;
        let name = target.name();
        if metadata::name(&object).is_empty() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
        let object = in_place(target, object)?;
        let there = self
            .store
            .get(&target.r.id, target.namespace(), name)
            .is_some();
        if !there && CREATED_BY_UPDATE.contains(&&*target.r.id) && target.subresource.is_empty() {
            let written = self.create_as(&writer, &target.r, object)?;
            return self.written(call, &target.r, 201, written);
        }
        if there && !target.r.unconditional_update && metadata::resource_version(&object).is_empty()
        {
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                "0",
                "must be specified for an update",
            );
            // A real server names the resource here, not the kind.
            let named = Resource {
                kind: target.r.plural.clone(),
                ..(*target.r).clone()
            };
            return Err(ApiError::invalid(&named, name, &[cause]));
        }

        let written = self.update_as(&writer, &target.r, &target.subresource, object)?;
        self.written(call, &target.r, 200, written)
    }

    pub(super) fn answer_patch(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let kind = PatchKind::of_media_type(&target.r, call.media_type())?;
        let manager = call.manager();
        if kind == PatchKind::Apply && call.query.get("fieldManager").is_none() {
            return Err(manager_required());
        }
        if kind != PatchKind::Apply && call.query.get("force").is_some() {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            return Err(ApiError::invalid_options("PatchOptions", &[cause]));
        }
        let mut writer = call.writer(&manager)?;
        let patch = match kind {
            PatchKind::Apply => {
                json::parse(call.request.body(), call.media_type(), &target.r.kind)?
            }
            _ => json::parse_patch(call.request.body())?,
        };
        writer.duplicates = patch.duplicates;
        let live = self
            .store
            .get(&target.r.id, target.namespace(), target.name())
            .cloned();
        let live = live.map(|live| views::outward(&target.r, &live));
        if kind == PatchKind::Apply {
            return self.answer_apply(call, target, &mut writer, live.as_deref(), patch.value);
        }
        let live = live.ok_or_else(|| ApiError::not_found(&target.r, target.name()))?;
        let patched = self.patched(&target.r, kind, &live, &patch.value)?;
        let patched = in_place(target, patched)?;
        self.check_patched(&target.r, &patched)?;
        let written = self.update_as(&writer, &target.r, &target.subresource, patched)?;
        self.written(call, &target.r, 200, written)
    }

    /// A patch whose result is no object of the kind is told differently from such a body.
    fn check_patched(&self, r: &Resource, patched: &Value) -> Result<(), ApiError> {
        let Some(of) = Types::built_in().of_kind(&r.api_version(), &r.kind) else {
            return Ok(());
        };
        match decode(&mut patched.clone(), of) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(ApiError::invalid_patch(
                &patched.to_string(),
                &wrong.to_string(),
            )),
        }
    }

    fn answer_apply(
        &mut self,
        call: &Call,
        target: &Target,
        writer: &mut Writer,
        live: Option<&Value>,
        applied: Value,
    ) -> Result<Answer, ApiError> {
        let r = &target.r;
        if ["apiVersion", "kind"]
            .iter()
            .any(|field| applied[*field].as_str().is_none_or(str::is_empty))
        {
            return Err(ApiError::bad_request("invalid object type: /, Kind="));
        }
        if live.is_none() && !target.subresource.is_empty() {
            return Err(ApiError::not_found(r, target.name()));
        }
        let given = (
            metadata::namespace(&applied).to_owned(),
            metadata::name(&applied).to_owned(),
        );
        let text = |field: &str| applied[field].as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if (version.as_str(), kind.as_str()) != (r.api_version().as_str(), &*r.kind) {
            let version = if version.contains('/') {
                version
            } else {
                format!("/{version}")
            };
            let why = format!("invalid object type: {version}, Kind={kind}");
            return Err(ApiError::bad_request(why));
        }
        let mut applied = in_place(target, applied)?;
        check_type(r, &mut applied)?;
        if live.is_none() {
            // There is nothing yet that it could be compared with.
            metadata::of(&mut applied).remove("resourceVersion");
        }
        keep_own_part(r, &target.subresource, &mut applied);
        let force = call.query.flag("force");
        let merged = self
            .merge_applied(writer, r, &target.subresource, live, &applied, force)
            .map_err(|refusal| name_patch(r, (&given.0, &given.1), refusal))?;
        writer.tracked = true;
        if live.is_some() {
            let written = self.update_as(writer, r, &target.subresource, merged)?;
            return self.written(call, r, 200, written);
        }
        if !metadata::uid(&applied).is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                metadata::uid(&applied)
            );
            return Err(ApiError::conflict(r, target.name(), why));
        }
        let written = self.create_as(writer, r, merged)?;
        self.written(call, r, 201, written)
    }

    pub(super) fn answer_delete(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        let options = delete_options(call)?;
        let manager = call.manager();
        let writer = Writer {
            dry_run: options.dry_run,
            ..call.writer(&manager)?
        };
        let place = (target.namespace(), target.name());
        match self.delete_as(&writer, &target.r, place, &options.options)? {
            Deleted::Gone(object) if !target.r.returns_deleted => {
                Ok(Reply::json(200, &success(&target.r, &object)).into())
            }
            Deleted::Gone(object) => self.show(call, &target.r, 200, &object),
            Deleted::Marked(object) => self.show(
                call,
                &target.r,
                if options.accepted_only { 202 } else { 200 },
                &object,
            ),
        }
    }

    pub(super) fn answer_delete_collection(
        &mut self,
        call: &Call,
        target: &Target,
    ) -> Result<Answer, ApiError> {
        if matches!(target.r.id.as_ref(), "namespaces" | "services") && target.namespace.is_none() {
            return Err(ApiError::method_not_allowed());
        }
        let options = delete_options(call)?;
        let manager = call.manager();
        let writer = Writer {
            dry_run: options.dry_run,
            ..call.writer(&manager)?
        };
        let selector = self.selector(&call.query, target)?;
        let listed = self.list_as(
            &target.r,
            target.namespace.as_deref(),
            &selector,
            &Query::default(),
        )?;
        // They are shown as they were listed, not as they went.
        let mut deleted = Vec::new();
        for object in listed.objects {
            let place = (metadata::namespace(&object), metadata::name(&object));
            match self.delete_as(&writer, &target.r, place, &options.options) {
                Ok(_) => deleted.push(views::outward(&target.r, &object)),
                Err(refusal) if refusal.is_not_found() => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let objects = deleted.iter().map(AsRef::as_ref);
        let body = self
            .renderer(call, &target.r)?
            .list(call.now, &target.r, &listed.meta, objects);
        Ok(Reply::raw(200, "application/json", body).into())
    }

    /// The object in the body.
    pub(super) fn body(
        &self,
        call: &Call,
        r: &Resource,
        writer: &mut Writer,
    ) -> Result<Value, ApiError> {
        if call.media_type() == protobuf::MEDIA_TYPE
            && let Err(wrong) = protobuf::to_json(call.request.body())
            && !matches!(wrong, protobuf::Unreadable::UnknownKind { .. })
        {
            return Err(json::unrecognized(call.request.body(), &r.kind, wrong));
        }
        if !matches!(call.media_type(), "application/json" | "application/yaml") {
            return Err(ApiError::unsupported_media_type(BODIES));
        }
        let parsed = json::parse(call.request.body(), call.media_type(), &r.kind)?;
        writer.duplicates = parsed.duplicates;
        if !parsed.value.is_object() {
            let found = type_name(&parsed.value);
            let why = format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type {TYPE_META}"
            );
            return Err(json::unrecognized(call.request.body(), &r.kind, why));
        }
        for (field, name) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
            let missing = parsed.value[field].as_str().is_none_or(str::is_empty);
            if missing && !is_built_in(r) {
                let text = String::from_utf8_lossy(call.request.body());
                let why = format!("Object '{name}' is missing in '{text}'");
                return Err(json::unrecognized(call.request.body(), &r.kind, why));
            }
        }
        Ok(parsed.value)
    }

    pub(super) fn written(
        &self,
        call: &Call,
        r: &Resource,
        code: u16,
        written: Written,
    ) -> Result<Answer, ApiError> {
        let answer = self.show(call, r, code, &written.object)?;
        Ok(match answer {
            Answer::Reply(reply) => Reply {
                warnings: written.warnings,
                ..reply
            }
            .into(),
            other @ Answer::Watch(_) => other,
        })
    }

    fn show(
        &self,
        call: &Call,
        r: &Resource,
        code: u16,
        object: &Arc<Value>,
    ) -> Result<Answer, ApiError> {
        let mut renderer = self.renderer(call, r)?;
        if code == 202 {
            renderer.form = Form::Whole;
        }
        let body = renderer.object(call.now, &views::outward(r, object));
        Ok(Reply::raw(code, "application/json", body).into())
    }
}

/// What Go calls the type of a value that it cannot take.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Object(_) => "object",
        Value::Number(_) | Value::Null => "number",
    }
}

/// Puts the object where the path says, and refuses one that says otherwise.
pub(super) fn in_place(target: &Target, mut object: Value) -> Result<Value, ApiError> {
    if !matches!(object["metadata"], Value::Null | Value::Object(_)) {
        let found = type_name(&object["metadata"]);
        let kind = &target.r.kind;
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: json: cannot unmarshal {found} into Go struct field {kind}.metadata of type v1.ObjectMeta",
            target.r.version
        )));
    }
    let metadata = metadata::of(&mut object);
    for (field, wanted) in [("namespace", &target.namespace), ("name", &target.name)] {
        let Some(wanted) = wanted else { continue };
        let given = metadata
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if given.is_empty() {
            metadata.insert(field.to_owned(), wanted.as_str().into());
        } else if given != wanted {
            let why = match field {
                "name" => format!(
                    "the name of the object ({given}) does not match the name on the URL ({wanted})"
                ),
                _ => "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
            };
            return Err(ApiError::bad_request(why));
        }
    }
    Ok(object)
}

/// Says which object was to be applied, in the words in which the body named it.
fn name_patch(r: &Resource, (namespace, name): (&str, &str), refusal: ApiError) -> ApiError {
    if refusal.code != 500 {
        return refusal;
    }
    let message = format!(
        "failed to create typed patch object ({namespace}/{name}; {}/{}, Kind={}): {}",
        r.group, r.version, r.kind, refusal.message
    );
    ApiError::new(500, "", message)
}

/// An apply through one endpoint says nothing about the part that belongs to the other.
fn keep_own_part(r: &Resource, subresource: &str, applied: &mut Value) {
    let fields = metadata::fields(applied);
    match subresource {
        "status" => {
            fields.retain(|name, _| {
                matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status")
            });
        }
        _ if r.status => drop(fields.remove("status")),
        _ => {}
    }
}

struct ParsedDeleteOptions {
    options: DeleteOptions,
    dry_run: bool,
    /// Whether an object that stays for now is answered with `202 Accepted`.
    accepted_only: bool,
}

fn delete_options(call: &Call) -> Result<ParsedDeleteOptions, ApiError> {
    let body = call.request.body();
    let given = if body.is_empty() {
        Value::Null
    } else {
        json::parse_options(body, call.media_type())?
    };
    let grace = match given["gracePeriodSeconds"].as_i64() {
        Some(seconds) => Some(seconds),
        None => call.query.number("gracePeriodSeconds")?,
    };
    let policy = given["propagationPolicy"]
        .as_str()
        .or(call.query.get("propagationPolicy"));
    let orphan = given["orphanDependents"].as_bool();
    if let (Some(policy), Some(_)) = (policy, orphan) {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        let cause = Cause::invalid("propagationPolicy", format!("{policy:?}"), why);
        return Err(ApiError::invalid_options("DeleteOptions", &[cause]));
    }
    let propagation = match (policy, orphan) {
        (Some("Background"), _) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, Some(false)) => Some(Propagation::Background),
        (None, None) => None,
        (Some(other), _) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            let cause = Cause::unsupported("propagationPolicy", other, &known);
            return Err(ApiError::invalid_options("DeleteOptions", &[cause]));
        }
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let options = DeleteOptions {
        grace_period_seconds: grace,
        propagation,
        uid: text(&given["preconditions"]["uid"]),
        resource_version: text(&given["preconditions"]["resourceVersion"]),
    };
    let dry_run = given["dryRun"]
        .as_array()
        .is_some_and(|dry| !dry.is_empty());
    Ok(ParsedDeleteOptions {
        options,
        dry_run: dry_run || call.query.is_dry_run("DeleteOptions")?,
        accepted_only: orphan == Some(false),
    })
}

fn success(r: &Resource, object: &Value) -> Value {
    let mut details = json!({
        "name": metadata::name(object), "kind": r.plural, "uid": metadata::uid(object),
    });
    if !r.group.is_empty() {
        details["group"] = r.group.as_ref().into();
    }
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details,
    })
}

fn manager_required() -> ApiError {
    let cause = Cause::required("fieldManager", "is required for apply patch");
    ApiError::invalid_options("PatchOptions", &[cause])
}
