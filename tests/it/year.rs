//! A year of a shop on a clock that is moved: bought, converted, given other seats, suspended, cancelled inside windows and
//! outside. What was charged is what is billed and unbilled, and the same year twice gives the same bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use bursar::domain::cart::CartLine;
use bursar::domain::change::{Amendments, Reason};
use bursar::domain::request::Outcome;
use bursar::domain::subscription::Status;
use bursar::domain::{Change, SubscriptionId};
use bursar::ops::{Rights, export, invoices};
use bursar::triggers;
use rust_decimal::Decimal;
use serde_json::json;

use crate::shop_world::{
    FOREVER, LEGACY, LEGACY_ADD_ON, NOW, SAAS, SERVER, SUITE, TELEPHONY, TRIAL, catalogue, customer, line,
};
use crate::world::{TENANT, World};

const SEED: &str = "BURSAR_YEAR_SEED";
const DAYS: u32 = 370;

/// Everything that can be decided is let through.
const PASSES: (&str, &str) = (
    "policies/all.rhai",
    "//! Everything passes.\n//! ---\n//! decides = [\"purchase\", \"activation\", \"conversion\", \"renewal\", \"suspension\", \"reactivation\", \"cancellation\", \"auto_renew\", \"quantity\", \"schedule\", \"billing_plan\"]\n//! ---\nfn decide(request) { approve(); }\n",
);

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn seats(&mut self) -> i64 {
        i64::try_from(self.roll(40)).unwrap() + 1
    }
}

/// What was bought so far, and what became of the requests.
#[derive(Default)]
struct Year {
    held: Vec<SubscriptionId>,
    trials: Vec<SubscriptionId>,
    outcomes: BTreeMap<String, u32>,
}

fn wanted(dice: &mut Dice) -> CartLine {
    let seats = dice.seats();
    match dice.roll(9) {
        0 | 1 => line(SUITE, seats, "P1Y", "monthly"),
        2 => line(SUITE, seats, "P1M", "monthly"),
        3 => line(TELEPHONY, seats, "P1Y", "annual"),
        4 => line(SAAS, seats, "P1M", "monthly"),
        5 => line(SERVER, seats, "P3Y", "annual"),
        6 => line(FOREVER, seats, "", "one_time"),
        7 => line(LEGACY, seats, "P1Y", "monthly"),
        _ => line(TRIAL, 25, "", ""),
    }
}

async fn buy(world: &World, year: &mut Year, line: CartLine) {
    let is_trial = line.catalog_item_id == TRIAL;
    let bought = crate::shop_world::try_buy(world, vec![line]).await.map(|done| done.bought).unwrap_or_default();
    let word = if bought.is_empty() { "not sold" } else { "sold" };
    *year.outcomes.entry(word.to_owned()).or_default() += 1;
    let bought: Vec<SubscriptionId> = bought.iter().map(|bought| bought.subscription).collect();
    if is_trial {
        year.trials.extend(&bought);
    } else {
        year.held.extend(bought);
    }
}

async fn add_on(world: &World, year: &mut Year, base: SubscriptionId, seats: i64) {
    let mut line = line(LEGACY_ADD_ON, seats, "P1Y", "monthly");
    line.parent_subscription_id = Some(base);
    buy(world, year, line).await;
}

async fn day(world: &World, dice: &mut Dice, year: &mut Year) {
    if year.held.is_empty() || dice.roll(4) == 0 {
        let line = wanted(dice);
        return buy(world, year, line).await;
    }
    let place = usize::try_from(dice.roll(u64::try_from(year.held.len()).unwrap())).unwrap();
    let id = year.held[place];
    let seats = dice.seats();
    let reason = Reason::CustomerRequest;
    let change = match dice.roll(12) {
        0 | 1 => Change::Cancellation { reason },
        2 => Change::Suspension { reason: Reason::NonPayment },
        3 | 4 => Change::Reactivation {},
        5 => Change::AutoRenew { enabled: dice.roll(3) > 0, cancel_at_term_end: None },
        6 | 7 => Change::Quantity { quantity: seats },
        8 => Change::Conversion { to: Amendments::default() },
        9 => Change::Schedule { instructions: Amendments { quantity: Some(seats), ..Amendments::default() } },
        10 => return add_on(world, year, id, seats).await,
        _ => Change::Activation {},
    };
    let kind = change.kind();
    let outcome = world.propose("anna", id, change).await.outcome;
    *year.outcomes.entry(format!("{kind} {}", outcome.as_str())).or_default() += 1;
    assert_ne!(outcome, Outcome::Denied, "nobody says no but the terms");
}

