//! Kubernetes objects, cut down to what matters of them.
//!
//! Owns: where in an object each part of the picture is found.
//! Always holds: what an object does not say is absent from the picture, never made up.
//! Deliberately does not know: what the picture is for.

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ContainerState, ContainerStatus, PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{Resource, ResourceExt};

use super::{ClaimView, Exit, PodView, StatefulSetView};
use crate::{
    build::pod::{CONTAINER, TEMPLATE_HASH},
    identity::Identity,
};

pub(super) fn pod(pod: &Pod) -> PodView {
    let status = pod.status.as_ref();
    let container = status
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|statuses| {
            statuses
                .iter()
                .find(|container| container.name == CONTAINER)
        });
    let state = container.and_then(|container| container.state.as_ref());
    let waiting = state
        .and_then(|state| state.waiting.as_ref())
        .and_then(|waiting| {
            let reason = waiting.reason.clone()?;
            Some(match &waiting.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason,
            })
        });
    let unscheduled = status
        .and_then(|status| status.conditions.as_ref())
        .and_then(|conditions| conditions.iter().find(|c| c.type_ == "PodScheduled"))
        .filter(|condition| condition.status == "False")
        .map(|condition| {
            let message = condition.message.clone().unwrap_or_default();
            format!(
                "{}: {message}",
                condition.reason.clone().unwrap_or_default()
            )
        });
    PodView {
        uid: pod.uid().unwrap_or_default(),
        revision: pod.resource_version().unwrap_or_default(),
        ip: status
            .and_then(|status| status.pod_ip.clone())
            .filter(|ip| !ip.is_empty()),
        created: pod
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|created| created.0),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        running: state.is_some_and(|state| state.running.is_some()),
        trouble: unscheduled.or(waiting),
        ready: container.is_some_and(|container| container.ready),
        started: state
            .and_then(|state| state.running.as_ref())
            .and_then(|running| running.started_at.as_ref())
            .map(|time| time.0),
        joined: container.is_some_and(|container| container.started == Some(true)),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        restarts: container.map_or(0, |container| {
            u32::try_from(container.restart_count).unwrap_or(0)
        }),
        last_exit: container.and_then(last_exit),
        template: pod.annotations().get(TEMPLATE_HASH).cloned(),
    }
}

/// A container that has ended and was not started again yet says so in its state, later in its
/// last state.
fn last_exit(container: &ContainerStatus) -> Option<Exit> {
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    let exit = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))?;
    Some(Exit {
        code: exit.exit_code,
        reason: exit.reason.unwrap_or_default(),
        message: exit.message.unwrap_or_default(),
        finished: exit.finished_at.map(|time| time.0),
    })
}

pub(super) fn claim(claim: &PersistentVolumeClaim) -> ClaimView {
    ClaimView {
        uid: claim.uid().unwrap_or_default(),
        terminating: claim.metadata.deletion_timestamp.is_some(),
        bound: claim
            .status
            .as_ref()
            .is_some_and(|status| status.phase.as_deref() == Some("Bound")),
        requested: requested(claim).cloned(),
    }
}

/// The size that a claim, or a template of one, asks for.
pub(crate) fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage")
}

pub(super) fn owned(object: &impl Resource, identity: &Identity) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.uid == identity.uid)
}

pub(super) fn stateful_set(set: &StatefulSet, identity: &Identity) -> StatefulSetView {
    let spec = set.spec.as_ref();
    let replicas = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let template = spec.and_then(|spec| spec.template.metadata.as_ref());
    let seen = set
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let claims = spec.and_then(|spec| spec.volume_claim_templates.as_ref());
    StatefulSetView {
        uid: set.uid().unwrap_or_default(),
        replicas: u32::try_from(replicas).unwrap_or(0),
        terminating: set.metadata.deletion_timestamp.is_some(),
        template: template
            .and_then(|metadata| metadata.annotations.as_ref()?.get(TEMPLATE_HASH).cloned()),
        up_to_date: seen >= set.metadata.generation,
        volume_size: claims.and_then(|claims| requested(claims.first()?).cloned()),
        owned: owned(set, identity),
    }
}
