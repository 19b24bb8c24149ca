//! The replicated state of a cluster, as one member has applied it.
//!
//! Owns: members, cluster version, keys, leases, alarms, and how commands change them.
//! Always holds: the same entries in the same order give the same state on every member.
//! Deliberately does not know: raft, time, which member it runs on.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::proto::{
    PbAlarmMember, PbAlarmRequest, PbAlarmResponse, PbCompactionResponse, PbDeleteRequest,
    PbDeleteResponse, PbLeaseGrantResponse, PbLeaseRevokeResponse, PbMember, PbPutResponse,
    PbResponseHeader, PbTxnResponse,
};

use super::{
    command::{Command, LeaseDump, Op, StateDump, VersionDump},
    failure::Failure,
    membership::Membership,
    store::{Store, txn_leases},
    version::Quirks,
};

/// Alarm types.
pub(super) const NO_SPACE: i32 = 1;
const CORRUPT: i32 = 2;

/// What applying a command gave; of headers, all but the revision is filled in where the answer is
/// sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Applied {
    Nothing,
    Put(PbPutResponse),
    Delete(PbDeleteResponse),
    Txn(PbTxnResponse),
    Compact(PbCompactionResponse),
    LeaseGrant(PbLeaseGrantResponse),
    LeaseRevoke(PbLeaseRevokeResponse),
    Alarm(PbAlarmResponse),
    Members(Vec<PbMember>),
}

/// The state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) cluster: u64,
    pub(super) members: Membership,
    /// `MAJOR.MINOR.0`, once decided.
    pub(super) cluster_version: Option<String>,
    pub(super) store: Store,
    /// Granted seconds by lease.
    pub(super) leases: BTreeMap<i64, i64>,
    alarms: BTreeSet<(i32, u64)>,
}

impl State {
    pub(super) fn alarms(&self) -> Vec<PbAlarmMember> {
        let alarm = |&(alarm, member_id): &(i32, u64)| PbAlarmMember { member_id, alarm };
        self.alarms.iter().map(alarm).collect()
    }

    pub(super) fn has_alarm(&self, kind: i32) -> bool {
        self.alarms.iter().any(|(alarm, _)| *alarm == kind)
    }

    /// Keys attached to a lease.
    pub(super) fn lease_keys(&self, lease: i64) -> Vec<Vec<u8>> {
        self.store.attached_to(lease)
    }

    pub(super) fn apply(&mut self, command: &Command, quirks: Quirks) -> Result<Applied, Failure> {
        let Some(op) = &command.op else {
            return Ok(Applied::Nothing);
        };
        self.refuse_growth_without_space(op)?;
        match op {
            Op::Put(put) => {
                self.lease_exists(put.lease)?;
                let mut response = self.store.write().put(put)?;
                response.header = self.applied();
                Ok(Applied::Put(response))
            }
            Op::Delete(delete) => {
                let mut response = self.store.write().delete(delete);
                response.header = self.applied();
                Ok(Applied::Delete(response))
            }
            Op::Txn(txn) => {
                txn_leases(txn)
                    .into_iter()
                    .try_for_each(|lease| self.lease_exists(lease))?;
                let mut response = self.store.write().txn(txn)?;
                response.header = self.applied();
                Ok(Applied::Txn(response))
            }
            Op::Compact(compact) => {
                self.store.compact(compact.revision)?;
                Ok(Applied::Compact(PbCompactionResponse::default()))
            }
            Op::LeaseGrant(grant) => self.grant(grant.id, grant.ttl),
            Op::LeaseRevoke(revoke) => self.revoke(revoke.id),
            Op::Alarm(alarm) => Ok(Applied::Alarm(self.alarm(alarm))),
            Op::Publish(member) => {
                self.members.publish(member);
                Ok(Applied::Nothing)
            }
            Op::UpdateMember(member) => {
                self.members.update(member, quirks.update_drops_learner)?;
                Ok(Applied::Members(self.members.list()))
            }
            Op::ClusterVersion(version) => {
                self.cluster_version = Some(version.clone());
                Ok(Applied::Nothing)
            }
        }
    }

