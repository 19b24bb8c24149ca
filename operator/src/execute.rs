//! Doing what the plan says.
//!
//! Owns: every write to Kubernetes objects and every call that changes the membership.
//! Always holds: a declared object is written only when it drifted; what a destructive step relies
//! on is read again, live, right before it.
//! Deliberately does not know: why; the plan leaves it no choices.

mod declare;
mod outcome;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde::de::DeserializeOwned;

pub use outcome::{NotNow, Outcome, WriteFailed};

use crate::{
    api::EtcdCluster,
    backend::Backend,
    build::{FIELD_MANAGER, stateful_set},
    etcd::MemberClient,
    observe::{Connections, Observed},
    plan::{Action, Plan, Removal},
    validate::Desired,
};

fn refused(verb: &'static str, kind: &str, name: String, source: kube::Error) -> WriteFailed {
    WriteFailed {
        verb,
        kind: kind.to_owned(),
        name,
        source,
    }
}

/// Carries plans out.
pub struct Executor<'a> {
    /// The world.
    pub backend: &'a Backend,
    /// Open connections to members.
    pub connections: &'a Connections,
    /// What is wanted.
    pub desired: &'a Desired,
}

impl Executor<'_> {
    /// Takes the plan's one action.
    ///
    /// # Errors
    /// [`WriteFailed`] when Kubernetes refuses; what etcd refuses is an [`Outcome`].
    pub async fn act(&self, plan: &Plan, observed: &Observed) -> Result<Outcome, WriteFailed> {
        let Some(action) = plan.action.clone() else {
            return Ok(Outcome::Nothing);
        };
        let result = match &action {
            Action::DeleteClaim { ordinal, uid } => self.delete_claim(*ordinal, uid).await?,
            Action::RestartPod { ordinal, uid, .. } => {
                let pod = observed.pods.get(ordinal);
                let revision = pod.map(|pod| pod.revision.clone());
                self.restart_pod(*ordinal, uid, revision).await?
            }
            Action::GrowVolume { ordinal, uid, size } => {
                self.grow_volume(*ordinal, uid, size).await?
            }
            Action::RecreateStatefulSet { uid } => self.orphan_pods(uid).await?,
            _ => self.change_membership(&action, observed).await,
        };
        Ok(match result {
            Ok(()) => Outcome::Done(action),
            Err(why) => Outcome::NotNow { action, why },
        })
    }

    async fn change_membership(&self, action: &Action, observed: &Observed) -> Result<(), NotNow> {
        if let Action::RemoveMember {
            why: Removal::ScaleDown,
            ..
        } = action
        {
            self.confirm_size().await?;
        }
        if let Action::RemoveMember {
            ordinal,
            why: Removal::DataLost(_),
            ..
        } = action
        {
            self.confirm_loss(*ordinal, observed).await?;
        }
        let member = self.member_to_ask(action, observed).await?;
        match action {
            Action::AddLearner { ordinal } => {
                let url = self.desired.identity.peer_url(*ordinal);
                member.add_learner(&url).await.map(drop)?;
            }
            Action::Promote { id, .. } => member.promote(*id).await?,
            Action::MoveLeader { id, .. } => member.move_leader(*id).await?,
            Action::RemoveMember { id, .. } => member.remove(*id).await?,
            Action::DisarmAlarm { id } => member.disarm_corrupt(*id).await?,
            Action::DeleteClaim { .. }
            | Action::RestartPod { .. }
            | Action::GrowVolume { .. }
            | Action::RecreateStatefulSet { .. } => {}
        }
        Ok(())
    }

    /// A cache that lags may show a size that nobody wants any more; removing a member on its word
    /// is what Sieve calls time travel.
    async fn confirm_size(&self) -> Result<(), NotNow> {
        let clusters: Api<EtcdCluster> = self.objects();
        let live = clusters.get(&self.desired.identity.name).await;
        let same = live.is_ok_and(|live| {
            live.uid().as_deref() == Some(self.desired.identity.uid.as_str())
                && live.spec.size == self.desired.size
                && live.metadata.deletion_timestamp.is_none()
        });
        if same {
            Ok(())
        } else {
            Err(NotNow::Stale("the EtcdCluster"))
        }
    }

    /// The evidence for a loss lies in a pod and a volume; both must still be the ones that were seen.
    async fn confirm_loss(&self, ordinal: u32, observed: &Observed) -> Result<(), NotNow> {
        let identity = &self.desired.identity;
        let pod = observed.pods.get(&ordinal).map(|pod| pod.uid.clone());
        let claim = observed.claims.get(&ordinal).map(|claim| claim.uid.clone());
        if !self.is_still::<Pod>(&identity.member(ordinal), pod).await {
            return Err(NotNow::Stale("the pod"));
        }
        if !self
            .is_still::<PersistentVolumeClaim>(&identity.claim(ordinal), claim)
            .await
        {
            return Err(NotNow::Stale("the volume claim"));
        }
        Ok(())
    }

    async fn is_still<K>(&self, name: &str, uid: Option<String>) -> bool
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let live = self.objects::<K>().get_opt(name).await;
        live.is_ok_and(|live| live.and_then(|live| live.uid()) == uid)
    }

    /// The leader, since it answers without forwarding; else any other voter.
    async fn member_to_ask(
        &self,
        action: &Action,
        observed: &Observed,
    ) -> Result<MemberClient, NotNow> {
        let leaving = match action {
            Action::RemoveMember { id, .. } => Some(*id),
            _ => None,
        };
        let mut last = "no voter answers".to_owned();
        let voters = observed.answering_voters().into_iter();
        for (pod, _) in voters.filter(|(_, report)| Some(report.member_id) != leaving) {
            match self.connections.to(self.backend.etcd.as_ref(), pod).await {
                Ok(client) => return Ok(client),
                Err(why) => last = why,
            }
        }
        Err(NotNow::NobodyToAsk(last))
    }

    /// Deletes one claim by UID. Kubernetes keeps it until the last pod that uses it is gone.
    async fn delete_claim(
        &self,
        ordinal: u32,
        uid: &str,
    ) -> Result<Result<(), NotNow>, WriteFailed> {
        let name = self.desired.identity.claim(ordinal);
        self.delete::<PersistentVolumeClaim>(name, uid, "the volume claim", DeleteParams::default())
            .await
    }

    /// Deletes one pod by UID, and by revision: one that did not run when it was seen may run by
    /// now. The StatefulSet makes a new one under the same name.
    async fn restart_pod(
        &self,
        ordinal: u32,
        uid: &str,
        revision: Option<String>,
    ) -> Result<Result<(), NotNow>, WriteFailed> {
        let name = self.desired.identity.member(ordinal);
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: None,
                resource_version: revision,
            }),
            ..DeleteParams::default()
        };
        self.delete::<Pod>(name, uid, "the pod", params).await
    }

    /// Asks for a larger volume. A class that does not allow it is no failure of the pass: it is
    /// said, and everything else goes on.
    async fn grow_volume(
        &self,
        ordinal: u32,
        uid: &str,
        size: &str,
    ) -> Result<Result<(), NotNow>, WriteFailed> {
        let name = self.desired.identity.claim(ordinal);
        let patch = stateful_set::claim_growth(uid, &Quantity(size.to_owned()));
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let claims = self.objects::<PersistentVolumeClaim>();
        match claims.patch(&name, &params, &Patch::Merge(patch)).await {
            Ok(_) => Ok(Ok(())),
            Err(kube::Error::Api(status)) => Ok(Err(match status.code {
                403 | 422 => NotNow::VolumeNotGrown(status.message.clone()),
                404 | 409 => NotNow::Stale("the volume claim"),
                _ => {
                    return Err(refused(
                        "patch",
                        "PersistentVolumeClaim",
                        name,
                        kube::Error::Api(status),
                    ));
                }
            })),
            Err(source) => Err(refused("patch", "PersistentVolumeClaim", name, source)),
        }
    }

    /// Deletes the StatefulSet but not its pods.
    async fn orphan_pods(&self, uid: &str) -> Result<Result<(), NotNow>, WriteFailed> {
        let name = self.desired.identity.name.clone();
        let orphan = DeleteParams::orphan();
        self.delete::<StatefulSet>(name, uid, "the StatefulSet", orphan)
            .await
    }

    /// Deletes an object if it still is the one with this UID: the API server compares and deletes
    /// in one step, so no second look is needed before.
    async fn delete<K>(
        &self,
        name: String,
        uid: &str,
        what: &'static str,
        params: DeleteParams,
    ) -> Result<Result<(), NotNow>, WriteFailed>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                ..params.preconditions.unwrap_or_default()
            }),
            ..params
        };
        match self.objects::<K>().delete(&name, &params).await {
            Ok(_) => Ok(Ok(())),
            // Gone already, or another by now: the caches are behind, and asking again before they
            // have caught up would only delete it over and over.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                Ok(Err(NotNow::Stale(what)))
            }
            Err(source) => Err(WriteFailed {
                verb: "delete",
                kind: K::kind(&()).into_owned(),
                name,
                source,
            }),
        }
    }

    fn objects<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.backend.kube.clone(), &self.desired.identity.namespace)
    }
}
