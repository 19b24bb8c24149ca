//! Answering on the peer port.
//!
//! Owns: who is let in, and sending a peer its messages.
//! Always holds: a removed member is told so; a member of another cluster gets nothing but the
//! answers that a joining member needs before it can know the cluster.
//! Deliberately does not know: when peers dial.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

use super::{
    Letter,
    wire::{Ask, Question, Reply, Said, put_frame, read_message, write_message},
};
use crate::{
    etcd::{member::Member, process::Level, server::Server, state::Applied},
    net::{Listener, Stream},
};

/// A connection that asks nothing for this long is closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// A stream without messages shows life this often.
const SHOW_LIFE: Duration = Duration::from_millis(1667);

/// Serves the peer port for as long as the process lives.
pub(in crate::etcd) async fn serve(server: Arc<Server>, mut listener: Box<dyn Listener>) {
    while let Ok((stream, _)) = listener.accept().await {
        let served = Arc::clone(&server);
        server.process().spawn(async move {
            // A connection that breaks concerns only whoever dialled it.
            let _ = answer(&served, stream).await;
        });
    }
}

async fn answer(server: &Arc<Server>, mut stream: Stream) -> io::Result<()> {
    let asked = timeout(PATIENCE, read_message::<Question>(&mut stream)).await;
    let question = asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (said, letters) = decide(server, &question).await;
    let mut reply = Reply::new(said);
    server.look(|member| {
        reply.cluster = member.state().cluster;
        reply.version = member.version().to_string();
        reply.cluster_version = member.state().cluster_version.clone().unwrap_or_default();
    });
    write_message(&mut stream, &reply).await?;
    match letters {
        Some(letters) => deliver(server, question.from, stream, letters).await,
        None => stream.shutdown().await,
    }
}

async fn decide(
    server: &Arc<Server>,
    question: &Question,
) -> (Said, Option<mpsc::Receiver<Letter>>) {
    let Some(ask) = question.ask() else {
        return (Said::NotMe, None);
    };
    let said = match ask {
        // A member that only wants to join asks these, and has no cluster yet.
        Ask::Members => Said::Members(server.look(|member| member.state().members.list())),
        Ask::Version => Said::Version,
        _ => match refuse(server, question) {
            Some(refusal) => refusal,
            None => return welcome(server, question.from, ask).await,
        },
    };
    (said, None)
}

fn refuse(server: &Arc<Server>, question: &Question) -> Option<Said> {
    let (cluster, own, is_removed) = server.look(|member| {
        let state = member.state();
        (
            state.cluster,
            member.id(),
            state.members.is_removed(question.from),
        )
    });
    if question.cluster != cluster {
        if !server.peers().turn_away(question.cluster) {
            return Some(Said::OtherCluster);
        }
        let (ours, theirs) = (format!("{cluster:x}"), format!("{:x}", question.cluster));
        let fields = [
            ("local-member-cluster-id", &*ours),
            ("remote-peer-cluster-id", &theirs),
        ];
        server
            .process()
            .log(Level::Warn, "request cluster ID mismatch", &fields);
        return Some(Said::OtherCluster);
    }
    if is_removed {
        return Some(Said::Gone);
    }
    (question.to != own).then_some(Said::NotMe)
}

async fn welcome(
    server: &Arc<Server>,
    from: u64,
    ask: Ask,
) -> (Said, Option<mpsc::Receiver<Letter>>) {
    let said = match ask {
        Ask::Stream => {
            return match server.peers().open_outbox(from) {
                Some(letters) => (Said::Streaming, Some(letters)),
                None => (Said::Unknown, None),
            };
        }
        Ask::Promote(id) => match server.promote_here(id).await {
            Ok(Applied::Members(members)) => Said::Members(members),
            Ok(_) => Said::Members(server.look(|member| member.state().members.list())),
            Err(failure) => Said::Refused(failure),
        },
        Ask::RenewLease(id) => match server.act(|member, now| member.renew_lease(id, now)) {
            Ok(seconds) => Said::Seconds(seconds),
            Err(failure) => Said::Refused(failure),
        },
        Ask::LeaseLeft(id) if server.look(Member::is_leader) => {
            Said::LeaseLeft(server.act(|member, now| member.lease_left(id, now)))
        }
        Ask::LeaseLeft(_) => Said::Refused(crate::etcd::failure::Failure::NotLeader),
        Ask::Members | Ask::Version => Said::NotMe,
    };
    (said, None)
}

/// Sends a peer its messages until either side has enough.
async fn deliver(
    server: &Arc<Server>,
    peer: u64,
    stream: Stream,
    mut letters: mpsc::Receiver<Letter>,
) -> io::Result<()> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let sending = async {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let mut snapshot = false;
            match timeout(SHOW_LIFE, letters.recv()).await {
                Ok(Some(letter)) => snapshot |= pack(&mut buffer, &letter),
                Ok(None) => return writing.shutdown().await,
                Err(_) => put_frame(&mut buffer, &[]),
            }
            while let Ok(letter) = letters.try_recv() {
                snapshot |= pack(&mut buffer, &letter);
            }
            writing.write_all(&buffer).await?;
            writing.flush().await?;
            if snapshot {
                server.act(|member, now| member.snapshot_sent(peer, now));
            }
        }
    };
    let hanging_up = async {
        // The peer says nothing on this connection; what can be read is its end.
        let mut end = [0];
        reading.read(&mut end).await.map(|_| ())
    };
    tokio::select! {
        biased;
        result = sending => result,
        result = hanging_up => result,
    }
}

fn pack(buffer: &mut Vec<u8>, letter: &Letter) -> bool {
    put_frame(buffer, &letter.body);
    letter.is_snapshot
}
