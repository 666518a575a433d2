//! Running operations: a transaction each, tried again after a conflict with the same identifiers, answered when
//! durable.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::App;
use crate::domain::{Instant, Refusal};
use crate::engine::script_thread::Priority;
use crate::ops::{self, Rights, Work};
use crate::store::{self, Ticket};

/// Attempts before a transaction takes a place in line.
const FREE_ATTEMPTS: u32 = 3;
/// Attempts in all; in line nothing can conflict, so more are never needed.
const ATTEMPTS_MAX: u32 = 6;

/// How a transaction is committed: as its caller waits for it.
type Commit = fn(store::Tx) -> store::Result<Ticket>;

/// Counts for `/metrics`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions tried again after a conflict.
    pub retries: AtomicU64,
    /// Runs by ending: completed, failed, over a limit.
    pub runs: [AtomicU64; 3],
    /// Deliveries by answer: new, duplicate, refused.
    pub hooks: [AtomicU64; 3],
    /// Messages sent, and attempts that failed.
    pub messages: [AtomicU64; 2],
    /// Occurrences: ran, coalesced, missed.
    pub occurrences: [AtomicU64; 3],
}

/// What was done and is accepted; it may be shown once it is durable.
pub struct Done<T> {
    /// The answer.
    pub value: T,
    /// The sequence to wait for.
    pub seq: u64,
    ticket: Option<Ticket>,
}

impl<T> Done<T> {
    /// Waits until it is durable, on this thread.
    ///
    /// # Errors
    /// `Unavailable` when the storage failed meanwhile: the outcome is unknown.
    pub fn wait(self, app: &App) -> ops::Result<T> {
        match &self.ticket {
            Some(ticket) => ticket.wait()?,
            None => app.inner.store.wait_durable(self.seq)?,
        }
        Ok(self.value)
    }
}

impl App {
    /// A cause for a call at a door: unique in this store, and the same for the same commands in the same order.
    pub fn next_cause(&self, what: &str) -> String {
        let call = self.inner.calls.fetch_add(1, Ordering::Relaxed);
        format!("{what}:{}.{call}", self.inner.opened_at_seq)
    }

    /// Runs an operation in a transaction of its own on this thread, which must be a script thread when it may ask
    /// policies. Accepted, not yet durable: that may take some milliseconds more than it must, as for work in passing.
    ///
    /// # Errors
    /// What the operation answers; nothing was written then.
    pub fn transact<T>(
        &self,
        now: Instant,
        rights: &Rights,
        cause: &str,
        body: impl Fn(&mut Work) -> ops::Result<T>,
    ) -> ops::Result<Done<T>> {
        self.transact_with(store::Tx::commit_in_passing, now, rights, cause, body)
    }

