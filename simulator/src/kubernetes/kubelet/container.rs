//! One container of a pod, over all its restarts.
//!
//! Owns: what runs, what the kubelet has seen of it, when it is started again, and its probes.
//! Always holds: at most one run at a time; what is shown lags behind what is until the next look.
//! Deliberately does not know: the pod around it, and where its status is written.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    backoff::Backoff,
    probe::{Probe, Purpose, Settings, Target, Unusable},
    status::{Cause, ContainerView, Ended, Shown},
};
use crate::kubernetes::{controllers::object::Meta, runtime::ContainerId};

/// What a container really does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has never run.
    Fresh,
    /// It runs.
    Running { id: ContainerId, since: Timestamp },
    /// It has run.
    Exited(Ended),
}

/// Why a container is not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) reason: String,
    pub(super) message: String,
}

/// One container and everything the kubelet remembers of it.
#[derive(Debug)]
pub(super) struct ContainerWorker {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) restarts: u32,
    /// When it will be started.
    pub(super) start_at: Option<Timestamp>,
    /// When it will be killed if it has not stopped by then.
    pub(super) kill_at: Option<Timestamp>,
    /// Whether it was asked to stop.
    pub(super) stopping: bool,
    pub(super) blocked: Option<Blocked>,
    pub(super) crash: Backoff,
    pub(super) pull: Backoff,
    pub(super) pull_failed: Option<Timestamp>,
    /// When another start may be tried after one that failed; never for what cannot be run.
    pub(super) retry_at: Option<Timestamp>,
    pub(super) probes: Vec<Probe>,
    last: Option<Ended>,
    shown: ContainerView,
}

impl ContainerWorker {
    pub(super) fn new(container: &Value, now: Timestamp) -> Result<Self, Unusable> {
        let mut probes = Vec::new();
        for purpose in [Purpose::Startup, Purpose::Liveness, Purpose::Readiness] {
            let settings = Settings::of(container, purpose)?;
            probes.extend(settings.map(|settings| Probe::new(purpose, settings, now)));
        }
        Ok(Self {
            name: container.text("/name").to_owned(),
            state: State::Fresh,
            restarts: 0,
            start_at: None,
            kill_at: None,
            stopping: false,
            blocked: None,
            crash: Backoff::default(),
            pull: Backoff::default(),
            pull_failed: None,
            retry_at: None,
            probes,
            last: None,
            shown: creating(),
        })
    }

    /// A container that cannot be run at all.
    pub(super) fn blocked(container: &Value, why: &Unusable) -> Self {
        let name = container.text("/name").to_owned();
        let blocked = Blocked {
            reason: "CreateContainerConfigError".to_owned(),
            message: why.to_string(),
        };
        Self {
            name,
            state: State::Fresh,
            restarts: 0,
            start_at: None,
            kill_at: None,
            stopping: false,
            blocked: Some(blocked),
            crash: Backoff::default(),
            pull: Backoff::default(),
            pull_failed: None,
            retry_at: None,
            probes: Vec::new(),
            last: None,
            shown: creating(),
        }
    }

