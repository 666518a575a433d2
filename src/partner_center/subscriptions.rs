//! Subscriptions: what a row states about one.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::family;
use super::field::{self, Date, Fields};
use super::instructions;
use super::read::{Context, missing_id};
use super::subscriptions_write;
use crate::domain::catalog::offers::is_microsofts;
use crate::domain::change::{Amendments, Reason};
use crate::domain::ids::Guid;
use crate::domain::subscription::{SeatBatch, Status};
use crate::domain::{Instant, Money, OrderId, Refusal, Span, SubscriptionId, TenantId};
use crate::json::Value;

const STATUSES: [&str; 7] = ["none", "active", "suspended", "deleted", "expired", "pending", "disabled"];
/// The billing cycles by their number.
pub(super) const CYCLES: [&str; 7] = ["unknown", "monthly", "annual", "none", "one_time", "triennial", "biennial"];
const BILLING_TYPES: [&str; 3] = ["none", "usage", "license"];
/// A batch of seats tells only when its window closes; the window of every batch has been this long.
const SEAT_WINDOW: TimeDelta = TimeDelta::hours(168);

/// An end as the wire tells it; which instant that is depends on the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Without an end (the year 9999).
    Open,
    /// The first instant after it, told exactly.
    Exact(Instant),
    /// `commitmentEndDate`: the last day of new commerce, the first instant after a legacy term.
    Day(Instant),
}

impl Ending {
    /// The first instant after the end for a family; none when it has no end.
    pub fn first_after(self, family: &str) -> Option<Instant> {
        match self {
            Ending::Open => None,
            Ending::Exact(instant) => Some(instant),
            Ending::Day(last) if family::end_is_inclusive(family) => {
                field::midnight(last)?.checked_add_signed(TimeDelta::days(1))
            }
            Ending::Day(first_after) => Some(first_after),
        }
    }
}

/// What a document states about a subscription; what it does not state is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionFact {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose; the row, its links, the recorded path or the file say it, or nobody.
    pub tenant: Option<TenantId>,
    /// Its status; an unknown word is kept beside.
    pub status: Option<Status>,
    /// Seats.
    pub quantity: Option<i64>,
    /// Whether it renews by itself.
    pub auto_renew_enabled: Option<bool>,
    /// Whether everything ends at the term's end, as somebody said.
    pub cancel_at_term_end: Option<bool>,
    /// When it was bought.
    pub creation_date: Option<Instant>,
    /// When its first (or aligned) term began.
    pub effective_start_date: Option<Instant>,
    /// When its present term ends.
    pub term_end: Option<Ending>,
    /// When the billing cycle that is charged ends.
    pub cycle_end: Option<Ending>,
    /// The first instant too late to cancel.
    pub window_end: Option<Instant>,
    /// The family, where the document says it in our words.
    pub family: Option<String>,
    /// Legacy GUID or `product:sku:availability`.
    pub offer_id: Option<String>,
    /// The offer's name.
    pub offer_name: Option<String>,
    /// The partner's name for it.
    pub friendly_name: Option<String>,
    /// `productType.id`, or the finer word behind it.
    pub product_type: Option<String>,
    /// The publisher.
    pub publisher_name: Option<String>,
    /// Whether it is Microsoft's.
    pub is_microsoft_product: Option<bool>,
    /// Length of a term.
    pub term_duration: Option<Span>,
    /// `monthly`, `annual`, ...
    pub billing_cycle: Option<String>,
    /// `license`, `usage`, ...
    pub billing_type: Option<String>,
    /// Price of one seat for one cycle.
    pub unit_price: Option<Money>,
    /// Whether it is a trial.
    pub is_trial: Option<bool>,
    /// The base of an add-on.
    pub parent_subscription_id: Option<SubscriptionId>,
    /// The order that started it.
    pub order_id: Option<OrderId>,
    /// The MPN id of the reseller who sold it.
    pub partner_id: Option<String>,
    /// Seats with windows of their own.
    pub seat_batches: Option<Vec<SeatBatch>>,
    /// What the next term has different.
    pub next_term: Option<Amendments>,
    /// The last day of an aligned first term.
    pub custom_term_end_date: Option<chrono::NaiveDate>,
    /// The billing cycle from the next charge on.
    pub next_billing_cycle: Option<String>,
    /// Why it is suspended.
    pub suspension_reason: Option<Reason>,
    /// Whether the publisher waits for somebody.
    pub attention_needed: Option<bool>,
    /// Labels, where the document came from here.
    pub labels: BTreeMap<String, String>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// Reads a subscription.
