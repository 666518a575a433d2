//! Cancellations as a person asks for them: found by customer, product and order, told of their window, acknowledged,
//! and then proposed like every other change (C-in, C-pick, C-ack, C-info, C-esc, C-conf).

use crate::domain::cancellation::{self, Choice, Confirmation, Given, Info, Short};
use crate::domain::quote::Effect;
use crate::domain::request::Outcome;
use crate::domain::subscription::Status;
use crate::domain::support::{Form, REFUND};
use crate::domain::terms::{Asking, Path, Terms};
use crate::domain::{Change, Grant, Id, Kind, Quote, Refusal, Request, Subscription, Tenant, TenantId};
use crate::store::records::{requests as open_rows, subscriptions as rows, support as support_rows};

use super::requests::{self, Proposed};
use super::work::Work;
use super::{Result, messages, not_found, quotes, rights, tenants};

/// Choices that are told, at most.
const CHOICES_MAX: usize = 100;
/// Subscriptions of a customer read in one go.
const PAGE_ROWS: usize = 500;

/// What asking to cancel came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Why it did not come to a request; none when it did.
    pub short: Option<Short>,
    /// In a sentence.
    pub says: String,
    /// The one meant, where one was found.
    pub subscription: Option<Subscription>,
    /// What there is to choose from.
    pub choices: Vec<Choice>,
    /// What has to be given, by the names of the fields.
    pub missing: Vec<&'static str>,
    /// The text to acknowledge.
    pub acknowledge: Option<String>,
    /// The window.
    pub info: Option<Info>,
    /// The role that the terms name for it (C-role).
    pub role: Option<String>,
    /// The rule that says how it is asked for.
    pub rule: Option<String>,
    /// The request.
    pub proposed: Option<Proposed>,
    /// The support request that was opened for it (C-esc).
    pub support: Option<Id>,
    /// What follows, once it is cancelled.
    pub confirmation: Option<Confirmation>,
}

impl Answer {
    /// In one word: why it came to no request, else what the request came to.
    pub fn outcome(&self) -> &'static str {
        match (self.short, &self.proposed) {
            (Some(short), _) => short.as_str(),
            (None, Some(proposed)) => proposed.outcome.as_str(),
            (None, None) => Outcome::Unchanged.as_str(),
        }
    }

    fn of(says: impl Into<String>) -> Answer {
        Answer {
            short: None,
            says: says.into(),
            subscription: None,
            choices: Vec::new(),
            missing: Vec::new(),
            acknowledge: None,
            info: None,
            role: None,
            rule: None,
            proposed: None,
            support: None,
            confirmation: None,
        }
    }

    fn short(short: Short, says: impl Into<String>) -> Answer {
        Answer { short: Some(short), ..Answer::of(says) }
    }
}

/// Asks to cancel what a customer bought. Nothing is written unless it comes to a request.
///
/// # Errors
/// `forbidden`; `not_found` for the customer, `customer_ambiguous`; `not_bought` where nothing of the customer's fits,
/// `already_over` where all of it has ended.
pub fn ask(work: &mut Work, given: &Given) -> Result<Answer> {
    work.require(&Grant::Propose(Some(Kind::Cancellation)))?;
    let (tenant, by_name) = customer(work, &given.customer)?;
    let terms = tenants::terms_for(work, tenant.id)?;
    let mut found = holdings(work, &tenant, given)?;
    if found.len() > 1 {
        return choose(work, &terms, &found, given);
    }
    let Some(subscription) = found.pop() else {
        return Err(not_found("subscription", &given.customer));
    };
    let family = terms.family(&subscription.profile.family);
    let asking = family.asking(work.now);
    let change = Change::Cancellation { reason: given.reason };
    // Whoever may not is told at once, and asked for nothing.
    rights::to_propose(work, &subscription, &change)?;
    let quote = quotes::quote(work, &subscription, &change)?;
    let mut answer = told(asking, &quote, &subscription, work);
    let needs = asking.map_or(&[][..], |row| &row.needs);
    answer.missing = cancellation::missing(needs, given, by_name);
    if !answer.missing.is_empty() {
        let says = format!("to cancel it, {} must be given as well", answer.missing.join(" and "));
        let choices = vec![choice(&terms, &subscription, &quote, work)];
        return Ok(Answer { short: Some(Short::InformationMissing), says, choices, ..answer });
    }
    let code = quote.refusal.as_ref().map(|refusal| refusal.code.as_str());
    if code == Some("price_unknown") {
        return Ok(escalated(answer, given));
    }
    if asking.is_some_and(|row| row.path == Path::SupportRequest) && quote.allowed {
        let form = form(given, &subscription);
        let open = open_rows::open(&mut work.tx, subscription.tenant, subscription.id, Kind::Cancellation)?;
        let proposed = requests::propose_by_support(work, subscription.id, change, &given.why, form)?;
        let answer = settled(work, &terms, answer, proposed)?;
        return match open {
            Some(open) => asked_already(work, answer, &open, given),
            None => Ok(answer),
        };
    }
    let possible = quote.allowed || quote.effect == Effect::StopRenewal;
    if let Some(text) = asking.and_then(|row| row.acknowledge.as_ref()).filter(|_| possible && !given.acknowledged) {
        let says = format!("acknowledge this first: {text}");
        let (short, text) = (Some(Short::AcknowledgementRequired), Some(text.clone()));
        return Ok(Answer { short, says, acknowledge: text, ..answer });
    }
    let proposed = requests::propose(work, subscription.id, change, &given.why)?;
    settled(work, &terms, answer, proposed)
}

