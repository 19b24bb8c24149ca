//! A simulated, membership-aware etcd.
//!
//! Deliberately does not know: Kubernetes, pods.
