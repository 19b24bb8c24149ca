//! Plain gRPC calls, so that every field of every request can be set.

use std::{any::Any, error::Error as _, marker::PhantomData, time::Duration};

use futures::StreamExt as _;
use http::uri::PathAndQuery;
use tokio::time::timeout;
use tonic::{
    Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming},
    transport::Channel,
};

use crate::lies::Liar;

/// How long a client waits for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A way to a member, on which what is asked and told can be changed by a liar.
#[derive(Clone)]
pub(crate) struct Wire {
    channel: Channel,
    liar: Option<&'static Liar>,
}

impl From<Channel> for Wire {
    fn from(channel: Channel) -> Self {
        Self {
            channel,
            liar: None,
        }
    }
}

impl Wire {
    /// The same way with a liar on it.
    pub(crate) fn with(self, liar: &'static Liar) -> Self {
        Self {
            liar: Some(liar),
            ..self
        }
    }

    fn asks(&self, ask: &mut dyn Any) {
        if let Some(liar) = self.liar {
            (liar.asks)(ask);
        }
    }

    fn tells<B: 'static>(&self, told: Result<B, Refused>) -> Result<B, Refused> {
        let Some(liar) = self.liar else { return told };
        match told {
            Ok(mut answer) => {
                (liar.tells)(&mut answer);
                Ok(answer)
            }
            Err(Refused::Status(status)) => Err(Refused::Status((liar.refuses)(status))),
            other => other,
        }
    }
}

/// Why there is no answer.
pub(crate) enum Refused {
    /// The server said so.
    Status(Status),
    /// The client could not ask.
    Unreachable,
    /// The client has waited long enough.
    Silent,
}

pub(crate) async fn call<A, B>(wire: Wire, path: &'static str, mut ask: A) -> Result<B, Refused>
where
    A: prost::Message + Send + Sync + 'static,
    B: prost::Message + Default + Send + Sync + 'static,
{
    wire.asks(&mut ask);
    let mut grpc = Grpc::new(wire.channel.clone());
    let asking = async {
        grpc.ready().await.map_err(|_| Refused::Unreachable)?;
        let path = PathAndQuery::from_static(path);
        let codec = Prost::<A, B>::default();
        let answer = grpc.unary(tonic::Request::new(ask), path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(refused)
    };
    let told = timeout(PATIENCE, asking).await;
    wire.tells(told.unwrap_or(Err(Refused::Silent)))
}

/// A call that is answered by a stream.
pub(crate) async fn stream<A, B>(
    wire: Wire,
    path: &'static str,
    mut ask: A,
    stays_open: bool,
) -> Result<Streaming<B>, Refused>
where
    A: prost::Message + Send + Sync + 'static,
    B: prost::Message + Default + Send + Sync + 'static,
{
    wire.asks(&mut ask);
    let mut grpc = Grpc::new(wire.channel);
    let asking = async {
        grpc.ready().await.map_err(|_| Refused::Unreachable)?;
        let path = PathAndQuery::from_static(path);
        let codec = Prost::<A, B>::default();
        // etcd ends a watch with the stream of its requests.
        let rest = futures::stream::pending().take(usize::from(stays_open));
        let asks = futures::stream::once(async { ask }).chain(rest);
        let answer = grpc.streaming(tonic::Request::new(asks), path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(refused)
    };
    timeout(PATIENCE, asking)
        .await
        .unwrap_or(Err(Refused::Silent))
}

pub(crate) fn refused(status: Status) -> Refused {
    // What a server sends has no source; what a broken connection makes has.
    if status.source().is_some() {
        Refused::Unreachable
    } else {
        Refused::Status(status)
    }
}

struct Prost<A, B>(PhantomData<(A, B)>);

impl<A, B> Default for Prost<A, B> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A, B> Codec for Prost<A, B>
where
    A: prost::Message + Send + 'static,
    B: prost::Message + Default + Send + 'static,
{
    type Encode = A;
    type Decode = B;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self::Encoder {
        Self::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Self::default()
    }
}

impl<A: prost::Message, B> Encoder for Prost<A, B> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, item: A, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A, B: prost::Message + Default> Decoder for Prost<A, B> {
    type Item = B;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<B>, Status> {
        B::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
