//! The namespace that a run takes place in.
//!
//! Owns: making it, and leaving nothing behind.
//! Always holds: a namespace that was there before stays, without what the run made in it.
//! Deliberately does not know: what the run does in it.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams, PropagationPolicy},
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    user::{chain, cluster_api},
    worlds::CannotBegin,
};

/// Time that Kubernetes has to take everything down.
const LEAVING: Duration = Duration::from_secs(120);

/// The namespace of one run.
pub(super) struct Home {
    kube: Client,
    /// Its name.
    pub(super) name: String,
    ours: bool,
    /// Claims that were there before, by UID.
    before: BTreeSet<String>,
}

impl Home {
    /// Moves into the namespace, or makes one.
    pub(super) async fn enter(kube: &Client, given: Option<&str>) -> Result<Self, CannotBegin> {
        let namespaces: Api<Namespace> = Api::all(kube.clone());
        let name = match given {
            Some(name) => namespaces.get(name).await.map(|_| name.to_owned()),
            None => create(&namespaces).await,
        };
        let name = name.map_err(|error| {
            let doing = given.map_or("make a namespace".to_owned(), |it| {
                format!("find the namespace {it}")
            });
            CannotBegin(format!("failed to {doing}: {}", chain(&error)))
        })?;
        let mut home = Self {
            kube: kube.clone(),
            name,
            ours: given.is_none(),
            before: BTreeSet::new(),
        };
        home.before = home.claims().await.map_or_else(
            |error| {
                Err(CannotBegin(format!(
                    "failed to list the claims in {}: {}",
                    home.name,
                    chain(&error)
                )))
            },
            |found| Ok(found.into_iter().map(|(uid, _)| uid).collect()),
        )?;
        Ok(home)
    }

    /// Takes down what the run made, and waits until it is gone.
    ///
    /// # Errors
    /// Says what could not be taken down, and how to do it by hand.
    pub(super) async fn leave(&self, cluster: &str) -> Result<(), String> {
        let by_hand = if self.ours {
            format!("kubectl delete namespace {}", self.name)
        } else {
            format!("kubectl delete -n {} etcdcluster {cluster}", self.name)
        };
        let why = match timeout(LEAVING, self.take_down(cluster)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("it is not gone after {} s", LEAVING.as_secs()),
        };
        Err(format!("failed to clean up: {why}; by hand: `{by_hand}`"))
    }

    async fn take_down(&self, cluster: &str) -> Result<(), kube::Error> {
        if self.ours {
            let namespaces: Api<Namespace> = Api::all(self.kube.clone());
            gone(
                namespaces
                    .delete(&self.name, &DeleteParams::default())
                    .await,
            )?;
            while namespaces.get_opt(&self.name).await?.is_some() {
                sleep(Duration::from_millis(500)).await;
            }
            return Ok(());
        }
        let clusters = cluster_api(self.kube.clone(), &self.name);
        let foreground = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        gone(clusters.delete(cluster, &foreground).await)?;
        while clusters.get_opt(cluster).await?.is_some() {
            sleep(Duration::from_millis(500)).await;
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.kube.clone(), &self.name);
        for (uid, name) in self.claims().await? {
            if !self.before.contains(&uid) {
                gone(claims.delete(&name, &DeleteParams::default()).await)?;
            }
        }
        Ok(())
    }

    /// The claims in the namespace: UID and name.
    async fn claims(&self) -> Result<Vec<(String, String)>, kube::Error> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.kube.clone(), &self.name);
        let found = claims.list(&ListParams::default()).await?;
        Ok(found
            .items
            .into_iter()
            .filter_map(|claim| Some((claim.metadata.uid?, claim.metadata.name?)))
            .collect())
    }
}

async fn create(namespaces: &Api<Namespace>) -> Result<String, kube::Error> {
    let namespace: Namespace = serde_json::from_value(json!({
        "metadata": {
            "generateName": "scenario-",
            "labels": {"app.kubernetes.io/managed-by": "scenarios"},
        },
    }))
    .map_err(kube::Error::SerdeError)?;
    let made = namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    Ok(made.metadata.name.unwrap_or_default())
}

/// What is to be deleted and is not there is as good as deleted.
fn gone<T>(answer: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}
