//! A simulated Kubernetes: API server, controllers, kubelets.
//!
//! Deliberately does not know: etcd; the kubelet starts containers through [`runtime`].

pub mod api;
pub mod control_plane;
pub mod controllers;
pub mod dns;
pub mod kubelet;
pub mod proxy;
pub mod runtime;
pub mod schema;
