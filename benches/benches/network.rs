//! How fast bytes and whole requests go between simulated hosts. Each iteration is a whole
//! simulation, so that a start is in it: a millisecond or so.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use simulator::{
    determinism::simulate,
    net::{Net, SimNet},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 2379;

/// Answers every 64 bytes with as many.
async fn echo(net: Arc<SimNet>, host: simulator::net::HostId) {
    let mut listener = net.bind(host, PORT).await.expect("a free port");
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut buffer = [0; 64];
        while stream.read_exact(&mut buffer).await.is_ok() {
            stream.write_all(&buffer).await.expect("a peer that reads");
        }
    }
}

/// So many questions and answers, one after the other, with `idle` other hosts that do nothing.
fn ask(questions: u32, idle: u16) {
    let asked = simulate(1, async |simulation| {
        let net = Arc::new(simulation.net);
        for number in 0..idle {
            net.add_host(&format!("idle-{number}")).expect("an address");
        }
        let server = net.add_host("server").expect("an address");
        let client = net.add_host("client").expect("an address");
        net.spawn(server, Box::pin(echo(Arc::clone(&net), server)));
        tokio::time::sleep(Duration::from_millis(1)).await;
        let to = SocketAddr::new(net.ip(server), PORT);
        let mut stream = net
            .connect(client, to)
            .await
            .expect("a server that listens");
        let mut buffer = [7; 64];
        for _ in 0..questions {
            stream
                .write_all(&buffer)
                .await
                .expect("a server that reads");
            stream.read_exact(&mut buffer).await.expect("an answer");
        }
    });
    asked.expect("the simulation starts");
}

fn network(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("network");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1_000));
    for idle in [0, 40] {
        let name = format!("1000 questions and answers beside {idle} idle hosts");
        group.bench_function(name, |bencher| bencher.iter(|| ask(1_000, idle)));
    }
    group.finish();
}

criterion_group!(benches, network);
criterion_main!(benches);
