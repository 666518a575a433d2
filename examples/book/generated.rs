//! A book as a partner has one, made from a seed: a catalogue with prices, customers, what they hold of every family,
//! trials, add-ons and suspended ones, and the orders that began them. The example writes it into files; a test imports
//! it and lives a year with it.

use anyhow::Context;
use bursar::domain::ids::Guid;
use bursar::domain::{Instant, Span, calendar};
use chrono::{Days, TimeDelta, Timelike};
use serde_json::{Value, json};

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }
}

/// What stands beside a product in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Bought and held.
    Plain,
    /// Bought by itself and of use only beside another product.
    AddOn,
    /// Bought for a base, and with its dates.
    Child,
    /// Free for a month; 25 seats.
    Trial,
    /// Free for the first month, as its publisher sells it.
    FreeMonth,
    /// Paid by use.
    Metered,
    /// Known from its order alone.
    OrderOnly,
}

/// A product of the book.
#[derive(Debug)]
pub(crate) struct Item {
    /// Partner Center's type of it; legacy offers have none.
    kind: &'static str,
    /// The catalogue item, or the GUID of a legacy offer.
    pub(crate) offer: &'static str,
    name: &'static str,
    publisher: &'static str,
    /// Cents of a seat for a month; for what is not sold by the month, for a year, or once.
    cents: u64,
    /// Terms with their cycles.
    pub(crate) plans: &'static [(&'static str, &'static str)],
    /// What it is beside that.
    pub(crate) sort: Sort,
    /// Of a hundred purchases, how many are of it.
    share: u64,
}

const fn item(
    kind: &'static str,
    offer: &'static str,
    name: &'static str,
    cents: u64,
    plans: &'static [(&'static str, &'static str)],
    share: u64,
) -> Item {
    Item { kind, offer, name, publisher: "Microsoft", cents, plans, sort: Sort::Plain, share }
}

/// The suite most customers hold.
pub(crate) const SUITE: &str = "CFQ7TTC0BK01:0001:CFQ7TTC0BA01";
/// The base of the legacy add-on, and what the legacy trial becomes.
pub(crate) const LEGACY: &str = "0b00c0de-0001-4000-8000-000000000001";
/// The add-on of the legacy base.
pub(crate) const ARCHIVE: &str = "0b00c0de-0002-4000-8000-000000000002";
/// The legacy trial.
pub(crate) const LEGACY_TRIAL: &str = "0b00c0de-0003-4000-8000-000000000003";

const BOTH: &[(&str, &str)] = &[("P1M", "monthly"), ("P1Y", "monthly"), ("P1Y", "annual")];
const YEARS: &[(&str, &str)] = &[("P1Y", "monthly"), ("P1Y", "annual")];
const ONCE: &[(&str, &str)] = &[("", "one_time")];

/// Everything that is sold; the shares add up to a hundred.
pub(crate) const ITEMS: [Item; 17] = [
    item("OnlineServicesNCE", SUITE, "Office Suite", 1_170, BOTH, 22),
    item(
        "OnlineServicesNCE",
        "CFQ7TTC0BK02:0001:CFQ7TTC0BA02",
        "Mail Plan",
        420,
        &[("P1M", "monthly"), ("P1Y", "monthly")],
        14,
    ),
    item("OnlineServicesNCE", "CFQ7TTC0BK03:0002:CFQ7TTC0BA03", "Security Plan", 570, YEARS, 10),
    Item {
        sort: Sort::AddOn,
        ..item("OnlineServicesNCE", "CFQ7TTC0BK04:0001:CFQ7TTC0BA04", "Telephony for the Suite", 310, BOTH, 4)
    },
    Item {
        sort: Sort::Trial,
        ..item("OnlineServicesNCE", "CFQ7TTC0BK05:0001:CFQ7TTC0BA05", "Security Plan Trial", 570, &[("P1M", "none")], 3)
    },
    item(
        "Software",
        "DG7GMGF0BK01:0001:DG7GMGF0BA01",
        "Server Licence",
        24_900,
        &[("P1Y", "annual"), ("P3Y", "annual")],
        6,
    ),
    item("Software", "DG7GMGF0BK02:0002:DG7GMGF0BA02", "Access Licence", 3_800, &[("P1Y", "annual")], 5),
    Item {
        sort: Sort::OrderOnly,
        ..item("SoftwarePerpetual", "DG7GMGF0BK03:0001:DG7GMGF0BA03", "Office Standard", 43_100, ONCE, 4)
    },
    item("SoftwareOnPremises", "DG7GMGF0BK04:0001:DG7GMGF0BA04", "Farm Server", 61_500, &[("P1Y", "annual")], 2),
    item("SoftwareSUSELinux", "DG7GMGF0BK05:0001:DG7GMGF0BA05", "Linux Plan", 8_200, &[("P1Y", "annual")], 2),
    Item {
        publisher: "Lindenbaum Software",
        ..item(
            "SaaS",
            "DZH318Z0BK01:0001:DZH318Z0BA01",
            "Ticket Desk",
            1_990,
            &[("P1M", "monthly"), ("P1Y", "annual")],
            7,
        )
    },
    Item {
        publisher: "Lindenbaum Software",
        sort: Sort::FreeMonth,
        ..item("SaaS", "DZH318Z0BK02:0001:DZH318Z0BA02", "Time Sheets", 890, &[("P1M", "monthly")], 2)
    },
    Item {
        sort: Sort::Metered,
        ..item("Azure", "DZH318Z0BK03:0001:DZH318Z0BA03", "Machines by Use", 0, &[("", "monthly")], 2)
    },
    item("AzureReservation", "DZH318Z0BK04:0001:DZH318Z0BA04", "Reserved Machine", 51_000, &[("P1Y", "one_time")], 2),
    item("", LEGACY, "Classic Mail", 400, YEARS, 9),
    Item { sort: Sort::Child, ..item("", ARCHIVE, "Classic Archive", 150, YEARS, 4) },
    Item { sort: Sort::Trial, ..item("", LEGACY_TRIAL, "Classic Mail Trial", 400, &[("P1M", "none")], 2) },
];

