//! The data the benches work on: tenants of fifty subscriptions, of which every so many fall due in sets a day apart.

use bursar::app::{App, Options};
use bursar::clock::Clock;
use bursar::config::Config;
use bursar::domain::change::Amendments;
use bursar::domain::ids::Guid;
use bursar::domain::lifecycle::{self, Due};
use bursar::domain::subscription::{Profile, Renewal, Standing, Status};
use bursar::domain::terms::Terms;
use bursar::domain::{Instant, Span, Subscription, SubscriptionId, Tenant, TenantId, calendar};
use bursar::store::records::timers::{self, Timer};
use bursar::store::records::{subscriptions, tenants};
use bursar::store::tables::TimerKind;
use bursar::store::{Store, Tx};
use chrono::TimeDelta;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Subscriptions of one tenant.
pub(crate) const TENANT_SUBSCRIPTIONS: usize = 50;
/// Days in a row on which a set falls due.
pub(crate) const SETS: usize = 5;
/// What decides: the shipped policy for renewals without its trigger.
pub(crate) const POLICY: &str = include_str!("../policies/renewal.rhai");
const STORE_ID: [u8; 16] = *b"a store to bench";
const CHUNK: usize = 5_000;

/// A number of the table, made smaller by `BURSAR_BENCH_SCALE` (0.1: a tenth).
pub(crate) fn scaled(number: usize) -> usize {
    let scale = std::env::var("BURSAR_BENCH_SCALE").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(1.0);
    ((number as f64 * scale) as usize).max(TENANT_SUBSCRIPTIONS * SETS)
}

pub(crate) fn policy() -> String {
    POLICY.lines().filter(|line| !line.starts_with("//! on ")).collect::<Vec<_>>().join("\n") + "\n"
}

/// The instant at which a set falls due.
pub(crate) fn due(set: usize) -> Instant {
    calendar::instant("2027-02-01T00:00:00Z").unwrap() + TimeDelta::days(i64::try_from(set).unwrap())
}

/// A population: how many, and every how many of them fall due in one set.
#[derive(Clone, Copy)]
pub(crate) struct Population {
    pub(crate) all: usize,
    pub(crate) due: usize,
}

impl Population {
    /// The set a subscription falls due in, if it is in one.
    fn set_of(self, index: usize) -> Option<usize> {
        let every = self.all / self.due;
        Some(index % every).filter(|set| *set < SETS)
    }
}

pub(crate) fn tenant_id(index: usize, of: usize) -> TenantId {
    let step = u128::MAX / (of as u128 + 1);
    TenantId::from_bytes((step * (index as u128 + 1)).to_be_bytes())
}

pub(crate) fn subscription_id(index: usize) -> SubscriptionId {
    SubscriptionId(Guid::derive(format!("subscription {index}").as_bytes()))
}

pub(crate) fn tenant(id: TenantId, index: usize) -> Tenant {
    Tenant {
        id,
        generation: 1,
        company_name: format!("Company number {index} Ltd"),
        domain: format!("company{index}.onmicrosoft.com"),
        country: "DE".to_owned(),
        account: Default::default(),
        labels: Default::default(),
        opened_at: Some(due(0) - TimeDelta::days(900)),
        ..Tenant::default()
    }
}

/// A subscription whose term ends then; every second one is monthly, the others annual and confirmed.
pub(crate) fn subscription(tenant: TenantId, index: usize, term_end: Instant) -> Subscription {
    let monthly = index % 2 == 1;
    let (months, cycle) = if monthly { (1, "monthly") } else { (12, "annual") };
    let start = Span::months(months).before(term_end).unwrap();
    let purchased_at = Span::months(24).before(start).unwrap();
    let profile = Profile {
        family: "software_subscription".to_owned(),
        offer_id: "DZH318Z0BQ3Q:0001:DZH318Z0BPS6".to_owned(),
        offer_name: "A product for companies".to_owned(),
        friendly_name: format!("Seats of department {index}"),
        product_type: "Software".to_owned(),
        publisher_name: "Microsoft".to_owned(),
        purchased_at,
        term_duration: Some(Span::months(months)),
        billing_cycle: cycle.to_owned(),
        billing_type: "license".to_owned(),
        anchor_day: chrono::Datelike::day(&start.date_naive()),
        unit_price: Some("12.34 EUR".parse().unwrap()),
        is_trial: false,
        parent_subscription_id: None,
        order_id: None,
        partner_id: String::new(),
        seat_batches: Vec::new(),
        next_term: Amendments::default(),
        custom_term_end_date: None,
        next_billing_cycle: None,
        plan_since: None,
        extended: None,
        suspension_reason: None,
        labels: (!monthly).then(|| ("confirmed".to_owned(), "yes".to_owned())).into_iter().collect(),
        extra: Default::default(),
    };
    let standing = Standing {
        generation: 1,
        status: Status::Active,
        quantity: 10 + (index % 200) as i64,
        auto_renew_enabled: true,
        cancel_at_term_end: false,
        term_start: start,
        term_end: Some(term_end),
        cycle_start: Some(start),
        cycle_end: Some(term_end),
        window_end: Some(start + TimeDelta::days(7)),
        status_since: purchased_at,
        next_step_at: None,
        renewal: Renewal::Open,
        attention: None,
        late_terms: 0,
    };
    Subscription { id: subscription_id(index), tenant, standing, profile: Arc::new(profile) }
}

