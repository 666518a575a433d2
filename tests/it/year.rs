//! A year of a partner on a clock that is moved, with the book that `examples/book` generates: every family, trials,
//! add-ons, suspended ones. Things are bought, converted, given other seats, suspended, cancelled inside windows and
//! outside. What was charged is what is billed and unbilled, and the same year twice gives the same bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use bursar::domain::cart::CartLine;
use bursar::domain::change::{Amendments, Reason};
use bursar::domain::ledger::{ChargeType, Line};
use bursar::domain::request::Outcome;
use bursar::domain::subscription::Status;
use bursar::domain::{Change, Instant, Subscription, SubscriptionId, TenantId};
use bursar::ops::carts::Wish;
use bursar::ops::{self, Rights, checkout, export, invoices};
use bursar::triggers;
use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::invoices::paid_before_it_is_refunded;
use crate::shop_world::line;
use crate::world::{World, at, person};

#[path = "../../examples/book/generated.rs"]
mod generated;

use generated::{ARCHIVE, Book, Dice, ITEMS, LEGACY, LEGACY_TRIAL, SUITE, Sort};

const SEED: &str = "BURSAR_YEAR_SEED";
const NOW: &str = "2026-11-20T00:00:00Z";
const DAYS: i64 = 366;
const PERPETUAL: &str = "DG7GMGF0BK03:0001:DG7GMGF0BA03";
const TICKETS: &str = "DZH318Z0BK01:0001:DZH318Z0BA01";

/// Everything that can be decided is let through.
const PASSES: (&str, &str) = (
    "policies/all.rhai",
    "//! Everything passes.\n//! ---\n//! decides = [\"purchase\", \"activation\", \"conversion\", \"renewal\", \"suspension\", \"reactivation\", \"cancellation\", \"auto_renew\", \"quantity\", \"schedule\", \"billing_plan\", \"deprovision\"]\n//! ---\nfn decide(request) { approve(); }\n",
);

/// A rate for most of the customers, so that every sum has two parts.
const RATES: (&str, &str) = (
    "policies/tax.toml",
    "[[rate]]\nrule = \"NL\"\ncountry = \"NL\"\npercent = 21\n[[rate]]\nrule = \"DE\"\ncountry = \"DE\"\npercent = 19\n",
);

/// What was held when the year began.
struct Imported {
    seats: i64,
    price: Option<Decimal>,
    cycle_end: Option<Instant>,
}

struct Year {
    seed: u64,
    world: World,
    book: Book,
    dice: Dice,
    /// What can be acted on, bought this year or before.
    held: Vec<SubscriptionId>,
    imported: BTreeMap<SubscriptionId, Imported>,
    /// The term that each was in when it was looked at last, and when its window ends.
    windows: BTreeMap<SubscriptionId, (Instant, Option<Instant>)>,
    outcomes: BTreeMap<String, u32>,
}

fn collection(rows: &[Value]) -> Value {
    json!({ "items": rows, "attributes": { "objectType": "Collection" } })
}

impl Year {
    async fn begin(seed: u64, holdings: usize) -> Self {
        let world = World::new(NOW, &[PASSES, RATES]);
        let book = Book { seed, customers: holdings / 12, now: at(NOW) };
        world.import(collection(&generated::catalogue())).await;
        // One more than the book sells to: it has had no trial, whatever the dice say.
        let customers: Vec<Value> = (0..=book.customers).map(|index| book.customer(index)).collect();
        world.import(collection(&customers)).await;
        let orders: Vec<Value> = (0..holdings).map(|index| book.order(index).unwrap()).collect();
        world.import(collection(&orders)).await;
        let subscriptions: Vec<Value> = (0..holdings).filter_map(|index| book.subscription(index).unwrap()).collect();
        world.import(collection(&subscriptions)).await;
        let mut year = Self {
            seed,
            world,
            book,
            dice: Dice(seed),
            held: Vec::new(),
            imported: BTreeMap::new(),
            windows: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        };
        for sub in year.everything() {
            year.held.push(sub.id);
            let price = sub.profile.unit_price.map(|price| price.amount);
            let begun = Imported { seats: sub.standing.quantity, price, cycle_end: sub.standing.cycle_end };
            year.imported.insert(sub.id, begun);
        }
        assert_eq!(year.held.len(), holdings, "seed {seed}: software known from its order alone is held too");
        year
    }

