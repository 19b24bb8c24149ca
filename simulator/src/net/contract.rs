//! What every network promises; each case runs on both.
//!
//! Owns: the cases. They wait for conditions and short times only, as one arm runs in real time.
//! Deliberately does not know: which network it runs on.

use std::{future::Future, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{Death, HostId, LoopbackNet, Net, Stream};
use crate::{clock::Clock, determinism::simulate, trace::Trace};

type AnyNet = Arc<dyn Net>;

const PORT: u16 = 2379;
const SOON: Duration = Duration::from_secs(2);
const A_WHILE: Duration = Duration::from_millis(150);

fn on_sim<F: Future<Output = ()>>(case: impl FnOnce(AnyNet) -> F + Send) {
    simulate(1, async |simulation| case(Arc::new(simulation.net)).await).unwrap();
}

fn on_loopback<F: Future<Output = ()>>(case: impl FnOnce(AnyNet) -> F + Send) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let trace = Trace::new(Clock::starting_at(jiff::Timestamp::UNIX_EPOCH), 100);
        case(Arc::new(LoopbackNet::claim(trace).unwrap())).await;
    });
}

/// Listens on a host and sends back what it gets, also on the same connection again and again.
async fn echo_on(net: &AnyNet, host: HostId) {
    let (ready, mut is_ready) = mpsc::unbounded_channel();
    let listening = Arc::clone(net);
    let server = async move {
        let mut listener = listening.bind(host, PORT).await.unwrap();
        ready.send(()).unwrap();
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let echo = async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            };
            listening.spawn(host, Box::pin(echo));
        }
    };
    net.spawn(host, Box::pin(server));
    is_ready.recv().await.unwrap();
}

async fn pair(net: &AnyNet) -> (HostId, HostId, Stream) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    echo_on(net, server).await;
    let stream = dial(net, client, server).await.unwrap();
    (client, server, stream)
}

async fn dial(net: &AnyNet, from: HostId, to: HostId) -> std::io::Result<Stream> {
    net.connect(from, SocketAddr::new(net.ip(to), PORT)).await
}

async fn ask(stream: &mut Stream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

async fn bytes_go_there_and_back(net: AnyNet) {
    let (_, _, mut stream) = pair(&net).await;
    assert_eq!(ask(&mut stream, "hello").await.unwrap(), "hello");
    assert_eq!(ask(&mut stream, "again").await.unwrap(), "again");
}

async fn megabytes_arrive_whole(net: AnyNet) {
    let (_, _, stream) = pair(&net).await;
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index / 7).to_le_bytes()[0])
        .collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = vec![0; sent.len()];
    let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
    written.unwrap();
    read.unwrap();
    assert!(received == sent, "bytes changed on their way");
}

async fn a_reader_that_is_late_gets_everything(net: AnyNet) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    let mut listener = net.bind(server, PORT).await.unwrap();
    let sender = async {
        let mut stream = dial(&net, client, server).await.unwrap();
        stream.write_all(&[7; 500_000]).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let reader = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        sleep(A_WHILE).await;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), 500_000);
    };
    timeout(SOON, async { tokio::join!(sender, reader) })
        .await
        .unwrap();
}

async fn the_listener_sees_the_caller_s_address(net: AnyNet) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    let mut listener = net.bind(server, PORT).await.unwrap();
    let (dialled, accepted) = tokio::join!(dial(&net, client, server), listener.accept());
    dialled.unwrap();
    assert_eq!(accepted.unwrap().1.ip(), net.ip(client));
}

async fn a_host_reaches_itself(net: AnyNet) {
    let host = net.add_host("alone").unwrap();
    echo_on(&net, host).await;
    let mut by_address = dial(&net, host, host).await.unwrap();
    assert_eq!(ask(&mut by_address, "me").await.unwrap(), "me");
}

async fn a_port_that_nobody_listens_on_refuses(net: AnyNet) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    let refused = timeout(SOON, dial(&net, client, server)).await.unwrap();
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::ConnectionRefused);
}

