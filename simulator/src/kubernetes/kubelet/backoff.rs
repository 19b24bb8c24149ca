//! The growing pause before a failing container is started, or its image pulled, again.
//!
//! Owns: 10 seconds, doubled each time up to five minutes, and begun anew after ten quiet minutes.
//! Always holds: the first failure is answered at once.
//! Deliberately does not know: what failed.

use jiff::{SignedDuration, Timestamp};

const FIRST: SignedDuration = SignedDuration::from_secs(10);
const MOST: SignedDuration = SignedDuration::from_secs(300);
const FORGET_AFTER: SignedDuration = SignedDuration::from_secs(600);

/// The back-off of one container or image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    entry: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    pause: SignedDuration,
    updated: Timestamp,
}

impl Backoff {
    /// The pause that applies now to what failed at `failed`, if it is not over yet.
    #[must_use]
    pub fn pause(&self, failed: Timestamp, now: Timestamp) -> Option<SignedDuration> {
        let entry = self.fresh(failed)?;
        (now.duration_since(failed) < entry.pause).then_some(entry.pause)
    }

    /// Another attempt is made for what failed at `failed`: the next pause will be longer.
    pub fn lengthen(&mut self, failed: Timestamp, now: Timestamp) {
        let pause = self
            .fresh(failed)
            .map_or(FIRST, |entry| (entry.pause * 2).min(MOST));
        self.entry = Some(Entry {
            pause,
            updated: now,
        });
    }

    fn fresh(&self, failed: Timestamp) -> Option<&Entry> {
        self.entry
            .as_ref()
            .filter(|entry| failed.duration_since(entry.updated) <= FORGET_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_wait_twice_as_long_each_time() {
        let mut backoff = Backoff::default();
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = backoff.pause(now, now).unwrap_or(SignedDuration::ZERO);
            pauses.push(pause.as_secs());
            let failed = now;
            now += pause;
            assert_eq!(backoff.pause(failed, now), None);
            backoff.lengthen(failed, now);
        }
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_make_it_forget() {
        let mut backoff = Backoff::default();
        backoff.lengthen(at(0), at(0));
        assert!(backoff.pause(at(600), at(600)).is_some());
        assert!(backoff.pause(at(601), at(601)).is_none());
        backoff.lengthen(at(601), at(601));
        assert_eq!(backoff.pause(at(602), at(602)), Some(FIRST));
    }
}
