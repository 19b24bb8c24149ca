//! The declared objects: written when they differ from what the plan says.
//!
//! Owns: Services, the budget, the members' configuration, the StatefulSet, and who owns volumes.
//! Always holds: an object that says all that it should is not written; names and configuration
//! come before the pods that need them.
//! Deliberately does not know: the plan's action.

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};
use kube::{
    Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Executor, WriteFailed};
use crate::{
    build::{self, FIELD_MANAGER, drift, services, stateful_set},
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
        if plan.config.is_none() && plan.replicas.is_none() {
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