async fn a_port_that_is_taken_says_so(net: AnyNet) {
    let host = net.add_host("host").unwrap();
    let _first = net.bind(host, PORT).await.unwrap();
    let second = net.bind(host, PORT).await;
    assert_eq!(second.err().unwrap().kind(), ErrorKind::AddrInUse);
}

async fn the_end_of_a_stream_is_seen(net: AnyNet) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    let mut listener = net.bind(server, PORT).await.unwrap();
    let (dialled, accepted) = tokio::join!(dial(&net, client, server), listener.accept());
    drop(accepted.unwrap());
    let mut buffer = [0; 1];
    assert_eq!(
        timeout(SOON, dialled.unwrap().read(&mut buffer))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

async fn writing_to_a_closed_stream_fails_in_the_end(net: AnyNet) {
    let (client, server) = (
        net.add_host("client").unwrap(),
        net.add_host("server").unwrap(),
    );
    let mut listener = net.bind(server, PORT).await.unwrap();
    let (dialled, accepted) = tokio::join!(dial(&net, client, server), listener.accept());
    drop(accepted.unwrap());
    let mut stream = dialled.unwrap();
    let writes = async {
        while stream.write_all(b"anybody there?").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, writes)
        .await
        .expect("no error although nobody reads");
}

async fn a_killed_process_resets_its_peers_and_refuses(net: AnyNet) {
    let (client, server, mut stream) = pair(&net).await;
    ask(&mut stream, "alive").await.unwrap();
    net.kill(server, Death::Process);
    let mut buffer = [0; 1];
    let error = timeout(SOON, stream.read(&mut buffer))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let refused = timeout(SOON, dial(&net, client, server)).await.unwrap();
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::ConnectionRefused);
}

async fn a_lost_node_is_silent(net: AnyNet) {
    let (client, server, mut stream) = pair(&net).await;
    net.kill(server, Death::Node);
    let mut buffer = [0; 1];
    assert!(
        timeout(A_WHILE, stream.read(&mut buffer)).await.is_err(),
        "the peer heard of it"
    );
    assert!(
        timeout(A_WHILE, dial(&net, client, server)).await.is_err(),
        "somebody answered"
    );
}

async fn a_killed_host_runs_again(net: AnyNet) {
    for death in [Death::Process, Death::Node] {
        let (client, server, _) = pair(&net).await;
        let address = net.ip(server);
        net.kill(server, death);
        echo_on(&net, server).await;
        assert_eq!(net.ip(server), address);
        let mut stream = timeout(SOON, dial(&net, client, server))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(ask(&mut stream, "back").await.unwrap(), "back");
    }
}

async fn what_ran_on_a_killed_host_has_ended(net: AnyNet) {
    let host = net.add_host("host").unwrap();
    let (beat, mut beats) = mpsc::unbounded_channel();
    let heart = async move {
        while beat.send(()).is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    net.spawn(host, Box::pin(heart));
    beats.recv().await.unwrap();
    net.kill(host, Death::Process);
    while timeout(SOON, beats.recv())
        .await
        .expect("still beating or never dropped")
        .is_some()
    {}
}

async fn a_paused_host_accepts_but_does_not_answer(net: AnyNet) {
    let (client, server, mut stream) = pair(&net).await;
    net.pause(server);
    let mut second = timeout(SOON, dial(&net, client, server))
        .await
        .unwrap()
        .unwrap();
    assert!(timeout(A_WHILE, ask(&mut stream, "first")).await.is_err());
    assert!(timeout(A_WHILE, ask(&mut second, "other")).await.is_err());
    net.resume(server);
    let mut answer = [0; 5];
    timeout(SOON, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"first");
    timeout(SOON, second.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"other");
}

async fn a_cut_parks_what_is_sent_until_it_heals(net: AnyNet) {
    for to_server in [true, false] {
        let (client, server, mut stream) = pair(&net).await;
        let (from, to) = if to_server {
            (client, server)
        } else {
            (server, client)
        };
        net.cut(from, to);
        assert!(timeout(A_WHILE, ask(&mut stream, "parked")).await.is_err());
        net.heal(from, to);
        let mut answer = [0; 6];
        timeout(SOON, stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"parked");
    }
}

async fn a_dial_through_a_cut_waits_until_it_heals(net: AnyNet) {
    for to_server in [true, false] {
        let (client, server, _) = pair(&net).await;
        let (from, to) = if to_server {
            (client, server)
        } else {
            (server, client)
        };
        net.cut(from, to);
        let mut dialling = net.connect(client, SocketAddr::new(net.ip(server), PORT));
        assert!(timeout(A_WHILE, &mut dialling).await.is_err());
        net.heal(from, to);
        let mut stream = timeout(SOON, dialling).await.unwrap().unwrap();
        assert_eq!(ask(&mut stream, "through").await.unwrap(), "through");
    }
}

async fn a_cut_of_one_pair_leaves_others_alone(net: AnyNet) {
    let (client, server, _) = pair(&net).await;
    let bystander = net.add_host("bystander").unwrap();
    net.cut(client, server);
    let mut stream = timeout(SOON, dial(&net, bystander, server))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ask(&mut stream, "fine").await.unwrap(), "fine");
}

