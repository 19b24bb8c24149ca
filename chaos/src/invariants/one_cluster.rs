//! One resource is one etcd cluster.
//!
//! Statement: every member that runs for one resource is in the same etcd cluster, from the
//! first answer to the last; a second cluster ID means that data was lost or forked.
//! Source: etcd answers "cluster ID mismatch" between such members; operators that started a
//! member with `initial-cluster-state: new` a second time served two clusters behind one service.

use std::collections::BTreeMap;

use super::Invariant;
use crate::Observation;

/// Remembers the cluster ID of each resource, by UID.
#[derive(Default)]
pub struct OneCluster {
    known: BTreeMap<String, u64>,
}

impl Invariant for OneCluster {
    fn name(&self) -> &'static str {
        "one resource is one etcd cluster"
    }

    fn judge(&mut self, look: &Observation) -> Option<String> {
        let uid = &look
            .resource
            .as_ref()
            .filter(|resource| !resource.deleting)?
            .uid;
        for pod in &look.pods {
            let Some(member) = &pod.member else { continue };
            let known = *self.known.entry(uid.clone()).or_insert(member.cluster);
            if known != member.cluster {
                return Some(format!(
                    "{} is in cluster {:x}, the resource's cluster is {known:x}",
                    pod.name, member.cluster
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::example::{look, voter};

    fn in_cluster(uid: &str, cluster: u64) -> Observation {
        let mut look = look(1, 10, &[voter(1)], &[1]);
        look.pods[0].member.as_mut().expect("answers").cluster = cluster;
        look.resource.as_mut().expect("exists").uid = uid.to_owned();
        look
    }

    #[test]
    fn a_second_cluster_id_is_a_violation() {
        let mut rule = OneCluster::default();
        assert_eq!(rule.judge(&in_cluster("a", 7)), None);
        let evidence = rule.judge(&in_cluster("a", 8)).expect("a violation");
        assert!(
            evidence.contains("in cluster 8, the resource's cluster is 7"),
            "{evidence}"
        );
    }

    #[test]
    fn a_recreated_resource_has_a_cluster_of_its_own() {
        let mut rule = OneCluster::default();
        assert_eq!(rule.judge(&in_cluster("a", 7)), None);
        assert_eq!(rule.judge(&in_cluster("b", 8)), None);
    }
}
