//! This build's operator, in this process.
//!
//! Owns: a runtime for it alone, so that killing it ends everything that it does at once, and the
//! wire that its calls go over.
//! Always holds: it is the operator's own code with live clients; only the way to pods is the
//! run's, where pods have no address that can be reached from here. Killed at a call, it comes back
//! after a moment.
//! Deliberately does not know: what the operator does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use etcd_client::{Client, Error};
use operator::{
    Backend, Dial, Options,
    backend::{BoxFuture, CONNECT_TIMEOUT, KEEP_ALIVE, SystemClock},
};
use simulator::world::{Counter, Tap};
use tokio::{
    runtime::{Handle, Runtime},
    time::sleep,
};

use super::COMING_BACK;
use crate::{
    kubernetes::{
        connection::Connection,
        reach::{Limits, Reach},
    },
    strikes::OperatorWire,
    world::Calls,
    worlds::CannotBegin,
};

/// As the live operator dials.
const LIMITS: Limits = Limits {
    connect: CONNECT_TIMEOUT,
    keep_alive: KEEP_ALIVE,
};

/// An operator in this process.
pub(in crate::kubernetes) struct InProcess(Arc<Life>);

struct Life {
    config: kube::Config,
    namespace: String,
    reach: Arc<Reach>,
    wire: Arc<OperatorWire>,
    counter: Counter,
    /// The runtime of the world, which lives on when the operator's does not.
    world: Handle,
    running: Mutex<Option<Runtime>>,
    /// How it ended by itself.
    ended: Mutex<Option<String>>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

impl InProcess {
    pub(super) fn start(
        connection: &Connection,
        namespace: &str,
        reach: &Arc<Reach>,
    ) -> Result<Self, CannotBegin> {
        let operator = Self(Arc::new(Life {
            config: connection.config.clone(),
            namespace: namespace.to_owned(),
            reach: Arc::clone(reach),
            wire: Arc::default(),
            counter: Counter::default(),
            world: Handle::current(),
            running: Mutex::default(),
            ended: Mutex::default(),
        }));
        let started = operator.boot();
        started.map_err(|why| CannotBegin(format!("failed to start the operator: {why}")))?;
        Ok(operator)
    }

    /// Ends it as `kill -9` does: nothing that it was doing is finished.
    pub(super) fn kill(&self) {
        self.0.kill();
    }

    /// Starts it, also again.
    pub(super) fn boot(&self) -> std::io::Result<()> {
        Life::boot(&self.0)
    }

    pub(super) fn wire(&self) -> &OperatorWire {
        &self.0.wire
    }

    pub(super) fn calls(&self) -> Calls {
        let counted = self.0.counter.calls();
        Calls {
            kubernetes: counted.kubernetes,
            etcd: counted.etcd,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        lock(&self.0.running).is_none()
    }

    pub(super) fn crashed(&self) -> Option<String> {
        let ended = lock(&self.0.ended).clone();
        ended.map(|why| format!("the operator ended: {why}"))
    }
}

impl Life {
    fn kill(&self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_background();
        }
    }

    fn boot(life: &Arc<Self>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("operator")
            .enable_all()
            .build()?;
        *lock(&life.ended) = None;
        let running = runtime.spawn(Arc::clone(life).run());
        let life_of_it = Arc::downgrade(life);
        runtime.spawn(async move {
            let end = match running.await {
                Ok(Ok(())) => "it stopped without being asked to".to_owned(),
                Ok(Err(why)) => why,
                Err(panic) => panic.to_string(),
            };
            if let Some(life) = life_of_it.upgrade() {
                *lock(&life.ended) = Some(end);
            }
        });
        *lock(&life.running) = Some(runtime);
        Ok(())
    }

    async fn run(self: Arc<Self>) -> Result<(), String> {
        let kube = kube::Client::try_from(self.config.clone());
        let kube = kube.map_err(|error| error.to_string())?;
        let life = Arc::downgrade(&self);
        let die = move || die_and_come_back(&life);
        let tap = Tap::new(self.counter.clone(), self.wire.clone(), die);
        let backend = Backend {
            kube: tap.kube(&kube),
            etcd: Arc::new(Tapped {
                reach: Arc::clone(&self.reach),
                tap,
            }),
            clock: Arc::new(SystemClock),
        };
        let options = Options {
            namespace: Some(self.namespace.clone()),
            ..Options::default()
        };
        // What is held from here on would keep the operator alive in its own runtime.
        drop(self);
        operator::run(backend, options, std::future::pending()).await;
        Ok(())
    }
}

/// The wire says that the operator dies at this call.
fn die_and_come_back(life: &Weak<Life>) {
    let Some(alive) = life.upgrade() else { return };
    alive.kill();
    let life = Weak::clone(life);
    alive.world.spawn(async move {
        sleep(COMING_BACK).await;
        let Some(life) = life.upgrade() else { return };
        if let Err(why) = Life::boot(&life) {
            *lock(&life.ended) = Some(why.to_string());
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dials members by the run's way to pods, over the operator's wire.
struct Tapped {
    reach: Arc<Reach>,
    tap: Tap,
}

impl Dial for Tapped {
    fn dial(&self, host: &str, port: u16) -> BoxFuture<'_, Result<Client, Error>> {
        let host = host.to_owned();
        Box::pin(async move {
            let channel = self.reach.open(&host, port, LIMITS).await?;
            self.tap.etcd(channel).await
        })
    }
}
