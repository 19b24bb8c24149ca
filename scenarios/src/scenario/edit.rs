//! What somebody with kubectl may do to the objects that an operator looks after.
//!
//! Owns: the edits, their words, and what each stands for in real clusters.
//! Always holds: an edit prints as it is written.
//! Deliberately does not know: how the objects are called.

use std::fmt;

/// An edit by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// `kubectl scale statefulset`: what people do who do not know of the resource.
    SetReplicas(u32),
    /// The StatefulSet is deleted, and its pods with it.
    DeleteStatefulSet,
    /// The members' configuration is deleted.
    DeleteConfigMaps,
    /// The members' configuration is emptied.
    EmptyConfigMaps,
    /// The Services are deleted: names stop resolving.
    DeleteServices,
    /// The disruption budget is deleted.
    DeleteBudget,
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetReplicas(size) => write!(f, "set the StatefulSet to {size} replicas by hand"),
            Self::DeleteStatefulSet => f.write_str("delete the StatefulSet by hand"),
            Self::DeleteConfigMaps => f.write_str("delete the ConfigMap by hand"),
            Self::EmptyConfigMaps => f.write_str("empty the ConfigMap by hand"),
            Self::DeleteServices => f.write_str("delete the Services by hand"),
            Self::DeleteBudget => f.write_str("delete the disruption budget by hand"),
        }
    }
}
