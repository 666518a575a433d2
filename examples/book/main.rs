//! Writes a large book as Partner Center's JSON: `cargo run --release --example book -- --subscriptions 100000 --out /tmp/book`.
//!
//! The same options give the same bytes. Files hold at most 5,000 rows each: customers, then subscriptions and orders.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use bursar::domain::ids::Guid;
use bursar::domain::{Instant, Span, calendar};
use chrono::{Days, TimeDelta, Timelike};
use clap::Parser;

/// Rows of one file.
const ROWS_MAX: usize = 5_000;

/// Writes a book of subscriptions as Partner Center's JSON.
#[derive(Parser)]
struct Options {
    /// How many subscriptions.
    #[arg(long, default_value_t = 10_000)]
    subscriptions: usize,
    /// How many customers; none: one for every twelve subscriptions.
    #[arg(long)]
    tenants: Option<usize>,
    /// Another seed is another book.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day the book is about: every term holds it.
    #[arg(long, default_value = "2026-11-20T00:00:00Z")]
    now: String,
    /// Where the files go.
    #[arg(long)]
    out: PathBuf,
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }
}

/// A product: its type, catalogue item, name, publisher, price in cents, and the terms and cycles it is sold with.
type Product = (&'static str, &'static str, &'static str, &'static str, u64, &'static [(&'static str, &'static str)]);

const PRODUCTS: [Product; 6] = [
    (
        "OnlineServicesNCE",
        "CFQ7TTC0BK01:0001:CFQ7TTC0BA01",
        "Office Suite",
        "Microsoft",
        1170,
        &[("P1M", "monthly"), ("P1Y", "monthly"), ("P1Y", "annual")],
    ),
    (
        "OnlineServicesNCE",
        "CFQ7TTC0BK02:0001:CFQ7TTC0BA02",
        "Mail Plan",
        "Microsoft",
        420,
        &[("P1M", "monthly"), ("P1Y", "monthly")],
    ),
    (
        "OnlineServicesNCE",
        "CFQ7TTC0BK03:0002:CFQ7TTC0BA03",
        "Security Plan",
        "Microsoft",
        570,
        &[("P1Y", "monthly"), ("P1Y", "annual")],
    ),
    (
        "Software",
        "DG7GMGF0BK01:0001:DG7GMGF0BA01",
        "Server Licence",
        "Microsoft",
        24_900,
        &[("P1Y", "annual"), ("P3Y", "annual")],
    ),
    ("Software", "DG7GMGF0BK02:0002:DG7GMGF0BA02", "Access Licence", "Microsoft", 3_800, &[("P1Y", "annual")]),
    (
        "SaaS",
        "DZH318Z0BK01:0001:DZH318Z0BA01",
        "Ticket Desk",
        "Lindenbaum Software",
        1_990,
        &[("P1M", "monthly"), ("P1Y", "annual")],
    ),
];

const CURRENCIES: [(&str, &str); 5] = [("DE", "EUR"), ("NL", "EUR"), ("GB", "GBP"), ("US", "USD"), ("NO", "NOK")];

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let now = calendar::instant(&options.now)?.with_nanosecond(0).context("the day has no such instant")?;
    let tenants = options.tenants.unwrap_or(options.subscriptions / 12).max(1);
    fs::create_dir_all(&options.out).with_context(|| format!("create {}", options.out.display()))?;
    let guid = |noun: &str, index: usize| Guid::derive(format!("{}:{noun}:{index}", options.seed).as_bytes());
    write_files(&options, "customers", tenants, |index, out| {
        let (country, _) = CURRENCIES[index % CURRENCIES.len()];
        customer(out, guid("customer", index), index, country)
    })?;
    let whose = |index: usize| {
        // A few customers are large, as in life: half of the book belongs to a tenth of them.
        let mut dice = Dice(options.seed ^ (index as u64).wrapping_mul(0x517c_c1b7_2722_0a95));
        let few = (tenants / 10).max(1);
        let among = if dice.below(2) == 0 { few } else { tenants };
        usize::try_from(dice.below(among as u64)).unwrap_or(0)
    };
    write_files(&options, "subscriptions", options.subscriptions, |index, out| {
        let owner = whose(index);
        subscription(out, &sale(options.seed, index, now)?, guid("customer", owner), guid("subscription", index), index)
    })?;
    write_files(&options, "orders", options.subscriptions, |index, out| {
        let owner = whose(index);
        let (_, currency) = CURRENCIES[owner % CURRENCIES.len()];
        let sale = sale(options.seed, index, now)?;
        order(out, &sale, guid("customer", owner), guid("subscription", index), index, currency)
    })?;
    eprintln!("{} subscriptions of {tenants} customers in {}", options.subscriptions, options.out.display());
    Ok(())
}

