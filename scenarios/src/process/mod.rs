//! The `process` world's machinery: pods of a simulated Kubernetes that are real etcd processes.
//!
//! Reading order: [`enter`] takes the command into namespaces of its own, `enclosure` is what it
//! finds there; [`EtcdBinary`] is found on the host; [`ProcessRuntime`] is what the simulated
//! kubelet calls, and `network`, `dns`, `image`, `files`, `container` and `probe` are its parts.
//!
//! Always holds: a run leaves nothing behind, however it ends: no process, mount, interface or file.
//! Deliberately does not know: the operator, what a scenario is.

mod address;
mod breaker;
mod container;
mod dns;
mod enclosure;
mod enter;
mod etcd_binary;
mod faults;
mod files;
mod image;
mod libraries;
mod network;
mod permission;
mod probe;
mod runtime;
mod world;

pub use address::own_addresses;
pub use enclosure::Enclosure;
pub use enter::{Side, enter};
pub use etcd_binary::{EtcdBinary, NoEtcd};
pub use faults::{Cut, Faults, NoSuchPod};
pub use permission::CannotEnter;
pub use runtime::ProcessRuntime;
pub use world::{ProcessWorld, run};
