//! Subscriptions as Partner Center shows them.

use chrono::TimeDelta;

use super::family;
use super::field;
use super::write::{self, Out};
use crate::domain::catalog::offers::is_microsofts;
use crate::domain::change::Amendments;
use crate::domain::lifecycle::SeatsUntil;
use crate::domain::subscription::{Profile, Status};
use crate::domain::{Instant, Subscription, SubscriptionId, TenantId, calendar, lifecycle};
use crate::json::Value;

/// What a quote adds to a subscription that is shown.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// What the caller may do now: `edit`, `cancel`.
    pub actions: Vec<&'static str>,
    /// The market that links into the catalogue name; empty: none is named.
    pub country: String,
    /// The refunds still to be had.
    pub refund_options: Vec<RefundOption>,
    /// The seats that could go now without the rest, and until when.
    pub refundable: Vec<SeatsUntil>,
    /// Whether the window closes with a day (shown as its last minute) and not after hours (shown as its last second).
    pub window_ends_with_day: bool,
    /// Whether the catalogue has add-ons made for it.
    pub has_add_ons: bool,
}

/// How the ends of a subscription are told: as the last day or second of something, where we keep the first instant after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Whether a term's end is its last day, and not the first instant after it (legacy).
    inclusive: bool,
    /// Whether the window closes with a day.
    window_ends_with_day: bool,
}

impl Ends {
    /// Those of a family and of a window that closes with a day, or after hours.
    pub fn of(family: &str, window_ends_with_day: bool) -> Self {
        Self { inclusive: family::end_is_inclusive(family), window_ends_with_day }
    }

    /// `commitmentEndDate` and `billingCycleEndDate`.
    fn day(self, end: Instant) -> Option<Instant> {
        if self.inclusive { last_second(end).and_then(field::midnight) } else { Some(end) }
    }

    /// `cancellationAllowedUntilDate`: the last minute of a day, or the last second.
    fn window(self, end: Instant) -> Option<Instant> {
        let is_day = self.window_ends_with_day && field::midnight(end) == Some(end);
        if is_day { end.checked_sub_signed(TimeDelta::minutes(1)) } else { last_second(end) }
    }

    /// A field of the subscription that holds this instant of ours, as it is told.
    pub fn told(self, field: &str, at: Instant) -> Instant {
        match field {
            "commitmentEndDate" | "billingCycleEndDate" => self.day(at).unwrap_or(at),
            "cancellationAllowedUntilDate" => self.window(at).unwrap_or(at),
            _ => at,
        }
    }
}

/// A refund that can still be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundOption {
    /// Whether everything comes back.
    pub is_full: bool,
    /// The first instant too late; none when it never is.
    pub expires_at: Option<Instant>,
}

/// A subscription as Partner Center shows it, with our family, labels and price beside.
pub fn subscription(subscription: &Subscription, shown: &Shown) -> Value {
    let (standing, profile) = (&subscription.standing, &*subscription.profile);
    let mut out = Out::new();
    out.text("id", &subscription.id.to_string());
    out.text("customerId", &subscription.tenant.to_string());
    for (name, text) in
        [("offerId", &profile.offer_id), ("offerName", &profile.offer_name), ("friendlyName", &profile.friendly_name)]
    {
        out.filled(name, text);
    }
    out.text("family", &profile.family);
    if !profile.product_type.is_empty() {
        let mut kind = Out::over(field::kept(&profile.extra, "productType"));
        if kind.kept("id").is_none() {
            kind.text("id", &profile.product_type);
        }
        out.value("productType", kind.finish());
    }
    out.integer("quantity", standing.quantity);
    if let Some(base) = profile.parent_subscription_id {
        out.text("parentSubscriptionId", &base.to_string());
    }
    out.instant("creationDate", Some(profile.purchased_at));
    out.value("effectiveStartDate", as_told(profile, "effectiveStartDate", Some(standing.term_start)));
    write_ends(&mut out, subscription);
    write_window(&mut out, subscription, shown);
    let status = field::kept(&profile.extra, "status").filter(|_| standing.status == Status::Unknown);
    out.value("status", status.unwrap_or_else(|| Value::String(standing.status.as_str().to_owned())));
    out.flag("autoRenewEnabled", standing.auto_renew_enabled);
    if standing.cancel_at_term_end {
        out.flag("cancelAtTermEnd", true);
    }
    if let Some(extended) = &profile.extended {
        out.instant("extendedSince", Some(extended.since));
    }
    write_next_term(&mut out, subscription);
    write_next_charge(&mut out, subscription);
    if let Some(last) = profile.custom_term_end_date {
        out.text("customTermEndDate", &format!("{last}T00:00:00Z"));
    }
    write_deletion(&mut out, subscription);
    write_plan(&mut out, subscription);
    let actions = shown.actions.iter().map(|action| Value::String((*action).to_owned()));
    out.value("actions", Value::Array(actions.collect()));
    out.flag("attentionNeeded", standing.attention.is_some());
    if let Some(attention) = standing.attention {
        out.text("attentionReason", attention.as_str());
    }
    write_product(&mut out, profile, shown);
    out.labels(&profile.labels);
    let never = ["id", "status", "productType", "scheduledNextTermInstructions", "commitmentEndDate"];
    out.extras(&profile.extra, &never);
    for (name, text) in [("unitType", unit_type(&profile.billing_type)), ("contractType", "subscription")] {
        if out.kept(name).is_none() {
            out.text(name, text);
        }
    }
    write_links(&mut out, subscription, &shown.country);
    out.value("attributes", write::attributes("Subscription", Some(standing.generation)));
    out.finish()
}

