//! A simulated, membership-aware etcd.
//!
//! Owns: members as processes: they start from etcd's own flags, environment or configuration file,
//! keep their data on a [`Disk`], replicate among each other over the network, and serve clients
//! the v3 API, with the timings, refusals and last words of the version that they are.
//! Always holds: the same seed and the same world give the same run; what is not modelled is
//! refused with "not modelled".
//! Deliberately does not know: Kubernetes, pods, operators.
//!
//! It is compared with real etcd 3.5.21 and 3.6.16 by the scripts in `tests/etcd`. Differences that
//! are kept:
//! - the database is what the log says. A real one is a file of its own, so a survivor that was
//!   killed and then forced to a new cluster may know more than its log, and a member that joins it
//!   then has other revisions; and how much fits into a quota follows from its pages;
//! - a host has one interface: who listens on it is also reached by `localhost`;
//! - TLS, auth, v2, discovery and gateway are not modelled.
//!
//! Reading order: [`member`] decides, as a synchronous machine over [`consensus`] (raft), [`state`]
//! (what is replicated) and [`membership`] (who takes part). [`server`] gives it time and a network;
//! [`peers`], [`rpc`] and [`web`] are its ports; [`startup`] brings it up and [`process`] ends it.

mod bootstrap;
mod command;
mod config;
mod consensus;
mod crash;
mod disk;
mod failure;
mod glance;
mod identity;
mod member;
mod membership;
mod peers;
mod process;
mod raft_log;
mod resolving;
mod rpc;
mod server;
mod startup;
mod state;
mod store;
mod urls;
mod version;
mod web;

use std::{collections::BTreeMap, sync::Arc};

pub use disk::Disk;
pub use glance::Glance;
pub use process::{Exit, Running};
pub use version::{NotAVersion, Quirks, Version};

use crate::{
    clock::Clock,
    net::{HostId, Net, Resolve},
    trace::Trace,
};
use config::Config;
use process::Process;

/// What a member is started with.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Command line; the program name in front may be missing.
    pub argv: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Files that it can read, by absolute path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Disks by mount path. Data elsewhere is lost with the process.
    pub disks: BTreeMap<String, Disk>,
    /// Which etcd it is.
    pub version: Version,
    /// All randomness of this process.
    pub seed: u64,
    /// Name in the trace, for example the pod's.
    pub label: String,
}

impl Launch {
    /// The host of the first client URL that it listens on, with `localhost` as an address; `None`
    /// when its configuration is none that it would start with.
    #[must_use]
    pub fn listens_on(&self) -> Option<String> {
        let config = Config::read(&self.argv, &self.env, &self.files, self.version).ok()?;
        let host = config.listen_client.first()?.host();
        Some(
            if host == "localhost" {
                "127.0.0.1"
            } else {
                host
            }
            .to_owned(),
        )
    }
}

/// Starts a member on a host. It runs until it ends by itself or the host is killed.
pub fn launch(
    net: Arc<dyn Net>,
    resolver: Arc<dyn Resolve>,
    host: HostId,
    clock: Clock,
    trace: Trace,
    launch: Launch,
) -> Running {
    let (process, running) = Process::new(net, resolver, host, clock, trace, &launch.label);
    process.spawn(startup::run(Arc::clone(&process), launch));
    running
}

#[cfg(test)]
mod tests;
