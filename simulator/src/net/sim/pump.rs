//! The task that runs the switch when there is something to do.
//!
//! Owns: the flag that says a socket changed, and the timer of the next arrival.
//! Always holds: the pump sleeps until a socket changed or a packet arrives.
//! Deliberately does not know: what the switch does.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Shared, lock};

/// Wakes the pump. As one more task of the run queue it comes last, which batches writes.
#[derive(Default)]
pub(super) struct Wake {
    set: AtomicBool,
    pump: Mutex<Option<Waker>>,
}

impl Wake {
    pub(super) fn set(&self) {
        if !self.set.swap(true, Ordering::Relaxed)
            && let Some(waker) = lock(&self.pump).take()
        {
            waker.wake();
        }
    }
}

pub(super) struct Pump {
    shared: Arc<Shared>,
    arrival: Pin<Box<Sleep>>,
}

impl Pump {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            arrival: Box::pin(sleep_until(Instant::now())),
        }
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *lock(&self.shared.wake.pump) = Some(context.waker().clone());
        self.shared.wake.set.store(false, Ordering::Relaxed);
        while let Some(at) = self.shared.switch(|switch| switch.run(Instant::now())) {
            if self.arrival.deadline() != at || self.arrival.is_elapsed() {
                self.arrival.as_mut().reset(at);
            }
            // Registers this task for the arrival, unless it is due already.
            if self.arrival.as_mut().poll(context).is_pending() {
                break;
            }
        }
        Poll::Pending
    }
}
