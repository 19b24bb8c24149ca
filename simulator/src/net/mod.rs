//! The network seam: everything that leaves a simulated host goes through here.
//!
//! Owns: the [`Net`] trait, host handles, and name resolution's shape.
//! Always holds: a stream belongs to the host that opened it; what a host spawned dies with it.
//! Deliberately does not know: HTTP, gRPC, Kubernetes or etcd.

#[cfg(test)]
mod contract;
mod hosts;
mod loopback;
mod outside;
mod sim;
mod stream;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

pub use loopback::LoopbackNet;
pub use outside::Outside;
pub use sim::{Latency, Leftover, SimNet, SimNetOptions};
pub use stream::{Io, Stream};

/// A boxed future that a [`Net`] can move between tasks.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The next connection of a [`Listener`], and who is calling.
pub type Accepting<'a> =
    Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + 'a>>;

/// One simulated machine on the network: a pod, the API server, the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// How a host goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process was killed: its kernel answers peers with RST, new dials are refused.
    Process,
    /// The machine is gone: silence, dials time out.
    Node,
}

/// A bound port.
pub trait Listener: Send {
    /// Waits for the next connection and tells who is calling.
    fn accept(&mut self) -> Accepting<'_>;
}

/// A network of hosts.
pub trait Net: Send + Sync {
    /// Adds a host and gives it an address. `name` is for the trace only.
    ///
    /// # Errors
    /// When there is no free address.
    fn add_host(&self, name: &str) -> io::Result<HostId>;

    /// Kills the host if it lives, and gives its address back.
    fn remove_host(&self, host: HostId);

    /// The host's address.
    fn ip(&self, host: HostId) -> IpAddr;

    /// Listens on a port of the host.
    fn bind(&self, host: HostId, port: u16) -> BoxFuture<io::Result<Box<dyn Listener>>>;

    /// Opens a connection from a host.
    fn connect(&self, from: HostId, to: SocketAddr) -> BoxFuture<io::Result<Stream>>;

    /// Runs a task on the host; it ends when the host dies.
    fn spawn(&self, host: HostId, task: BoxFuture<()>);

    /// Ends every task and connection of the host at once. The host can be used again:
    /// what is spawned on it afterwards is its next boot.
    fn kill(&self, host: HostId, death: Death);

    /// Freezes a host (`SIGSTOP`): its kernel accepts, its processes do not answer.
    fn pause(&self, host: HostId);

    /// Ends a freeze.
    fn resume(&self, host: HostId);

    /// Parks all packets from one host to another until [`Net::heal`].
    fn cut(&self, from: HostId, to: HostId);

    /// Ends a cut; parked packets are delivered as TCP would retransmit them.
    fn heal(&self, from: HostId, to: HostId);

    /// Whether it is certain that nothing hinders anybody: no cut, no slowness, no freeze, no lost
    /// machine. A real network never knows.
    fn is_whole(&self) -> bool {
        false
    }
}

/// Looks names up as a process on some host would.
pub trait Resolve: Send + Sync {
    /// The addresses behind a name; empty when there is no such name.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;
}

/// Opens a connection to `name:port`, the name being an address or known to the resolver.
///
/// # Errors
/// `NotFound` when the name does not resolve; else what connecting to its first address gives.
pub async fn connect_by_name(
    net: Arc<dyn Net>,
    resolver: Arc<dyn Resolve>,
    from: HostId,
    name: &str,
    port: u16,
) -> io::Result<Stream> {
    let ip = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => *resolver.resolve(name).first().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("lookup {name}: no such host"),
            )
        })?,
    };
    net.connect(from, SocketAddr::new(ip, port)).await
}
