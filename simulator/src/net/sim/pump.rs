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
    /// Packets were delivered, and the tasks that wait for them are having their turn.
    waited: bool,
}

impl Pump {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            arrival: Box::pin(sleep_until(Instant::now())),
            waited: false,
        }
    }

    /// One round. Returns when the next packet arrives, or None to be polled again after the other
    /// tasks that are ready: what they answer leaves together with what their kernel acknowledges.
    fn round(&mut self) -> Option<Next> {
        let (shared, now) = (Arc::clone(&self.shared), Instant::now());
        shared.switch(|switch| {
            let delivered = switch.deliver_arrived(now);
            if delivered && !self.waited {
                self.waited = true;
                return None;
            }
            let changed = shared.wake.set.swap(false, Ordering::Relaxed);
            if changed || delivered || std::mem::take(&mut self.waited) {
                switch.forward(now);
            }
            match switch.links.next_arrival() {
                Some(at) if at <= now => None,
                Some(at) => Some(Next::At(at)),
                None => Some(Next::Never),
            }
        })
    }
}

/// When there is something to do again, if nobody says otherwise.
enum Next {
    At(Instant),
    Never,
}

impl Future for Pump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *lock(&self.shared.wake.pump) = Some(context.waker().clone());
        match self.round() {
            None => context.waker().wake_by_ref(),
            Some(Next::Never) => {}
            Some(Next::At(at)) => {
                if self.arrival.deadline() != at || self.arrival.is_elapsed() {
                    self.arrival.as_mut().reset(at);
                }
                if self.arrival.as_mut().poll(context).is_ready() {
                    context.waker().wake_by_ref();
                }
            }
        }
        Poll::Pending
    }
}
