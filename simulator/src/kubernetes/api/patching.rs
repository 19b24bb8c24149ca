//! Patches, and who owns which field: the way into `schema`.
//!
//! Owns: which kinds of patch there are, and the refusals when one does not fit.
//! Always holds: the live object is not touched; a patched object goes through a normal update.
//! Deliberately does not know: how patches merge and how ownership works.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{
    ApiError, ApiServer, Resource, metadata,
    resource::{BUILT_INS, is_built_in},
    types::{Types, decode::decode},
    write::Writer,
    writes::type_name,
};
use crate::kubernetes::schema::{self, ApplyError, Conflict, Manager, PatchError, TypeSchema};

/// The kinds of patch, told apart by media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

const CUSTOM: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

impl PatchKind {
    pub(super) fn of_media_type(r: &Resource, media_type: &str) -> Result<Self, ApiError> {
        let built_in = is_built_in(r);
        match media_type {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if built_in => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            // The routes of built-in kinds refuse it before anybody who could say what is accepted.
            _ if built_in => {
                let message = "415: Unsupported Media Type";
                let refusal = ApiError::new(415, "UnsupportedMediaType", message);
                Err(refusal.with_details(json!({})))
            }
            _ => Err(ApiError::unsupported_media_type(CUSTOM)),
        }
    }
}

/// The shapes of the built-in kinds, made once.
fn built_in_shapes(r: &Resource) -> TypeSchema {
    static SHARED: OnceLock<Vec<(&'static Resource, TypeSchema)>> = OnceLock::new();
    let shapes = SHARED.get_or_init(|| {
        BUILT_INS
            .iter()
            .map(|r| (*r, TypeSchema::builtin(&r.group, &r.kind)))
            .collect()
    });
    let known = shapes
        .iter()
        .find(|(known, _)| known.id == r.id && known.group == r.group);
    known.map_or_else(TypeSchema::deduced, |(_, shape)| shape.clone())
}

impl ApiServer {
    fn shape(&self, r: &Resource) -> TypeSchema {
        match self.registry.custom(r) {
            Some(version) => version.shape.clone(),
            None => built_in_shapes(r),
        }
    }

    /// The object with the `managedFields` that it has after this write.
    pub(super) fn track(
        &self,
        writer: &Writer,
        r: &Resource,
        subresource: &str,
        live: Option<&Value>,
        object: &Value,
    ) -> Value {
        let manager = manager(writer, r, subresource);
        let mut tracked = schema::track_update(live, object, &manager, &self.shape(r));
        if let Some(live) = live {
            schema::restore_times(live, &mut tracked);
        }
        if subresource == "scale" {
            forget_times(&mut tracked);
        }
        tracked
    }

    /// The object after a server-side apply.
    pub(super) fn merge_applied(
        &self,
        writer: &Writer,
        r: &Resource,
        subresource: &str,
        live: Option<&Value>,
        applied: &Value,
        force: bool,
    ) -> Result<Value, ApiError> {
        check_declared(r, applied)?;
        let manager = manager(writer, r, subresource);
        schema::apply(live, applied, &manager, force, &self.shape(r)).map_err(|wrong| match wrong {
            ApplyError::Conflicts(ref conflicts) => conflict(wrong.to_string(), conflicts),
            ApplyError::Type(_) => ApiError::new(500, "", wrong.to_string()),
            ApplyError::ManagedFields => ApiError::bad_request(wrong.to_string()),
        })
    }

    /// The object after a patch of another kind.
    pub(super) fn patched(
        &self,
        r: &Resource,
        kind: PatchKind,
        live: &Value,
        patch: &Value,
    ) -> Result<Value, ApiError> {
        if kind != PatchKind::Json && !patch.is_object() {
            return Err(ApiError::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                type_name(patch)
            )));
        }
        let patched = match kind {
            PatchKind::Json => schema::json_patch(live, patch),
            PatchKind::Strategic => schema::strategic_merge_patch(live, patch, &self.shape(r)),
            PatchKind::Merge | PatchKind::Apply => Ok(schema::merge_patch(live, patch)),
        };
        patched.map_err(|wrong| match wrong {
            PatchError::Malformed(message) => ApiError::bad_request(message),
            PatchError::Unprocessable(message) => {
                ApiError::new(422, "Invalid", message).with_details(json!({}))
            }
            PatchError::Unmergeable(message) => ApiError::new(500, "", message),
        })
    }
}

/// Who writes a scale owns the replicas, and when is not noted.
fn forget_times(object: &mut Value) {
    let entries = object["metadata"]["managedFields"].as_array_mut();
    for entry in entries.into_iter().flatten() {
        if entry["subresource"] == "scale" {
            metadata::fields(entry).remove("time");
        }
    }
}

fn manager(writer: &Writer, r: &Resource, subresource: &str) -> Manager {
    Manager {
        name: writer.manager.to_owned(),
        subresource: subresource.to_owned(),
        api_version: r.api_version(),
        time: writer.now,
    }
}

fn conflict(message: String, conflicts: &[Conflict]) -> ApiError {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|conflict| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", conflict.manager),
                "field": conflict.field,
            })
        })
        .collect();
    ApiError::new(409, "Conflict", message).with_details(json!({"causes": causes}))
}

/// Refuses fields that the built-in type does not have: an apply has no way to drop them.
fn check_declared(r: &Resource, applied: &Value) -> Result<(), ApiError> {
    let Some(of) = Types::built_in().of_kind(&r.api_version(), &r.kind) else {
        return Ok(());
    };
    let Ok(unknown) = decode(&mut applied.clone(), of) else {
        // A wrong type is told by the decoding of the merged object.
        return Ok(());
    };
    let lines: Vec<String> = unknown
        .iter()
        .map(|path| format!(".{path}: field not declared in schema"))
        .collect();
    match lines.as_slice() {
        [] => Ok(()),
        [one] => Err(ApiError::new(500, "", one.as_str())),
        many => {
            let all = format!("errors:\n  {}", many.join("\n  "));
            Err(ApiError::new(500, "", all))
        }
    }
}
