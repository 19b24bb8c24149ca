//! Calls to one etcd member, each with its own deadline, each refusal understood.
//!
//! Owns: the connection to a member, the deadline of every call, and what etcd's answers mean.
//! Always holds: no call outlives its deadline. etcd's own limits are no help: a `MemberRemove`
//! without quorum never returns.
//! Deliberately does not know: why a call is made.

use std::{future::Future, time::Duration};

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, GetOptions, MemberAddOptions};
use tonic::Code;

/// For calls that a member answers from its own memory.
pub const LOCAL_DEADLINE: Duration = Duration::from_millis(1500);
/// For calls that need a majority. Longer than an election takes, shorter than a user's patience.
pub const QUORUM_DEADLINE: Duration = Duration::from_secs(3);

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    /// Its ID.
    pub member_id: u64,
    /// The cluster it believes to be part of.
    pub cluster_id: u64,
    /// The leader it knows, if any.
    pub leader: Option<u64>,
    /// Raft term.
    pub term: u64,
    /// Last index in its log.
    pub raft_index: u64,
    /// Last index that it applied.
    pub applied_index: u64,
    /// Whether it is a learner.
    pub learner: bool,
    /// Version it runs.
    pub version: String,
    /// Size of its database, in bytes.
    pub db_size: i64,
    /// Alarms and errors that it reports of itself.
    pub errors: Vec<String>,
}

impl MemberReport {
    /// Whether the member found its data to differ from the others'. Every member reports the
    /// alarms of all, each as `memberID:<decimal> alarm:<KIND>`.
    #[must_use]
    pub fn has_corrupt_alarm(&self) -> bool {
        self.corrupt_members().any(|id| id == self.member_id)
    }

    /// Every member that found its data to differ from the others', also one that has left since.
    pub fn corrupt_members(&self) -> impl Iterator<Item = u64> + '_ {
        self.errors.iter().filter_map(|error| {
            let (id, kind) = error.strip_prefix("memberID:")?.split_once(' ')?;
            id.parse().ok().filter(|_| kind.contains("alarm:CORRUPT"))
        })
    }

    /// Whether a member has run out of the space that it may use. Writes are refused until the
    /// database has been compacted and defragmented and the alarm disarmed.
    #[must_use]
    pub fn has_space_alarm(&self) -> bool {
        self.errors
            .iter()
            .any(|error| error.contains("alarm:NOSPACE"))
    }
}

/// One entry of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its ID.
    pub id: u64,
    /// Its name, as it was told or as it told itself.
    pub name: String,
    /// Where the others reach it.
    pub peer_urls: Vec<String>,
    /// Where it serves clients; empty until it has started for the first time.
    pub client_urls: Vec<String>,
    /// Whether it is a learner.
    pub learner: bool,
}

impl Member {
    /// Whether the member has ever started. Having a name does not tell: the first members of a
    /// cluster have one from the beginning. Having none does, of a voter: it was promoted, so it had
    /// caught up, and its own word of where it serves was lost.
    #[must_use]
    pub fn started(&self) -> bool {
        !self.client_urls.is_empty() || (!self.learner && self.name.is_empty())
    }
}

/// Why a call was not done. Texts and codes: etcd's `api/v3rpc/rpctypes/error.go`, measured on
/// 3.5 and 3.6.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// A voter is down or connected for less than five seconds.
    #[error("etcd refuses for now: not every voter has been connected for 5 s")]
    UnhealthyCluster,
    /// There are as many learners as allowed.
    #[error("etcd refuses: there are as many learners as it allows at once")]
    TooManyLearners,
    /// A voter is in the membership that has never started.
    #[error("etcd refuses: a member has not started yet")]
    NotEnoughStarted,
    /// The learner is behind.
    #[error("etcd refuses for now: the learner is not in sync with the leader")]
    LearnerNotReady,
    /// Promoting what is a voter already.
    #[error("the member is a voter already")]
    NotALearner,
    /// Adding what is there already.
    #[error("the peer URL is in the membership already")]
    PeerUrlExists,
    /// Removing or promoting what is not there.
    #[error("the member is not in the membership")]
    MemberNotFound,
    /// The member that was asked is leaving. A removal asked of the leader itself ends like this,
    /// and it did happen.
    #[error("the member that was asked is shutting down")]
    Stopped,
    /// No leader, or the answer took too long: what was asked may have happened or not.
    #[error("no answer from a majority within {0:?}: it may have happened or not")]
    Undecided(Duration),
    /// Could not reach the member.
    #[error("member cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("etcd answered {code:?}: {message}")]
    Refused {
        /// gRPC code.
        code: Code,
        /// etcd's words.
        message: String,
    },
}

