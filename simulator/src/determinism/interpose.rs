//! libc's entropy and clocks, replaced on simulation threads only.
//!
//! Owns: the process's `getrandom` and `clock_gettime` symbols, and what they answer on this thread.
//! Always holds: a thread that never called [`begin`] gets exactly what the kernel gives.
//! Deliberately does not know: tokio, the network, what a simulation is.
//!
//! The dynamic linker prefers the executable's definition of a symbol over the one in libc.so, so
//! defining the two functions is enough for std, `rand`, `jiff` and everything else that goes
//! through libc. What does raw system calls (getrandom 0.2) is not reached.

#![expect(
    unsafe_code,
    reason = "the only way to fix entropy and clocks of unmodified libraries"
)]

use std::{cell::Cell, time::Duration};

thread_local! {
    static ENTROPY: Cell<Option<u64>> = const { Cell::new(None) };
    static NOW: Cell<Option<Duration>> = const { Cell::new(None) };
    static DRAWS: Cell<u64> = const { Cell::new(0) };
}

/// From now on this thread draws its entropy from `seed` and its clocks read `now`.
pub(super) fn begin(seed: u64, now: Duration) {
    ENTROPY.set(Some(seed));
    NOW.set(Some(now));
}

/// Moves this thread's clocks; does nothing on a thread that never called [`begin`].
pub(super) fn set_now(now: Duration) {
    if NOW.get().is_some() {
        NOW.set(Some(now));
    }
}

/// How often entropy was drawn on this thread since [`begin`].
pub(super) fn draws() -> u64 {
    DRAWS.get()
}

/// The kernel's monotonic clock, also on simulation threads.
pub(super) fn kernel_monotonic() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one `timespec` through a pointer to a live one.
    unsafe {
        libc::syscall(
            libc::SYS_clock_gettime,
            libc::CLOCK_MONOTONIC,
            &raw mut time,
        )
    };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Next output of SplitMix64, the generator that seeds all others.
pub(super) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// libc's `getrandom`: seeded on a simulation thread, the system call elsewhere.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes, as for libc's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    // A thread that is being torn down has no thread-locals left; it is served by the kernel.
    let Some(mut state) = ENTROPY.try_with(Cell::get).ok().flatten() else {
        // SAFETY: the caller's promise about `buffer` is the kernel's requirement.
        return unsafe {
            libc::syscall(libc::SYS_getrandom, buffer, length, flags) as libc::ssize_t
        };
    };
    // SAFETY: the caller promises `length` writable bytes, and u8 needs no alignment.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(buffer.cast::<std::mem::MaybeUninit<u8>>(), length)
    };
    for chunk in bytes.chunks_mut(8) {
        let drawn = splitmix(&mut state).to_le_bytes();
        for (byte, drawn) in chunk.iter_mut().zip(drawn) {
            byte.write(drawn);
        }
    }
    ENTROPY.set(Some(state));
    DRAWS.set(DRAWS.get() + 1);
    length.cast_signed()
}

/// libc's `clock_gettime`: simulated time on a simulation thread, the system call elsewhere.
/// CPU-time clocks are always the kernel's.
///
/// # Safety
/// `time` must be valid for a write, as for libc's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    let of_cpu = clock == libc::CLOCK_THREAD_CPUTIME_ID || clock == libc::CLOCK_PROCESS_CPUTIME_ID;
    match NOW.try_with(Cell::get).ok().flatten() {
        Some(now) if !of_cpu => {
            let tv_sec = libc::time_t::try_from(now.as_secs()).unwrap_or(libc::time_t::MAX);
            let tv_nsec = libc::c_long::from(now.subsec_nanos().cast_signed());
            // SAFETY: the caller promises that `time` can be written.
            unsafe { time.write(libc::timespec { tv_sec, tv_nsec }) };
            0
        }
        // SAFETY: the caller's promise about `time` is the kernel's requirement.
        _ => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int },
    }
}

/// Keeps both definitions in the executable even where a linker would find them unused.
#[used]
static KEEP: (
    unsafe extern "C" fn(*mut libc::c_void, libc::size_t, libc::c_uint) -> libc::ssize_t,
    unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int,
) = (getrandom, clock_gettime);
