//! Monthly invoices: published once for each month, type and currency, looked at line by line, counted again.
//!
//! A publication walks the part of the ledger that is not billed yet, in pages, and commits the month's invoices and
//! the place it has got to in one transaction; killed before that it has done nothing, and after it it does nothing
//! more.

use std::collections::BTreeMap;

use crate::domain::invoice::{Billing, Invoice, InvoiceId, InvoiceType, Month, Payment, Reach, Summary, Tally, Totals};
use crate::domain::ledger::Line;
use crate::domain::selection::Selection;
use crate::domain::{Currency, Grant, Instant, Money, Refusal, TenantId};
use crate::store::Tx;
use crate::store::records::{Page, invoices as rows, log, subscriptions as subscription_rows, tenants as tenant_rows};

use super::work::Work;
use super::{Result, messages, not_found};

/// Records of the log read at once.
const PAGE_RECORDS: usize = 1_000;
/// Invoices read at once.
const PAGE_ROWS: usize = 100;
/// Records walked back for one subscription's unbilled lines.
const STORY_MAX: usize = 10_000;

/// A publication that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// Where billing stood when it was found due.
    pub billing: Billing,
    /// When it is due.
    pub due: Instant,
}

/// The next publication; none before anything was owed.
///
/// # Errors
/// What the store answers.
pub fn next(work: &mut Work) -> Result<Option<Publication>> {
    let day = work.settings.invoice_day;
    let billing = rows::billing(&mut work.tx)?;
    Ok(billing.map(|billing| Publication { billing, due: billing.next.published_at(day) }))
}

/// Counts one page of a part of the ledger, from a sequence on; where the next page begins, none when it was the last.
///
/// # Errors
/// What the store answers; `amount_overflow`.
pub fn count(tx: &mut Tx, tally: &mut Tally, reach: &Reach, from: u64) -> Result<Option<u64>> {
    let (lines, last) = rows::lines(tx, from, reach.to_seq, PAGE_RECORDS)?;
    for line in &lines {
        tally.add(reach, line)?;
    }
    Ok(last.and_then(|last| last.checked_add(1)).filter(|next| *next <= reach.to_seq))
}

/// Publishes a month: its invoices, the message of each, and the move to the next month. Nothing when somebody else
/// has published it. A month without a line has no invoice.
///
/// # Errors
/// What the store answers.
pub fn publish(work: &mut Work, of: &Publication, reach: Reach, tally: &Tally) -> Result<Vec<InvoiceId>> {
    if rows::billing(&mut work.tx)? != Some(of.billing) {
        return Ok(Vec::new());
    }
    let invoices = tally.invoices(of.billing.next, reach, work.now);
    for invoice in &invoices {
        rows::save(&mut work.tx, invoice)?;
        let note = format!("{} {}: {} lines", invoice.id, invoice.total(), invoice.totals.lines);
        work.note("invoice.ready", None, None, &note);
        messages::tell_invoice(work, invoice)?;
    }
    rows::save_billing(&mut work.tx, &of.billing.after(&reach, tally.left))?;
    Ok(invoices.iter().map(|invoice| invoice.id).collect())
}

/// Reading an invoice whole is for whoever may see every customer's part of it.
fn may_read(work: &Work) -> Result<()> {
    work.rights.require_for_all(&Grant::Read("invoices"))
}

/// A page of invoices, newest month first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, selection: &Selection, before: Option<&[u8]>, limit: usize) -> Result<Page<Invoice>> {
    may_read(work)?;
    let mut items = Vec::new();
    let mut cursor = before.map(<[u8]>::to_vec);
    loop {
        let page = rows::page(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        for invoice in page.items.into_iter().filter(|invoice| selection.matches(invoice, work.now)) {
            let key = rows::key_of(&invoice.id);
            items.push(invoice);
            if items.len() == limit {
                return Ok(Page { items, next: Some(key) });
            }
        }
        match page.next {
            None => return Ok(Page { items, next: None }),
            next => cursor = next,
        }
    }
}

/// One invoice.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: InvoiceId) -> Result<Invoice> {
    may_read(work)?;
    rows::get(&mut work.tx, &id)?.ok_or_else(|| not_found("invoice", &id))
}