impl CallFailed {
    /// A stable label for metrics and conditions.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::UnhealthyCluster => "UnhealthyCluster",
            Self::TooManyLearners => "TooManyLearners",
            Self::NotEnoughStarted => "NotEnoughStarted",
            Self::LearnerNotReady => "LearnerNotReady",
            Self::NotALearner => "NotALearner",
            Self::PeerUrlExists => "PeerUrlExists",
            Self::MemberNotFound => "MemberNotFound",
            Self::Stopped => "MemberStopped",
            Self::Undecided(_) => "Undecided",
            Self::Unreachable(_) => "Unreachable",
            Self::Refused { .. } => "Refused",
        }
    }

    fn from_status(status: &tonic::Status, deadline: Duration) -> Self {
        let message = status.message();
        let says = |text: &str| message.contains(text);
        if says("unhealthy cluster") {
            Self::UnhealthyCluster
        } else if says("too many learner members") {
            Self::TooManyLearners
        } else if says("not enough started members") {
            Self::NotEnoughStarted
        } else if says("in sync with leader") {
            Self::LearnerNotReady
        } else if says("can only promote a learner") {
            Self::NotALearner
        } else if says("Peer URLs already exists") {
            Self::PeerUrlExists
        } else if says("member not found") {
            Self::MemberNotFound
        } else if says("server stopped") {
            Self::Stopped
        } else if says("request timed out")
            || says("no leader")
            || status.code() == Code::DeadlineExceeded
        {
            Self::Undecided(deadline)
        } else if status.code() == Code::Unavailable && !says("etcdserver") {
            Self::Unreachable(status.clone().into())
        } else {
            Self::Refused {
                code: status.code(),
                message: message.to_owned(),
            }
        }
    }

    fn from_error(error: etcd_client::Error, deadline: Duration) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => Self::from_status(&status, deadline),
            other => Self::Unreachable(other.into()),
        }
    }
}

/// A connection to one member.
#[derive(Clone)]
pub struct MemberClient {
    client: Client,
}

