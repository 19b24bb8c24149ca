//! The simulated Kubernetes API server.
//!
//! Owns: objects, their revisions, and what a request does to them.
//! Always holds: a request sees all earlier ones (one server, one order); what a real 1.34 server
//! would refuse is refused with the same code, reason and words; what is not modelled fails loudly.
//! Deliberately does not know: controllers, kubelets, time (it is told) and sockets.
//!
//! Reading order: [`resource`] (what kinds there are), `store` (objects and history), `create`,
//! `update`, `delete` (the life of an object), then what a client sees of it.

mod changes;
mod create;
mod delete;
mod error;
mod kinds;
mod metadata;
mod names;
pub mod resource;
mod server;
mod store;
mod update;
mod write;

pub use changes::Changed;
pub use delete::{DeleteOptions, Propagation};
pub use error::{ApiError, Cause};
pub use resource::Resource;
pub use server::ApiServer;
