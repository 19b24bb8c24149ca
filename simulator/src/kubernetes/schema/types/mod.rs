//! Which lists are keyed, sets or atomic, and which maps are atomic.
//!
//! Owns: [`TypeSchema`], the tree that server-side apply and strategic merge patch walk along
//! with an object; its two sources are the table of built-in types and the schema of a CRD.
//! Always holds: a tree is immutable and shared; walking it never fails, because a place that
//! the tree does not describe is [`Shape::Open`] or an error of the object.
//! Deliberately does not know: the scalar types of built-in kinds, required fields, defaults.

mod builtin;
mod crd;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

/// The shape of one kind of object.
#[derive(Clone, Debug)]
pub struct TypeSchema {
    pub(super) root: Arc<Node>,
    /// What the server's typed, empty object of this kind serialises to. A create is tracked as
    /// a change from it, which decides whether the entry of a parent field is recorded.
    pub(super) zero: Value,
    /// Whether writes to the object and to its `status` ignore each other's part.
    pub(super) status_subresource: bool,
}

impl TypeSchema {
    /// The schema of a built-in kind; a kind that has no list or map of its own in the table is
    /// still right about its metadata.
    #[must_use]
    pub fn builtin(group: &str, kind: &str) -> Self {
        builtin::schema(group, kind)
    }

    /// The schema of a custom resource: `openAPIV3Schema` of one version of its CRD.
    #[must_use]
    pub fn from_crd(open_api_v3_schema: &Value) -> Self {
        crd::schema(open_api_v3_schema)
    }

    /// The schema of an object of which nothing is known: maps are granular, lists atomic.
    #[must_use]
    pub fn deduced() -> Self {
        Self {
            root: Node::open(),
            zero: Value::Object(serde_json::Map::new()),
            status_subresource: false,
        }
    }

    /// Says whether the resource has a `status` subresource; built-in kinds know it themselves.
    #[must_use]
    pub fn with_status_subresource(mut self, has: bool) -> Self {
        self.status_subresource = has;
        self
    }
}

/// One place in an object.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) patch: PatchStrategy,
}

/// How the value at a place is taken apart when it is merged or owned.
#[derive(Debug)]
pub(super) enum Shape {
    /// A scalar of unknown type, or a map or list that is owned and replaced as a whole.
    Leaf,
    /// A scalar.
    Scalar(Scalar),
    /// A map or struct whose fields are owned one by one.
    Map {
        fields: BTreeMap<String, Arc<Node>>,
        rest: Rest,
    },
    /// A list whose items are told apart by the value of key fields.
    Keyed { keys: Vec<Key>, item: Arc<Node> },
    /// A list of scalars without order.
    Set,
    /// Decided by the value: maps are granular, anything else is a leaf. `named` as in
    /// [`Rest::Named`].
    Open { named: bool },
}

/// The type of a scalar, as far as ownership tells types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Boolean,
    Numeric,
    String,
}

/// What the fields are that a map does not list.
#[derive(Debug)]
pub(super) enum Rest {
    /// Fields of a struct of which only the unusual ones are listed.
    Named,
    /// Entries of a map, each of this shape.
    Entries(Arc<Node>),
    /// There are none.
    Closed,
}

/// A key field of a [`Shape::Keyed`] list.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    /// What stands for a missing one.
    pub(super) default: Option<Value>,
}

/// How a strategic merge patch treats a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PatchStrategy {
    /// Lists: merge items with this key, `Some("")` for a list of scalars.
    pub(super) merge_key: Option<&'static str>,
    /// Maps (and items of a list): fields that `$retainKeys` does not name are cleared.
    pub(super) retain_keys: bool,
    /// Maps: replaced as a whole.
    pub(super) replace: bool,
}

static OPEN: LazyLock<Arc<Node>> = LazyLock::new(|| Node::new(Shape::Open { named: false }));
static OPEN_NAMED: LazyLock<Arc<Node>> = LazyLock::new(|| Node::new(Shape::Open { named: true }));
static LEAF: LazyLock<Arc<Node>> = LazyLock::new(|| Node::new(Shape::Leaf));

impl Node {
    pub(super) fn new(shape: Shape) -> Arc<Self> {
        let patch = PatchStrategy::default();
        Arc::new(Self { shape, patch })
    }

    pub(super) fn open() -> Arc<Self> {
        OPEN.clone()
    }

    pub(super) fn leaf() -> Arc<Self> {
        LEAF.clone()
    }

    /// The place under the field of a map, `None` when the type has no such field.
    pub(super) fn field(&self, name: &str) -> Option<&Arc<Node>> {
        match &self.shape {
            Shape::Map { fields, rest } => fields.get(name).or(match rest {
                Rest::Named => Some(&OPEN_NAMED),
                Rest::Entries(node) => Some(node),
                Rest::Closed => None,
            }),
            Shape::Open { named: true } => Some(&OPEN_NAMED),
            Shape::Open { named: false } => Some(&OPEN),
            Shape::Leaf | Shape::Scalar(_) | Shape::Keyed { .. } | Shape::Set => None,
        }
    }

    /// The place of an item of a list.
    pub(super) fn item(&self) -> &Arc<Node> {
        match &self.shape {
            Shape::Keyed { item, .. } => item,
            _ => &LEAF,
        }
    }

    /// Whether the field is one of a struct rather than an entry of a map. Entries are owned
    /// themselves; a struct's field is owned through what is in it.
    pub(super) fn names(&self, field: &str) -> bool {
        match &self.shape {
            Shape::Map { fields, rest } => {
                matches!(rest, Rest::Named) || fields.contains_key(field)
            }
            Shape::Open { named } => *named,
            Shape::Leaf | Shape::Scalar(_) | Shape::Keyed { .. } | Shape::Set => false,
        }
    }
}
