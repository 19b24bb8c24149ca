//! Service addresses: which pod a connection to one ends up at.
//!
//! Owns: the ports of services and the ready endpoints behind them, as every node knows them.
//! Always holds: connections go round all endpoints in turn; nothing is remembered of a connection.
//! Deliberately does not know: streams. Node ports, load balancers and session affinity are not
//! modelled; only cluster addresses lead anywhere.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    api::{Changed, resource::SERVICES},
    controllers::object::{Key, Meta},
};

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The address belongs to no service: connect to it as it is.
    Direct,
    /// Nobody is behind the service, or it has no such port: the connection is refused.
    Refused,
    /// To this endpoint.
    To(SocketAddr),
}

#[derive(Clone, Debug)]
struct Service {
    ip: IpAddr,
    /// Port to its name.
    ports: BTreeMap<u16, String>,
}

#[derive(Clone, Debug)]
struct Slice {
    service: Key,
    ips: Vec<IpAddr>,
    /// Name to port.
    ports: BTreeMap<String, u16>,
}

#[derive(Clone, Debug)]
enum Update {
    Service(Key, Option<Service>),
    Slice(Key, Option<Slice>),
}

/// What the nodes know of services.
#[derive(Debug, Default)]
pub struct Proxy {
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, Slice>,
    coming: VecDeque<(Timestamp, Update)>,
    turns: BTreeMap<SocketAddr, usize>,
}

impl Proxy {
    /// Takes note of a changed Service or EndpointSlice that the nodes follow from `at` on.
    pub fn observe(&mut self, change: &Changed, now: Timestamp, at: Timestamp) {
        self.apply(now);
        let key = Key::of(&change.object);
        let there = !change.deleted;
        let update = if change.is_of(&SERVICES) {
            Update::Service(key, there.then(|| service(&change.object)).flatten())
        } else {
            Update::Slice(key, there.then(|| slice(&change.object)).flatten())
        };
        let at = self.coming.back().map_or(at, |(last, _)| at.max(*last));
        self.coming.push_back((at, update));
    }

    /// Where a new connection to this address goes.
    pub fn route(&mut self, ip: IpAddr, port: u16, now: Timestamp) -> Route {
        self.apply(now);
        let found = self.services.iter().find(|(_, service)| service.ip == ip);
        let Some((key, service)) = found else {
            return Route::Direct;
        };
        let Some(name) = service.ports.get(&port) else {
            return Route::Refused;
        };
        let endpoints: BTreeSet<SocketAddr> = self
            .slices
            .values()
            .filter(|slice| slice.service == *key)
            .filter_map(|slice| Some((slice, *slice.ports.get(name)?)))
            .flat_map(|(slice, port)| slice.ips.iter().map(move |ip| SocketAddr::new(*ip, port)))
            .collect();
        if endpoints.is_empty() {
            return Route::Refused;
        }
        let turn = self.turns.entry(SocketAddr::new(ip, port)).or_insert(0);
        let index = *turn % endpoints.len();
        *turn += 1;
        endpoints
            .into_iter()
            .nth(index)
            .map_or(Route::Refused, Route::To)
    }

    /// The endpoint for a new connection to this address, if it is a service's that has one.
    pub fn backend(&mut self, ip: IpAddr, port: u16, now: Timestamp) -> Option<SocketAddr> {
        match self.route(ip, port, now) {
            Route::To(endpoint) => Some(endpoint),
            Route::Direct | Route::Refused => None,
        }
    }

    fn apply(&mut self, now: Timestamp) {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            match self.coming.pop_front() {
                Some((_, Update::Service(key, Some(service)))) => {
                    self.services.insert(key, service);
                }
                Some((_, Update::Service(key, None))) => {
                    self.services.remove(&key);
                }
                Some((_, Update::Slice(key, Some(slice)))) => {
                    self.slices.insert(key, slice);
                }
                Some((_, Update::Slice(key, None))) => {
                    self.slices.remove(&key);
                }
                None => return,
            }
        }
    }
}

fn port_number(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

fn service(object: &Value) -> Option<Service> {
    let ip = object.text("/spec/clusterIP").parse().ok()?;
    let ports = object
        .items("/spec/ports")
        .iter()
        .filter_map(|port| Some((port_number(&port["port"])?, port.text("/name").to_owned())))
        .collect();
    Some(Service { ip, ports })
}

fn slice(object: &Value) -> Option<Slice> {
    let service = object.label("kubernetes.io/service-name")?;
    let ips = object
        .items("/endpoints")
        .iter()
        .filter(|endpoint| endpoint["conditions"]["ready"] != false)
        .flat_map(|endpoint| endpoint.items("/addresses"))
        .filter_map(|address| address.as_str()?.parse().ok())
        .collect();
    let ports = object
        .items("/ports")
        .iter()
        .filter_map(|port| Some((port.text("/name").to_owned(), port_number(&port["port"])?)))
        .collect();
    Some(Slice {
        service: Key::new(object.namespace(), service),
        ips,
        ports,
    })
}
