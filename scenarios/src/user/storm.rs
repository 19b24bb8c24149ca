//! An election storm: leadership that does not stay.
//!
//! Owns: moving the leader on, twice a second.
//! Always holds: it asks etcd to move the leader and does nothing else; it ends when it is dropped.
//! Deliberately does not know: for how long it rages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Access, pods};

const EVERY: Duration = Duration::from_millis(500);
const CLIENT_PORT: u16 = 2379;

/// A storm that rages until it is dropped.
pub(super) struct Storm {
    over: Arc<AtomicBool>,
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Storm {
    pub(super) fn begin(access: &Arc<dyn Access>, namespace: &str, cluster: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let raging = Raging {
            over: Arc::clone(&over),
            access: Arc::clone(access),
            namespace: namespace.to_owned(),
            cluster: cluster.to_owned(),
        };
        access.spawn(Box::pin(raging.rage()));
        Self { over }
    }
}

struct Raging {
    over: Arc<AtomicBool>,
    access: Arc<dyn Access>,
    namespace: String,
    cluster: String,
}

impl Raging {
    async fn rage(self) {
        while !self.over.load(Ordering::Relaxed) {
            // A member that is gone or in an election of its own leads to the next try.
            let _ = timeout(EVERY, self.move_leader()).await;
            sleep(EVERY).await;
        }
    }

    /// The leader hands over to the voter with the next higher ID.
    async fn move_leader(&self) -> Option<()> {
        let found = pods::read(self.access.kube(), &self.namespace, &self.cluster).await;
        for (_, address) in found.ok()? {
            let Some(address) = address else { continue };
            let Ok(mut client) = self.access.dial(&address, CLIENT_PORT).await else {
                continue;
            };
            let Ok(status) = client.status().await else {
                continue;
            };
            let own = status.header()?.member_id();
            if status.leader() != own {
                continue;
            }
            let list = client.member_list().await.ok()?;
            let others = list.members().iter().filter(|member| !member.is_learner());
            let mut ids: Vec<u64> = others.map(|member| member.id()).collect();
            ids.sort_unstable();
            let next = ids.iter().find(|id| **id > own).or(ids.first())?;
            client.move_leader(*next).await.ok()?;
            return Some(());
        }
        None
    }
}
