//! What an API server knows about the shape of objects: patches, field ownership, CRD schemas.
//!
//! Owns: JSON, merge and strategic-merge patches; server-side apply with its `managedFields`;
//! defaulting, pruning and validation by the structural schema of a CRD.
//! Always holds: everything here is a pure function of JSON values; the time is an argument.
//! Deliberately does not know: storage, requests, resource versions, admission.

mod go_format;
mod ownership;
mod patch;
#[cfg(test)]
mod recorded;
mod structural;
mod types;

pub use ownership::{
    ApplyError, Conflict, Manager, TypeMismatch, apply, owns, restore_times, track_update,
};
pub use patch::{PatchError, json_patch, merge_patch, strategic_merge_patch};
pub use structural::{ErrorKind, FieldError, SchemaError, StructuralSchema};
pub use types::TypeSchema;
