//! Preconditions of determinism, per process and per thread.
//!
//! Owns: ahash's source, and the checks that entropy and clocks are really ours.
//! Always holds: after [`begin_thread`] returned, no library on this thread sees kernel entropy or
//! kernel time through libc.
//! Deliberately does not know: tokio's runtime and what runs in it.

use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::OnceLock,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{NotDeterministic, Seed, interpose};

thread_local! {
    /// Keys that ahash drew on this thread; None outside simulations.
    static AHASH_KEYS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// ahash's source: a counter on simulation threads, std's keys elsewhere.
struct Source;

impl ahash::random_state::RandomSource for Source {
    fn gen_hasher_seed(&self) -> usize {
        match AHASH_KEYS.get() {
            Some(drawn) => {
                AHASH_KEYS.set(Some(drawn.wrapping_add(0x9E37_79B9)));
                drawn
            }
            None => usize::try_from(RandomState::new().hash_one(0_u64)).unwrap_or_default(),
        }
    }
}

pub(super) fn prepare() -> Result<(), NotDeterministic> {
    static IN_TIME: OnceLock<bool> = OnceLock::new();
    let in_time = IN_TIME.get_or_init(|| {
        let set = ahash::random_state::set_random_source(Source).is_ok();
        // The first state fixes ahash's process-wide keys, so it is made under fixed entropy.
        let sealed = thread::spawn(|| {
            interpose::begin(0, Duration::ZERO);
            let _sealed = ahash::RandomState::new();
        });
        set && sealed.join().is_ok()
    });
    if *in_time {
        Ok(())
    } else {
        Err(NotDeterministic::Ahash)
    }
}

/// Makes this thread's entropy and clocks simulated. It must be a fresh thread: generators that
/// libraries keep per thread must not have been used on it.
pub(super) fn begin_thread(seed: Seed, epoch: Duration) -> Result<(), NotDeterministic> {
    if cfg!(not(tokio_unstable)) {
        return Err(NotDeterministic::TokioUnstable);
    }
    interpose::begin(seed.derive("entropy").0, epoch);
    AHASH_KEYS.set(Some(0));
    fastrand::seed(seed.derive("fastrand").0);
    let before = interpose::draws();
    let _keys = RandomState::new();
    if interpose::draws() == before {
        return Err(NotDeterministic::Entropy);
    }
    let seen = SystemTime::now().duration_since(UNIX_EPOCH);
    if !seen.is_ok_and(|seen| seen == epoch) {
        return Err(NotDeterministic::ClockGettime);
    }
    Ok(())
}

/// tokio's clock when the runtime was made.
#[cfg(tokio_unstable)]
#[derive(Clone, Copy)]
pub(super) struct Started(tokio::time::Instant);

#[cfg(tokio_unstable)]
impl Started {
    pub(super) fn now() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Lets this thread's clocks show what tokio's clock shows; call it inside the runtime.
    pub(super) fn follow_tokio(self, epoch: Duration) {
        interpose::set_now(epoch + self.0.elapsed());
    }
}