    /// Every subscription there is, in the order of the store.
    fn everything(&self) -> Vec<Subscription> {
        let all = bursar::domain::selection::Selection::everything(&bursar::domain::selection::SUBSCRIPTIONS);
        let mut found = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let place = after.take();
            let list = |work: &mut ops::Work| ops::subscriptions::select(work, &all, place.as_deref(), 500);
            let page = self.world.app.read(Rights::system(), list).unwrap();
            found.extend(page.items.into_iter().map(|stored| stored.value));
            match page.next {
                None => break found,
                next => after = next,
            }
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.outcomes.entry(what.into()).or_default() += 1;
    }

    fn customer(&mut self) -> TenantId {
        let among = self.book.customers as u64;
        TenantId(self.book.customer_id(usize::try_from(self.dice.below(among)).unwrap()))
    }

    fn seats(&mut self) -> i64 {
        i64::try_from(self.dice.below(40)).unwrap() + 1
    }

    async fn buy(&mut self, tenant: TenantId, line: CartLine) -> Option<SubscriptionId> {
        let item = line.catalog_item_id.clone();
        let cause = self.world.app.next_cause("test");
        let wish = Wish { lines: vec![line] };
        let body = move |work: &mut ops::Work| checkout::buy(work, tenant, &wish);
        let bought = self.world.app.act(person("anna"), cause, body).await;
        let bought = bought.ok().and_then(|done| Some(done.bought.first()?.subscription));
        self.note(if bought.is_some() { "sold".to_owned() } else { format!("not sold {item}") });
        self.held.extend(bought);
        bought
    }

    async fn propose(&mut self, id: SubscriptionId, change: Change) -> Outcome {
        let kind = change.kind();
        let said = self.world.propose("anna", id, change).await;
        assert_ne!(said.outcome, Outcome::Denied, "nobody says no but the terms");
        self.note(format!("{kind} {}", said.outcome.as_str()));
        said.outcome
    }

    /// What a year has to hold whatever the dice say.
    async fn directed(&mut self, day: i64) {
        let tenant = TenantId(self.book.customer_id(usize::try_from(day).unwrap() % self.book.customers));
        let reason = Reason::CustomerRequest;
        match day {
            1 => {
                let base = self.buy(tenant, line(LEGACY, 3, "P1Y", "monthly")).await.unwrap();
                let mut child = line(ARCHIVE, 2, "P1Y", "monthly");
                child.parent_subscription_id = Some(base);
                let child = self.buy(tenant, child).await.unwrap();
                assert_eq!(
                    self.propose(base, Change::Suspension { reason: Reason::NonPayment }).await,
                    Outcome::Applied
                );
                assert_eq!(self.world.sub(child).standing.status, Status::Suspended, "seed {}", self.seed);
                assert_eq!(self.propose(child, Change::Reactivation {}).await, Outcome::Refused, "before its base");
                assert_eq!(self.propose(base, Change::Reactivation {}).await, Outcome::Applied);
                assert_eq!(self.propose(child, Change::Reactivation {}).await, Outcome::Applied);
            }
            2 => self.convert_a_trial().await,
            3 | 90 => {
                for (item, seats, term, cycle) in
                    [(SUITE, 7, "P1Y", "monthly"), (PERPETUAL, 2, "", "one_time"), (TICKETS, 4, "P1M", "monthly")]
                {
                    let id = self.buy(tenant, line(item, seats, term, cycle)).await.unwrap();
                    if self.world.sub(id).standing.status == Status::Pending {
                        assert_eq!(self.propose(id, Change::Activation {}).await, Outcome::Applied);
                    }
                    // The first is taken back inside its window; what is bought the second time is asked for too late.
                    if day == 3 {
                        assert_eq!(self.propose(id, Change::Cancellation { reason }).await, Outcome::Applied, "{item}");
                    }
                }
            }
            130 => {
                let stays = |id: &SubscriptionId| {
                    let sub = self.world.sub(*id);
                    let late = sub.standing.window_end.is_some_and(|end| end <= self.world.app.now());
                    sub.profile.offer_id == PERPETUAL && sub.standing.status == Status::Active && late
                };
                if let Some(late) = self.held.iter().rev().copied().find(stays) {
                    assert_eq!(self.propose(late, Change::Cancellation { reason }).await, Outcome::Refused);
                }
            }
            _ => {}
        }
    }

