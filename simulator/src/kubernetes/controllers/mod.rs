//! The simulated controllers of Kubernetes.
//!
//! Owns: what `kube-controller-manager` and `kube-scheduler` do, as far as etcd clusters need it.
//! Always holds: a controller's decisions follow from the stored objects and the time; what it
//! keeps in memory are queues and timers.
//! Deliberately does not know: containers (a kubelet's business), sockets, the etcd operator.
//!
//! Reading order: [`object`], [`queue`] and [`cluster`] are what all build on; then one module for
//! each controller.

pub mod accounts;
pub mod cluster;
pub mod disruption;
pub mod endpoints;
pub mod events;
pub mod garbage;
pub mod namespaces;
pub mod node_lifecycle;
pub mod object;
pub mod pods;
pub mod queue;
pub mod scheduler;
pub mod selector;
pub mod statefulset;
pub mod timings;
pub mod unmodelled;
pub mod volumes;
