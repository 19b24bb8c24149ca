//! What members agree on: the content of raft entries and snapshots.
//!
//! Owns: the encoding, which reuses etcd's own request messages.
//! Always holds: every entry names the request that caused it, so that its proposer can answer.
//! Deliberately does not know: how commands are applied.

use etcd_client::proto::{
    PbAlarmRequest, PbCompactionRequest, PbDeleteRequest, PbKeyValue, PbLeaseGrantRequest,
    PbLeaseRevokeRequest, PbMember, PbPutRequest, PbTxnRequest,
};

/// One replicated command.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Command {
    /// The request that caused it, unique among members.
    #[prost(uint64, tag = "1")]
    pub(super) request: u64,
    #[prost(oneof = "Op", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub(super) op: Option<Op>,
}

/// What a command does.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Op {
    #[prost(message, tag = "2")]
    Put(PbPutRequest),
    #[prost(message, tag = "3")]
    Delete(PbDeleteRequest),
    #[prost(message, tag = "4")]
    Txn(PbTxnRequest),
    #[prost(message, tag = "5")]
    Compact(PbCompactionRequest),
    #[prost(message, tag = "6")]
    LeaseGrant(PbLeaseGrantRequest),
    #[prost(message, tag = "7")]
    LeaseRevoke(PbLeaseRevokeRequest),
    #[prost(message, tag = "8")]
    Alarm(PbAlarmRequest),
    /// A member tells its name and client URLs.
    #[prost(message, tag = "9")]
    Publish(PbMember),
    /// A member gets other peer URLs.
    #[prost(message, tag = "10")]
    UpdateMember(PbMember),
    /// The leader decides the cluster version.
    #[prost(string, tag = "11")]
    ClusterVersion(String),
}

impl Op {
    /// A short description for the trace; `None` for what etcd does by itself all the time.
    pub(super) fn describe(&self) -> Option<String> {
        let key = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        Some(match self {
            Self::Put(put) => format!("put {}", key(&put.key)),
            Self::Delete(delete) => format!("delete {}", key(&delete.key)),
            Self::Txn(_) => "txn".to_owned(),
            Self::Compact(compact) => format!("compact to {}", compact.revision),
            Self::LeaseGrant(grant) => format!("grant lease {:x} for {} s", grant.id, grant.ttl),
            Self::LeaseRevoke(revoke) => format!("revoke lease {:x}", revoke.id),
            Self::Alarm(alarm) if alarm.action == 0 => return None,
            Self::Alarm(alarm) => {
                let verb = if alarm.action == 1 {
                    "activate"
                } else {
                    "deactivate"
                };
                format!("{verb} alarm {}", alarm.alarm)
            }
            Self::UpdateMember(member) => {
                format!(
                    "update member {:x} to {}",
                    member.id,
                    member.peer_ur_ls.join(",")
                )
            }
            Self::Publish(_) | Self::ClusterVersion(_) => return None,
        })
    }
}

/// Goes with a change of members, in the context of raft's own message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ChangeContext {
    #[prost(uint64, tag = "1")]
    pub(super) request: u64,
    /// The member to add; absent when one is removed or promoted.
    #[prost(message, optional, tag = "2")]
    pub(super) member: Option<PbMember>,
}

/// The whole applied state, for members that lag too far behind.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StateDump {
    #[prost(message, repeated, tag = "1")]
    pub(super) members: Vec<PbMember>,
    #[prost(uint64, repeated, tag = "2")]
    pub(super) removed: Vec<u64>,
    #[prost(string, tag = "3")]
    pub(super) cluster_version: String,
    #[prost(int64, tag = "4")]
    pub(super) revision: i64,
    #[prost(int64, tag = "5")]
    pub(super) compacted: i64,
    #[prost(message, repeated, tag = "6")]
    pub(super) versions: Vec<VersionDump>,
    #[prost(message, repeated, tag = "7")]
    pub(super) leases: Vec<LeaseDump>,
    /// Members with an alarm NOSPACE, and with CORRUPT.
    #[prost(uint64, repeated, tag = "8")]
    pub(super) no_space: Vec<u64>,
    #[prost(uint64, repeated, tag = "9")]
    pub(super) corrupt: Vec<u64>,
    #[prost(uint64, tag = "10")]
    pub(super) cluster: u64,
}

/// One version of a key.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VersionDump {
    #[prost(int64, tag = "1")]
    pub(super) position: i64,
    #[prost(bool, tag = "2")]
    pub(super) deleted: bool,
    #[prost(message, optional, tag = "3")]
    pub(super) kv: Option<PbKeyValue>,
}

/// One lease.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct LeaseDump {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
    #[prost(int64, tag = "2")]
    pub(super) ttl: i64,
}