/// What the terms tell whoever asks, before anything is decided.
fn told(asking: Option<&Asking>, quote: &Quote, subscription: &Subscription, work: &Work) -> Answer {
    let info = cancellation::info(asking, quote, work.now);
    Answer {
        role: asking.and_then(|row| row.role.clone()),
        rule: asking.map(|row| row.rule.clone()),
        subscription: Some(subscription.clone()),
        info: Some(info),
        ..Answer::of("")
    }
}

/// The form of a refund, as far as what was given fills it (SR).
fn form(given: &Given, subscription: &Subscription) -> Form {
    Form {
        problem: REFUND.to_owned(),
        title: format!("Refund of {}", cancellation::name_of(subscription)),
        impact: given.refund_reason.clone(),
        order_id: subscription.profile.order_id.clone(),
        subscription: Some(subscription.id),
        refund_reason: given.refund_reason.clone(),
        amount: given.amount,
        product_id: subscription.profile.offer_id.clone(),
        ..Form::default()
    }
}

fn escalated(answer: Answer, given: &Given) -> Answer {
    let mut missing = Vec::new();
    if given.refund_reason.trim().is_empty() {
        missing.push("refund_reason");
    }
    if given.amount.is_none() {
        missing.push("amount");
    }
    let mut says = "it is cancelled by a support request of the type \"CSP Purchase/Refund on behalf of customers\", \
                    with the customer's tenant id or domain, the order or subscription, the reason of the refund and \
                    the amount"
        .to_owned();
    if !missing.is_empty() {
        says.push_str(&format!("; {} is still to be given", missing.join(" and ")));
    }
    Answer { short: Some(Short::MoreInformationNeeded), says, missing, ..answer }
}

fn settled(work: &mut Work, terms: &Terms, answer: Answer, proposed: Proposed) -> Result<Answer> {
    let says = proposed.request.as_ref().map(|request| request.quote.reason.clone()).unwrap_or_default();
    let mut answer = Answer { subscription: Some(proposed.subscription.clone()), says, ..answer };
    if proposed.outcome == Outcome::Applied {
        let credit = proposed.request.as_ref().and_then(|request| request.quote.refund);
        answer.confirmation = cancellation::confirmation(terms, &proposed.subscription, credit, work.now);
        if let Some(confirmation) = &answer.confirmation {
            answer.says.clone_from(&confirmation.message);
        }
    }
    answer.support = proposed.request.as_ref().and_then(|request| request.support);
    if let Some(support) = answer.support.filter(|_| proposed.outcome == Outcome::Waiting) {
        answer.says = format!("support request {support} was opened; it is cancelled when a person says so after that");
    }
    answer.proposed = Some(proposed);
    Ok(answer)
}

/// Says that it was asked for before, and what of this asking is not taken over: the support request keeps its form.
fn asked_already(work: &mut Work, answer: Answer, open: &Request, given: &Given) -> Result<Answer> {
    let mut says = format!("it was asked for already: request {} is {}", open.id, open.state.as_str());
    if let Some(id) = open.support
        && let Some(stored) = support_rows::get(&mut work.tx, id)?
    {
        let form = stored.value.form;
        let amount = form.amount.map(|amount| format!(" {amount}")).unwrap_or_default();
        says.push_str(&format!("; its support request {id} asks for{amount} because \"{}\"", form.refund_reason));
        if form.amount != given.amount || form.refund_reason != given.refund_reason {
            says.push_str(&format!("; what was given now is not taken over: change the form of {id}"));
        }
    }
    Ok(Answer { says, ..answer })
}

/// The one customer a text names, and whether it names them by their name alone.
fn customer(work: &mut Work, text: &str) -> Result<(Tenant, bool)> {
    let mut found = tenants::find(work, text.trim())?;
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|tenant| format!("{} ({})", tenant.id, tenant.domain)).collect();
        let message = format!("several customers are called so: name one by tenant id or domain: {}", ids.join(", "));
        return Err(Refusal::new("customer_ambiguous", message).into());
    }
    let Some(tenant) = found.pop() else {
        return Err(not_found("tenant", &text.chars().take(100).collect::<String>()));
    };
    let by_id = text.trim().parse::<TenantId>().is_ok();
    let by_name = !by_id && !tenant.domain.eq_ignore_ascii_case(text.trim());
    Ok((tenant, by_name))
}

