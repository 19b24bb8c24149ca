//! Kinds that the server stores and no simulated controller looks after.
//!
//! Owns: telling the user so, on the object.
//! Always holds: nobody waits in silence for a Deployment to make pods.
//! Deliberately does not know: what a controller for them would do.

use super::{
    cluster::Cluster,
    object::Key,
    queue::{Again, Controller},
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed, Resource,
    resource::{DEPLOYMENTS, REPLICA_SETS},
};

const KINDS: [&Resource; 2] = [&DEPLOYMENTS, &REPLICA_SETS];

/// Warns on objects that nothing will come of.
#[derive(Debug, Default)]
pub struct Unmodelled;

impl Controller for Unmodelled {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn affected(&mut self, change: &Changed, _: &ApiServer) -> Vec<Key> {
        let new = change.previous.is_none() && !change.deleted;
        if new && KINDS.iter().any(|kind| change.is_of(kind)) {
            vec![Key::of(&change.object)]
        } else {
            Vec::new()
        }
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        for kind in KINDS {
            if let Some(object) = cluster.get(kind, &key.namespace, &key.name) {
                let message = format!(
                    "not modelled: this simulation has no controller for {}; use a StatefulSet or plain pods",
                    kind.plural
                );
                cluster.warning(&object, "NotModelled", &message);
            }
        }
        Ok(Again::No)
    }
}
