//! Simulated etcd clusters beside a served Kubernetes, for etcdctl and for any etcd client.
//!
//! Owns: what a cluster is asked for with, its members' flags and addresses, and their ends.
//! Always holds: a member is started with the flags of a real one and nothing else, so a member
//! that somebody adds can be started by `simulator etcd` or anything that speaks to its peers.
//! Deliberately does not know: Kubernetes; no pod runs these members.

use std::{collections::BTreeMap, fmt, io, net::IpAddr, str::FromStr, sync::Arc};

use futures::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    determinism::Seed,
    etcd::{Disk, Exit, Launch, Running, Version, launch},
    net::{BoxFuture, Resolve},
    world::Ground,
};

/// The version that a cluster has unless it is told another: the newest that is recorded.
const VERSION: Version = Version::new(3, 6, 16);
/// More members than anybody runs.
const MOST: u8 = 9;

/// How many members of which etcd, as it is written on the command line: `3` or `3@3.5.21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Members.
    pub size: u8,
    /// Which etcd all of them are.
    pub version: Version,
}

/// A text that does not say what a cluster should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "read {0:?} as a cluster: write SIZE or SIZE@VERSION, for example 3@3.5.21, with 1 to {MOST} members"
)]
pub struct NotACluster(String);

impl FromStr for ClusterSpec {
    type Err = NotACluster;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotACluster(text.to_owned());
        let (size, version) = match text.split_once('@') {
            Some((size, version)) => (size, version.parse().map_err(|_| wrong())?),
            None => (text, VERSION),
        };
        let size = size.parse().map_err(|_| wrong())?;
        if !(1..=MOST).contains(&size) {
            return Err(wrong());
        }
        Ok(Self { size, version })
    }
}

impl fmt::Display for ClusterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members of etcd {}", self.size, self.version)
    }
}

/// A member that has ended, and what it said last.
pub(super) struct Gone {
    pub(super) name: String,
    pub(super) exit: Exit,
}

/// The clusters that are served.
pub(super) struct Clusters {
    /// What each cluster is, and the URLs that its clients use.
    pub(super) shown: Vec<(ClusterSpec, Vec<String>)>,
    ends: FuturesUnordered<BoxFuture<Gone>>,
}

impl Clusters {
    /// Starts every cluster on addresses of its own.
    ///
    /// # Errors
    /// When the network has too few addresses.
    pub(super) fn start(
        ground: &Ground,
        resolver: &Arc<dyn Resolve>,
        seed: Seed,
        specs: &[ClusterSpec],
    ) -> io::Result<Self> {
        let mut clusters = Self {
            shown: Vec::new(),
            ends: FuturesUnordered::new(),
        };
        for (number, spec) in specs.iter().enumerate() {
            let cluster = format!("etcd-{}", number + 1);
            let mut hosts = Vec::new();
            for member in 0..spec.size {
                hosts.push(ground.net.add_host(&format!("{cluster}/m{member}"))?);
            }
            let addresses: Vec<IpAddr> = hosts.iter().map(|host| ground.net.ip(*host)).collect();
            for (member, host) in hosts.into_iter().enumerate() {
                let label = format!("{cluster}/m{member}");
                let start = Launch {
                    argv: flags(&cluster, member, &addresses),
                    env: BTreeMap::new(),
                    files: BTreeMap::new(),
                    disks: BTreeMap::from([("/data".to_owned(), Disk::new())]),
                    version: spec.version,
                    seed: seed.derive(&label).0,
                    label: label.clone(),
                };
                let (net, resolver) = (Arc::clone(&ground.net), Arc::clone(resolver));
                let trace = ground.trace.clone();
                let running = launch(net, resolver, host, ground.clock, trace, start);
                clusters.ends.push(end(label, running));
            }
            let urls = addresses.iter().map(|ip| format!("http://{ip}:2379"));
            clusters.shown.push((*spec, urls.collect()));
        }
        Ok(clusters)
    }

    /// The next member that ends; never, when none is left.
    pub(super) async fn next_end(&mut self) -> Gone {
        match self.ends.next().await {
            Some(gone) => gone,
            None => std::future::pending().await,
        }
    }
}

fn end(name: String, running: Running) -> BoxFuture<Gone> {
    Box::pin(async move {
        let exit = running.exited().await;
        Gone { name, exit }
    })
}

/// What a person would start this member with.
fn flags(token: &str, member: usize, addresses: &[IpAddr]) -> Vec<String> {
    let listed: Vec<String> = addresses
        .iter()
        .enumerate()
        .map(|(index, ip)| format!("m{index}=http://{ip}:2380"))
        .collect();
    let own = addresses[member];
    [
        ("name", format!("m{member}")),
        ("data-dir", "/data/etcd".to_owned()),
        ("listen-client-urls", format!("http://{own}:2379")),
        ("advertise-client-urls", format!("http://{own}:2379")),
        ("listen-peer-urls", format!("http://{own}:2380")),
        ("initial-advertise-peer-urls", format!("http://{own}:2380")),
        ("initial-cluster", listed.join(",")),
        ("initial-cluster-token", token.to_owned()),
    ]
    .into_iter()
    .map(|(flag, value)| format!("--{flag}={value}"))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_written_as_size_and_version() {
        let read = |text: &str| text.parse::<ClusterSpec>();
        let version = Version::new(3, 5, 21);
        assert_eq!(read("3@3.5.21"), Ok(ClusterSpec { size: 3, version }));
        assert_eq!(read("1").map(|spec| spec.version), Ok(VERSION));
        for wrong in ["", "0", "10", "x", "3@", "3@3.5", "@3.5.21", "3@3.5.21@1"] {
            let refused = read(wrong).unwrap_err().to_string();
            assert!(refused.contains("SIZE@VERSION"), "{refused}");
        }
    }
}
