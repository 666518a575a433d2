//! The application: a store, a clock, a library of policies and scripts, and script threads that work on them. Every
//! door stands on this; embedding programs hold one.
//!
//! It decides nothing about the business: it opens transactions, hands down the time and the rights, tries again after
//! a conflict, and answers when what was done is durable.

pub mod imports;
pub mod library;
pub mod time;
pub mod transactions;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{self, Config};
use crate::domain::partner::PartnerType;
use crate::domain::terms::Terms;
use crate::domain::{Instant, Span};
use crate::engine::budget::Budget;
use crate::engine::decide::Policies;
use crate::engine::library::{Kit, Library};
use crate::engine::script_thread::Pool;
use crate::ops::work::Endpoint;
use crate::ops::{Ids, Judge, Rights, Settings, Work};
use crate::seal::Ring;
use crate::store::records::meta::{self, ClockKind};
use crate::store::{self, Store, Tx, tables};
use library::LibraryState;
use time::StoreClock;

/// Why an application could not be opened or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error("could not {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What the store answered.
        #[source]
        source: store::Error,
    },
    /// The terms that ship.
    #[error("the commerce terms do not read: {0}")]
    Terms(String),
    /// The library's policies, scripts or own rows of the terms.
    #[error("the library does not read: {0}")]
    Library(String),
    /// The script engine's features are not the ones this program was written for.
    #[error("the script engine of this build reads 1.5 as no decimal: another crate changed rhai's features")]
    Features,
    /// The machine gave no thread.
    #[error("could not start the script threads")]
    Threads(#[source] std::io::Error),
    /// A file or folder.
    #[error("could not {doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The master keys.
    #[error(transparent)]
    MasterKeys(#[from] config::ConfigError),
    /// The business or the store said no.
    #[error(transparent)]
    Operation(#[from] crate::ops::Error),
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Error::Store { doing: "read the store", source }
    }
}

impl Error {
    /// Whether nothing else can be done now either: the store fails or is closed, or the application is being closed.
    pub(crate) fn is_down(&self) -> bool {
        let down = |source: &store::Error| matches!(source, store::Error::Unavailable | store::Error::Closed);
        match self {
            Error::Store { source, .. } | Error::Operation(crate::ops::Error::Store { source, .. }) => down(source),
            Error::Operation(crate::ops::Error::Refused(refusal)) => refusal.code == "stopping",
            _ => false,
        }
    }
}

/// What an application answers.
pub type Result<T> = std::result::Result<T, Error>;

/// How an application is opened, beside its configuration.
#[derive(Clone, Default)]
pub struct Options {
    /// The time of a store on the system's clock; none: the machine's own. A store on a manual clock has its own.
    pub clock: Option<Arc<dyn crate::clock::Clock>>,
    /// Script threads; none: one a core, four at most.
    pub script_threads: Option<usize>,
    /// What the host adds to the functions of scripts.
    pub kit: Option<Kit>,
    /// Whether the library may be absent or broken (for repair and for looking).
    pub tolerate_library: bool,
    /// The master keys, instead of those that are configured.
    pub ring: Option<Ring>,
    /// What runs, instead of what lies in the configured folder.
    pub library: Option<(Arc<Library>, Arc<Terms>)>,
}

/// A handle to an application. Clones are cheap and share it.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) config: Config,
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: StoreClock,
    pub(crate) library: LibraryState,
    pub(crate) pool: Pool,
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) budget: Budget,
    pub(crate) opened_at_seq: u64,
    pub(crate) calls: AtomicU64,
    pub(crate) ticking: tokio::sync::Mutex<()>,
    pub(crate) wake: tokio::sync::Notify,
    pub(crate) closing: tokio::sync::watch::Sender<bool>,
    pub(crate) ticked: std::sync::Mutex<Option<std::time::Instant>>,
    pub(crate) opened: std::time::Instant,
    pub(crate) people_at_millis: AtomicU64,
    pub(crate) metrics: transactions::Counters,
}