/// What the billing system tells of an invoice: what was paid of it so far, and when the last of it came.
///
/// # Errors
/// `forbidden`, `not_found`; `currency_differs`, `price_invalid` for less than nothing, `in_the_future`.
pub fn set_paid(work: &mut Work, id: InvoiceId, paid: Money, at: Option<Instant>) -> Result<Invoice> {
    work.rights.require_for_all(&Grant::TenantsAccount)?;
    let mut invoice = rows::get(&mut work.tx, &id)?.ok_or_else(|| not_found("invoice", &id))?;
    if paid.currency != id.currency {
        let message = format!("{id} is in {}, and is paid in it", id.currency);
        return Err(Refusal::new("currency_differs", message).into());
    }
    if paid.amount.is_sign_negative() && !paid.amount.is_zero() {
        return Err(Refusal::new("price_invalid", "what was paid so far is not less than nothing").into());
    }
    let at = at.unwrap_or(work.now);
    if at > work.now {
        return Err(Refusal::new("in_the_future", "a payment is told once it came").into());
    }
    let before = invoice.paid();
    if before == paid.amount {
        return Ok(invoice);
    }
    let more = paid.amount.saturating_sub(before);
    // A correction downwards leaves what is paid by now as the last that is known of.
    let last = if more.is_sign_negative() { paid.amount } else { more };
    invoice.payment = (!paid.amount.is_zero()).then_some(Payment { paid: paid.amount, last, at });
    rows::save(&mut work.tx, &invoice)?;
    work.note("invoice.account", None, None, &format!("{id} {paid}"));
    work.effect(format!("paid {id} {paid}"));
    Ok(invoice)
}

/// Where the account stands in one currency, together and by type of invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// All types together.
    pub whole: Summary,
    /// Type by type.
    pub by_type: Vec<(InvoiceType, Summary)>,
}

/// Where the account stands, currency by currency.
///
/// # Errors
/// `forbidden`.
pub fn accounts(work: &mut Work) -> Result<Vec<Account>> {
    may_read(work)?;
    let mut found: BTreeMap<Currency, BTreeMap<InvoiceType, Summary>> = BTreeMap::new();
    let mut whole: BTreeMap<Currency, Summary> = BTreeMap::new();
    let mut before: Option<Vec<u8>> = None;
    loop {
        let page = rows::page(&mut work.tx, before.as_deref(), PAGE_ROWS)?;
        for invoice in &page.items {
            let grown =
                |known: Option<Summary>| known.map_or_else(|| Summary::of(invoice), |known| known.with(invoice));
            let types = found.entry(invoice.id.currency).or_default();
            let of_type = grown(types.remove(&invoice.id.kind));
            types.insert(invoice.id.kind, of_type);
            let all = grown(whole.remove(&invoice.id.currency));
            whole.insert(invoice.id.currency, all);
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let account = |(currency, whole)| Account {
        whole,
        by_type: found.remove(&currency).unwrap_or_default().into_iter().collect(),
    };
    Ok(whole.into_iter().map(account).collect())
}

/// Where the account stands in one currency: the one named, or the only one there is.
///
/// # Errors
/// `forbidden`; `not_found` before the first invoice; `currency_needed` where there are several and none is named.
pub fn account(work: &mut Work, currency: Option<Currency>) -> Result<Account> {
    let mut all = accounts(work)?;
    all.retain(|account| currency.is_none_or(|currency| account.whole.currency == currency));
    if all.len() > 1 {
        let message = "there are invoices in several currencies: name one, or ask for the summaries";
        return Err(Refusal::new("currency_needed", message).into());
    }
    all.pop().ok_or_else(|| Refusal::new("not_found", "there is no invoice yet").into())
}

/// Which lines of an invoice are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this customer only.
    pub tenant: Option<TenantId>,
    /// So many of them are passed over first.
    pub skip: usize,
}

/// A page of an invoice's lines within reach, oldest first. The cursor is the place of the last line shown: its
/// sequence and ordinal.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn lines(
    work: &mut Work,
    id: InvoiceId,
    wanted: Wanted,
    after: Option<(u64, u64)>,
    limit: usize,
) -> Result<Page<Line>> {
    work.require(&Grant::Read("invoices"))?;
    let invoice = rows::get(&mut work.tx, &id)?.ok_or_else(|| not_found("invoice", &id))?;
    let mut page = Page { items: Vec::new(), next: None };
    let mut skip = wanted.skip;
    let mut next = Some(after.map_or(invoice.reach.from_seq, |(seq, _)| seq));
    while let Some(from) = next {
        let (lines, last) = rows::lines(&mut work.tx, from, invoice.reach.to_seq, PAGE_RECORDS)?;
        for line in lines {
            let place = place_of(&line);
            let meant = wanted.tenant.is_none_or(|tenant| tenant == line.tenant) && work.reaches(line.tenant);
            if !meant || !invoice.holds(&line) || after.is_some_and(|after| place <= after) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
            } else if page.items.len() == limit {
                page.next = page.items.last().map(place_of).map(cursor_of);
                return Ok(page);
            } else {
                page.items.push(line);
            }
        }
        next = last.and_then(|last| last.checked_add(1)).filter(|next| *next <= invoice.reach.to_seq);
    }
    Ok(page)
}

