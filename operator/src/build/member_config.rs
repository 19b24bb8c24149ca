//! Configuration files of the members, so that the official image runs as it is: no shell, no
//! init script, no sidecar.
//!
//! Owns: the content of each file.
//! Always holds: `initial-cluster-state: new` appears only in files made by [`bootstrap_files`], and
//! `force-new-cluster` only in those made by [`forced_file`]; the data dir is named after the
//! member's ID. etcd reads the `initial-*` settings only while its data dir is empty (etcd docs,
//! "Configuration options"). A member that has started once is given nobody to join: with its data
//! it needs nobody, and without it it must not come back under its old identity, since it would
//! have forgotten what it promised (Raft 5.2, persistent state). etcd then exits and says so.
//! Deliberately does not know: which members exist; it is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    identity::{CLIENT_PORT, DATA_MOUNT, Identity, METRICS_PORT, PEER_PORT, data_dir},
    validate::Desired,
};

const EXISTING: &str = "initial-cluster-state: existing";
const NEW: &str = "initial-cluster-state: new";
const FORCE: &str = "force-new-cluster: true";

/// Files for the first members of a cluster that does not exist yet.
#[must_use]
pub fn bootstrap_files(
    desired: &Desired,
    members: &BTreeMap<u32, u64>,
) -> BTreeMap<String, String> {
    let everybody = initial_cluster(&desired.identity, members.keys());
    let file = |ordinal, id| {
        let name = desired.identity.member(ordinal);
        render(desired, ordinal, id, &name, &everybody, NEW)
    };
    let named = |(ordinal, id): (&u32, &u64)| {
        let name = file_name(&desired.identity, *ordinal);
        (name, file(*ordinal, *id))
    };
    members.iter().map(named).collect()
}

/// Files for the members of a cluster that exists, of whom some have started.
#[must_use]
pub fn files(
    desired: &Desired,
    members: &BTreeMap<u32, u64>,
    started: &BTreeSet<u32>,
) -> BTreeMap<String, String> {
    let everybody = initial_cluster(&desired.identity, members.keys());
    let file = |ordinal, id| {
        if started.contains(&ordinal) {
            return started_file(desired, ordinal, id);
        }
        let name = desired.identity.member(ordinal);
        render(desired, ordinal, id, &name, &everybody, EXISTING)
    };
    let named = |(ordinal, id): (&u32, &u64)| {
        let name = file_name(&desired.identity, *ordinal);
        (name, file(*ordinal, *id))
    };
    members.iter().map(named).collect()
}

/// The file of a member that has started once.
#[must_use]
pub fn started_file(desired: &Desired, ordinal: u32, id: u64) -> String {
    let name = desired.identity.member(ordinal);
    let itself = initial_cluster(&desired.identity, [&ordinal]);
    render(desired, ordinal, id, &name, &itself, EXISTING)
}

/// The one file with which a survivor starts as a cluster of its own. The name says so, and etcd
/// shows it in the membership for as long as the process runs that read this file.
#[must_use]
pub fn forced_file(
    desired: &Desired,
    ordinal: u32,
    id: u64,
    recovery: u32,
) -> BTreeMap<String, String> {
    let identity = &desired.identity;
    let name = identity.recovering_member(ordinal, recovery);
    let itself = format!("{name}={}", identity.peer_url(ordinal));
    let file = render(desired, ordinal, id, &name, &itself, EXISTING) + FORCE + "\n";
    [(file_name(identity, ordinal), file)].into()
}

/// The same file for a cluster that has begun.
#[must_use]
pub fn joining(file: &str) -> String {
    file.replace(NEW, EXISTING)
}

/// Name of a member's file in the ConfigMap.
#[must_use]
pub fn file_name(identity: &Identity, ordinal: u32) -> String {
    format!("{}.yaml", identity.member(ordinal))
}

/// Whether a file belongs to a cluster that exists.
#[must_use]
pub fn joins_existing(file: &str) -> bool {
    file.lines().any(|line| line == EXISTING)
}

/// Whether a file makes the member that reads it a cluster of its own.
#[must_use]
pub fn forces_new_cluster(file: &str) -> bool {
    file.lines().any(|line| line == FORCE)
}

/// The ID of the member that a file is for, read from the name of its data dir.
#[must_use]
pub fn member_id(file: &str) -> Option<u64> {
    let dir = setting(file, "data-dir")?;
    let id = dir.strip_prefix(DATA_MOUNT)?.strip_prefix('/')?;
    u64::from_str_radix(id, 16).ok()
}

/// The name that a file gives to its member.
#[must_use]
pub fn member_name(file: &str) -> Option<&str> {
    setting(file, "name")
}

fn setting<'a>(file: &'a str, key: &str) -> Option<&'a str> {
    file.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}

fn initial_cluster<'a>(identity: &Identity, ordinals: impl IntoIterator<Item = &'a u32>) -> String {
    let entries: Vec<String> = ordinals
        .into_iter()
        .map(|o| format!("{}={}", identity.member(*o), identity.peer_url(*o)))
        .collect();
    entries.join(",")
}

/// The lines that are the same for every member and take effect with its next start.
pub(super) fn settings(desired: &Desired) -> String {
    let learners = desired
        .version
        .has_max_learners()
        .then(|| ("max-learners", desired.version.learner_limit().to_string()));
    desired
        .options
        .settings()
        .into_iter()
        .chain(learners)
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

fn render(
    desired: &Desired,
    ordinal: u32,
    id: u64,
    name: &str,
    initial_cluster: &str,
    state: &str,
) -> String {
    let identity = &desired.identity;
    let settings = settings(desired);
    format!(
        "name: {name}\n\
         data-dir: {data_dir}\n\
         listen-client-urls: http://0.0.0.0:{CLIENT_PORT}\n\
         listen-peer-urls: http://0.0.0.0:{PEER_PORT}\n\
         listen-metrics-urls: http://0.0.0.0:{METRICS_PORT}\n\
         advertise-client-urls: {client_url}\n\
         initial-advertise-peer-urls: {peer_url}\n\
         initial-cluster: {initial_cluster}\n\
         {state}\n\
         initial-cluster-token: {token}\n\
         {settings}",
        data_dir = data_dir(id),
        client_url = identity.client_url(ordinal),
        peer_url = identity.peer_url(ordinal),
        token = identity.uid,
    )
}
