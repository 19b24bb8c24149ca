//! What members say to each other on the peer port.
//!
//! Owns: frames, the question that opens every connection, and its answer.
//! Always holds: a frame is four bytes of length and a body; a frame without body only shows life.
//! Deliberately does not know: etcd's own HTTP paths, which carry the same things.

use std::io;

use etcd_client::proto::PbMember;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::etcd::failure::Failure;

/// A body larger than this is no body of ours.
const MAX_BODY: u32 = 1 << 30;

/// What a member asks of another when it has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::etcd) enum Ask {
    /// Send me your messages on this connection from now on.
    Stream,
    /// Who are the members?
    Members,
    /// Which version are you?
    Version,
    /// Promote this learner.
    Promote(u64),
    /// Renew this lease.
    RenewLease(i64),
    /// How long does this lease live?
    LeaseLeft(i64),
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::etcd) enum Said {
    /// Messages follow.
    Streaming,
    Members(Vec<PbMember>),
    Version,
    Seconds(i64),
    LeaseLeft(Option<(i64, i64)>),
    /// The request was understood and failed.
    Refused(Failure),
    /// You belong to another cluster.
    OtherCluster,
    /// You were removed.
    Gone,
    /// You are no member that I know.
    Unknown,
    /// I am not whom you look for.
    NotMe,
}

/// The opening of a connection.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::etcd) struct Question {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(sint64, tag = "2")]
    argument: i64,
    /// The cluster of the asking member; 0 when it has none yet.
    #[prost(uint64, tag = "3")]
    pub(in crate::etcd) cluster: u64,
    #[prost(uint64, tag = "4")]
    pub(in crate::etcd) from: u64,
    #[prost(uint64, tag = "5")]
    pub(in crate::etcd) to: u64,
}

/// Its answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::etcd) struct Reply {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(sint64, repeated, tag = "2")]
    numbers: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    members: Vec<PbMember>,
    #[prost(uint64, tag = "4")]
    pub(in crate::etcd) cluster: u64,
    #[prost(string, tag = "5")]
    pub(in crate::etcd) version: String,
    #[prost(string, tag = "6")]
    pub(in crate::etcd) cluster_version: String,
}

impl Question {
    pub(in crate::etcd) fn new(ask: Ask, cluster: u64, from: u64, to: u64) -> Self {
        let (kind, argument) = match ask {
            Ask::Stream => (1, 0),
            Ask::Members => (2, 0),
            Ask::Version => (3, 0),
            Ask::Promote(id) => (4, id.cast_signed()),
            Ask::RenewLease(id) => (5, id),
            Ask::LeaseLeft(id) => (6, id),
        };
        Self {
            kind,
            argument,
            cluster,
            from,
            to,
        }
    }

    pub(in crate::etcd) fn ask(&self) -> Option<Ask> {
        Some(match self.kind {
            1 => Ask::Stream,
            2 => Ask::Members,
            3 => Ask::Version,
            4 => Ask::Promote(self.argument.cast_unsigned()),
            5 => Ask::RenewLease(self.argument),
            6 => Ask::LeaseLeft(self.argument),
            _ => return None,
        })
    }
}

impl Reply {
    pub(in crate::etcd) fn new(said: Said) -> Self {
        let mut reply = Self::default();
        reply.kind = match said {
            Said::Streaming => 1,
            Said::Members(members) => {
                reply.members = members;
                2
            }
            Said::Version => 3,
            Said::Seconds(seconds) => {
                reply.numbers = vec![seconds];
                4
            }
            Said::LeaseLeft(left) => {
                reply.numbers = left.map_or(Vec::new(), |(left, granted)| vec![left, granted]);
                5
            }
            Said::Refused(Failure::LearnerNotReady) => 10,
            Said::Refused(Failure::MemberNotFound) => 11,
            Said::Refused(Failure::NotALearner) => 12,
            Said::Refused(Failure::LeaseNotFound) => 13,
            // Everything else makes the asking member try again, so the reason does not matter.
            Said::Refused(_) => 14,
            Said::OtherCluster => 20,
            Said::Gone => 21,
            Said::Unknown => 22,
            Said::NotMe => 23,
        };
        reply
    }

    pub(in crate::etcd) fn said(&self) -> Option<Said> {
        Some(match self.kind {
            1 => Said::Streaming,
            2 => Said::Members(self.members.clone()),
            3 => Said::Version,
            4 => Said::Seconds(*self.numbers.first()?),
            5 => Said::LeaseLeft(
                self.numbers
                    .first()
                    .copied()
                    .zip(self.numbers.get(1).copied()),
            ),
            10 => Said::Refused(Failure::LearnerNotReady),
            11 => Said::Refused(Failure::MemberNotFound),
            12 => Said::Refused(Failure::NotALearner),
            13 => Said::Refused(Failure::LeaseNotFound),
            14 => Said::Refused(Failure::Unhealthy),
            20 => Said::OtherCluster,
            21 => Said::Gone,
            22 => Said::Unknown,
            23 => Said::NotMe,
            _ => return None,
        })
    }
}

/// Appends a frame to a buffer.
pub(in crate::etcd) fn put_frame(buffer: &mut Vec<u8>, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("states and messages are far below 4 GiB");
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(body);
}

/// Writes one frame.
pub(in crate::etcd) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    body: &[u8],
) -> io::Result<()> {
    let mut frame = Vec::with_capacity(body.len() + 4);
    put_frame(&mut frame, body);
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Reads one frame's body.
pub(in crate::etcd) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    if length > MAX_BODY {
        return Err(malformed("a frame of more than 1 GiB"));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Reads one message.
pub(in crate::etcd) async fn read_message<M: prost::Message + Default>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<M> {
    let body = read_frame(stream).await?;
    M::decode(body.as_slice()).map_err(|_| malformed("not a message of this simulator"))
}

/// Writes one message.
pub(in crate::etcd) async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl prost::Message,
) -> io::Result<()> {
    write_frame(stream, &message.encode_to_vec()).await
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("peer sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_survive_the_wire() {
        for ask in [
            Ask::Stream,
            Ask::Promote(u64::MAX),
            Ask::RenewLease(-5),
            Ask::Members,
        ] {
            assert_eq!(Question::new(ask, 1, 2, 3).ask(), Some(ask));
        }
        for said in [
            Said::Streaming,
            Said::Gone,
            Said::LeaseLeft(None),
            Said::LeaseLeft(Some((3, 10))),
            Said::Refused(Failure::LearnerNotReady),
        ] {
            assert_eq!(Reply::new(said.clone()).said(), Some(said));
        }
    }
}
