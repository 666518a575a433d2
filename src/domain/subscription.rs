//! A subscription: the part that moves (hot, a narrow row) and the part that describes it (wide, read when needed).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Instant, Money, OrderId, Refusal, Span, SubscriptionId, TenantId};

/// Partner Center's subscription status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Bought, not active yet.
    Pending,
    /// In use.
    Active,
    /// Switched off by the partner.
    Suspended,
    /// Its term ran out; users still have access.
    Expired,
    /// Only admins have access.
    Disabled,
    /// Gone: cancelled, or its data deleted.
    Deleted,
    /// A status this version does not know; kept as it came, every change refused.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::Active,
        Status::Suspended,
        Status::Expired,
        Status::Disabled,
        Status::Deleted,
        Status::Unknown,
    ];

    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Active => "active",
            Status::Suspended => "suspended",
            Status::Expired => "expired",
            Status::Disabled => "disabled",
            Status::Deleted => "deleted",
            Status::Unknown => "unknown",
        }
    }

    /// The statuses that may follow.
    pub fn followers(self) -> &'static [Status] {
        use Status::{Active, Deleted, Disabled, Expired, Pending, Suspended, Unknown};
        match self {
            Pending => &[Active, Deleted],
            Active => &[Suspended, Expired, Disabled, Deleted],
            Suspended => &[Active, Disabled, Deleted],
            Expired => &[Disabled],
            Disabled => &[Deleted],
            Deleted | Unknown => &[],
        }
    }

    /// The next status.
    ///
    /// # Errors
    /// `illegal_transition`, naming the legal ones.
    pub fn to(self, next: Status) -> Result<Status, Refusal> {
        if self.followers().contains(&next) {
            return Ok(next);
        }
        let legal: Vec<&str> = self.followers().iter().map(|status| status.as_str()).collect();
        let legal = if legal.is_empty() { "nothing".to_owned() } else { legal.join(", ") };
        Err(Refusal::new(
            "illegal_transition",
            format!("a subscription that is {} cannot become {}; it can become {legal}", self.as_str(), next.as_str()),
        ))
    }
}

/// Seats added at one time, with the window in which they may go again (N7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatBatch {
    /// Seats of the batch that are still there.
    pub quantity: i64,
    /// When they were added.
    pub added_at: Instant,
    /// The first instant too late to take them back.
    pub allowed_until: Instant,
}

/// Why a person should look at a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Imported as active though its term has ended: no timer runs for it.
    TermEndPassed,
    /// Its term ended and no price is known: neither renewed nor expired.
    PriceUnknown,
    /// More than twelve terms were missed in one go.
    TermsMissed,
    /// Partner Center says the publisher waits for somebody.
    ActivationPending,
}

impl Attention {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Attention::TermEndPassed => "term_end_passed",
            Attention::PriceUnknown => "price_unknown",
            Attention::TermsMissed => "terms_missed",
            Attention::ActivationPending => "activation_pending",
        }
    }
}

/// The part that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Moves with every change; the ETag.
    pub generation: u64,
    /// Its status.
    pub status: Status,
    /// Seats.
    pub quantity: i64,
    /// Whether it renews by itself.
    pub auto_renew_enabled: bool,
    /// Whether somebody said that everything ends at the term's end: auto-renew alone being off says less (EST).
    pub cancel_at_term_end: bool,
    /// First instant of the present term.
    pub term_start: Instant,
    /// First instant after the present term (the inclusive `commitmentEndDate` plus a day); none without an end.
    pub term_end: Option<Instant>,
    /// First instant of the billing cycle that is charged.
    pub cycle_start: Option<Instant>,
    /// First instant after the billing cycle that is charged; none when nothing recurs.
    pub cycle_end: Option<Instant>,
    /// First instant too late to cancel the present term; none: no window.
    pub window_end: Option<Instant>,
    /// When the status changed last.
    pub status_since: Instant,
    /// When the next step without anybody's doing is due (expired to disabled, disabled to deleted, suspended data).
    pub next_step_at: Option<Instant>,
    /// The open or last renewal request's answer for the present term end.
    pub renewal: Renewal,
    /// Why a person should look.
    pub attention: Option<Attention>,
    /// Terms in a row that were renewed after their own end had passed as well; twelve at most, then a person looks.
    pub late_terms: u8,
}

/// What is settled about the present term's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// Nobody proposed yet.
    Open,
    /// A request waits.
    Waiting,
    /// Approved; happens at the term end.
    Scheduled,
    /// Denied; it expires.
    Denied,
    /// The terms refuse it.
    Refused,
}

/// The plan that a subscription had before it went on by the month (EST): what a renewal goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extended {
    /// The end of its last whole term, where the first extended month began.
    #[serde(with = "crate::domain::calendar::wire")]
    pub since: Instant,
    /// The length of that term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// How it was billed.
    #[serde(default)]
    pub billing_cycle: String,
    /// Price of one seat for one of its cycles, where it had one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
}

/// The part that describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// How it is sold: the terms' family.
    pub family: String,
    /// Legacy offer GUID or `product:sku:availability`.
    #[serde(default)]
    pub offer_id: String,
    /// The offer's name.
    #[serde(default)]
    pub offer_name: String,
    /// The partner's name for it.
    #[serde(default)]
    pub friendly_name: String,
    /// Partner Center's `productType.id`, where it came with one.
    #[serde(default)]
    pub product_type: String,
    /// The publisher.
    #[serde(default)]
    pub publisher_name: String,
    /// When it was bought: chooses the terms of its first term.
    #[serde(with = "crate::domain::calendar::wire")]
    pub purchased_at: Instant,
    /// Length of a term; none for perpetual and usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// `monthly`, `annual`, `triennial`, `one_time`, `none`, `unknown`.
    #[serde(default)]
    pub billing_cycle: String,
    /// `license`, `usage`, `none`, `benefit`.
    #[serde(default)]
    pub billing_type: String,
    /// Day of the month its terms and cycles start on, 1 to 31.
    pub anchor_day: u32,
    /// Price of one seat for one cycle, from the order line; none falls back to the price list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// Whether it is a trial.
    #[serde(default)]
    pub is_trial: bool,
    /// The base, for an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_subscription_id: Option<SubscriptionId>,
    /// The order that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The MPN id of the reseller who sold it (`partnerId`), where one is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partner_id: String,
    /// Seats with windows of their own, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seat_batches: Vec<SeatBatch>,
    /// What the next term has different (`scheduledNextTermInstructions`).
    #[serde(default, skip_serializing_if = "super::change::Amendments::is_empty")]
    pub next_term: super::change::Amendments,
    /// The last day of the first term, counted whole, where it is aligned to another date (`customTermEndDate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_term_end_date: Option<chrono::NaiveDate>,
    /// The billing cycle from the next charge on (`nextChargeInstructions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_billing_cycle: Option<String>,
    /// Since when it is billed in its present cycles, where that changed inside the term: the instalments that add up are
    /// those from then on (BF-split).
    #[serde(default, with = "crate::domain::calendar::wire::option", skip_serializing_if = "Option::is_none")]
    pub plan_since: Option<Instant>,
    /// The plan it had, while it goes on by the month after its term (EST).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<Extended>,
    /// Why it is suspended, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension_reason: Option<super::change::Reason>,
    /// The partner's own labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Everything the import did not know, as JSON text by field; shown back as it came.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// A subscription of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Partner Center's id; stable through renewals.
    pub id: SubscriptionId,
    /// Whose.
    pub tenant: TenantId,
    /// The part that moves.
    pub standing: Standing,
    /// The part that describes it; shared, because most changes leave it alone.
    pub profile: Arc<Profile>,
}
