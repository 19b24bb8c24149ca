//! This build's operator, in this process.
//!
//! Owns: a runtime for it alone, so that killing it ends everything that it does at once.
//! Always holds: it is the operator's own code with live clients; only the way to pods is the
//! run's, where pods have no address that can be reached from here.
//! Deliberately does not know: what the operator does.

use std::sync::{Arc, Mutex, PoisonError};

use etcd_client::{Client, Error};
use operator::{
    Backend, Dial, Options,
    backend::{BoxFuture, SystemClock, TcpDial},
};
use tokio::runtime::Runtime;

use crate::{
    kubernetes::{
        connection::Connection,
        reach::{Reach, Way},
    },
    worlds::CannotBegin,
};

/// An operator in this process.
pub(in crate::kubernetes) struct InProcess {
    config: kube::Config,
    namespace: String,
    reach: Arc<Reach>,
    running: Mutex<Option<Runtime>>,
    /// How it ended by itself.
    ended: Arc<Mutex<Option<String>>>,
}

impl Drop for InProcess {
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
        let operator = Self {
            config: connection.config.clone(),
            namespace: namespace.to_owned(),
            reach: Arc::clone(reach),
            running: Mutex::default(),
            ended: Arc::default(),
        };
        let started = operator.boot();
        started.map_err(|why| CannotBegin(format!("failed to start the operator: {why}")))?;
        Ok(operator)
    }

    /// Ends it as `kill -9` does: nothing that it was doing is finished.
    pub(in crate::kubernetes) fn kill(&self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_background();
        }
    }

    /// Starts it, also again.
    pub(in crate::kubernetes) fn boot(&self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("operator")
            .enable_all()
            .build()?;
        let (config, reach) = (self.config.clone(), Arc::clone(&self.reach));
        let options = Options {
            namespace: Some(self.namespace.clone()),
            ..Options::default()
        };
        let running = runtime.spawn(async move {
            let kube = kube::Client::try_from(config).map_err(|error| error.to_string())?;
            let backend = Backend {
                kube,
                etcd: Arc::new(ThroughReach(reach)),
                clock: Arc::new(SystemClock),
            };
            let ended = operator::run(backend, options, std::future::pending()).await;
            ended.map_err(|failure| failure.to_string())
        });
        let ended = Arc::clone(&self.ended);
        *lock(&ended) = None;
        runtime.spawn(async move {
            let end = match running.await {
                Ok(Ok(())) => "it stopped without being asked to".to_owned(),
                Ok(Err(why)) => why,
                Err(panic) => panic.to_string(),
            };
            *lock(&ended) = Some(end);
        });
        *lock(&self.running) = Some(runtime);
        Ok(())
    }

    pub(super) fn crashed(&self) -> Option<String> {
        let ended = lock(&self.ended).clone();
        ended.map(|why| format!("the operator ended: {why}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As the live operator dials, unless pods have to be reached another way.
struct ThroughReach(Arc<Reach>);

impl Dial for ThroughReach {
    fn dial(&self, host: &str, port: u16) -> BoxFuture<'_, Result<Client, Error>> {
        if self.0.way() == Some(Way::Direct) {
            return TcpDial.dial(host, port);
        }
        let host = host.to_owned();
        Box::pin(async move { self.0.dial(&host, port).await })
    }
}