    async fn convert_a_trial(&mut self) {
        let tenant = TenantId(self.book.customer_id(self.book.customers));
        let trial = self.buy(tenant, line(LEGACY_TRIAL, 25, "", "")).await.unwrap();
        let to = Amendments {
            offer_id: Some(LEGACY.to_owned()),
            term_duration: Some("P1Y".parse().unwrap()),
            billing_cycle: Some("monthly".to_owned()),
            ..Amendments::default()
        };
        assert_eq!(self.propose(trial, Change::Conversion { to }).await, Outcome::Applied, "seed {}", self.seed);
        assert!(!self.world.sub(trial).profile.is_trial, "seed {}", self.seed);
    }

    async fn day(&mut self) {
        if self.dice.below(6) == 0 {
            let item = self.dice.pick(&ITEMS);
            let (term, cycle) = *self.dice.pick(item.plans);
            let (tenant, seats) = (self.customer(), if item.sort == Sort::Trial { 25 } else { self.seats() });
            self.buy(tenant, line(item.offer, seats, term, cycle)).await;
        }
        let place = usize::try_from(self.dice.below(self.held.len() as u64)).unwrap();
        let (id, seats) = (self.held[place], self.seats());
        let change = match self.dice.below(14) {
            0 | 1 => Change::Cancellation { reason: Reason::CustomerRequest },
            2 => Change::Suspension { reason: Reason::NonPayment },
            3 | 4 => Change::Reactivation {},
            5 => Change::AutoRenew { enabled: self.dice.below(3) > 0, cancel_at_term_end: None },
            6 | 7 => Change::Quantity { quantity: seats },
            8 => Change::Conversion { to: Amendments::default() },
            9 => Change::Schedule { instructions: Amendments { quantity: Some(seats), ..Amendments::default() } },
            10 => Change::BillingPlan { billing_cycle: (*self.dice.pick(&["monthly", "annual"])).to_owned() },
            11 => Change::Deprovision {},
            _ => Change::Activation {},
        };
        self.propose(id, change).await;
    }

    /// A window that has closed stays closed until a new term begins.
    fn windows_stay_closed(&mut self, now: Instant) {
        for sub in self.everything() {
            let standing = &sub.standing;
            let seen = self.windows.insert(sub.id, (standing.term_start, standing.window_end));
            let Some((term, Some(end))) = seen.filter(|(_, end)| end.is_some_and(|end| end <= now)) else { continue };
            let again = standing.window_end.is_some_and(|again| again > end);
            assert!(!again || standing.term_start > term, "seed {}: {} may be cancelled again", self.seed, sub.id);
        }
    }

    /// No term that began before the import gives back more than it had cost.
    fn imports_give_back_no_more_than_they_cost(&self, lines: &[Line]) {
        for (id, begun) in &self.imported {
            let (Some(price), Some(end)) = (begun.price, begun.cycle_end) else { continue };
            let inside = lines.iter().filter(|line| line.subscription == *id && line.period_start < end);
            let given: Decimal = inside.map(|line| line.amount).sum();
            let cost = price * Decimal::from(begun.seats);
            assert!(given >= -cost, "seed {}: {id} cost {cost} and gave back {given}", self.seed);
        }
    }

    fn adds_up(&self) {
        let (seed, world) = (self.seed, &self.world);
        let all = world.lines();
        let mut charged: BTreeMap<String, Decimal> = BTreeMap::new();
        for line in &all {
            *charged.entry(line.currency.to_string()).or_default() += line.total();
        }
        paid_before_it_is_refunded(&all, seed);
        self.imports_give_back_no_more_than_they_cost(&all);
        let mut billed: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut after: Option<Vec<u8>> = None;
        let everything = bursar::domain::selection::Selection::everything(&bursar::domain::selection::INVOICES);
        loop {
            let place = after.take();
            let list = |work: &mut ops::Work| invoices::list(work, &everything, place.as_deref(), 100);
            let page = world.app.read(Rights::system(), list).unwrap();
            for invoice in page.items {
                *billed.entry(invoice.id.currency.to_string()).or_default() += invoice.totals.total();
            }
            match page.next {
                None => break,
                next => after = next,
            }
        }
        for rest in world.app.read(Rights::system(), |work| invoices::unbilled(work, None)).unwrap() {
            *billed.entry(rest.currency.to_string()).or_default() += rest.totals.total();
        }
        assert_eq!(charged, billed, "seed {seed}");
        let mut tx = world.app.store().begin_durable().unwrap();
        assert_eq!(invoices::recount(&mut tx, &mut |_| {}).unwrap(), [], "seed {seed}");
    }

