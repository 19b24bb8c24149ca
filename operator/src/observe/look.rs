//! Asking the members: one call to each, and one of them for the membership.
//!
//! Owns: reading from etcd. Nothing here writes.
//! Always holds: one slow or dead member costs its own deadline, not the sum of all: members are
//! asked at the same time.
//! Deliberately does not know: what is wanted.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Connections, Membership, Observed, PodView, chain};
use crate::{backend::Dial, etcd::MemberReport, identity::Identity};

/// Asks every member of the picture for its own word, and one of them for the membership.
pub async fn observe(
    identity: &Identity,
    mut observed: Observed,
    dial: &dyn Dial,
    connections: &Connections,
) -> Observed {
    observed.reports = reports(identity, &observed, dial, connections).await;
    observed.membership = membership(&observed, dial, connections).await;
    observed
}

/// Time for a member to answer, a connection made anew included: how long a look takes decides how
/// soon an outage is known.
const REPORT_WITHIN: Duration = Duration::from_secs(2);

/// A member that gave no healthy answer at the last look is waited for ten times as long as the
/// slowest of those that did, and at least this long: else a learner whose port opens late would
/// make every look, and so every step, as slow as its deadline.
const STRAGGLER_WITHIN: Duration = Duration::from_millis(250);

async fn reports(
    identity: &Identity,
    observed: &Observed,
    dial: &dyn Dial,
    connections: &Connections,
) -> BTreeMap<u32, Result<MemberReport, String>> {
    let began = Instant::now();
    let with_address = observed.pods.iter().filter(|(_, pod)| pod.ip.is_some());
    let mut silent: BTreeMap<u32, &PodView> = with_address.map(|(o, pod)| (*o, pod)).collect();
    let mut asked: FuturesUnordered<_> = silent
        .iter()
        .map(|(ordinal, pod)| {
            let (ordinal, pod) = (*ordinal, *pod);
            async move { (ordinal, report(dial, connections, pod).await) }
        })
        .collect();
    let mut reports = BTreeMap::new();
    let mut deadline = began + REPORT_WITHIN;
    while let Ok(Some((ordinal, answer))) = timeout_at(deadline, asked.next()).await {
        silent.remove(&ordinal);
        reports.insert(ordinal, answer);
        let all_awaited = !silent
            .keys()
            .any(|ordinal| answered_before(identity, observed, *ordinal));
        if all_awaited && reports.values().any(Result::is_ok) {
            let patience = (began.elapsed() * 10).max(STRAGGLER_WITHIN);
            deadline = deadline.min(began + patience);
        }
    }
    for (ordinal, pod) in silent {
        connections.forget(pod);
        reports.insert(ordinal, Err("no answer in time".to_owned()));
    }
    reports
}

/// Whether the member of a running pod was healthy when it was last looked at.
fn answered_before(identity: &Identity, observed: &Observed, ordinal: u32) -> bool {
    let Some(pod) = observed.pods.get(&ordinal) else {
        return false;
    };
    let mut members = observed.status.members.iter();
    pod.running
        && !pod.terminating
        && members
            .any(|member| member.healthy && identity.ordinal_of_name(&member.name) == Some(ordinal))
}

async fn report(
    dial: &dyn Dial,
    connections: &Connections,
    pod: &PodView,
) -> Result<MemberReport, String> {
    let asked = async {
        let client = connections.to(dial, pod).await?;
        client.report().await.map_err(|failed| chain(&failed))
    };
    let answer = timeout(REPORT_WITHIN, asked).await;
    let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    if answer.is_err() {
        connections.forget(pod);
    }
    answer
}

/// Asks voters that see a leader, the leader first, until one answers for a majority.
async fn membership(observed: &Observed, dial: &dyn Dial, connections: &Connections) -> Membership {
    let mut why = "no member answers that sees a leader".to_owned();
    let voters = observed.answering_voters().into_iter();
    for (pod, report) in voters.filter(|(_, report)| report.leader.is_some()) {
        let answer = match connections.to(dial, pod).await {
            Ok(client) => client.membership().await.map_err(|failed| chain(&failed)),
            Err(error) => Err(error),
        };
        match answer {
            Ok(members) => {
                return Membership::Known {
                    cluster_id: report.cluster_id,
                    members,
                };
            }
            Err(error) => why = error,
        }
    }
    Membership::Unknown { why }
}
