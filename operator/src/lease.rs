//! Leadership by Lease: of several operators, one acts.
//!
//! Owns: taking, renewing and giving back one Lease (`coordination.k8s.io/v1`), and the rules of
//! client-go's leader election, which other operators keep as well.
//! Always holds: a holder stops acting [`RENEW_WITHIN`] after it sent its last successful renewal;
//! another may take the Lease only [`DURATION`] after it saw it change for the last time. So two
//! never act at once, whatever their clocks say: nobody reads the other's timestamps.
//! Deliberately does not know: what leaders do.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, ResourceExt, api::PostParams, core::ObjectMeta};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    backend::{Backend, Clock},
    metrics::{Metrics, Standing},
};

/// A Lease that has not changed for this long is free. Short, so that the work of an operator that
/// was killed goes on within 6 s.
pub const DURATION: Duration = Duration::from_secs(5);
/// The holder renews this often: 30 writes a minute, all that an idle operator writes.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// A holder that could not renew for this long stops acting, a second before anybody else may.
pub const RENEW_WITHIN: Duration = Duration::from_secs(4);
/// Time allowed for one request; a connection that hangs leaves time for another.
const REQUEST: Duration = Duration::from_secs(1);
/// Between two looks at a Lease that somebody else holds, and between two tries after a failure.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The longest duration that is believed, should somebody have written an absurd one by hand.
const LONGEST: Duration = Duration::from_secs(60);

/// Which Lease, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Who this operator is: unique among those that run at the same time. One that is started
    /// again under the same identity goes on at once.
    pub identity: String,
}

/// Why an operator does not lead any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// The API server did not take a renewal in time.
    #[error("the lease could not be renewed for {RENEW_WITHIN:?}: {why}")]
    NotRenewed {
        /// What came of the last try.
        why: String,
    },
    /// Somebody else has it.
    #[error("the lease was taken by {by}")]
    Taken {
        /// The new holder.
        by: String,
    },
}

/// Up to when an operator may act; asked before every round of writes, since a process that was
/// stopped and goes on (SIGSTOP, a suspended machine) may act before its timers fire.
#[derive(Clone)]
pub(crate) struct Tenure(Option<watch::Receiver<Instant>>);

impl Tenure {
    /// For an operator that shares its clusters with nobody.
    pub(crate) fn unlimited() -> Self {
        Self(None)
    }

    pub(crate) fn holds(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|until| Instant::now() < *until.borrow())
    }
}

/// The Lease, seen by one who wants it.
pub(crate) struct Lease {
    api: Api<Object>,
    wanted: Leadership,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// The Lease in our hands.
pub(crate) struct Held {
    object: Object,
    until: watch::Sender<Instant>,
}

impl Held {
    pub(crate) fn tenure(&self) -> Tenure {
        Tenure(Some(self.until.subscribe()))
    }
}

/// A version of the Lease that somebody else holds, and since when we know it.
struct Seen {
    version: String,
    since: Instant,
}

/// Why one request came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("no answer within {REQUEST:?}")]
    NoAnswer,
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
}

impl Failed {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(answer)) if answer.code == 409)
    }
}

impl Lease {
    pub(crate) fn new(backend: &Backend, wanted: Leadership, metrics: Metrics) -> Self {
        Self {
            api: Api::namespaced(backend.kube.clone(), &wanted.namespace),
            wanted,
            clock: Arc::clone(&backend.clock),
            metrics,
        }
    }

