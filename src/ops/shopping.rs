//! The lines of a cart, each looked at with those before it: the item, the plan, the price, the subscription it would
//! become and everything that keeps it from being bought. Reads only.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Datelike;

use crate::domain::cart::{Cart, CartLine};
use crate::domain::catalog::eligibility::{Hindrance, Owned, Wanted};
use crate::domain::catalog::plans::{self, Offered};
use crate::domain::change::Amendments;
use crate::domain::order::LineError;
use crate::domain::product::Product;
use crate::domain::subscription::{Profile, Status};
use crate::domain::{Change, Currency, Kind, Money, Quote, Refusal, Subscription, SubscriptionId, TenantId, lifecycle};
use crate::partner_center::offers::ACTIVATION_LINK;

use super::carts::Reviewed;
use super::offers::{self, Context, Priced};
use super::price_list::Sought;
use super::work::Work;
use super::{Result, price_list, prices, quotes, rights};

/// Partner Center's codes of a cart's line that no hindrance has: currency, item, participants, anything else, and an
/// end of the first term that cannot be.
const CURRENCY: u32 = 10000;
const ITEM: u32 = 10001;
const PARTICIPANTS: u32 = 10004;
const UNABLE: u32 = 10006;
const TERM_END: u32 = 10017;

/// A line that has been looked at.
pub(super) struct Judged {
    /// The line.
    pub(super) line: CartLine,
    /// The line it is an add-on of.
    pub(super) add_on_of: Option<u32>,
    /// The item, where there is one.
    pub(super) item: Option<Product>,
    /// The plan that is chosen, where one is.
    pub(super) plan: Option<Offered>,
    /// What the partner pays for a seat and cycle.
    pub(super) unit_price: Option<Money>,
    /// What the customer is asked for instead.
    pub(super) customer_price: Option<Money>,
    /// The subscription it would become; without an id or an order.
    pub(super) draft: Option<Subscription>,
    /// The purchase as the terms quote it.
    pub(super) quote: Option<Quote>,
    /// Every reason why it cannot be bought.
    pub(super) reasons: Vec<LineError>,
    /// The first of them, with all the sentences.
    pub(super) error: Option<LineError>,
}

/// Looks at every line of a cart, each base before its add-ons.
pub(super) fn judge(work: &mut Work, cart: &Cart) -> Result<Vec<Judged>> {
    let mut context = offers::context(work, cart.tenant)?;
    let mut judged: Vec<Judged> = Vec::new();
    for (line, add_on_of) in cart.lines() {
        let base = add_on_of.and_then(|id| judged.iter().find(|one| one.line.id == id));
        let one = match base {
            Some(base) if base.error.is_some() => {
                let message = "its base cannot be bought: mend the base's line first";
                let reason = told(&Refusal::new("base_not_bought", message).by_rule("A-base"), UNABLE);
                Judged::refused(line, add_on_of, reason)
            }
            base => {
                let base = base.and_then(|base| base.draft.as_ref()).map(in_cart);
                judge_line(work, &context, line, add_on_of, base)?
            }
        };
        // Later lines count what earlier ones buy: a limit holds for the cart as well.
        context.owned.extend(one.draft.as_ref().filter(|_| one.error.is_none()).map(in_cart));
        context.currencies.extend(one.unit_price.map(|price| price.currency));
        judged.push(one);
    }
    Ok(judged)
}

/// A line as something that is about to be owned.
fn in_cart(draft: &Subscription) -> Owned {
    Owned { id: None, status: Status::Active, ..Owned::from(draft) }
}

impl Judged {
    fn of(line: &CartLine, add_on_of: Option<u32>) -> Self {
        Self {
            line: line.clone(),
            add_on_of,
            item: None,
            plan: None,
            unit_price: None,
            customer_price: None,
            draft: None,
            quote: None,
            reasons: Vec::new(),
            error: None,
        }
    }

    fn refused(line: &CartLine, add_on_of: Option<u32>, reason: LineError) -> Self {
        let mut one = Self::of(line, add_on_of);
        one.reasons.push(reason);
        one.settle();
        one
    }

    /// The first reason stands for the line; its sentence tells the others too.
    fn settle(&mut self) {
        self.error = self.reasons.first().cloned();
        if let Some(error) = &mut self.error {
            let all: Vec<&str> = self.reasons.iter().map(|reason| reason.description.as_str()).collect();
            error.description = all.join("; ");
        }
    }
}

fn told(refusal: &Refusal, cart_code: u32) -> LineError {
    LineError {
        code: refusal.code.clone(),
        description: refusal.message.clone(),
        rule: refusal.rule.clone().unwrap_or_default(),
        error_code: cart_code,
        partner_center_code: refusal.partner_center_code,
        reactivate: None,
    }
}

fn of_hindrance(hindrance: &Hindrance) -> LineError {
    LineError { reactivate: hindrance.reactivate, ..told(&hindrance.refusal(), hindrance.cart_error_code) }
}

