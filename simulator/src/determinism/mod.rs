//! Runs whose every step follows from one seed.
//!
//! Owns: the runtime, thread, clocks and entropy of a simulation, and the check that they are ours.
//! Always holds: the same seed gives the same trace, in this process and in any other; a
//! simulation that could not promise that does not start.
//! Deliberately does not know: what is simulated.
//!
//! What is fixed, and where it leaks without it:
//! - `getrandom`: std's hash keys (kube's runtime polls reconciles in `HashMap` order), `rand`;
//! - ahash's source and process-wide keys: the order of kube's reflector store;
//! - `clock_gettime`: times that kube's event recorder, hyper and h2 read from the system;
//! - fastrand: jitter of kube's watcher backoff;
//! - tokio's own generator: `select!` without `biased`.
//!
//! Task numbers differ between runs in one process and need no care: all hosts share one runtime,
//! which is dropped only after the last line of the trace.

mod interpose;
mod process;
mod seed;

use std::{panic::resume_unwind, thread, time::Duration};

use jiff::Timestamp;
use tokio::runtime::{Builder, RngSeed, Runtime, UnhandledPanic};

pub use seed::Seed;

use crate::{
    clock::Clock,
    net::{SimNet, SimNetOptions},
    trace::Trace,
};

/// When every simulated world begins: 2026-01-01T00:00:00Z, in seconds since 1970.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// Why a simulation would not be deterministic, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NotDeterministic {
    /// Built without tokio's unstable interface.
    #[error(
        "start a simulation: it was built without `--cfg tokio_unstable`. The repository's \
         .cargo/config.toml sets it; the environment variable RUSTFLAGS replaces what is written \
         there, so add `--cfg tokio_unstable` to it or unset it"
    )]
    TokioUnstable,
    /// ahash was used before it could be given a source.
    #[error(
        "start a simulation: ahash drew its keys before. Call \
         simulator::determinism::prepare_process() first thing in main()"
    )]
    Ahash,
    /// Entropy still comes from the kernel.
    #[error(
        "start a simulation: std draws entropy past this program's `getrandom`. Build for \
         a Linux target that links glibc dynamically, such as x86_64-unknown-linux-gnu"
    )]
    Entropy,
    /// The clock is still the kernel's.
    #[error(
        "start a simulation: std reads the time past this program's `clock_gettime`. Build for \
         a Linux target that links glibc dynamically, such as x86_64-unknown-linux-gnu"
    )]
    ClockGettime,
    /// The system refuses another thread.
    #[error("start a simulation: no thread for it")]
    Thread(#[source] std::io::Error),
}

/// What a simulation is made of.
#[derive(Clone, Copy, Debug)]
pub struct SimulationOptions {
    /// The root of all randomness.
    pub seed: Seed,
    /// The simulated network.
    pub net: SimNetOptions,
    /// How many lines of the trace to keep; its hash covers all of them.
    pub keep_lines: usize,
}

impl SimulationOptions {
    /// The usual simulation with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed: Seed(seed),
            net: SimNetOptions::default(),
            keep_lines: 100_000,
        }
    }
}

/// What the code inside a simulation gets.
#[derive(Clone)]
pub struct Simulation {
    /// The root of all randomness; take a named stream of it.
    pub seed: Seed,
    /// The simulated network.
    pub net: SimNet,
    /// Calendar time, starting at 2026-01-01T00:00:00Z.
    pub clock: Clock,
    /// The record of everything that happens.
    pub trace: Trace,
}

/// Fixes what is shared by all threads of the process. [`simulate`] does it too, but then it may
/// come too late: call it first thing in `main` of a program that also does other things.
///
/// # Errors
/// [`NotDeterministic::Ahash`] when it came too late already.
pub fn prepare_process() -> Result<(), NotDeterministic> {
    process::prepare()
}

/// Time by the kernel's clock, also inside a simulation: only to tell people how long a run took.
#[must_use]
pub fn wall_time() -> Duration {
    interpose::kernel_monotonic()
}

/// Runs `body` in a simulation with the usual options.
///
/// # Errors
/// When the run would not be deterministic; the text says what to do.
///
/// # Panics
/// When `body` or any task that it started panics.
pub fn simulate<T: Send>(
    seed: u64,
    body: impl AsyncFnOnce(Simulation) -> T + Send,
) -> Result<T, NotDeterministic> {
    simulate_with(SimulationOptions::new(seed), body)
}

/// Runs `body` in a simulation: on a thread of its own, with simulated clocks and seeded entropy,
/// inside a paused runtime. `body` itself belongs to no host; it starts them and looks on.
///
/// # Errors
/// When the run would not be deterministic; the text says what to do.
///
/// # Panics
/// When `body` or any task that it started panics.
pub fn simulate_with<T: Send>(
    options: SimulationOptions,
    body: impl AsyncFnOnce(Simulation) -> T + Send,
) -> Result<T, NotDeterministic> {
    prepare_process()?;
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(format!("simulation {}", options.seed))
            .stack_size(8 << 20)
            .spawn_scoped(scope, || on_this_thread(options, body))
            .map_err(NotDeterministic::Thread)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn on_this_thread<T>(
    options: SimulationOptions,
    body: impl AsyncFnOnce(Simulation) -> T,
) -> Result<T, NotDeterministic> {
    process::begin_thread(options.seed, EPOCH)?;
    let net = SimNet::new(options.net);
    let runtime = runtime(options.seed, &net)?;
    let result = runtime.block_on(inside(options, net.clone(), body));
    drop(runtime);
    net.uninstall();
    Ok(result)
}

async fn inside<T>(
    options: SimulationOptions,
    net: SimNet,
    body: impl AsyncFnOnce(Simulation) -> T,
) -> T {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH + EPOCH);
    let trace = Trace::new(clock, options.keep_lines);
    net.install(options.seed.stream("net"), trace.clone());
    body(Simulation {
        seed: options.seed,
        net,
        clock,
        trace,
    })
    .await
}

#[cfg(tokio_unstable)]
fn runtime(seed: Seed, net: &SimNet) -> Result<Runtime, NotDeterministic> {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .rng_seed(RngSeed::from_bytes(&seed.derive("tokio").0.to_le_bytes()))
        // A panic in a spawned task would otherwise end only that task, and the run would go on.
        .unhandled_panic(UnhandledPanic::ShutdownRuntime);
    let start = process::Started::now();
    net.watch_tasks(&mut builder, move || start.follow_tokio(EPOCH));
    builder.build().map_err(NotDeterministic::Thread)
}

#[cfg(not(tokio_unstable))]
fn runtime(_: Seed, _: &SimNet) -> Result<Runtime, NotDeterministic> {
    Err(NotDeterministic::TokioUnstable)
}