    /// A header with the revision that a write was applied at. Others may be applied before its
    /// answer leaves, and a client must not take theirs for its own.
    fn applied(&self) -> Option<PbResponseHeader> {
        Some(PbResponseHeader {
            revision: self.store.revision(),
            ..PbResponseHeader::default()
        })
    }

    /// With an alarm NOSPACE raised, puts, transactions that put and lease grants fail.
    fn refuse_growth_without_space(&self, op: &Op) -> Result<(), Failure> {
        let grows = match op {
            Op::Put(_) | Op::LeaseGrant(_) => true,
            Op::Txn(txn) => super::store::txn_puts(txn),
            _ => false,
        };
        if grows && self.has_alarm(NO_SPACE) {
            Err(Failure::NoSpace)
        } else {
            Ok(())
        }
    }

    fn lease_exists(&self, lease: i64) -> Result<(), Failure> {
        if lease == 0 || self.leases.contains_key(&lease) {
            return Ok(());
        }
        Err(Failure::LeaseNotFound)
    }

    fn grant(&mut self, id: i64, ttl: i64) -> Result<Applied, Failure> {
        if self.leases.contains_key(&id) {
            return Err(Failure::LeaseExists);
        }
        self.leases.insert(id, ttl);
        Ok(Applied::LeaseGrant(PbLeaseGrantResponse {
            id,
            ttl,
            ..PbLeaseGrantResponse::default()
        }))
    }

    fn revoke(&mut self, id: i64) -> Result<Applied, Failure> {
        self.leases.remove(&id).ok_or(Failure::LeaseNotFound)?;
        let keys = self.lease_keys(id);
        let mut writer = self.store.write();
        for key in keys {
            writer.delete(&PbDeleteRequest {
                key,
                ..PbDeleteRequest::default()
            });
        }
        Ok(Applied::LeaseRevoke(PbLeaseRevokeResponse::default()))
    }

    fn alarm(&mut self, request: &PbAlarmRequest) -> PbAlarmResponse {
        let named = (request.alarm, request.member_id);
        let alarms = match request.action {
            1 => {
                self.alarms.insert(named);
                vec![PbAlarmMember {
                    member_id: request.member_id,
                    alarm: request.alarm,
                }]
            }
            2 => {
                let gone = self.alarms.remove(&named);
                let alarm = PbAlarmMember {
                    member_id: request.member_id,
                    alarm: request.alarm,
                };
                if gone { vec![alarm] } else { Vec::new() }
            }
            _ => {
                let mut alarms = self.alarms();
                alarms.retain(|alarm| request.alarm == 0 || alarm.alarm == request.alarm);
                alarms
            }
        };
        PbAlarmResponse {
            header: None,
            alarms,
        }
    }

    pub(super) fn dump(&self) -> StateDump {
        let alarmed = |kind: i32| {
            let alarms = self.alarms.iter().filter(move |(alarm, _)| *alarm == kind);
            alarms.map(|(_, member)| *member).collect()
        };
        let version = |(position, deleted, kv): (i64, bool, &_)| VersionDump {
            position,
            deleted,
            kv: Some(Clone::clone(kv)),
        };
        StateDump {
            cluster: self.cluster,
            members: self.members.list(),
            removed: self.members.removed().collect(),
            cluster_version: self.cluster_version.clone().unwrap_or_default(),
            revision: self.store.revision(),
            compacted: self.store.compacted(),
            versions: self.store.dump().map(version).collect(),
            leases: self
                .leases
                .iter()
                .map(|(&id, &ttl)| LeaseDump { id, ttl })
                .collect(),
            no_space: alarmed(NO_SPACE),
            corrupt: alarmed(CORRUPT),
        }
    }

