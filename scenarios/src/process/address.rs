//! The addresses of the cluster, as kubeadm and Kind choose them.
//!
//! Owns: the well-known addresses, and handing out addresses to pods.
//! Always holds: an address that was given back is not given out again before all others of its
//! node were, as with the host-local plugin: a pod that comes back has a new one.
//! Deliberately does not know: interfaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// The way out of every pod, and the address that the run itself has towards pods. All of its /24
/// is the run's.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 255, 254);

/// Addresses for what runs in the run's own process: the API server, the operator, a user.
pub fn own_addresses() -> impl Iterator<Item = Ipv4Addr> {
    (10..250).map(|host| Ipv4Addr::new(10, 244, 255, host))
}

/// The cluster's DNS.
pub(super) const CLUSTER_DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Addresses of pods: one `/24` of 10.244.0.0/16 for each node.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    nodes: BTreeMap<String, Subnet>,
}

#[derive(Debug)]
struct Subnet {
    third: u8,
    last: u8,
    taken: BTreeSet<u8>,
}

impl Addresses {
    /// A free address on a node; none when the node or the cluster is full.
    pub(super) fn take(&mut self, node: &str) -> Option<Ipv4Addr> {
        if !self.nodes.contains_key(node) {
            // 255 is the gateway's.
            let third = u8::try_from(self.nodes.len())
                .ok()
                .filter(|third| *third < 255)?;
            let subnet = Subnet {
                third,
                last: 1,
                taken: BTreeSet::new(),
            };
            self.nodes.insert(node.to_owned(), subnet);
        }
        let subnet = self.nodes.get_mut(node)?;
        let after = (subnet.last + 1..=254).chain(2..=subnet.last);
        let host = after
            .into_iter()
            .find(|host| !subnet.taken.contains(host))?;
        subnet.taken.insert(host);
        subnet.last = host;
        Some(Ipv4Addr::new(10, 244, subnet.third, host))
    }

    /// Gives an address back.
    pub(super) fn release(&mut self, address: Ipv4Addr) {
        let [_, _, third, host] = address.octets();
        for subnet in self
            .nodes
            .values_mut()
            .filter(|subnet| subnet.third == third)
        {
            subnet.taken.remove(&host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_subnets_of_their_own() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.take("a"), Some(Ipv4Addr::new(10, 244, 0, 2)));
        assert_eq!(addresses.take("b"), Some(Ipv4Addr::new(10, 244, 1, 2)));
        assert_eq!(addresses.take("a"), Some(Ipv4Addr::new(10, 244, 0, 3)));
    }

    #[test]
    fn a_released_address_comes_back_last() {
        let mut addresses = Addresses::default();
        let first = addresses.take("a").unwrap();
        addresses.release(first);
        let second = addresses.take("a").unwrap();
        assert_ne!(first, second);
        let rest: Vec<_> = std::iter::from_fn(|| addresses.take("a")).collect();
        assert_eq!(rest.len(), 252, "all others are given out");
        assert_eq!(rest.last(), Some(&first));
        assert_eq!(addresses.take("a"), None, "a full node says so");
    }
}
