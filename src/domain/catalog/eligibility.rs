//! Whether a customer can buy something now, and if not, why, by which rule, and how to mend it.
//!
//! One pure function asks every rule in order and gives every reason, so that whoever asks mends them all at once.

use serde::Serialize;

use super::plans;
use super::selling::Selling;
use crate::domain::partner::PartnerType;
use crate::domain::product::{LimitUnit, Product, Segment};
use crate::domain::subscription::Status;
use crate::domain::{Instant, Refusal, Span, Subscription, SubscriptionId, Tenant};

/// A reason why something cannot be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hindrance {
    /// Stable, snake_case.
    pub code: &'static str,
    /// The rule's id.
    pub rule: String,
    /// A sentence for people.
    pub message: String,
    /// How to mend it, as a sentence's end.
    pub mend: String,
    /// Partner Center's code for the same refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_center_code: Option<u32>,
    /// Partner Center's code of a cart's line.
    pub cart_error_code: u32,
    /// The suspended subscription to reactivate instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactivate: Option<SubscriptionId>,
    /// Whether lists leave the offer out because of it, unless they are asked why.
    #[serde(skip)]
    pub hides: bool,
}

/// Partner Center's `unable_to_process_cart_line_item`.
const UNABLE: u32 = 10006;

impl Hindrance {
    /// A reason with its code, rule, sentence and mending.
    pub(super) fn new(code: &'static str, rule: &str, message: String, mend: String) -> Box<Self> {
        Box::new(Self {
            code,
            rule: rule.to_owned(),
            message,
            mend,
            partner_center_code: None,
            cart_error_code: UNABLE,
            reactivate: None,
            hides: false,
        })
    }

    /// The same with Partner Center's codes.
    pub(super) fn codes(mut self: Box<Self>, code: Option<u32>, cart: u32) -> Box<Self> {
        (self.partner_center_code, self.cart_error_code) = (code, cart);
        self
    }

    /// The same, keeping the offer out of lists.
    fn hiding(mut self: Box<Self>) -> Box<Self> {
        self.hides = true;
        self
    }

    /// The refusal it is when something is asked for all the same.
    pub fn refusal(&self) -> Refusal {
        let refusal = Refusal::new(self.code, format!("{}: {}", self.message, self.mend)).by_rule(&self.rule);
        match self.partner_center_code {
            Some(code) => refusal.partner_center(code),
            None => refusal,
        }
    }
}

/// Something the customer has, had, or is about to have by another line of the same cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Its id; none for a line of a cart.
    pub id: Option<SubscriptionId>,
    /// What was bought, in lower case.
    pub offer_id: String,
    /// How it is sold.
    pub family: String,
    /// Its status.
    pub status: Status,
    /// Seats.
    pub quantity: i64,
    /// Whether it is a trial.
    pub is_trial: bool,
    /// Length of its term.
    pub term_duration: Option<Span>,
    /// `monthly`, `annual`, ...
    pub billing_cycle: String,
    /// First instant after its term.
    pub term_end: Option<Instant>,
}

impl From<&Subscription> for Owned {
    fn from(subscription: &Subscription) -> Self {
        let (standing, profile) = (&subscription.standing, &subscription.profile);
        Self {
            id: Some(subscription.id),
            offer_id: profile.offer_id.to_lowercase(),
            family: profile.family.clone(),
            status: standing.status,
            quantity: standing.quantity,
            is_trial: profile.is_trial,
            term_duration: profile.term_duration,
            billing_cycle: profile.billing_cycle.clone(),
            term_end: standing.term_end,
        }
    }
}

/// The partner who sells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seller {
    /// What it is in the programme.
    pub partner_type: PartnerType,
    /// Its id there, for offers that are exclusive to some.
    pub mpn_id: Option<String>,
}

/// Who buys from whom.
#[derive(Debug, Clone, Copy)]
pub struct Buyer<'a> {
    /// The customer.
    pub tenant: &'a Tenant,
    /// What it has and had.
    pub owned: &'a [Owned],
    /// The partner.
    pub seller: &'a Seller,
}

/// What is asked for; what is not known yet (in a list of offers) is none.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The item.
    pub item: &'a Product,
    /// Seats.
    pub quantity: Option<i64>,
    /// Length of the term.
    pub term_duration: Option<Span>,
    /// How it is billed.
    pub billing_cycle: Option<&'a str>,
    /// The base an add-on is bought for.
    pub base: Option<&'a Owned>,
    /// Whether the buyer attested what the item asks for.
    pub attested: bool,
    /// Whether a plan has to be settled: a purchase needs one, a list does not.
    pub settles_plan: bool,
}

