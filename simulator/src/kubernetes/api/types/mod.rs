//! The Go types behind the built-in kinds, as far as decoding JSON needs them.
//!
//! Owns: a table of types made once from the OpenAPI descriptions in `k8s-openapi`.
//! Always holds: the table is the same for all servers in a process; it never changes.
//! Deliberately does not know: defaults and validation.

pub(super) mod decode;
pub(super) mod roots;
mod zero;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use serde_json::{Map, Value};

/// One type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Text,
    Bool,
    Int32,
    Int64,
    Float,
    Time,
    /// A time with exactly six digits after the second.
    MicroTime,
    Base64,
    IntOrText,
    Quantity,
    /// Any JSON value.
    Any,
    List(Box<Type>),
    Map(Box<Type>),
    /// A struct, by its name in the table.
    Struct(Arc<str>),
    /// One of two forms (some fields of CRD schemas).
    Either(Box<Type>, Box<Type>),
}

/// A struct with its fields.
#[derive(Debug)]
pub(super) struct Struct {
    /// The Go name, for example `PodSpec`.
    pub(super) name: String,
    /// The Go package's version, for example `v1`.
    package: String,
    pub(super) fields: BTreeMap<String, Field>,
}

/// A field of a struct.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) of: Type,
    /// Whether it is kept when it is an empty list or map.
    pub(super) required: bool,
}

/// All types that the built-in kinds use.
#[derive(Debug, Default)]
pub(super) struct Types {
    structs: BTreeMap<Arc<str>, Struct>,
    roots: BTreeMap<(String, String), Type>,
}

impl Types {
    /// The types of the built-in kinds.
    pub(super) fn built_in() -> &'static Self {
        static SHARED: OnceLock<Types> = OnceLock::new();
        SHARED.get_or_init(|| Self::from_descriptions(roots::descriptions()))
    }

    /// The type of a kind, given `apiVersion` and `kind`.
    pub(super) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Type> {
        self.roots.get(&(api_version.to_owned(), kind.to_owned()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Struct> {
        self.structs.get(name)
    }

    /// The type of `metadata` in every kind.
    pub(super) fn object_meta() -> Type {
        Type::Struct("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into())
    }

    fn from_descriptions(descriptions: &roots::Descriptions) -> Self {
        let mut types = Self::default();
        for (name, schema) in &descriptions.definitions {
            if let Some(properties) = schema["properties"].as_object() {
                types
                    .structs
                    .insert(name.as_str().into(), read_struct(name, schema, properties));
            }
        }
        for (kind, name) in &descriptions.roots {
            types
                .roots
                .insert(kind.clone(), Type::Struct(name.as_str().into()));
        }
        types
    }
}

fn read_struct(name: &str, schema: &Value, properties: &Map<String, Value>) -> Struct {
    let mut parts = name.rsplit('.');
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Struct {
        name: parts.next().unwrap_or_default().to_owned(),
        package: parts.next().unwrap_or_default().to_owned(),
        fields: properties
            .iter()
            .map(|(name, schema)| {
                let required = required.contains(&name.as_str());
                (
                    name.clone(),
                    Field {
                        of: read_type(schema),
                        required,
                    },
                )
            })
            .collect(),
    }
}

fn read_type(schema: &Value) -> Type {
    if let Some(reference) = schema["$ref"].as_str() {
        return named_type(reference.rsplit('/').next().unwrap_or_default());
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => Type::Time,
        (Some("string"), Some("byte")) => Type::Base64,
        (Some("string"), _) => Type::Text,
        (Some("boolean"), _) => Type::Bool,
        (Some("integer"), Some("int32")) => Type::Int32,
        (Some("integer"), _) => Type::Int64,
        (Some("number"), _) => Type::Float,
        (Some("array"), _) => Type::List(Box::new(read_type(&schema["items"]))),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            Type::Map(Box::new(read_type(&schema["additionalProperties"])))
        }
        _ => Type::Any,
    }
}

fn named_type(name: &str) -> Type {
    let props = || {
        Box::new(Type::Struct(
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps".into(),
        ))
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "IntOrString" => Type::IntOrText,
        "Quantity" => Type::Quantity,
        "Time" => Type::Time,
        "MicroTime" => Type::MicroTime,
        "JSON" | "RawExtension" | "FieldsV1" => Type::Any,
        "JSONSchemaPropsOrArray" => Type::Either(props(), Box::new(Type::List(props()))),
        "JSONSchemaPropsOrBool" => Type::Either(props(), Box::new(Type::Bool)),
        "JSONSchemaPropsOrStringArray" => {
            Type::Either(props(), Box::new(Type::List(Box::new(Type::Text))))
        }
        _ => Type::Struct(name.into()),
    }
}

impl Type {
    /// The name of the type in a Go error message.
    fn go_name(&self, types: &Types) -> String {
        match self {
            Self::Text | Self::Base64 => "string".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Int32 => "int32".to_owned(),
            Self::Int64 => "int64".to_owned(),
            Self::Float => "float64".to_owned(),
            Self::Time => "v1.Time".to_owned(),
            Self::MicroTime => "v1.MicroTime".to_owned(),
            Self::IntOrText => "intstr.IntOrString".to_owned(),
            Self::Quantity => "resource.Quantity".to_owned(),
            Self::Any | Self::Either(..) => "interface {}".to_owned(),
            Self::List(item) => format!("[]{}", item.go_name(types)),
            Self::Map(item) => format!("map[string]{}", item.go_name(types)),
            Self::Struct(name) => types.get(name).map_or_else(
                || name.to_string(),
                |found| format!("{}.{}", found.package, found.name),
            ),
        }
    }
}
