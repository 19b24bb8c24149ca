//! Injecting faults into one of the simulator's worlds, and healing them.
//!
//! Owns: what is common to these worlds: the operator's process, the API server, nodes and DNS.
//! What is done to pods is up to the world's [`Breaker`].
//! Always holds: an operator that was killed comes back by itself; what is healed is as before.
//! Deliberately does not know: when faults come, and for how long.

mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chaos::fault::{
    ApiTrouble, Fault, Hit, MemberTrouble, NodeTrouble, OperatorFault, PodFault, Surrounding,
};
use simulator::{
    kubernetes::kubelet::Power,
    net::{Death, HostId},
    world::{Ended, Operator, World},
};

pub use wire::{OperatorWire, READ_THE_PAST, died};

use crate::world::WorldFailed;

/// From the death of an operator to the next one, as a Deployment on a healthy node has it.
const COMES_BACK: Duration = Duration::from_secs(1);

/// Time that an operator may need to see again what is true: its watches are tried again after at
/// most eight seconds; then comes a look, which may wait for silent members.
const SEES_AGAIN: Duration = Duration::from_secs(15);

/// What a world can do to its pods. All of it is done at once.
pub trait Breaker: Send + Sync {
    /// Name of the world, to say what it cannot do.
    fn world(&self) -> &'static str;

    /// Does something to a pod, once.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`], or the reason why it failed.
    fn pod(&self, fault: PodFault, hit: &Hit) -> Result<(), WorldFailed>;

    /// Begins or ends the trouble of a member. `others` are hosts of the world's network besides
    /// the pods, from which a member that is cut off cannot be reached either.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`], or the reason why it failed.
    fn member(
        &self,
        trouble: MemberTrouble,
        hit: &Hit,
        others: &[HostId],
        begins: bool,
    ) -> Result<(), WorldFailed>;

    /// Takes the image registry away, or brings it back.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`].
    fn registry(&self, away: bool) -> Result<(), WorldFailed>;
}

/// The hands that break and mend a world.
pub struct Strikes {
    world: World,
    operator: Operator,
    user: HostId,
    wire: Arc<OperatorWire>,
    breaker: Box<dyn Breaker>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The operator is to stay away.
    stopped: bool,
    /// Faults that last and keep the operator from working as it should.
    hindrances: u32,
    /// Until when it may still be blind from what has ended.
    blind_until: Duration,
    /// The API server stands still.
    api_frozen: bool,
    twin: Option<Operator>,
    stale: Option<HostId>,
}

impl Strikes {
    /// Hands on a world with its operator, and the user's machine.
    #[must_use]
    pub fn on(
        world: World,
        operator: Operator,
        user: HostId,
        wire: Arc<OperatorWire>,
        breaker: Box<dyn Breaker>,
    ) -> Arc<Self> {
        let strikes = Arc::new(Self {
            world,
            operator,
            user,
            wire,
            breaker,
            state: Mutex::default(),
        });
        tokio::spawn(bring_back(Arc::downgrade(&strikes)));
        strikes
    }

    /// What the operator has sent so far that no operator may send.
    #[must_use]
    pub fn misdeeds(&self) -> Vec<String> {
        self.wire.misdeeds()
    }

    /// Situations that were met on the operator's wire, with their count.
    #[must_use]
    pub fn met(&self) -> BTreeMap<String, u64> {
        self.wire.met()
    }

    /// Whether the operator cannot work at the moment, or can only see what was.
    #[must_use]
    pub fn hinder_the_operator(&self) -> bool {
        self.operator.ended().is_some() || self.something_is_in_its_way()
    }

    fn something_is_in_its_way(&self) -> bool {
        let state = self.state();
        state.hindrances > 0 || self.world.clock().elapsed() < state.blind_until
    }