pub(super) fn read(row: &Value, fields: &mut Fields<'_>, context: &Context) -> Result<SubscriptionFact, Refusal> {
    let mut fact = SubscriptionFact::default();
    let link_id = field::link(row, "self").and_then(id_of_path).map(str::to_owned);
    let id =
        fields.filled("id").or_else(|| context.id.clone()).or(link_id).ok_or_else(|| missing_id("subscription"))?;
    if id.parse::<Guid>().is_err() {
        fact.extra.insert("id".to_owned(), Value::String(id.clone()).to_string());
    }
    fact.id = SubscriptionId(field::guid("subscription", &id));
    let named = ["customerId", "referenceCustomerId", "customerTenantId", "tenantId"];
    let named = named.into_iter().filter_map(|name| fields.filled(name)).next();
    fact.tenant = named.map(|text| field::tenant(&text)).or_else(|| field::tenant_of_links(row)).or(context.tenant);
    read_product(row, fields, &mut fact);
    read_standing(fields, &mut fact);
    read_dates(fields, &mut fact);
    read_next_term(fields, &mut fact);
    let own = subscriptions_write::links_of(
        fact.tenant.unwrap_or_default(),
        fact.offer_id.as_deref().unwrap_or_default(),
        fact.parent_subscription_id,
        "",
    );
    if let Some(links) = fields.take("links").and_then(|links| field::foreign_links(links, &own)) {
        fact.extra.insert("links".to_owned(), links);
    }
    // What follows from the rest is not kept beside it.
    let unit = subscriptions_write::unit_type(fact.billing_type.as_deref().unwrap_or_default());
    for (name, derived) in [("unitType", unit), ("contractType", "subscription")] {
        if row.get_any_case(name).and_then(Value::as_str) == Some(derived) {
            fields.take(name);
        }
    }
    for derived in ["attributes", "actions", "attentionReason"] {
        fields.take(derived);
    }
    if row.get_any_case("hasPurchasableAddons").and_then(Value::as_bool) == Some(false) {
        fields.take("hasPurchasableAddons");
    }
    Ok(fact)
}

fn read_product(row: &Value, fields: &mut Fields<'_>, fact: &mut SubscriptionFact) {
    fact.family = fields.word("family", &[]).filter(|word| family::FAMILIES.contains(&word.as_str()));
    fact.offer_id = fields.filled("offerId").or_else(|| {
        let uri = field::link(row, "offer")?.split('?').next()?;
        uri.rsplit('/').next().filter(|id| id.parse::<Guid>().is_ok()).map(str::to_owned)
    });
    fact.offer_name = fields.filled("offerName");
    fact.friendly_name = fields.text("friendlyName");
    (fact.product_type, fact.extra) = match fields.take("productType") {
        Some(kind) => (product_type(kind), with(&mut fact.extra, "productType", kind)),
        None => (None, std::mem::take(&mut fact.extra)),
    };
    fact.product_type = fields.filled("targetView").or(fact.product_type.take());
    fact.publisher_name = fields.filled("publisherName");
    fact.is_microsoft_product = fields.flag("isMicrosoftProduct");
    let publisher = fact.publisher_name.as_deref().filter(|name| !name.is_empty());
    let derived = publisher.map(is_microsofts);
    if let Some(own) = fact.is_microsoft_product.filter(|own| derived != Some(*own)) {
        fact.extra.insert("isMicrosoftProduct".to_owned(), own.to_string());
    }
    fact.term_duration = fields.span("termDuration");
    fact.billing_cycle = fields.word("billingCycle", &CYCLES);
    fact.billing_type = fields.word("billingType", &BILLING_TYPES);
    fact.is_trial = fields.flag("isTrial");
    fact.parent_subscription_id =
        fields.filled("parentSubscriptionId").map(|text| SubscriptionId(field::guid("subscription", &text)));
    fact.order_id = fields.filled("orderId").map(|text| order_id(&text));
    fact.partner_id = fields.filled("partnerId");
    fact.unit_price = fields.take("unitPrice").and_then(field::money);
    fact.labels = fields.labels();
}

/// `productType`: a text, or an object with an id and perhaps a finer sub-type.
pub(super) fn product_type(value: &Value) -> Option<String> {
    let id = |value: &Value| value.get_any_case("id").and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Object(_) => {
            let finer = value.get_any_case("subType").and_then(id);
            let finer = finer.filter(|finer| {
                let clues = family::Clues { product_type: finer, ..family::Clues::default() };
                family::family(&clues).is_some()
            });
            finer.or_else(|| id(value))
        }
        _ => None,
    }
}

fn with(extra: &mut BTreeMap<String, String>, name: &str, value: &Value) -> BTreeMap<String, String> {
    if matches!(value, Value::Object(_)) {
        extra.insert(name.to_owned(), value.to_string());
    }
    std::mem::take(extra)
}

fn read_standing(fields: &mut Fields<'_>, fact: &mut SubscriptionFact) {
    if let Some(word) = fields.word("status", &STATUSES) {
        let known = Status::ALL.into_iter().find(|status| status.as_str() == word);
        let known = known.or((word == "none").then_some(Status::Pending));
        fact.status = Some(known.unwrap_or(Status::Unknown));
        if known.is_none() {
            fact.extra.insert("status".to_owned(), Value::String(word).to_string());
        }
    }
    fact.quantity = fields.count("quantity");
    fact.auto_renew_enabled = fields.flag("autoRenewEnabled");
    fact.cancel_at_term_end = fields.flag("cancelAtTermEnd");
    fact.attention_needed = fields.take("attentionNeeded").map(|value| value.as_bool() == Some(true));
    let reasons = fields.take("suspensionReasons");
    let known = reasons.and_then(Value::as_array).unwrap_or_default().iter();
    fact.suspension_reason = known.filter_map(|reason| field::snake(reason.as_str()?).parse().ok()).next();
    if let (None, Some(reasons)) = (fact.suspension_reason, reasons.filter(|found| found.as_array() != Some(&[]))) {
        fact.extra.insert("suspensionReasons".to_owned(), reasons.to_string());
    }
}