/// Writes so many rows in collections of at most [`ROWS_MAX`].
fn write_files(
    options: &Options,
    noun: &str,
    count: usize,
    mut row: impl FnMut(usize, &mut String) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (number, start) in (0..count).step_by(ROWS_MAX).enumerate() {
        let path = options.out.join(format!("{noun}-{:04}.json", number + 1));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let mut file = BufWriter::new(file);
        let end = (start + ROWS_MAX).min(count);
        write!(file, "{{\"totalCount\":{},\"items\":[", end - start)?;
        let mut text = String::new();
        for index in start..end {
            text.clear();
            row(index, &mut text)?;
            let separator = if index > start { ",\n" } else { "\n" };
            file.write_all(separator.as_bytes())?;
            file.write_all(text.as_bytes())?;
        }
        file.write_all(b"\n],\"attributes\":{\"objectType\":\"Collection\"}}\n")?;
        file.flush().with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// What was sold, and when.
struct Sale {
    product: Product,
    term: &'static str,
    cycle: &'static str,
    seats: u64,
    bought: Instant,
    /// The first instant after the present term.
    end: Instant,
    auto_renew: bool,
}

fn sale(seed: u64, index: usize, now: Instant) -> anyhow::Result<Sale> {
    let mut dice = Dice(seed.wrapping_add((index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)));
    let product = dice.pick(&PRODUCTS);
    let (term, cycle) = dice.pick(product.5);
    let length: Span = term.parse()?;
    let bought = now - TimeDelta::minutes(i64::try_from(dice.below(900 * 24 * 60))?);
    let midnight = bought.date_naive().and_hms_opt(0, 0, 0).context("every day has a midnight")?.and_utc();
    let mut end = midnight;
    let mut terms = 0;
    while end <= now {
        terms += 1;
        let months = Span::months(length.months * terms);
        end = months.after(midnight).context("a term beyond the calendar")?;
    }
    let seats = 1 + dice.below(9) * dice.below(9) * if dice.below(20) == 0 { 10 } else { 1 };
    Ok(Sale { product, term, cycle, seats, bought, end, auto_renew: dice.below(10) > 1 })
}

fn customer(out: &mut String, id: Guid, index: usize, country: &str) -> anyhow::Result<()> {
    write!(
        out,
        r#"{{"id":"{id}","companyProfile":{{"tenantId":"{id}","domain":"customer{index}.onmicrosoft.com","companyName":"Customer {index}","attributes":{{"objectType":"CustomerCompanyProfile"}}}},"billingProfile":{{"companyName":"Customer {index}","defaultAddress":{{"country":"{country}"}},"attributes":{{"objectType":"CustomerBillingProfile"}}}},"relationshipToPartner":"reseller","attributes":{{"objectType":"Customer"}}}}"#
    )?;
    Ok(())
}

fn subscription(out: &mut String, sale: &Sale, tenant: Guid, id: Guid, index: usize) -> anyhow::Result<()> {
    let (kind, offer, name, publisher, _, _) = sale.product;
    let last_day = sale.end.checked_sub_days(Days::new(1)).context("a term before the calendar")?;
    let (last_day, last_second) = (calendar::show(last_day), calendar::show(sale.end - TimeDelta::seconds(1)));
    let bought = calendar::show(sale.bought);
    let Sale { seats, auto_renew, term, cycle, .. } = sale;
    write!(
        out,
        r#"{{"id":"{id}","offerId":"{offer}","offerName":"{name}","friendlyName":"{name} {index}","productType":{{"id":"{kind}"}},"quantity":{seats},"creationDate":"{bought}","effectiveStartDate":"{bought}","commitmentEndDate":"{last_day}","commitmentEndDateTime":"{last_second}","status":"active","autoRenewEnabled":{auto_renew},"isTrial":false,"billingType":"license","billingCycle":"{cycle}","termDuration":"{term}","publisherName":"{publisher}","orderId":"Book{index:08}","links":{{"self":{{"uri":"/customers/{tenant}/subscriptions/{id}","method":"GET","headers":[]}}}},"attributes":{{"objectType":"Subscription"}}}}"#
    )?;
    Ok(())
}

fn order(out: &mut String, sale: &Sale, tenant: Guid, id: Guid, index: usize, currency: &str) -> anyhow::Result<()> {
    let (_, offer, name, _, cents, _) = sale.product;
    let bought = calendar::show(sale.bought);
    let Sale { seats, cycle, term, .. } = sale;
    // The catalogue's prices are for a month or a year as the cycle is; a yearly price of a monthly plan is twelve less a tenth.
    let cents = if *cycle == "annual" && cents < 2_000 { cents * 54 / 5 } else { cents };
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    write!(
        out,
        r#"{{"id":"Book{index:08}","referenceCustomerId":"{tenant}","billingCycle":"{cycle}","currencyCode":"{currency}","lineItems":[{{"lineItemNumber":0,"offerId":"{offer}","subscriptionId":"{id}","termDuration":"{term}","friendlyName":"{name} {index}","quantity":{seats},"pricing":{{"price":{price}}}}}],"creationDate":"{bought}","status":"completed","attributes":{{"objectType":"Order"}}}}"#
    )?;
    Ok(())
}
