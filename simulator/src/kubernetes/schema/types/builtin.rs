//! Type trees of the built-in kinds, from the table of their unusual fields.
//!
//! Always holds: trees are built once and share their nodes.
//! Deliberately does not know: any particular field, but that a `protocol` defaults to TCP.

mod field;
mod table;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::{Map, Value};

use self::{
    field::{Field, Kind, Unset, WHOLE},
    table::{CLUSTER, COMMON, PODS, VOLUMES, WORKLOADS},
};
use super::{Key, Node, Rest, Shape, TypeSchema};

/// The schema of a built-in kind.
pub(super) fn schema(group: &str, kind: &str) -> TypeSchema {
    let (type_name, status_subresource) = table::kind(group, kind);
    TypeSchema {
        root: TYPES.nodes[type_name].clone(),
        zero: TYPES.unset(type_name),
        status_subresource,
    }
}

/// The metadata of any object.
pub(super) fn object_meta() -> Arc<Node> {
    TYPES.nodes["ObjectMeta"].clone()
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let tables = [COMMON, WORKLOADS, PODS, VOLUMES, CLUSTER];
    let rows = tables.into_iter().flatten().copied().collect();
    let nodes = BTreeMap::from([(WHOLE, Node::leaf())]);
    let mut types = Types { rows, nodes };
    let names: Vec<_> = types.rows.keys().copied().collect();
    for name in names {
        types.build(name);
    }
    types
});

/// The types of the table by name.
struct Types {
    rows: BTreeMap<&'static str, &'static [Field]>,
    nodes: BTreeMap<&'static str, Arc<Node>>,
}

impl Types {
    fn build(&mut self, name: &'static str) -> Arc<Node> {
        if let Some(node) = self.nodes.get(name) {
            return node.clone();
        }
        let rows = self.rows[name].iter();
        let fields = rows
            .map(|field| {
                let shape = self.shape(&field.kind);
                let patch = field.patch.clone();
                (field.name.to_owned(), Arc::new(Node { shape, patch }))
            })
            .collect();
        let rest = Rest::Named;
        let node = Node::new(Shape::Map { fields, rest });
        self.nodes.insert(name, node.clone());
        node
    }

    fn shape(&mut self, kind: &Kind) -> Shape {
        match kind {
            Kind::Usual => Shape::Open { named: true },
            Kind::Atomic => Shape::Leaf,
            Kind::Set => Shape::Set,
            Kind::Keyed(keys, item_type) => Shape::Keyed {
                keys: keys.iter().map(|name| key(name)).collect(),
                item: self.build(item_type),
            },
            // The same shape under another patch strategy; the nodes below stay shared.
            Kind::Struct(type_name) => match &self.build(type_name).shape {
                Shape::Map { fields, .. } => Shape::Map {
                    fields: fields.clone(),
                    rest: Rest::Named,
                },
                _ => Shape::Leaf,
            },
        }
    }

    /// An object of which nothing has been set.
    fn unset(&self, type_name: &str) -> Value {
        let fields = self.rows[type_name].iter().filter_map(|field| {
            let value = match (field.unset, &field.kind) {
                (Unset::Missing, _) => return None,
                (Unset::Struct, Kind::Struct(type_name)) => self.unset(type_name),
                (Unset::Struct, _) => Value::Object(Map::new()),
                (Unset::Null, _) => Value::Null,
                (Unset::EmptyText, _) => Value::from(""),
            };
            Some((field.name.to_owned(), value))
        });
        Value::Object(fields.collect())
    }
}

fn key(name: &str) -> Key {
    Key {
        name: name.to_owned(),
        default: (name == "protocol").then(|| Value::from("TCP")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at<'a>(node: &'a Node, path: &str) -> &'a Node {
        path.split('.').fold(node, |node, step| match step {
            "[]" => node.item(),
            field => node.field(field).unwrap(),
        })
    }

    #[test]
    fn containers_are_keyed_by_name_and_their_ports_by_port_and_protocol() {
        let schema = TypeSchema::builtin("apps", "StatefulSet");
        let containers = at(&schema.root, "spec.template.spec.containers");
        assert_eq!(containers.patch.merge_key, Some("name"));
        let ports = at(containers, "[].ports");
        let Shape::Keyed { keys, .. } = &ports.shape else {
            panic!("{ports:?}")
        };
        assert_eq!(keys[0].name, "containerPort");
        assert_eq!(keys[1].default, Some(Value::from("TCP")));
    }

    #[test]
    fn claim_templates_and_selectors_are_atomic_and_tolerations_are_a_usual_list() {
        let schema = TypeSchema::builtin("apps", "StatefulSet");
        for path in ["spec.volumeClaimTemplates", "spec.selector"] {
            let shape = &at(&schema.root, path).shape;
            assert!(matches!(shape, Shape::Leaf), "{path}: {shape:?}");
        }
        let tolerations = at(&schema.root, "spec.template.spec.tolerations");
        assert!(matches!(tolerations.shape, Shape::Open { named: true }));
    }

    #[test]
    fn an_unset_object_has_its_structs_and_the_lists_that_are_always_written() {
        let schema = TypeSchema::builtin("apps", "Deployment");
        let template = json!({"metadata": {}, "spec": {"containers": null}});
        let spec = json!({"selector": null, "strategy": {}, "template": template});
        assert_eq!(
            schema.zero,
            json!({"metadata": {}, "spec": spec, "status": {}})
        );
    }

    #[test]
    fn an_unknown_kind_has_the_metadata_of_any_object() {
        let schema = TypeSchema::builtin("example.com", "Unheard");
        let owners = at(&schema.root, "metadata.ownerReferences");
        assert!(matches!(owners.item().shape, Shape::Leaf));
        let finalizers = at(&schema.root, "metadata.finalizers");
        assert!(matches!(finalizers.shape, Shape::Set));
    }
}
