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
use tokio::sync::watch;

use super::{World, calls::Counter, clients};
use crate::{
    clock::Clock,
    net::{Death, HostId},
};

/// How an operator's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop, and stopped.
    Stopped,
    /// It gave up, and said why.
    Failed(String),
    /// It was killed.
    Killed,
}

/// A running operator.
pub struct Operator {
    world: World,
    host: HostId,
    counter: Counter,
    stop: watch::Sender<bool>,
    ended: Arc<Mutex<Option<Ended>>>,
}

impl World {
    /// Starts an operator on a host of its own.
    ///
    /// # Errors
    /// When there is no address left.
    pub fn start_operator(&self, options: Options) -> std::io::Result<Operator> {
        let host = self.net().add_host("operator")?;
        let (stop, _) = watch::channel(false);
        let operator = Operator {
            world: self.clone(),
            host,
            counter: Counter::default(),
            stop,
            ended: Arc::default(),
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
        let process = async move {
            let connector = world.connector(host);
            let backend = Backend {
                kube: clients::kube_client(connector.clone(), "operator", &counter),
                etcd: Arc::new(WorldDial {
                    world: world.clone(),
                    host,
                    counter,
                }),
                clock: Arc::new(WorldClock(*world.clock())),
            };
            let shutdown = async move {
                // Also when the handle is dropped: nobody could stop it later.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let end = match operator::run(backend, options, shutdown).await {
                Ok(()) => Ended::Stopped,
                Err(failure) => Ended::Failed(failure.to_string()),
            };
            world
                .trace()
                .record("operator", format_args!("ended: {end:?}"));
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        };
        self.world.net().spawn(host, Box::pin(process));
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
}

impl Dial for WorldDial {
    fn dial(
        &self,
        host: &str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = Result<Client, Error>> + Send + '_>> {
        let (connector, host) = (self.world.connector(self.host), host.to_owned());
        Box::pin(async move { clients::dial_etcd(connector, &host, port, &self.counter).await })
    }
}

struct WorldClock(Clock);

impl operator::Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
