//! The KV service.
//!
//! Owns: which requests are reads, and the quota.
//! Deliberately does not know: how keys are stored.

use etcd_client::proto::{
    PbAlarmRequest, PbCompactionRequest, PbCompactionResponse, PbDeleteRequest, PbDeleteResponse,
    PbKvService, PbPutRequest, PbPutResponse, PbRangeRequest, PbRangeResponse,
    PbRangeStreamResponse, PbTxnRequest, PbTxnResponse,
};
use prost::Message as _;
use tonic::{Request, Response};

use super::{Answer, Answers, Api, OnLearner, mismatch};
use crate::etcd::{
    command::Op,
    failure::Failure,
    state::{Applied, NO_SPACE},
    store::{check_put, check_range, check_txn, txn_puts, txn_writes},
};

/// Largest request (`--max-request-bytes`).
const MAX_REQUEST: usize = 1536 * 1024;
/// What a put takes besides key and value, in etcd's estimate.
const PUT_OVERHEAD: usize = 256;

#[tonic::async_trait]
impl PbKvService for Api {
    async fn range(&self, request: Request<PbRangeRequest>) -> Answer<PbRangeResponse> {
        let serves = if request.get_ref().serializable {
            OnLearner::Serves
        } else {
            OnLearner::Refuses
        };
        self.admit("Range", serves, &request)?;
        let request = request.into_inner();
        check_range(&request)?;
        if !request.serializable {
            self.server.read().await?;
        }
        let mut response = self
            .server
            .look(|member| member.state().store.range(&request))?;
        response.header = self.header_with_revision();
        Ok(Response::new(response))
    }

    type RangeStreamStream = Answers<PbRangeStreamResponse>;

    async fn range_stream(
        &self,
        request: Request<PbRangeRequest>,
    ) -> Answer<Self::RangeStreamStream> {
        self.admit("RangeStream", OnLearner::Refuses, &request)?;
        Err(Failure::NotModelled("RangeStream").into())
    }

    async fn put(&self, request: Request<PbPutRequest>) -> Answer<PbPutResponse> {
        self.admit("Put", OnLearner::Refuses, &request)?;
        let request = request.into_inner();
        check_put(&request)?;
        check_size(&request)?;
        self.within_quota(request.key.len() + request.value.len() + PUT_OVERHEAD)
            .await?;
        let Applied::Put(mut response) = self.server.replicate(Op::Put(request)).await? else {
            return Err(mismatch());
        };
        response.header = self.header_applied(response.header);
        Ok(Response::new(response))
    }

    async fn delete_range(&self, request: Request<PbDeleteRequest>) -> Answer<PbDeleteResponse> {
        self.admit("DeleteRange", OnLearner::Refuses, &request)?;
        let request = request.into_inner();
        if request.key.is_empty() {
            return Err(Failure::EmptyKey.into());
        }
        let Applied::Delete(mut response) = self.server.replicate(Op::Delete(request)).await?
        else {
            return Err(mismatch());
        };
        response.header = self.header_applied(response.header);
        Ok(Response::new(response))
    }

    async fn txn(&self, request: Request<PbTxnRequest>) -> Answer<PbTxnResponse> {
        self.admit("Txn", OnLearner::Refuses, &request)?;
        let request = request.into_inner();
        check_txn(&request)?;
        check_size(&request)?;
        let mut response = if txn_writes(&request) {
            if txn_puts(&request) {
                self.within_quota(request.encoded_len()).await?;
            }
            match self.server.replicate(Op::Txn(request)).await? {
                Applied::Txn(response) => response,
                _ => return Err(mismatch()),
            }
        } else {
            self.server.read().await?;
            self.server
                .look(|member| member.state().store.read_txn(&request))?
        };
        response.header = self.header_applied(response.header);
        Ok(Response::new(response))
    }

    async fn compact(&self, request: Request<PbCompactionRequest>) -> Answer<PbCompactionResponse> {
        self.admit("Compact", OnLearner::Refuses, &request)?;
        let op = Op::Compact(request.into_inner());
        let Applied::Compact(mut response) = self.server.replicate(op).await? else {
            return Err(mismatch());
        };
        response.header = self.header_with_revision();
        Ok(Response::new(response))
    }
}

impl Api {
    /// Refuses what would not fit, and raises the alarm that makes the whole cluster refuse.
    pub(super) async fn within_quota(&self, bytes: usize) -> Result<(), Failure> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let (fits, id, raised) = self.server.look(|member| {
            let fits = member.allocated().saturating_add(bytes) < member.config().quota;
            (fits, member.id(), member.state().has_alarm(NO_SPACE))
        });
        if fits {
            return Ok(());
        }
        if !raised {
            let alarm = PbAlarmRequest {
                action: 1,
                member_id: id,
                alarm: NO_SPACE,
            };
            self.server.replicate(Op::Alarm(alarm)).await?;
        }
        Err(Failure::NoSpace)
    }
}

fn check_size(request: &impl prost::Message) -> Result<(), Failure> {
    if request.encoded_len() > MAX_REQUEST {
        Err(Failure::RequestTooLarge)
    } else {
        Ok(())
    }
}
