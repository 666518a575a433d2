//! A change as it is asked for: a kind, and what may be said beside it. One table says which kind takes what; every
//! door (HTTP, command line, scripts, tests) reads into this and asks it for the change.

use super::change::{Amendments, Reason};
use super::{Change, Instant, Kind, Refusal, Subscription};

/// What may be said beside a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// Why, in one of the words the terms know.
    Reason,
    /// On or off.
    Enabled,
    /// Whether it is said that everything ends at the term's end.
    CancelAtTermEnd,
    /// Seats.
    Quantity,
    /// Length of a term.
    TermDuration,
    /// Billing cycle.
    BillingCycle,
    /// Another offer.
    OfferId,
    /// The last day of an aligned term.
    CustomTermEndDate,
}

impl Member {
    /// Every member.
    pub const ALL: [Member; 8] = [
        Member::Reason,
        Member::Enabled,
        Member::CancelAtTermEnd,
        Member::Quantity,
        Member::TermDuration,
        Member::BillingCycle,
        Member::OfferId,
        Member::CustomTermEndDate,
    ];

    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Member::Reason => "reason",
            Member::Enabled => "enabled",
            Member::CancelAtTermEnd => "cancelAtTermEnd",
            Member::Quantity => "quantity",
            Member::TermDuration => "termDuration",
            Member::BillingCycle => "billingCycle",
            Member::OfferId => "offerId",
            Member::CustomTermEndDate => "customTermEndDate",
        }
    }

    /// Its word in scripts.
    pub fn snake(self) -> &'static str {
        match self {
            Member::CancelAtTermEnd => "cancel_at_term_end",
            Member::TermDuration => "term_duration",
            Member::BillingCycle => "billing_cycle",
            Member::OfferId => "offer_id",
            Member::CustomTermEndDate => "custom_term_end_date",
            other => other.as_str(),
        }
    }
}

const PLAN: [Member; 5] =
    [Member::Quantity, Member::TermDuration, Member::BillingCycle, Member::OfferId, Member::CustomTermEndDate];

impl Kind {
    /// What it needs, and what it may have beside that.
    pub fn members(self) -> (&'static [Member], &'static [Member]) {
        match self {
            Kind::Suspension | Kind::Cancellation => (&[Member::Reason], &[]),
            Kind::AutoRenew => (&[Member::Enabled], &[Member::CancelAtTermEnd]),
            Kind::Quantity => (&[Member::Quantity], &[]),
            Kind::BillingPlan => (&[Member::BillingCycle], &[]),
            Kind::Renewal | Kind::Schedule => (&[], &PLAN),
            Kind::Upgrade => (&[Member::OfferId], &[Member::Quantity]),
            Kind::Conversion => (&[], &[Member::Quantity, Member::TermDuration, Member::BillingCycle, Member::OfferId]),
            Kind::Reactivation | Kind::Purchase | Kind::Activation | Kind::Deprovision => (&[], &[]),
        }
    }
}

/// What was said beside a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// Why (S-who).
    pub reason: Option<Reason>,
    /// On or off.
    pub enabled: Option<bool>,
    /// Whether everything ends at the term's end, where auto-renew is off.
    pub cancel_at_term_end: Option<bool>,
    /// Seats, term, billing cycle, offer, aligned end.
    pub plan: Amendments,
}

impl Ask {
    /// This where it says something, else what is usual.
    #[must_use]
    pub fn over(self, usual: &Ask) -> Ask {
        Ask {
            reason: self.reason.or(usual.reason),
            enabled: self.enabled.or(usual.enabled),
            cancel_at_term_end: self.cancel_at_term_end.or(usual.cancel_at_term_end),
            plan: self.plan.over(&usual.plan),
        }
    }

    fn says(&self, member: Member) -> bool {
        match member {
            Member::Reason => self.reason.is_some(),
            Member::Enabled => self.enabled.is_some(),
            Member::CancelAtTermEnd => self.cancel_at_term_end.is_some(),
            Member::Quantity => self.plan.quantity.is_some(),
            Member::TermDuration => self.plan.term_duration.is_some(),
            Member::BillingCycle => self.plan.billing_cycle.is_some(),
            Member::OfferId => self.plan.offer_id.is_some(),
            Member::CustomTermEndDate => self.plan.custom_term_end_date.is_some(),
        }
    }

