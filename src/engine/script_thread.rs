//! Script threads: a bounded pool whose threads each hold an engine and the compiled library, and the transaction a
//! script works in while it runs. People's work goes before background work.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::failure::{Api, raise, raise_refusal};
use super::library::{File, Library};
use super::machine::Machine;
use super::manifest::Selector;
use super::sandbox;
use crate::domain::Refusal;
use crate::domain::selection::{SUBSCRIPTIONS, Schema, Selection, Value};
use crate::ops::{self, Work};
use crate::store;

/// Jobs that may wait before the door says it is busy.
pub const QUEUE_MAX: usize = 1_000;

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    people: VecDeque<Job>,
    background: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    library: ArcSwap<Library>,
}

/// A pool of script threads.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

/// Whether a job is somebody waiting or work of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for it.
    People,
    /// A sweep, a schedule, a delivery.
    Background,
}

impl Pool {
    /// Starts so many threads on a library.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(threads: usize, library: Arc<Library>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { people: VecDeque::new(), background: VecDeque::new(), closed: false }),
            ready: Condvar::new(),
            library: ArcSwap::new(library),
        });
        let mut started = Vec::new();
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            started.push(sandbox::spawn_script_thread(&format!("script-{number}"), move || serve(&shared))?);
        }
        Ok(Self { shared, threads: Mutex::new(started) })
    }

    /// Hands a job to a thread.
    ///
    /// # Errors
    /// `busy` when too many wait already, `stopping` when the pool is closed.
    pub fn submit(&self, priority: Priority, job: impl FnOnce() + Send + 'static) -> Result<(), Refusal> {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            return Err(Refusal::new("stopping", "the server is stopping"));
        }
        let line = match priority {
            Priority::People => &mut queue.people,
            Priority::Background => &mut queue.background,
        };
        if line.len() >= QUEUE_MAX {
            return Err(Refusal::new("busy", "too much work is waiting; try again in a moment"));
        }
        line.push_back(Box::new(job));
        drop(queue);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// The library in force.
    pub fn library(&self) -> Arc<Library> {
        self.shared.library.load_full()
    }

    /// Swaps the library whole; each thread takes it up before its next job.
    pub fn swap(&self, library: Arc<Library>) {
        self.shared.library.store(library);
    }

    /// Lets the threads finish what waits, and joins them.
    pub fn close(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.ready.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The last handle may go away inside a job: a thread cannot wait for itself.
            let own = thread.thread().id() == std::thread::current().id();
            if !own && thread.join().is_err() {
                tracing::error!("a script thread had panicked");
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(shared: &Shared) {
    loop {
        let job = {
            let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(job) = queue.people.pop_front() {
                    break job;
                }
                if let Some(job) = queue.background.pop_front() {
                    break job;
                }
                if queue.closed {
                    return;
                }
                queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        take_up(&shared.library.load_full());
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job on a script thread panicked");
        }
        WORK.with_borrow_mut(Option::take);
    }
}

/// What this thread has of the library.
pub(super) struct Thread {
    pub(super) machine: Machine,
    conditions: HashMap<String, Selection>,
}

impl Thread {
    /// The requests a policy answers, by the subscription they are about; none: all of its kinds.
    pub(super) fn conditions(&self, file: &File) -> Option<&Selection> {
        self.conditions.get(&file.path)
    }
}

thread_local! {
    static THREAD: RefCell<Option<Rc<Thread>>> = const { RefCell::new(None) };
    static WORK: RefCell<Option<Work>> = const { RefCell::new(None) };
    static BROKEN: RefCell<Option<store::Error>> = const { RefCell::new(None) };
}

/// Makes this thread ready for a library, if it is not yet. Any thread with a large stack may do so.
pub fn take_up(library: &Arc<Library>) {
    let ready = THREAD
        .with_borrow(|thread| thread.as_ref().is_some_and(|thread| Arc::ptr_eq(thread.machine.library(), library)));
    if ready {
        return;
    }
    match Machine::new(Arc::clone(library)) {
        Ok(machine) => {
            // A policy whose `where` cannot be read must not answer everything: then this thread has no library at all.
            let mut conditions = HashMap::new();
            for file in &library.files {
                let Some(selector) = file.manifest.conditions.as_ref() else { continue };
                match selection(&SUBSCRIPTIONS, selector) {
                    Ok(selection) => drop(conditions.insert(file.path.clone(), selection)),
                    Err(refusal) => {
                        tracing::error!(file = file.path, %refusal, "a loaded policy's where cannot be read");
                        THREAD.with_borrow_mut(|slot| *slot = None);
                        return;
                    }
                }
            }
            let thread = Thread { machine, conditions };
            THREAD.with_borrow_mut(|slot| *slot = Some(Rc::new(thread)));
        }
        Err(findings) => {
            tracing::error!(findings = findings.len(), "a loaded library did not compile on a script thread")
        }
    }
}

pub(super) fn thread() -> Option<Rc<Thread>> {
    THREAD.with_borrow(Clone::clone)
}

/// Reads a manifest's selection.
///
/// # Errors
/// What the grammar refuses: an unknown field, a value of another type.
pub fn selection(noun: &'static Schema, selector: &Selector) -> Result<Selection, Refusal> {
    let mut pairs = Vec::new();
    for (field, values) in &selector.fields {
        let value = match values.as_slice() {
            [one] => Value::from_toml(one)?,
            many => Value::from_toml(&toml::Value::Array(many.to_vec()))?,
        };
        pairs.push((field.clone(), value));
    }
    Selection::parse(noun, pairs)
}

/// Lends the work to whatever the body calls in scripts, and takes it back.
pub(super) fn lend<T>(work: &mut Work, body: impl FnOnce() -> T) -> T {
    let lent = work.take();
    let outer = WORK.with_borrow_mut(|slot| slot.replace(lent));
    let result = body();
    let back = WORK.with_borrow_mut(|slot| std::mem::replace(slot, outer));
    if let Some(back) = back {
        *work = back;
    }
    result
}

/// Puts a work in the place of the one that script functions of this thread use, and gives that back.
pub(super) fn exchange(work: Option<Work>) -> Option<Work> {
    WORK.with_borrow_mut(|slot| std::mem::replace(slot, work))
}

/// The store's error that a script ran into, if one did: the whole run ends with it.
pub(super) fn broken() -> Option<store::Error> {
    BROKEN.with_borrow_mut(Option::take)
}

/// What a script function does with the transaction of its run. A refusal becomes an error with its code; the store's
/// own failure ends the run.
pub(super) fn with<T>(body: impl FnOnce(&mut Work) -> ops::Result<T>) -> Api<T> {
    let Some(mut work) = WORK.with_borrow_mut(Option::take) else {
        return Err(raise("no_run", "this function works inside a run only"));
    };
    let result = body(&mut work);
    WORK.with_borrow_mut(|slot| *slot = Some(work));
    result.map_err(|error| match error {
        ops::Error::Refused(refusal) => raise_refusal(&refusal),
        ops::Error::Script(text) => raise("failed", text),
        ops::Error::Store { source, .. } => {
            let text = source.to_string();
            BROKEN.with_borrow_mut(|slot| {
                slot.get_or_insert(source);
            });
            raise("store", text)
        }
    })
}