impl App {
    /// Makes a new store at the configured path; `manual` gives it a clock that stands there until it is moved.
    ///
    /// # Errors
    /// When there is a file already, or it cannot be made.
    pub fn init(config: &Config, store_id: [u8; 16], manual: Option<Instant>) -> Result<()> {
        let options = store_options(config);
        let made = Store::create(&config.store, &tables::ALL, store_id, options);
        let store = made.map_err(|source| Error::Store { doing: "create the store", source })?;
        set_clock(&store, manual)?;
        store.close();
        Ok(())
    }

    /// Opens the configured store and library.
    ///
    /// # Errors
    /// A store that is locked, missing or damaged; a library that does not load, unless tolerated.
    pub fn open(config: &Config, options: Options) -> Result<App> {
        let opened = Store::open(&config.store, &tables::ALL, store_options(config));
        let store = opened.map_err(|source| Error::Store { doing: "open the store", source })?;
        Self::on(store, config, options)
    }

    /// An application on a store in memory, for tests and trials.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn in_memory(config: &Config, store_id: [u8; 16], manual: Option<Instant>, options: Options) -> Result<App> {
        let store = Store::memory(&tables::ALL, store_id)?;
        set_clock(&store, manual)?;
        Self::on(store, config, options)
    }

    fn on(store: Store, config: &Config, options: Options) -> Result<App> {
        let Options { clock, script_threads, kit, tolerate_library, ring, library } = options;
        check_features()?;
        let mut tx = store.begin()?;
        let clock = StoreClock::of(meta::clock(&mut tx)?, clock);
        drop(tx);
        let kit = kit.unwrap_or_else(crate::engine::api::kit);
        let library = match library {
            Some((library, terms)) => LibraryState::given(library, terms, &kit),
            None => LibraryState::load(config, &kit, tolerate_library)?,
        };
        let threads = script_threads.unwrap_or_else(default_threads);
        let pool = Pool::start(threads, library.current().library.clone()).map_err(Error::Threads)?;
        let budget = budget_of(config);
        let ring = match ring {
            Some(ring) => ring,
            None => config.ring(&config::environment)?,
        };
        let app = App {
            inner: Arc::new(Inner {
                opened_at_seq: store.last_accepted(),
                settings: Arc::new(settings_of(config, ring)),
                judge: Arc::new(Policies { budget: budget.clone() }),
                config: config.clone(),
                store,
                clock,
                library,
                pool,
                budget,
                calls: AtomicU64::new(0),
                ticking: tokio::sync::Mutex::new(()),
                wake: tokio::sync::Notify::new(),
                closing: tokio::sync::watch::Sender::new(false),
                ticked: std::sync::Mutex::new(None),
                opened: crate::clock::monotonic(),
                people_at_millis: AtomicU64::new(u64::MAX),
                metrics: Default::default(),
            }),
        };
        match app.keep_sources() {
            // What decided once cannot be shown then; nothing that is done now hangs on it.
            Err(Error::Store { source: source @ store::Error::Corrupt { .. }, .. }) => {
                tracing::error!(error = %source, "a kept source is damaged; `bursar verify` tells of it");
            }
            kept => kept?,
        }
        Ok(app)
    }

    /// The store underneath.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The time, by the store's clock.
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// Whether the store is on a manual clock.
    pub fn is_manual(&self) -> bool {
        self.inner.clock.is_manual()
    }

    /// The terms in force.
    pub fn terms(&self) -> Arc<Terms> {
        self.inner.library.current().terms.clone()
    }

    /// The library in force.
    pub fn library(&self) -> Arc<Library> {
        self.inner.library.current().library.clone()
    }

    /// How long ago the last tick ended; none before the first one.
    pub fn since_tick(&self) -> Option<std::time::Duration> {
        let ticked = *self.inner.ticked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ticked.map(|at| crate::clock::monotonic().saturating_duration_since(at))
    }

    /// Whether somebody has asked for a change within the last second: then background work makes room.
    pub(crate) fn people_at_work(&self) -> bool {
        let at = self.inner.people_at_millis.load(Ordering::Relaxed);
        at != u64::MAX && self.millis_open().saturating_sub(at) < 1_000
    }

    pub(crate) fn note_people(&self) {
        self.inner.people_at_millis.store(self.millis_open(), Ordering::Relaxed);
    }

    fn millis_open(&self) -> u64 {
        let open = crate::clock::monotonic().saturating_duration_since(self.inner.opened);
        u64::try_from(open.as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Wakes the loop that ticks: something may be due.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Waits until somebody wakes the loop that ticks.
    pub async fn woken(&self) {
        self.inner.wake.notified().await;
    }

    /// Ends it, for every handle: takes no more work, lets end what was begun (for `limits.stop_deadline` at most), makes
    /// what was accepted durable and lets go of the file, which may be opened again when this returns. Afterwards every
    /// operation answers `stopping` or that the store is closed, and [`crate::triggers::run_loop`] has nothing left to do.
    /// The last handle that goes does the same without telling when.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let deadline = self.inner.config.limits.stop_deadline;
        let ticking = tokio::time::timeout(deadline, self.inner.ticking.lock()).await;
        if ticking.is_err() {
            tracing::warn!("what was being processed did not end in time; it is done again at the next start");
        }
        let app = self.clone();
        let letting_go = tokio::task::spawn_blocking(move || {
            app.inner.pool.close();
            app.inner.store.clone().close();
        });
        if let Err(error) = letting_go.await {
            tracing::error!(%error, "letting go of the store ended with a panic");
        }
    }

    /// Waits until somebody closes it.
    pub(crate) async fn closing(&self) {
        // The sender lives as long as this handle.
        let mut closing = self.inner.closing.subscribe();
        let _closed = closing.wait_for(|closing| *closing).await;
    }

    pub(crate) fn work(&self, tx: Tx, now: Instant, rights: Rights, cause: &str) -> Work {
        let ids = Ids::new(self.inner.store.id(), cause);
        let judge = Arc::clone(&self.inner.judge);
        Work::new(tx, now, rights, ids, judge, self.terms(), Arc::clone(&self.inner.settings))
    }
}