    /// Whether the kind has what it needs and nothing that means nothing for it.
    ///
    /// # Errors
    /// The member that is wrong, with `reason_required`, `missing_field` or `schema`.
    pub fn fits(&self, kind: Kind) -> Result<(), (Member, Refusal)> {
        let (needed, possible) = kind.members();
        for member in Member::ALL {
            let word = member.as_str();
            if self.says(member) && !needed.contains(&member) && !possible.contains(&member) {
                return Err((member, Refusal::new("schema", format!("a {kind} has no {word}"))));
            }
            if !self.says(member) && needed.contains(&member) {
                return Err((member, missing(member)));
            }
        }
        Ok(())
    }

    /// The change; a renewal is for the term that ends then.
    ///
    /// # Errors
    /// As [`Ask::fits`]; `not_renewable` for a renewal of what has no term.
    pub fn change(&self, kind: Kind, term_end: Option<Instant>) -> Result<Change, Refusal> {
        self.fits(kind).map_err(|(_, refusal)| refusal)?;
        let reason = || self.reason.ok_or_else(|| missing(Member::Reason));
        Ok(match kind {
            Kind::Renewal => {
                let none = || Refusal::new("not_renewable", "it has no term that could be renewed");
                Change::Renewal { term_end: term_end.ok_or_else(none)?, amendments: self.plan.clone() }
            }
            Kind::Suspension => Change::Suspension { reason: reason()? },
            Kind::Reactivation => Change::Reactivation {},
            Kind::Cancellation => Change::Cancellation { reason: reason()? },
            Kind::AutoRenew => Change::AutoRenew {
                enabled: self.enabled.ok_or_else(|| missing(Member::Enabled))?,
                cancel_at_term_end: self.cancel_at_term_end,
            },
            Kind::Quantity => {
                Change::Quantity { quantity: self.plan.quantity.ok_or_else(|| missing(Member::Quantity))? }
            }
            Kind::Purchase => Change::Purchase {},
            Kind::Activation => Change::Activation {},
            Kind::Conversion => Change::Conversion { to: self.plan.clone() },
            Kind::Schedule => Change::Schedule { instructions: self.plan.clone() },
            Kind::BillingPlan => {
                let cycle = self.plan.billing_cycle.clone();
                Change::BillingPlan { billing_cycle: cycle.ok_or_else(|| missing(Member::BillingCycle))? }
            }
            Kind::Deprovision => Change::Deprovision {},
            Kind::Upgrade => {
                let offer_id = self.plan.offer_id.clone().ok_or_else(|| missing(Member::OfferId))?;
                Change::Upgrade { offer_id, quantity: self.plan.quantity }
            }
        })
    }

    /// What a kind means when nothing more is said: suspended for non-payment, cancelled because the customer asks,
    /// auto-renew the other way. None where it means nothing without more.
    pub fn usual(kind: Kind, subscription: &Subscription) -> Option<Ask> {
        let mut ask = Ask::default();
        match kind {
            Kind::Suspension => ask.reason = Some(Reason::NonPayment),
            Kind::Cancellation => ask.reason = Some(Reason::CustomerRequest),
            Kind::AutoRenew => ask.enabled = Some(!subscription.standing.auto_renew_enabled),
            Kind::Quantity | Kind::Schedule | Kind::BillingPlan | Kind::Upgrade => return None,
            Kind::Renewal
            | Kind::Reactivation
            | Kind::Purchase
            | Kind::Activation
            | Kind::Conversion
            | Kind::Deprovision => {}
        }
        Some(ask)
    }
}

fn missing(member: Member) -> Refusal {
    match member {
        Member::Reason => Refusal::new("reason_required", "say why: customer_request, non_payment or fraud"),
        other => Refusal::new("missing_field", format!("{} is missing", other.as_str())),
    }
}
