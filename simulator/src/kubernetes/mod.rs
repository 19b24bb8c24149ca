//! A simulated Kubernetes: API server, controllers, kubelets.
//!
//! Deliberately does not know: etcd; the kubelet starts containers through [`runtime`].

pub mod api;
pub mod controllers;
pub mod kubelet;
pub mod runtime;
pub mod schema;