fn check_features() -> Result<()> {
    let engine = crate::engine::sandbox::engine();
    let read = engine.eval::<rust_decimal::Decimal>("1.5");
    if read.is_ok_and(|value| value == rust_decimal::Decimal::new(15, 1)) { Ok(()) } else { Err(Error::Features) }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, 4)
}

fn store_options(config: &Config) -> store::Options {
    store::Options {
        cache_bytes: usize::try_from(config.limits.cache_bytes).unwrap_or(96 << 20),
        ..store::Options::default()
    }
}

fn set_clock(store: &Store, manual: Option<Instant>) -> Result<()> {
    let mut tx = store.begin()?;
    let kind = manual.map_or(ClockKind::System, |at| ClockKind::Manual { at });
    crate::ops::upkeep::set_clock(&mut tx, &kind)?;
    tx.commit()?.wait()?;
    Ok(())
}

fn settings_of(config: &Config, ring: Ring) -> Settings {
    Settings {
        four_eyes: config.four_eyes,
        partner: match config.partner {
            config::Partner::DirectBill => PartnerType::DirectBill,
            config::Partner::IndirectProvider => PartnerType::IndirectProvider,
            config::Partner::IndirectReseller => PartnerType::IndirectReseller,
        },
        waits: Span::days(7),
        endpoints: config
            .endpoints
            .iter()
            .map(|(name, endpoint)| Endpoint { name: name.clone(), topics: endpoint.topics.clone() })
            .collect(),
        rows: config.limits.rows,
        invoice_day: config.invoices.day,
        ring,
        mpn_id: Some(config.invoices.mpn_id.clone()).filter(|id| !id.is_empty()),
    }
}

fn budget_of(config: &Config) -> Budget {
    Budget {
        operations: config.limits.operations,
        wall: config.limits.wall,
        memory_bytes: usize::try_from(config.limits.memory_bytes).unwrap_or(64 << 20),
        output_bytes: config.limits.output_bytes,
        cancel: None,
    }
}

/// An error with everything that caused it, for logs.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