    /// Begins a fault.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`] when this world cannot do that.
    pub async fn begin(
        self: &Arc<Self>,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> Result<(), WorldFailed> {
        let aim = match hit {
            Some(hit) => format!("{fault} ({})", hit.pod),
            None => fault.to_string(),
        };
        self.world.trace().record("fault", aim);
        if hinders(fault) {
            self.state().hindrances += 1;
        }
        match (fault, hit) {
            (Fault::Pod(what, _), Some(hit)) => self.breaker.pod(*what, hit),
            (Fault::Member(trouble, ..), Some(hit)) => self.member(*trouble, hit, true),
            (Fault::Node(trouble, ..), Some(hit)) => self.node(*trouble, hit, true),
            (Fault::Operator(what), _) => self.operator(*what, true),
            (Fault::Api(ApiTrouble::Stale, span), _) => self.go_back(span.duration()).await,
            (Fault::Api(trouble, _), _) => self.api(*trouble, true).await,
            (Fault::Around(what, _), _) => self.around(*what, true),
            (Fault::Pod(..) | Fault::Member(..) | Fault::Node(..), None) => Ok(()),
        }
    }

    /// Ends a fault that lasts.
    ///
    /// # Errors
    /// When the world cannot be mended.
    pub async fn end(&self, fault: &Fault, hit: Option<&Hit>) -> Result<(), WorldFailed> {
        self.world
            .trace()
            .record("fault", format_args!("over: {fault}"));
        if hinders(fault) {
            let mut state = self.state();
            state.hindrances = state.hindrances.saturating_sub(1);
            state.blind_until = self.world.clock().elapsed() + SEES_AGAIN;
        }
        match (fault, hit) {
            (Fault::Member(trouble, ..), Some(hit)) => self.member(*trouble, hit, false),
            (Fault::Node(trouble, ..), Some(hit)) => self.node(*trouble, hit, false),
            (Fault::Operator(what), _) => self.operator(*what, false),
            (Fault::Api(trouble, _), _) => self.api(*trouble, false).await,
            (Fault::Around(what, _), _) => self.around(*what, false),
            (Fault::Pod(..) | Fault::Member(..) | Fault::Node(..), _) => Ok(()),
        }
    }

    fn member(&self, trouble: MemberTrouble, hit: &Hit, begins: bool) -> Result<(), WorldFailed> {
        let others = [self.operator.host(), self.user];
        self.breaker.member(trouble, hit, &others, begins)
    }

    fn node(&self, trouble: NodeTrouble, hit: &Hit, begins: bool) -> Result<(), WorldFailed> {
        let power = match (trouble, begins) {
            (NodeTrouble::Off, true) => Power::Off,
            (NodeTrouble::KubeletDown, true) => Power::KubeletDown,
            (NodeTrouble::Drained, _) => return Ok(()), // The user does that.
            (_, false) => Power::On,
        };
        if !hit.node.is_empty() {
            self.world.set_power(&hit.node, power);
        }
        Ok(())
    }

    fn operator(&self, fault: OperatorFault, begins: bool) -> Result<(), WorldFailed> {
        match (fault, begins) {
            (OperatorFault::Kill, true) => self.operator.kill(Death::Process),
            (OperatorFault::Stop(_), true) => {
                self.state().stopped = true;
                self.operator.kill(Death::Process);
            }
            (OperatorFault::Stop(_), false) => {
                self.state().stopped = false;
                self.start_operator();
            }
            (OperatorFault::Pause(_), true) => self.world.net().pause(self.operator.host()),
            (OperatorFault::Pause(_), false) => self.world.net().resume(self.operator.host()),
            (OperatorFault::Twin(_), true) => {
                let twin = self.world.start_operator(operator::Options::default());
                let twin = twin.map_err(|error| self.failed("start a second operator", &error))?;
                self.state().twin = Some(twin);
            }
            (OperatorFault::Twin(_), false) => {
                if let Some(twin) = self.state().twin.take() {
                    self.lay_off(twin.host());
                }
            }
            (OperatorFault::KillAt { moment, nth, call }, true) => {
                self.wire.kill_at(moment, nth, call);
            }
            (OperatorFault::Kill | OperatorFault::KillAt { .. }, _) => self.wire.forget_kills(),
        }
        Ok(())
    }

    async fn api(&self, trouble: ApiTrouble, begins: bool) -> Result<(), WorldFailed> {
        let (net, host) = (self.world.net(), self.world.api_host());
        match (trouble, begins) {
            (ApiTrouble::Away, true) => net.kill(host, Death::Process),
            (ApiTrouble::Away, false) => {
                // Nobody can listen on a host that stands still.
                net.resume(host);
                let started = self.world.start_api_server().await;
                started.map_err(|error| self.failed("start the API server", &error))?;
                if self.state().api_frozen {
                    net.pause(host);
                }
            }
            (ApiTrouble::Frozen, begins) => {
                self.state().api_frozen = begins;
                if begins {
                    net.pause(host);
                } else {
                    net.resume(host);
                }
                self.world.set_control_plane_frozen(begins);
            }
            (ApiTrouble::Stale, _) => {
                self.wire.read_from(None);
                if let Some(host) = self.state().stale.take() {
                    self.lay_off(host);
                }
            }
            (trouble, begins) => self.wire.trouble(trouble, begins),
        }
        Ok(())
    }

    /// An API server stops learning now; half of the time later a new operator reads from it.
    async fn go_back(self: &Arc<Self>, lasts: Duration) -> Result<(), WorldFailed> {
        let started = self.world.start_stale_api_server().await;
        let (host, server) = started.map_err(|error| self.failed("start a server", &error))?;
        if let Some(before) = self.state().stale.replace(host) {
            self.lay_off(before);
        }
        let strikes = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(lasts / 2).await;
            let Some(strikes) = strikes.upgrade() else {
                return;
            };
            if strikes.state().stale == Some(host) {
                strikes.wire.read_from(Some(server));
                strikes.operator.kill(Death::Process);
            }
        });
        Ok(())
    }

    fn around(&self, what: Surrounding, begins: bool) -> Result<(), WorldFailed> {
        match what {
            Surrounding::DnsFails => self.world.names().set_dns_fails(begins),
            Surrounding::RegistryAway => self.breaker.registry(begins)?,
            Surrounding::ElectionStorm => {} // The user does that.
        }
        Ok(())
    }

    /// Ends a host for good. Its address is given back later: its peers have to hear of the end
    /// first.
    fn lay_off(&self, host: HostId) {
        self.world.net().kill(host, Death::Process);
        let net = Arc::clone(self.world.net());
        tokio::spawn(async move {
            tokio::time::sleep(COMES_BACK).await;
            net.remove_host(host);
        });
    }

    fn start_operator(&self) {
        if self.operator.ended() == Some(Ended::Killed) && !self.state().stopped {
            self.operator.restart(operator::Options::default());
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, why: &dyn std::fmt::Display) -> WorldFailed {
        WorldFailed::CannotDo {
            world: self.breaker.world(),
            what: format!("{doing}: {why}"),
        }
    }
}

fn hinders(fault: &Fault) -> bool {
    match fault {
        Fault::Api(..) => true,
        Fault::Operator(fault) => fault.lasts().is_some(),
        Fault::Pod(..) | Fault::Member(..) | Fault::Node(..) | Fault::Around(..) => false,
    }
}

/// Starts the operator again after each of its deaths, for as long as anybody holds the hands.
async fn bring_back(strikes: std::sync::Weak<Strikes>) {
    loop {
        let Some(operator) = strikes.upgrade().map(|it| it.operator.clone()) else {
            return;
        };
        operator.killed().await;
        tokio::time::sleep(COMES_BACK).await;
        match strikes.upgrade() {
            Some(strikes) => strikes.start_operator(),
            None => return,
        }
    }
}
