//! Running the control plane as time goes by.
//!
//! Owns: waiting for the next thing that is due, for a change of objects, or for news of containers.
//! Always holds: locks are taken in one order: server, plane, runtime; none is held while waiting.
//! Deliberately does not know: whether time is virtual.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};

use super::{ControlPlane, lock};
use crate::{
    clock::Clock,
    kubernetes::{
        api::{ApiError, ApiServer, LogRequest, LogSource},
        runtime::ContainerRuntime,
    },
    trace::Trace,
};

/// A container runtime that the driver shares with those who inject faults into it.
pub type Shared = Arc<Mutex<dyn ContainerRuntime>>;

/// What the driver hears of besides time and changes.
pub struct Calls {
    /// Told by the runtime when it has something to tell.
    pub wake: Arc<Notify>,
    /// True for as long as controllers and kubelets stand still.
    pub standstill: watch::Receiver<bool>,
}

/// Runs the control plane until the task is dropped.
pub async fn drive(
    api: Arc<Mutex<ApiServer>>,
    plane: Arc<Mutex<ControlPlane>>,
    runtime: Shared,
    calls: Calls,
    clock: Clock,
    trace: Trace,
) {
    let Calls {
        wake,
        mut standstill,
    } = calls;
    let mut changed = lock(&api).changed();
    loop {
        // When the sender is gone, nothing stands still any more.
        let _ = standstill.wait_for(|frozen| !*frozen).await;
        let next = {
            let (mut api, mut plane) = (lock(&api), lock(&plane));
            let mut runtime = lock(&*runtime);
            let next = plane.step(&mut api, &mut *runtime, clock.now());
            for note in plane.take_notes() {
                trace.record(note.who, note.what);
            }
            // The plane's own writes have been fed to it in its step.
            changed.borrow_and_update();
            next
        };
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(clock.instant_of(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = wake.notified() => {}
            result = changed.changed() => {
                if result.is_err() {
                    return;
                }
            }
            () = due => {}
        }
    }
}

/// Where the server finds the log of a container.
#[must_use]
pub fn logs(plane: Arc<Mutex<ControlPlane>>, runtime: Shared) -> LogSource {
    Box::new(move |request: &LogRequest| {
        let runs = lock(&plane).runs(&request.namespace, &request.pod, &request.container);
        let run = if request.previous {
            runs.previous
        } else {
            runs.latest
        };
        let Some(run) = run else {
            let what = if request.previous {
                "previous terminated container"
            } else {
                "container"
            };
            let (pod, container) = (&request.pod, &request.container);
            let why = format!("{what} {container:?} in pod {pod:?} not found");
            return Err(ApiError::bad_request(why));
        };
        Ok(lock(&*runtime).logs(run))
    })
}