fn read_dates(fields: &mut Fields<'_>, fact: &mut SubscriptionFact) {
    keep_dates(fields, &mut fact.extra);
    fact.creation_date = fields.instant("creationDate");
    fact.effective_start_date = fields.instant("effectiveStartDate");
    fact.term_end = ending(fields, "commitmentEndDateTime", "commitmentEndDate");
    fact.cycle_end = ending(fields, "billingCycleEndDateTime", "billingCycleEndDate");
    let told = fields.instant("cancellationAllowedUntilDate").and_then(field::after_last);
    let refund_options = fields.take("refundOptions").and_then(Value::as_array).unwrap_or_default();
    // An option without an expiry never expires: the term's end bounds it, and no window is stored.
    let expiries = refund_options.iter().filter_map(|option| {
        let text = option.get_any_case("expiresAt").or_else(|| option.get_any_case("expiresAfter"))?.as_str()?;
        field::date(text)?.at()
    });
    fact.window_end = told.or(expiries.max());
    let batches = fields.take("refundableQuantity").and_then(|value| value.get_any_case("details")?.as_array());
    fact.seat_batches = batches.map(|batches| batches.iter().filter_map(seat_batch).collect());
}

/// Days that came with a time of day, or that never end, as they came: terms go by whole days here, and whoever sent them
/// is shown them again while they are about the same day.
fn keep_dates(fields: &mut Fields<'_>, extra: &mut BTreeMap<String, String>) {
    for name in ["effectiveStartDate", "commitmentEndDate"] {
        let Some(told) = fields.take(name) else { continue };
        let is_plain = match told.as_str().and_then(field::date) {
            Some(Date::At(at)) => field::midnight(at) == Some(at),
            Some(Date::Open) => false,
            Some(Date::Never) | None => true,
        };
        if !is_plain {
            extra.insert(name.to_owned(), told.to_string());
        }
    }
}

fn ending(fields: &mut Fields<'_>, exact: &str, day: &str) -> Option<Ending> {
    let exact = fields.date(exact);
    let day = fields.date(day);
    match (exact, day) {
        (Some(Date::Open), _) | (None | Some(Date::Never), Some(Date::Open)) => Some(Ending::Open),
        // The last second of the term; a midnight is already the first instant after it.
        (Some(Date::At(last)), _) if field::midnight(last) == Some(last) => Some(Ending::Exact(last)),
        (Some(Date::At(last)), _) => field::after_last(last).map(Ending::Exact),
        (None | Some(Date::Never), Some(Date::At(day))) => Some(Ending::Day(day)),
        (None | Some(Date::Never), None | Some(Date::Never)) => None,
    }
}

fn seat_batch(value: &Value) -> Option<SeatBatch> {
    let last = field::date(value.get_any_case("allowedUntilDateTime")?.as_str()?)?.at()?;
    let allowed_until = field::after_last(last)?;
    let quantity = field::integer(value.get_any_case("quantity")?).filter(|seats| *seats > 0)?;
    Some(SeatBatch { quantity, added_at: allowed_until.checked_sub_signed(SEAT_WINDOW)?, allowed_until })
}

fn read_next_term(fields: &mut Fields<'_>, fact: &mut SubscriptionFact) {
    fact.custom_term_end_date = fields.date("customTermEndDate").and_then(Date::at).map(|at| at.date_naive());
    fact.next_billing_cycle = fields.take("nextChargeInstructions").and_then(instructions::next_charge);
    let Some(instructions) = fields.take("scheduledNextTermInstructions") else { return };
    if instructions.get_any_case("product").and_then(|product| product.get_any_case("promotionId")).is_some() {
        // A promotion is nothing that ours can say, so it is kept and shown as it came.
        fact.extra.insert("scheduledNextTermInstructions".to_owned(), instructions.to_string());
    }
    fact.next_term = instructions::next_term(instructions, fact.offer_id.as_deref().unwrap_or_default());
}

/// An order's id: GUIDs in lower case, newer ids as they came.
pub(super) fn order_id(text: &str) -> OrderId {
    let trimmed = text.trim();
    OrderId(trimmed.parse::<Guid>().map_or_else(|_| trimmed.to_owned(), |guid| guid.to_string()))
}

/// The subscription's id in a path, where it ends with one.
pub(super) fn id_of_path(path: &str) -> Option<&str> {
    let (_, behind) = path.split('?').next()?.split_once("/subscriptions/")?;
    behind.split('/').next().filter(|id| !id.is_empty() && !field::is_placeholder(id))
}