/// The whole of the store as its export writes it.
fn exported(world: &World) -> String {
    let mut out = String::new();
    for noun in export::NOUNS {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let place = after.take();
            let shown = |sub: &bursar::domain::Subscription| json!(format!("{sub:?}"));
            let page =
                world.app.read(Rights::system(), |work| export::page(work, noun, place.as_deref(), shown)).unwrap();
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

fn adds_up(world: &World, seed: u64) {
    let all = world.lines();
    let mut charged: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut begun: BTreeSet<_> = BTreeSet::new();
    for line in &all {
        *charged.entry(line.currency.to_string()).or_default() += line.total();
        if matches!(line.kind.as_str(), "renew" | "cycleCharge") {
            let place = (line.subscription, line.period_start);
            assert!(begun.insert(place), "seed {seed}: {} charges a period again", line.id);
        }
    }
    let mut billed: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut after: Option<Vec<u8>> = None;
    let everything = bursar::domain::selection::Selection::everything(&bursar::domain::selection::INVOICES);
    loop {
        let place = after.take();
        let page =
            world.app.read(Rights::system(), |work| invoices::list(work, &everything, place.as_deref(), 100)).unwrap();
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

/// The trial is wanted: it becomes a paid year, and then lives as everything else does.
async fn convert(world: &World, year: &mut Year) {
    let trial = year.trials.pop().unwrap();
    let to = Amendments {
        offer_id: Some(LEGACY.to_owned()),
        term_duration: Some("P1Y".parse().unwrap()),
        billing_cycle: Some("monthly".to_owned()),
        ..Amendments::default()
    };
    let said = world.propose("anna", trial, Change::Conversion { to }).await;
    assert_eq!(said.outcome, Outcome::Applied, "{:?}", said.request.map(|request| request.reasons));
    assert_eq!((said.subscription.id, said.subscription.profile.is_trial), (trial, false));
    year.held.push(trial);
}

async fn lived(seed: u64) -> (String, Year) {
    let mut dice = Dice(seed);
    let world = World::new(NOW, &[PASSES]);
    world.import(json!([customer(TENANT, "NL", "", true)])).await;
    world.import(catalogue()).await;
    let mut year = Year::default();
    buy(&world, &mut year, line(TRIAL, 25, "", "")).await;
    for number in 0..DAYS {
        if number == 10 {
            convert(&world, &mut year).await;
        }
        day(&world, &mut dice, &mut year).await;
        let hours = 20 + i64::try_from(dice.roll(9)).unwrap();
        triggers::advance(&world.app, world.app.now() + chrono::TimeDelta::hours(hours)).await.unwrap();
        if number % 90 == 0 {
            adds_up(&world, seed);
        }
    }
    adds_up(&world, seed);
    for id in &year.held {
        let sub = world.sub(*id);
        assert_ne!(sub.standing.status, Status::Unknown, "seed {seed}");
    }
    (exported(&world), year)
}

#[tokio::test]
async fn a_year_adds_up_and_lived_again_is_the_same_to_the_byte() {
    let given = std::env::var_os(SEED).and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one("a year"));
    println!("{SEED}={seed}");
    let (first, year) = lived(seed).await;
    println!("{:?}", year.outcomes);
    assert!(year.held.len() > 20, "seed {seed}: hardly anything was bought");
    for kind in ["cancellation", "suspension", "quantity"] {
        let said = |word: &str| year.outcomes.keys().any(|key| key.starts_with(kind) && key.ends_with(word));
        assert!(said("applied") && said("refused"), "seed {seed}: {kind} from both sides: {:?}", year.outcomes);
    }
    let (second, _) = lived(seed).await;
    let differing = first.lines().zip(second.lines()).find(|(one, other)| one != other);
    assert_eq!(differing, None, "seed {seed}");
    assert_eq!(first.len(), second.len(), "seed {seed}");
}
