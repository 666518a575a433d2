//! What a run may spend, and the account of what it spent.
//!
//! One account per run, kept on its thread: policies asked inside a run open one of their own, and the outer one is
//! there again when they are done, also after a panic. Nothing here stops a thread by force: the script engine asks
//! between two operations.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::meter::Meter;
use super::sandbox::MEMORY_BYTES_MAX;
use crate::clock;

/// What one run may spend.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Operations of the script engine; about 10 million take a second.
    pub operations: u64,
    /// Time on the wall.
    pub wall: Duration,
    /// Bytes held at any moment beyond what the thread held before, at most [`MEMORY_BYTES_MAX`]; judged only where
    /// [`Meter`] is installed.
    pub memory_bytes: usize,
    /// Bytes of printed text that are kept; the rest is dropped and the record says so.
    pub output_bytes: usize,
    /// Set to true from outside, it ends the run.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            operations: 2_000_000,
            wall: Duration::from_secs(2),
            memory_bytes: 64 * 1024 * 1024,
            output_bytes: 16 * 1024,
            cancel: None,
        }
    }
}

/// What a run spent and printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// Operations.
    pub operations: u64,
    /// Time on the wall, without that of policies asked inside.
    pub wall: Duration,
    /// What it printed, capped.
    pub output: String,
    /// Whether more was printed than kept.
    pub output_truncated: bool,
}

struct Account {
    operations_max: u64,
    operations: u64,
    memory_ceiling: isize,
    began: Instant,
    /// Time that inner runs took on their own accounts.
    aside: Duration,
    wall: Duration,
    cancel: Option<Arc<AtomicBool>>,
    output: String,
    output_max: usize,
    output_truncated: bool,
}

thread_local! {
    static ACCOUNTS: RefCell<Vec<Account>> = const { RefCell::new(Vec::new()) };
}

/// Accounts open inside each other at most: a run, the policies it asks, and what their timers propose.
const ACCOUNTS_MAX: usize = 8;
/// Operations between two looks at the clock. One operation may walk an array of 5,000, so the look comes often.
const OPERATIONS_PER_LOOK: u64 = 16;

/// Without the meter nothing but the operations bounds what a run can chain together.
const UNMETERED_OPERATIONS_MAX: u64 = 2_000_000;

fn operations_max(budget: &Budget, metered: bool) -> u64 {
    if metered { budget.operations } else { budget.operations.min(UNMETERED_OPERATIONS_MAX) }
}

/// Closes the account when it goes away, however the run ended, and leaves what was spent with whoever asked.
struct Open {
    depth: usize,
}

impl Open {
    fn new(budget: &Budget) -> Result<Self, Failure> {
        ACCOUNTS.with_borrow_mut(|accounts| {
            if accounts.len() >= ACCOUNTS_MAX {
                return Err(Failure::new("limit_exceeded:nesting", "runs cause each other too deeply"));
            }
            let allowed = isize::try_from(budget.memory_bytes.min(MEMORY_BYTES_MAX)).unwrap_or(isize::MAX);
            let memory_ceiling = if Meter::installed() { Meter::used().saturating_add(allowed) } else { isize::MAX };
            accounts.push(Account {
                operations_max: operations_max(budget, Meter::installed()),
                operations: 0,
                memory_ceiling,
                began: clock::monotonic(),
                aside: Duration::ZERO,
                wall: budget.wall,
                cancel: budget.cancel.clone(),
                output: String::new(),
                output_max: budget.output_bytes,
                output_truncated: false,
            });
            Ok(Self { depth: accounts.len() })
        })
    }

    fn close(&self) -> Spent {
        ACCOUNTS.with_borrow_mut(|accounts| {
            if accounts.len() < self.depth {
                return Spent::default();
            }
            accounts.truncate(self.depth);
            let Some(account) = accounts.pop() else { return Spent::default() };
            let whole = account.began.elapsed();
            if let Some(outer) = accounts.last_mut() {
                outer.aside += whole;
            }
            Spent {
                operations: account.operations,
                wall: whole.saturating_sub(account.aside),
                output: account.output,
                output_truncated: account.output_truncated,
            }
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs the body on an account of its own and tells what it spent. A panic inside becomes the failure `panicked`.
pub fn spend<T>(budget: &Budget, body: impl FnOnce() -> Result<T, Failure>) -> (Result<T, Failure>, Spent) {
    let open = match Open::new(budget) {
        Ok(open) => open,
        Err(failure) => return (Err(failure), Spent::default()),
    };
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Failure::new("panicked", "a function of the host panicked; the run left nothing")));
    let spent = open.close();
    (result, spent)
}

/// What the engine asks between two operations: the name of the limit that is exceeded, if one is.
pub(super) fn exceeded(operations: u64) -> Option<&'static str> {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let account = accounts.last_mut()?;
        account.operations = operations;
        if operations > account.operations_max {
            return Some("operations");
        }
        if Meter::used() > account.memory_ceiling {
            return Some("memory");
        }
        if !operations.is_multiple_of(OPERATIONS_PER_LOOK) {
            return None;
        }
        if account.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Some("cancelled");
        }
        (account.began.elapsed() > account.wall + account.aside).then_some("wall")
    })
}

/// Keeps a printed line, as far as there is room.
pub(super) fn printed(text: &str) {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let Some(account) = accounts.last_mut() else { return };
        let room = account.output_max.saturating_sub(account.output.len());
        if text.len() < room {
            account.output.push_str(text);
            account.output.push('\n');
        } else {
            let end = text.floor_char_boundary(room);
            if !account.output_truncated {
                account.output.push_str(&text[..end]);
            }
            account.output_truncated = true;
        }
    });
}

/// Accounts open on this thread; zero between runs.
pub fn open_accounts() -> usize {
    ACCOUNTS.with_borrow(Vec::len)
}
