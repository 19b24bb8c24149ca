//! Asks each member by itself what it is.
//!
//! Owns: one connection per pod, the deadline of a question, and what makes a membership current.
//! Always holds: a member that does not answer in time is reported as not answering.
//! Deliberately does not know: what the operator believes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chaos::observation::{List, Listed, Member, Pod};
use etcd_client::{Client, Error, GetOptions};
use futures::future::join_all;
use tokio::time::timeout;

use super::{Access, pods::Addressed};

/// Time that a member has to answer one question.
const DEADLINE: Duration = Duration::from_secs(1);

const CLIENT_PORT: u16 = 2379;

/// Connections by the pod's UID.
#[derive(Default)]
pub(super) struct Members {
    connections: Mutex<BTreeMap<String, Client>>,
}

impl Members {
    /// Asks the members in all pods at the same time.
    pub(super) async fn ask(&self, access: &dyn Access, pods: Vec<Addressed>) -> Vec<Pod> {
        let mut known = self.lock().clone();
        known.retain(|uid, _| pods.iter().any(|(pod, _)| pod.uid == *uid));
        let answers = join_all(pods.into_iter().map(|(pod, address)| {
            let known = known.get(&pod.uid).cloned();
            async move {
                let Some(address) = address else {
                    return (pod, None);
                };
                match ask_one(access, &address, known).await {
                    Some((client, member)) => (
                        Pod {
                            member: Some(member),
                            ..pod
                        },
                        Some(client),
                    ),
                    None => (pod, None),
                }
            }
        }))
        .await;
        let mut connections = BTreeMap::new();
        let mut pods = Vec::new();
        for (pod, client) in answers {
            if let Some(client) = client {
                connections.insert(pod.uid.clone(), client);
            }
            pods.push(pod);
        }
        *self.lock() = connections;
        pods
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Client>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_one(
    access: &dyn Access,
    address: &str,
    known: Option<Client>,
) -> Option<(Client, Member)> {
    let mut client = match known {
        Some(client) => client,
        None => timeout(DEADLINE, access.dial(address, CLIENT_PORT))
            .await
            .ok()?
            .ok()?,
    };
    let status = timeout(DEADLINE, client.status()).await.ok()?.ok()?;
    let header = status.header()?;
    let mut member = Member {
        cluster: header.cluster_id(),
        id: header.member_id(),
        leader: status.leader(),
        learner: status.is_learner(),
        applied: status.raft_applied_index(),
        version: status.version().to_owned(),
        list: None,
    };
    if !member.learner {
        member.list = list(&mut client).await;
    }
    Some((client, member))
}

/// The membership that the member knows. etcd answers this from local state, so a linearizable
/// read comes first: what was agreed before it is then applied on this member.
async fn list(client: &mut Client) -> Option<List> {
    let nothing = GetOptions::new().with_count_only();
    let barrier = timeout(DEADLINE, client.get("scenarios/barrier", Some(nothing))).await;
    let linearizable = matches!(barrier, Ok(Ok(_)));
    let response: Result<_, Error> = timeout(DEADLINE, client.member_list()).await.ok()?;
    let members = response.ok()?;
    let mut members: Vec<Listed> = members
        .members()
        .iter()
        .map(|member| Listed {
            id: member.id(),
            name: member.name().to_owned(),
            learner: member.is_learner(),
        })
        .collect();
    members.sort();
    Some(List {
        linearizable,
        members,
    })
}
