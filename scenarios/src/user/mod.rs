//! A user of a cluster, with kubectl and an etcd client in hand.
//!
//! Owns: what a user does and sees, through a plain Kubernetes client and plain etcd clients.
//! Always holds: nothing here comes from the operator's code: resources are JSON, members are asked
//! one by one (or looked at, see [`sight`]), so that what it reports is an independent opinion.
//! Deliberately does not know: where its connections lead; it gets an [`Access`].

mod breaking;
mod edits;
mod kinds;
mod members;
pub(crate) mod pods;
pub(crate) mod resource;
mod sight;
mod storm;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chaos::{
    Observation, Violation,
    fault::{Fault, Hit, NodeTrouble, PodFault, Surrounding},
    history::{History, read_back},
    observation::Pod,
    traffic::{Door, Rates, Traffic},
};
use etcd_client::Client;
use simulator::{clock::Clock, etcd::Glance, kubernetes::api::Lives, net::BoxFuture};

use crate::{
    scenario::{Action, Cluster},
    world::{Calls, Leftovers, World, WorldFailed},
};
use members::Members;
use sight::Remembered;
use storm::Storm;

pub(crate) use pods::Addressed;
pub(crate) use resource::{api as cluster_api, chain, failed};
pub use sight::Stored;

/// How a user's machine reaches things in some world.
pub trait Access: Send + Sync {
    /// A client of the API server, as the user.
    fn kube(&self) -> kube::Client;

    /// Opens a connection to etcd from the user's machine. `host` is an address, or a name that
    /// pods can resolve.
    fn dial(&self, host: &str, port: u16) -> BoxFuture<Result<Client, String>>;

    /// Runs a task on the user's machine.
    fn spawn(&self, task: BoxFuture<()>);

