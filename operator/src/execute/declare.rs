//! The declared objects: written when they differ from what the plan says.
//!
//! Owns: Services, the budget, the members' configuration, the StatefulSet, and who owns volumes.
//! Always holds: an object that says all that it should is not written; names and configuration
//! come before the pods that need them. Members are not told to begin a cluster, nor all of them
//! stopped, on the word of a cache alone: what that relies on is read again, live.
//! Deliberately does not know: the plan's action.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim},
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Executor, WriteFailed, refused};
use crate::{
    build::{self, FIELD_MANAGER, drift, member_config, services, stateful_set},
    observe::{self, LiveObjects},
    plan::Plan,
};

impl Executor<'_> {
    /// Brings the declared objects in line: names and configuration first, then the pods that need
    /// them.
    ///
    /// # Errors
    /// [`WriteFailed`]; what was written stays, the next pass goes on from there.
    pub async fn declare(&self, plan: &Plan, live: &LiveObjects) -> Result<(), WriteFailed> {
        let desired = self.desired;
        let nothing = plan.config.is_none() && plan.replicas.is_none();
        if nothing || self.begins_again(plan, live).await? {
            return Ok(());
        }
        for service in [services::peer(desired), services::client(desired)] {
            let name = service["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            self.apply(live.services.get(&name), &service).await?;
        }
        self.apply(
            live.budget.as_ref(),
            &build::budget(desired, plan.protected_voters),
        )
        .await?;
        if let Some(files) = &plan.config {
            let config = build::config_map(desired, files);
            let live_data = live
                .config_map
                .as_ref()
                .map(|config| config.data.clone().unwrap_or_default());
            // A key too many is drift as well: it is the file of a member that is no more.
            let current = live_data.as_ref() == Some(files);
            self.apply(live.config_map.as_ref().filter(|_| current), &config)
                .await?;
        }
        if let Some(replicas) = plan.replicas {
            self.declare_set(replicas, live.stateful_set.as_ref())
                .await?;
        }
        self.own_claims(live).await
    }

    /// A cache that lags may show a cluster that has not begun yet. A member that is told to begin
    /// it once more, and has lost its data, would begin an empty one.
    async fn begins_again(&self, plan: &Plan, live: &LiveObjects) -> Result<bool, WriteFailed> {
        let begun = |files: &BTreeMap<String, String>| {
            let mut files = files.values();
            files.any(|file| member_config::joins_existing(file))
        };
        let Some(files) = plan.config.as_ref().filter(|files| !begun(files)) else {
            return Ok(false);
        };
        let cached = live.config_map.as_ref();
        if cached.and_then(|config| config.data.as_ref()) == Some(files) {
            return Ok(false);
        }
        let identity = &self.desired.identity;
        let (name, owner) = (identity.config_map(), &identity.uid);
        let configs: Api<ConfigMap> = self.objects();
        let config = configs.get_opt(&name).await;
        let config = config.map_err(|source| refused("read", "ConfigMap", name, source))?;
        // What a deleted cluster of the same name has left says nothing about this one.
        let ours = config.filter(|it| it.owner_references().iter().any(|it| it.uid == *owner));
        Ok(ours.is_some_and(|config| config.data.as_ref().is_some_and(begun)))
    }

    /// One that is being deleted is left alone: it is made anew once it is gone.
    async fn declare_set(
        &self,
        replicas: u32,
        live: Option<&StatefulSet>,
    ) -> Result<(), WriteFailed> {
        if live.is_some_and(|set| set.metadata.deletion_timestamp.is_some()) {
            return Ok(());
        }
        let claims = live.and_then(|set| set.spec.as_ref()?.volume_claim_templates.as_ref());
        let fixed = claims.and_then(|claims| observe::requested(claims.first()?));
        let size = fixed.unwrap_or(&self.desired.storage_size);
        let set = stateful_set::stateful_set(self.desired, replicas, size);
        let runs = |set: &StatefulSet| set.spec.as_ref().is_some_and(|it| it.replicas != Some(0));
        if replicas == 0 && live.is_some_and(runs) && self.confirm_size().await.is_err() {
            return Ok(());
        }
        self.apply(live, &set).await
    }

    /// Volumes follow the retention policy. A claim is left alone until it is bound: a write in
    /// between makes the volume controller's own write conflict, and it tries again only at its
    /// next resync, up to 15 s later (seen on Kubernetes 1.34).
    async fn own_claims(&self, live: &LiveObjects) -> Result<(), WriteFailed> {
        for (ordinal, claim) in &live.claims {
            let name = self.desired.identity.claim(*ordinal);
            let wanted = stateful_set::claim_ownership(self.desired, &name);
            let owners = json!(claim.owner_references());
            if drift::same(Some(&owners), &wanted["metadata"]["ownerReferences"]) {
                continue;
            }
            let phase = claim
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            if phase == Some("Bound") && claim.metadata.deletion_timestamp.is_none() {
                self.apply(None::<&PersistentVolumeClaim>, &wanted).await?;
            }
        }
        Ok(())
    }

    /// Server-side apply, skipped when the live object says all of it already.
    async fn apply<K>(&self, live: Option<&K>, wanted: &Value) -> Result<(), WriteFailed>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        if live.is_some_and(|live| drift::covers(&json!(live), wanted)) {
            return Ok(());
        }
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.objects::<K>()
            .patch(name, &params, &Patch::Apply(wanted))
            .await
            .map(drop)
            .map_err(|source| WriteFailed {
                verb: "apply",
                kind: K::kind(&()).into_owned(),
                name: name.to_owned(),
                source,
            })
    }
}