    /// The container that runs now.
    pub(super) fn running(&self) -> Option<ContainerId> {
        match &self.state {
            State::Running { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The container of this run or, when it has ended, of the last one.
    pub(super) fn latest(&self) -> Option<ContainerId> {
        match &self.state {
            State::Fresh => None,
            State::Running { id, .. } => Some(*id),
            State::Exited(ended) => Some(ended.id),
        }
    }

    /// The container of the run before the latest.
    pub(super) fn previous(&self) -> Option<ContainerId> {
        self.last.as_ref().map(|ended| ended.id)
    }

    pub(super) fn began(&mut self, id: ContainerId, now: Timestamp) {
        if let State::Exited(ended) = &self.state {
            self.last = Some(ended.clone());
            self.restarts += 1;
        }
        self.state = State::Running { id, since: now };
        self.start_at = None;
        self.kill_at = None;
        self.stopping = false;
        self.blocked = None;
        self.pull_failed = None;
    }

    pub(super) fn ended(&mut self, code: i32, cause: Cause, message: String, at: Timestamp) {
        let State::Running { id, since } = self.state else {
            return;
        };
        self.state = State::Exited(Ended {
            id,
            code,
            cause,
            message,
            started: since,
            finished: at,
        });
        self.kill_at = None;
        self.stopping = false;
        self.blocked = None;
        for probe in &mut self.probes {
            probe.abandon();
        }
    }

    /// Sees the container as it is now.
    pub(super) fn look(&mut self, now: Timestamp) {
        let state = match (&self.state, &self.blocked) {
            (State::Running { id, since }, _) => Shown::Running {
                id: *id,
                since: *since,
            },
            (State::Exited(ended), None) => Shown::Terminated(ended.clone()),
            (State::Fresh, None) => creating().state,
            (_, Some(blocked)) => Shown::Waiting {
                reason: blocked.reason.clone(),
                message: blocked.message.clone(),
            },
        };
        let last = match (&self.state, &state) {
            (State::Exited(ended), Shown::Waiting { .. }) => Some(ended.clone()),
            _ => self.last.clone(),
        };
        if self.shown.state != state && matches!(state, Shown::Running { .. }) {
            for probe in &mut self.probes {
                probe.skip_missed(now);
            }
        }
        self.shown.state = state;
        self.shown.last = last;
        self.shown.restarts = self.restarts;
    }

    /// The container as it was last seen, judged by its probes.
    pub(super) fn view(&self) -> ContainerView {
        let mut view = self.shown.clone();
        let running = match view.state {
            Shown::Running { id, .. } if self.running() == Some(id) => Some(id),
            _ => None,
        };
        view.started = running.is_some_and(|id| self.is_started(id));
        view.ready = view.started && running.is_some_and(|id| self.passes(Purpose::Readiness, id));
        view
    }

    /// The end of the container that was seen and not answered yet by a start.
    pub(super) fn seen_end(&self) -> Option<&Ended> {
        match (&self.state, &self.shown.state) {
            (State::Exited(ended), Shown::Terminated(seen)) if ended == seen => Some(ended),
            (State::Exited(ended), Shown::Waiting { .. }) => Some(ended),
            _ => None,
        }
    }

    pub(super) fn is_started(&self, id: ContainerId) -> bool {
        self.passes(Purpose::Startup, id)
    }

    fn passes(&self, purpose: Purpose, id: ContainerId) -> bool {
        self.probes
            .iter()
            .find(|probe| probe.purpose == purpose)
            .is_none_or(|probe| probe.passed(id))
    }

    /// What its probes are aimed at, once the kubelet has seen it run.
    pub(super) fn target(&self, terminating: bool) -> Option<Target> {
        let Shown::Running { id, since } = self.shown.state else {
            return None;
        };
        (self.running() == Some(id)).then(|| Target {
            container: id,
            running_since: since,
            started: self.is_started(id),
            terminating,
        })
    }

    /// Has the readiness probe made at once, as the kubelet does whenever it writes the status of
    /// a container that has started and is not ready.
    pub(super) fn hurry_readiness(&mut self, now: Timestamp) {
        let view = self.view();
        if view.started && !view.ready {
            for probe in &mut self.probes {
                if probe.purpose == Purpose::Readiness {
                    probe.hurry(now);
                }
            }
        }
    }

    /// Earliest time that anything is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let seen =
            matches!(self.shown.state, Shown::Running { id, .. } if self.running() == Some(id));
        let probes = self.probes.iter().filter(|_| seen).filter_map(Probe::next);
        probes.chain(self.start_at).chain(self.kill_at).min()
    }
}

fn creating() -> ContainerView {
    ContainerView {
        state: Shown::Waiting {
            reason: "ContainerCreating".to_owned(),
            message: String::new(),
        },
        last: None,
        restarts: 0,
        ready: false,
        started: false,
    }
}
