//! Charging: what the domain drafted becomes lines of the ledger, with the tax of the customer's country, the customer's
//! price beside the cost, what they are about as of now, and the line they take back.

use rust_decimal::Decimal;

use crate::domain::ledger::{ChargeType, CustomerCharge, Draft, Item, Line};
use crate::domain::{Id, Money, Subscription, invoice, lifecycle};
use crate::store::records::{
    invoices as invoice_rows, log, subscriptions as subscription_rows, tenants as tenant_rows,
};

use super::work::Work;
use super::{Result, prices, tenants};

/// Records walked back for what a cycle was charged.
const STORY_MAX: usize = 1_000;

/// The lines of a subscription's present cycle, or of its present term where that is given back, newest first.
#[derive(Debug, Clone, Default)]
struct Charged {
    lines: Vec<Line>,
    /// Whether they reach back to the charge it began with; not for what was charged elsewhere.
    is_whole: bool,
}

impl Charged {
    /// The newest charge, which a credit takes back.
    fn latest(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.quantity > 0 && !line.amount.is_sign_negative())
    }

    /// What the customer paid and the tax on it, where that is several charges, each at a customer's price of its own.
    fn customer_paid(&self) -> Option<(Decimal, Decimal)> {
        if self.lines.iter().filter(|line| begins_cycle(line)).count() < 2 {
            return None;
        }
        let prices = self.lines.iter().map(|line| line.at_customer_price.as_ref());
        let mut sums = (Decimal::ZERO, Decimal::ZERO);
        for price in prices {
            let price = price?;
            sums = (sums.0.saturating_add(price.amount), sums.1.saturating_add(price.tax));
        }
        Some(sums)
    }

    /// What was paid, by the price as it is told; none where that is not known.
    fn paid(&self) -> Option<Decimal> {
        self.is_whole.then(|| self.lines.iter().map(as_told).fold(Decimal::ZERO, Decimal::saturating_add))
    }
}

/// The amount by the price as it is told: with the tax where the price contains it.
fn as_told(line: &Line) -> Decimal {
    if line.tax.as_ref().is_some_and(|tax| tax.is_included) { line.total() } else { line.amount }
}

/// Whether a line begins what is charged for a cycle.
fn begins_cycle(line: &Line) -> bool {
    let begins = [
        ChargeType::New,
        ChargeType::Renew,
        ChargeType::CycleCharge,
        ChargeType::ChangeBillingPlan,
        ChargeType::Convert,
        ChargeType::ExtendTerm,
    ];
    begins.contains(&line.kind) && line.quantity > 0 && !line.amount.is_sign_negative()
}

/// Whether a line begins what is charged for a term.
fn begins_term(line: &Line) -> bool {
    begins_cycle(line) && !matches!(line.kind, ChargeType::CycleCharge | ChargeType::ChangeBillingPlan)
}

impl Work {
    /// Writes what is owed. The subscription is as it stands after the change.
    pub(super) fn owe(&mut self, subscription: &Subscription, request: Option<Id>, drafts: Vec<Draft>) -> Result<()> {
        if drafts.is_empty() {
            return Ok(());
        }
        if !invoice_rows::has_begun(&mut self.tx)? {
            let begins = invoice::Billing::begins(invoice::Month::of(self.now));
            invoice_rows::save_billing(&mut self.tx, &begins)?;
        }
        let item = item(self, subscription)?;
        for draft in drafts {
            let line = line(self, subscription, request, &item, draft)?;
            self.record().lines.push(line);
        }
        Ok(())
    }
}

fn item(work: &mut Work, subscription: &Subscription) -> Result<Item> {
    let country = tenant_rows::get(&mut work.tx, subscription.tenant)?.map(|stored| stored.value.country);
    let profile = &*subscription.profile;
    Ok(Item {
        billing_provider: work.terms.family(&profile.family).billing_provider,
        order_id: profile.order_id.clone(),
        order_date: Some(profile.purchased_at),
        offer_id: profile.offer_id.clone(),
        offer_name: profile.offer_name.clone(),
        friendly_name: profile.friendly_name.clone(),
        publisher_name: profile.publisher_name.clone(),
        term_duration: profile.term_duration,
        billing_cycle: profile.billing_cycle.clone(),
        term_start: Some(subscription.standing.term_start),
        term_end: subscription.standing.term_end,
        country: country.unwrap_or_default(),
        is_trial: profile.is_trial,
        is_add_on: profile.parent_subscription_id.is_some(),
        partner_id: profile.partner_id.clone(),
    })
}

fn line(work: &mut Work, subscription: &Subscription, request: Option<Id>, item: &Item, draft: Draft) -> Result<Line> {
    let takes_back = draft.amount.is_sign_negative() && !draft.amount.is_zero();
    let charged = if takes_back { charged(work, subscription, draft.kind)? } else { Charged::default() };
    let draft = capped(draft, &charged);
    // A credit is about what it takes back, which an upgrade has made something else by now.
    let item = charged.latest().map(|line| &line.item).filter(|was| was.offer_id != item.offer_id).unwrap_or(item);
    let mut line = Line {
        id: String::new(),
        at: work.now,
        seq: 0,
        tenant: subscription.tenant,
        subscription: subscription.id,
        request,
        kind: draft.kind,
        quantity: draft.quantity,
        unit_price: draft.unit_price,
        amount: draft.amount,
        currency: draft.currency,
        period_start: draft.period_start,
        period_end: draft.period_end,
        rule: draft.rule.clone(),
        reverses: draft.reverses.clone().or_else(|| charged.latest().map(|line| line.id.clone())),
        tax: None,
        at_customer_price: None,
        item: item.clone(),
    };
    tax(work, &mut line, &charged)?;
    line.at_customer_price = at_customer_price(work, subscription, item, &draft, &charged)?;
    Ok(line)
}

