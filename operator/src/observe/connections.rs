//! Open connections to members.
//!
//! Owns: which connection belongs to which pod.
//! Always holds: a connection belongs to one incarnation of a pod at one address.
//! Deliberately does not know: what is asked over it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, runtime::reflector::Store};
use tokio::time::timeout;

use super::PodView;
use crate::{
    backend::{CONNECT_TIMEOUT, Dial},
    etcd::MemberClient,
    identity::CLIENT_PORT,
};

/// Open connections to members, kept between looks.
///
/// A connection belongs to one incarnation of a pod: a pod that comes back has another UID and
/// usually another address, and must not be confused with the one before.
#[derive(Clone, Default)]
pub struct Connections {
    /// By the pod's UID: its address when it was dialled, and the connection.
    by_pod: Arc<Mutex<BTreeMap<String, (String, MemberClient)>>>,
}

impl Connections {
    /// The connection to a pod's member, dialled when there is none.
    ///
    /// # Errors
    /// When the pod cannot be reached, in words for people.
    pub async fn to(&self, dial: &dyn Dial, pod: &PodView) -> Result<MemberClient, String> {
        let ip = pod.ip.as_deref().ok_or("the pod has no address yet")?;
        let known = self.lock().get(&pod.uid).cloned();
        if let Some((_, client)) = known.filter(|(dialled, _)| dialled == ip) {
            return Ok(client);
        }
        let dialled = timeout(CONNECT_TIMEOUT, dial.dial(ip, CLIENT_PORT)).await;
        let client = match dialled {
            Ok(Ok(client)) => MemberClient::new(client),
            Ok(Err(error)) => return Err(format!("cannot connect: {}", chain(&error))),
            Err(_) => return Err(format!("no connection within {CONNECT_TIMEOUT:?}")),
        };
        let connection = (ip.to_owned(), client.clone());
        self.lock().insert(pod.uid.clone(), connection);
        Ok(client)
    }

    /// Forgets the connection to a pod after a failure, so that the next look dials anew.
    pub fn forget(&self, pod: &PodView) {
        self.lock().remove(&pod.uid);
    }

    /// Forgets connections to pods that are no longer there. More connections than pods means that
    /// there are such; else nothing is looked at, so this may be called on every pass.
    pub fn forget_gone(&self, pods: &Store<Pod>) {
        let mut connections = self.lock();
        if connections.len() <= pods.len() {
            return;
        }
        let alive: BTreeSet<String> = pods.state().iter().filter_map(|pod| pod.uid()).collect();
        connections.retain(|uid, _| alive.contains(uid));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (String, MemberClient)>> {
        self.by_pod.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