/// Countries of customers with the currency they buy in.
const MARKETS: [(&str, &str); 5] = [("DE", "EUR"), ("NL", "EUR"), ("GB", "GBP"), ("US", "USD"), ("NO", "NOK")];

/// Cents of a seat for one cycle: a yearly cycle of what is sold by the month is twelve less a tenth.
fn cents(item: &Item, cycle: &str) -> u64 {
    let monthly = item.plans.iter().any(|(_, cycle)| *cycle == "monthly");
    match (item.sort, cycle) {
        (Sort::Trial, _) => 0,
        (_, "annual") if monthly => item.cents * 54 / 5,
        _ => item.cents,
    }
}

fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The catalogue with its prices: products, SKUs and availabilities, legacy offers, and a price for every plan in every
/// market.
pub(crate) fn catalogue() -> Vec<Value> {
    let mut rows = Vec::new();
    for item in &ITEMS {
        match item.offer.split_once(':') {
            Some((product, rest)) => rows.extend(modern(item, product, rest)),
            None => rows.push(legacy(item)),
        }
        for (term, cycle) in item.plans.iter().filter(|_| item.sort != Sort::Trial) {
            for (market, currency) in &MARKETS {
                let mut row = json!({ "product": item.offer, "billingCycle": cycle, "market": market, "currency": currency,
                    "unitPrice": amount(cents(item, cycle)), "attributes": { "objectType": "Price" } });
                if !term.is_empty() {
                    row["termDuration"] = json!(term);
                }
                rows.push(row);
            }
        }
    }
    rows
}

fn modern(item: &Item, product: &str, rest: &str) -> [Value; 3] {
    let (sku, availability) = rest.split_once(':').unwrap_or((rest, ""));
    let terms: Vec<Value> = item
        .plans
        .iter()
        .map(|(term, cycle)| match *term {
            "" => json!({ "billingCycle": cycle }),
            term => json!({ "duration": term, "billingCycle": cycle }),
        })
        .collect();
    let is_trial = item.sort == Sort::Trial;
    let mut sold = json!({ "id": availability, "productId": product, "skuId": sku, "catalogItemId": item.offer,
        "isPurchasable": item.sort != Sort::FreeMonth, "isTrial": is_trial, "terms": terms,
        "attributes": { "objectType": "Availability" } });
    if item.sort == Sort::AddOn {
        sold["dynamicAttributes"] = json!({ "isAddon": true, "prerequisiteSkus": ["CFQ7TTC0BK01:0001"] });
    }
    let seats = if is_trial { (25, 25) } else { (1, 300) };
    [
        json!({ "id": product, "title": item.name, "productType": { "id": item.kind }, "publisherName": item.publisher,
            "isMicrosoftProduct": item.publisher == "Microsoft", "attributes": { "objectType": "Product" } }),
        json!({ "id": sku, "productId": product, "title": item.name, "minimumQuantity": seats.0,
            "maximumQuantity": seats.1, "isTrial": is_trial, "attributes": { "objectType": "Sku" } }),
        sold,
    ]
}

