//! Cluster DNS: the names of services and of the pods behind them.
//!
//! Owns: records derived from Services and EndpointSlices, the time until a change is answered
//! with, and caches.
//! Always holds: records change in the order in which the objects did; a name that no Service has
//! is not found.
//! Deliberately does not know: who asks. Search lists are a resolver's business: besides full names
//! `svc.ns.svc` and `svc.ns` are understood, a bare service name is not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    api::{
        Changed,
        resource::{ENDPOINT_SLICES, SERVICES},
    },
    control_plane::lock,
    controllers::{
        object::{Key, Meta},
        timings::Timings,
    },
};
use crate::{clock::Clock, net::Resolve};

/// One object as DNS needs it.
#[derive(Clone, Debug)]
enum Record {
    Service(Key, Option<Service>),
    Slice(Key, Option<Slice>),
}

#[derive(Clone, Debug)]
enum Service {
    /// One address in front of all.
    Cluster(IpAddr),
    /// The addresses of the pods.
    Headless,
}

#[derive(Clone, Debug)]
struct Slice {
    service: Key,
    endpoints: Vec<(IpAddr, Option<String>)>,
}

#[derive(Clone, Debug)]
struct Cached {
    until: Timestamp,
    answer: Vec<IpAddr>,
}

/// All names of a cluster, as its DNS servers know them at each time.
#[derive(Debug)]
pub struct Zone {
    ttl: SignedDuration,
    negative_ttl: SignedDuration,
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, Slice>,
    coming: VecDeque<(Timestamp, Record)>,
    cache: BTreeMap<String, Cached>,
    asked: usize,
}

impl Zone {
    /// A zone without names.
    #[must_use]
    pub fn new(timings: &Timings) -> Self {
        Self {
            ttl: timings.dns_cache,
            negative_ttl: timings.dns_negative_cache,
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            coming: VecDeque::new(),
            cache: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Whether a change has anything to do with names.
    #[must_use]
    pub fn concerns(change: &Changed) -> bool {
        change.is_of(&SERVICES) || change.is_of(&ENDPOINT_SLICES)
    }

    /// Takes note of a change that will be answered with from `at` on.
    pub fn observe(&mut self, change: &Changed, now: Timestamp, at: Timestamp) {
        self.apply(now);
        let key = Key::of(&change.object);
        let there = !change.deleted;
        let record = if change.is_of(&SERVICES) {
            Record::Service(key, there.then(|| service(&change.object)).flatten())
        } else {
            Record::Slice(key, there.then(|| slice(&change.object)).flatten())
        };
        // A later change never overtakes an earlier one.
        let at = self.coming.back().map_or(at, |(last, _)| at.max(*last));
        self.coming.push_back((at, record));
    }

    /// The addresses behind a name at this time.
    pub fn lookup(&mut self, name: &str, now: Timestamp) -> Vec<IpAddr> {
        self.apply(now);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(cached) = self.cache.get(&name).filter(|cached| cached.until > now) {
            return cached.answer.clone();
        }
        let mut answer = self.answer(&name);
        if !answer.is_empty() {
            // Servers hand the addresses out in turn.
            let first = self.asked % answer.len();
            answer.rotate_left(first);
            self.asked += 1;
        }
        let ttl = if answer.is_empty() {
            self.negative_ttl
        } else {
            self.ttl
        };
        if ttl > SignedDuration::ZERO {
            let until = now + ttl;
            self.cache.insert(
                name,
                Cached {
                    until,
                    answer: answer.clone(),
                },
            );
        }
        answer
    }

    fn apply(&mut self, now: Timestamp) {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            match self.coming.pop_front() {
                Some((_, Record::Service(key, Some(service)))) => {
                    self.services.insert(key, service);
                }
                Some((_, Record::Service(key, None))) => {
                    self.services.remove(&key);
                }
                Some((_, Record::Slice(key, Some(slice)))) => {
                    self.slices.insert(key, slice);
                }
                Some((_, Record::Slice(key, None))) => {
                    self.slices.remove(&key);
                }
                None => return,
            }
        }
    }

    fn answer(&self, name: &str) -> Vec<IpAddr> {
        let short = name.strip_suffix(".cluster.local").unwrap_or(name);
        let short = short.strip_suffix(".svc").unwrap_or(short);
        let labels: Vec<&str> = short.split('.').collect();
        let (host, key) = match labels.as_slice() {
            [service, namespace] => (None, Key::new(namespace, service)),
            [host, service, namespace] => (Some(*host), Key::new(namespace, service)),
            _ => return Vec::new(),
        };
        match (self.services.get(&key), host) {
            (None, _) => Vec::new(),
            (Some(Service::Cluster(ip)), None) => vec![*ip],
            (Some(_), host) => self.endpoints(&key, host),
        }
    }

    fn endpoints(&self, service: &Key, host: Option<&str>) -> Vec<IpAddr> {
        let all = self
            .slices
            .values()
            .filter(|slice| slice.service == *service)
            .flat_map(|slice| &slice.endpoints);
        let found: BTreeSet<IpAddr> = all
            .filter(|(_, hostname)| host.is_none() || hostname.as_deref() == host)
            .map(|(ip, _)| *ip)
            .collect();
        found.into_iter().collect()
    }
}

fn service(object: &Value) -> Option<Service> {
    match object.text("/spec/clusterIP") {
        "None" => Some(Service::Headless),
        ip => ip.parse().ok().map(Service::Cluster),
    }
}

fn slice(object: &Value) -> Option<Slice> {
    let service = object.label("kubernetes.io/service-name")?;
    let mut endpoints = Vec::new();
    for endpoint in object.items("/endpoints") {
        if endpoint["conditions"]["ready"] == false {
            continue;
        }
        let hostname = endpoint["hostname"].as_str().map(str::to_owned);
        let addresses = endpoint.items("/addresses").iter();
        endpoints.extend(
            addresses
                .filter_map(|address| address.as_str()?.parse().ok())
                .map(|ip| (ip, hostname.clone())),
        );
    }
    Some(Slice {
        service: Key::new(object.namespace(), service),
        endpoints,
    })
}

/// A zone that is asked as time goes by.
#[derive(Clone, Debug)]
pub struct ClusterDns {
    zone: Arc<Mutex<Zone>>,
    clock: Clock,
}

impl ClusterDns {
    /// The resolver of a zone.
    #[must_use]
    pub fn new(zone: Arc<Mutex<Zone>>, clock: Clock) -> Self {
        Self { zone, clock }
    }
}

impl Resolve for ClusterDns {
    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        lock(&self.zone).lookup(name, self.clock.now())
    }
}