    /// Breaks something that a user could not. `hit` is a pod of the user's namespace.
    ///
    /// # Errors
    /// [`WorldFailed::CannotDo`] unless the world can do it.
    fn inject(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>>;

    /// Ends what [`Access::inject`] began.
    ///
    /// # Errors
    /// When the world cannot be mended.
    fn heal(&self, fault: &Fault, hit: Option<&Hit>) -> BoxFuture<Result<(), WorldFailed>>;

    /// Time for which the API server may refuse to answer before a look at it fails: none where
    /// faults do not reach the user.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// The objects of a cluster as the API server has them at this moment; `None` where one has to
    /// ask for them.
    fn stored(&self, _cluster: &str) -> Option<Stored> {
        None
    }

    /// The members in these pods that would answer the user at this moment, as they are; `None`
    /// where one has to ask them.
    fn glances(&self, _pods: &[Addressed]) -> Option<Vec<Option<Glance>>> {
        None
    }

    /// The world's clock.
    fn clock(&self) -> Clock;

    /// What the operator has sent so far that no operator may send, as far as it can be seen.
    fn misdeeds(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the operator is kept from its work at the moment.
    fn hindered(&self) -> bool {
        false
    }

    /// What the operator has asked so far; `None` where nobody counts.
    fn calls(&self) -> Option<Calls>;

    /// Why the operator is not running any more, if so.
    fn crashed(&self) -> Option<String>;

    /// Broken rules that this machine noticed by itself, between the user's looks.
    fn noticed(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// How often each object was created and deleted, as `RESOURCE NAMESPACE/NAME`; empty where
    /// nobody counts.
    fn lives(&self) -> BTreeMap<String, Lives> {
        BTreeMap::new()
    }

    /// Situations that were met on the operator's way to whom it calls, with their count.
    fn met(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// Time between two attempts to ask an API server that is away.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Time for a compaction.
const COMPACTS_WITHIN: Duration = Duration::from_secs(10);

/// A user in a world.
pub struct User {
    access: Arc<dyn Access>,
    namespace: String,
    /// Image of etcd, when it is not the default.
    image: Option<String>,
    /// What was there before the first action.
    before: BTreeSet<String>,
    members: Members,
    remembered: Mutex<Remembered>,
    endpoint: Arc<Endpoint>,
    /// An election storm that rages.
    storm: Mutex<Option<Storm>>,
}

impl User {
    /// A user who has noted what is there already.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn new(access: Arc<dyn Access>, namespace: &str) -> Result<Self, WorldFailed> {
        let found = kinds::everything(&access.kube(), namespace).await?;
        Ok(Self {
            namespace: namespace.to_owned(),
            image: None,
            before: found.into_iter().map(|object| object.identity).collect(),
            members: Members::default(),
            remembered: Mutex::default(),
            storm: Mutex::default(),
            endpoint: Arc::new(Endpoint {
                access: access.clone(),
                told: Mutex::default(),
            }),
            access,
        })
    }

    /// A user who wants another image of etcd than the default, named without its tag.
    #[must_use]
    pub fn with_image(self, image: Option<String>) -> Self {
        Self { image, ..self }
    }
}

/// A resource with its pods, as Kubernetes tells them.
type Told = (Option<resource::Found>, Vec<Addressed>);

impl User {
    async fn read(&self, cluster: &Cluster) -> Result<Told, WorldFailed> {
        if let Some(stored) = self.access.stored(&cluster.name) {
            return lock(&self.remembered).read(stored, &cluster.name);
        }
        let kube = self.access.kube();
        let found = resource::read(kube.clone(), &self.namespace, &cluster.name).await?;
        let pods = pods::read(kube, &self.namespace, &cluster.name).await?;
        Ok((found, pods))
    }

    async fn ask(&self, pods: Vec<Addressed>) -> Vec<Pod> {
        let Some(glances) = self.access.glances(&pods) else {
            return self.members.ask(&*self.access, pods).await;
        };
        let members = sight::members(&pods, glances);
        let told = pods.into_iter().zip(members);
        told.map(|((pod, _), member)| Pod { member, ..pod })
            .collect()
    }

    /// Asks again while the API server is away, as far as the world's patience goes.
    async fn patiently<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, WorldFailed>,
    ) -> Result<T, WorldFailed> {
        let deadline = self.access.clock().elapsed() + self.access.patience();
        loop {
            match ask().await {
                Err(_) if self.access.clock().elapsed() < deadline => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                other => return other,
            }
        }
    }
}

impl World for User {
    fn elapsed(&self) -> Duration {
        self.access.clock().elapsed()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn act(&self, cluster: &Cluster, action: Action) -> Result<(), WorldFailed> {
        let kube = self.access.kube();
        match action {
            Action::Create => {
                let image = self.image.as_deref();
                resource::create(kube, &self.namespace, cluster, image).await
            }
            Action::Scale(size) => {
                resource::scale(kube, &self.namespace, &cluster.name, size).await
            }
            Action::Change(change) => {
                let image = self.image.as_deref();
                resource::change(kube, &self.namespace, &cluster.name, change, image).await
            }
            Action::Delete => {
                // What comes after it is another cluster, which tells its own endpoint.
                self.endpoint.tell(None);
                resource::delete(kube, &self.namespace, &cluster.name).await
            }
            Action::Wait(span) => {
                self.pass(span.duration()).await;
                Ok(())
            }
            // The runner injects and heals by itself: it knows who is hit, and when.
            Action::Strike(_) | Action::Heal => Ok(()),
            Action::Recover => resource::give_word(kube, &self.namespace, &cluster.name).await,
            Action::Edit(edit) => edits::edit(kube, &self.namespace, &cluster.name, edit).await,
        }
    }

    async fn inject(
        &self,
        cluster: &Cluster,
        fault: &Fault,
        hit: Option<&Hit>,
    ) -> Result<(), WorldFailed> {
        let kube = self.access.kube();
        match (fault, hit) {
            (Fault::Pod(PodFault::Delete, _), Some(hit)) => {
                breaking::delete_pod(kube, &self.namespace, hit).await
            }
            (Fault::Pod(PodFault::DeleteWithVolume, _), Some(hit)) => {
                breaking::delete_with_volume(kube, &self.namespace, hit).await
            }
            (Fault::Pod(PodFault::Evict, _), Some(hit)) => {
                breaking::evict(kube, &self.namespace, hit).await
            }
            (Fault::Node(NodeTrouble::Drained, ..), Some(hit)) => {
                breaking::drain(kube, &self.namespace, &cluster.name, hit).await
            }
            (Fault::Around(Surrounding::ElectionStorm, _), _) => {
                let storm = Storm::begin(&self.access, &self.namespace, &cluster.name);
                *lock(&self.storm) = Some(storm);
                Ok(())
            }
            _ => self.access.inject(fault, hit).await,
        }
    }

    async fn heal(&self, _: &Cluster, fault: &Fault, hit: Option<&Hit>) -> Result<(), WorldFailed> {
        match (fault, hit) {
            (Fault::Node(NodeTrouble::Drained, ..), Some(hit)) => {
                breaking::uncordon(self.access.kube(), &hit.node).await
            }
            (Fault::Around(Surrounding::ElectionStorm, _), _) => {
                *lock(&self.storm) = None;
                Ok(())
            }
            _ => self.access.heal(fault, hit).await,
        }
    }

    async fn look(&self, cluster: &Cluster) -> Result<Observation, WorldFailed> {
        let (found, mut pods) = self.patiently(|| self.read(cluster)).await?;
        let (resource, endpoint) = found.map_or((None, None), |found| (Some(found.0), found.1));
        self.endpoint.tell(endpoint);
        if let Some(resource) = &resource {
            // Pods of a resource of the same name that was deleted stop after it is gone.
            pods.retain(|(pod, _)| pod.created >= resource.created);
        }
        let pods = self.ask(pods).await;
        Ok(Observation {
            at: self.elapsed(),
            resource,
            pods,
            asked: true,
            hindered: self.access.hindered(),
            misdeeds: self.access.misdeeds(),
        })
    }

    async fn leftovers(&self) -> Result<Leftovers, WorldFailed> {
        let mut left = Leftovers::default();
        let kube = self.access.kube();
        let found = self.patiently(|| kinds::everything(&kube, &self.namespace));
        for object in found.await? {
            if self.before.contains(&object.identity) {
                continue;
            }
            let kind = if object.volume {
                &mut left.volumes
            } else {
                &mut left.others
            };
            kind.push(object.name);
        }
        Ok(left)
    }

    fn start_traffic(&self, rates: Rates) -> Traffic {
        let door: Arc<dyn Door> = self.endpoint.clone();
        Traffic::start(rates, &door, self.access.clock(), |task| {
            self.access.spawn(task)
        })
    }

    async fn read_back(&self, history: &History) -> Result<read_back::ReadBack, WorldFailed> {
        let result = read_back::read_back(history, &*self.endpoint).await;
        result.map_err(|unreadable| WorldFailed::Etcd(unreadable.to_string()))
    }

    async fn compact(&self) -> Result<(), WorldFailed> {
        let refused = |why: String| WorldFailed::Etcd(why);
        let mut client = self.endpoint.open(0).await.map_err(refused)?;
        let compacted = async {
            let now = client.get("scenarios/compact", None).await?;
            let revision = now.header().map_or(0, |header| header.revision());
            client.compact(revision, None).await
        };
        let compacted = tokio::time::timeout(COMPACTS_WITHIN, compacted).await;
        let compacted = compacted.map_err(|_| refused("no answer in time".to_owned()))?;
        match compacted {
            // Nothing was written since the last time.
            Err(etcd_client::Error::GRpcStatus(status))
                if status.message().contains("compacted") =>
            {
                Ok(())
            }
            other => other.map(drop).map_err(|error| refused(error.to_string())),
        }
    }

    fn calls(&self) -> Option<Calls> {
        self.access.calls()
    }

    fn crashed(&self) -> Option<String> {
        self.access.crashed()
    }

    fn noticed(&self) -> Vec<Violation> {
        self.access.noticed()
    }

    fn lives(&self) -> BTreeMap<String, Lives> {
        self.access.lives()
    }

    fn met(&self) -> BTreeMap<String, u64> {
        self.access.met()
    }
}

/// The way in that the resource's status tells to clients.
struct Endpoint {
    access: Arc<dyn Access>,
    told: Mutex<Option<(String, u16)>>,
}

impl Endpoint {
    fn tell(&self, endpoint: Option<(String, u16)>) {
        *lock(&self.told) = endpoint;
    }
}

impl Door for Endpoint {
    fn open(&self, _client: u32) -> BoxFuture<Result<Client, String>> {
        let told = lock(&self.told).clone();
        match told {
            Some((host, port)) => self.access.dial(&host, port),
            None => Box::pin(async { Err("the status names no endpoint yet".to_owned()) }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
