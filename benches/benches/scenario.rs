//! How fast whole worlds go: a calm one, the walk, made-up stories with faults, and making one small.

use std::{hint::black_box, time::Duration};

use benches::runs;
use chaos::fault::Fault;
use criterion::{Criterion, criterion_group, criterion_main};
use scenarios::fuzz::{attempt, generate, shrink::shrink};

fn calm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scenario");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    for size in [1, 3, 5] {
        let minutes = runs::calm(size, "10m");
        group.bench_function(format!("10 calm minutes of {size}"), |bencher| {
            bencher.iter(|| runs::pass(&minutes, 1));
        });
    }
    let walk = runs::walk();
    group.bench_function("the walk", |bencher| {
        bencher.iter(|| runs::pass(&walk, 1));
    });
    group.finish();
}

fn chaos(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fuzz");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    let kinds = Fault::kinds();
    group.bench_function("8 seeds", |bencher| {
        bencher.iter(|| {
            for seed in 1..=8 {
                black_box(attempt(&generate::scenario(seed, &kinds), seed));
            }
        });
    });
    // What shrinking itself takes, without the runs that it asks for.
    let story = generate::scenario(5, &kinds);
    group.bench_function("shrink, runs not counted", |bencher| {
        bencher.iter(|| shrink(&story, 200, &mut |smaller| smaller.steps.len() > 2));
    });
    group.finish();
}

criterion_group!(benches, calm, chaos);
criterion_main!(benches);
