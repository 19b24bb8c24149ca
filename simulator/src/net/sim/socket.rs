//! Sockets that know which boot of which host they belong to.
//!
//! Owns: the stream, listener and dial that wrap turmoil-net's.
//! Always holds: turmoil-net is told the right kernel before every call, also in `Drop`. Its file
//! numbers start from 1 in every kernel, so a call under the wrong one hits another host's socket
//! and nobody notices.
//! Deliberately does not know: packets.

use std::{
    future::{Future, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use super::{Shared, switch::Kernel};
use crate::net::{
    Accepting, Listener, Stream,
    hosts::{Boot, Gate},
};

/// Something of turmoil-net's that lives in one kernel.
pub(super) struct Pinned<S> {
    shared: Arc<Shared>,
    kernel: Kernel,
    boot: Boot,
    /// Taken only when dropped.
    inner: Option<S>,
}

impl<S> Pinned<S> {
    pub(super) fn new(shared: Arc<Shared>, kernel: Kernel, boot: Boot, inner: S) -> Self {
        Self {
            shared,
            kernel,
            boot,
            inner: Some(inner),
        }
    }

    fn inner(&mut self) -> &mut S {
        turmoil_net::set_current(self.kernel);
        self.inner.as_mut().expect("taken only when dropped")
    }

    /// Pending while the host is frozen, an error once its boot is over.
    fn gate(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match self.shared.hosts.gate(self.boot, context) {
            Gate::Open => Poll::Ready(Ok(())),
            Gate::Frozen => Poll::Pending,
            Gate::Dead => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl<S> Drop for Pinned<S> {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        if self.shared.is_installed() {
            turmoil_net::set_current(self.kernel);
            drop(inner);
            self.shared.changed();
        } else {
            // The kernel that it would tell is gone. A file number holds nothing else.
            std::mem::forget(inner);
        }
    }
}

impl Shared {
    /// A new dial or listener waits while the host is frozen. It waits for ever when the boot is
    /// over: what outlived its host must not come back with an error and try again and again.
    fn may_start(&self, boot: Boot, context: &Context<'_>) -> Poll<()> {
        match self.hosts.gate(boot, context) {
            Gate::Open => Poll::Ready(()),
            Gate::Frozen | Gate::Dead => Poll::Pending,
        }
    }
}

type DialFuture = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A connection being made.
pub(super) async fn dial(
    shared: Arc<Shared>,
    kernel: Kernel,
    boot: Boot,
    to: SocketAddr,
) -> io::Result<Stream> {
    let future: DialFuture = Box::pin(TcpStream::connect(to));
    let mut dial = Pinned::new(Arc::clone(&shared), kernel, boot, future);
    let stream = poll_fn(|context| {
        ready!(shared.may_start(boot, context));
        let result = dial.inner().as_mut().poll(context);
        shared.changed();
        result
    })
    .await?;
    Ok(Stream::new(SimStream(Pinned::new(
        shared, kernel, boot, stream,
    ))))
}

/// Listens on a port of every address of the host.
pub(super) async fn bind(
    shared: Arc<Shared>,
    kernel: Kernel,
    boot: Boot,
    port: u16,
) -> io::Result<Box<dyn Listener>> {
    poll_fn(|context| shared.may_start(boot, context)).await;
    turmoil_net::set_current(kernel);
    // Ready at once: turmoil-net binds without waiting, so no other task runs in between.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("listen tcp 0.0.0.0:{port}: bind: {error}"),
            )
        })?;
    Ok(Box::new(SimListener(Pinned::new(
        shared, kernel, boot, listener,
    ))))
}

struct SimListener(Pinned<TcpListener>);

impl Listener for SimListener {
    fn accept(&mut self) -> Accepting<'_> {
        let socket = &mut self.0;
        Box::pin(async move {
            let (stream, peer) = poll_fn(|context| {
                ready!(socket.gate(context))?;
                socket.inner().poll_accept(context)
            })
            .await?;
            let pinned = Pinned::new(
                Arc::clone(&socket.shared),
                socket.kernel,
                socket.boot,
                stream,
            );
            Ok((Stream::new(SimStream(pinned)), peer))
        })
    }
}

struct SimStream(Pinned<TcpStream>);

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.0.gate(context))?;
        let before = buffer.filled().len();
        let result = Pin::new(self.0.inner()).poll_read(context, buffer);
        // Only a read this large can make the kernel announce a larger window.
        if buffer.filled().len() - before >= 32 << 10 {
            self.0.shared.changed();
        }
        result
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.0.gate(context))?;
        let result = Pin::new(self.0.inner()).poll_write(context, buffer);
        self.0.shared.changed();
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.gate(context))?;
        let result = Pin::new(self.0.inner()).poll_shutdown(context);
        self.0.shared.changed();
        result
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        if !self.0.shared.is_installed() {
            return;
        }
        let socket = self.0.inner();
        if let (Ok(local), Ok(peer)) = (socket.local_addr(), socket.peer_addr()) {
            self.0.shared.closed((local, peer));
        }
    }
}
