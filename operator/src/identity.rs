//! Names, addresses and IDs: who is who, derived and never stored.
//!
//! Owns: how members, services and volumes of a cluster are named, and how etcd computes its IDs.
//! Always holds: everything here is a pure function of the cluster's name, namespace and UID, so
//! two clusters of the same name that lived one after the other share no token, no ID, no data dir.
//! Deliberately does not know: what exists.
//!
//! The ID rules are etcd's own (`server/etcdserver/api/membership`): a member's ID is the first
//! eight bytes of the SHA-1 of its sorted peer URLs and the cluster token; a cluster's ID is the
//! same of its first members' sorted IDs.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};

/// Port for clients.
pub const CLIENT_PORT: u16 = 2379;
/// Port for the other members.
pub const PEER_PORT: u16 = 2380;
/// Port for probes and metrics, never encrypted, never blocked by a stuck gRPC server.
pub const METRICS_PORT: u16 = 2381;
/// Where the member's volume is mounted.
pub const DATA_MOUNT: &str = "/var/lib/etcd";
/// Where the members' configuration files are mounted.
pub const CONFIG_MOUNT: &str = "/etc/etcd";

/// Annotation of an EtcdCluster: the user's word to start anew from one survivor.
pub const RECOVERY_ANNOTATION: &str = "etcd.etcd.io/recover-quorum";

/// Label with the UID of the cluster that an object belongs to.
pub const CLUSTER_UID: &str = "etcd.etcd.io/cluster-uid";

/// Who a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the EtcdCluster.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID: also the token that keeps its members from joining any other cluster.
    pub uid: String,
    /// DNS domain of the Kubernetes cluster.
    pub domain: String,
}

impl Identity {
    /// Name of the member, pod and configuration file with this ordinal.
    #[must_use]
    pub fn member(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.name)
    }

    /// The ordinal in a member's name, if it is one of ours.
    #[must_use]
    pub fn ordinal_of_name(&self, member: &str) -> Option<u32> {
        let digits = member.strip_prefix(self.name.as_str())?.strip_prefix('-')?;
        let ordinal: u32 = digits.parse().ok()?;
        (ordinal.to_string() == digits).then_some(ordinal)
    }

    /// Name of a member for as long as it runs as the start of a cluster of its own, in the n-th
    /// recovery of the cluster.
    #[must_use]
    pub fn recovering_member(&self, ordinal: u32, recovery: u32) -> String {
        format!("{}.recovery-{recovery}", self.member(ordinal))
    }

    /// Which recovery a name of [`Identity::recovering_member`] belongs to.
    #[must_use]
    pub fn recovery_of_name(&self, name: &str) -> Option<u32> {
        let (member, recovery) = name.split_once(".recovery-")?;
        self.ordinal_of_name(member)?;
        recovery.parse().ok()
    }

    /// Labels of everything that belongs to the cluster, by which pods are found. They name the UID
    /// as well: pods of a deleted cluster of the same name stop only after the new one has its
    /// Services, and must not be sent the new one's clients.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        [
            ("app.kubernetes.io/name", "etcd"),
            ("app.kubernetes.io/instance", self.name.as_str()),
            ("app.kubernetes.io/managed-by", "etcd-operator"),
            (CLUSTER_UID, self.uid.as_str()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Name of the headless Service that gives members their DNS names.
    #[must_use]
    pub fn peer_service(&self) -> String {
        self.name.clone()
    }

    /// Name of the Service that clients use.
    #[must_use]
    pub fn client_service(&self) -> String {
        format!("{}-client", self.name)
    }

    /// Name of the ConfigMap with the members' configuration.
    #[must_use]
    pub fn config_map(&self) -> String {
        format!("{}-config", self.name)
    }

    /// Name of the volume in the pod, and of the claim template. It carries the cluster's UID, so
    /// that volumes kept from an earlier cluster of the same name are neither adopted nor deleted.
    #[must_use]
    pub fn volume(&self) -> String {
        format!("data-{}", self.uid.split('-').next().unwrap_or_default())
    }

    /// Name of a member's PersistentVolumeClaim, as the StatefulSet controller composes it.
    #[must_use]
    pub fn claim(&self, ordinal: u32) -> String {
        format!("{}-{}", self.volume(), self.member(ordinal))
    }

    /// The member's stable DNS name.
    #[must_use]
    pub fn host(&self, ordinal: u32) -> String {
        format!(
            "{}.{}.{}.svc.{}",
            self.member(ordinal),
            self.peer_service(),
            self.namespace,
            self.domain
        )
    }

    /// The URL by which the other members reach this one.
    #[must_use]
    pub fn peer_url(&self, ordinal: u32) -> String {
        format!("http://{}:{PEER_PORT}", self.host(ordinal))
    }

    /// The URL that this member tells clients.
    #[must_use]
    pub fn client_url(&self, ordinal: u32) -> String {
        format!("http://{}:{CLIENT_PORT}", self.host(ordinal))
    }

    /// Where clients connect: a name that stays, whatever the members.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!(
            "http://{}.{}.svc.{}:{CLIENT_PORT}",
            self.client_service(),
            self.namespace,
            self.domain
        )
    }

    /// The ordinal behind a peer URL, if it is one of ours.
    #[must_use]
    pub fn ordinal_of_url(&self, peer_url: &str) -> Option<u32> {
        let host = peer_url.split_once("://")?.1.split('.').next()?;
        let ordinal = self.ordinal_of_name(host)?;
        (self.peer_url(ordinal) == peer_url).then_some(ordinal)
    }

    /// The ordinal of a member with these peer URLs, if one of them is ours.
    #[must_use]
    pub fn ordinal_of_member(&self, peer_urls: &[String]) -> Option<u32> {
        peer_urls.iter().find_map(|url| self.ordinal_of_url(url))
    }

    /// The member ID that etcd gives to this ordinal when the cluster is bootstrapped with it.
    #[must_use]
    pub fn bootstrap_member_id(&self, ordinal: u32) -> u64 {
        let mut hash = Sha1::new();
        hash.update(self.peer_url(ordinal));
        hash.update(&self.uid);
        first_eight_bytes(&hash.finalize())
    }

    /// The cluster ID that etcd computes when bootstrapped with this many members.
    #[must_use]
    pub fn bootstrap_cluster_id(&self, members: u32) -> u64 {
        let mut ids: Vec<u64> = (0..members).map(|o| self.bootstrap_member_id(o)).collect();
        ids.sort_unstable();
        let mut hash = Sha1::new();
        for id in ids {
            hash.update(id.to_be_bytes());
        }
        first_eight_bytes(&hash.finalize())
    }
}