    /// As `transact`, committed as somebody waits for it.
    fn transact_with<T>(
        &self,
        commit: Commit,
        now: Instant,
        rights: &Rights,
        cause: &str,
        body: impl Fn(&mut Work) -> ops::Result<T>,
    ) -> ops::Result<Done<T>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let tx =
                if attempt > FREE_ATTEMPTS { self.inner.store.begin_exclusive()? } else { self.inner.store.begin()? };
            match self.once(commit, tx, now, rights, cause, &body) {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {
                    self.inner.metrics.retries.fetch_add(1, Ordering::Relaxed);
                }
                other => return other,
            }
        }
    }

    fn once<T>(
        &self,
        commit: Commit,
        tx: store::Tx,
        now: Instant,
        rights: &Rights,
        cause: &str,
        body: &impl Fn(&mut Work) -> ops::Result<T>,
    ) -> ops::Result<Done<T>> {
        let mut work = self.work(tx, now, rights.clone(), cause);
        let value = match body(&mut work) {
            Ok(value) => value,
            Err(error) => {
                self.keep_attempt(commit, work, &error)?;
                return Err(error);
            }
        };
        let activity = work.finish()?;
        let seen = work.tx.seq();
        let tx = std::mem::replace(&mut work.tx, store::Tx::closed());
        if tx.is_empty() {
            return Ok(Done { value, seq: seen, ticket: None });
        }
        let ticket = commit(tx)?;
        for done in activity {
            tracing::debug!(
                target: "bursar::activity",
                at = %crate::domain::calendar::show(done.at),
                operation = done.operation,
                by = %done.by,
                subscription = done.subscription.map(|id| id.to_string()),
                request = done.request.map(|id| id.to_string()),
                note = done.note,
            );
        }
        Ok(Done { value, seq: ticket.seq, ticket: Some(ticket) })
    }

    /// Writes down what was tried and refused, where that is told of; of what it wrote itself nothing stays.
    fn keep_attempt(&self, commit: Commit, mut work: Work, error: &ops::Error) -> ops::Result<()> {
        let ops::Error::Refused(refusal) = error else { return Ok(()) };
        if work.leave_attempt(refusal) {
            work.tx = self.inner.store.begin()?;
            work.finish()?;
            commit(std::mem::replace(&mut work.tx, store::Tx::closed()))?;
        }
        Ok(())
    }

    /// Runs an operation on a script thread, ahead of background work, and answers when it is durable.
    ///
    /// # Errors
    /// What the operation answers; `busy` and `stopping` before it began; the storage's failure.
    pub async fn act<T: Send + 'static>(
        &self,
        rights: Rights,
        cause: String,
        body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static,
    ) -> ops::Result<T> {
        let (answer, answered) = oneshot::channel();
        let app = self.clone();
        self.note_people();
        self.inner.pool.submit(Priority::People, move || {
            let now = app.now();
            app.answer_when_durable(app.transact_with(store::Tx::commit_here, now, &rights, &cause, body), answer);
        })?;
        let outcome = answered.await.unwrap_or_else(|_| Err(stopped()));
        self.wake();
        outcome
    }

    /// Runs an operation that asks no policies, on this thread: for short work that is worth no change of threads, such
    /// as taking a delivery in. Answers when it is durable.
    ///
    /// # Errors
    /// What the operation answers; the storage's failure.
    pub async fn act_at_once<T: Send + 'static>(
        &self,
        rights: &Rights,
        cause: &str,
        body: impl Fn(&mut Work) -> ops::Result<T>,
    ) -> ops::Result<T> {
        let (answer, answered) = oneshot::channel();
        let done = self.transact_with(store::Tx::commit, self.now(), rights, cause, body);
        self.answer_when_durable(done, answer);
        let outcome = answered.await.unwrap_or_else(|_| Err(stopped()));
        self.wake();
        outcome
    }

    fn answer_when_durable<T: Send + 'static>(
        &self,
        done: ops::Result<Done<T>>,
        answer: oneshot::Sender<ops::Result<T>>,
    ) {
        match done {
            Err(error) => drop(answer.send(Err(error))),
            Ok(Done { value, seq, ticket }) => {
                let tell = move |durable: store::Result<()>| {
                    drop(answer.send(durable.map(|()| value).map_err(ops::Error::from)));
                };
                match ticket {
                    Some(ticket) => ticket.on_durable(tell),
                    None => self.inner.store.on_durable(seq, tell),
                }
            }
        }
    }

    /// Runs an operation on a fork of the store, on a script thread, and forgets what it wrote.
    ///
    /// # Errors
    /// What the operation answers.
    pub async fn dry<T: Send + 'static>(
        &self,
        rights: Rights,
        cause: String,
        body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static,
    ) -> ops::Result<T> {
        let (answer, answered) = oneshot::channel();
        let app = self.clone();
        self.inner.pool.submit(Priority::People, move || {
            let outcome = (|| {
                let fork = app.inner.store.fork(None)?;
                let mut work = app.work(fork.begin()?, app.now(), rights, &cause);
                body(&mut work)
            })();
            drop(answer.send(outcome));
        })?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Reads the durable snapshot, off the async threads.
    ///
    /// # Errors
    /// What the operation answers.
    pub async fn look<T: Send + 'static>(
        &self,
        rights: Rights,
        body: impl FnOnce(&mut Work) -> ops::Result<T> + Send + 'static,
    ) -> ops::Result<T> {
        let app = self.clone();
        let reading = tokio::task::spawn_blocking(move || app.read(rights, body));
        reading.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Reads the durable snapshot on this thread.
    ///
    /// # Errors
    /// What the operation answers.
    pub fn read<T>(&self, rights: Rights, body: impl FnOnce(&mut Work) -> ops::Result<T>) -> ops::Result<T> {
        let tx = self.inner.store.begin_durable()?;
        let mut work = self.work(tx, self.now(), rights, "read");
        body(&mut work)
    }

    /// What is counted for `/metrics`.
    pub fn counters(&self) -> &Counters {
        &self.inner.metrics
    }
}

fn stopped() -> ops::Error {
    Refusal::new("stopping", "the server stopped before it answered; whether it was done is unknown").into()
}
