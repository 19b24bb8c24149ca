//! `scale`: the number of replicas, whatever the kind.
//!
//! Owns: reading and writing a `Scale` for built-in and custom kinds.
//! Always holds: writing a scale changes the replicas and nothing else.
//! Deliberately does not know: who acts on the number.

use serde_json::{Map, Value, json};

use crate::kubernetes::api::{
    ApiError, ApiServer, Cause, Resource,
    answer::{Answer, Reply},
    custom::ScalePaths,
    json, jsonpath, metadata,
    patching::PatchKind,
    resource::is_built_in,
    rest::{Call, Target},
    views,
    writes::in_place,
};

impl ApiServer {
    pub(in crate::kubernetes::api) fn answer_scale(
        &mut self,
        call: &Call,
        target: &Target,
        verb: &str,
    ) -> Result<Answer, ApiError> {
        let r = &target.r;
        let manager = call.manager();
        let mut writer = call.writer(&manager)?;
        // What is wrong with the body is told before what is not there.
        let given = match verb {
            "update" => in_place(target, self.body(call, r, &mut writer)?)?,
            _ => Value::Null,
        };
        let live = self
            .store
            .get(&r.id, target.namespace(), target.name())
            .ok_or_else(|| ApiError::not_found(r, target.name()))?;
        let live = views::outward(r, live);
        let paths = self.scale_paths(r);
        let scale = read(&paths, &live);
        let wanted = match verb {
            "get" => return Ok(Reply::json(200, &scale).into()),
            "update" => given,
            "patch" => match PatchKind::of_media_type(r, call.media_type())? {
                PatchKind::Apply => {
                    return Err(ApiError::not_modelled("server-side apply of scale"));
                }
                kind => {
                    let patch = json::parse_patch(call.request.body())?.value;
                    // A scale has no lists: merging it strategically is merging it.
                    let kind = if kind == PatchKind::Json {
                        kind
                    } else {
                        PatchKind::Merge
                    };
                    self.patched(r, kind, &scale, &patch)?
                }
            },
            _ => return Err(ApiError::method_not_allowed()),
        };
        let replicas = replicas(r, target.name(), &wanted)?;
        let mut object = (*live).clone();
        jsonpath::set_field(&mut object, &paths.spec, replicas.into());
        for field in ["resourceVersion", "uid"] {
            let given = Some(metadata::text(&wanted, field)).filter(|given| !given.is_empty());
            if let Some(given) = given {
                object["metadata"][field] = given.into();
            }
        }
        writer.tracked_as = Some("scale");
        let written = self.update_as(&writer, r, "", object)?;
        Ok(Reply::json(200, &read(&paths, &written.object)).into())
    }

    fn scale_paths(&self, r: &Resource) -> ScalePaths {
        let custom = self
            .registry
            .custom(r)
            .and_then(|version| version.scale.clone());
        custom.unwrap_or_else(|| ScalePaths {
            spec: "spec.replicas".to_owned(),
            status: "status.replicas".to_owned(),
            selector: None,
        })
    }
}

fn replicas(r: &Resource, name: &str, scale: &Value) -> Result<i64, ApiError> {
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => Some(0),
        given => given.as_i64().filter(|given| i32::try_from(*given).is_ok()),
    };
    let replicas = replicas.ok_or_else(|| {
        let given = &scale["spec"]["replicas"];
        ApiError::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {given} into Go struct field ScaleSpec.spec.replicas of type int32"
        ))
    })?;
    if replicas < 0 && is_built_in(r) {
        let cause = Cause::invalid(
            "spec.replicas",
            replicas,
            "must be greater than or equal to 0",
        );
        let scale = Resource {
            kind: "Scale".into(),
            group: "autoscaling".into(),
            ..r.clone()
        };
        return Err(ApiError::invalid(&scale, name, &[cause]));
    }
    Ok(replicas)
}

fn read(paths: &ScalePaths, object: &Value) -> Value {
    let number = |path: &str| {
        jsonpath::field(object, path)
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let mut meta = Map::new();
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = object["metadata"].get(field) {
            meta.insert(field.to_owned(), value.clone());
        }
    }
    let mut spec = Map::new();
    // Go leaves a zero out here.
    if let Some(replicas) = Some(number(&paths.spec)).filter(|replicas| *replicas != 0) {
        spec.insert("replicas".into(), replicas.into());
    }
    let mut status = json!({"replicas": number(&paths.status)});
    let selector = match &paths.selector {
        Some(path) => jsonpath::field(object, path)
            .and_then(Value::as_str)
            .map(str::to_owned),
        None => Some(selector_text(&object["spec"]["selector"])),
    };
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec,
        "status": status,
    })
}

fn selector_text(selector: &Value) -> String {
    let exact = selector["matchLabels"].as_object().into_iter().flatten();
    let exact = exact.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let expressions = expressions.map(|expression| {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = expression["values"].as_array().into_iter().flatten();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        match expression["operator"].as_str() {
            Some("Exists") => key.to_owned(),
            Some("DoesNotExist") => format!("!{key}"),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            _ => format!("{key} in ({})", values.join(",")),
        }
    });
    exact.chain(expressions).collect::<Vec<_>>().join(",")
}