/// What the customer has of what was named, and that has not ended.
fn holdings(work: &mut Work, tenant: &Tenant, given: &Given) -> Result<Vec<Subscription>> {
    let (mut live, mut over, mut others) = (Vec::new(), 0, Vec::new());
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = rows::page(&mut work.tx, Some(tenant.id), cursor.as_deref(), PAGE_ROWS)?;
        for stored in page.items {
            let subscription = stored.value;
            let ended = matches!(subscription.standing.status, Status::Deleted | Status::Expired | Status::Disabled);
            if !is_meant(&subscription, given) {
                let name = cancellation::name_of(&subscription).to_owned();
                if !ended && others.len() < CHOICES_MAX && !others.contains(&name) {
                    others.push(name);
                }
            } else if ended {
                over += 1;
            } else {
                live.push(subscription);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if !live.is_empty() {
        return Ok(live);
    }
    if over > 0 {
        let message = "what was named is cancelled already, or its term is over: nothing of it can be cancelled";
        return Err(Refusal::new("already_over", message).into());
    }
    let there = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
    let message = format!("{} has nothing that fits; there is {there}", tenant.company_name);
    Err(Refusal::new("not_bought", message).into())
}

fn is_meant(subscription: &Subscription, given: &Given) -> bool {
    let fits = |text: &Option<String>, is: fn(&Subscription, &str) -> bool| {
        text.as_deref().is_none_or(|text| is(subscription, text))
    };
    fits(&given.product, cancellation::is_product)
        && fits(&given.order, cancellation::is_order)
        && fits(&given.subscription, cancellation::is_subscription)
}

/// Several could be meant: their orders' numbers are told, and exactly one is chosen (C-pick, C-one).
fn choose(work: &mut Work, terms: &Terms, found: &[Subscription], given: &Given) -> Result<Answer> {
    let mut choices = Vec::new();
    for subscription in found.iter().take(CHOICES_MAX) {
        let quote = quotes::quote(work, subscription, &Change::Cancellation { reason: given.reason })?;
        choices.push(choice(terms, subscription, &quote, work));
    }
    if given.product.is_none() && given.subscription.is_none() && given.order.is_none() {
        let says = "say which product, order or subscription to cancel";
        let missing = vec!["product"];
        return Ok(Answer { choices, missing, ..Answer::short(Short::InformationMissing, says) });
    }
    let mut orders: Vec<String> =
        found.iter().filter_map(|one| Some(one.profile.order_id.as_ref()?.0.clone())).collect();
    orders.sort_unstable();
    orders.dedup();
    if orders.len() > 1 {
        let shown = orders.iter().take(CHOICES_MAX).cloned().collect::<Vec<_>>().join(", ");
        let says =
            format!("it was bought by {} orders; choose one, and ask again for each other: {shown}", orders.len());
        return Ok(Answer { choices, missing: vec!["order"], ..Answer::short(Short::SeveralOrders, says) });
    }
    let ids: Vec<String> = found.iter().take(CHOICES_MAX).map(|one| one.id.to_string()).collect();
    let says = format!("it stands for {} subscriptions; choose one: {}", found.len(), ids.join(", "));
    Ok(Answer { choices, missing: vec!["subscription"], ..Answer::short(Short::SeveralSubscriptions, says) })
}

fn choice(terms: &Terms, subscription: &Subscription, quote: &Quote, work: &Work) -> Choice {
    let asking = terms.family(&subscription.profile.family).asking(work.now);
    Choice {
        order: subscription.profile.order_id.clone(),
        subscription: subscription.id,
        name: cancellation::name_of(subscription).to_owned(),
        purchased_at: subscription.profile.purchased_at,
        quantity: subscription.standing.quantity,
        info: cancellation::info(asking, quote, work.now),
    }
}

/// Tells what follows a cancellation that was carried out, whoever asked for it and however: that it is confirmed, and
/// what partner and customer have to uninstall.
pub(super) fn tell(work: &mut Work, subscription: &Subscription, request: &Request) -> Result<()> {
    let terms = tenants::terms_for(work, subscription.tenant)?;
    let Some(confirmed) = cancellation::confirmation(&terms, subscription, request.quote.refund, work.now) else {
        return Ok(());
    };
    messages::tell_after(work, "cancellation.confirmed", subscription, request, &confirmed)?;
    if confirmed.afterwards.is_some() {
        messages::tell_after(work, "software.uninstall", subscription, request, &confirmed)?;
    }
    Ok(())
}
