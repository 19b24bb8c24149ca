//! Breaking a real cluster beyond what its users can, and mending it.
//!
//! Owns: how each such fault of the vocabulary is brought about here, and what undoes it.
//! Always holds: a fault that lasts leaves a [`Remedy`] before it is there; every remedy is applied
//! at the end of the run at the latest. What neither the operator's owner nor the host's table of
//! commands can do is refused by name.
//! Deliberately does not know: when to break what, and what users can do ([`crate::user`]).

mod by_host;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chaos::fault::{ApiTrouble, Fault, Hit, MemberTrouble, NodeTrouble, OperatorFault, PodFault};
use kube::Client;
use tokio::time::sleep;

use super::{
    commands::{Commands, Offer, Told},
    operator::{self, Operator},
    reach::Reach,
};
use crate::{strikes::OperatorWire, world::WorldFailed};

/// Breaks the cluster of one run.
pub(super) struct Faults {
    kube: Client,
    namespace: String,
    commands: Commands,
    operator: Arc<Operator>,
    reach: Arc<Reach>,
    /// What is still to be undone, oldest first.
    open: Mutex<Vec<Open>>,
}

/// A fault that lasts, whom it hits, and what undoes it.
type Open = (Fault, Option<Hit>, Remedy);

/// What undoes a fault.
enum Remedy {
    /// A command of the host.
    Command(Offer, Told),
    /// Starts the operator again.
    StartOperator,
    /// Lets the operator's process go on.
    ResumeOperator,
    /// Lets the operator's calls pass again.
    Calm(ApiTrouble),
    /// Forgets the calls at which the operator was to die.
    Spare,
}

impl Faults {
    pub(super) fn new(
        (kube, namespace): (Client, &str),
        commands: Commands,
        operator: Arc<Operator>,
        reach: Arc<Reach>,
    ) -> Arc<Self> {
        Arc::new(Self {
            kube,
            namespace: namespace.to_owned(),
            commands,
            operator,
            reach,
            open: Mutex::default(),
        })
    }

    /// Whether the operator is kept from its work at the moment.
    pub(super) fn hinder_the_operator(&self) -> bool {
        let hinders = |(fault, ..): &Open| matches!(fault, Fault::Api(..) | Fault::Operator(_));
        self.operator.is_dead() || self.open().iter().any(hinders)
    }

