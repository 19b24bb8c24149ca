//! The first members of a cluster.
//!
//! Owns: how many members a cluster begins with, and when it has begun.
//! Always holds: the number is written down (as configuration files) before the first pod exists,
//! and `initial-cluster-state: new` is never written again once the cluster has an ID.
//! Deliberately does not know: growth; a size changed meanwhile is reached afterwards.

use std::collections::BTreeMap;

use super::{Plan, Waiting, first_trouble};
use crate::{build::member_config, observe::Observed, validate::Desired};

/// Whether the cluster ever had an ID: recorded in the status, or in a member's configuration.
pub(super) fn happened(observed: &Observed) -> bool {
    observed.status.cluster_id.is_some()
        || observed.config.as_ref().is_some_and(|files| {
            files
                .values()
                .any(|file| member_config::joins_existing(file))
        })
}

/// Starts the first members together, or waits for them.
pub(super) fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let Some(first) = first_members(desired, observed) else {
        return Plan::default();
    };
    let ids: BTreeMap<u32, u64> = (0..first)
        .map(|o| (o, desired.identity.bootstrap_member_id(o)))
        .collect();
    let answering = observed
        .reports
        .values()
        .filter(|report| report.is_ok())
        .count();
    Plan {
        config: Some(member_config::bootstrap_files(desired, &ids)),
        replicas: Some(first),
        protected_voters: first,
        action: None,
        waiting: Some(Waiting::FirstMembers {
            answering,
            wanted: first,
            trouble: first_trouble(desired, observed),
        }),
    }
}

/// What was written down counts, then what runs, then what is wanted. None: nothing to start.
fn first_members(desired: &Desired, observed: &Observed) -> Option<u32> {
    let written = observed
        .config
        .as_ref()
        .map(|files| u32::try_from(files.len()).unwrap_or(0));
    let runs = observed.stateful_set.as_ref().map(|set| set.replicas);
    [written, runs, Some(desired.size)]
        .into_iter()
        .flatten()
        .find(|count| *count > 0)
}
