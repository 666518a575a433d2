//! The last sequence on disk, and who waits for it.
//!
//! Sequences that failed stay failed: their outcome is unknown, and later sequences becoming durable does not change that.

use super::contract::{Error, Result};
use super::{locked, waited};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

/// Called once when a sequence is durable, or will never be known to be.
pub type DurableCallback = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Default)]
struct Waiters {
    callbacks: BTreeMap<u64, Vec<DurableCallback>>,
    /// Spans (after, up to) of sequences whose outcome is unknown.
    failed: Vec<(u64, u64)>,
    is_closed: bool,
}

pub(super) struct Watermark {
    durable: AtomicU64,
    has_failed: AtomicBool,
    waiters: Mutex<Waiters>,
    changed: Condvar,
}

impl Watermark {
    pub(super) fn new(seq: u64) -> Watermark {
        Watermark {
            durable: AtomicU64::new(seq),
            has_failed: AtomicBool::new(false),
            waiters: Mutex::new(Waiters::default()),
            changed: Condvar::new(),
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn wait(&self, seq: u64) -> Result<()> {
        if !self.has_failed.load(Ordering::Acquire) && self.durable() >= seq {
            return Ok(());
        }
        let mut waiters = locked(&self.waiters);
        loop {
            if let Some(answer) = self.outcome(&waiters, seq) {
                return answer;
            }
            waiters = waited(self.changed.wait(waiters));
        }
    }

    pub(super) fn call_when(&self, seq: u64, callback: DurableCallback) {
        let mut waiters = locked(&self.waiters);
        match self.outcome(&waiters, seq) {
            Some(answer) => {
                drop(waiters);
                callback(answer);
            }
            None => waiters.callbacks.entry(seq).or_default().push(callback),
        }
    }

    fn outcome(&self, waiters: &Waiters, seq: u64) -> Option<Result<()>> {
        if waiters.failed.iter().any(|(after, to)| *after < seq && seq <= *to) {
            return Some(Err(Error::Unavailable));
        }
        if self.durable() >= seq {
            return Some(Ok(()));
        }
        waiters.is_closed.then_some(Err(Error::Closed))
    }

    /// Everything up to `seq` that has not failed is on disk.
    pub(super) fn raise(&self, seq: u64) {
        let mut waiters = locked(&self.waiters);
        self.durable.store(seq, Ordering::Release);
        let later = waiters.callbacks.split_off(&(seq + 1));
        let due = std::mem::replace(&mut waiters.callbacks, later);
        drop(waiters);
        self.changed.notify_all();
        call(due, || Ok(()));
    }

    /// What is not on disk up to `seq` has an unknown outcome.
    pub(super) fn fail(&self, seq: u64) {
        let mut waiters = locked(&self.waiters);
        waiters.failed.push((self.durable(), seq));
        self.has_failed.store(true, Ordering::Release);
        let later = waiters.callbacks.split_off(&(seq + 1));
        let failed = std::mem::replace(&mut waiters.callbacks, later);
        drop(waiters);
        self.changed.notify_all();
        call(failed, || Err(Error::Unavailable));
    }

    pub(super) fn close(&self) {
        let mut waiters = locked(&self.waiters);
        waiters.is_closed = true;
        let left = std::mem::take(&mut waiters.callbacks);
        drop(waiters);
        self.changed.notify_all();
        call(left, || Err(Error::Closed));
    }
}

/// A callback that panics must not end the applier.
fn call(callbacks: BTreeMap<u64, Vec<DurableCallback>>, answer: impl Fn() -> Result<()>) {
    for callback in callbacks.into_values().flatten() {
        if catch_unwind(AssertUnwindSafe(|| callback(answer()))).is_err() {
            tracing::error!("a callback on durability panicked");
        }
    }
}