fn judge_line(
    work: &mut Work,
    context: &Context,
    line: &CartLine,
    add_on_of: Option<u32>,
    in_cart: Option<Owned>,
) -> Result<Judged> {
    let Some(item) = offers::item(work, &line.catalog_item_id)?.filter(Product::is_item) else {
        let shown: String = line.catalog_item_id.chars().take(128).collect();
        let message =
            format!("there is no item '{shown}' in the catalogue: import it, or look for its id among the offers");
        return Ok(Judged::refused(line, add_on_of, told(&Refusal::new("catalog_item_unknown", message), ITEM)));
    };
    let base = match in_cart {
        Some(base) => Some(base),
        None => match offers::base_of(work, context.tenant.id, line.parent_subscription_id) {
            Ok(base) => base,
            Err(super::Error::Refused(refusal)) => {
                return Ok(Judged::refused(
                    line,
                    add_on_of,
                    told(&refusal.by_rule("A-base").partner_center(400_041), UNABLE),
                ));
            }
            Err(error) => return Err(error),
        },
    };
    let mut one = Judged::of(line, add_on_of);
    let cycle = chosen_cycle(work, &item, line, base.as_ref());
    let wanted = Wanted {
        item: &item,
        quantity: Some(line.quantity),
        term_duration: line.term_duration,
        billing_cycle: cycle.as_deref(),
        base: base.as_ref(),
        attested: line.attestation_accepted,
        settles_plan: true,
    };
    one.reasons.extend(offers::judged(work, context, wanted).iter().map(of_hindrance));
    one.reasons.extend(participants(work, line));
    let offered = plans::offered(work.terms.selling(), &item);
    one.plan = plans::chosen(&offered, line.term_duration, cycle.as_deref(), work.now).ok().cloned();
    if let Some(plan) = one.plan.clone() {
        price(work, context, &item, &plan, &mut one)?;
        let draft = draft(work, context, &item, &plan, &one);
        if let Err(super::Error::Refused(refusal)) = rights::to_propose(work, &draft, &Change::Purchase {}) {
            one.reasons.push(told(&refusal, UNABLE));
        }
        if one.reasons.is_empty() {
            quote(work, &draft, add_on_of.is_some(), &mut one)?;
        }
        one.draft = Some(draft);
    }
    one.item = Some(item);
    one.settle();
    Ok(one)
}

/// The cycle a line names, or the one its base has where the item offers that.
fn chosen_cycle(work: &Work, item: &Product, line: &CartLine, base: Option<&Owned>) -> Option<String> {
    if !line.billing_cycle.is_empty() {
        return Some(line.billing_cycle.clone());
    }
    let own = base?.billing_cycle.as_str();
    let offered = plans::offered(work.terms.selling(), item);
    offered.iter().any(|plan| plan.plan.billing_cycle == own).then(|| own.to_owned())
}

fn participants(work: &Work, line: &CartLine) -> Option<LineError> {
    let own = work.settings.partner;
    let row = work.terms.selling().participants.iter().find(|row| !row.partner_types.contains(&own))?;
    let message = format!("a {} partner names no participants: leave them out", own.as_str());
    let refusal = Refusal::new("participants_not_allowed", message).by_rule(&row.rule);
    (!line.participants.is_empty()).then(|| told(&refusal, PARTICIPANTS))
}

fn price(work: &mut Work, context: &Context, item: &Product, plan: &Offered, one: &mut Judged) -> Result<()> {
    let (term, cycle) = (plan.plan.term_duration, plan.plan.billing_cycle.as_str());
    let asked = one.line.currency_code;
    let sought = Sought { product: &item.id, term, cycle, asked, known: &context.currencies };
    let costs = price_list::costs(work, &context.tenant, &sought)?;
    one.unit_price = price_list::only(&costs);
    one.customer_price = prices::asked(work, context.tenant.id, &item.id, term, cycle)?;
    if costs.len() > 1 {
        one.reasons.push(told(&price_list::ambiguous(&costs), CURRENCY));
    }
    if let (Some(currency), []) = (asked, costs.as_slice())
        && !price_list::costs(work, &context.tenant, &Sought { asked: None, ..sought })?.is_empty()
    {
        let message = format!("it has no price in {currency} for this customer: leave the currency out");
        one.reasons.push(told(&Refusal::new("currency_not_supported", message), CURRENCY));
    }
    Ok(())
}