impl<'a> Wanted<'a> {
    /// The item alone, as a list asks.
    pub fn listed(item: &'a Product) -> Self {
        Self {
            item,
            quantity: None,
            term_duration: None,
            billing_cycle: None,
            base: None,
            attested: true,
            settles_plan: false,
        }
    }
}

/// Every reason why the customer cannot buy this now; none: it can.
pub fn hindrances(selling: &Selling, buyer: Buyer<'_>, wanted: Wanted<'_>, now: Instant) -> Vec<Hindrance> {
    let question = Question { selling, buyer, wanted, now };
    let mut found: Vec<Box<Hindrance>> = Vec::new();
    found.extend(question.agreement());
    found.extend(question.channel());
    found.extend(question.scope());
    found.extend(question.publisher());
    found.extend(question.market());
    found.extend(question.segment());
    found.extend(question.limit());
    found.extend(question.trial());
    found.extend(question.base());
    found.extend(question.plan());
    found.extend(question.seats());
    found.extend(question.attestation());
    found.into_iter().map(|hindrance| *hindrance).collect()
}

#[derive(Clone, Copy)]
struct Question<'a> {
    selling: &'a Selling,
    buyer: Buyer<'a>,
    wanted: Wanted<'a>,
    now: Instant,
}

type Reason = Option<Box<Hindrance>>;

