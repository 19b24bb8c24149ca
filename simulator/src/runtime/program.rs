//! A program that a container runs.
//!
//! Owns: what a program is started with, and what can be asked of it while it runs.
//! Deliberately does not know: which programs there are.

use std::collections::BTreeMap;

use crate::{
    etcd::{Disk, Glance},
    kubernetes::runtime::HttpProbe,
    net::{BoxFuture, HostId},
};

/// What a program is started with.
#[derive(Clone, Debug)]
pub struct Program {
    /// Image reference.
    pub image: String,
    /// Command and arguments of the container; what the image runs by itself when there are none.
    pub argv: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Files of mounted ConfigMaps and Secrets, by absolute path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Disks of mounted volumes, by mount path.
    pub disks: BTreeMap<String, Disk>,
}

/// A program, and where to start it.
#[derive(Clone, Debug)]
pub struct Start {
    /// The host of the pod.
    pub host: HostId,
    /// Name of the pod, for the trace.
    pub label: String,
    /// The name that the pod's hosts file has.
    pub own_name: Option<String>,
    /// What to start.
    pub program: Program,
}

/// A program that was started.
pub trait Process: Send {
    /// SIGTERM.
    fn terminate(&self);

    /// Its exit code, once it has ended by itself.
    fn exited(&self) -> BoxFuture<i32>;

    /// What it would tell its clients now, if it is an etcd member that serves some.
    fn glance(&self) -> Option<Glance>;

    /// The status of what it would answer right now; `None` where only asking can tell.
    fn status_at_once(&self, probe: &HttpProbe) -> Option<u16>;

    /// What it printed last.
    fn logs(&self) -> Vec<String>;
}
