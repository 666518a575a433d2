//! The price list: what a seat costs the partner, by product, term, cycle, currency, market and segment.

use super::{Result, Tx, decode, keys};
use crate::domain::Span;
use crate::domain::money::Currency;
use crate::domain::product::{Price, Segment};
use crate::store::tables::PRICES;

/// Rows of one product, term and cycle that are looked at: every currency, market and segment of them.
const ROWS_MAX: usize = 1000;
/// How much closer a price for the customer's market is; one for its segment is closer by one.
const OF_MARKET: u8 = 2;

/// What a price is looked for by.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The item.
    pub product: &'a str,
    /// Length of the term.
    pub term: Option<Span>,
    /// Billing cycle.
    pub cycle: &'a str,
    /// ISO code of the customer's market; empty: not known.
    pub market: &'a str,
    /// The customer's segment.
    pub segment: Segment,
    /// The currency that is asked for; none: any.
    pub currency: Option<Currency>,
    /// The currencies the customer is known to pay in.
    pub known: &'a [Currency],
}

fn place(product: &str, term: Option<Span>, cycle: Option<&str>) -> Vec<u8> {
    let term = term.map(|span| span.to_string()).unwrap_or_default();
    keys::text(&[&product.to_lowercase(), &term, cycle.unwrap_or_default()], &[])
}

/// The key of a price for some market or segment, and of one for any in a further currency.
fn own_key(price: &Price) -> Vec<u8> {
    let mut key = bare_key(price);
    let market = price.market.as_deref().unwrap_or_default();
    let segment = price.segment.map_or("", Segment::as_str);
    key.extend(keys::text(&[price.unit_price.currency.code(), market, segment], &[]));
    key
}

/// The key of the first price for any market and segment, in whatever currency: it lies before all others.
fn bare_key(price: &Price) -> Vec<u8> {
    place(&price.product, price.term_duration, price.billing_cycle.as_deref())
}

/// Where a price is kept: every currency has its own.
fn key(tx: &mut Tx, price: &Price) -> Result<Vec<u8>> {
    if price.market.is_some() || price.segment.is_some() {
        return Ok(own_key(price));
    }
    let bare = bare_key(price);
    let first = super::fetch::<Price>(tx, &PRICES, &bare)?;
    let is_other = first.is_some_and(|first| first.value.unit_price.currency != price.unit_price.currency);
    Ok(if is_other { own_key(price) } else { bare })
}

/// The terms and cycles a price may stand under, the most exact first.
fn places(term: Option<Span>, cycle: &str) -> [(Option<Span>, Option<&str>); 4] {
    [(term, Some(cycle)), (term, None), (None, Some(cycle)), (None, None)]
}

/// Whether the list has anything of a product, whatever term, cycle, currency, market and segment it is for.
///
/// # Errors
/// What the store answers.
pub fn knows(tx: &mut Tx, product: &str) -> Result<bool> {
    let prefix = keys::text(&[&product.to_lowercase()], &[]);
    Ok(!tx.scan(&PRICES, keys::prefix_range(&prefix, None), 1, false)?.is_empty())
}

/// What a seat costs: for this term and cycle, or the one listed for any; for this market and segment before any. Where
/// that leaves several currencies, one that is known to be the customer's; several where nothing is left to choose by.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn listed(tx: &mut Tx, wanted: &Wanted<'_>) -> Result<Vec<Price>> {
    for (term, cycle) in places(wanted.term, wanted.cycle) {
        let prefix = place(wanted.product, term, cycle);
        let rows = tx.scan(&PRICES, keys::prefix_range(&prefix, None), ROWS_MAX, false)?;
        let mut found: Vec<(u8, Price)> = Vec::new();
        for (key, row) in rows {
            let price: Price = decode(&PRICES, &key, &row.bytes)?;
            let Some(fit) = fits(&price, wanted) else { continue };
            match found.iter_mut().find(|(_, known)| known.unit_price.currency == price.unit_price.currency) {
                Some(known) if known.0 < fit => *known = (fit, price),
                Some(_) => {}
                None => found.push((fit, price)),
            }
        }
        if !found.is_empty() {
            return Ok(chosen(found, wanted.known));
        }
    }
    Ok(Vec::new())
}

/// What is left of the best price of each currency: those of the customer's market, then the customer's currency, then
/// those of its segment.
fn chosen(mut found: Vec<(u8, Price)>, known: &[Currency]) -> Vec<Price> {
    if found.iter().any(|(fit, _)| *fit >= OF_MARKET) {
        found.retain(|(fit, _)| *fit >= OF_MARKET);
    }
    let is_known = |price: &Price| known.contains(&price.unit_price.currency);
    if found.iter().filter(|(_, price)| is_known(price)).count() == 1 {
        found.retain(|(_, price)| is_known(price));
    }
    let best = found.iter().map(|(fit, _)| *fit).max();
    found.into_iter().filter(|(fit, _)| Some(*fit) == best).map(|(_, price)| price).collect()
}

/// How exactly a price is the one looked for; none: it is for others.
fn fits(price: &Price, wanted: &Wanted<'_>) -> Option<u8> {
    let mut fit = 0;
    if let Some(market) = &price.market {
        if !market.eq_ignore_ascii_case(wanted.market) {
            return None;
        }
        fit += OF_MARKET;
    }
    if let Some(segment) = price.segment {
        if segment != wanted.segment {
            return None;
        }
        fit += 1;
    }
    wanted.currency.is_none_or(|currency| currency == price.unit_price.currency).then_some(fit)
}

/// The price kept under exactly these: for the importer, which tells whether it is news.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn same_place(tx: &mut Tx, price: &Price) -> Result<Option<Price>> {
    let key = key(tx, price)?;
    Ok(super::fetch(tx, &PRICES, &key)?.map(|stored| stored.value))
}

/// Writes a price.
///
/// # Errors
/// What the store answers.
pub fn save_price(tx: &mut Tx, price: &Price) -> Result<()> {
    let key = key(tx, price)?;
    super::save(tx, &PRICES, &key, price)
}