impl Question<'_> {
    fn agreement(&self) -> Reason {
        let tenant = self.buyer.tenant;
        if tenant.agreed_at.is_some_and(|at| at <= self.now) {
            return None;
        }
        let message = format!("{} has not accepted the Microsoft Customer Agreement", tenant.company_name);
        let mend = "record its acceptance among the customer's agreements".to_owned();
        Some(Hindrance::new("agreement_missing", "MCA", message, mend).codes(Some(13605), UNABLE))
    }

    fn channel(&self) -> Reason {
        let own = self.buyer.seller.partner_type;
        let term = self.wanted.term_duration;
        let row = self
            .selling
            .channels
            .iter()
            .find(|row| row.what.is(self.wanted.item, term) && !row.partner_types.contains(&own))?;
        let words: Vec<&str> = row.partner_types.iter().map(|one| one.as_str()).collect();
        let message = format!("it is sold by {} only, and this partner is {}", words.join(" or "), own.as_str());
        let mend = "ask the provider to buy it".to_owned();
        Some(Hindrance::new("channel_not_allowed", &row.rule, message, mend).codes(row.partner_center_code, UNABLE))
    }

    fn scope(&self) -> Reason {
        let row = self.selling.scopes.iter().find(|row| row.what.is(self.wanted.item, None))?;
        let message = "it is charged by its use in Azure and not sold here".to_owned();
        let found = Hindrance::new("azure_portal_only", &row.rule, message, row.mend.clone());
        Some(found.codes(row.partner_center_code, UNABLE).hiding())
    }

    /// O-hide: what the publisher or the catalogue keeps from this partner.
    fn publisher(&self) -> Reason {
        let item = self.wanted.item;
        let no = |code: &'static str, message: &str, mend: &str| {
            Some(Hindrance::new(code, "O-hide", message.to_owned(), mend.to_owned()).hiding())
        };
        let ask = "ask the publisher";
        if item.is_in_program == Some(false) {
            return no("not_in_program", "its publisher does not sell it through this programme", ask);
        }
        if item.is_transactable == Some(false) {
            return no("not_transactable", "it cannot be bought through the marketplace", ask);
        }
        let own = self.buyer.seller.mpn_id.as_deref();
        if !item.exclusive_to.is_empty() && !item.exclusive_to.iter().any(|one| Some(one.as_str()) == own) {
            return no(
                "exclusive_to_others",
                "it is exclusive to other partners",
                "ask the publisher for a share of it",
            );
        }
        if item.is_purchasable == Some(false) {
            let message = "it is not sold any more, or not yet".to_owned();
            let found = Hindrance::new("not_purchasable", "O-hide", message, "choose another offer".to_owned());
            return Some(found.codes(Some(500_600), if item.is_legacy() { 500_600 } else { 10001 }).hiding());
        }
        None
    }

    fn market(&self) -> Reason {
        let (item, country) = (self.wanted.item, self.buyer.tenant.country.as_str());
        let bound = !item.countries.is_empty() || self.selling.markets.iter().any(|row| row.what.is(item, None));
        if country.is_empty() {
            let message = "the country of the customer's bill is not known".to_owned();
            let mend = "import the customer with its billing profile".to_owned();
            let found = Hindrance::new("country_unknown", "MKT", message, mend).codes(Some(800_070), UNABLE);
            return bound.then_some(found);
        }
        if let Some((row, name)) = self.selling.unavailable(item, country) {
            let message = format!("it is not sold in the market {name} ({country})");
            let found =
                Hindrance::new("market_unavailable", &row.rule, message, "sell it in another market".to_owned());
            return Some(found.codes(row.partner_center_code, UNABLE).hiding());
        }
        if item.countries.is_empty() || item.countries.iter().any(|one| one.eq_ignore_ascii_case(country)) {
            return None;
        }
        let message = format!("it is not sold to customers whose bills go to {country}");
        let found =
            Hindrance::new("country_not_supported", "O-hide", message, "choose an offer of that country".to_owned());
        Some(found.codes(Some(800_070), UNABLE).hiding())
    }

    fn segment(&self) -> Reason {
        let own = Segment::of_qualification(&self.buyer.tenant.qualification);
        let item = self.wanted.item;
        let row = self.selling.segments.iter().find(|row| row.what.is(item, None) && !row.segments.contains(&own));
        let (rule, known) = match row {
            Some(row) => (row.rule.as_str(), row.segments.as_slice()),
            None if item.segments.is_empty() || item.segments.contains(&own) => return None,
            None => ("SEG", item.segments.as_slice()),
        };
        let words: Vec<&str> = known.iter().map(|one| one.as_str()).collect();
        let message = format!("it is sold to {} customers, and this one is {}", words.join(" or "), own.as_str());
        let mend = "choose an offer of its segment, or import the customer's qualification".to_owned();
        Some(Hindrance::new("segment_not_eligible", rule, message, mend).hiding())
    }

    /// O-one: so many a customer; a suspended one is reactivated instead.
    fn limit(&self) -> Reason {
        let item = self.wanted.item;
        let limit = item.limit?;
        let own = item.id.to_lowercase();
        let counts = |owned: &&Owned| {
            let has = match limit.per {
                LimitUnit::Lifetime => true,
                LimitUnit::Concurrent => {
                    matches!(owned.status, Status::Pending | Status::Active | Status::Suspended | Status::Unknown)
                }
            };
            has && Product::holds(&own, &owned.offer_id)
        };
        let known: Vec<&Owned> = self.buyer.owned.iter().filter(counts).collect();
        if known.len() < limit.count as usize {
            return None;
        }
        let when = if limit.per == LimitUnit::Lifetime { "ever" } else { "at a time" };
        let message = format!("a customer has at most {} of it {when}, and this one has {}", limit.count, known.len());
        let suspended = known.iter().find(|owned| owned.status == Status::Suspended).and_then(|owned| owned.id);
        let mend = match suspended {
            Some(id) => format!("reactivate subscription {id}, which is suspended"),
            None => "change the seats of the one there is, or choose another offer".to_owned(),
        };
        let found = Hindrance::new("limit_reached", "O-one", message, mend);
        // What has no term is bought for good, and is no subscription.
        let has_term = item.term_duration.is_some() || item.plans.iter().any(|plan| plan.term_duration.is_some());
        let code = if has_term || item.is_legacy() { 800_066 } else { 800_089 };
        let mut found = found.codes(Some(code), 10002).hiding();
        found.reactivate = suspended;
        Some(found)
    }

    /// A trial is for those who do not have what it converts to.
    fn trial(&self) -> Reason {
        let item = self.wanted.item;
        let targets = &item.conversion_targets;
        let has = |owned: &&Owned| {
            matches!(owned.status, Status::Active | Status::Suspended)
                && targets.iter().any(|target| Product::holds(target, &owned.offer_id))
        };
        let known = self.buyer.owned.iter().filter(|_| item.is_trial).find(has)?;
        let message = "the customer has what this trial is for".to_owned();
        let mend =
            known.id.map_or("it needs no trial".to_owned(), |id| format!("change the seats of subscription {id}"));
        Some(Hindrance::new("trial_of_owned", "T-owned", message, mend).codes(Some(800_066), 10002).hiding())
    }

    /// A-base and A-elig: an add-on needs an active base it is made for; a legacy one is bought for that base.
    fn base(&self) -> Reason {
        let item = self.wanted.item;
        if !item.is_add_on {
            let message = "it is no add-on, and needs no base".to_owned();
            let found = Hindrance::new("not_an_add_on", "A-elig", message, "buy it by itself".to_owned());
            return self.wanted.base.map(|_| found.codes(Some(800_029), UNABLE));
        }
        let fits = |owned: &Owned| {
            item.prerequisites.is_empty()
                || item.prerequisites.iter().any(|known| Product::holds(known, &owned.offer_id))
        };
        if let Some(base) = self.wanted.base {
            if base.status != Status::Active && base.id.is_some() {
                let message = format!("its base is {} and not active", base.status.as_str());
                let mend = "reactivate the base first".to_owned();
                return Some(Hindrance::new("base_not_active", "A-base", message, mend).codes(Some(27009), UNABLE));
            }
            if !fits(base) {
                let message = "it is not made for this base".to_owned();
                let mend = "choose among the base's add-ons".to_owned();
                return Some(Hindrance::new("base_not_eligible", "A-elig", message, mend).codes(Some(800_029), UNABLE));
            }
            return self.share(base);
        }
        let active: Vec<&Owned> =
            self.buyer.owned.iter().filter(|owned| owned.status == Status::Active && fits(owned)).collect();
        if active.is_empty() {
            let message = "the add-on is not purchasable without a compatible base product that is active".to_owned();
            let mend = "buy one of its bases first, or in the same cart".to_owned();
            return Some(
                Hindrance::new("base_required", "A-base", message, mend).codes(Some(400_041), UNABLE).hiding(),
            );
        }
        if item.is_legacy() {
            let message = "it is bought for one of its bases and not from the catalogue".to_owned();
            let ids: Vec<String> = active.iter().filter_map(|owned| owned.id).map(|id| id.to_string()).collect();
            let mend = format!("name its base: {}", ids.join(", "));
            return Some(
                Hindrance::new("base_not_named", "A-base", message, mend).codes(Some(400_041), UNABLE).hiding(),
            );
        }
        None
    }

    fn share(&self, base: &Owned) -> Reason {
        let item = self.wanted.item;
        let quantity = self.wanted.quantity?;
        let row = self.selling.shares.iter().find(|row| row.what.is(item, None))?;
        let least = base.quantity.saturating_mul(row.minimum_percent).saturating_add(99) / 100;
        let message = format!("it needs at least {} % of its base's {} seats", row.minimum_percent, base.quantity);
        let mend = format!("buy {least} seats or more");
        let found = Hindrance::new("base_share_not_met", &row.rule, message, mend).codes(None, 10019);
        (quantity < least).then_some(found)
    }

    fn plan(&self) -> Reason {
        if !self.wanted.settles_plan {
            return None;
        }
        let offered = plans::offered(self.selling, self.wanted.item);
        plans::chosen(&offered, self.wanted.term_duration, self.wanted.billing_cycle, self.now).err()
    }

    fn seats(&self) -> Reason {
        let (item, quantity) = (self.wanted.item, self.wanted.quantity?);
        let least = item.minimum_quantity.unwrap_or(1).max(1);
        if quantity < least {
            let message = format!("{quantity} seats are fewer than the least there can be");
            let mend = format!("buy {least} or more");
            return Some(Hindrance::new("quantity_out_of_range", "Q-min", message, mend).codes(Some(2002), 10010));
        }
        let most = item.maximum_quantity.filter(|most| quantity > *most)?;
        let message = format!("{quantity} seats are more than one subscription can have");
        let mend = format!("buy {most} or fewer");
        let code = if item.is_legacy() { 2002 } else { 800_067 };
        Some(Hindrance::new("quantity_out_of_range", "Q-max", message, mend).codes(Some(code), 10015))
    }

    fn attestation(&self) -> Reason {
        let message = "the buyer has to attest that the customer may have it".to_owned();
        let mend = "set attestationAccepted on its line (--attestation-accepted)".to_owned();
        let found = Hindrance::new("attestation_missing", "ATT", message, mend).codes(None, 10012);
        (self.wanted.item.needs_attestation && !self.wanted.attested).then_some(found)
    }
}