/// How many lines of an invoice are within reach: all of it, or those of one customer.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn line_count(work: &mut Work, id: InvoiceId, tenant: Option<TenantId>) -> Result<u64> {
    work.require(&Grant::Read("invoices"))?;
    let invoice = rows::get(&mut work.tx, &id)?.ok_or_else(|| not_found("invoice", &id))?;
    if tenant.is_none() && work.reaches_all() {
        return Ok(invoice.totals.lines);
    }
    let mut count = 0;
    let mut next = Some(invoice.reach.from_seq);
    while let Some(from) = next {
        let (lines, last) = rows::lines(&mut work.tx, from, invoice.reach.to_seq, PAGE_RECORDS)?;
        let meant = |line: &&Line| tenant.is_none_or(|tenant| tenant == line.tenant) && work.reaches(line.tenant);
        let meant = lines.iter().filter(|line| invoice.holds(line)).filter(meant).count();
        count += u64::try_from(meant).unwrap_or(u64::MAX);
        next = last.and_then(|last| last.checked_add(1)).filter(|next| *next <= invoice.reach.to_seq);
    }
    Ok(count)
}

/// The name and domain of a customer with lines on an invoice, as it is called by now.
///
/// # Errors
/// `forbidden`.
pub fn customer(work: &mut Work, tenant: TenantId) -> Result<(String, String)> {
    work.require(&Grant::Read("invoices"))?;
    let found = tenant_rows::get(&mut work.tx, tenant)?.filter(|_| work.reaches(tenant));
    Ok(found.map(|stored| (stored.value.company_name, stored.value.domain)).unwrap_or_default())
}

fn place_of(line: &Line) -> (u64, u64) {
    (line.seq, line.id.rsplit('.').next().and_then(|ordinal| ordinal.parse().ok()).unwrap_or_default())
}

fn cursor_of(place: (u64, u64)) -> Vec<u8> {
    [place.0.to_be_bytes(), place.1.to_be_bytes()].concat()
}

/// The place that sixteen bytes of a cursor stand for.
///
/// # Errors
/// `bad_cursor`.
pub fn read_cursor(bytes: &[u8]) -> Result<(u64, u64)> {
    let read = |from: usize| bytes.get(from..from + 8).and_then(|part| part.try_into().ok()).map(u64::from_be_bytes);
    let place = read(0).zip(read(8)).filter(|_| bytes.len() == 16);
    place.ok_or_else(|| Refusal::new("bad_cursor", "the cursor is not one of this list").into())
}

/// What one customer's lines of an invoice come to.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn statement(work: &mut Work, id: InvoiceId, tenant: TenantId) -> Result<Totals> {
    work.require(&Grant::Read("invoices"))?;
    if !work.reaches(tenant) {
        return Err(not_found("tenant", &tenant));
    }
    let invoice = rows::get(&mut work.tx, &id)?.ok_or_else(|| not_found("invoice", &id))?;
    let mut totals = Totals::default();
    let mut next = Some(invoice.reach.from_seq);
    while let Some(from) = next {
        let (lines, last) = rows::lines(&mut work.tx, from, invoice.reach.to_seq, PAGE_RECORDS)?;
        for line in lines.iter().filter(|line| line.tenant == tenant && invoice.holds(line)) {
            totals.add(line)?;
        }
        next = last.and_then(|last| last.checked_add(1)).filter(|next| *next <= invoice.reach.to_seq);
    }
    Ok(totals)
}

