//! Which host the running task belongs to.
//!
//! Owns: the present boot, and the boot of every live task of the runtime.
//! Always holds: a task belongs to the boot of the task that spawned it, for its whole life.
//! Deliberately does not know: sockets; those carry their own boot.
//!
//! Library code spawns tasks of its own (hyper's connections, kube's reconciles). tokio's task
//! hooks see them all, so that a dial from such a task is made by the right boot, and the tasks
//! that outlive their host can be counted.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::Id;

use crate::net::{HostId, hosts::Boot};

/// Task numbers are unique already; hashing them would only cost time.
#[derive(Default)]
struct TaskNumber(u64);

impl Hasher for TaskNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[derive(Default)]
struct State {
    current: Option<Boot>,
    tasks: HashMap<Id, Boot, BuildHasherDefault<TaskNumber>>,
    polls: u64,
}

/// The scope of one runtime; a clone is another handle on the same one.
#[derive(Clone, Default)]
pub(super) struct Scope(Arc<Mutex<State>>);

impl Scope {
    /// The boot of the running task; none for tasks that belong to the world itself.
    pub(super) fn current(&self) -> Option<Boot> {
        self.state().current
    }

    /// Runs `action` as if a task of `boot` did it.
    pub(super) fn within<R>(&self, boot: Boot, action: impl FnOnce() -> R) -> R {
        let outer = self.state().current.replace(boot);
        let result = action();
        self.state().current = outer;
        result
    }

    /// How many live tasks belong to each host, by boot; in no particular order.
    pub(super) fn live(&self) -> Vec<Boot> {
        self.state().tasks.values().copied().collect()
    }

    /// How many live tasks a host has, of any boot.
    pub(super) fn live_on(&self, host: HostId) -> usize {
        self.state()
            .tasks
            .values()
            .filter(|boot| boot.host == host)
            .count()
    }

    /// How often tasks were polled, those of the world itself included.
    pub(super) fn polls(&self) -> u64 {
        self.state().polls
    }

    pub(super) fn spawned(&self, task: Id) {
        let mut state = self.state();
        if let Some(boot) = state.current {
            state.tasks.insert(task, boot);
        }
    }

    pub(super) fn enter(&self, task: Id) {
        let mut state = self.state();
        state.current = state.tasks.get(&task).copied();
        state.polls += 1;
    }

    pub(super) fn leave(&self) {
        self.state().current = None;
    }

    pub(super) fn ended(&self, task: Id) {
        self.state().tasks.remove(&task);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
