//! A port of the machine itself, for those who are not on any simulated network.
//!
//! Owns: a listener on a real address.
//! Always holds: it accepts for as long as it lives; no fault reaches it.
//! Deliberately does not know: hosts.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::{Accepting, Listener, Stream};

/// Listens on a real address.
pub struct Outside(TcpListener);

impl Outside {
    /// Binds the address.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Listener for Outside {
    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Stream::new(stream), from))
        })
    }
}