/// Subscription number so-and-so of a population.
pub(crate) fn member(population: Population, index: usize) -> Subscription {
    let tenants = population.all.div_ceil(TENANT_SUBSCRIPTIONS);
    let end = match population.set_of(index) {
        Some(set) => due(set),
        None => due(0) + TimeDelta::days(100 + i64::try_from(index * 7 % 250).unwrap()),
    };
    subscription(tenant_id(index / TENANT_SUBSCRIPTIONS, tenants), index, end)
}

fn save(tx: &mut Tx, terms: &Terms, subscription: &Subscription) {
    subscriptions::save(tx, None, subscription).unwrap();
    for (due, at) in lifecycle::dues(terms, subscription) {
        let kind = match due {
            Due::TermEnd => TimerKind::TermEnd,
            Due::CycleEnd => TimerKind::CycleEnd,
            Due::NextStep => TimerKind::NextStep,
            Due::WindowEnd => TimerKind::WindowEnd,
            Due::TrialEnd => TimerKind::TrialEnd,
            Due::Deletion => TimerKind::Deletion,
        };
        let timer = Timer { kind, due: at, tenant: subscription.tenant, subject: subscription.id.bytes() };
        timers::set(tx, &timer).unwrap();
    }
}

/// The configuration of a store in this folder, with the policy beside it.
pub(crate) fn config(folder: &Path) -> Config {
    let policies = folder.join("library").join("policies");
    if !policies.exists() {
        std::fs::create_dir_all(&policies).unwrap();
        std::fs::write(policies.join("renewal.rhai"), policy()).unwrap();
    }
    Config { store: folder.join("store.bursar"), library: folder.join("library"), ..Config::default() }
}

/// Makes a store with a population in this folder.
pub(crate) fn generate(folder: &Path, population: Population) {
    let config = config(folder);
    App::init(&config, STORE_ID, None).unwrap();
    let store = Store::open(&config.store, &bursar::store::tables::ALL, Default::default()).unwrap();
    fill(&store, population);
    store.close();
}

pub(crate) fn fill(store: &Store, population: Population) {
    let terms = Terms::builtin().unwrap();
    let tenants_all = population.all.div_ceil(TENANT_SUBSCRIPTIONS);
    for first in (0..population.all).step_by(CHUNK) {
        let mut tx = store.begin().unwrap();
        for index in first..(first + CHUNK).min(population.all) {
            if index % TENANT_SUBSCRIPTIONS == 0 {
                let number = index / TENANT_SUBSCRIPTIONS;
                tenants::save(&mut tx, None, &tenant(tenant_id(number, tenants_all), number)).unwrap();
            }
            save(&mut tx, &terms, &member(population, index));
        }
        tx.commit().unwrap().wait().unwrap();
    }
}

/// The clock of a bench, which can be put to another time: it stands, so that every sweep is given the same instants, or
/// runs as a server's does. (Where it stands, everything a sweep writes has the same millisecond and its ids lie all over
/// their tables, in the floor as well; `BURSAR_BENCH_CLOCK=running` measures the other case.)
#[derive(Clone)]
pub(crate) struct BenchClock {
    since: Arc<Mutex<(Instant, std::time::Instant)>>,
    runs: bool,
}

impl BenchClock {
    pub(crate) fn running(at: Instant) -> BenchClock {
        BenchClock { since: Arc::new(Mutex::new((at, std::time::Instant::now()))), runs: true }
    }

    pub(crate) fn set(&self, at: Instant) {
        *self.since.lock().unwrap() = (at, std::time::Instant::now());
    }
}

impl Clock for BenchClock {
    fn now(&self) -> Instant {
        let (at, begun) = *self.since.lock().unwrap();
        let passed = if self.runs { begun.elapsed() } else { Duration::ZERO };
        at + TimeDelta::microseconds(i64::try_from(passed.as_micros()).unwrap())
    }
}

/// Opens the application of a folder with its clock shortly after a set fell due.
pub(crate) fn open(folder: &Path, threads: usize, set: usize) -> (App, BenchClock) {
    let runs = std::env::var("BURSAR_BENCH_CLOCK").is_ok_and(|kind| kind == "running");
    let clock = BenchClock { runs, ..BenchClock::running(due(set) + TimeDelta::hours(1)) };
    let options = Options { clock: Some(Arc::new(clock.clone())), script_threads: Some(threads), ..Options::default() };
    (App::open(&config(folder), options).unwrap(), clock)
}