/// What follows from its publisher and from the catalogue, where the import did not tell it already.
fn write_product(out: &mut Out, profile: &Profile, shown: &Shown) {
    let told = |name: &str| field::kept(&profile.extra, name).and_then(|told| told.as_bool());
    out.flag("hasPurchasableAddons", shown.has_add_ons || told("hasPurchasableAddons") == Some(true));
    let derived = (!profile.publisher_name.is_empty()).then(|| is_microsofts(&profile.publisher_name));
    if let Some(own) = told("isMicrosoftProduct").or(derived) {
        out.flag("isMicrosoftProduct", own);
    }
}

/// What one of it is counted in.
pub(super) fn unit_type(billing_type: &str) -> &'static str {
    match billing_type {
        "license" => "Licenses",
        "usage" => "Usage-based",
        _ => "none",
    }
}

/// Where it stands, what it is of and the base of an add-on; the links it came with stay as they are.
fn write_links(out: &mut Out, subscription: &Subscription, country: &str) {
    let profile = &subscription.profile;
    out.links(&profile.extra, &format!("/customers/{}/subscriptions/{}", subscription.tenant, subscription.id));
    let mut links = Out::over(out.kept("links"));
    let found = links_of(subscription.tenant, &profile.offer_id, profile.parent_subscription_id, country);
    for (name, address) in found {
        if links.kept(name).is_none() {
            links.value(name, write::link(&address, "GET"));
        }
    }
    out.value("links", links.finish());
}

/// The links that follow from what a subscription is of.
pub(super) fn links_of(
    tenant: TenantId,
    offer: &str,
    base: Option<SubscriptionId>,
    country: &str,
) -> Vec<(&'static str, String)> {
    let mut found = write::catalogue_links(offer, country);
    found.extend(base.map(|base| ("parentSubscription", format!("/customers/{tenant}/subscriptions/{base}"))));
    found
}

fn write_ends(out: &mut Out, subscription: &Subscription) {
    let shown = Ends::of(&subscription.profile.family, false);
    let ends = [
        ("commitmentEndDate", "commitmentEndDateTime", subscription.standing.term_end),
        ("billingCycleEndDate", "billingCycleEndDateTime", subscription.standing.cycle_end),
    ];
    for (day, exact, end) in ends {
        let Some(end) = end else { continue };
        out.value(day, as_told(&subscription.profile, day, shown.day(end)));
        out.instant(exact, last_second(end));
    }
    if subscription.standing.term_end.is_none() && subscription.standing.status != Status::Pending {
        out.value("commitmentEndDate", as_told(&subscription.profile, "commitmentEndDate", None));
    }
}

/// What has no end ends then.
const OPEN_END: &str = "9999-12-31T00:00:00Z";

/// A day as it came, while it is still about this one; none is a day that never comes.
fn as_told(profile: &Profile, name: &str, ours: Option<Instant>) -> Value {
    let told = field::kept(&profile.extra, name);
    let day = |at: Instant| Some(at.date_naive());
    let is_same = match told.as_ref().and_then(|told| field::date(told.as_str()?)) {
        Some(field::Date::At(at)) => ours.and_then(day) == day(at),
        Some(field::Date::Open) => ours.is_none(),
        Some(field::Date::Never) | None => false,
    };
    let plain = || Value::String(ours.map_or_else(|| OPEN_END.to_owned(), calendar::show));
    told.filter(|_| is_same).unwrap_or_else(plain)
}