impl MemberClient {
    /// Wraps a dialled connection.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// What the member says of itself; needs no quorum.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn report(&self) -> Result<MemberReport, CallFailed> {
        let mut client = self.client.clone();
        let mut status = within(LOCAL_DEADLINE, client.status()).await?;
        let header = status.take_header();
        Ok(MemberReport {
            member_id: header
                .as_ref()
                .map_or(0, etcd_client::ResponseHeader::member_id),
            cluster_id: header
                .as_ref()
                .map_or(0, etcd_client::ResponseHeader::cluster_id),
            leader: Some(status.leader()).filter(|leader| *leader != 0),
            term: status.raft_term(),
            raft_index: status.raft_index(),
            applied_index: status.raft_applied_index(),
            learner: status.is_learner(),
            version: status.version().to_owned(),
            db_size: status.db_size(),
            errors: status.errors().to_vec(),
        })
    }

    /// The membership, at least as new as the moment of the call.
    ///
    /// The client library asks for the list without linearizability. A linearizable read on the
    /// same member comes first: once that has answered, the member has applied all that was
    /// committed when it was asked, membership changes included (Raft thesis, 6.4), and its own
    /// list is as good.
    ///
    /// # Errors
    /// See [`CallFailed`]. An error means that the membership is unknown, never that it is empty.
    pub async fn membership(&self) -> Result<Vec<Member>, CallFailed> {
        let mut client = self.client.clone();
        let barrier = GetOptions::new().with_count_only();
        within(QUORUM_DEADLINE, client.get("\0", Some(barrier))).await?;
        let list = within(LOCAL_DEADLINE, client.member_list()).await?;
        Ok(list
            .members()
            .iter()
            .map(|member| Member {
                id: member.id(),
                name: member.name().to_owned(),
                peer_urls: member.peer_urls().to_vec(),
                client_urls: member.client_urls().to_vec(),
                learner: member.is_learner(),
            })
            .collect())
    }

    /// Adds a learner and returns its ID.
    ///
    /// # Errors
    /// See [`CallFailed`]; after [`CallFailed::Undecided`] read the membership before trying again.
    pub async fn add_learner(&self, peer_url: &str) -> Result<u64, CallFailed> {
        let mut client = self.client.clone();
        let options = MemberAddOptions::new().with_is_learner();
        let added = within(
            QUORUM_DEADLINE,
            client.member_add([peer_url], Some(options)),
        )
        .await?;
        Ok(added.member().map_or(0, etcd_client::Member::id))
    }

    /// Makes a learner a voter.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn promote(&self, id: u64) -> Result<(), CallFailed> {
        let mut client = self.client.clone();
        within(QUORUM_DEADLINE, client.member_promote(id))
            .await
            .map(drop)
    }

    /// Removes a member.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn remove(&self, id: u64) -> Result<(), CallFailed> {
        let mut client = self.client.clone();
        within(QUORUM_DEADLINE, client.member_remove(id))
            .await
            .map(drop)
    }

    /// Takes a member's CORRUPT alarm back.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn disarm_corrupt(&self, id: u64) -> Result<(), CallFailed> {
        let mut client = self.client.clone();
        let mut options = AlarmOptions::new();
        options.with_member(id);
        let call = client.alarm(AlarmAction::Deactivate, AlarmType::Corrupt, Some(options));
        within(QUORUM_DEADLINE, call).await.map(drop)
    }

    /// Hands leadership to another member; must be asked of the leader.
    ///
    /// # Errors
    /// See [`CallFailed`].
    pub async fn move_leader(&self, to: u64) -> Result<(), CallFailed> {
        let mut client = self.client.clone();
        within(QUORUM_DEADLINE, client.move_leader(to))
            .await
            .map(drop)
    }
}

async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, CallFailed> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(CallFailed::from_error(error, deadline)),
        Err(_) => Err(CallFailed::Undecided(deadline)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: Code, message: &str) -> &'static str {
        let status = tonic::Status::new(code, message);
        CallFailed::from_status(&status, QUORUM_DEADLINE).label()
    }

    #[test]
    fn etcds_refusals_are_told_apart() {
        for (code, message, expected) in [
            (
                Code::Unavailable,
                "etcdserver: unhealthy cluster",
                "UnhealthyCluster",
            ),
            (
                Code::FailedPrecondition,
                "etcdserver: too many learner members in cluster",
                "TooManyLearners",
            ),
            (
                Code::FailedPrecondition,
                "etcdserver: can only promote a learner member which is in sync with leader",
                "LearnerNotReady",
            ),
            (
                Code::FailedPrecondition,
                "etcdserver: can only promote a learner member",
                "NotALearner",
            ),
            (
                Code::Unknown,
                "etcdserver: re-configuration failed due to not enough started members",
                "NotEnoughStarted",
            ),
            (
                Code::Unavailable,
                "etcdserver: server stopped",
                "MemberStopped",
            ),
            (
                Code::Unavailable,
                "etcdserver: request timed out",
                "Undecided",
            ),
            (Code::Unavailable, "etcdserver: no leader", "Undecided"),
            (
                Code::DeadlineExceeded,
                "context deadline exceeded",
                "Undecided",
            ),
            (Code::Unavailable, "tcp connect error", "Unreachable"),
            (
                Code::NotFound,
                "etcdserver: member not found",
                "MemberNotFound",
            ),
            (
                Code::ResourceExhausted,
                "etcdserver: mvcc: database space exceeded",
                "Refused",
            ),
        ] {
            assert_eq!(class(code, message), expected, "{message}");
        }
    }
}
