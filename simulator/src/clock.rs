//! Wall-clock time of a simulated world.
//!
//! Owns: the mapping between tokio's clock (virtual or real) and calendar time.
//! Always holds: calendar time moves exactly as tokio's clock does.
//! Deliberately does not know: whether that clock is paused.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Calendar time derived from tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that reads `epoch` now. Call it inside the runtime whose clock it follows.
    #[must_use]
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self {
            epoch,
            start: Instant::now(),
        }
    }

    /// The calendar time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.epoch + SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX)
    }

    /// Time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant at which this clock will read `at`; the start of the world for times before it.
    #[must_use]
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        let since = at.duration_since(self.epoch);
        self.start + Duration::try_from(since).unwrap_or(Duration::ZERO)
    }
}
