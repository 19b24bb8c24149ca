//! Hosts on one machine's loopback: real TCP, real time.
//!
//! Owns: a range of addresses, by default a 127.X.0.0/16, and the faults that can be made there.
//! Always holds: what a host spawned or connected ends with it; two networks, also of different
//! processes, never share a range.
//! Deliberately does not know: packets. Faults act on streams, so a cut is seen by the reader as
//! data that does not come, and a lost node as a peer that says nothing any more.
//!
//! Linux only: elsewhere 127.0.0.1 is the one address that the loopback has.

mod link;

use std::{
    collections::BTreeSet,
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    runtime::Handle,
    sync::watch,
};

use self::link::{Links, LoopbackListener};
use super::{BoxFuture, Death, HostId, Listener, Net, Stream, hosts::Hosts};
use crate::trace::Trace;

/// Hosts on addresses of this machine; a clone is another handle on the same network.
#[derive(Clone)]
pub struct LoopbackNet {
    shared: Arc<Shared>,
}

struct Shared {
    hosts: Hosts,
    links: Links,
    faults: watch::Sender<Faults>,
    runtime: Handle,
    trace: Trace,
    /// Held as long as the network lives, so that no other takes the same range.
    _claim: Option<UdpSocket>,
}

/// What is wrong at the moment.
#[derive(Clone, Default)]
struct Faults {
    cut: BTreeSet<(HostId, HostId)>,
    lost: BTreeSet<HostId>,
}

impl LoopbackNet {
    /// Takes a range of addresses that no other network on this machine uses.
    ///
    /// # Errors
    /// When all ranges are taken, or the loopback has no such addresses.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn claim(trace: Trace) -> io::Result<Self> {
        let claimed = (16..=250).find_map(|range| {
            let claim = UdpSocket::bind((Ipv4Addr::new(127, range, 255, 254), 20_379)).ok()?;
            Some((range, claim))
        });
        let Some((range, claim)) = claimed else {
            let text = "find a free range 127.X.0.0/16 of loopback addresses: none can be bound. \
                        Linux has them by default; other systems only have 127.0.0.1";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        };
        Ok(Self::new(addresses(range), Some(claim), trace))
    }

    /// Hosts on these addresses, which the caller has to itself: in a network namespace of its own.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn on(addresses: impl IntoIterator<Item = Ipv4Addr>, trace: Trace) -> Self {
        Self::new(addresses, None, trace)
    }

    fn new(
        addresses: impl IntoIterator<Item = Ipv4Addr>,
        claim: Option<UdpSocket>,
        trace: Trace,
    ) -> Self {
        let shared = Shared {
            hosts: Hosts::new(addresses),
            links: Links::default(),
            faults: watch::Sender::default(),
            runtime: Handle::current(),
            trace,
            _claim: claim,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn record(&self, what: fmt::Arguments<'_>) {
        self.shared.trace.record("net", what);
    }

    fn pair(&self, from: HostId, to: HostId) -> String {
        format!(
            "{} -> {}",
            self.shared.hosts.name(from),
            self.shared.hosts.name(to)
        )
    }
}

impl Net for LoopbackNet {
    fn add_host(&self, name: &str) -> io::Result<HostId> {
        let host = self.shared.hosts.add(name)?;
        self.record(format_args!("host {name} has {}", self.ip(host)));
        Ok(host)
    }

    fn remove_host(&self, host: HostId) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        self.kill(host, Death::Process);
        self.shared.faults.send_modify(|faults| faults.forget(host));
        self.shared.hosts.remove(host);
        self.record(format_args!(
            "host {} gave {} back",
            self.shared.hosts.name(host),
            self.ip(host)
        ));
    }

    fn ip(&self, host: HostId) -> IpAddr {
        IpAddr::V4(self.shared.hosts.ip(host))
    }

    fn bind(&self, host: HostId, port: u16) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        let (shared, boot) = (Arc::clone(&self.shared), self.shared.hosts.boot(host));
        let address = SocketAddr::new(self.ip(host), port);
        Box::pin(async move {
            let listen = || {
                let socket = TcpSocket::new_v4()?;
                // A host that comes back must get its port although old connections linger.
                socket.set_reuseaddr(true)?;
                socket.bind(address)?;
                socket.listen(1024)
            };
            let listener = listen().map_err(|error: io::Error| {
                io::Error::new(error.kind(), format!("listen tcp {address}: bind: {error}"))
            })?;
            Ok(Box::new(LoopbackListener::new(shared, boot, listener)) as Box<dyn Listener>)
        })
    }

    fn connect(&self, from: HostId, to: SocketAddr) -> BoxFuture<io::Result<Stream>> {
        let (shared, boot) = (Arc::clone(&self.shared), self.shared.hosts.boot(from));
        let own = self.ip(from);
        // "Myself", which on the real loopback would be another host.
        let ip = if to.ip() == Ipv4Addr::LOCALHOST {
            own
        } else {
            to.ip()
        };
        Box::pin(async move {
            let peer = shared.owner(ip);
            shared.passable(from, peer).await;
            let stream = connect(own, SocketAddr::new(ip, to.port())).await?;
            Ok(Stream::new(link::link(shared, boot, peer, stream)))
        })
    }

    fn spawn(&self, host: HostId, task: BoxFuture<()>) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        self.shared
            .faults
            .send_if_modified(|faults| faults.lost.remove(&host));
        let root = self.shared.hosts.root(self.shared.hosts.boot(host), task);
        self.shared
            .hosts
            .keep(host, self.shared.runtime.spawn(root).abort_handle());
    }

    fn kill(&self, host: HostId, death: Death) {
        if self.shared.hosts.is_removed(host) {
            return;
        }
        if death == Death::Node {
            self.shared
                .faults
                .send_if_modified(|faults| faults.lost.insert(host));
            self.shared.links.mute(host);
        }
        self.shared.hosts.end_boot(host);
        self.shared.links.end(host);
        self.record(format_args!(
            "{death:?} of {} died",
            self.shared.hosts.name(host)
        ));
    }

    fn pause(&self, host: HostId) {
        self.shared.hosts.freeze(host);
        self.record(format_args!("{} frozen", self.shared.hosts.name(host)));
    }

    fn resume(&self, host: HostId) {
        self.shared.hosts.thaw(host);
        self.record(format_args!("{} thawed", self.shared.hosts.name(host)));
    }

    fn cut(&self, from: HostId, to: HostId) {
        self.shared
            .faults
            .send_if_modified(|faults| faults.cut.insert((from, to)));
        self.record(format_args!("cut: {}", self.pair(from, to)));
    }

    fn heal(&self, from: HostId, to: HostId) {
        self.shared
            .faults
            .send_if_modified(|faults| faults.cut.remove(&(from, to)));
        self.shared.links.wake_all();
        self.record(format_args!("healed: {}", self.pair(from, to)));
    }
}

