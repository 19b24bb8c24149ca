//! Members as processes on the simulated network, called by the unmodified etcd-client.
//!
//! Each test is a sentence that was measured on real etcd.

mod faults;
mod fixture;
mod linearizable;
mod members;
mod quorum;
mod start;
mod store;
mod web;

/// The versions that everything is tried with.
const BOTH: [super::Version; 2] = [super::Version::new(3, 5, 21), super::Version::new(3, 6, 16)];
