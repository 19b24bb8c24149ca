//! Which hosts exist, which boot each is in, and what runs on them.
//!
//! Owns: host numbers, addresses, boots, freezes, and the root tasks of every host.
//! Always holds: a host number is never used twice; an address that was given back is given out
//! again only after all others; what belongs to a past boot is never polled again.
//! Deliberately does not know: how bytes travel; both networks use it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::task::AbortHandle;

use super::{BoxFuture, HostId};

/// One life of a host, from its start to its death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Boot {
    pub(super) host: HostId,
    pub(super) number: u32,
}

/// What a task of some boot may do right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Go on.
    Open,
    /// The host is frozen: wait, the waker is kept.
    Frozen,
    /// The boot is over.
    Dead,
}

struct Host {
    name: String,
    ip: Ipv4Addr,
    boot: u32,
    removed: bool,
    waiting: Vec<Waker>,
    roots: Vec<AbortHandle>,
}

struct Table {
    hosts: BTreeMap<HostId, Host>,
    free: VecDeque<Ipv4Addr>,
    next: u32,
    frozen: BTreeSet<HostId>,
}

/// The hosts of one network; a clone is another handle on the same ones.
#[derive(Clone)]
pub(super) struct Hosts(Arc<Mutex<Table>>);

impl Hosts {
    pub(super) fn new(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let free = addresses.into_iter().collect();
        Self(Arc::new(Mutex::new(Table {
            hosts: BTreeMap::new(),
            free,
            next: 1,
            frozen: BTreeSet::new(),
        })))
    }

    pub(super) fn add(&self, name: &str) -> io::Result<HostId> {
        let mut table = self.table();
        let Some(ip) = table.free.pop_front() else {
            let text = format!(
                "no address left for host {name}: {} in use",
                table.hosts.len()
            );
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        };
        let id = HostId(table.next);
        table.next += 1;
        let host = Host {
            name: name.to_owned(),
            ip,
            boot: 1,
            removed: false,
            waiting: Vec::new(),
            roots: Vec::new(),
        };
        table.hosts.insert(id, host);
        Ok(id)
    }

    /// Forgets the host and gives its address back. The host must have ended before.
    pub(super) fn remove(&self, id: HostId) {
        let mut table = self.table();
        if let Some(host) = table.hosts.get_mut(&id)
            && !host.removed
        {
            host.removed = true;
            let ip = host.ip;
            table.free.push_back(ip);
        }
    }

    pub(super) fn is_removed(&self, id: HostId) -> bool {
        self.table().host(id).removed
    }

    pub(super) fn ip(&self, id: HostId) -> Ipv4Addr {
        self.table().host(id).ip
    }

    pub(super) fn name(&self, id: HostId) -> String {
        self.table().host(id).name.clone()
    }

    /// The host that has the address now.
    pub(super) fn owner(&self, ip: Ipv4Addr) -> Option<HostId> {
        let table = self.table();
        table
            .hosts
            .iter()
            .find(|(_, host)| host.ip == ip && !host.removed)
            .map(|(id, _)| *id)
    }

    /// The boot that the host is in.
    pub(super) fn boot(&self, id: HostId) -> Boot {
        Boot {
            host: id,
            number: self.table().host(id).boot,
        }
    }

