//! What the host's table of commands brings about.
//!
//! Owns: what a command is told, and the pairs of addresses that cutting a member off means.
//! Always holds: the way back is known to be in the table before anything is broken.
//! Deliberately does not know: how the host does it.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use chaos::fault::{Fault, Hit};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::{
    super::commands::{Offer, Told},
    Faults, Remedy,
};
use crate::{user::failed, world::WorldFailed};

impl Faults {
    /// Begins a trouble that another command ends.
    pub(super) async fn lasting(
        &self,
        fault: &Fault,
        hit: Option<&Hit>,
        (begin, end): (Offer, Offer),
        told: Told,
    ) -> Result<(), WorldFailed> {
        self.commands.need(begin, &fault.to_string())?;
        self.commands.need(end, &fault.to_string())?;
        let remedy = Remedy::Command(end, told.clone());
        self.open().push((*fault, hit.cloned(), remedy));
        self.commands.run(begin, &told).await
    }

    /// Cuts a member off from the other pods of the namespace, from the operator's and from this
    /// machine. The node that it is on still reaches it, so its probes go on, as in real life when
    /// an overlay network fails.
    pub(super) async fn cut(
        &self,
        fault: &Fault,
        hit: &Hit,
        (to_it, from_it): (bool, bool),
    ) -> Result<(), WorldFailed> {
        self.commands.need(Offer::Cut, &fault.to_string())?;
        self.commands.need(Offer::Heal, &fault.to_string())?;
        let addresses = self.reach.addresses();
        let own = addresses.iter().find(|(uid, _)| *uid == hit.uid);
        let own = own.map(|(_, address)| *address).ok_or_else(|| {
            WorldFailed::Etcd(format!("the pod {} has no address to cut off", hit.pod))
        })?;
        let mut others: Vec<IpAddr> = addresses.iter().map(|(_, address)| *address).collect();
        others.extend(self.operator.addresses());
        others.extend(this_machine(own));
        others.retain(|other| *other != own);
        others.sort_unstable();
        others.dedup();
        let remedy = Remedy::Command(Offer::Heal, self.told_of_cluster());
        self.open().push((*fault, Some(hit.clone()), remedy));
        for other in others {
            let pairs = [(to_it, other, own), (from_it, own, other)];
            for (_, from, to) in pairs.into_iter().filter(|(wanted, ..)| *wanted) {
                let mut told = self.told_of_cluster();
                told.extend([("FROM_IP", from.to_string()), ("TO_IP", to.to_string())]);
                self.commands.run(Offer::Cut, &told).await?;
            }
        }
        Ok(())
    }

    /// What is told about a pod.
    pub(super) async fn told_of(&self, hit: &Hit) -> Result<Told, WorldFailed> {
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), &self.namespace);
        let pod = pods.get(&hit.pod).await;
        let pod = pod.map_err(|error| failed(&format!("read pod {}", hit.pod), error))?;
        let mut told = self.told_of_cluster();
        told.extend(about(&pod));
        Ok(told)
    }

    /// What is told in any case.
    pub(super) fn told_of_cluster(&self) -> Told {
        let mut told = vec![
            ("NAMESPACE", self.namespace.clone()),
            ("NODES", self.reach.nodes().join(" ")),
        ];
        let control_plane = self.reach.control_plane();
        told.extend(control_plane.map(|node| ("CONTROL_PLANE", node)));
        told
    }
}

/// Name, node, address and container of a pod.
pub(in crate::kubernetes) fn about(pod: &Pod) -> Told {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let container = containers.into_iter().find_map(|it| it.container_id);
    let values = [
        ("POD", pod.metadata.name.clone()),
        (
            "NODE",
            pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        ),
        ("POD_IP", status.pod_ip),
        // `containerd://0123...`: the runtime's name is of no use to the runtime.
        (
            "CONTAINER_ID",
            container.map(|id| id.rsplit('/').next().unwrap_or_default().to_owned()),
        ),
    ];
    let known = values.into_iter();
    known
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The address of this machine that packets to a pod come from. Nothing is sent.
fn this_machine(pod: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if pod.is_ipv4() {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(pod, 2379)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_named_without_its_runtime() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "demo-0"},
            "spec": {"containers": [], "nodeName": "node-2"},
            "status": {"podIP": "10.0.0.7", "containerStatuses": [{
                "name": "etcd", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
                "containerID": "containerd://0123ab",
            }]},
        }))
        .expect("a pod");
        let expected = [
            ("POD", "demo-0"),
            ("NODE", "node-2"),
            ("POD_IP", "10.0.0.7"),
            ("CONTAINER_ID", "0123ab"),
        ];
        assert_eq!(
            about(&pod),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn this_machine_has_an_address_towards_itself() {
        let own = this_machine("127.0.0.1".parse().expect("an address"));
        assert_eq!(own, "127.0.0.1".parse().ok());
    }
}