async fn a_removed_host_gives_its_address_back(net: AnyNet) {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let host = net.add_host("short-lived").unwrap();
        seen.insert(net.ip(host));
        net.remove_host(host);
    }
    assert!(seen.len() > 1, "the next host gets another address");
}

async fn a_new_host_on_an_old_address_answers(net: AnyNet) {
    let client = net.add_host("client").unwrap();
    for round in 0..100 {
        let server = net.add_host("server").unwrap();
        if round % 10 == 0 || net.ip(server) == net.ip(client) {
            echo_on(&net, server).await;
            let mut stream = timeout(SOON, dial(&net, client, server))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(ask(&mut stream, "new").await.unwrap(), "new");
            if round % 20 == 0 {
                net.kill(server, Death::Node);
            }
        }
        net.remove_host(server);
    }
}

/// Only the simulated network can know that nothing hinders anybody.
#[test]
fn what_hinders_is_known() {
    simulate(1, async |simulation| {
        let net = simulation.net;
        let (one, other) = (net.add_host("one").unwrap(), net.add_host("other").unwrap());
        let seen = || (net.is_whole(), net.answers(one, other));
        assert_eq!(seen(), (true, true));
        net.cut(other, one);
        assert_eq!(seen(), (false, false));
        net.heal(other, one);
        net.slow(one, other, A_WHILE);
        assert_eq!(seen(), (false, true));
        net.slow(one, other, Duration::ZERO);
        net.pause(other);
        assert_eq!(seen(), (false, false));
        net.resume(other);
        net.kill(other, Death::Node);
        assert_eq!(seen(), (false, false));
        net.remove_host(other);
        assert!(net.is_whole(), "what is gone hinders nobody");
    })
    .unwrap();
}

macro_rules! both {
    ($($case:ident),* $(,)?) => {
        mod sim {
            $(#[test] fn $case() { super::on_sim(super::$case); })*
        }
        mod loopback {
            $(#[test] fn $case() { super::on_loopback(super::$case); })*
        }
    };
}

both!(
    bytes_go_there_and_back,
    megabytes_arrive_whole,
    a_reader_that_is_late_gets_everything,
    the_listener_sees_the_caller_s_address,
    a_host_reaches_itself,
    a_port_that_nobody_listens_on_refuses,
    a_port_that_is_taken_says_so,
    the_end_of_a_stream_is_seen,
    writing_to_a_closed_stream_fails_in_the_end,
    a_killed_process_resets_its_peers_and_refuses,
    a_lost_node_is_silent,
    a_killed_host_runs_again,
    what_ran_on_a_killed_host_has_ended,
    a_paused_host_accepts_but_does_not_answer,
    a_cut_parks_what_is_sent_until_it_heals,
    a_dial_through_a_cut_waits_until_it_heals,
    a_cut_of_one_pair_leaves_others_alone,
    a_removed_host_gives_its_address_back,
    a_new_host_on_an_old_address_answers,
);