    /// Waits until the Lease is ours.
    pub(crate) async fn acquire(&self) -> Held {
        let mut seen = None;
        let mut last_failure = String::new();
        loop {
            let sent = Instant::now();
            match self.take(&mut seen).await {
                Ok(Some(object)) => {
                    let (until, _) = watch::channel(sent + RENEW_WITHIN);
                    self.metrics.stands(Standing::Leading);
                    return Held { object, until };
                }
                Ok(None) => {
                    last_failure.clear();
                    self.metrics.stands(Standing::StandingBy);
                }
                Err(failed) => {
                    let failure = crate::observe::chain(&failed);
                    self.metrics.stands(Standing::Unable(failure.clone()));
                    if failure != last_failure {
                        warn!(
                            lease = self.wanted.name,
                            error = failure,
                            "cannot take the lease"
                        );
                        last_failure = failure;
                    }
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Renews the Lease for as long as that works.
    pub(crate) async fn keep(&self, held: &mut Held) -> Lost {
        loop {
            let until = *held.until.borrow();
            sleep_until(until - RENEW_WITHIN + RENEW_EVERY).await;
            if let Err(lost) = self.renew(held, until).await {
                return lost;
            }
        }
    }

    /// Gives the Lease back, so that the next operator need not wait for it to run out.
    pub(crate) async fn release(&self, held: Held) {
        let mut object = held.object;
        if let Some(spec) = &mut object.spec {
            spec.holder_identity = None;
            spec.renew_time = Some(self.now());
        }
        match self.replace(&object).await {
            Ok(_) => info!(lease = self.wanted.name, "gave the lease back"),
            Err(failed) => warn!(
                lease = self.wanted.name,
                error = crate::observe::chain(&failed),
                "could not give the lease back; it runs out in {DURATION:?}"
            ),
        }
    }

    /// One try. None: somebody else has it.
    async fn take(&self, seen: &mut Option<Seen>) -> Result<Option<Object>, Failed> {
        let Some(mut object) = within(self.api.get_opt(&self.wanted.name)).await? else {
            return not_lost_to_another(self.create().await);
        };
        let spec = object.spec.get_or_insert_default();
        let holder = spec.holder_identity.clone().filter(|it| !it.is_empty());
        let ours = holder.as_ref() == Some(&self.wanted.identity);
        if let Some(holder) = holder.filter(|_| !ours) {
            let duration = believed(spec.lease_duration_seconds);
            let version = object.resource_version().unwrap_or_default();
            let known = seen.take().filter(|seen| seen.version == version);
            if known.is_none() {
                debug!(lease = self.wanted.name, holder, "standing by");
            }
            let now = Instant::now();
            let known = seen.insert(known.unwrap_or(Seen {
                version,
                since: now,
            }));
            if now.duration_since(known.since) < duration {
                return Ok(None);
            }
            info!(lease = self.wanted.name, holder, "the lease has run out");
        }
        self.sign(object.spec.get_or_insert_default(), !ours);
        not_lost_to_another(self.replace(&object).await)
    }

    async fn renew(&self, held: &mut Held, until: Instant) -> Result<(), Lost> {
        let mut why = "the process was stopped".to_owned();
        while Instant::now() < until {
            let sent = Instant::now();
            let mut object = held.object.clone();
            self.sign(object.spec.get_or_insert_default(), false);
            match self.replace(&object).await {
                Ok(object) => {
                    held.object = object;
                    held.until.send_replace(sent + RENEW_WITHIN);
                    return Ok(());
                }
                Err(failed) if failed.is_conflict() => self.read_again(held).await?,
                Err(failed) => {
                    why = crate::observe::chain(&failed);
                    debug!(lease = self.wanted.name, error = why, "not renewed");
                    sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now()))).await;
                }
            }
        }
        Err(Lost::NotRenewed { why })
    }

    /// After a conflict: a renewal without an answer may have been taken, or somebody edited the
    /// Lease; either way it is still ours unless it names another.
    async fn read_again(&self, held: &mut Held) -> Result<(), Lost> {
        let Ok(Some(object)) = within(self.api.get_opt(&self.wanted.name)).await else {
            return Ok(());
        };
        let holder = object
            .spec
            .as_ref()
            .and_then(|it| it.holder_identity.clone());
        if holder.as_ref() != Some(&self.wanted.identity) {
            let by = holder.filter(|it| !it.is_empty());
            return Err(Lost::Taken {
                by: by.unwrap_or_else(|| "nobody: its holder was erased".to_owned()),
            });
        }
        held.object = object;
        Ok(())
    }

    async fn create(&self) -> Result<Object, Failed> {
        let mut spec = LeaseSpec::default();
        self.sign(&mut spec, true);
        let object = Object {
            metadata: ObjectMeta {
                name: Some(self.wanted.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        };
        within(self.api.create(&PostParams::default(), &object)).await
    }

    async fn replace(&self, object: &Object) -> Result<Object, Failed> {
        within(
            self.api
                .replace(&self.wanted.name, &PostParams::default(), object),
        )
        .await
    }

    /// Times are for people: nothing is decided by them.
    fn sign(&self, spec: &mut LeaseSpec, anew: bool) {
        let now = self.now();
        spec.holder_identity = Some(self.wanted.identity.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = Some(now.clone());
        if anew {
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count + 1));
        }
    }

    fn now(&self) -> MicroTime {
        // Leases carry microseconds.
        let now = self.clock.now();
        MicroTime(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
    }
}

/// Two who take a free Lease at once: one of them is refused, and stands by.
fn not_lost_to_another(taken: Result<Object, Failed>) -> Result<Option<Object>, Failed> {
    match taken {
        Ok(object) => Ok(Some(object)),
        Err(failed) if failed.is_conflict() => Ok(None),
        Err(failed) => Err(failed),
    }
}

fn believed(seconds: Option<i32>) -> Duration {
    let written = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    written.map_or(DURATION, Duration::from_secs).min(LONGEST)
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match timeout(REQUEST, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failed::NoAnswer),
    }
}
