//! A simulated, membership-aware etcd.
//!
//! Deliberately does not know: Kubernetes, pods.

mod command;
mod config;
mod consensus;
mod disk;
mod failure;
mod identity;
mod membership;
mod raft_log;
mod state;
mod store;
mod urls;
mod version;

pub use disk::Disk;
pub use version::{NotAVersion, Quirks, Version};