fn legacy(item: &Item) -> Value {
    let cycles: Vec<&str> = item.plans.iter().map(|(_, cycle)| *cycle).collect();
    let is_trial = item.sort == Sort::Trial;
    let mut row = json!({ "id": item.offer, "name": item.name, "minimumQuantity": if is_trial { 25 } else { 1 },
        "maximumQuantity": if is_trial { 25 } else { 300 }, "isTrial": is_trial, "isAddOn": item.sort == Sort::Child,
        "billing": "license", "supportedBillingCycles": cycles, "term": 1, "isMicrosoftProduct": true,
        "termUnitOfMeasure": if is_trial { "Month" } else { "Year" }, "attributes": { "objectType": "Offer" } });
    match item.sort {
        Sort::Trial => {
            row["conversionTargetOffers"] = json!([LEGACY]);
            (row["limitUnitOfMeasure"], row["limit"]) = (json!("Lifetime"), json!(1));
        }
        Sort::Child => row["prerequisiteOffers"] = json!([LEGACY]),
        _ => {}
    }
    row
}

/// What is in the book.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Book {
    /// Another seed is another book.
    pub(crate) seed: u64,
    /// How many customers.
    pub(crate) customers: usize,
    /// The day the book is about: every term holds it.
    pub(crate) now: Instant,
}

/// What was sold, and when.
struct Sale {
    item: &'static Item,
    term: &'static str,
    cycle: &'static str,
    seats: u64,
    bought: Instant,
    /// The first instant after the present term; none where there is no end.
    end: Option<Instant>,
    auto_renew: bool,
    suspended: bool,
    /// The place of the base of an add-on.
    base: Option<usize>,
}

impl Book {
    fn guid(&self, noun: &str, index: usize) -> Guid {
        Guid::derive(format!("{}:{noun}:{index}", self.seed).as_bytes())
    }

    /// The id of a customer.
    pub(crate) fn customer_id(&self, index: usize) -> Guid {
        self.guid("customer", index)
    }

    fn dice(&self, index: usize, factor: u64) -> Dice {
        Dice(self.seed ^ (index as u64).wrapping_mul(factor))
    }

    /// Whose a purchase is. A few customers are large, as in life: half of the book belongs to a tenth of them.
    pub(crate) fn owner(&self, index: usize) -> usize {
        let index = if self.is_child(index) { index - 1 } else { index };
        let mut dice = self.dice(index, 0x517c_c1b7_2722_0a95);
        let few = (self.customers / 10).max(1);
        let among = if dice.below(2) == 0 { few } else { self.customers };
        usize::try_from(dice.below(among as u64)).unwrap_or(0)
    }

