//! The member list by a linearizable read, which etcd-client cannot ask for.

use std::marker::PhantomData;

use etcd_client::proto::{PbMemberListRequest, PbMemberListResponse};
use tonic::{
    Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::fixture::World;

impl World {
    pub(super) async fn linearizable_list(
        &self,
        name: &str,
    ) -> Result<PbMemberListResponse, etcd_client::Error> {
        let mut grpc = Grpc::new(self.channel(name));
        grpc.ready().await.expect("a lazy channel");
        let path = http::uri::PathAndQuery::from_static("/etcdserverpb.Cluster/MemberList");
        let request = tonic::Request::new(PbMemberListRequest { linearizable: true });
        let answer = grpc.unary(request, path, Prost::default()).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(etcd_client::Error::GRpcStatus)
    }
}

struct Prost<A, B>(PhantomData<(A, B)>);

impl<A, B> Default for Prost<A, B> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A, B> Codec for Prost<A, B>
where
    A: prost::Message + Send + 'static,
    B: prost::Message + Default + Send + 'static,
{
    type Encode = A;
    type Decode = B;
    type Encoder = Prost<A, B>;
    type Decoder = Prost<A, B>;

    fn encoder(&mut self) -> Self::Encoder {
        Self::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Self::default()
    }
}

impl<A: prost::Message, B> Encoder for Prost<A, B> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, item: A, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A, B: prost::Message + Default> Decoder for Prost<A, B> {
    type Item = B;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<B>, Status> {
        B::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
