//! A cancellation as a person asks for it: what is given, what is missing, what is told of the window, what follows.

use serde::Serialize;

use super::calendar::show;
use super::change::Reason;
use super::terms::{Asking, Need, Tells, Terms, credited_in};
use super::{Instant, Money, OrderId, Quote, Subscription, SubscriptionId};

/// What was given with a request to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The customer, by name, tenant id or domain.
    pub customer: String,
    /// The product, by its name or id.
    pub product: Option<String>,
    /// The order's number.
    pub order: Option<String>,
    /// The subscription, by its id or friendly name.
    pub subscription: Option<String>,
    /// Why (S-who).
    pub reason: Reason,
    /// Why money is asked back, where the terms ask for it.
    pub refund_reason: String,
    /// How much is asked back, where the terms ask for it.
    pub amount: Option<Money>,
    /// Whether the text that the terms show was acknowledged (C-ack).
    pub acknowledged: bool,
    /// Why, in the asker's words.
    pub why: String,
}

/// In one word, what asking came to short of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// The product has several orders: exactly one is chosen (C-pick).
    SeveralOrders,
    /// The order has several subscriptions of it: exactly one is chosen.
    SeveralSubscriptions,
    /// Something is missing that the terms ask for (C-in).
    InformationMissing,
    /// The text has to be acknowledged first (C-ack).
    AcknowledgementRequired,
    /// It goes by a support request (C-esc).
    MoreInformationNeeded,
}

impl Short {
    /// Its word, which is also the code of the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Short::SeveralOrders => "several_orders",
            Short::SeveralSubscriptions => "several_subscriptions",
            Short::InformationMissing => "information_missing",
            Short::AcknowledgementRequired => "acknowledgement_required",
            Short::MoreInformationNeeded => "more_information_needed",
        }
    }
}

/// What is told of the window (C-info): as much as the terms of the day tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Whether it has passed.
    pub window_passed: bool,
    /// Whole UTC days after today in which it is still open; on the last day none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// The first instant that is too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub allowed_until: Option<Instant>,
    /// The same in a sentence.
    pub says: String,
}

/// One of several that could be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The order's number, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What it is called.
    pub name: String,
    /// When it was bought.
    #[serde(with = "crate::domain::calendar::wire")]
    pub purchased_at: Instant,
    /// Seats.
    pub quantity: i64,
    /// Its window.
    pub info: Info,
}

/// What follows a cancellation, told at once (C-conf).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// The message.
    pub message: String,
    /// By when it shows in every list (C-15); asking again before that changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub visible_after: Option<Instant>,
    /// The month whose invoice carries the credit, `2021-03` (C-cred); none without a credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credited_in: Option<String>,
    /// The credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<Money>,
    /// What partner and customer have to do (C-uninst).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub afterwards: Option<String>,
}

/// What a subscription is called: the partner's name for it, else the offer's, else the offer's id.
pub fn name_of(subscription: &Subscription) -> &str {
    let profile = &subscription.profile;
    [&profile.friendly_name, &profile.offer_name].into_iter().find(|name| !name.is_empty()).unwrap_or(&profile.offer_id)
}

/// Whether a text names the product of a subscription: its name, the partner's name for it, the offer's or product's id.
pub fn is_product(subscription: &Subscription, text: &str) -> bool {
    let profile = &subscription.profile;
    let same = |known: &str| !known.is_empty() && known.to_lowercase() == text.trim().to_lowercase();
    let product = profile.offer_id.split(':').next().unwrap_or_default();
    [profile.offer_name.as_str(), &profile.friendly_name, &profile.offer_id, product].into_iter().any(same)
}

/// Whether a text names a subscription: its id or its friendly name.
pub fn is_subscription(subscription: &Subscription, text: &str) -> bool {
    match text.trim().parse::<SubscriptionId>() {
        Ok(id) => id == subscription.id,
        Err(_) => subscription.profile.friendly_name.to_lowercase() == text.trim().to_lowercase(),
    }
}

/// Whether a text is the number of its order.
pub fn is_order(subscription: &Subscription, text: &str) -> bool {
    subscription.profile.order_id.as_ref().is_some_and(|order| order.0.eq_ignore_ascii_case(text.trim()))
}

/// What the terms ask for and nobody gave, by the names of the fields. `by_name` says that the customer was given by
/// name alone.
pub fn missing(needs: &[Need], given: &Given, by_name: bool) -> Vec<&'static str> {
    let has = |need: &Need| match need {
        Need::Customer => !given.customer.trim().is_empty(),
        Need::CustomerIdOrDomain => !by_name,
        Need::Product => given.product.is_some(),
        Need::Order => given.order.is_some(),
        // An order's number says which subscription is meant at least as well as its name.
        Need::Subscription | Need::OrderOrSubscription => given.subscription.is_some() || given.order.is_some(),
        Need::RefundReason => !given.refund_reason.trim().is_empty(),
        Need::Amount => given.amount.is_some(),
    };
    needs.iter().filter(|need| !has(need)).map(|need| need.as_str()).collect()
}

/// What is told of the window of a quote to cancel.
pub fn info(asking: Option<&Asking>, quote: &Quote, now: Instant) -> Info {
    let tells = asking.map_or(Tells::Instant, |row| row.tells);
    let Some(until) = quote.allowed_until else {
        return Info { window_passed: false, says: quote.reason.clone(), ..Info::default() };
    };
    if until <= now {
        let says = "the window to cancel it has passed".to_owned();
        let at = Some(until).filter(|_| tells == Tells::Instant);
        return Info { window_passed: true, allowed_until: at, says, ..Info::default() };
    }
    match tells {
        Tells::Days => {
            let last = until - chrono::TimeDelta::microseconds(1);
            let days = (last.date_naive() - now.date_naive()).num_days();
            let says = match days {
                0 => "today is the last day to cancel it".to_owned(),
                1 => "1 day is left to cancel it".to_owned(),
                days => format!("{days} days are left to cancel it"),
            };
            Info { days_left: Some(days), says, ..Info::default() }
        }
        Tells::Instant => {
            let says = format!("it can be cancelled before {}", show(until));
            Info { allowed_until: Some(until), says, ..Info::default() }
        }
        Tells::Nothing => Info { says: "it can be cancelled".to_owned(), ..Info::default() },
    }
}

/// What follows the cancellation of a subscription now, and is told at once. None for a family whose terms say nothing
/// on it.
pub fn confirmation(
    terms: &Terms,
    subscription: &Subscription,
    credit: Option<Money>,
    now: Instant,
) -> Option<Confirmation> {
    let asking = terms.family(&subscription.profile.family).asking(now)?;
    let credit = credit.filter(|credit| !credit.is_zero());
    let credited = credit.map(|_| credited_in(now));
    let visible_after = asking.seen_within.and_then(|span| span.after(now));
    let mut message = format!("{} is cancelled", name_of(subscription));
    if let (Some(credit), Some(month)) = (&credit, &credited) {
        message.push_str(&format!("; {credit} is credited on the invoice of {month}"));
    }
    if let Some(span) = asking.seen_within {
        message.push_str(&format!("; it may take {} minutes until it shows everywhere", minutes(span)));
    }
    Some(Confirmation { message, visible_after, credited_in: credited, credit, afterwards: asking.afterwards.clone() })
}

fn minutes(span: super::Span) -> i64 {
    span.fixed().map_or(0, |fixed| fixed.num_minutes())
}
