//! What can go wrong inside a running etcd, with the codes and texts that clients see.
//!
//! Owns: the table from failure to gRPC status.
//! Always holds: texts are etcd's own, letter by letter.
//! Deliberately does not know: when each of them happens.

use tonic::{Code, Status};

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    #[error("etcdserver: key not found")]
    KeyNotFound,
    #[error("etcdserver: value is provided")]
    ValueProvided,
    #[error("etcdserver: lease is provided")]
    LeaseProvided,
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    #[error("etcdserver: invalid sort option")]
    InvalidSortOption,
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    #[error("etcdserver: mvcc: database space exceeded")]
    NoSpace,
    #[error("etcdserver: request is too large")]
    RequestTooLarge,
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    #[error("etcdserver: too large lease TTL")]
    LeaseTtlTooLarge,
    #[error("etcdserver: member ID already exist")]
    MemberExists,
    #[error("etcdserver: Peer URLs already exists")]
    PeerUrlExists,
    #[error("etcdserver: given member URLs are invalid")]
    BadPeerUrls,
    #[error("etcdserver: member not found")]
    MemberNotFound,
    #[error("etcdserver: can only promote a learner member")]
    NotALearner,
    #[error("etcdserver: can only promote a learner member which is in sync with leader")]
    LearnerNotReady,
    #[error("etcdserver: too many learner members in cluster")]
    TooManyLearners,
    #[error("etcdserver: re-configuration failed due to not enough started members")]
    NotEnoughStarted,
    #[error("etcdserver: unhealthy cluster")]
    Unhealthy,
    #[error("etcdserver: no leader")]
    NoLeader,
    #[error("etcdserver: not leader")]
    NotLeader,
    #[error("etcdserver: leader changed")]
    LeaderChanged,
    #[error("etcdserver: bad leader transferee")]
    BadTransferee,
    #[error("etcdserver: server stopped")]
    Stopped,
    #[error("etcdserver: request timed out")]
    TimedOut,
    #[error("etcdserver: request timed out, possibly due to previous leader failure")]
    TimedOutLeaderFailed,
    #[error("etcdserver: request timed out, possibly due to connection lost")]
    TimedOutConnectionLost,
    #[error("context deadline exceeded")]
    DeadlineExceeded,
    #[error("etcdserver: rpc not supported for learner")]
    LearnerRefuses(Code),
    #[error("raft proposal dropped")]
    ProposalDropped,
    #[error("not modelled: {0}")]
    NotModelled(&'static str),
}

impl Failure {
    /// The gRPC code that goes with the message.
    #[must_use]
    pub fn code(&self) -> Code {
        use Failure as F;
        match self {
            F::EmptyKey
            | F::KeyNotFound
            | F::ValueProvided
            | F::LeaseProvided
            | F::DuplicateKey
            | F::TooManyOps
            | F::InvalidSortOption
            | F::RequestTooLarge
            | F::BadPeerUrls => Code::InvalidArgument,
            F::Compacted | F::FutureRevision | F::LeaseTtlTooLarge => Code::OutOfRange,
            F::NoSpace => Code::ResourceExhausted,
            F::LeaseNotFound | F::MemberNotFound => Code::NotFound,
            F::LeaseExists
            | F::MemberExists
            | F::PeerUrlExists
            | F::NotALearner
            | F::LearnerNotReady
            | F::TooManyLearners
            | F::NotLeader
            | F::BadTransferee => Code::FailedPrecondition,
            // etcd's own table maps this one to a client-side value, which gRPC does not know.
            F::NotEnoughStarted | F::ProposalDropped => Code::Unknown,
            F::Unhealthy
            | F::NoLeader
            | F::LeaderChanged
            | F::Stopped
            | F::TimedOut
            | F::TimedOutLeaderFailed
            | F::TimedOutConnectionLost => Code::Unavailable,
            F::DeadlineExceeded => Code::DeadlineExceeded,
            F::LearnerRefuses(code) => *code,
            F::NotModelled(_) => Code::Unimplemented,
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code(), failure.to_string())
    }
}
