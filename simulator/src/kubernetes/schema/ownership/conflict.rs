//! What goes wrong in a server-side apply, in the words of the real server.
//!
//! Owns: [`ApplyError`], [`Conflict`], [`TypeMismatch`].
//! Deliberately does not know: HTTP; conflicts are a 409 with one cause each, a type mismatch is
//! a 500 of the real server.

use std::{collections::BTreeMap, fmt};

use super::{
    managers::{Entry, Identity, Operation},
    path::Path,
};

/// Why a configuration cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Other managers hold other values. The text is the message of the `Status`.
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration does not fit the type.
    #[error("{0}")]
    Type(TypeMismatch),
    /// The configuration brings `metadata.managedFields` along.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
}

/// A field whose value another manager holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager as the server prints it, for example
    /// `"kubectl-edit" with subresource "status" using apps/v1`.
    pub manager: String,
    /// The field, for example `.spec.replicas`.
    pub field: String,
}

impl Conflict {
    pub(super) fn new(identity: &Identity, entry: &Entry, field: &Path) -> Self {
        Self {
            manager: print_manager(identity, entry),
            field: field.to_string(),
        }
    }
}

fn print_manager(identity: &Identity, entry: &Entry) -> String {
    let mut printed = format!("{:?}", identity.manager);
    if !identity.subresource.is_empty() {
        printed += &format!(" with subresource {:?}", identity.subresource);
    }
    if identity.operation == Operation::Update {
        printed += &format!(" using {}", entry.api_version);
    }
    printed
}

fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [Conflict { manager, field }] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {manager}: {field}");
    }
    let mut by_manager: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for conflict in conflicts {
        let fields = by_manager.entry(&conflict.manager).or_default();
        fields.push(&conflict.field);
    }
    let lines: Vec<String> = by_manager
        .iter()
        .flat_map(|(manager, fields)| {
            let fields = fields.iter().map(|field| format!("- {field}"));
            std::iter::once(format!("conflicts with {manager}:")).chain(fields)
        })
        .collect();
    format!(
        "Apply failed with {} conflicts: {}",
        conflicts.len(),
        lines.join("\n")
    )
}

/// Places of an applied configuration that do not fit its type. Real servers put the object's
/// name and kind before the text, which are the caller's to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeMismatch(pub(super) Vec<String>);

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(one),
            many => write!(f, "errors:\n  {}", many.join("\n  ")),
        }
    }
}
