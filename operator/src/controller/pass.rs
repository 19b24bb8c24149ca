//! One pass over one cluster.
//!
//! Owns: the order observe, validate, plan, execute, report, and going round again after a change.
//! Always holds: what was seen is reported, whatever became of the plan.
//! Deliberately does not know: the rules behind the plan.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{
        controller::Action as Requeue,
        events::{Event, EventType, Recorder, Reporter},
    },
};
use serde_json::json;
use tracing::{debug, info};

use super::{Context, patience};
use crate::{
    api::{EtcdCluster, EtcdClusterStatus},
    build::FIELD_MANAGER,
    execute::{Executor, Outcome, WriteFailed},
    observe::{CachesClosed, Observed, observe},
    plan::{Plan, plan},
    report,
    validate::{Desired, Invalid, validate},
};

/// Changes made in one go before other clusters get their turn.
const ROUNDS: usize = 16;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassFailed {
    /// Kubernetes did not take a declared object or a deletion.
    #[error(transparent)]
    Write(#[from] WriteFailed),
    /// The operator is stopping.
    #[error("failed to read the caches")]
    Caches(#[from] CachesClosed),
    /// Kubernetes did not take the status.
    #[error("failed to write the status")]
    Status(#[source] kube::Error),
}

pub(super) async fn run(cluster: &EtcdCluster, context: &Context) -> Result<Requeue, PassFailed> {
    let desired = match validate(cluster, &context.options.domain) {
        Ok(desired) => desired,
        Err(invalid) => return refuse(cluster, context, &invalid).await,
    };
    if desired.deleting {
        // Everything goes with its owner; there is nothing that the operator could hold up.
        return Ok(Requeue::await_change());
    }
    context.stores.ready().await?;
    context.connections.forget_gone(&context.stores.pods);
    let mut written = cluster.status.clone().unwrap_or_default();
    for _ in 0..ROUNDS {
        let (status, again) = round(cluster, context, &desired, &written).await?;
        written = status;
        match again {
            Again::Now => {}
            Again::In(delay) => return Ok(Requeue::requeue(delay)),
        }
    }
    Ok(Requeue::requeue(Duration::ZERO))
}

enum Again {
    Now,
    In(Duration),
}

async fn round(
    cluster: &EtcdCluster,
    context: &Context,
    desired: &Desired,
    written: &EtcdClusterStatus,
) -> Result<(EtcdClusterStatus, Again), PassFailed> {
    let mut objects = context.stores.objects(&desired.identity, cluster);
    objects.observed.status = written.clone();
    let dial = context.backend.etcd.as_ref();
    let observed = observe(objects.observed, dial, &context.connections).await;
    let plan = plan(desired, &observed, context.backend.clock.now());
    debug!(cluster = desired.identity.name, ?plan, "planned");

    let executor = Executor {
        backend: &context.backend,
        connections: &context.connections,
        desired,
    };
    let done = match executor.declare(&plan, &objects.live).await {
        Ok(()) => executor.act(&plan, &observed).await,
        Err(failed) => Err(failed),
    };
    let outcome = done.as_ref().unwrap_or(&Outcome::Nothing);
    announce(cluster, context, desired, outcome).await;
    let now = context.backend.clock.now();
    let status = report::status(desired, &observed, &plan, outcome, now);
    write_status(context, desired, written, &status).await?;
    let again = again(context, &plan, &done?, &observed);
    Ok((status, again))
}

fn again(context: &Context, plan: &Plan, outcome: &Outcome, observed: &Observed) -> Again {
    let longest = context.options.look_every;
    match (outcome, &plan.waiting) {
        (Outcome::Done(_), _) => Again::Now,
        (Outcome::Nothing, None) => Again::In(longest),
        (Outcome::NotNow { .. }, _) | (Outcome::Nothing, Some(_)) => {
            let since = observed
                .status
                .conditions
                .iter()
                .find(|condition| condition.type_ == report::PROGRESSING)
                .map(|condition| condition.last_transition_time.0);
            Again::In(patience(since, context.backend.clock.now(), longest))
        }
    }
}

async fn refuse(
    cluster: &EtcdCluster,
    context: &Context,
    invalid: &Invalid,
) -> Result<Requeue, PassFailed> {
    let before = cluster.status.clone().unwrap_or_default();
    let status = report::refused(&before, invalid, context.backend.clock.now());
    if status != before {
        let namespace = cluster.namespace().unwrap_or_default();
        put_status(context, &namespace, &cluster.name_any(), &status).await?;
    }
    Ok(Requeue::await_change())
}

async fn write_status(
    context: &Context,
    desired: &Desired,
    before: &EtcdClusterStatus,
    status: &EtcdClusterStatus,
) -> Result<(), PassFailed> {
    if status == before {
        return Ok(());
    }
    put_status(
        context,
        &desired.identity.namespace,
        &desired.identity.name,
        status,
    )
    .await
}

async fn put_status(
    context: &Context,
    namespace: &str,
    name: &str,
    status: &EtcdClusterStatus,
) -> Result<(), PassFailed> {
    let clusters: Api<EtcdCluster> = Api::namespaced(context.backend.kube.clone(), namespace);
    let patch = json!({
        "apiVersion": EtcdCluster::api_version(&()),
        "kind": EtcdCluster::kind(&()),
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match clusters
        .patch_status(name, &params, &Patch::Apply(patch))
        .await
    {
        Ok(_) => Ok(()),
        // Deleted meanwhile: nobody is left to read it.
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(PassFailed::Status(error)),
    }
}

/// One log line and one event for each thing that was done.
async fn announce(cluster: &EtcdCluster, context: &Context, desired: &Desired, outcome: &Outcome) {
    let action = match outcome {
        Outcome::Nothing => return,
        Outcome::NotNow { action, why } => {
            debug!(cluster = desired.identity.name, %action, %why, "not now");
            return;
        }
        Outcome::Done(action) => action,
    };
    info!(
        namespace = desired.identity.namespace,
        cluster = desired.identity.name,
        %action,
        "done"
    );
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: None,
    };
    let recorder = Recorder::new(context.backend.kube.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: action.reason().to_owned(),
        note: Some(action.to_string()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let reference: ObjectReference = cluster.object_ref(&());
    if let Err(error) = recorder.publish(&event, &reference).await {
        debug!(%error, "event not recorded");
    }
}
