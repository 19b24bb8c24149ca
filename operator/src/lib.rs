//! The etcd operator: observe, validate, plan, execute, report.
//!
//! Owns: the `EtcdCluster` resource, the planner that decides what to do next, and the thin shells
//! that read and write Kubernetes and etcd on its behalf.
//! Always holds: the planner is a synchronous function of what was observed, what is wanted and
//! the time; it keeps nothing between two calls, so a crash between any two writes is harmless.
//! Deliberately does not know: what carries its bytes. It is handed a [`Backend`]; whether that
//! leads to real clusters or to simulated ones cannot be seen from here.
//!
//! Reading order: [`api`] (what users write), [`observe`] (what is), [`plan`] (what to do and why
//! not more), [`execute`], [`report`], and [`controller`] which runs them in a row.

pub mod api;
pub mod backend;
pub mod build;
pub mod controller;
pub mod etcd;
pub mod execute;
pub mod explain;
pub mod http;
pub mod identity;
pub mod last_words;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod quantity;
pub mod report;
pub mod validate;
pub mod version;

pub use api::{EtcdCluster, crd};
pub use backend::{Backend, Clock, Dial};
pub use controller::{Options, run};
pub use lease::Leadership;
pub use metrics::Metrics;
