//! Removal of fields that a schema does not have.
//!
//! Always holds: where unknown fields are preserved, known ones are still pruned inside.
//! Deliberately does not know: metadata; see `object_meta`.

use serde_json::Value;

use super::{field_error::FieldPath, schema::Schema};

/// Fields that an object has without a schema saying so.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Prunes a whole object and returns the paths of what is gone, sorted.
pub(super) fn prune(object: &mut Value, root: &Schema) -> Vec<String> {
    let mut pruner = Pruner::default();
    pruner.visit(object, Some(root), &FieldPath::root(), true);
    pruner.gone.sort();
    pruner.gone
}

#[derive(Default)]
struct Pruner {
    gone: Vec<String>,
}

impl Pruner {
    fn visit(
        &mut self,
        value: &mut Value,
        schema: Option<&Schema>,
        path: &FieldPath,
        object: bool,
    ) {
        let preserve = schema.is_some_and(|schema| schema.preserves_unknown);
        match value {
            Value::Object(fields) => {
                let names: Vec<String> = fields.keys().cloned().collect();
                for name in names {
                    if object && OBJECT_FIELDS.contains(&name.as_str()) {
                        continue;
                    }
                    let known = schema.is_some_and(|schema| {
                        schema.properties.contains_key(&name) || schema.entries.allowed()
                    });
                    let below = schema.and_then(|schema| schema.field(&name));
                    if let (true, Some(value)) = (known, fields.get_mut(&name)) {
                        let anything = below.is_none();
                        if !anything {
                            self.descend(value, below, &path.field(&name));
                        }
                    } else if !preserve {
                        fields.remove(&name);
                        self.gone.push(path.field(&name).to_string());
                    }
                }
            }
            Value::Array(items) => {
                let below = schema.and_then(|schema| schema.items.as_deref());
                if preserve && below.is_none() {
                    return;
                }
                for (i, item) in items.iter_mut().enumerate() {
                    self.descend(item, below, &path.index(i));
                }
            }
            _ => {}
        }
    }

    fn descend(&mut self, value: &mut Value, schema: Option<&Schema>, path: &FieldPath) {
        let object = schema.is_some_and(|schema| schema.embedded_resource);
        self.visit(value, schema, path, object);
    }
}
