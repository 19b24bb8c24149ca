//! How fast three simulated members agree: writes and reads of one client, one after the other,
//! through the published client, the simulated network and consensus.

use std::time::Duration;

use benches::members::Members;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use simulator::determinism::simulate;

fn etcd(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("etcd");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    let operations = 200;
    group.throughput(Throughput::Elements(operations));
    for size in [1, 3, 5] {
        group.bench_function(format!("200 puts to {size} members"), |bencher| {
            bencher.iter(|| {
                let done = simulate(1, async |simulation| {
                    let mut client = Members::start(&simulation, size).await.client().await;
                    for number in 0..operations {
                        let key = format!("k{}", number % 10);
                        client.put(key, "value", None).await.expect("taken");
                    }
                });
                done.expect("the simulation starts");
            });
        });
        group.bench_function(format!("200 reads of {size} members"), |bencher| {
            bencher.iter(|| {
                let done = simulate(1, async |simulation| {
                    let mut client = Members::start(&simulation, size).await.client().await;
                    for _ in 0..operations {
                        client.get("k", None).await.expect("read");
                    }
                });
                done.expect("the simulation starts");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, etcd);
criterion_main!(benches);
