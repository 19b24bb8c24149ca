//! Telling gRPC from plain HTTP by a connection's first bytes.
//!
//! Owns: the peek, and a stream that gives the peeked bytes back first.
//! Deliberately does not know: either protocol beyond its beginning.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::net::Stream;

/// How HTTP/2 begins; no HTTP/1 method does.
const PREFACE: [u8; 3] = *b"PRI";

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

pub(super) async fn sniff(mut stream: Stream) -> io::Result<(Protocol, Stream)> {
    let mut head = [0; PREFACE.len()];
    stream.read_exact(&mut head).await?;
    let protocol = if head == PREFACE {
        Protocol::Grpc
    } else {
        Protocol::Http
    };
    Ok((
        protocol,
        Stream::new(Peeked {
            head: head.to_vec(),
            stream,
        }),
    ))
}

struct Peeked {
    /// What was read already, as far as it was not given back.
    head: Vec<u8>,
    stream: Stream,
}

impl AsyncRead for Peeked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.head.len().min(buffer.remaining());
        buffer.put_slice(&self.head[..length]);
        self.head.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peeked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
