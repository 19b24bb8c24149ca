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
    query::Query,
    rest::{Call, Target},
    views,
    write::{Writer, Written, check_type},
};

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
        let object = self.body(call, &mut writer)?;
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
        let object = in_place(target, self.body(call, &mut writer)?)?;
        let name = metadata::name(&object);
        if name.is_empty() {
            let why = "the name of the object (based on URL) was empty in the data";
            return Err(ApiError::bad_request(why));
        }
        let must_name = !target.r.unconditional_update && target.subresource.is_empty();
        if must_name && metadata::resource_version(&object).is_empty() {
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                "0",
                "must be specified for an update",
            );
            return Err(ApiError::invalid(&target.r, name, &[cause]));
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
        let mut writer = call.writer(&manager)?;
        let patch = json::parse(call.request.body(), call.media_type())?;
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
        let written = self.update_as(&writer, &target.r, &target.subresource, patched)?;
        self.written(call, &target.r, 200, written)
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
        let mut applied = in_place(target, applied)?;
        check_type(r, &mut applied)?;
        keep_own_part(r, &target.subresource, &mut applied);
        let force = call.query.flag("force");
        let merged = self.merge_applied(writer, r, &target.subresource, live, &applied, force)?;
        writer.tracked = true;
        if live.is_some() {
            let written = self.update_as(writer, r, &target.subresource, merged)?;
            return self.written(call, r, 200, written);
        }
        if !target.subresource.is_empty() {
            return Err(ApiError::not_found(r, target.name()));
        }
        if !metadata::uid(&applied).is_empty() {
            let why = format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: ",
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
            Deleted::Marked(object) => {
                let foreground = options.options.propagation == Some(Propagation::Foreground);
                self.show(call, &target.r, if foreground { 202 } else { 200 }, &object)
            }
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
        let mut deleted = Vec::new();
        for object in listed.objects {
            let place = (metadata::namespace(&object), metadata::name(&object));
            match self.delete_as(&writer, &target.r, place, &options.options) {
                Ok(Deleted::Gone(object) | Deleted::Marked(object)) => {
                    deleted.push(views::outward(&target.r, &object));
                }
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
    pub(super) fn body(&self, call: &Call, writer: &mut Writer) -> Result<Value, ApiError> {
        if !matches!(call.media_type(), "application/json" | "application/yaml") {
            return Err(ApiError::unsupported_media_type(BODIES));
        }
        let parsed = json::parse(call.request.body(), call.media_type())?;
        writer.duplicates = parsed.duplicates;
        for (field, name) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
            if parsed.value[field].as_str().is_none_or(str::is_empty) {
                let text = String::from_utf8_lossy(call.request.body());
                let why = format!("Object '{name}' is missing in '{text}'");
                return Err(ApiError::bad_request(why));
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

/// Puts the object where the path says, and refuses one that says otherwise.
pub(super) fn in_place(target: &Target, mut object: Value) -> Result<Value, ApiError> {
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
}

fn delete_options(call: &Call) -> Result<ParsedDeleteOptions, ApiError> {
    let body = call.request.body();
    let given = if body.is_empty() {
        Value::Null
    } else {
        json::parse(body, call.media_type())?.value
    };
    let grace = match given["gracePeriodSeconds"].as_i64() {
        Some(seconds) => Some(seconds),
        None => call
            .query
            .get("gracePeriodSeconds")
            .and_then(|text| text.parse().ok()),
    };
    let policy = given["propagationPolicy"]
        .as_str()
        .or(call.query.get("propagationPolicy"));
    let orphan = given["orphanDependents"].as_bool();
    let propagation = match (policy, orphan) {
        (Some("Background"), _) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, Some(false)) => Some(Propagation::Background),
        (None, None) => None,
        (Some(other), _) => {
            let why = format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            return Err(ApiError::new(422, "Invalid", why));
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
        dry_run: dry_run || call.query.is_dry_run()?,
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
    let why = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    ApiError::new(422, "Invalid", why)
}
