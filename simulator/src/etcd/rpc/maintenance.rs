//! The Maintenance service.
//!
//! Owns: Status, which answers whatever the state of the cluster, and the chores.
//! Deliberately does not know: raft; it asks the member.

use etcd_client::proto::{
    PbAlarmMember, PbAlarmRequest, PbAlarmResponse, PbDefragmentRequest, PbDefragmentResponse,
    PbDowngradeInfo, PbDowngradeRequest, PbDowngradeResponse, PbHashKvRequest, PbHashKvResponse,
    PbHashRequest, PbHashResponse, PbMaintenanceService, PbMoveLeaderRequest, PbMoveLeaderResponse,
    PbSnapshotRequest, PbSnapshotResponse, PbStatusRequest, PbStatusResponse,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response};

use super::{Answer, Answers, Api, OnLearner, header_of, mismatch};
use crate::etcd::{
    command::Op,
    failure::Failure,
    member::Member,
    state::{Applied, NO_SPACE},
};

/// Bytes of a snapshot in one message.
const SNAPSHOT_PIECE: usize = 32 * 1024;
/// A snapshot without its checksum is a multiple of this.
const SNAPSHOT_PAGE: usize = 4096;

#[tonic::async_trait]
impl PbMaintenanceService for Api {
    async fn status(&self, request: Request<PbStatusRequest>) -> Answer<PbStatusResponse> {
        self.admit("Status", OnLearner::Serves, &request)?;
        Ok(Response::new(self.server.look(status)))
    }

    async fn alarm(&self, request: Request<PbAlarmRequest>) -> Answer<PbAlarmResponse> {
        self.admit("Alarm", OnLearner::Refuses, &request)?;
        let op = Op::Alarm(request.into_inner());
        let Applied::Alarm(mut response) = self.server.replicate(op).await? else {
            return Err(mismatch());
        };
        response.header = self.header_with_revision();
        Ok(Response::new(response))
    }

    async fn defragment(
        &self,
        request: Request<PbDefragmentRequest>,
    ) -> Answer<PbDefragmentResponse> {
        self.admit("Defragment", OnLearner::Refuses, &request)?;
        self.server.act(|member, _| member.defragment());
        Ok(Response::new(PbDefragmentResponse::default()))
    }

    async fn hash(&self, request: Request<PbHashRequest>) -> Answer<PbHashResponse> {
        self.admit("Hash", OnLearner::Refuses, &request)?;
        let header = self.header_with_revision();
        let store_hash = |member: &Member| {
            let store = &member.state().store;
            store.hash(store.revision())
        };
        Ok(Response::new(PbHashResponse {
            header,
            hash: self.server.look(store_hash),
        }))
    }

    async fn hash_kv(&self, request: Request<PbHashKvRequest>) -> Answer<PbHashKvResponse> {
        self.admit("HashKV", OnLearner::Refuses, &request)?;
        let wanted = request.into_inner().revision;
        let header = self.header_with_revision();
        let tells = self.server.look(|member| member.quirks().tells_storage);
        let (revision, compacted, hash) = self.server.look(|member| {
            let store = &member.state().store;
            let revision = if wanted > 0 { wanted } else { store.revision() };
            if revision > store.revision() {
                return Err(Failure::FutureRevision);
            }
            if revision < store.compacted() {
                return Err(Failure::Compacted);
            }
            Ok((revision, store.compacted(), store.hash(revision)))
        })?;
        // Before the first compaction etcd says -1.
        let compact_revision = if compacted > 0 { compacted } else { -1 };
        Ok(Response::new(PbHashKvResponse {
            header,
            hash,
            compact_revision,
            hash_revision: if tells { revision } else { 0 },
        }))
    }

    type SnapshotStream = Answers<PbSnapshotResponse>;

    /// The state in this simulator's own encoding, in pages and with the checksum behind them that
    /// clients look for. etcd's pages are a bbolt file, which nothing here reads.
    async fn snapshot(&self, request: Request<PbSnapshotRequest>) -> Answer<Self::SnapshotStream> {
        self.admit("Snapshot", OnLearner::Serves, &request)?;
        let (mut state, version) = self.server.look(|member| {
            let version = member
                .quirks()
                .tells_storage
                .then(|| member.version().of_cluster().to_string());
            (
                member.state().dump().encode_to_vec(),
                version.unwrap_or_default(),
            )
        });
        state.resize(state.len().next_multiple_of(SNAPSHOT_PAGE), 0);
        let checksum = Sha256::digest(&state);
        state.extend_from_slice(&checksum);
        let total = state.len();
        let pieces = state
            .chunks(SNAPSHOT_PIECE)
            .enumerate()
            .map(|(index, piece)| {
                let sent = (index * SNAPSHOT_PIECE + piece.len()).min(total);
                Ok(PbSnapshotResponse {
                    header: None,
                    remaining_bytes: (total - sent) as u64,
                    blob: piece.to_vec(),
                    version: version.clone(),
                })
            });
        let pieces: Vec<_> = pieces.collect();
        Ok(Response::new(Box::pin(futures::stream::iter(pieces))))
    }

    async fn move_leader(
        &self,
        request: Request<PbMoveLeaderRequest>,
    ) -> Answer<PbMoveLeaderResponse> {
        self.admit("MoveLeader", OnLearner::Refuses, &request)?;
        if !self.server.look(Member::is_leader) {
            return Err(Failure::NotLeader.into());
        }
        self.server
            .move_leader(request.into_inner().target_id)
            .await?;
        Ok(Response::new(PbMoveLeaderResponse::default()))
    }

    async fn downgrade(&self, request: Request<PbDowngradeRequest>) -> Answer<PbDowngradeResponse> {
        self.admit("Downgrade", OnLearner::Refuses, &request)?;
        Err(Failure::NotModelled("Downgrade").into())
    }
}

fn status(member: &Member) -> PbStatusResponse {
    let (state, version) = (member.state(), member.version());
    let leader = member.leader();
    let mut errors: Vec<String> = state.alarms().iter().map(describe).collect();
    if leader == 0 {
        errors.insert(0, Failure::NoLeader.to_string());
    }
    let mut header = header_of(member);
    header.revision = state.store.revision();
    let mut response = PbStatusResponse {
        header: Some(header),
        version: version.to_string(),
        db_size: member.allocated(),
        leader,
        raft_index: member.committed(),
        raft_term: member.term(),
        raft_applied_index: member.applied(),
        errors,
        db_size_in_use: state.store.bytes(),
        is_learner: member.is_learner(),
        ..PbStatusResponse::default()
    };
    if member.quirks().tells_storage {
        response.storage_version = version.of_cluster().to_string();
        response.db_size_quota = member.config().quota;
        response.downgrade_info = Some(PbDowngradeInfo::default());
    }
    response
}

/// An alarm as Go prints it.
fn describe(alarm: &PbAlarmMember) -> String {
    let kind = if alarm.alarm == NO_SPACE {
        "NOSPACE"
    } else {
        "CORRUPT"
    };
    format!("memberID:{} alarm:{kind} ", alarm.member_id)
}
