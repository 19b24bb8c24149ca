//! Where a name leads.
//!
//! Owns: the names of the world's own hosts, in front of the cluster's DNS and services.
//! Always holds: every host of the world sees the same names.
//! Deliberately does not know: how DNS learns of services and pods.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::connector::{first, literal};
use crate::net::Resolve;

/// Where traffic to the address of a service goes.
pub trait Services: Send + Sync {
    /// The address to connect to instead of `to`; `to` itself when it is no service's.
    ///
    /// # Errors
    /// `ConnectionRefused` when the service has nobody behind it.
    fn route(&self, to: SocketAddr) -> io::Result<SocketAddr>;
}

/// All names of a world; a clone is another handle on the same ones.
#[derive(Clone)]
pub struct Names {
    own: Arc<Mutex<BTreeMap<String, IpAddr>>>,
    dns: Arc<dyn Resolve>,
    services: Arc<dyn Services>,
    dns_fails: Arc<AtomicBool>,
}

impl Names {
    /// The names that `dns` knows, with services behind `services`.
    pub fn new(dns: Arc<dyn Resolve>, services: Arc<dyn Services>) -> Self {
        Self {
            own: Arc::default(),
            dns,
            services,
            dns_fails: Arc::default(),
        }
    }

    /// Makes the cluster's DNS know no names, or know them again. The world's own hosts and what
    /// is written as an address are still found.
    pub fn set_dns_fails(&self, fails: bool) {
        self.dns_fails.store(fails, Ordering::Relaxed);
    }

    /// Gives one of the world's own hosts a name.
    pub fn set(&self, name: &str, ip: IpAddr) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(name.to_owned(), ip);
    }

    /// The address behind `host:port` from now on, as one dial would find it.
    ///
    /// # Errors
    /// `NotFound` when there is no such name, `ConnectionRefused` when it is a service that has
    /// nobody behind it.
    pub fn find(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        let to = match literal(host) {
            Some(ip) => SocketAddr::new(ip, port),
            None => first(&self.resolve(host), host, port)?,
        };
        self.services.route(to)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let own = self
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied();
        match own {
            Some(ip) => vec![ip],
            None if self.dns_fails.load(Ordering::Relaxed) => Vec::new(),
            None => self.dns.resolve(name),
        }
    }
}
