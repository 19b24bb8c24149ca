//! Telling people: one log line and one event for each thing that was done or has changed.
//!
//! Owns: log lines and events about clusters.
//! Always holds: only what is new is told. An event that is lost does not hold up the work.
//! Deliberately does not know: what is worth telling; it is handed that.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Resource,
    runtime::events::{Event, EventType},
};
use tracing::{debug, info, warn};

use super::Context;
use crate::{
    api::EtcdCluster, identity::Identity, plan::Action, report::Transition, validate::Desired,
};

/// An action that was done.
pub(super) async fn done(
    context: &Context,
    cluster: &EtcdCluster,
    desired: &Desired,
    action: &Action,
) {
    let identity = &desired.identity;
    let member = action.ordinal().map(|ordinal| identity.member(ordinal));
    info!(
        namespace = identity.namespace,
        cluster = identity.name,
        member,
        %action,
        "done"
    );
    let event = Event {
        type_: EventType::Normal,
        reason: action.reason().to_owned(),
        note: Some(action.to_string()),
        action: "Reconcile".to_owned(),
        secondary: member.map(|member| pod(identity, &member)),
    };
    publish(context, cluster, &event).await;
}

/// A fault that has begun or is over.
pub(super) async fn changes(
    context: &Context,
    cluster: &EtcdCluster,
    desired: &Desired,
    changes: &[Transition],
) {
    let identity = &desired.identity;
    for change in changes {
        let (namespace, cluster_name) = (&identity.namespace, &identity.name);
        let (reason, member) = (change.reason.as_str(), change.member.as_deref());
        if change.fault {
            warn!(
                namespace,
                cluster = cluster_name,
                member,
                reason,
                "{}",
                change.message
            );
        } else {
            info!(
                namespace,
                cluster = cluster_name,
                member,
                reason,
                "{}",
                change.message
            );
        }
        let event = Event {
            type_: if change.fault {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: change.reason.clone(),
            note: Some(change.message.clone()),
            action: "Reconcile".to_owned(),
            secondary: member.map(|member| pod(identity, member)),
        };
        publish(context, cluster, &event).await;
    }
}

/// The recorder takes events that differ only in their note for the same one, and counts up its
/// first; so an event about a member names its pod.
fn pod(identity: &Identity, member: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(identity.namespace.clone()),
        name: Some(member.to_owned()),
        ..ObjectReference::default()
    }
}

async fn publish(context: &Context, cluster: &EtcdCluster, event: &Event) {
    let about: ObjectReference = cluster.object_ref(&());
    if let Err(error) = context.events.publish(event, &about).await {
        debug!(%error, "event not recorded");
    }
}
