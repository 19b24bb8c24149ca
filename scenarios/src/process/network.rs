//! The pods' network: one network namespace for each pod, routed through the run's own.
//!
//! Owns: interfaces, routes, and what cuts them.
//! Always holds: every pod reaches every other pod, the run and nothing else; a pod's namespace
//! lives as long as its [`PodNetwork`], across restarts of its containers.
//! Deliberately does not know: who gets which address, what runs in a pod.

use std::{
    fs::File,
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    thread,
};

use futures::TryStreamExt;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::{
    Handle, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{route::RouteScope, rule::RuleAction},
};

use super::address::{CLUSTER_DNS, GATEWAY};

/// Loopback is the first interface of every network namespace.
const LOOPBACK: u32 = 1;

/// The network namespace of one pod.
#[derive(Debug)]
pub(super) struct PodNetwork {
    namespace: OwnedFd,
    /// This end of the cable, in the run's namespace.
    link: String,
    ip: Ipv4Addr,
}

impl PodNetwork {
    /// The pod's address.
    pub(super) fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// A second handle on the namespace, for a thread that enters it.
    pub(super) fn namespace(&self) -> io::Result<OwnedFd> {
        self.namespace.try_clone()
    }

    /// Removes the cable at once. The namespace itself goes when nothing holds it any more.
    pub(super) fn remove(self) -> io::Result<()> {
        let link = self.link;
        in_namespace(None, async |netlink| {
            let index = index_of(&netlink, &link).await?;
            netlink.link().del(index).execute().await
        })
    }

    /// Pulls the cable out (silence, as when the node is lost) or puts it back.
    pub(super) fn plug(&self, plugged: bool) -> io::Result<()> {
        let link = LinkUnspec::new_with_name(&self.link);
        let ip = self.ip;
        in_namespace(None, async |netlink| {
            if !plugged {
                return netlink.link().set(link.down().build()).execute().await;
            }
            let index = index_of(&netlink, &self.link).await?;
            netlink.link().set(link.up().build()).execute().await?;
            // The kernel has dropped the route together with the link.
            route_to_pod(&netlink, index, ip).await
        })
    }
}

/// Gives the run's own namespace its addresses. Once, before the first pod.
pub(super) fn prepare() -> io::Result<()> {
    in_namespace(None, async |netlink| {
        up(&netlink, LOOPBACK).await?;
        // On the loopback, a prefix makes all of its addresses local.
        for (address, prefix) in [(GATEWAY, 24), (CLUSTER_DNS, 32)] {
            netlink
                .address()
                .add(LOOPBACK, address.into(), prefix)
                .execute()
                .await?;
        }
        Ok(())
    })
}

/// Makes the network of one pod; `number` tells its cable from others.
pub(super) fn add_pod(number: u64, ip: Ipv4Addr) -> io::Result<PodNetwork> {
    let namespace = new_namespace()?;
    let link = format!("pod{number}");
    let inner = format!("in{number}");
    in_namespace(None, async |netlink| {
        netlink
            .link()
            .add(LinkVeth::new(&link, &inner).build())
            .execute()
            .await?;
        let inside = LinkUnspec::new_with_name(&inner).setns_by_fd(namespace.as_raw_fd());
        netlink.link().set(inside.build()).execute().await?;
        let index = index_of(&netlink, &link).await?;
        up(&netlink, index).await?;
        route_to_pod(&netlink, index, ip).await
    })?;
    in_namespace(Some(&namespace), async |netlink| {
        up(&netlink, LOOPBACK).await?;
        let index = index_of(&netlink, &inner).await?;
        let eth0 = LinkUnspec::new_with_index(index).name("eth0").up();
        netlink.link().set(eth0.build()).execute().await?;
        netlink
            .address()
            .add(index, ip.into(), 32)
            .execute()
            .await?;
        let gateway = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(GATEWAY, 32)
            .output_interface(index)
            .scope(RouteScope::Link);
        netlink.route().add(gateway.build()).execute().await?;
        let out = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY);
        netlink.route().add(out.build()).execute().await
    })?;
    Ok(PodNetwork {
        namespace,
        link,
        ip,
    })
}

/// Drops every packet from one pod to another, silently, in this direction only.
pub(super) fn cut(from: Ipv4Addr, to: Ipv4Addr) -> io::Result<()> {
    in_namespace(None, async |netlink| {
        netlink
            .rule()
            .add()
            .v4()
            .source_prefix(from, 32)
            .destination_prefix(to, 32)
            .action(RuleAction::Blackhole)
            .execute()
            .await
    })
}

/// Ends a [`cut`].
pub(super) fn heal(from: Ipv4Addr, to: Ipv4Addr) -> io::Result<()> {
    in_namespace(None, async |netlink| {
        let wanted = netlink
            .rule()
            .add()
            .v4()
            .source_prefix(from, 32)
            .destination_prefix(to, 32);
        let rule = wanted.action(RuleAction::Blackhole).message_mut().clone();
        netlink.rule().del(rule).execute().await
    })
}

async fn up(netlink: &Handle, index: u32) -> Result<(), rtnetlink::Error> {
    netlink
        .link()
        .set(LinkUnspec::new_with_index(index).up().build())
        .execute()
        .await
}

async fn route_to_pod(netlink: &Handle, index: u32, ip: Ipv4Addr) -> Result<(), rtnetlink::Error> {
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(ip, 32)
        .output_interface(index)
        .scope(RouteScope::Link)
        .pref_source(GATEWAY);
    netlink.route().add(route.build()).execute().await
}

async fn index_of(netlink: &Handle, name: &str) -> Result<u32, rtnetlink::Error> {
    let mut found = netlink.link().get().match_name(name.to_owned()).execute();
    let link = found
        .try_next()
        .await?
        .ok_or(rtnetlink::Error::RequestFailed)?;
    Ok(link.header.index)
}

fn new_namespace() -> io::Result<OwnedFd> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    })
}

/// Talks to the kernel about one network namespace: the given one, or the run's own.
fn in_namespace<T: Send>(
    namespace: Option<&OwnedFd>,
    talk: impl AsyncFnOnce(Handle) -> Result<T, rtnetlink::Error> + Send,
) -> io::Result<T> {
    on_a_thread(move || {
        if let Some(namespace) = namespace {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        runtime.block_on(async {
            let (connection, netlink, _) = rtnetlink::new_connection()?;
            tokio::spawn(connection);
            talk(netlink).await.map_err(to_io)
        })
    })
}

/// A namespace belongs to a thread, so who changes it does so on a thread of its own. It also
/// lets the callers be inside an async runtime. A conversation takes about a millisecond.
fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("network".into())
            .spawn_scoped(scope, work)?;
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn to_io(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(answer) => answer.to_io(),
        other => io::Error::other(other.to_string()),
    }
}
