//! The Cluster service.
//!
//! Owns: the translation of member requests into changes, and etcd's order of checks.
//! Always holds: peer URLs are checked here, before anything else looks at them.
//! Deliberately does not know: when a change is safe.

use etcd_client::proto::{
    PbClusterService, PbMember, PbMemberAddRequest, PbMemberAddResponse, PbMemberListRequest,
    PbMemberListResponse, PbMemberPromoteRequest, PbMemberPromoteResponse, PbMemberRemoveRequest,
    PbMemberRemoveResponse, PbMemberUpdateRequest, PbMemberUpdateResponse,
};
use tonic::{Request, Response, Status};

use super::{Answer, Api, OnLearner, mismatch};
use crate::etcd::{
    command::Op,
    failure::Failure,
    identity::member_id,
    membership::Change,
    state::Applied,
    urls::{Url, texts},
};

#[tonic::async_trait]
impl PbClusterService for Api {
    async fn member_add(
        &self,
        request: Request<PbMemberAddRequest>,
    ) -> Answer<PbMemberAddResponse> {
        self.admit("MemberAdd", OnLearner::Refuses, &request)?;
        let request = request.into_inner();
        let urls = Url::parse_all(&request.peer_ur_ls).map_err(|_| Failure::BadPeerUrls)?;
        let peer_ur_ls = texts(&urls);
        let id = member_id(&peer_ur_ls, "", Some(self.server.process().unix_seconds()));
        let is_learner = request.is_learner;
        let member = PbMember {
            id,
            peer_ur_ls,
            is_learner,
            ..PbMember::default()
        };
        self.judged(
            "add",
            self.server
                .act(|server, now| server.may_add(is_learner, now)),
        )?;
        let members = members(self.server.reconfigure(Change::Add(member.clone())).await?)?;
        let header = self.header();
        Ok(Response::new(PbMemberAddResponse {
            header,
            member: Some(member),
            members,
        }))
    }

    async fn member_remove(
        &self,
        request: Request<PbMemberRemoveRequest>,
    ) -> Answer<PbMemberRemoveResponse> {
        self.admit("MemberRemove", OnLearner::Refuses, &request)?;
        let id = request.into_inner().id;
        self.judged(
            "remove",
            self.server.act(|member, now| member.may_remove(id, now)),
        )?;
        let members = members(self.server.reconfigure(Change::Remove(id)).await?)?;
        Ok(Response::new(PbMemberRemoveResponse {
            header: self.header(),
            members,
        }))
    }

    async fn member_update(
        &self,
        request: Request<PbMemberUpdateRequest>,
    ) -> Answer<PbMemberUpdateResponse> {
        self.admit("MemberUpdate", OnLearner::Refuses, &request)?;
        let request = request.into_inner();
        let urls = Url::parse_all(&request.peer_ur_ls).map_err(|_| Failure::BadPeerUrls)?;
        let member = PbMember {
            id: request.id,
            peer_ur_ls: texts(&urls),
            ..PbMember::default()
        };
        let members = members(self.server.replicate(Op::UpdateMember(member)).await?)?;
        Ok(Response::new(PbMemberUpdateResponse {
            header: self.header(),
            members,
        }))
    }

    async fn member_list(
        &self,
        request: Request<PbMemberListRequest>,
    ) -> Answer<PbMemberListResponse> {
        self.admit("MemberList", OnLearner::Refuses, &request)?;
        if request.into_inner().linearizable {
            self.server.read().await?;
        }
        let members = self.server.look(|member| member.state().members.list());
        Ok(Response::new(PbMemberListResponse {
            header: self.header(),
            members,
        }))
    }

    async fn member_promote(
        &self,
        request: Request<PbMemberPromoteRequest>,
    ) -> Answer<PbMemberPromoteResponse> {
        self.admit("MemberPromote", OnLearner::Refuses, &request)?;
        let promoted = self.server.promote(request.into_inner().id).await;
        let members = members(self.judged("promote", promoted)?)?;
        Ok(Response::new(PbMemberPromoteResponse {
            header: self.header(),
            members,
        }))
    }
}

impl Api {
    /// Notes a refusal in the trace: what an operator was refused explains what it does next.
    fn judged<T>(&self, what: &str, judgement: Result<T, Failure>) -> Result<T, Failure> {
        judgement.inspect_err(|failure| {
            self.server
                .process()
                .trace(format_args!("refuses to {what} a member: {failure}"));
        })
    }
}

fn members(applied: Applied) -> Result<Vec<PbMember>, Status> {
    match applied {
        Applied::Members(members) => Ok(members),
        _ => Err(mismatch()),
    }
}
