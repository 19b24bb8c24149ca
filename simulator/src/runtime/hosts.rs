//! A pod's hosts file.
//!
//! Owns: the one name that is looked up there before DNS is asked.
//! Always holds: a pod finds its own full name at once, also while DNS does not know it yet.
//! Deliberately does not know: how DNS learns names.

use std::{net::IpAddr, sync::Arc};

use crate::net::Resolve;

/// Looks names up as a process in the pod does.
pub(super) struct HostsFile {
    /// The pod's full name and its address.
    pub(super) own: Option<(String, IpAddr)>,
    /// Asked for everything else.
    pub(super) dns: Arc<dyn Resolve>,
}

impl Resolve for HostsFile {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        match &self.own {
            Some((own, ip)) if own == name => vec![*ip],
            _ => self.dns.resolve(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Resolve for Nothing {
        fn resolve(&self, _: &str) -> Vec<IpAddr> {
            Vec::new()
        }
    }

    #[test]
    fn a_pod_finds_itself_before_dns_knows_it() {
        let ip = IpAddr::from([10, 0, 0, 1]);
        let hosts = HostsFile {
            own: Some(("demo-0.demo".to_owned(), ip)),
            dns: Arc::new(Nothing),
        };
        assert_eq!(hosts.resolve("demo-0.demo"), [ip]);
        assert!(hosts.resolve("demo-1.demo").is_empty());
    }
}
