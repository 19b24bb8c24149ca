//! Dialling peers: for the stream of their messages, and for single questions.
//!
//! Owns: when a stream is dialled again, and what a refusal means.
//! Always holds: a peer is dialled at most every 100 ms, under its name, which is looked up anew
//! each time; a stream on which nothing comes for 5 s is taken for dead.
//! Deliberately does not know: how the other side answers.

use std::{io, sync::Arc, time::Duration};

use protobuf::Message as _;
use raft::eraftpb::Message;
use tokio::{
    io::BufReader,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::wire::{Ask, Question, Reply, Said, read_frame, read_message, write_message};
use crate::{
    etcd::{
        process::{Level, Process},
        server::Server,
        urls::Url,
        version::Version,
    },
    net::Stream,
};

/// Least time between two attempts.
const AGAIN: Duration = Duration::from_millis(100);
/// Silence that means that the peer is gone.
const SILENCE: Duration = Duration::from_secs(5);

/// Keeps the stream from a peer up for as long as there is someone to tell its URLs. A stream that
/// is up stays up when they change; only the next attempt goes elsewhere.
pub(super) async fn keep_stream(
    server: Arc<Server>,
    peer: u64,
    mut urls: watch::Receiver<Vec<Url>>,
) {
    let mut complained = None;
    let known = urls.clone();
    let dialling = async {
        for attempt in 0.. {
            let again_at = Instant::now() + AGAIN;
            let url = {
                let urls = known.borrow();
                urls.get(attempt % urls.len().max(1)).cloned()
            };
            let ended = match &url {
                Some(url) => stream_once(&server, peer, url).await,
                None => Ended::NotTaken,
            };
            server.act(|member, now| member.link_down(peer, now));
            complain(server.process(), peer, &ended, &mut complained);
            if ended == Ended::Gone {
                server.act(|member, _| member.told_removed());
                return;
            }
            sleep_until(again_at).await;
        }
    };
    tokio::select! {
        biased;
        () = async { while urls.changed().await.is_ok() {} } => {}
        () = dialling => {}
    }
}

/// Why a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    Lost(io::ErrorKind),
    OtherCluster,
    Gone,
    NotTaken,
}

async fn stream_once(server: &Arc<Server>, peer: u64, url: &Url) -> Ended {
    let question = server.peers().question(Ask::Stream, peer);
    let limit = server.look(|member| member.config().peer_dial_timeout());
    match open(server.process(), url, &question, limit).await {
        Ok((stream, reply)) => match reply.said() {
            Some(Said::Streaming) => Ended::Lost(receive(server, peer, &reply, stream).await),
            Some(Said::OtherCluster) => Ended::OtherCluster,
            Some(Said::Gone) => Ended::Gone,
            _ => Ended::NotTaken,
        },
        Err(error) => Ended::Lost(error.kind()),
    }
}

/// Takes a peer's messages until the stream breaks.
async fn receive(server: &Arc<Server>, peer: u64, reply: &Reply, stream: Stream) -> io::ErrorKind {
    let version = reply.version.parse().unwrap_or(Version::new(0, 0, 0));
    server.act(|member, now| member.link_up(peer, version, now));
    let mut stream = BufReader::new(stream);
    loop {
        let body = match timeout(SILENCE, read_frame(&mut stream)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return error.kind(),
            Err(_) => return io::ErrorKind::TimedOut,
        };
        if body.is_empty() {
            continue;
        }
        let mut message = Message::default();
        if message.merge_from_bytes(&body).is_err() {
            return io::ErrorKind::InvalidData;
        }
        server.act(|member, now| member.step(message, now));
    }
}

/// Logs a refusal once, not each time.
fn complain(process: &Process, peer: u64, ended: &Ended, last: &mut Option<Ended>) {
    if last.as_ref() == Some(ended) {
        return;
    }
    *last = Some(ended.clone());
    let peer = format!("{peer:x}");
    match ended {
        Ended::OtherCluster => {
            let message = "request sent was ignored by remote peer due to cluster ID mismatch";
            process.log(Level::Warn, message, &[("remote-peer-id", &peer)]);
            process.trace(format_args!("{message} ({peer})"));
        }
        Ended::Lost(kind) => {
            let message = "lost TCP streaming connection with remote peer";
            let error = kind.to_string();
            process.log(
                Level::Warn,
                message,
                &[("remote-peer-id", &peer), ("error", &error)],
            );
        }
        Ended::Gone | Ended::NotTaken => {}
    }
}

/// Asks a question at a URL, and waits for the answer for as long as the connection lives. Opening
/// it is bounded by `dial`, as in etcd (`rafthttp.NewRoundTripper`): an address that nobody has any
/// more swallows everything.
pub(in crate::etcd) async fn ask_url(
    process: &Process,
    url: &Url,
    question: &Question,
    dial: Duration,
) -> io::Result<Reply> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let dialled = timeout(dial, process.connect(url.host(), url.port())).await;
    let mut stream = dialled.map_err(late)??;
    write_message(&mut stream, question).await?;
    read_message(&mut stream).await
}

async fn open(
    process: &Process,
    url: &Url,
    question: &Question,
    limit: Duration,
) -> io::Result<(Stream, Reply)> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let dialled = timeout(limit, process.connect(url.host(), url.port())).await;
    let mut stream = dialled.map_err(late)??;
    let asked = async {
        write_message(&mut stream, question).await?;
        read_message(&mut stream).await
    };
    let reply = timeout(SILENCE, asked).await.map_err(late)??;
    Ok((stream, reply))
}
