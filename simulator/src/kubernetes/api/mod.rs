//! The simulated Kubernetes API server.
//!
//! Owns: objects, their revisions, and what a request does to them.
//! Always holds: a request sees all earlier ones (one server, one order); what a real 1.34 server
//! would refuse is refused with the same code, reason and words; what is not modelled fails loudly.
//! Deliberately does not know: controllers, kubelets, time (it is told) and sockets.
//!
//! Reading order: [`resource`] (what kinds there are), `store` (objects and history), `create`,
//! `update`, `delete` (the life of an object), then what a client sees of it.

mod about;
mod answer;
mod changes;
mod create;
mod custom;
mod decoding;
mod definitions;
mod delete;
mod discovery;
mod error;
mod go_json;
mod json;
mod jsonpath;
mod kinds;
mod list;
mod metadata;
mod names;
mod openapi;
mod patching;
mod protobuf;
pub(crate) mod quantity;
mod query;
mod reads;
mod registry;
mod render;
pub mod resource;
mod rest;
mod reviews;
mod selector;
mod serve;
mod server;
mod store;
mod subresources;
mod table;
mod types;
mod update;
mod views;
mod watch;
mod write;
mod writes;

pub use answer::{Answer, Reply, Request};
pub use changes::Changed;
pub use delete::{DeleteOptions, Propagation};
pub use error::{ApiError, Cause};
pub use reads::{LogRequest, LogSource};
pub use resource::Resource;
pub use serve::serve;
pub use server::ApiServer;
pub use store::Lives;
pub use watch::{Step, Watch};