    /// Brings a fault about. `hit` is whom it hits, for those that hit a member.
    pub(super) async fn inject(
        self: &Arc<Self>,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> Result<(), WorldFailed> {
        match (fault, hit) {
            (Fault::Pod(PodFault::Kill, _), Some(hit)) => {
                self.commands.need(Offer::Kill, &fault.to_string())?;
                let told = self.told_of(hit).await?;
                self.commands.run(Offer::Kill, &told).await
            }
            (Fault::Member(trouble, ..), Some(hit)) => self.member(fault, *trouble, hit).await,
            (Fault::Node(trouble, ..), Some(hit)) => self.node(fault, *trouble, hit).await,
            (Fault::Operator(what), _) => self.operator(fault, *what).await,
            (Fault::Api(trouble, _), _) => self.api(fault, *trouble).await,
            _ => Err(operator::cannot(&fault.to_string())),
        }
    }

    /// Undoes a fault that lasts.
    pub(super) async fn heal(&self, fault: &Fault, hit: Option<&Hit>) -> Result<(), WorldFailed> {
        let is_it = |open: &Open| open.0 == *fault && open.1.as_ref() == hit;
        let taken = {
            let mut open = self.open();
            let (taken, rest): (Vec<Open>, Vec<Open>) = open.drain(..).partition(is_it);
            *open = rest;
            taken
        };
        for (fault, hit, remedy) in taken {
            if let Err(why) = self.apply(&remedy).await {
                self.open().push((fault, hit, remedy));
                return Err(why);
            }
        }
        Ok(())
    }

    /// Undoes everything that is not undone yet, and tells what could not be.
    pub(super) async fn heal_all(&self) -> Vec<String> {
        let open = std::mem::take(&mut *self.open());
        let mut failed = Vec::new();
        for (fault, _, remedy) in open.into_iter().rev() {
            if let Err(why) = self.apply(&remedy).await {
                failed.push(format!("failed to undo `{fault}`: {why}"));
            }
        }
        failed
    }

    async fn apply(&self, remedy: &Remedy) -> Result<(), WorldFailed> {
        match remedy {
            Remedy::Command(offer, told) => self.commands.run(*offer, told).await,
            Remedy::StartOperator => self.operator.start().await,
            Remedy::ResumeOperator => self.operator.pause(false).await,
            Remedy::Calm(trouble) => {
                self.operator
                    .wire()
                    .inspect(|wire| wire.trouble(*trouble, false));
                Ok(())
            }
            Remedy::Spare => {
                self.operator.wire().inspect(|wire| wire.forget_kills());
                Ok(())
            }
        }
    }

    async fn member(
        &self,
        fault: &Fault,
        trouble: MemberTrouble,
        hit: &Hit,
    ) -> Result<(), WorldFailed> {
        match trouble {
            MemberTrouble::Paused => {
                let told = self.told_of(hit).await?;
                let (begin, end) = (Offer::Pause, Offer::Resume);
                self.lasting(fault, Some(hit), (begin, end), told).await
            }
            MemberTrouble::CutOff => self.cut(fault, hit, (true, true)).await,
            MemberTrouble::Deaf => self.cut(fault, hit, (true, false)).await,
            MemberTrouble::Mute => self.cut(fault, hit, (false, true)).await,
            MemberTrouble::SlowNetwork | MemberTrouble::SlowDisk => {
                Err(operator::cannot(&fault.to_string()))
            }
        }
    }

    async fn node(
        &self,
        fault: &Fault,
        trouble: NodeTrouble,
        hit: &Hit,
    ) -> Result<(), WorldFailed> {
        let offers = match trouble {
            NodeTrouble::Off => (Offer::NodeOff, Offer::NodeOn),
            NodeTrouble::KubeletDown => (Offer::KubeletDown, Offer::KubeletUp),
            NodeTrouble::Drained => return Err(operator::cannot(&fault.to_string())),
        };
        let told = self.told_of(hit).await?;
        self.lasting(fault, Some(hit), offers, told).await
    }

    async fn operator(&self, fault: &Fault, what: OperatorFault) -> Result<(), WorldFailed> {
        match what {
            OperatorFault::Kill => self.operator.kill_once().await,
            OperatorFault::Stop(_) => {
                self.open().push((*fault, None, Remedy::StartOperator));
                self.operator.stop().await
            }
            OperatorFault::Pause(_) => {
                self.open().push((*fault, None, Remedy::ResumeOperator));
                self.operator.pause(true).await
            }
            OperatorFault::KillAt { moment, nth, call } => {
                let wire = self.wire(fault)?;
                self.open().push((*fault, None, Remedy::Spare));
                wire.kill_at(moment, nth, call);
                Ok(())
            }
            OperatorFault::Twin(_) => Err(operator::cannot(&fault.to_string())),
        }
    }

    /// Ends by itself when its time is over: who injected it may be waiting for an answer of the API
    /// server just then.
    async fn api(self: &Arc<Self>, fault: &Fault, trouble: ApiTrouble) -> Result<(), WorldFailed> {
        let offers = match trouble {
            ApiTrouble::Frozen => (Offer::ApiFreeze, Offer::ApiThaw),
            ApiTrouble::Away => (Offer::ApiKill, Offer::ApiStart),
            ApiTrouble::Stale => return Err(operator::cannot(&fault.to_string())),
            trouble => {
                let wire = self.wire(fault)?;
                self.open().push((*fault, None, Remedy::Calm(trouble)));
                wire.trouble(trouble, true);
                return Ok(());
            }
        };
        self.lasting(fault, None, offers, self.told_of_cluster())
            .await?;
        if let Some(span) = fault.lasts() {
            let (faults, fault) = (Arc::clone(self), *fault);
            tokio::spawn(async move {
                sleep(span.duration()).await;
                // When it fails, so does the attempt to heal everything at the end, which tells.
                let _ = faults.heal(&fault, None).await;
            });
        }
        Ok(())
    }

    /// What happens on the way between the operator and the API server can be brought about here
    /// only for an operator in this process.
    fn wire(&self, fault: &Fault) -> Result<&OperatorWire, WorldFailed> {
        self.operator.wire().ok_or_else(|| {
            operator::cannot(&format!("{fault} (with --operator in-process it can)"))
        })
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
