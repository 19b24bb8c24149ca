//! The gRPC services for clients.
//!
//! Owns: routing, what every call has in common (counting, learners, `require-leader`, headers).
//! Always holds: every answer has a header with the right cluster, member and term; a call that is
//! not modelled is refused with "not modelled" and its name.
//! Deliberately does not know: how requests are decided; it translates them.

mod cluster;
mod kv;
mod lease;
mod maintenance;
mod watch;

use std::{pin::Pin, sync::Arc};

use etcd_client::proto::{
    PbClusterServer, PbKvServer, PbLeaseServer, PbMaintenanceServer, PbResponseHeader,
    PbWatchServer,
};
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{Status, body::Body, codegen::Service, server::NamedService};

use super::{failure::Failure, member::Member, server::Server};

type Answer<T> = Result<tonic::Response<T>, Status>;
/// A stream of answers.
type Answers<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

/// The services.
#[derive(Clone)]
pub(super) struct Api {
    server: Arc<Server>,
}

/// Whether a learner serves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnLearner {
    Serves,
    Refuses,
}

impl Api {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server }
    }

    /// Hands a request to its service.
    pub(super) async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let service = path.split('/').nth(1).unwrap_or_default();
        let this = self.clone();
        match service {
            _ if service == PbKvServer::<Self>::NAME => call(PbKvServer::new(this), request).await,
            _ if service == PbClusterServer::<Self>::NAME => {
                call(PbClusterServer::new(this), request).await
            }
            _ if service == PbMaintenanceServer::<Self>::NAME => {
                call(PbMaintenanceServer::new(this), request).await
            }
            _ if service == PbLeaseServer::<Self>::NAME => {
                call(PbLeaseServer::new(this), request).await
            }
            _ if service == PbWatchServer::<Self>::NAME => {
                call(PbWatchServer::new(this), request).await
            }
            _ => Status::unimplemented(format!("not modelled: {path}")).into_http(),
        }
    }

    /// What happens before every call: it is counted, and refused on a learner, or without a
    /// leader if the client asks for one.
    fn admit<T>(
        &self,
        method: &'static str,
        on_learner: OnLearner,
        request: &tonic::Request<T>,
    ) -> Result<(), Failure> {
        self.server.process().count_call(method);
        let wants_leader = request
            .metadata()
            .get("hasleader")
            .is_some_and(|value| value == "true");
        self.server.look(|member| {
            if on_learner == OnLearner::Refuses && member.is_learner() {
                return Err(Failure::LearnerRefuses(member.quirks().learner_refusal));
            }
            if wants_leader && member.leader() == 0 {
                return Err(Failure::NoLeader);
            }
            Ok(())
        })
    }

    /// A header without a revision, as cluster and maintenance calls have it.
    fn header(&self) -> Option<PbResponseHeader> {
        self.server.look(|member| Some(header_of(member)))
    }

    /// A header with the revision that the answer was applied at, or the store's if it was only read.
    fn header_applied(&self, applied: Option<PbResponseHeader>) -> Option<PbResponseHeader> {
        let Some(PbResponseHeader { revision, .. }) = applied else {
            return self.header_with_revision();
        };
        self.server.look(|member| {
            Some(PbResponseHeader {
                revision,
                ..header_of(member)
            })
        })
    }

    /// A header with the store's revision.
    fn header_with_revision(&self) -> Option<PbResponseHeader> {
        let revision = |member: &Member| member.state().store.revision();
        self.server.look(|m| {
            Some(PbResponseHeader {
                revision: revision(m),
                ..header_of(m)
            })
        })
    }
}

fn header_of(member: &Member) -> PbResponseHeader {
    PbResponseHeader {
        cluster_id: member.state().cluster,
        member_id: member.id(),
        revision: 0,
        raft_term: member.term(),
    }
}

async fn call<S>(mut service: S, request: Request<Incoming>) -> Response<Body>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = std::convert::Infallible>,
{
    // tonic's services are always ready, and cannot fail: failures are statuses.
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// An answer of another kind than the request's: only a bug makes one.
fn mismatch() -> Status {
    Status::internal("a command was answered with the result of another kind of command")
}
