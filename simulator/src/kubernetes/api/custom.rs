//! Custom resources, as their definitions describe them.
//!
//! Owns: what a CustomResourceDefinition says about versions, subresources and columns.
//! Always holds: the storage of a kind is named like its definition (`plural.group`).
//! Deliberately does not know: how a definition is stored; it is an object like any other.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use super::{Resource, jsonpath::Path};
use crate::kubernetes::schema::{SchemaError, StructuralSchema, TypeSchema};

/// One custom kind in all its served versions.
pub(super) struct CustomKind {
    pub(super) versions: Vec<CustomVersion>,
}

/// One served version of a custom kind.
pub(super) struct CustomVersion {
    pub(super) resource: Arc<Resource>,
    pub(super) is_storage: bool,
    /// The OpenAPI schema as it is in the definition.
    pub(super) openapi: Value,
    /// Defaults, pruning and validation.
    pub(super) schema: StructuralSchema,
    /// Which lists and maps are merged and owned part by part.
    pub(super) shape: TypeSchema,
    pub(super) columns: Vec<Column>,
    pub(super) scale: Option<ScalePaths>,
    /// Paths for field selectors, without the leading dot.
    pub(super) selectable: Vec<String>,
}

/// One printed column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) format: String,
    pub(super) description: String,
    pub(super) priority: i64,
    pub(super) path: Path,
}

/// Where a custom kind keeps what `scale` reads and writes.
#[derive(Clone, Debug)]
pub(super) struct ScalePaths {
    pub(super) spec: String,
    pub(super) status: String,
    pub(super) selector: Option<String>,
}

impl CustomKind {
    /// Reads a definition.
    pub(super) fn from_definition(definition: &Value) -> Result<Self, SchemaError> {
        let versions = definition["spec"]["versions"]
            .as_array()
            .into_iter()
            .flatten();
        let served = versions.filter(|version| version["served"] == true);
        let versions: Result<Vec<_>, _> = served
            .map(|version| CustomVersion::from_definition(&definition["spec"], version))
            .collect();
        Ok(Self {
            versions: versions?,
        })
    }

    pub(super) fn storage(&self) -> Option<&CustomVersion> {
        self.versions
            .iter()
            .find(|version| version.is_storage)
            .or(self.versions.first())
    }
}

impl CustomVersion {
    fn from_definition(spec: &Value, version: &Value) -> Result<Self, SchemaError> {
        let subresources = &version["subresources"];
        let scale = subresources.get("scale").filter(|scale| scale.is_object());
        let columns = version["additionalPrinterColumns"].as_array();
        let selectable = version["selectableFields"].as_array();
        let schema = &version["schema"]["openAPIV3Schema"];
        Ok(Self {
            resource: Arc::new(resource(spec, version)),
            is_storage: version["storage"] == true,
            openapi: version["schema"]["openAPIV3Schema"].clone(),
            schema: StructuralSchema::from_crd(schema)?,
            shape: TypeSchema::from_crd(&version["schema"]["openAPIV3Schema"])
                .with_status_subresource(subresources.get("status").is_some_and(Value::is_object)),
            columns: columns
                .into_iter()
                .flatten()
                .filter_map(Column::from_definition)
                .collect(),
            scale: scale.map(ScalePaths::from_definition),
            selectable: selectable
                .into_iter()
                .flatten()
                .map(|field| text(&field["jsonPath"]).trim_start_matches('.').to_owned())
                .collect(),
        })
    }
}

impl Column {
    fn from_definition(column: &Value) -> Option<Self> {
        Some(Self {
            name: text(&column["name"]),
            kind: text(&column["type"]),
            format: text(&column["format"]),
            description: match column["description"].as_str().unwrap_or_default() {
                "" => format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    text(&column["jsonPath"])
                ),
                given => given.to_owned(),
            },
            priority: column["priority"].as_i64().unwrap_or(0),
            path: Path::parse(column["jsonPath"].as_str()?)?,
        })
    }
}

impl ScalePaths {
    fn from_definition(scale: &Value) -> Self {
        let path = |name: &str| text(&scale[name]).trim_start_matches('.').to_owned();
        Self {
            spec: path("specReplicasPath"),
            status: path("statusReplicasPath"),
            selector: scale["labelSelectorPath"]
                .is_string()
                .then(|| path("labelSelectorPath")),
        }
    }
}

fn resource(spec: &Value, version: &Value) -> Resource {
    let names = &spec["names"];
    let (group, plural) = (text(&spec["group"]), text(&names["plural"]));
    let list = |field: &str| {
        let listed = names[field].as_array().into_iter().flatten();
        listed
            .map(|name| Cow::Owned(text(name)))
            .collect::<Vec<_>>()
            .into()
    };
    let subresource = |name: &str| {
        version["subresources"]
            .get(name)
            .is_some_and(Value::is_object)
    };
    Resource {
        id: format!("{plural}.{group}").into(),
        group: group.into(),
        version: text(&version["name"]).into(),
        singular: text(&names["singular"]).into(),
        kind: text(&names["kind"]).into(),
        short_names: list("shortNames"),
        categories: list("categories"),
        plural: plural.into(),
        namespaced: spec["scope"] == "Namespaced",
        status: subresource("status"),
        scale: subresource("scale"),
        generation: true,
        unconditional_update: false,
        returns_deleted: false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
