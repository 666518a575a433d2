//! The only place that reads a clock. Everything else is handed an instant.
//!
//! Wall-clock instants are UTC and whole microseconds, because that is what is stored: an instant read back equals the
//! instant that was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Somebody who knows what time it is.
pub trait Clock: Send + Sync {
    /// The instant now, in whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        whole_microseconds(Utc::now())
    }
}

/// A clock that moves only when it is told to. Clones share one time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    microseconds: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock standing at `start`, cut to whole microseconds.
    pub fn new(start: DateTime<Utc>) -> ManualClock {
        ManualClock { microseconds: Arc::new(AtomicI64::new(start.timestamp_micros())) }
    }

    /// Puts the clock to `instant`, also backwards: the clocks of machines do that too.
    pub fn set(&self, instant: DateTime<Utc>) {
        self.microseconds.store(instant.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves the clock by `step` (a negative one moves it back) and returns the new time.
    pub fn advance(&self, step: TimeDelta) -> DateTime<Utc> {
        let microseconds = step.num_microseconds().unwrap_or(0);
        self.microseconds.fetch_add(microseconds, Ordering::SeqCst);
        self.now()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.microseconds.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// A reading of the monotonic clock, for deadlines and durations; it has no meaning outside this process.
#[allow(clippy::disallowed_methods, reason = "this is the one reader of the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

fn whole_microseconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_reads_whole_microseconds_and_moves() {
        let first = SystemClock.now();
        assert_eq!(first.timestamp_subsec_nanos() % 1_000, 0);
        assert!(SystemClock.now() >= first);
        assert!(first.timestamp() > 1_700_000_000, "later than 2023");
        assert!(monotonic() <= monotonic());
    }

    #[test]
    fn a_manual_clock_stands_still_and_is_shared() {
        let start: DateTime<Utc> = "2026-03-29T00:59:59.123456789Z".parse().unwrap();
        let clock = ManualClock::new(start);
        let other = clock.clone();
        assert_eq!(clock.now().to_rfc3339(), "2026-03-29T00:59:59.123456+00:00");
        assert_eq!(clock.now(), clock.now());
        assert_eq!(clock.advance(TimeDelta::seconds(1)), other.now());
        other.set(start - TimeDelta::days(1));
        assert_eq!(clock.now().to_rfc3339(), "2026-03-28T00:59:59.123456+00:00");
    }
}