/// The last whole second before an instant: how an end is shown.
pub(super) fn last_second(end: Instant) -> Option<Instant> {
    let whole = chrono::DateTime::from_timestamp(end.timestamp(), 0)?;
    if whole < end { Some(whole) } else { whole.checked_sub_signed(TimeDelta::seconds(1)) }
}

fn write_window(out: &mut Out, subscription: &Subscription, shown: &Shown) {
    let ends = Ends::of(&subscription.profile.family, shown.window_ends_with_day);
    out.instant("cancellationAllowedUntilDate", subscription.standing.window_end.and_then(|end| ends.window(end)));
    let options = shown.refund_options.iter().map(|option| {
        let mut one = Out::new();
        one.text("type", if option.is_full { "Full" } else { "Partial" });
        one.instant("expiresAt", option.expires_at);
        one.finish()
    });
    let options: Vec<Value> = options.collect();
    if !options.is_empty() {
        out.value("refundOptions", Value::Array(options));
    }
    if !shown.refundable.is_empty() {
        let mut refundable = Out::new();
        let total = shown.refundable.iter().map(|seats| seats.quantity).fold(0, i64::saturating_add);
        refundable.integer("totalQuantity", total);
        let details = shown.refundable.iter().map(|seats| {
            let mut one = Out::new();
            one.integer("quantity", seats.quantity);
            one.instant("allowedUntilDateTime", last_second(seats.until));
            one.finish()
        });
        refundable.value("details", Value::Array(details.collect()));
        out.value("refundableQuantity", refundable.finish());
    }
}

fn write_next_term(out: &mut Out, subscription: &Subscription) {
    let profile = &subscription.profile;
    if !profile.next_term.is_empty() {
        let kept = field::kept(&profile.extra, "scheduledNextTermInstructions");
        out.value("scheduledNextTermInstructions", next_term(subscription, &profile.next_term, kept));
    }
}

/// What the next charge has different: the billing cycle of the same product.
fn write_next_charge(out: &mut Out, subscription: &Subscription) {
    if let Some(cycle) = &subscription.profile.next_billing_cycle {
        let plan = Amendments { billing_cycle: Some(cycle.clone()), ..Amendments::default() };
        out.value("nextChargeInstructions", next_term(subscription, &plan, None));
    }
}

/// When the data of what is off is deleted: the last day on which it is still there (S-show).
fn write_deletion(out: &mut Out, subscription: &Subscription) {
    let last = lifecycle::last_day_of_data(subscription);
    out.instant("deletionDate", last.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc()));
}

/// `scheduledNextTermInstructions`: the present product with what the next term has different.
pub(super) fn next_term(subscription: &Subscription, next: &Amendments, kept: Option<Value>) -> Value {
    let (standing, profile) = (&subscription.standing, &subscription.profile);
    let mut out = Out::over(kept);
    let mut product = Out::over(out.kept("product"));
    let names = ["productId", "skuId", "availabilityId"];
    let parts: Vec<&str> = next.offer_id.as_ref().unwrap_or(&profile.offer_id).split(':').collect();
    let tells = next.offer_id.is_some() || product.kept("productId").is_none();
    if tells && parts.len() == names.len() {
        for (name, part) in names.into_iter().zip(parts) {
            product.text(name, part);
        }
    }
    product.filled("billingCycle", next.billing_cycle.as_ref().unwrap_or(&profile.billing_cycle));
    if let Some(length) = next.term_duration.or(profile.term_duration) {
        product.text("termDuration", &length.to_string());
    }
    out.value("product", product.finish());
    out.integer("quantity", next.quantity.unwrap_or(standing.quantity));
    if let Some(last) = next.custom_term_end_date {
        out.text("customTermEndDate", &format!("{last}T00:00:00Z"));
    }
    out.finish()
}

fn write_plan(out: &mut Out, subscription: &Subscription) {
    let profile = &subscription.profile;
    out.filled("billingType", &profile.billing_type);
    out.filled("billingCycle", &profile.billing_cycle);
    if let Some(length) = profile.term_duration {
        out.text("termDuration", &length.to_string());
    }
    out.flag("isTrial", profile.is_trial);
    out.text("partnerId", &profile.partner_id);
    out.filled("publisherName", &profile.publisher_name);
    if let Some(order) = &profile.order_id {
        out.text("orderId", &order.0);
    }
    if let Some(price) = profile.unit_price {
        out.value("unitPrice", write::money(price));
    }
    if let Some(reason) = profile.suspension_reason {
        out.value("suspensionReasons", Value::Array(vec![Value::String(reason.as_str().to_owned())]));
    }
}
