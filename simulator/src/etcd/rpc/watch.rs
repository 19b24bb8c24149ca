//! The Watch service.
//!
//! Owns: the watchers of each stream, and which revision each has seen.
//! Always holds: a watcher sees every matching event from its start on, once, in order, and all
//! events of a revision in one answer.
//! Deliberately does not know: how events come about; it reads them from the store's history.

use std::{collections::BTreeMap, sync::Arc};

use etcd_client::proto::{
    PbEvent, PbWatchRequest, PbWatchRequestUnion, PbWatchResponse, PbWatchService,
};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, Answers, Api, OnLearner};
use crate::etcd::{server::Server, store::Span};

/// Answers that may wait for a slow client.
const BACKLOG: usize = 64;
/// Filters that a watcher may ask for.
const NO_PUT: i32 = 0;
const NO_DELETE: i32 = 1;

#[tonic::async_trait]
impl PbWatchService for Api {
    type WatchStream = Answers<PbWatchResponse>;

    async fn watch(
        &self,
        request: Request<Streaming<PbWatchRequest>>,
    ) -> Answer<Self::WatchStream> {
        self.admit("Watch", OnLearner::Refuses, &request)?;
        let (answers, receiver) = mpsc::channel(BACKLOG);
        let watching = Watching {
            api: self.clone(),
            answers,
            watchers: BTreeMap::new(),
            next_id: 0,
        };
        let server = Arc::clone(&self.server);
        server.process().spawn(watching.run(request.into_inner()));
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// One client's stream of watchers.
struct Watching {
    api: Api,
    answers: mpsc::Sender<Result<PbWatchResponse, Status>>,
    watchers: BTreeMap<i64, Watcher>,
    next_id: i64,
}

struct Watcher {
    span: Span,
    next_revision: i64,
    with_previous: bool,
    filters: Vec<i32>,
}

/// The client has gone.
struct Gone;

impl Watching {
    async fn run(mut self, mut requests: Streaming<PbWatchRequest>) {
        let mut revisions = self.server().revisions();
        loop {
            let went = tokio::select! {
                biased;
                () = self.answers.closed() => Err(Gone),
                request = requests.next() => match request {
                    Some(Ok(request)) => self.take(request).await,
                    Some(Err(_)) | None => Err(Gone),
                },
                // The sender lives as long as the server, which this stream holds.
                _ = revisions.changed() => self.tell_all().await,
            };
            if went.is_err() {
                return;
            }
        }
    }

    fn server(&self) -> &Arc<Server> {
        &self.api.server
    }

    async fn take(&mut self, request: PbWatchRequest) -> Result<(), Gone> {
        match request.request_union {
            Some(PbWatchRequestUnion::CreateRequest(create)) => {
                let taken = self.watchers.contains_key(&create.watch_id);
                let id = if create.watch_id == 0 || taken {
                    self.free_id()
                } else {
                    create.watch_id
                };
                let now = self.server().look(|member| member.state().store.revision());
                let next_revision = if create.start_revision > 0 {
                    create.start_revision
                } else {
                    now + 1
                };
                let watcher = Watcher {
                    span: Span::new(&create.key, &create.range_end),
                    next_revision,
                    with_previous: create.prev_kv,
                    filters: create.filters,
                };
                self.watchers.insert(id, watcher);
                self.answer(PbWatchResponse {
                    watch_id: id,
                    created: true,
                    ..PbWatchResponse::default()
                })
                .await?;
                self.tell(id).await
            }
            Some(PbWatchRequestUnion::CancelRequest(cancel)) => {
                let watch_id = cancel.watch_id;
                if self.watchers.remove(&watch_id).is_none() {
                    return Ok(());
                }
                self.answer(PbWatchResponse {
                    watch_id,
                    canceled: true,
                    ..PbWatchResponse::default()
                })
                .await
            }
            Some(PbWatchRequestUnion::ProgressRequest(_)) => {
                self.answer(PbWatchResponse {
                    watch_id: -1,
                    ..PbWatchResponse::default()
                })
                .await
            }
            None => Ok(()),
        }
    }

    fn free_id(&mut self) -> i64 {
        while self.watchers.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id
    }

    async fn tell_all(&mut self) -> Result<(), Gone> {
        for id in self.watchers.keys().copied().collect::<Vec<_>>() {
            self.tell(id).await?;
        }
        Ok(())
    }

    /// Sends a watcher what it has not seen yet.
    async fn tell(&mut self, id: i64) -> Result<(), Gone> {
        let Some(watcher) = self.watchers.get_mut(&id) else {
            return Ok(());
        };
        let (events, now, compacted) = self.api.server.look(|member| {
            let store = &member.state().store;
            let events =
                store.events_since(watcher.next_revision, &watcher.span, watcher.with_previous);
            (events, store.revision(), store.compacted())
        });
        if watcher.next_revision < compacted {
            self.watchers.remove(&id);
            return self
                .answer(PbWatchResponse {
                    watch_id: id,
                    canceled: true,
                    compact_revision: compacted,
                    ..PbWatchResponse::default()
                })
                .await;
        }
        watcher.next_revision = watcher.next_revision.max(now + 1);
        let events: Vec<PbEvent> = events
            .into_iter()
            .filter(|event| watcher.wants(event))
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        self.answer(PbWatchResponse {
            watch_id: id,
            events,
            ..PbWatchResponse::default()
        })
        .await
    }

    async fn answer(&self, mut response: PbWatchResponse) -> Result<(), Gone> {
        response.header = self.api.header_with_revision();
        self.answers.send(Ok(response)).await.map_err(|_| Gone)
    }
}

impl Watcher {
    fn wants(&self, event: &PbEvent) -> bool {
        let unwanted = if event.r#type == 0 { NO_PUT } else { NO_DELETE };
        !self.filters.contains(&unwanted)
    }
}
