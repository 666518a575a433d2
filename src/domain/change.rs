//! What can happen to a subscription. A kind is a word; a change is a kind with what it asks for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::{Instant, Refusal, Span};

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The next term of a subscription.
    Renewal,
    /// Access off, by the partner.
    Suspension,
    /// Access on again.
    Reactivation,
    /// The end of a subscription inside its window.
    Cancellation,
    /// Auto-renew on or off.
    AutoRenew,
    /// More or fewer seats.
    Quantity,
    /// The beginning: what was ordered becomes the customer's.
    Purchase,
    /// The publisher confirms what was bought; billing starts.
    Activation,
    /// A trial becomes a paid subscription.
    Conversion,
    /// What the next term has different (`scheduledNextTermInstructions`).
    Schedule,
    /// Another billing plan inside the term, from its next billing cycle (`nextChargeInstructions`).
    BillingPlan,
    /// The end of what is paid by use.
    Deprovision,
    /// Another offer inside the term, for every seat or for some.
    Upgrade,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::Renewal,
        Kind::Suspension,
        Kind::Reactivation,
        Kind::Cancellation,
        Kind::AutoRenew,
        Kind::Quantity,
        Kind::Purchase,
        Kind::Activation,
        Kind::Conversion,
        Kind::Schedule,
        Kind::BillingPlan,
        Kind::Deprovision,
        Kind::Upgrade,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Renewal => "renewal",
            Kind::Suspension => "suspension",
            Kind::Reactivation => "reactivation",
            Kind::Cancellation => "cancellation",
            Kind::AutoRenew => "auto_renew",
            Kind::Quantity => "quantity",
            Kind::Purchase => "purchase",
            Kind::Activation => "activation",
            Kind::Conversion => "conversion",
            Kind::Schedule => "schedule",
            Kind::BillingPlan => "billing_plan",
            Kind::Deprovision => "deprovision",
            Kind::Upgrade => "upgrade",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Refusal::new("unknown_kind", format!("'{text}' is no kind of change")))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a subscription is suspended or cancelled (S-who).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The customer asked.
    CustomerRequest,
    /// The customer does not pay.
    NonPayment,
    /// Fraud.
    Fraud,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 3] = [Reason::CustomerRequest, Reason::NonPayment, Reason::Fraud];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::CustomerRequest => "customer_request",
            Reason::NonPayment => "non_payment",
            Reason::Fraud => "fraud",
        }
    }
}

impl FromStr for Reason {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| {
            Refusal::new(
                "reason_required",
                format!("a reason is one of customer_request, non_payment, fraud; '{text}' is none"),
            )
        })
    }
}

/// What the next term has different, or what a policy's `approve(#{..})` or a person changes about a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Amendments {
    /// Seats of the next term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// Length of the next term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// Billing cycle of the next term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<String>,
    /// Another offer: a legacy GUID or `product:sku:availability`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<String>,
    /// The last day of the next term, counted whole, where it is aligned to another date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_term_end_date: Option<chrono::NaiveDate>,
}

impl Amendments {
    /// Whether nothing is amended.
    pub fn is_empty(&self) -> bool {
        *self == Amendments::default()
    }

    /// The name of the first field that is amended, as scripts write it.
    pub fn first(&self) -> Option<&'static str> {
        let fields = [
            ("quantity", self.quantity.is_some()),
            ("term_duration", self.term_duration.is_some()),
            ("billing_cycle", self.billing_cycle.is_some()),
            ("offer_id", self.offer_id.is_some()),
            ("custom_term_end_date", self.custom_term_end_date.is_some()),
        ];
        fields.into_iter().find(|(_, amended)| *amended).map(|(name, _)| name)
    }

    /// These where they say something, else the others.
    #[must_use]
    pub fn over(&self, under: &Amendments) -> Amendments {
        Amendments {
            quantity: self.quantity.or(under.quantity),
            term_duration: self.term_duration.or(under.term_duration),
            billing_cycle: self.billing_cycle.clone().or_else(|| under.billing_cycle.clone()),
            offer_id: self.offer_id.clone().or_else(|| under.offer_id.clone()),
            custom_term_end_date: self.custom_term_end_date.or(under.custom_term_end_date),
        }
    }
}

/// A change that somebody or something asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Change {
    /// Renew at the end of the term; one per (subscription, term end).
    Renewal {
        /// The term end it is for: the first instant after the term.
        #[serde(with = "crate::domain::calendar::wire")]
        term_end: Instant,
        /// What the next term has different; becomes `scheduledNextTermInstructions`.
        #[serde(default, skip_serializing_if = "Amendments::is_empty")]
        amendments: Amendments,
    },
    /// Suspend.
    Suspension {
        /// Why (S-who).
        reason: Reason,
    },
    /// Reactivate.
    Reactivation {},
    /// Cancel.
    Cancellation {
        /// Why (S-who).
        reason: Reason,
    },
    /// Switch auto-renew.
    AutoRenew {
        /// On or off.
        enabled: bool,
        /// Off: whether it is said that everything ends at the term's end, and does not go on by the month (EST). Not
        /// said: as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancel_at_term_end: Option<bool>,
    },
    /// Set the number of seats.
    Quantity {
        /// Seats afterwards (not the difference).
        quantity: i64,
    },
    /// Buy: the pending subscription of an order becomes the customer's.
    Purchase {},
    /// Activate what waits for its publisher.
    Activation {},
    /// Make a trial a paid subscription.
    Conversion {
        /// What it becomes, where that is not what the terms say.
        #[serde(default, skip_serializing_if = "Amendments::is_empty")]
        to: Amendments,
    },
    /// Set what the next term has different; nothing takes back what was set.
    Schedule {
        /// What is different.
        #[serde(default, skip_serializing_if = "Amendments::is_empty")]
        instructions: Amendments,
    },
    /// Another billing plan from the next billing cycle.
    BillingPlan {
        /// `monthly`, `annual`, ...
        billing_cycle: String,
    },
    /// End what is paid by use.
    Deprovision {},
    /// Become another offer at once.
    Upgrade {
        /// The offer: a legacy GUID or `product:sku:availability`.
        offer_id: String,
        /// How many seats go over, into a subscription of their own where they are not all; none: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantity: Option<i64>,
    },
}

impl Change {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Change::Renewal { .. } => Kind::Renewal,
            Change::Suspension { .. } => Kind::Suspension,
            Change::Reactivation {} => Kind::Reactivation,
            Change::Cancellation { .. } => Kind::Cancellation,
            Change::AutoRenew { .. } => Kind::AutoRenew,
            Change::Quantity { .. } => Kind::Quantity,
            Change::Purchase {} => Kind::Purchase,
            Change::Activation {} => Kind::Activation,
            Change::Conversion { .. } => Kind::Conversion,
            Change::Schedule { .. } => Kind::Schedule,
            Change::BillingPlan { .. } => Kind::BillingPlan,
            Change::Deprovision {} => Kind::Deprovision,
            Change::Upgrade { .. } => Kind::Upgrade,
        }
    }
}
