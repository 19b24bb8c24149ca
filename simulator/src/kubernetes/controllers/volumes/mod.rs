//! Persistent volumes: making them, binding them to claims, throwing them away.
//!
//! Owns: PersistentVolumes and the binding of claims; the finalizers that protect both while in use.
//! Always holds: a volume is bound to the one claim whose UID it carries; its content is thrown
//! away only after the volume has left the server, and only if its policy is `Delete`.
//! Deliberately does not know: what is in a volume. Matching claims with volumes that were made by
//! hand is done by name only; snapshots and block volumes are not modelled.

mod binder;
mod protection;

pub use self::{binder::Binder, protection::Protection};
