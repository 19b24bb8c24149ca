//! The other members, as far as this one talks to them.
//!
//! Owns: one stream from each peer (dialled by this member, carrying the peer's messages), and one
//! outbox to each (filled by raft, emptied by the stream that the peer has dialled).
//! Always holds: a peer counts as connected exactly while the stream from it is up; a message to a
//! peer without a stream is lost, as raft expects of a network.
//! Deliberately does not know: what messages mean.

mod answer;
mod dial;
pub(super) mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protobuf::Message as _;
use raft::eraftpb::{Message, MessageType};
use tokio::sync::{mpsc, watch};

use super::{process::Process, server::Server, urls::Url};
use wire::{Ask, Said};

pub(super) use answer::serve;
pub(super) use dial::ask_url;

/// Messages that may wait for a slow peer; the rest is dropped, as etcd does.
const OUTBOX: usize = 4096;

/// The other members.
pub(super) struct Peers {
    own: u64,
    cluster: u64,
    process: Arc<Process>,
    /// Members that a joining member was told of, until the log tells.
    told: BTreeMap<u64, Vec<String>>,
    table: Mutex<BTreeMap<u64, Peer>>,
    /// The other cluster whose member was turned away last: said once, not ten times a second.
    turned_away: Mutex<Option<u64>>,
    dial_timeout: Duration,
}

struct Peer {
    urls: Vec<String>,
    outbox: Option<mpsc::Sender<Letter>>,
    /// Proposals made before the peer has opened its stream. etcd posts them on a connection of
    /// its own (its "pipeline"); here they wait for the stream, which is dialled all the while.
    early: Vec<Letter>,
    /// Where it is dialled. Dropping it ends the dialling.
    dialled: watch::Sender<Vec<Url>>,
}

/// A message on its way out.
struct Letter {
    body: Vec<u8>,
    is_snapshot: bool,
}

impl Peers {
    pub(super) fn new(
        process: Arc<Process>,
        own: u64,
        cluster: u64,
        told: BTreeMap<u64, Vec<String>>,
        dial_timeout: Duration,
    ) -> Self {
        Self {
            own,
            cluster,
            process,
            told,
            dial_timeout,
            table: Mutex::default(),
            turned_away: Mutex::default(),
        }
    }

    /// Peers that are known.
    pub(super) fn count(&self) -> usize {
        self.table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Talks to the members there are now: new ones are dialled, those gone are not any more.
    pub(super) fn follow(&self, server: &Arc<Server>) {
        let wanted = server.look(|member| {
            let members = &member.state().members;
            let told = self.told.iter().filter(|(id, _)| !members.is_removed(**id));
            let mut wanted: BTreeMap<u64, Vec<String>> =
                told.map(|(id, urls)| (*id, urls.clone())).collect();
            wanted.extend(
                members
                    .list()
                    .into_iter()
                    .map(|peer| (peer.id, peer.peer_ur_ls)),
            );
            wanted.remove(&self.own);
            wanted
        });
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|id, _| wanted.contains_key(id));
        for (id, urls) in wanted {
            let targets = urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
            if let Some(peer) = table.get_mut(&id) {
                if peer.urls != urls {
                    peer.urls = urls;
                    peer.dialled.send_replace(targets);
                }
                continue;
            }
            let (dialled, urls_to_dial) = watch::channel(targets);
            let dialling = dial::keep_stream(Arc::clone(server), id, urls_to_dial);
            server.process().spawn(dialling);
            let peer = Peer {
                urls,
                outbox: None,
                early: Vec::new(),
                dialled,
            };
            table.insert(id, peer);
        }
    }

    /// Puts a message into its outbox; `false` when there is no stream to take it.
    pub(super) fn send(&self, message: &Message) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(peer) = table.get_mut(&message.to) else {
            return false;
        };
        let kind = message.get_msg_type();
        let body = message
            .write_to_bytes()
            .expect("a message without required fields can always be written");
        let is_snapshot = kind == MessageType::MsgSnapshot;
        let letter = Letter { body, is_snapshot };
        match &peer.outbox {
            Some(outbox) => outbox.try_send(letter).is_ok(),
            None if kind == MessageType::MsgPropose && peer.early.len() < OUTBOX => {
                peer.early.push(letter);
                true
            }
            None => false,
        }
    }

    /// Asks a peer something on a connection of its own.
    pub(super) async fn ask(&self, peer: u64, ask: Ask) -> Option<Said> {
        let urls = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.get(&peer)?.urls.clone()
        };
        let question = wire::Question::new(ask, self.cluster, self.own, peer);
        for url in urls.iter().filter_map(|url| Url::parse(url).ok()) {
            if let Ok(reply) = ask_url(&self.process, &url, &question, self.dial_timeout).await {
                return reply.said();
            }
        }
        None
    }

    /// A stream to a peer was opened: messages go there from now on. `None` for strangers.
    fn open_outbox(&self, peer: u64) -> Option<mpsc::Receiver<Letter>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let (outbox, letters) = mpsc::channel(OUTBOX);
        let peer = table.get_mut(&peer)?;
        for letter in peer.early.drain(..) {
            // The outbox is as large as what may wait for it.
            let _ = outbox.try_send(letter);
        }
        peer.outbox = Some(outbox);
        Some(letters)
    }

    /// Notes a member of another cluster; whether that is news.
    fn turn_away(&self, cluster: u64) -> bool {
        let mut last = self
            .turned_away
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.replace(cluster) != Some(cluster)
    }

    fn question(&self, ask: Ask, to: u64) -> wire::Question {
        wire::Question::new(ask, self.cluster, self.own, to)
    }
}
