//! The price list: what a seat costs the partner, by product, term, cycle, currency, market and segment.

use super::{Result, Tx, decode, keys};
use crate::domain::Span;
use crate::domain::money::Currency;
use crate::domain::product::{Price, Segment};
use crate::store::tables::PRICES;

/// Rows of one product, term and cycle that are looked at: every currency, market and segment of them.
const ROWS_MAX: usize = 1000;

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
}

fn place(product: &str, term: Option<Span>, cycle: Option<&str>) -> Vec<u8> {
    let term = term.map(|span| span.to_string()).unwrap_or_default();
    keys::text(&[&product.to_lowercase(), &term, cycle.unwrap_or_default()], &[])
}

fn key(price: &Price) -> Vec<u8> {
    let mut key = place(&price.product, price.term_duration, price.billing_cycle.as_deref());
    // The row for any market and segment lies before those for some, in whatever currency it is.
    if price.market.is_some() || price.segment.is_some() {
        let market = price.market.as_deref().unwrap_or_default();
        let segment = price.segment.map_or("", Segment::as_str);
        key.extend(keys::text(&[price.unit_price.currency.code(), market, segment], &[]));
    }
    key
}

/// The terms and cycles a price may stand under, the most exact first.
fn places(term: Option<Span>, cycle: &str) -> [(Option<Span>, Option<&str>); 4] {
    [(term, Some(cycle)), (term, None), (None, Some(cycle)), (None, None)]
}

/// What a seat costs: for this term and cycle, or the one listed for any; for this market and segment before any.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn listed(tx: &mut Tx, wanted: &Wanted<'_>) -> Result<Option<Price>> {
    for (term, cycle) in places(wanted.term, wanted.cycle) {
        let prefix = place(wanted.product, term, cycle);
        let rows = tx.scan(&PRICES, keys::prefix_range(&prefix, None), ROWS_MAX, false)?;
        let mut best: Option<(u8, Price)> = None;
        for (key, row) in rows {
            let price: Price = decode(&PRICES, &key, &row.bytes)?;
            if let Some(fit) = fits(&price, wanted)
                && best.as_ref().is_none_or(|(known, _)| fit > *known)
            {
                best = Some((fit, price));
            }
        }
        if let Some((_, price)) = best {
            return Ok(Some(price));
        }
    }
    Ok(None)
}

/// How exactly a price is the one looked for; none: it is for others.
fn fits(price: &Price, wanted: &Wanted<'_>) -> Option<u8> {
    let mut fit = 0;
    if let Some(market) = &price.market {
        if !market.eq_ignore_ascii_case(wanted.market) {
            return None;
        }
        fit += 2;
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
    Ok(super::fetch(tx, &PRICES, &key(price))?.map(|stored| stored.value))
}

/// Writes a price.
///
/// # Errors
/// What the store answers.
pub fn save_price(tx: &mut Tx, price: &Price) -> Result<()> {
    super::save(tx, &PRICES, &key(price), price)
}
