//! What a test starts from: the maps of `given`, read as facts. A key that is not known is an error that names the
//! nearest one.

use std::collections::BTreeMap;

use crate::domain::change::{Amendments, Reason};
use crate::domain::product::{Limit, LimitUnit, Plan, Price};
use crate::domain::subscription::Status;
use crate::domain::tenant::Account;
use crate::domain::terms::{Family, Terms};
use crate::domain::{Instant, Money, OrderId, Refusal, Span, SubscriptionId, TenantId, calendar};
use crate::engine::api::testing::day_or_instant;
use crate::json::Value;
use crate::partner_center::customers::CustomerFact;
use crate::partner_center::family;
use crate::partner_center::offers::OfferFact;
use crate::partner_center::prices::PriceFact;
use crate::partner_center::subscriptions::{Ending, SubscriptionFact};
use crate::suggest;

const SUBSCRIPTION: [&str; 26] = [
    "family",
    "term_duration",
    "billing_cycle",
    "quantity",
    "unit_price",
    "currency",
    "status",
    "purchased_at",
    "term_end",
    "window_end",
    "auto_renew_enabled",
    "cancel_at_term_end",
    "is_trial",
    "suspension_reason",
    "labels",
    "friendly_name",
    "offer_id",
    "offer_name",
    "order_id",
    "product_type",
    "publisher_name",
    "tenant",
    "company_name",
    "country",
    "domain",
    "account",
];
/// Beside the keys above: the labels of a subscription's customer.
const TENANT_LABELS: &str = "tenant_labels";
const TENANT: [&str; 9] = [
    "company_name",
    "country",
    "domain",
    "account",
    "labels",
    "opened_at",
    "first_billing_at",
    "qualification",
    "agreed_at",
];
const PRODUCT: [&str; 15] = [
    "id",
    "name",
    "family",
    "term_duration",
    "billing_cycle",
    "unit_price",
    "minimum_quantity",
    "maximum_quantity",
    "is_trial",
    "is_add_on",
    "prerequisites",
    "upgrade_targets",
    "limit",
    "countries",
    "publisher_name",
];
const ACCOUNT: [&str; 2] = ["overdue", "since"];
const PRICE: &str = "100 EUR";

/// A map of facts or options.
pub(super) struct Facts<'a> {
    members: &'a [(String, Value)],
    what: &'static str,
}

