//! What became of a plan.
//!
//! Owns: how an action ended, and the words for why it was not done.
//! Always holds: what etcd or a second look refuses is an outcome and is tried again; only what
//! Kubernetes does not take is a failure of the pass.
//! Deliberately does not know: what was to be done.

use crate::{
    etcd::CallFailed,
    plan::{Action, Waiting},
};

/// What became of the plan's action.
#[derive(Debug)]
pub enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// Done.
    Done(Action),
    /// etcd, or a second look, said not now. It is tried again.
    NotNow {
        /// What was tried.
        action: Action,
        /// Why not.
        why: NotNow,
    },
}

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotNow {
    /// etcd refused or did not answer.
    #[error(transparent)]
    Etcd(#[from] CallFailed),
    /// No member to ask.
    #[error("no member can be asked: {0}")]
    NobodyToAsk(String),
    /// The StorageClass, or the API server, refused a larger volume.
    #[error(
        "Kubernetes refuses: {0}; use a StorageClass with allowVolumeExpansion: true, or set spec.storage.size back to status.volumeSize"
    )]
    VolumeNotGrown(String),
    /// The world has moved on since it was observed.
    #[error("{0} has changed since it was read; the next look decides anew")]
    Stale(&'static str),
}

impl NotNow {
    /// A stable word for conditions and metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Etcd(failed) => failed.label(),
            Self::NobodyToAsk(_) => "Unreachable",
            Self::VolumeNotGrown(_) => "VolumeExpansionRefused",
            Self::Stale(_) => "StaleRead",
        }
    }
}

/// A write that Kubernetes did not take.
#[derive(Debug, thiserror::Error)]
#[error("failed to {verb} {kind} {name}: {source}")]
pub struct WriteFailed {
    pub(super) verb: &'static str,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) source: kube::Error,
}

impl WriteFailed {
    /// What to tell the user when trying again cannot help: what the spec asks for is invalid, over
    /// a quota, or not allowed here.
    #[must_use]
    pub fn refusal(&self) -> Option<Waiting> {
        match &self.source {
            kube::Error::Api(answer) if [400, 403, 422].contains(&answer.code) => {
                Some(Waiting::KubernetesRefuses {
                    what: format!("{} {} {}", self.verb, self.kind, self.name),
                    why: answer.message.clone(),
                })
            }
            _ => None,
        }
    }
}
