//! Sockets of real TCP that can be frozen, cut and killed.
//!
//! Owns: every open socket of the network, by the host that it belongs to.
//! Always holds: a task that waits on a socket is woken by whatever ends or frees it.
//! Deliberately does not know: which faults there are beyond "does not reach" and "is lost".

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::Shared;
use crate::net::{
    Accepting, HostId, Listener, Stream,
    hosts::{Boot, Gate},
};

/// All open sockets.
#[derive(Default)]
pub(super) struct Links(Mutex<Registry>);

#[derive(Default)]
struct Registry {
    next: u64,
    sockets: BTreeMap<u64, Weak<dyn Socket>>,
}

impl Links {
    fn add(&self, socket: Weak<dyn Socket>) {
        let mut registry = lock(&self.0);
        let number = registry.next;
        registry.next += 1;
        registry.sockets.insert(number, socket);
        if number.is_multiple_of(64) {
            registry
                .sockets
                .retain(|_, socket| socket.strong_count() > 0);
        }
    }

    fn all(&self) -> Vec<Arc<dyn Socket>> {
        lock(&self.0)
            .sockets
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Closes everything that belongs to the host. Peers see a reset.
    pub(super) fn end(&self, host: HostId) {
        self.all()
            .iter()
            .filter(|socket| socket.host() == host)
            .for_each(|socket| socket.end());
    }

    /// From now on nothing comes from this peer on the connections that exist.
    pub(super) fn mute(&self, peer: HostId) {
        self.all()
            .iter()
            .filter(|socket| socket.peer() == Some(peer))
            .for_each(|socket| socket.mute());
    }

    /// Lets everybody who waits look again.
    pub(super) fn wake_all(&self) {
        self.all().iter().for_each(|socket| socket.wake());
    }
}

trait Socket: Send + Sync {
    fn host(&self) -> HostId;
    fn peer(&self) -> Option<HostId>;
    fn end(&self);
    fn mute(&self);
    fn wake(&self);
}

/// What closing at once means for a kind of socket.
trait Close: Send {
    fn close(self);
}

impl Close for TcpStream {
    /// As the kernel does for a killed process with unread data: RST instead of FIN.
    fn close(self) {
        // When it fails the peer sees a FIN, which is the other way processes end.
        let _ = self.set_zero_linger();
    }
}

impl Close for TcpListener {
    fn close(self) {}
}

struct Open<T> {
    shared: Arc<Shared>,
    boot: Boot,
    peer: Option<HostId>,
    /// None once it was closed from outside.
    inner: Mutex<Option<T>>,
    muted: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl<T: Close + 'static> Open<T> {
    fn new(shared: Arc<Shared>, boot: Boot, peer: Option<HostId>, inner: T) -> Arc<Self> {
        let open = Arc::new(Self {
            shared: Arc::clone(&shared),
            boot,
            peer,
            inner: Mutex::new(Some(inner)),
            muted: AtomicBool::new(false),
            waiting: Mutex::default(),
        });
        let weak: Weak<Self> = Arc::downgrade(&open);
        shared.links.add(weak);
        open
    }

    /// Polls the socket once its host may run. A waiting task is remembered, because closing a
    /// socket does not wake those who wait for it.
    fn poll<R>(
        &self,
        context: &mut Context<'_>,
        action: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match self.shared.hosts.gate(self.boot, context) {
            Gate::Open => {}
            Gate::Frozen => return Poll::Pending,
            Gate::Dead => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
        let result = match lock(&self.inner).as_mut() {
            Some(inner) => action(inner, context),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
        if result.is_pending() {
            self.remember(context);
        }
        result
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waiting = lock(&self.waiting);
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
    }

    /// Does anything that the peer sent come in at the moment?
    fn hears(&self) -> bool {
        let reached = self
            .peer
            .is_none_or(|peer| !self.shared.stops(peer, self.boot.host));
        reached && !self.muted.load(Ordering::Relaxed)
    }
}

impl<T: Close> Socket for Open<T> {
    fn host(&self) -> HostId {
        self.boot.host
    }

    fn peer(&self) -> Option<HostId> {
        self.peer
    }

    fn end(&self) {
        if let Some(inner) = lock(&self.inner).take() {
            inner.close();
        }
        self.wake();
    }

    fn mute(&self) {
        self.muted.store(true, Ordering::Relaxed);
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(Waker::wake);
    }
}

pub(super) struct LoopbackStream(Arc<Open<TcpStream>>);

/// A stream of `boot`'s host to `peer`, which is unknown when it is not on this network.
pub(super) fn link(
    shared: Arc<Shared>,
    boot: Boot,
    peer: Option<HostId>,
    stream: TcpStream,
) -> LoopbackStream {
    LoopbackStream(Open::new(shared, boot, peer, stream))
}

impl LoopbackStream {
    /// A muted peer was a lost node. While it is away, what is sent goes nowhere; once it is back,
    /// its kernel knows nothing of this connection and answers with a reset.
    fn write_to_lost(&self, length: usize) -> Option<io::Result<usize>> {
        let peer = self.0.peer?;
        if !self.0.muted.load(Ordering::Relaxed) {
            return None;
        }
        if self.0.shared.is_lost(peer) {
            return Some(Ok(length));
        }
        self.0.end();
        Some(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncRead for LoopbackStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let hears = self.0.hears();
        self.0.poll(context, |stream, context| {
            if hears {
                Pin::new(stream).poll_read(context, buffer)
            } else {
                Poll::Pending
            }
        })
    }
}

impl AsyncWrite for LoopbackStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.write_to_lost(buffer.len()) {
            Some(result) => Poll::Ready(result),
            None => self.0.poll(context, |stream, context| {
                Pin::new(stream).poll_write(context, buffer)
            }),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(context, |stream, context| {
            Pin::new(stream).poll_shutdown(context)
        })
    }
}

pub(super) struct LoopbackListener(Arc<Open<TcpListener>>);

impl LoopbackListener {
    pub(super) fn new(shared: Arc<Shared>, boot: Boot, listener: TcpListener) -> Self {
        Self(Open::new(shared, boot, None, listener))
    }
}

impl Listener for LoopbackListener {
    fn accept(&mut self) -> Accepting<'_> {
        let open = &self.0;
        Box::pin(async move {
            let (stream, from) = poll_fn(|context| {
                open.poll(context, |listener, context| listener.poll_accept(context))
            })
            .await?;
            stream.set_nodelay(true)?;
            let peer = open.shared.owner(from.ip());
            Ok((
                Stream::new(link(Arc::clone(&open.shared), open.boot, peer, stream)),
                from,
            ))
        })
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