/// What is owed and stands on no invoice yet, a row a type and currency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unbilled {
    /// The type of the invoice it will stand on.
    pub invoice_type: InvoiceType,
    /// The currency.
    pub currency: Currency,
    /// What its lines come to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// What is not invoiced yet, of everybody or of one customer.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn unbilled(work: &mut Work, tenant: Option<TenantId>) -> Result<Vec<Unbilled>> {
    match tenant {
        None => may_read(work)?,
        Some(tenant) => {
            work.require(&Grant::Read("invoices"))?;
            if !work.reaches(tenant) {
                return Err(not_found("tenant", &tenant));
            }
        }
    }
    let Some(billing) = rows::billing(&mut work.tx)? else { return Ok(Vec::new()) };
    let reach = billing.unbilled();
    let mut tally = Tally::default();
    match tenant {
        Some(tenant) => count_tenant(work, &mut tally, &reach, tenant)?,
        None => {
            let mut next = Some(reach.from_seq);
            while let Some(from) = next {
                next = count(&mut work.tx, &mut tally, &reach, from)?;
            }
        }
    }
    let row = |((invoice_type, currency), totals)| Unbilled { invoice_type, currency, totals };
    Ok(tally.totals.into_iter().map(row).collect())
}

/// One customer's lines: the story of each of its subscriptions walked back as far as something can be unbilled.
fn count_tenant(work: &mut Work, tally: &mut Tally, reach: &Reach, tenant: TenantId) -> Result<()> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = subscription_rows::page(&mut work.tx, Some(tenant), after.as_deref(), PAGE_RECORDS)?;
        for stored in page.items {
            let mut seq = stored.seq;
            for _ in 0..STORY_MAX {
                if seq < reach.from_seq || seq == u64::MAX {
                    break;
                }
                let Some(record) = log::at(&mut work.tx, seq)? else { break };
                let id = stored.value.id;
                for line in record.lines.iter().filter(|line| line.subscription == id && line.tenant == tenant) {
                    tally.add(reach, line)?;
                }
                let before = record.before.iter().find(|(known, _)| *known == id).map_or(0, |(_, before)| *before);
                if before >= seq {
                    break;
                }
                seq = before;
            }
        }
        match page.next {
            None => return Ok(()),
            next => after = next,
        }
    }
}

/// An invoice whose lines do not come to what it says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The invoice, or none for lines of its month that should stand on one.
    pub invoice: InvoiceId,
    /// What the invoice says; none where there is no such invoice.
    pub says: Option<Totals>,
    /// What its lines come to.
    pub counted: Option<Totals>,
}

/// Counts every invoice again, month by month, and tells those that differ from what they say. `progress` hears how
/// many months are done.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn recount(tx: &mut Tx, progress: &mut dyn FnMut(u64)) -> Result<Vec<Difference>> {
    let mut months: Vec<(Month, Reach, Vec<Invoice>)> = Vec::new();
    let mut before: Option<Vec<u8>> = None;
    loop {
        let page = rows::page(tx, before.as_deref(), PAGE_ROWS)?;
        for invoice in page.items {
            match months.last_mut().filter(|(month, ..)| *month == invoice.id.month) {
                Some((_, _, invoices)) => invoices.push(invoice),
                None => months.push((invoice.id.month, invoice.reach, vec![invoice])),
            }
        }
        match page.next {
            None => break,
            next => before = next,
        }
    }
    let mut differences = Vec::new();
    for (done, (month, reach, invoices)) in months.into_iter().enumerate() {
        let mut tally = Tally::default();
        let mut next = Some(reach.from_seq);
        while let Some(from) = next {
            next = count(tx, &mut tally, &reach, from)?;
        }
        for invoice in invoices {
            let counted = tally.totals.remove(&(invoice.id.kind, invoice.id.currency));
            if counted.as_ref() != Some(&invoice.totals) || invoice.reach != reach {
                differences.push(Difference { invoice: invoice.id, says: Some(invoice.totals), counted });
            }
        }
        for ((kind, currency), counted) in tally.totals {
            let invoice = InvoiceId { month, kind, currency };
            differences.push(Difference { invoice, says: None, counted: Some(counted) });
        }
        progress(u64::try_from(done).unwrap_or(u64::MAX).saturating_add(1));
    }
    Ok(differences)
}
