//! The two Services of a cluster.
//!
//! Owns: the headless Service that names each member, and the one that clients use.
//! Always holds: members find each other before they are ready (`publishNotReadyAddresses`);
//! clients reach voters only, since a learner's pod is never ready.
//! Deliberately does not know: the members.

use serde_json::{Value, json};

use super::metadata;
use crate::{
    identity::{CLIENT_PORT, PEER_PORT},
    validate::Desired,
};

/// The headless Service behind the members' DNS names.
#[must_use]
pub fn peer(desired: &Desired) -> Value {
    let identity = &desired.identity;
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(desired, &identity.peer_service()),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": true,
            "selector": identity.labels(),
            "ports": [
                {"name": "client", "port": CLIENT_PORT, "protocol": "TCP", "targetPort": CLIENT_PORT},
                {"name": "peer", "port": PEER_PORT, "protocol": "TCP", "targetPort": PEER_PORT},
            ],
        },
    })
}

/// The Service for clients.
#[must_use]
pub fn client(desired: &Desired) -> Value {
    let identity = &desired.identity;
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(desired, &identity.client_service()),
        "spec": {
            "type": "ClusterIP",
            "selector": identity.labels(),
            "ports": [
                {"name": "client", "port": CLIENT_PORT, "protocol": "TCP", "targetPort": CLIENT_PORT},
            ],
        },
    })
}
