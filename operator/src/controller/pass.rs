//! One pass over one cluster.
//!
//! Owns: the order observe, validate, plan, execute, report, and going round again after a change.
//! Always holds: what was seen is reported, whatever became of the plan. A majority that does not
//! answer is looked at again before the cluster is called unavailable: it may be choosing a leader.
//! Deliberately does not know: the rules behind the plan.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::controller::Action as Requeue,
};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing::{debug, error};

use super::{Context, announce};
use crate::{
    api::{EtcdCluster, EtcdClusterStatus},
    build::FIELD_MANAGER,
    etcd::CallFailed,
    execute::{Executor, NotNow, Outcome, WriteFailed},
    observe::{CachesClosed, LiveObjects, Observed, observe},
    plan::{
        Plan,
        audit::{Finding, audit},
        plan,
    },
    report,
    validate::{Desired, Invalid, validate},
};

/// Changes made in one go before other clusters get their turn.
const ROUNDS: usize = 16;

/// Time that a majority may take to choose a leader. Clients only wait meanwhile: an election takes
/// one to two election timeouts of a second, another after a split vote (Raft paper, 9.3).
const ELECTION: Duration = Duration::from_millis(2500);
/// Between two looks at a cluster that may be choosing a leader.
const ELECTION_LOOK: Duration = Duration::from_millis(200);

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassFailed {
    /// Kubernetes did not take a declared object or a deletion.
    #[error(transparent)]
    Write(#[from] WriteFailed),
    /// The operator is stopping.
    #[error("failed to read the caches")]
    Caches(#[from] CachesClosed),
    /// The plan breaks a rule that no plan may break: a bug of the planner. It is not carried out.
    #[error("failed to go on: the plan breaks a rule: {0}; this is a bug, please report it")]
    Unsound(Finding),
    /// Another operator may be acting already.
    #[error("failed to go on: the lease has run out")]
    NotLeading,
    /// Kubernetes did not take the status.
    #[error("failed to write the status")]
    Status(#[source] kube::Error),
}

impl PassFailed {
    /// A stable word for metrics.
    pub(super) fn class(&self) -> String {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            match error.downcast_ref::<kube::Error>() {
                Some(kube::Error::Api(answer)) => return format!("Kubernetes{}", answer.code),
                Some(_) => return "KubernetesUnreachable".to_owned(),
                None => next = error.source(),
            }
        }
        match self {
            Self::NotLeading => "NotLeading".to_owned(),
            Self::Unsound(_) => "Unsound".to_owned(),
            _ => "Stopping".to_owned(),
        }
    }
}

pub(super) async fn run(cluster: &EtcdCluster, context: &Context) -> Result<Requeue, PassFailed> {
    let desired = match validate(cluster, &context.options.domain) {
        Ok(desired) => desired,
        Err(invalid) => return refuse(cluster, context, &invalid).await,
    };
    context.stores.ready().await?;
    context.connections.forget_gone(&context.stores.pods);
    let mut pass = Pass {
        cluster,
        context,
        desired: &desired,
        written: cluster.status.clone().unwrap_or_default(),
        silent_since: None,
    };
    let mut rounds = 0;
    while rounds < ROUNDS {
        match pass.round().await? {
            Again::Now => rounds += 1,
            Again::AfterElection => sleep(ELECTION_LOOK).await,
            Again::In(delay) => return Ok(Requeue::requeue(delay)),
        }
    }
    Ok(Requeue::requeue(Duration::ZERO))
}

enum Again {
    Now,
    AfterElection,
    In(Duration),
}

struct Pass<'a> {
    cluster: &'a EtcdCluster,
    context: &'a Context,
    desired: &'a Desired,
    /// The status as it stands in Kubernetes.
    written: EtcdClusterStatus,
    /// Since when no majority has answered, looks of this pass only.
    silent_since: Option<Instant>,
}

impl Pass<'_> {
    async fn round(&mut self) -> Result<Again, PassFailed> {
        let (context, desired) = (self.context, self.desired);
        let began = Instant::now();
        let mut objects = context.stores.objects(&desired.identity, self.cluster);
        objects.observed.status = self.written.clone();
        let dial = context.backend.etcd.as_ref();
        let observed = observe(
            &desired.identity,
            objects.observed,
            dial,
            &context.connections,
        )
        .await;
        let mut plan = plan(desired, &observed, context.backend.clock.now());
        debug!(cluster = desired.identity.name, ?plan, "planned");
        if !context.tenure.holds() {
            return Err(PassFailed::NotLeading);
        }
        let executor = Executor {
            backend: &context.backend,
            connections: &context.connections,
            desired,
        };
        let done = self
            .carry_out(&executor, &plan, &observed, &objects.live)
            .await;
        if let Err(PassFailed::Write(failed)) = &done
            && let Some(refusal) = failed.refusal()
        {
            plan.waiting = Some(refusal);
        }
        let outcome = done.as_ref().unwrap_or(&Outcome::Nothing);
        let now = context.backend.clock.now();
        let electing = self.may_be_electing(&observed, began);
        let status = if electing {
            report::in_doubt(desired, &observed, now)
        } else {
            report::status(desired, &observed, &plan, outcome, now)
        };
        let metrics = &context.options.metrics;
        metrics.looked(desired, &observed, &plan, &status);
        self.write_status(status).await?;
        let done = done?;
        if electing && matches!(done, Outcome::Nothing) {
            return Ok(Again::AfterElection);
        }
        Ok(self.again(&plan, &done, &observed))
    }

    /// Declares and acts. The audit shares no code with the planner, and what fails it does harm.
    async fn carry_out(
        &self,
        executor: &Executor<'_>,
        plan: &Plan,
        observed: &Observed,
        live: &LiveObjects,
    ) -> Result<Outcome, PassFailed> {
        if let Some(finding) = audit(self.desired, observed, plan).into_iter().next() {
            let cluster = &self.desired.identity.name;
            error!(cluster, %finding, ?plan, "a plan breaks a rule, and is not carried out");
            return Err(PassFailed::Unsound(finding));
        }
        executor.declare(plan, live).await?;
        Ok(self.act(executor, plan, observed).await?)
    }

    fn again(&self, plan: &Plan, outcome: &Outcome, observed: &Observed) -> Again {
        let (context, longest) = (self.context, self.context.options.look_every);
        let patience = &context.patience;
        let what = match (outcome, &plan.waiting) {
            (Outcome::Done(_), _) => {
                patience.over(self.cluster);
                return Again::Now;
            }
            (Outcome::Nothing, None) => {
                patience.over(self.cluster);
                return Again::In(longest);
            }
            (Outcome::NotNow { action, why }, _) => format!("{action} {}", why.label()),
            (Outcome::Nothing, Some(waiting)) => waiting.reason().to_owned(),
        };
        let pause = patience.pause(self.cluster, what, longest);
        let too_young = matches!(
            outcome,
            Outcome::NotNow {
                why: NotNow::Etcd(CallFailed::UnhealthyCluster),
                ..
            }
        );
        let settled = too_young.then(|| voters_settle_in(observed, context.backend.clock.now()));
        Again::In(settled.unwrap_or_default().max(pause))
    }

    /// Whether silence may be that of an election. An outage is known as such [`ELECTION`] later.
    fn may_be_electing(&mut self, observed: &Observed, began: Instant) -> bool {
        if observed.membership.members().is_some() {
            self.silent_since = None;
            return false;
        }
        let silent_since = *self.silent_since.get_or_insert(began);
        !self.desired.deleting
            && self.desired.size > 0
            && report::is_available(&self.written)
            && silent_since.elapsed() < ELECTION
    }

    async fn act(
        &self,
        executor: &Executor<'_>,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<Outcome, WriteFailed> {
        let (began, metrics) = (Instant::now(), &self.context.options.metrics);
        let outcome = executor.act(plan, observed).await?;
        match &outcome {
            Outcome::Nothing => {}
            Outcome::Done(action) => {
                metrics.acted(action.reason(), began.elapsed());
                announce::done(self.context, self.cluster, self.desired, action).await;
            }
            Outcome::NotNow { action, why } => {
                metrics.failed(why.label());
                debug!(cluster = self.desired.identity.name, %action, %why, "not now");
            }
        }
        Ok(outcome)
    }

    async fn write_status(&mut self, status: EtcdClusterStatus) -> Result<(), PassFailed> {
        if status == self.written {
            return Ok(());
        }
        let identity = &self.desired.identity;
        put_status(self.context, &identity.namespace, &identity.name, &status).await?;
        let changes = report::transitions(&self.written, &status);
        announce::changes(self.context, self.cluster, self.desired, &changes).await;
        self.written = status;
        Ok(())
    }
}

/// etcd adds nobody before every voter has been connected this long (`isConnectedFullySince` in its
/// `server.go`).
const VOTERS_SETTLE: SignedDuration = SignedDuration::from_secs(5);

/// Time until the youngest voter has run long enough, as far as its pod tells.
fn voters_settle_in(observed: &Observed, now: Timestamp) -> Duration {
    let voters = observed.answering_voters().into_iter();
    let youngest = voters.filter_map(|(pod, _)| pod.started).max();
    // A node's clock may be ahead.
    let left =
        youngest.map(|started| VOTERS_SETTLE.min(VOTERS_SETTLE - now.duration_since(started)));
    left.and_then(|left| Duration::try_from(left).ok())
        .unwrap_or_default()
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
