//! Upgrades inside a term: every seat becomes one of another offer and the subscription keeps its id, or some seats go
//! over to a child of their own. Either way no window opens anew: the child has its source's (NUP).

use super::around::Around;
use super::charges::{amount, known};
use super::quote::{Asked, coded, yes};
use super::{Applied, edit, forget_next_term};
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{Profile, Renewal, Standing, Subscription};
use crate::domain::terms::Terms;
use crate::domain::terms::change::UpgradeRule;
use crate::domain::{Change, Instant, Money, Quote, Refusal, SubscriptionId};

/// What an upgrade looks at beside the subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrading {
    /// The offers that the present one may become, in lower case, as the catalogue tells.
    pub targets: Vec<String>,
    /// Price of a seat of the present offer.
    pub present: Option<Money>,
}

/// An upgrade that the terms allow: how many seats, at what price, and what both sides come to until the cycle's end.
struct Upgraded<'a> {
    rule: &'a UpgradeRule,
    seats: i64,
    price: Money,
    back: Money,
    charge: Money,
}

impl Upgraded<'_> {
    fn is_full(&self, sub: &Subscription) -> bool {
        self.seats == sub.standing.quantity
    }
}

impl Asked<'_> {
    fn upgraded(&self, offer_id: &str, quantity: Option<i64>) -> Result<Upgraded<'_>, Refusal> {
        self.family.may_be_exchanged()?;
        let Some(rule) = &self.family.upgrade else {
            return Err(Refusal::new("upgrade_not_possible", "the terms know no upgrade inside a term of it"));
        };
        let no = |code: &str, message: String| {
            Err(coded(Refusal::new(code, message).by_rule(&rule.rule), rule.partner_center_code))
        };
        self.active("be upgraded")?;
        if self.sub.profile.is_trial || self.sub.profile.extended.is_some() {
            return no(
                "upgrade_not_possible",
                "a trial is converted, and what goes on by the month renews first".to_owned(),
            );
        }
        let (held, known_to) = (self.sub.standing.quantity, &self.around.upgrading);
        let seats = quantity.unwrap_or(held);
        if seats < 1 || seats > held {
            return no("quantity_out_of_range", format!("{seats} seats are outside 1 to {held}, the seats it has"));
        }
        let wanted = offer_id.to_lowercase();
        if !known_to.targets.iter().any(|target| wanted == *target || wanted.starts_with(&format!("{target}:"))) {
            let targets = if known_to.targets.is_empty() { "nothing".to_owned() } else { known_to.targets.join(", ") };
            return no("no_upgrade_target", format!("the catalogue lets it become {targets}, not {offer_id}"));
        }
        let (price, present) = (known(self.price), known(known_to.present));
        let price = price.map_err(|refusal| refusal.by_rule(&rule.rule))?;
        let present = present.map_err(|refusal| refusal.by_rule(&rule.rule))?;
        let left = self.days_left(self.now);
        let back = amount(self.family, ChargeType::Convert, present, seats, left)?;
        let charge = amount(self.family, ChargeType::Convert, price, seats, left)?;
        Ok(Upgraded { rule, seats, price, back, charge })
    }

    pub(super) fn upgrade(&self, offer_id: &str, quantity: Option<i64>) -> Result<Quote, Refusal> {
        let upgraded = self.upgraded(offer_id, quantity)?;
        let total = upgraded.charge.minus(upgraded.back)?;
        let rest = match self.sub.standing.quantity - upgraded.seats {
            0 => "the subscription keeps its id".to_owned(),
            rest => format!("{rest} seats stay, the others become a subscription of their own"),
        };
        let message = format!(
            "{} seats become {offer_id} now: {} is charged and {} comes back until the cycle's end; {rest}; no window opens anew",
            upgraded.seats, upgraded.charge, upgraded.back
        );
        let positive = total.amount.is_sign_positive() && !total.is_zero();
        let charge = Some(total).filter(|_| positive);
        let refund = Some(total.negated()).filter(|back| !positive && !back.is_zero());
        Ok(Quote { charge, refund, ..yes(&upgraded.rule.rule, message) })
    }

    /// The subscription afterwards: of the other offer where every seat went over, else with the seats that stay.
    pub(super) fn upgrade_now(&self, offer_id: &str, quantity: Option<i64>) -> Result<Applied, Refusal> {
        let upgraded = self.upgraded(offer_id, quantity)?;
        let present = known(self.around.upgrading.present)?;
        let rule = &upgraded.rule.rule;
        let mut lines = vec![self.draft(ChargeType::Convert, -upgraded.seats, present, upgraded.back.negated(), rule)];
        let mut next = self.sub.clone();
        next.standing.generation += 1;
        forget_next_term(&mut next);
        if upgraded.is_full(self.sub) {
            lines.push(self.draft(ChargeType::Convert, upgraded.seats, upgraded.price, upgraded.charge, rule));
            edit(&mut next, |profile| self.describe(profile, offer_id, upgraded.price));
        } else {
            next.standing.quantity -= upgraded.seats;
            edit(&mut next, |profile| take_seats(profile, upgraded.seats));
        }
        lines.retain(|_| self.charges());
        Ok(Applied { subscription: next, lines, topic: "subscription.upgraded" })
    }

    /// The child that a partial upgrade makes: the seats that went over, with the term, the cycle and the window of their
    /// source. None where every seat went over.
    fn child(&self, offer_id: &str, quantity: Option<i64>, id: SubscriptionId) -> Result<Option<Applied>, Refusal> {
        let upgraded = self.upgraded(offer_id, quantity)?;
        if upgraded.is_full(self.sub) {
            return Ok(None);
        }
        let mut child = Subscription { id, ..self.sub.clone() };
        let source = &self.sub.standing;
        child.standing = Standing { generation: 1, quantity: upgraded.seats, renewal: Renewal::Open, ..*source };
        edit(&mut child, |profile| {
            self.describe(profile, offer_id, upgraded.price);
            profile.seat_batches.clear();
            profile.next_billing_cycle = None;
            profile.next_term = Default::default();
            profile.extra.clear();
            // An id is letters, digits and hyphens: its JSON text is itself in quotes.
            profile.extra.insert("upgradedFromSubscriptionId".to_owned(), format!("\"{}\"", self.sub.id));
        });
        let rule = &upgraded.rule.rule;
        let line: Draft = self.draft(ChargeType::Convert, upgraded.seats, upgraded.price, upgraded.charge, rule);
        let lines = source.cycle_start.map(|_| line).into_iter().collect();
        Ok(Some(Applied { subscription: child, lines, topic: "subscription.created_by_upgrade" }))
    }

    fn describe(&self, profile: &mut Profile, offer_id: &str, price: Money) {
        offer_id.clone_into(&mut profile.offer_id);
        profile.unit_price = Some(price);
        if let Some(name) = &self.around.offer_name {
            profile.offer_name.clone_from(name);
        }
    }
}

/// Seats that go over are the newest ones: their windows go with them.
fn take_seats(profile: &mut Profile, seats: i64) {
    let mut taken = seats;
    for batch in profile.seat_batches.iter_mut().rev() {
        let part = taken.min(batch.quantity);
        batch.quantity -= part;
        taken -= part;
    }
    profile.seat_batches.retain(|batch| batch.quantity > 0);
}

/// The child of an upgrade that takes some seats, as it is before the source has changed; none for any other change.
///
/// # Errors
/// The refusal of the upgrade's quote.
pub fn upgraded_child(
    terms: &Terms,
    sub: &Subscription,
    change: &Change,
    price: Option<Money>,
    around: &Around,
    child: (SubscriptionId, Instant),
) -> Result<Option<Applied>, Refusal> {
    let Change::Upgrade { offer_id, quantity } = change else { return Ok(None) };
    let family = terms.family(&sub.profile.family);
    Asked { family, sub, price, around, now: child.1 }.child(offer_id, *quantity, child.0)
}