    /// The whole of the store as its export writes it.
    fn exported(&self) -> String {
        let mut out = String::new();
        for noun in export::NOUNS {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let place = after.take();
                let shown = |sub: &Subscription| json!(format!("{sub:?}"));
                let page = |work: &mut ops::Work| export::page(work, noun, place.as_deref(), shown);
                let page = self.world.app.read(Rights::system(), page).unwrap();
                for record in page.records {
                    out.push_str(&format!("{noun} {record}\n"));
                }
                match page.next {
                    None => break,
                    next => after = next,
                }
            }
        }
        out
    }
}

async fn lived(seed: u64, holdings: usize, days: i64) -> Year {
    let mut year = Year::begin(seed, holdings).await;
    for day in 0..days {
        year.directed(day).await;
        year.day().await;
        let hours = 20 + i64::try_from(year.dice.below(9)).unwrap();
        let next = year.world.app.now() + TimeDelta::hours(hours);
        triggers::advance(&year.world.app, next).await.unwrap();
        if day % 3 == 0 {
            year.windows_stay_closed(next);
        }
        if day % 120 == 0 {
            year.adds_up();
        }
    }
    year.adds_up();
    year
}

#[tokio::test]
async fn a_year_with_the_generated_book_adds_up_and_lived_again_is_the_same_to_the_byte() {
    let given = std::env::var_os(SEED).and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one("a year"));
    println!("{SEED}={seed}");
    let year = lived(seed, 96, DAYS).await;
    println!("{:?}", year.outcomes);
    for kind in ["cancellation", "suspension", "quantity"] {
        let said = |word: &str| year.outcomes.keys().any(|key| key.starts_with(kind) && key.ends_with(word));
        assert!(said("applied") && said("refused"), "seed {seed}: {kind} from both sides: {:?}", year.outcomes);
    }
    let lines = year.world.lines();
    for kind in [ChargeType::New, ChargeType::Renew, ChargeType::CycleCharge, ChargeType::CancelImmediate] {
        assert!(lines.iter().any(|line| line.kind == kind), "seed {seed}: nothing of {}", kind.as_str());
    }
    let families: BTreeSet<String> = year.everything().iter().map(|sub| sub.profile.family.clone()).collect();
    assert!(families.len() >= 5, "seed {seed}: {families:?}");
    let (first, second) = (year.exported(), lived(seed, 96, DAYS).await.exported());
    let differing = first.lines().zip(second.lines()).find(|(one, other)| one != other);
    assert_eq!(differing, None, "seed {seed}");
    assert_eq!(first.len(), second.len(), "seed {seed}");
}

/// The book holds what a year needs, whatever the seed: every family, trials, add-ons and suspended ones.
#[tokio::test]
async fn the_generated_book_is_taken_whole_and_holds_every_family() {
    let year = Year::begin(7, 600).await;
    let everything = year.everything();
    let families: BTreeSet<&str> = everything.iter().map(|sub| sub.profile.family.as_str()).collect();
    let wanted = bursar::partner_center::family::FAMILIES.into_iter().filter(|family| *family != "unknown");
    assert_eq!(families, wanted.collect());
    let counted = |what: &dyn Fn(&Subscription) -> bool| everything.iter().filter(|sub| what(sub)).count();
    assert!(counted(&|sub| sub.profile.is_trial) > 10);
    assert!(counted(&|sub| sub.standing.status == Status::Suspended) > 5);
    assert!(counted(&|sub| sub.standing.window_end.is_some_and(|end| end > at(NOW))) > 10);
    for sub in everything.iter().filter(|sub| sub.profile.parent_subscription_id.is_some()) {
        let base = year.world.sub(sub.profile.parent_subscription_id.unwrap());
        assert_eq!((base.tenant, base.standing.term_end), (sub.tenant, sub.standing.term_end));
    }
    assert!(counted(&|sub| sub.profile.parent_subscription_id.is_some()) > 5);
    let attended: Vec<_> = everything.iter().filter(|sub| sub.standing.attention.is_some()).collect();
    assert!(attended.is_empty(), "{attended:#?}");
}