/// Where a member keeps its data: a folder named after its member ID. A member that comes back
/// under a new ID finds an empty folder, whatever an earlier identity left on the volume; so one
/// data dir never serves two identities.
#[must_use]
pub fn data_dir(member_id: u64) -> String {
    format!("{DATA_MOUNT}/{member_id:016x}")
}

fn first_eight_bytes(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |id, byte| (id << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Identity {
        Identity {
            name: "demo".into(),
            namespace: "default".into(),
            uid: "t1".into(),
            domain: "cluster.local".into(),
        }
    }

    #[test]
    fn a_peer_url_leads_back_to_its_ordinal() {
        let id = demo();
        assert_eq!(id.ordinal_of_url(&id.peer_url(7)), Some(7));
        assert_eq!(
            id.ordinal_of_url("http://demo-7.other.default.svc.cluster.local:2380"),
            None
        );
        assert_eq!(id.ordinal_of_url("http://10.0.0.1:2380"), None);
        assert_eq!(id.ordinal_of_name("demo-07"), None);
        assert_eq!(id.ordinal_of_name("demo-x"), None);
        assert_eq!(id.recovery_of_name(&id.recovering_member(2, 7)), Some(7));
        assert_eq!(id.recovery_of_name("demo-2"), None);
    }

    #[test]
    fn two_clusters_of_one_name_share_no_id() {
        let (old, new) = (
            demo(),
            Identity {
                uid: "t2".into(),
                ..demo()
            },
        );
        assert_ne!(old.bootstrap_member_id(0), new.bootstrap_member_id(0));
        assert_ne!(old.bootstrap_cluster_id(3), new.bootstrap_cluster_id(3));
    }
}