/// A cancellation never gives back more than the cycle was charged, or the term where that is given back, whatever the
/// price is by now.
fn capped(draft: Draft, charged: &Charged) -> Draft {
    match charged.paid() {
        Some(paid) if draft.kind == ChargeType::CancelImmediate && -draft.amount > paid => {
            Draft { amount: -paid.max(Decimal::ZERO), ..draft }
        }
        _ => draft,
    }
}

/// The tax of the country on the day of the charge; a credit has that of what it takes back, to the last cent where it
/// takes back everything.
fn tax(work: &Work, line: &mut Line, charged: &Charged) -> Result<()> {
    let told = Money::new(line.amount, line.currency);
    let rates = work.terms.tax();
    let taxed = match charged.latest() {
        None => rates.split(told, &line.item.country, work.now)?,
        Some(latest) => match &latest.tax {
            None => return Ok(()),
            Some(of) => {
                let mut taxed = rates.mirror(told, of, work.now, &line.item.country)?;
                let everything = charged.paid() == Some(-line.amount);
                if let Some(tax) = taxed.tax.as_mut().filter(|_| everything) {
                    tax.amount =
                        -charged.lines.iter().map(Line::tax_amount).fold(Decimal::ZERO, Decimal::saturating_add);
                    let inside = if tax.is_included { tax.amount } else { Decimal::ZERO };
                    taxed.amount.amount = line.amount.saturating_sub(inside);
                }
                taxed
            }
        },
    };
    line.amount = taxed.amount.amount;
    line.tax = taxed.tax;
    Ok(())
}

/// The same line at the customer's price; a credit at the price of what it takes back.
fn at_customer_price(
    work: &mut Work,
    subscription: &Subscription,
    item: &Item,
    draft: &Draft,
    charged: &Charged,
) -> Result<Option<CustomerCharge>> {
    let price = match charged.latest() {
        Some(latest) => latest.at_customer_price.as_ref().map(|price| price.unit_price),
        None => prices::of(work, subscription, draft.period_start)?,
    };
    let Some(unit_price) = price else { return Ok(None) };
    if let Some((amount, tax)) = charged.customer_paid().filter(|_| charged.paid() == Some(-draft.amount)) {
        return Ok(Some(CustomerCharge { unit_price, amount: -amount, tax: -tax }));
    }
    let told = lifecycle::at_price(&work.terms, subscription, draft, unit_price)?;
    let tax = charged.latest().and_then(|latest| latest.tax.as_ref());
    let taxed = match (charged.latest(), tax) {
        (Some(_), None) => return Ok(Some(CustomerCharge { unit_price, amount: told.amount, tax: Decimal::ZERO })),
        (Some(_), Some(of)) => work.terms.tax().mirror(told, of, work.now, &item.country)?,
        (None, _) => work.terms.tax().split(told, &item.country, work.now)?,
    };
    let tax = taxed.tax.map_or(Decimal::ZERO, |tax| tax.amount);
    Ok(Some(CustomerCharge { unit_price, amount: taxed.amount.amount, tax }))
}

/// What the present cycle was charged so far, or the present term where a cancellation gives that back: this
/// transaction's own lines, then the subscription's story walked back to the charge it began with.
fn charged(work: &mut Work, subscription: &Subscription, kind: ChargeType) -> Result<Charged> {
    let terms = tenants::terms_for(work, subscription.tenant)?;
    let of_term = kind == ChargeType::CancelImmediate && lifecycle::gives_back_term(&terms, subscription);
    let begins = if of_term { begins_term } else { begins_cycle };
    let mut found = Charged::default();
    let mut take = |line: Line| -> bool {
        if line.subscription == subscription.id && !found.is_whole {
            found.is_whole = begins(&line);
            found.lines.push(line);
        }
        found.is_whole
    };
    let own: Vec<Line> = work.record().lines.clone();
    for (ordinal, line) in own.into_iter().enumerate().rev() {
        if take(Line { id: format!(".{ordinal}"), ..line }) {
            return Ok(found);
        }
    }
    let known = work.record().before.iter().find(|(id, _)| *id == subscription.id).map(|(_, seq)| *seq);
    let mut seq = match known {
        Some(seq) => seq,
        None => {
            let stored = subscription_rows::get(&mut work.tx, subscription.tenant, subscription.id)?;
            stored.map_or(0, |stored| stored.seq)
        }
    };
    for _ in 0..STORY_MAX {
        // Zero is before the first, and what is not committed has no place yet.
        if seq == 0 || seq == u64::MAX {
            break;
        }
        let Some(record) = log::at(&mut work.tx, seq)? else { break };
        let before = record.before.iter().find(|(id, _)| *id == subscription.id).map_or(0, |(_, before)| *before);
        if record.lines.into_iter().rev().any(&mut take) || before >= seq {
            break;
        }
        seq = before;
    }
    Ok(found)
}
