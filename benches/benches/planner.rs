//! How fast the planner decides: settled, growing, shrinking.

use std::hint::black_box;

use benches::healthy_cluster;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use operator::plan::plan;

fn planner(criterion: &mut Criterion) {
    for (name, voters, size) in [
        ("settled at 5", 5, 5),
        ("growing 3 to 5", 3, 5),
        ("shrinking 5 to 3", 5, 3),
    ] {
        let (desired, observed) = healthy_cluster(voters, size);
        criterion.bench_function(&format!("plan/{name}"), |bencher| {
            bencher.iter(|| {
                plan(
                    black_box(&desired),
                    black_box(&observed),
                    Timestamp::UNIX_EPOCH,
                )
            });
        });
    }
}

criterion_group!(benches, planner);
criterion_main!(benches);
