//! Configuration files of the members, so that the official image runs as it is: no shell, no
//! init script, no sidecar.
//!
//! Owns: the content of each file.
//! Always holds: `initial-cluster-state: new` appears only in files made by [`bootstrap_files`];
//! the data dir is named after the member's ID. etcd reads the `initial-*` settings only while its
//! data dir is empty (etcd docs, "Configuration options").
//! Deliberately does not know: which members exist; it is told.

use std::collections::BTreeMap;

use crate::{
    identity::{CLIENT_PORT, METRICS_PORT, PEER_PORT, data_dir},
    validate::Desired,
};

const EXISTING: &str = "initial-cluster-state: existing";
const NEW: &str = "initial-cluster-state: new";

/// Files for the first members of a cluster that does not exist yet.
#[must_use]
pub fn bootstrap_files(
    desired: &Desired,
    members: &BTreeMap<u32, u64>,
) -> BTreeMap<String, String> {
    render(desired, members, NEW)
}

/// Files for the members of a cluster that exists.
#[must_use]
pub fn files(desired: &Desired, members: &BTreeMap<u32, u64>) -> BTreeMap<String, String> {
    render(desired, members, EXISTING)
}

/// Whether a file belongs to a cluster that exists.
#[must_use]
pub fn joins_existing(file: &str) -> bool {
    file.lines().any(|line| line == EXISTING)
}

fn render(
    desired: &Desired,
    members: &BTreeMap<u32, u64>,
    state: &str,
) -> BTreeMap<String, String> {
    let identity = &desired.identity;
    let everybody: Vec<String> = members
        .keys()
        .map(|o| format!("{}={}", identity.member(*o), identity.peer_url(*o)))
        .collect();
    let initial_cluster = everybody.join(",");
    let learners = if desired.version.has_max_learners() {
        format!("max-learners: {}\n", desired.version.learner_limit())
    } else {
        String::new()
    };
    let file = |ordinal: u32, id: u64| {
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
             {learners}",
            name = identity.member(ordinal),
            data_dir = data_dir(id),
            client_url = identity.client_url(ordinal),
            peer_url = identity.peer_url(ordinal),
            token = identity.uid,
        )
    };
    members
        .iter()
        .map(|(ordinal, id)| {
            (
                format!("{}.yaml", identity.member(*ordinal)),
                file(*ordinal, *id),
            )
        })
        .collect()
}
