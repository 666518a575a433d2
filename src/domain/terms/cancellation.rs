//! Cancellation beside its windows: the reasons it may have, and how it is asked for.

use serde::Deserialize;

use super::row::{DatedBy, Row, dated, row};
use super::{Family, Place};
use crate::domain::change::Reason;
use crate::domain::{Instant, Refusal, Span};

/// Cancellation, beside its windows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancellationRule {
    /// The rule on reasons.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The reasons it may have.
    pub reasons: Vec<Reason>,
    /// The rule that refuses where there is no window.
    pub none: String,
    /// What is said then, where there is more to say than that there is no window.
    #[serde(default)]
    pub none_says: Option<String>,
    /// Partner Center's code for it.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// The rule that refuses to exchange it for another product; none: the terms say nothing on it.
    #[serde(default)]
    pub exchange: Option<String>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// Something that has to be given with a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The customer, by name, tenant id or domain.
    Customer,
    /// The customer, by tenant id or domain; a name is not enough.
    CustomerIdOrDomain,
    /// The product's name.
    Product,
    /// The order's number.
    Order,
    /// The subscription's friendly name or id.
    Subscription,
    /// The order's number or the subscription's id.
    OrderOrSubscription,
    /// Why money is asked back.
    RefundReason,
    /// How much is asked back.
    Amount,
}

impl Need {
    /// Its word, the name of the field that gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Need::Customer | Need::CustomerIdOrDomain => "customer",
            Need::Product => "product",
            Need::Order => "order",
            Need::Subscription => "subscription",
            Need::OrderOrSubscription => "order or subscription",
            Need::RefundReason => "refund_reason",
            Need::Amount => "amount",
        }
    }
}

/// How a cancellation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// By the partner alone, answered at once.
    #[default]
    Request,
    /// By a support request; whoever answers that one cancels.
    SupportRequest,
}

/// What is told of the window when a cancellation is asked for (C-info).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// How many days are left.
    Days,
    /// The date and time it ends.
    #[default]
    Instant,
    /// Nothing.
    Nothing,
}

/// How a cancellation is asked for on some dates: what must be given and acknowledged, what is told, what follows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First act it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First act it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::read::date")]
    pub until: Option<Instant>,
    /// The role that asks (C-role); none: whoever may cancel subscriptions.
    #[serde(default)]
    pub role: Option<String>,
    /// How it is asked for.
    #[serde(default)]
    pub path: Path,
    /// What must be given (C-in).
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The text to acknowledge first (C-ack); none: nothing is to be acknowledged.
    #[serde(default)]
    pub acknowledge: Option<String>,
    /// What is told of the window (C-info).
    #[serde(default)]
    pub tells: Tells,
    /// How long it may take to be seen in lists (C-15).
    #[serde(default)]
    pub seen_within: Option<Span>,
    /// What partner and customer have to do afterwards (C-uninst); none: nothing.
    #[serde(default)]
    pub afterwards: Option<String>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(table CancellationRule, "cancellation", |row| {
    let reasons: Vec<&str> = row.reasons.iter().map(|reason| reason.as_str()).collect();
    let exchange = row.exchange.as_ref().map(|rule| format!("; never exchanged ({rule})")).unwrap_or_default();
    format!("for {}; without a window refused by {}{exchange}", reasons.join(", "), row.none)
});

row!(Asking, "asking", Act, |_, _| true, |row| {
    let needs: Vec<&str> = row.needs.iter().map(|need| need.as_str()).collect();
    let path = if row.path == Path::SupportRequest { "by support request" } else { "asked for" };
    let role = row.role.as_ref().map(|role| format!(" by {role}")).unwrap_or_default();
    let acknowledged = if row.acknowledge.is_some() { "; acknowledged first" } else { "" };
    let tells = match row.tells {
        Tells::Days => "; the days left are told",
        Tells::Instant => "; the end of the window is told",
        Tells::Nothing => "",
    };
    format!("{path}{role} with {}{acknowledged}{tells}", needs.join(", "))
});

impl Family {
    /// How a cancellation is asked for at an instant; none: by the subscription alone, with nothing to acknowledge.
    pub fn asking(&self, at: Instant) -> Option<&Asking> {
        self.askings.iter().find(|row| dated(row.from, row.until, at))
    }

    /// Refuses a cancellation without a support request where it goes by one alone (W60op), and says how it is asked for.
    ///
    /// # Errors
    /// `more_information_needed`.
    pub fn may_be_cancelled_alone(&self, at: Instant) -> Result<(), Refusal> {
        let Some(row) = self.asking(at).filter(|row| row.path == Path::SupportRequest) else { return Ok(()) };
        let needs: Vec<&str> = row.needs.iter().map(|need| need.as_str()).collect();
        let message = format!(
            "it is cancelled by a support request: ask with `bursar cancel`, POST /v1/cancellations or ask_cancellation, giving {}",
            needs.join(", ")
        );
        let refusal = Refusal::new("more_information_needed", message).by_rule(&row.rule);
        Err(match self.cancellation.as_ref().and_then(|rule| rule.partner_center_code) {
            Some(code) => refusal.partner_center(code),
            None => refusal,
        })
    }

    /// Refuses the exchange for another product where the terms do (XSUSE), inside any window.
    ///
    /// # Errors
    /// `exchange_not_possible`.
    pub fn may_be_exchanged(&self) -> Result<(), Refusal> {
        match self.cancellation.as_ref().and_then(|rule| rule.exchange.as_deref()) {
            None => Ok(()),
            Some(rule) => {
                let message = format!("{} is not exchanged for another product: let its term run out", self.title);
                Err(Refusal::new("exchange_not_possible", message).by_rule(rule).partner_center(800061))
            }
        }
    }
}

/// The month whose invoice carries a credit of then, as `2021-03`: the next one that is published (C-cred).
pub fn credited_in(at: Instant) -> String {
    at.format("%Y-%m").to_string()
}
