//! The operator under test, as a process on a host of the world.
//!
//! Owns: the backend that the operator is handed, its start, its end and what it left as last words.
//! Always holds: the operator gets unmodified clients whose bytes travel over the world's network.
//! Deliberately does not know: what the operator does.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use etcd_client::{Client, Error};
use jiff::Timestamp;
use operator::{Backend, Dial, Options};
use tokio::sync::{Notify, watch};

use super::{
    API_PORT, API_SERVER, World,
    calls::Counter,
    clients,
    wire::{Line, Wire},
};
use crate::{
    clock::Clock,
    net::{Death, HostId},
};

/// How an operator's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop, and stopped.
    Stopped,
    /// It was killed.
    Killed,
}

/// A running operator; a clone is another handle on the same one.
#[derive(Clone)]
pub struct Operator {
    world: World,
    host: HostId,
    counter: Counter,
    stop: Arc<watch::Sender<bool>>,
    ended: Arc<Mutex<Option<Ended>>>,
    /// Told whenever it was killed.
    killed: Arc<Notify>,
    wire: Option<Arc<dyn Wire>>,
}

impl World {
    /// Starts an operator on a host of its own.
    ///
    /// # Errors
    /// When there is no address left.
    pub fn start_operator(&self, options: Options) -> std::io::Result<Operator> {
        self.start_operator_on(options, None)
    }

    /// Starts an operator whose calls go over a wire, in all its lives.
    ///
    /// # Errors
    /// When there is no address left.
    pub fn start_operator_on(
        &self,
        options: Options,
        wire: Option<Arc<dyn Wire>>,
    ) -> std::io::Result<Operator> {
        let host = self.net().add_host("operator")?;
        let (stop, _) = watch::channel(false);
        let operator = Operator {
            world: self.clone(),
            host,
            counter: Counter::default(),
            stop: Arc::new(stop),
            ended: Arc::default(),
            killed: Arc::default(),
            wire,
        };
        operator.boot(options);
        Ok(operator)
    }
}

impl Operator {
    /// Runs the operator's process. Everything is made on its host, so that it all dies with it.
    fn boot(&self, options: Options) {
        let (world, host, counter) = (self.world.clone(), self.host, self.counter.clone());
        let (mut stopped, ended) = (self.stop.subscribe(), Arc::clone(&self.ended));
        let line = self.line();
        let process = async move {
            let server = format!("{API_SERVER}:{API_PORT}");
            let connector = world.connector(host);
            let backend = Backend {
                kube: clients::kube_client(
                    connector.clone(),
                    &server,
                    "operator",
                    &counter,
                    line.clone(),
                ),
                etcd: Arc::new(WorldDial {
                    world: world.clone(),
                    host,
                    counter,
                    line,
                }),
                clock: Arc::new(WorldClock(*world.clock())),
            };
            let shutdown = async move {
                // Also when the handle is dropped: nobody could stop it later.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            operator::run(backend, options, shutdown).await;
            world.trace().record("operator", "stopped");
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended::Stopped);
        };
        self.world.net().spawn(host, Box::pin(process));
    }

    fn line(&self) -> Option<Line> {
        let wire = Arc::clone(self.wire.as_ref()?);
        // Not the whole handle: it would keep itself alive through its own process.
        let (world, host) = (Arc::downgrade(&self.world.inner), self.host);
        let (ended, killed) = (Arc::clone(&self.ended), Arc::clone(&self.killed));
        let die = Arc::new(move || {
            let Some(inner) = world.upgrade() else { return };
            inner.ground.net.kill(host, Death::Process);
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended::Killed);
            killed.notify_one();
        });
        Some(Line { wire, die })
    }

    /// Waits until it was killed.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }

    /// The host that it runs on.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.host
    }

    /// What it has asked of Kubernetes and etcd, over all its lives.
    #[must_use]
    pub fn counter(&self) -> &Counter {
        &self.counter
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks it to stop, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Kills it, as SIGKILL or the loss of its node does.
    pub fn kill(&self, death: Death) {
        self.world.net().kill(self.host, death);
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ended::Killed);
        self.killed.notify_one();
    }

    /// Starts it again after its end.
    pub fn restart(&self, options: Options) {
        self.kill(Death::Process);
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stop.send_replace(false);
        self.boot(options);
    }
}

struct WorldDial {
    world: World,
    host: HostId,
    counter: Counter,
    line: Option<Line>,
}

impl Dial for WorldDial {
    fn dial(
        &self,
        host: &str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = Result<Client, Error>> + Send + '_>> {
        let (connector, host) = (self.world.connector(self.host), host.to_owned());
        let (counter, line) = (&self.counter, self.line.clone());
        Box::pin(async move { clients::dial_etcd(connector, &host, port, counter, line).await })
    }
}

struct WorldClock(Clock);

impl operator::Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
