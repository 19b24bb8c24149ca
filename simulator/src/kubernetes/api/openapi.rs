//! OpenAPI v3 documents, one for each group and version.
//!
//! Owns: the documents that `kubectl explain` and server-side field validation look at.
//! Always holds: a document describes exactly the resources of its group and version, and every
//! schema that it refers to is in it.
//! Deliberately does not know: objects. Only what clients look at is here: schemas, and per path
//! the kind and the parameters of the operations.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    ApiError, ApiServer, Resource, about::page_not_found, answer::Reply, custom::CustomVersion,
    types::roots::descriptions,
};

impl ApiServer {
    pub(super) fn openapi_index(&self) -> Value {
        let paths: Map<String, Value> = self
            .served()
            .iter()
            .map(|((group, version), resources)| {
                let root = resources[0].root();
                let path = root.trim_start_matches('/').to_owned();
                // Clients cache by this hash; custom kinds can change, so it follows them.
                let hash = self.schema_hash(group, version);
                (
                    path,
                    json!({"serverRelativeURL": format!("/openapi/v3{root}?hash={hash:016X}")}),
                )
            })
            .collect();
        json!({"paths": paths})
    }

    pub(super) fn openapi_document(&self, group: &str, version: &str) -> Result<Reply, ApiError> {
        let served = self.served();
        let resources = served
            .get(&(group.to_owned(), version.to_owned()))
            .ok_or_else(page_not_found)?;
        let mut schemas = Map::new();
        let mut paths = Map::new();
        for r in resources {
            match self.registry.custom(r) {
                Some(version) => {
                    schemas.insert(custom_name(r), custom_schema(r, version));
                    include(
                        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
                        &mut schemas,
                    );
                }
                None => include_built_in(r, &mut schemas),
            }
            paths.extend(describe_paths(r));
        }
        let document = json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.34.4"},
            "paths": paths, "components": {"schemas": schemas},
        });
        Ok(Reply::json(200, &document))
    }

    fn schema_hash(&self, group: &str, version: &str) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let custom = self
            .registry
            .all()
            .filter(|r| r.group == group && r.version == version);
        for version in custom.filter_map(|r| self.registry.custom(r)) {
            for byte in version.openapi.to_string().bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    }
}

fn include_built_in(r: &Resource, schemas: &mut Map<String, Value>) {
    let key = (r.api_version(), r.kind.to_string());
    let Some(name) = descriptions().roots.get(&key) else {
        return;
    };
    include(name, schemas);
    if let Some(schema) = schemas.get_mut(name) {
        schema["x-kubernetes-group-version-kind"] = json!([kind_of(r)]);
    }
}

/// Adds a schema and all that it refers to.
fn include(name: &str, schemas: &mut Map<String, Value>) {
    let mut wanted = BTreeSet::from([name.to_owned()]);
    while let Some(name) = wanted.pop_first() {
        if schemas.contains_key(&name) {
            continue;
        }
        let Some(schema) = descriptions().definitions.get(&name) else {
            continue;
        };
        schemas.insert(name, publish(schema, &mut wanted));
    }
}

/// A schema in the form of a real server: a reference never stands beside other fields.
fn publish(schema: &Value, wanted: &mut BTreeSet<String>) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut published: Map<String, Value> = Map::new();
            for (name, value) in fields {
                if let ("$ref", Some(reference)) = (name.as_str(), value.as_str()) {
                    wanted.extend(reference.rsplit('/').next().map(str::to_owned));
                    if fields.len() > 1 {
                        published.insert("allOf".into(), json!([{"$ref": reference}]));
                        continue;
                    }
                }
                published.insert(name.clone(), publish(value, wanted));
            }
            published.into()
        }
        Value::Array(items) => items.iter().map(|item| publish(item, wanted)).collect(),
        other => other.clone(),
    }
}

fn custom_name(r: &Resource) -> String {
    let reversed: Vec<&str> = r.group.split('.').rev().collect();
    format!("{}.{}.{}", reversed.join("."), r.version, r.kind)
}

fn custom_schema(r: &Resource, version: &CustomVersion) -> Value {
    let mut schema = version.openapi.clone();
    let properties = super::metadata::fields(&mut schema["properties"]);
    for (name, description) in [
        (
            "apiVersion",
            "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
        ),
        (
            "kind",
            "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
        ),
    ] {
        properties.insert(
            name.into(),
            json!({"type": "string", "description": description}),
        );
    }
    properties.insert(
        "metadata".into(),
        json!({
            "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
            "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
        }),
    );
    schema["x-kubernetes-group-version-kind"] = json!([kind_of(r)]);
    schema
}

fn kind_of(r: &Resource) -> Value {
    json!({"group": r.group, "version": r.version, "kind": r.kind})
}

fn describe_paths(r: &Arc<Resource>) -> Vec<(String, Value)> {
    let scope = if r.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{}{scope}/{}", r.root(), r.plural);
    let operation = |action: &str, parameters: &[&str]| {
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}))
            .collect();
        json!({
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind_of(r),
            "parameters": parameters, "responses": {"200": {"description": "OK"}},
        })
    };
    let write = ["dryRun", "fieldManager", "fieldValidation"];
    let patch = ["dryRun", "fieldManager", "fieldValidation", "force"];
    let select = [
        "fieldSelector",
        "labelSelector",
        "limit",
        "continue",
        "resourceVersion",
    ];
    let object = json!({
        "get": operation("get", &[]),
        "put": operation("put", &write),
        "patch": operation("patch", &patch),
        "delete": operation("delete", &["dryRun", "propagationPolicy", "gracePeriodSeconds"]),
    });
    let whole = json!({
        "get": operation("list", &select),
        "post": operation("post", &write),
        "delete": operation("deletecollection", &select),
    });
    let mut paths = vec![
        (format!("{collection}/{{name}}"), object),
        (collection, whole),
    ];
    if r.namespaced {
        let everywhere = json!({"get": operation("list", &select)});
        paths.push((format!("{}/{}", r.root(), r.plural), everywhere));
    }
    paths
}
