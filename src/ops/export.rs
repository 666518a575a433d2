//! Every record, in the order of its keys, a page at a time; never a secret or its hash.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::activation::Activation;
use crate::domain::invoice::Invoice;
use crate::domain::message::Message;
use crate::domain::order::Order;
use crate::domain::product::{CustomerPrice, Price, Product};
use crate::domain::run::Run;
use crate::domain::software::{Entitlement, Sheet};
use crate::domain::support::SupportRequest;
use crate::domain::trigger::{Delivery, Occurrence};
use crate::domain::{Grant, Request, Tenant, User};
use crate::store::Table;
use crate::store::records::log::Record;
use crate::store::records::tokens::Token;
use crate::store::records::{decode, keys, subscriptions as subscription_rows};
use crate::store::tables;

use super::Result;
use super::work::Work;

/// Rows of one page.
const PAGE_ROWS: usize = 500;

/// The nouns, in the order they are written.
pub const NOUNS: [&str; 21] = [
    "tenants",
    "products",
    "prices",
    "orders",
    "subscriptions",
    "requests",
    "decisions",
    "customer_prices",
    "ledger",
    "invoices",
    "activity",
    "runs",
    "occurrences",
    "deliveries",
    "messages",
    "users",
    "tokens",
    "support",
    "software",
    "entitlements",
    "activations",
];

/// A page of the records of a noun as JSON values, and where the next page starts.
#[derive(Debug, Default)]
pub struct Exported {
    /// The records.
    pub records: Vec<serde_json::Value>,
    /// Where the next page starts (exclusive); none at the end.
    pub next: Option<Vec<u8>>,
}

/// A page of a noun; an unknown one has nothing.
///
/// # Errors
/// `forbidden`; a corrupt row by name.
pub fn page(
    work: &mut Work,
    noun: &str,
    after: Option<&[u8]>,
    subscription: fn(&crate::domain::Subscription) -> serde_json::Value,
) -> Result<Exported> {
    work.rights.require_for_all(&Grant::StoreAdmin)?;
    match noun {
        "tenants" => table::<Tenant>(work, &tables::TENANTS, after),
        "products" => table::<Product>(work, &tables::PRODUCTS, after),
        "customer_prices" => table::<CustomerPrice>(work, &tables::CUSTOMER_PRICES, after),
        "invoices" => table::<Invoice>(work, &tables::INVOICES, after),
        "prices" => table::<Price>(work, &tables::PRICES, after),
        "orders" => table::<Order>(work, &tables::ORDERS, after),
        "requests" => table::<Request>(work, &tables::REQUESTS, after),
        "runs" => table::<Run>(work, &tables::RUNS, after),
        "occurrences" => table::<Occurrence>(work, &tables::OCCURRENCES, after),
        "deliveries" => table::<Delivery>(work, &tables::DELIVERIES, after),
        "messages" => table::<Message>(work, &tables::MESSAGES, after),
        "users" => table::<User>(work, &tables::USERS, after),
        "tokens" => table::<Token>(work, &tables::TOKENS, after),
        "support" => table::<SupportRequest>(work, &tables::SUPPORT_REQUESTS, after),
        "software" => table::<Sheet>(work, &tables::SOFTWARE_SHEETS, after),
        "entitlements" => table::<Entitlement>(work, &tables::ENTITLEMENTS, after),
        "activations" => table::<Activation>(work, &tables::ACTIVATIONS, after),
        "decisions" => log(work, after, |record| record.decisions.iter().map(value).collect()),
        "ledger" => log(work, after, |record| record.lines.iter().map(value).collect()),
        "activity" => log(work, after, |record| record.activity.iter().map(value).collect()),
        "subscriptions" => {
            let page = subscription_rows::page(&mut work.tx, None, after, PAGE_ROWS)?;
            let records = page.items.iter().map(|stored| subscription(&stored.value)).collect();
            Ok(Exported { records, next: page.next })
        }
        _ => Ok(Exported::default()),
    }
}

fn value(record: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(record).unwrap_or_default()
}

fn table<T: DeserializeOwned + Serialize>(
    work: &mut Work,
    table: &'static Table,
    after: Option<&[u8]>,
) -> Result<Exported> {
    let rows = work.tx.scan(table, keys::prefix_range(&[], after), PAGE_ROWS, false)?;
    let next = (rows.len() == PAGE_ROWS).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let mut records = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        records.push(value(&decode::<T>(table, &key, &row.bytes)?));
    }
    Ok(Exported { records, next })
}

fn log(work: &mut Work, after: Option<&[u8]>, pick: impl Fn(&Record) -> Vec<serde_json::Value>) -> Result<Exported> {
    let after = after.and_then(|key| key.try_into().ok()).map(u64::from_be_bytes);
    let found = crate::store::records::log::page(&mut work.tx, after, false, PAGE_ROWS)?;
    let next = (found.len() == PAGE_ROWS).then(|| found.last().map(|(seq, _)| seq.to_be_bytes().to_vec())).flatten();
    Ok(Exported { records: found.iter().flat_map(|(_, record)| pick(record)).collect(), next })
}
