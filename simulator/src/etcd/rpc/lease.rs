//! The Lease service.
//!
//! Owns: lease IDs that the server chooses, and the limits of TTLs.
//! Deliberately does not know: when leases expire.

use etcd_client::proto::{
    PbLeaseGrantRequest, PbLeaseGrantResponse, PbLeaseKeepAliveRequest, PbLeaseKeepAliveResponse,
    PbLeaseLeasesRequest, PbLeaseLeasesResponse, PbLeaseRevokeRequest, PbLeaseRevokeResponse,
    PbLeaseService, PbLeaseStatus, PbLeaseTimeToLiveRequest, PbLeaseTimeToLiveResponse,
};
use futures::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, Answers, Api, OnLearner, mismatch};
use crate::etcd::{command::Op, failure::Failure, state::Applied};

/// Longest TTL in seconds.
const MAX_TTL: i64 = 9_000_000_000;

#[tonic::async_trait]
impl PbLeaseService for Api {
    async fn lease_grant(
        &self,
        request: Request<PbLeaseGrantRequest>,
    ) -> Answer<PbLeaseGrantResponse> {
        self.admit("LeaseGrant", OnLearner::Refuses, &request)?;
        let mut request = request.into_inner();
        if request.ttl > MAX_TTL {
            return Err(Failure::LeaseTtlTooLarge.into());
        }
        let chosen = self.server.act(|member, _| member.choose_lease_id());
        if request.id == 0 {
            request.id = chosen;
        }
        request.ttl = self
            .server
            .look(|member| request.ttl.max(member.shortest_lease()));
        self.within_quota(0).await?;
        let Applied::LeaseGrant(mut response) =
            self.server.replicate(Op::LeaseGrant(request)).await?
        else {
            return Err(mismatch());
        };
        response.header = self.header_with_revision();
        Ok(Response::new(response))
    }

    async fn lease_revoke(
        &self,
        request: Request<PbLeaseRevokeRequest>,
    ) -> Answer<PbLeaseRevokeResponse> {
        self.admit("LeaseRevoke", OnLearner::Refuses, &request)?;
        let op = Op::LeaseRevoke(request.into_inner());
        let Applied::LeaseRevoke(mut response) = self.server.replicate(op).await? else {
            return Err(mismatch());
        };
        response.header = self.header_with_revision();
        Ok(Response::new(response))
    }

    type LeaseKeepAliveStream = Answers<PbLeaseKeepAliveResponse>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<PbLeaseKeepAliveRequest>>,
    ) -> Answer<Self::LeaseKeepAliveStream> {
        self.admit("LeaseKeepAlive", OnLearner::Refuses, &request)?;
        let api = self.clone();
        let answers = request.into_inner().then(move |asked| {
            let api = api.clone();
            async move { api.keep_alive(asked?.id).await }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<PbLeaseTimeToLiveRequest>,
    ) -> Answer<PbLeaseTimeToLiveResponse> {
        self.admit("LeaseTimeToLive", OnLearner::Refuses, &request)?;
        let PbLeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let left = self.server.lease_left(id).await?;
        let keys = if keys && left.is_some() {
            self.server.look(|member| member.state().lease_keys(id))
        } else {
            Vec::new()
        };
        // etcd says -1 for a lease that is not there.
        let (ttl, granted_ttl) = left.unwrap_or((-1, 0));
        let header = self.header_with_revision();
        Ok(Response::new(PbLeaseTimeToLiveResponse {
            header,
            id,
            ttl,
            granted_ttl,
            keys,
        }))
    }

    async fn lease_leases(
        &self,
        request: Request<PbLeaseLeasesRequest>,
    ) -> Answer<PbLeaseLeasesResponse> {
        self.admit("LeaseLeases", OnLearner::Refuses, &request)?;
        let leases = self.server.look(|member| {
            member
                .state()
                .leases
                .keys()
                .map(|&id| PbLeaseStatus { id })
                .collect()
        });
        let header = self.header_with_revision();
        Ok(Response::new(PbLeaseLeasesResponse { header, leases }))
    }
}

impl Api {
    async fn keep_alive(&self, id: i64) -> Result<PbLeaseKeepAliveResponse, Status> {
        let ttl = match self.server.renew(id).await {
            Ok(seconds) => seconds,
            // etcd tells of a lost lease with a TTL of 0, not with a status.
            Err(Failure::LeaseNotFound) => 0,
            Err(failure) => return Err(failure.into()),
        };
        let header = self.header_with_revision();
        Ok(PbLeaseKeepAliveResponse { header, id, ttl })
    }
}