    pub(super) fn load(dump: StateDump) -> Self {
        let alarms = |kind: i32, members: Vec<u64>| members.into_iter().map(move |id| (kind, id));
        let versions = dump.versions.into_iter().map(|version| {
            (
                version.position,
                version.deleted,
                version.kv.unwrap_or_default(),
            )
        });
        Self {
            cluster: dump.cluster,
            members: Membership::new(dump.members, dump.removed),
            cluster_version: Some(dump.cluster_version).filter(|version| !version.is_empty()),
            store: Store::load(dump.revision, dump.compacted, versions),
            leases: dump
                .leases
                .into_iter()
                .map(|lease| (lease.id, lease.ttl))
                .collect(),
            alarms: alarms(NO_SPACE, dump.no_space)
                .chain(alarms(CORRUPT, dump.corrupt))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::{PbLeaseGrantRequest, PbLeaseRevokeRequest, PbPutRequest};

    use super::*;
    use crate::etcd::version::Version;

    fn apply(state: &mut State, op: Op) -> Result<Applied, Failure> {
        state.apply(
            &Command {
                request: 1,
                op: Some(op),
            },
            Version::new(3, 6, 16).quirks(),
        )
    }

    fn put(key: &str, lease: i64) -> Op {
        Op::Put(PbPutRequest {
            key: key.into(),
            lease,
            ..PbPutRequest::default()
        })
    }

    #[test]
    fn without_space_puts_fail_and_deletes_pass_until_the_alarm_is_disarmed() {
        let mut state = State::default();
        let alarm = |action| {
            Op::Alarm(PbAlarmRequest {
                action,
                member_id: 1,
                alarm: NO_SPACE,
            })
        };
        apply(&mut state, alarm(1)).expect("an alarm can be raised");
        assert_eq!(apply(&mut state, put("k", 0)), Err(Failure::NoSpace));
        let delete = PbDeleteRequest {
            key: b"k".to_vec(),
            ..PbDeleteRequest::default()
        };
        assert!(apply(&mut state, Op::Delete(delete)).is_ok());
        apply(&mut state, alarm(2)).expect("an alarm can be disarmed");
        assert!(apply(&mut state, put("k", 0)).is_ok());
    }

    #[test]
    fn each_write_is_answered_with_its_own_revision() {
        let mut state = State::default();
        let mut revision = || match apply(&mut state, put("k", 0)) {
            Ok(Applied::Put(response)) => response.header.map(|header| header.revision),
            other => panic!("a put gave {other:?}"),
        };
        assert_eq!([revision(), revision()], [Some(2), Some(3)]);
    }

    #[test]
    fn a_revoked_lease_takes_its_keys_with_it() {
        let mut state = State::default();
        assert_eq!(apply(&mut state, put("k", 7)), Err(Failure::LeaseNotFound));
        let grant = PbLeaseGrantRequest { id: 7, ttl: 10 };
        apply(&mut state, Op::LeaseGrant(grant)).expect("a new lease");
        apply(&mut state, put("k", 7)).expect("a put on the lease");
        apply(&mut state, Op::LeaseRevoke(PbLeaseRevokeRequest { id: 7 })).expect("a known lease");
        assert!(state.lease_keys(7).is_empty());
        assert_eq!(
            state.store.revision(),
            3,
            "one revision for the put, one for the revoke"
        );
    }

    #[test]
    fn a_dump_loads_to_the_same_state() {
        let mut state = State {
            cluster: 5,
            ..State::default()
        };
        apply(&mut state, put("k", 0)).expect("a put");
        let grant = PbLeaseGrantRequest { id: 7, ttl: 10 };
        apply(&mut state, Op::LeaseGrant(grant)).expect("a new lease");
        apply(&mut state, Op::ClusterVersion("3.6.0".into())).expect("a version");
        assert_eq!(State::load(state.dump()), state);
    }
}