/// The subscription a line would become: pending, without an id or an order.
fn draft(work: &Work, context: &Context, item: &Product, plan: &Offered, one: &Judged) -> Subscription {
    let line = &one.line;
    let term_duration = plan.plan.term_duration;
    let renews_to = line.renews_to.filter(|length| Some(*length) != term_duration);
    let kind = item.extra.get("productType").map_or("", String::as_str);
    let kind = serde_json::from_str::<serde_json::Value>(kind).unwrap_or_default();
    let kind = kind["id"].as_str().or(kind.as_str()).unwrap_or(&item.product_type).to_owned();
    let name = if line.friendly_name.is_empty() { &item.name } else { &line.friendly_name };
    let profile = Profile {
        family: item.family.clone(),
        offer_id: item.id.clone(),
        offer_name: item.name.clone(),
        friendly_name: name.clone(),
        product_type: kind,
        publisher_name: item.publisher_name.clone(),
        purchased_at: work.now,
        term_duration,
        billing_cycle: plan.plan.billing_cycle.clone(),
        billing_type: if item.billing.is_empty() { "license".to_owned() } else { item.billing.clone() },
        anchor_day: work.now.day(),
        unit_price: one.unit_price,
        is_trial: item.is_trial,
        parent_subscription_id: line.parent_subscription_id,
        partner_id: line.reseller().unwrap_or_default().to_owned(),
        next_term: Amendments { term_duration: renews_to, ..Amendments::default() },
        custom_term_end_date: line.custom_term_end_date.map(|at| at.date_naive()),
        extra: told_beside(item),
        ..Profile::default()
    };
    let standing = lifecycle::pending(&work.terms, &profile, line.quantity, work.now);
    let (id, tenant) = (SubscriptionId::default(), context.tenant.id);
    Subscription { id, tenant, standing, profile: Arc::new(profile) }
}

/// What a subscription keeps of its item beside what it is sold by: whose it is, and where it is activated (I-link).
fn told_beside(item: &Product) -> BTreeMap<String, String> {
    let own = item.is_microsoft_product.map(|own| ("isMicrosoftProduct".to_owned(), own.to_string()));
    let page = item.attributes.get(ACTIVATION_LINK).map(|page| (ACTIVATION_LINK.to_owned(), page.clone()));
    own.into_iter().chain(page).collect()
}

/// What the terms say about buying it. An add-on of a line of the same cart is quoted when its base is there.
fn quote(work: &mut Work, draft: &Subscription, of_line: bool, one: &mut Judged) -> Result<()> {
    let quote = quotes::quote(work, draft, &Change::Purchase {})?;
    if let Some(refusal) = quote.refusal.as_ref().filter(|_| !of_line) {
        let code = if refusal.code.starts_with("coterm") { TERM_END } else { UNABLE };
        one.reasons.push(told(refusal, code));
    }
    one.quote = Some(quote);
    Ok(())
}

/// A line as its buyer reviews it.
pub(super) fn reviewed(work: &mut Work, tenant: TenantId, one: &Judged) -> Result<Reviewed> {
    let mut plans = Vec::new();
    if let Some(item) = &one.item {
        let owner = super::tenants::reached(work, tenant)?;
        let known: Vec<Currency> = one.unit_price.iter().map(|price| price.currency).collect();
        for offered in plans::offered(work.terms.selling(), item) {
            let (term, cycle) = (offered.plan.term_duration, offered.plan.billing_cycle.clone());
            let asked = one.line.currency_code;
            let sought = Sought { product: &item.id, term, cycle: &cycle, asked, known: &known };
            let costs = price_list::costs(work, &owner, &sought)?;
            let customer_price = prices::asked(work, tenant, &item.id, term, &cycle)?;
            plans.push(Priced::of(offered, costs, customer_price));
        }
    }
    let charges = one.plan.as_ref().and_then(Offered::cycles).unwrap_or(1);
    let seats = one.line.quantity.into();
    let per_cycle = one.unit_price.map(|price| price.times(seats)).transpose()?;
    let of_term = per_cycle.map(|price| price.times(charges.into())).transpose()?;
    let (mut window_rule, mut until, mut tax_included) = (None, None, false);
    if let Some(draft) = &one.draft {
        let profile = &draft.profile;
        let terms = super::tenants::terms_for(work, tenant)?;
        let family = terms.family(&profile.family);
        let window = family.window(Kind::Cancellation, profile, work.now);
        window_rule = window.map(|window| window.rule.clone());
        until = window.and_then(|window| window.closes(work.now));
        let country = super::tenants::reached(work, tenant)?.country;
        tax_included = work.terms.tax().is_included(&country);
    }
    Ok(Reviewed {
        line: one.line.id,
        add_on_of: one.add_on_of,
        catalog_item_id: one.line.catalog_item_id.clone(),
        name: one.item.as_ref().map(|item| item.name.clone()).unwrap_or_default(),
        quantity: one.line.quantity,
        plans,
        term_duration: one.plan.as_ref().and_then(|plan| plan.plan.term_duration).map(|length| length.to_string()),
        billing_cycle: one.plan.as_ref().map(|plan| plan.plan.billing_cycle.clone()).unwrap_or_default(),
        charges,
        unit_price: one.unit_price,
        customer_price: one.customer_price,
        price_per_cycle: per_cycle,
        price_of_term: of_term,
        tax_included,
        quote: one.quote.clone(),
        window_rule,
        cancellation_allowed_until_date: until,
        reasons: one.reasons.clone(),
    })
}
