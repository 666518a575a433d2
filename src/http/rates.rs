//! How often somebody may call: a bucket of calls for each, filled at a steady rate up to what may come at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Instant as Reading;

use axum::http::{HeaderName, HeaderValue};

use super::problem::Problem;

/// Callers remembered, at most; beyond it those go first who have not called for so long that their bucket is full again.
const CALLERS_MAX: usize = 10_000;

/// The buckets of everybody who calls by one kind of name.
pub(super) struct Rates<K> {
    at_once: u32,
    per_second: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Reading,
}

impl Bucket {
    fn fill(&mut self, now: Reading, at_once: f64, per_second: f64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * per_second).min(at_once);
        self.at = now;
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// Nobody has called yet; `at_once` and `per_second` are calls, at least one.
    pub(super) fn new(at_once: u32, per_second: u32) -> Self {
        Self { at_once: at_once.max(1), per_second: per_second.max(1), buckets: Mutex::default() }
    }

    /// Takes a call out of somebody's bucket.
    ///
    /// # Errors
    /// `rate_limited` when it is empty, with the second after which it is not.
    pub(super) fn admit(&self, caller: K, now: Reading, whose: &str) -> Result<(), Problem> {
        let (at_once, per_second) = (f64::from(self.at_once), f64::from(self.per_second));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(&caller) {
            buckets.retain(|_, bucket| {
                bucket.fill(now, at_once, per_second);
                bucket.left < at_once
            });
        }
        let bucket = buckets.entry(caller).or_insert(Bucket { left: at_once, at: now });
        bucket.fill(now, at_once, per_second);
        if bucket.left < 1.0 {
            return Err(self.slowed(whose));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn slowed(&self, whose: &str) -> Problem {
        // There is a call again within a second, because there is at least one each second.
        let detail = format!(
            "{whose} is used too often: {} calls at once and {} a second are answered",
            self.at_once, self.per_second
        );
        let policy = format!("\"calls\";q={};w=1", self.per_second);
        let mut problem = Problem::new(429, "rate_limited", detail).retry_after(1);
        for (name, value) in [("ratelimit-policy", policy.as_str()), ("ratelimit", "\"calls\";r=0;t=1")] {
            if let Ok(value) = HeaderValue::from_str(value) {
                problem = problem.header(HeaderName::from_static(name), value);
            }
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;
    use std::time::Duration;

    #[test]
    fn a_bucket_is_emptied_at_once_and_filled_at_its_rate() {
        let rates = Rates::new(3, 2);
        let begin = monotonic();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let admitted = |who: &'static str, millis: u64| rates.admit(who, at(millis), "it").is_ok();
        assert_eq!([0; 4].map(|now| admitted("a", now)), [true, true, true, false]);
        assert!(admitted("b", 0), "each has a bucket of their own");
        assert!(!admitted("a", 499));
        assert!(admitted("a", 501));
        assert!(!admitted("a", 502));
        assert_eq!([60_000; 4].map(|now| admitted("a", now)), [true, true, true, false], "never more than at once");
        assert!(!admitted("a", 0), "a reading from before fills nothing");
    }

    #[test]
    fn whoever_is_slowed_down_is_told_for_how_long() {
        let rates = Rates::new(1, 7);
        let now = monotonic();
        rates.admit("a", now, "this token").unwrap();
        let problem = rates.admit("a", now, "this token").unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (429, "rate_limited"));
        let response = axum::response::IntoResponse::into_response(problem);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("retry-after"), "1");
        assert_eq!(
            (header("ratelimit-policy"), header("ratelimit")),
            ("\"calls\";q=7;w=1".into(), "\"calls\";r=0;t=1".into())
        );
    }

    #[test]
    fn callers_are_forgotten_when_there_are_too_many_and_only_those_at_rest() {
        let rates = Rates::new(2, 1);
        let now = monotonic();
        for _ in 0..2 {
            rates.admit(0, now, "it").unwrap();
        }
        for number in 1..CALLERS_MAX {
            rates.admit(number, now - Duration::from_secs(60), "it").unwrap();
        }
        rates.admit(CALLERS_MAX, now, "it").unwrap();
        assert!(rates.buckets.lock().unwrap().len() < 10, "those at rest are gone");
        assert!(rates.admit(0, now, "it").is_err(), "whoever has just called is not");
    }
}