impl<'a> Facts<'a> {
    /// Reads a map whose every key must be known.
    pub(super) fn of(value: &'a Value, what: &'static str, known: &[&str]) -> Result<Self, Refusal> {
        let members = value.members().ok_or_else(|| Refusal::new("bad_fact", format!("{what} is a map")))?;
        for (key, _) in members {
            if !known.contains(&key.as_str()) {
                let help = match suggest::nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("it knows {}", known.join(", ")),
                };
                return Err(Refusal::new("unknown_fact", format!("{what} does not know {key}; {help}")));
            }
        }
        Ok(Self { members, what })
    }

    /// The value of a key; nothing is as good as absent.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    fn is_nothing(&self, key: &str) -> bool {
        self.members.iter().any(|(name, value)| name == key && value.is_null())
    }

    fn wrong(&self, key: &str, wanted: &str, found: &Value) -> Refusal {
        Refusal::new("bad_fact", format!("{} of {} is {wanted}, not {found}", key, self.what))
    }

    fn read<T>(&self, key: &str, wanted: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Refusal> {
        self.get(key).map(|value| read(value).ok_or_else(|| self.wrong(key, wanted, value))).transpose()
    }

    /// Text.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        self.read(key, "text", |value| value.as_str().map(str::to_owned))
    }

    /// A whole number.
    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, Refusal> {
        self.read(key, "a whole number", Value::as_i64)
    }

    /// True or false.
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>, Refusal> {
        self.read(key, "true or false", Value::as_bool)
    }

    fn instant(&self, key: &str) -> Result<Option<Instant>, Refusal> {
        self.read(key, "an instant such as 2027-03-01 or 2027-03-01T12:00:00Z", |value| {
            day_or_instant(value.as_str()?).ok()
        })
    }

    /// One of the words of our own that read themselves.
    pub(super) fn word<T: std::str::FromStr<Err = Refusal>>(&self, key: &str) -> Result<Option<T>, Refusal> {
        self.text(key)?.map(|text| text.parse()).transpose()
    }

    /// What a plan may have different.
    pub(super) fn plan(&self) -> Result<Amendments, Refusal> {
        let day = self.text("custom_term_end_date")?.map(|text| calendar::day(&text)).transpose()?;
        Ok(Amendments {
            quantity: self.int("quantity")?,
            term_duration: self.word("term_duration")?,
            billing_cycle: self.text("billing_cycle")?,
            offer_id: self.text("offer_id")?,
            custom_term_end_date: day,
        })
    }

    fn labels(&self, key: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let read = |value: &Value| {
            let pairs = value.members()?.iter();
            pairs.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        Ok(self.read(key, "a map of texts", read)?.unwrap_or_default())
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Refusal> {
        let read = |value: &Value| value.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect();
        self.read(key, "a list of texts", read)
    }

    fn account(&self) -> Result<Option<Account>, Refusal> {
        let Some(value) = self.get("account") else { return Ok(None) };
        let inner = Facts::of(value, "account", &ACCOUNT)?;
        let amount = |value: &Value| value.as_str()?.parse::<Money>().ok();
        let read = |value: &Value| match value.as_array() {
            Some(items) => items.iter().map(amount).collect(),
            None => amount(value).map(|amount| vec![amount]),
        };
        let overdue: Vec<Money> =
            inner.read("overdue", "an amount such as 50 EUR, or a list", read)?.unwrap_or_default();
        let overdue = overdue.into_iter().filter(|amount| !amount.is_zero()).collect();
        Ok(Some(Account { overdue, since: inner.instant("since")? }))
    }

    /// `"100 EUR"`, or a number beside `currency`; nothing when it is said to be nothing.
    fn price(&self) -> Result<Option<Money>, Refusal> {
        if self.is_nothing("unit_price") {
            return Ok(None);
        }
        let currency = self.text("currency")?;
        let text = match (self.get("unit_price"), currency) {
            (None, None) => PRICE.to_owned(),
            (None, Some(currency)) => format!("100 {currency}"),
            (Some(Value::String(text)), None) => text.clone(),
            (Some(Value::String(text)), Some(currency)) if !text.contains(' ') => format!("{text} {currency}"),
            (Some(Value::Number(number)), Some(currency)) => format!("{number} {currency}"),
            (Some(other), _) => return Err(self.wrong("unit_price", "an amount such as 100 EUR", other)),
        };
        text.parse().map(Some)
    }
}

/// A customer as told.
pub(super) fn tenant(facts: &Value, ordinal: u32) -> Result<CustomerFact, Refusal> {
    let facts = Facts::of(facts, "given_tenant", &TENANT)?;
    let mut customer = customer(&facts, ordinal)?;
    customer.opened_at = facts.instant("opened_at")?;
    customer.first_billing_at = facts.instant("first_billing_at")?;
    customer.qualification = facts.text("qualification")?;
    customer.agreed_at = facts.instant("agreed_at")?;
    customer.labels = facts.labels("labels")?;
    Ok(customer)
}

/// An item of the catalogue as it is told, and its price where it has one.
pub(super) fn product(facts: &Value, ordinal: u32) -> Result<(OfferFact, Option<PriceFact>), Refusal> {
    let facts = Facts::of(facts, "given_product", &PRODUCT)?;
    let item = facts.text("id")?.unwrap_or_else(|| format!("CFQ7TTC0{ordinal:04}:0001:CFQ7TTC0{ordinal:04}"));
    let cycle = facts.text("billing_cycle")?.unwrap_or_else(|| "monthly".to_owned());
    let term: Option<Span> = match facts.is_nothing("term_duration") {
        true => None,
        false => facts.word("term_duration")?.or(Some(Span::months(12))),
    };
    let limit = facts.int("limit")?.and_then(|count| u32::try_from(count).ok());
    let offer = OfferFact {
        id: item.clone(),
        name: Some(facts.text("name")?.unwrap_or_else(|| format!("Item {ordinal}"))),
        family: Some(facts.text("family")?.unwrap_or_else(|| family::USUAL.to_owned())),
        publisher_name: facts.text("publisher_name")?,
        minimum_quantity: facts.int("minimum_quantity")?,
        maximum_quantity: facts.int("maximum_quantity")?,
        is_trial: facts.truth("is_trial")?,
        is_add_on: facts.truth("is_add_on")?,
        prerequisites: facts.texts("prerequisites")?,
        upgrade_targets: facts
            .texts("upgrade_targets")?
            .map(|targets| targets.iter().map(|it| it.to_lowercase()).collect()),
        limit: limit.map(|count| Some(Limit { count, per: LimitUnit::Concurrent })),
        countries: facts.texts("countries")?.unwrap_or_default(),
        plans: Some(vec![Plan { term_duration: term, billing_cycle: cycle.clone() }]),
        ..OfferFact::default()
    };
    let price = facts.price()?.map(|unit_price| PriceFact {
        price: Price {
            product: item,
            term_duration: term,
            billing_cycle: Some(cycle),
            unit_price,
            market: None,
            segment: None,
        },
    });
    Ok((offer, price))
}

fn customer(facts: &Facts<'_>, ordinal: u32) -> Result<CustomerFact, Refusal> {
    Ok(CustomerFact {
        id: id("c0570000", ordinal).parse()?,
        company_name: Some(facts.text("company_name")?.unwrap_or_else(|| format!("Customer {ordinal}"))),
        domain: Some(facts.text("domain")?.unwrap_or_else(|| format!("customer{ordinal}.example"))),
        country: Some(facts.text("country")?.unwrap_or_else(|| "DE".to_owned()).to_uppercase()),
        account: facts.account()?,
        ..CustomerFact::default()
    })
}

/// Ids that are the same in every run.
fn id(start: &str, ordinal: u32) -> String {
    format!("{start}-0000-4000-8000-{ordinal:012}")
}

/// A subscription as told, and its customer when that is not one that is there.
pub(super) fn subscription(
    terms: &Terms,
    facts: &Value,
    ordinal: u32,
    now: Instant,
) -> Result<(SubscriptionFact, Option<CustomerFact>), Refusal> {
    let known: Vec<&str> = SUBSCRIPTION.into_iter().chain([TENANT_LABELS]).collect();
    let facts = Facts::of(facts, "given", &known)?;
    let family = family_of(terms, facts.text("family")?)?;
    let length = facts.word::<Span>("term_duration")?;
    let length = length.or_else(|| usual_term(family));
    let term_end = facts.instant("term_end")?;
    let before_end = term_end.and_then(|end| length?.before(end)).map(|start| start.min(now));
    let purchased = facts.instant("purchased_at")?.or(before_end).unwrap_or(now);
    let (tenant, customer) = owner(&facts, ordinal)?;
    let fact = SubscriptionFact {
        id: id("5ab50000", ordinal).parse::<SubscriptionId>()?,
        tenant: Some(tenant),
        status: Some(status(&facts)?),
        quantity: Some(facts.int("quantity")?.unwrap_or(1)),
        auto_renew_enabled: facts.truth("auto_renew_enabled")?,
        cancel_at_term_end: facts.truth("cancel_at_term_end")?,
        creation_date: Some(purchased),
        effective_start_date: Some(purchased),
        term_end: term_end.map(Ending::Exact),
        window_end: facts.instant("window_end")?,
        family: Some(family.name.clone()),
        offer_id: Some(facts.text("offer_id")?.unwrap_or_else(|| "CFQ7TTC0LH18:0001".to_owned())),
        offer_name: Some(facts.text("offer_name")?.unwrap_or_else(|| format!("Offer {ordinal}"))),
        order_id: facts.text("order_id")?.map(OrderId),
        friendly_name: Some(facts.text("friendly_name")?.unwrap_or_else(|| format!("Subscription {ordinal}"))),
        product_type: facts.text("product_type")?,
        publisher_name: facts.text("publisher_name")?,
        term_duration: length,
        billing_cycle: Some(facts.text("billing_cycle")?.unwrap_or_else(|| usual_cycle(family, length))),
        billing_type: Some("license".to_owned()),
        unit_price: facts.price()?,
        is_trial: facts.truth("is_trial")?,
        suspension_reason: facts.word::<Reason>("suspension_reason")?,
        labels: facts.labels("labels")?,
        ..SubscriptionFact::default()
    };
    Ok((fact, customer))
}

/// The customer named, or one of its own.
fn owner(facts: &Facts<'_>, ordinal: u32) -> Result<(TenantId, Option<CustomerFact>), Refusal> {
    let Some(named) = facts.word::<TenantId>("tenant")? else {
        let mut customer = customer(facts, ordinal)?;
        customer.labels = facts.labels(TENANT_LABELS)?;
        return Ok((customer.id, Some(customer)));
    };
    let told = ["company_name", "country", "domain", "account", TENANT_LABELS];
    if let Some(key) = told.into_iter().find(|key| facts.get(key).is_some()) {
        let message = format!("{key} is told of a customer of its own; this subscription has one that is there");
        return Err(Refusal::new("bad_fact", message));
    }
    Ok((named, None))
}

fn family_of(terms: &Terms, named: Option<String>) -> Result<&Family, Refusal> {
    let name = named.unwrap_or_else(|| family::USUAL.to_owned());
    let known = terms.families().find(|family| family.name == name);
    known.ok_or_else(|| {
        let near = suggest::nearest(&name, terms.families().map(|family| family.name.as_str()));
        let help = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Refusal::new("unknown_family", format!("the terms know no family {name}{help}"))
    })
}

/// A year; what is paid once has no term.
fn usual_term(family: &Family) -> Option<Span> {
    let once = family.billing_cycles.iter().any(|cycle| cycle == "one_time") && family.billing_cycles.len() == 1;
    if once { None } else { Some(Span::months(12)) }
}

/// A month is billed monthly, anything longer once a year, where the family allows it; else its own first cycle.
fn usual_cycle(family: &Family, length: Option<Span>) -> String {
    let usual = if length.is_some_and(|length| length.months >= 12) { "annual" } else { "monthly" };
    let allowed = family.billing_cycles.iter().any(|cycle| cycle == usual);
    if allowed || family.billing_cycles.is_empty() { usual.to_owned() } else { family.billing_cycles[0].clone() }
}

fn status(facts: &Facts<'_>) -> Result<Status, Refusal> {
    let Some(word) = facts.text("status")? else { return Ok(Status::Active) };
    let found = Status::ALL.into_iter().find(|status| status.as_str() == word);
    found.ok_or_else(|| {
        let known = Status::ALL.map(Status::as_str);
        let help = match suggest::nearest(&word, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it is one of {}", known.join(", ")),
        };
        Refusal::new("unknown_status", format!("there is no status {word}; {help}"))
    })
}