/// Connects with the host's own address as source, so that the peer knows who calls.
async fn connect(own: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(own, 0))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Shared {
    fn owner(&self, ip: IpAddr) -> Option<HostId> {
        match ip {
            IpAddr::V4(ip) => self.hosts.owner(ip),
            IpAddr::V6(_) => None,
        }
    }

    /// Waits until a handshake between the two gets through: it needs both directions.
    async fn passable(&self, from: HostId, peer: Option<HostId>) {
        let Some(peer) = peer else { return };
        let mut faults = self.faults.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = faults
            .wait_for(|faults| !faults.stops(from, peer) && !faults.stops(peer, from))
            .await;
    }

    /// Does what `from` sends not reach `to`?
    fn stops(&self, from: HostId, to: HostId) -> bool {
        self.faults.borrow().stops(from, to)
    }

    fn is_lost(&self, host: HostId) -> bool {
        self.faults.borrow().lost.contains(&host)
    }
}

impl Faults {
    fn stops(&self, from: HostId, to: HostId) -> bool {
        self.cut.contains(&(from, to)) || self.lost.contains(&from) || self.lost.contains(&to)
    }

    fn forget(&mut self, host: HostId) {
        self.cut.retain(|(from, to)| *from != host && *to != host);
        self.lost.remove(&host);
    }
}

/// 127.X.0.10 and on; a thousand hosts is more than one machine runs.
fn addresses(range: u8) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(127, range, 0, 10));
    (0..1_000).map(move |index| Ipv4Addr::from(first + index))
}