    /// What was bought, but for add-ons of a base.
    fn first_item(&self, index: usize) -> &'static Item {
        let mut left = self.dice(index, 0x2545_f491_4f6c_dd1d).below(100);
        let found = ITEMS.iter().find(|item| {
            let here = left < item.share;
            left = left.saturating_sub(item.share);
            here
        });
        // Only a base may have an add-on beside it, so an add-on that stands alone is a base.
        match found.unwrap_or(&ITEMS[0]) {
            item if item.sort == Sort::Child => &ITEMS[14],
            item => item,
        }
    }

    /// Of two purchases in a row that are of the add-on's base, the second is its add-on half of the time.
    fn is_child(&self, index: usize) -> bool {
        let has_base = index % 2 == 1 && self.first_item(index - 1).offer == LEGACY;
        has_base && self.dice(index, 0x6a09_e667_f3bc_c909).below(2) == 0
    }

    fn sale(&self, index: usize) -> anyhow::Result<Sale> {
        if self.is_child(index) {
            let base = self.sale(index - 1)?;
            return Ok(Sale { item: &ITEMS[15], seats: 1 + base.seats / 2, base: Some(index - 1), ..base });
        }
        let item = self.first_item(index);
        let mut dice = self.dice(index, 0x9fb2_1c65_1e98_df25);
        let (term, cycle) = *dice.pick(item.plans);
        let is_free = matches!(item.sort, Sort::Trial | Sort::FreeMonth);
        // Some were bought this week, so that there are windows to be missed.
        let days = [900, 900, 900, 6][usize::try_from(dice.below(4))?];
        let days = if is_free { 25 } else { days };
        let bought = self.now - TimeDelta::minutes(i64::try_from(dice.below(days * 24 * 60))?);
        let bought = bought.with_nanosecond(0).context("every minute has a first instant")?;
        let end = if term.is_empty() { None } else { Some(first_end(bought, term, self.now)?) };
        let seats = match item.sort {
            Sort::Trial => 25,
            Sort::Metered => 1,
            _ => 1 + dice.below(9) * dice.below(9) * if dice.below(20) == 0 { 4 } else { 1 },
        };
        let may_stop = matches!(item.kind, "OnlineServicesNCE" | "") && item.sort == Sort::Plain;
        let (auto_renew, suspended) = (dice.below(10) > 1, may_stop && dice.below(20) == 0);
        Ok(Sale { item, term, cycle, seats, bought, end, auto_renew: auto_renew && !suspended, suspended, base: None })
    }

    /// A customer who has accepted the agreement.
    pub(crate) fn customer(&self, index: usize) -> Value {
        let (id, (country, _)) = (self.customer_id(index), MARKETS[index % MARKETS.len()]);
        let name = format!("Customer {index}");
        json!({ "id": id.to_string(), "relationshipToPartner": "reseller",
            "companyProfile": { "tenantId": id.to_string(), "domain": format!("customer{index}.onmicrosoft.com"),
                "companyName": name, "attributes": { "objectType": "CustomerCompanyProfile" } },
            "billingProfile": { "companyName": name, "defaultAddress": { "country": country },
                "attributes": { "objectType": "CustomerBillingProfile" } },
            "agreements": [{ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2020-01-01T00:00:00Z" }],
            "attributes": { "objectType": "Customer" } })
    }

    /// The order of a purchase.
    pub(crate) fn order(&self, index: usize) -> anyhow::Result<Value> {
        let (sale, owner) = (self.sale(index)?, self.owner(index));
        let mut line = json!({ "lineItemNumber": 0, "offerId": sale.item.offer,
            "friendlyName": format!("{} {index}", sale.item.name), "quantity": sale.seats,
            "pricing": { "price": amount(cents(sale.item, sale.cycle)) } });
        if !sale.term.is_empty() {
            line["termDuration"] = json!(sale.term);
        }
        if sale.item.sort != Sort::OrderOnly {
            line["subscriptionId"] = json!(self.guid("subscription", index).to_string());
        }
        if let Some(base) = sale.base {
            line["parentSubscriptionId"] = json!(self.guid("subscription", base).to_string());
        }
        Ok(json!({ "id": format!("Book{index:08}"), "referenceCustomerId": self.customer_id(owner).to_string(),
            "billingCycle": sale.cycle, "currencyCode": MARKETS[owner % MARKETS.len()].1, "lineItems": [line],
            "creationDate": calendar::show(sale.bought), "status": "completed",
            "attributes": { "objectType": "Order" } }))
    }

    /// The subscription that a purchase became; software that was bought for good became none.
    pub(crate) fn subscription(&self, index: usize) -> anyhow::Result<Option<Value>> {
        let sale = self.sale(index)?;
        if sale.item.sort == Sort::OrderOnly {
            return Ok(None);
        }
        let (id, tenant) = (self.guid("subscription", index), self.customer_id(self.owner(index)));
        let bought = calendar::show(sale.bought);
        let mut row = json!({ "id": id.to_string(), "offerId": sale.item.offer, "offerName": sale.item.name,
            "friendlyName": format!("{} {index}", sale.item.name), "quantity": sale.seats, "creationDate": bought,
            "effectiveStartDate": bought, "status": if sale.suspended { "suspended" } else { "active" },
            "autoRenewEnabled": sale.auto_renew && sale.end.is_some(), "billingCycle": sale.cycle,
            "isTrial": matches!(sale.item.sort, Sort::Trial | Sort::FreeMonth),
            "billingType": if sale.item.sort == Sort::Metered { "usage" } else { "license" },
            "publisherName": sale.item.publisher, "isMicrosoftProduct": sale.item.publisher == "Microsoft",
            "orderId": format!("Book{index:08}"), "attributes": { "objectType": "Subscription" },
            "links": { "self": { "uri": format!("/customers/{tenant}/subscriptions/{id}"), "method": "GET",
                "headers": [] } } });
        if !sale.item.kind.is_empty() {
            row["productType"] = json!({ "id": sale.item.kind });
        }
        if !sale.term.is_empty() {
            row["termDuration"] = json!(sale.term);
        }
        if sale.suspended {
            row["suspensionReasons"] = json!(["non_payment"]);
        }
        if let Some(base) = sale.base {
            row["parentSubscriptionId"] = json!(self.guid("subscription", base).to_string());
        }
        let end = sale.end;
        row["commitmentEndDate"] = json!(match end {
            // Of new commerce the last day of the term, of legacy offers the first instant after it.
            Some(end) if !sale.item.kind.is_empty() => calendar::show(end - Days::new(1)),
            Some(end) => calendar::show(end),
            None => "9999-12-10T00:00:00Z".to_owned(),
        });
        if let Some(end) = end {
            row["commitmentEndDateTime"] = json!(calendar::show(end - TimeDelta::seconds(1)));
        }
        Ok(Some(row))
    }
}

/// The first end of a term after `now`, counted from the day of the purchase.
fn first_end(bought: Instant, term: &str, now: Instant) -> anyhow::Result<Instant> {
    let length: Span = term.parse()?;
    let midnight = bought.date_naive().and_hms_opt(0, 0, 0).context("every day has a midnight")?.and_utc();
    let (mut end, mut terms) = (midnight, 0);
    while end <= now {
        terms += 1;
        let months = Span::months(length.months * terms);
        end = months.after(midnight).context("a term beyond the calendar")?;
    }
    Ok(end)
}