    /// Ends the present boot: everything that belongs to it is dead from now on.
    pub(super) fn end_boot(&self, id: HostId) {
        let (roots, waiting) = {
            let mut table = self.table();
            table.frozen.remove(&id);
            let host = table.host_mut(id);
            host.boot += 1;
            (
                std::mem::take(&mut host.roots),
                std::mem::take(&mut host.waiting),
            )
        };
        // Both may run code of the tasks that they concern, so the lock is free by now.
        roots.iter().for_each(AbortHandle::abort);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(super) fn freeze(&self, id: HostId) {
        self.table().frozen.insert(id);
    }

    pub(super) fn thaw(&self, id: HostId) {
        let waiting = {
            let mut table = self.table();
            table.frozen.remove(&id);
            let host = table.host_mut(id);
            std::mem::take(&mut host.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(super) fn any_frozen(&self) -> bool {
        !self.table().frozen.is_empty()
    }

    pub(super) fn is_frozen(&self, id: HostId) -> bool {
        self.table().frozen.contains(&id)
    }

    /// May something of this boot run? When the host is frozen, `context` is woken at its end.
    pub(super) fn gate(&self, boot: Boot, context: &Context<'_>) -> Gate {
        let mut table = self.table();
        let frozen = table.frozen.contains(&boot.host);
        let host = table.host_mut(boot.host);
        if host.boot != boot.number {
            return Gate::Dead;
        }
        if !frozen {
            return Gate::Open;
        }
        if !host
            .waiting
            .iter()
            .any(|waker| waker.will_wake(context.waker()))
        {
            host.waiting.push(context.waker().clone());
        }
        Gate::Frozen
    }

    /// Wraps a task so that it runs only while its boot lives and is not frozen.
    pub(super) fn root(&self, boot: Boot, task: BoxFuture<()>) -> Root {
        Root {
            hosts: self.clone(),
            boot,
            task,
        }
    }

    /// Remembers a spawned root task of the host, to end it when the host dies.
    pub(super) fn keep(&self, id: HostId, task: AbortHandle) {
        let mut table = self.table();
        let roots = &mut table.host_mut(id).roots;
        if roots.len() == roots.capacity() {
            roots.retain(|root| !root.is_finished());
        }
        roots.push(task);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn host(&self, id: HostId) -> &Host {
        self.hosts
            .get(&id)
            .expect("a HostId comes only from Hosts::add, which keeps every host")
    }

    fn host_mut(&mut self, id: HostId) -> &mut Host {
        self.hosts
            .get_mut(&id)
            .expect("a HostId comes only from Hosts::add, which keeps every host")
    }
}

/// A task spawned on a host.
pub(super) struct Root {
    hosts: Hosts,
    boot: Boot,
    task: BoxFuture<()>,
}

impl Future for Root {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.hosts.gate(self.boot, context) {
            Gate::Open => self.task.as_mut().poll(context),
            Gate::Frozen => Poll::Pending,
            Gate::Dead => Poll::Ready(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(addresses: u8) -> Hosts {
        Hosts::new((1..=addresses).map(|last| Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn an_address_given_back_is_given_out_again_after_all_others() {
        let hosts = hosts(3);
        let first = hosts.add("a").unwrap();
        let address = hosts.ip(first);
        hosts.remove(first);
        let next: Vec<_> = (0..3).map(|_| hosts.ip(hosts.add("b").unwrap())).collect();
        assert_eq!(next.iter().position(|ip| *ip == address), Some(2));
        assert!(
            hosts
                .add("c")
                .unwrap_err()
                .to_string()
                .starts_with("no address left for host c")
        );
    }

    #[test]
    fn removing_a_host_twice_gives_its_address_back_once() {
        let hosts = hosts(1);
        let host = hosts.add("a").unwrap();
        hosts.remove(host);
        hosts.remove(host);
        hosts.add("b").unwrap();
        assert!(hosts.add("c").is_err());
    }

    #[test]
    fn what_belongs_to_a_past_boot_stays_dead_after_the_next_start() {
        let hosts = hosts(1);
        let host = hosts.add("a").unwrap();
        let (past, context) = (hosts.boot(host), Context::from_waker(Waker::noop()));
        assert_eq!(hosts.gate(past, &context), Gate::Open);
        hosts.end_boot(host);
        assert_eq!(hosts.gate(past, &context), Gate::Dead);
        assert_eq!(hosts.gate(hosts.boot(host), &context), Gate::Open);
    }

    #[test]
    fn a_frozen_host_thaws_when_it_dies() {
        let hosts = hosts(1);
        let host = hosts.add("a").unwrap();
        let context = Context::from_waker(Waker::noop());
        hosts.freeze(host);
        assert_eq!(hosts.gate(hosts.boot(host), &context), Gate::Frozen);
        hosts.end_boot(host);
        assert_eq!(hosts.gate(hosts.boot(host), &context), Gate::Open);
    }
}
