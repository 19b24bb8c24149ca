//! What every namespace is given: a default ServiceAccount and the cluster's root certificate.
//!
//! Owns: `default` and `kube-root-ca.crt` in every namespace.
//! Always holds: both come back when they are deleted, unless their namespace goes.
//! Deliberately does not know: tokens and certificates; nobody checks them here.

use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    object::{Key, Meta},
    queue::{Again, Controller},
};
use crate::kubernetes::api::{
    ApiError, ApiServer, Changed, Resource,
    resource::{CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS},
};

const ACCOUNT: &str = "default";
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// Fills every namespace with what it is given.
#[derive(Debug, Default)]
pub struct Accounts;

impl Controller for Accounts {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn affected(&mut self, change: &Changed, _: &ApiServer) -> Vec<Key> {
        let object = &change.object;
        let lost = |resource: &Resource, name: &str| {
            change.deleted && change.is_of(resource) && object.name() == name
        };
        if change.is_of(&NAMESPACES) && !change.deleted {
            vec![Key::of(object)]
        } else if lost(&SERVICE_ACCOUNTS, ACCOUNT) || lost(&CONFIG_MAPS, ROOT_CERTIFICATE) {
            vec![Key::new("", object.namespace())]
        } else {
            Vec::new()
        }
    }

    fn reconcile(&mut self, cluster: &mut Cluster, key: &Key) -> Result<Again, ApiError> {
        let namespace = &key.name;
        let active = cluster
            .get(&NAMESPACES, "", namespace)
            .is_some_and(|found| !found.is_terminating());
        if active {
            let account = json!({"metadata": {"name": ACCOUNT, "namespace": namespace}});
            ensure(cluster, &SERVICE_ACCOUNTS, account)?;
            let certificate = json!({
                "metadata": {"name": ROOT_CERTIFICATE, "namespace": namespace, "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
                }},
                "data": {"ca.crt": ""},
            });
            ensure(cluster, &CONFIG_MAPS, certificate)?;
        }
        Ok(Again::No)
    }
}

fn ensure(cluster: &mut Cluster, resource: &Resource, object: Value) -> Result<(), ApiError> {
    let key = Key::of(&object);
    if cluster.get(resource, &key.namespace, &key.name).is_none() {
        cluster.create(resource, object)?;
    }
    Ok(())
}
