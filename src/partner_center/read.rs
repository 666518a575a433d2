//! From the text of a document to facts, row by row: single objects, arrays, collections, a record a line, and recorded
//! calls.
//!
//! A row that is none of ours is refused with what it looks like; only text that is no JSON refuses the whole document.

use super::customers::{self, CustomerFact};
use super::field::{self, Fields};
use super::offers::{self, OfferFact};
use super::orders::{self, OrderFact};
use super::prices::{self, PriceFact};
use super::subscriptions::{self, SubscriptionFact};
use crate::domain::{Refusal, TenantId};
use crate::json::{self, Value};

/// What a row states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// About a customer.
    Customer(CustomerFact),
    /// About a subscription.
    Subscription(Box<SubscriptionFact>),
    /// About an order.
    Order(OrderFact),
    /// About something that can be bought.
    Offer(Box<OfferFact>),
    /// A price of it.
    Price(PriceFact),
}

impl Fact {
    /// The noun, for counts and messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Fact::Customer(_) => "customer",
            Fact::Subscription(_) => "subscription",
            Fact::Order(_) => "order",
            Fact::Offer(_) => "offer",
            Fact::Price(_) => "price",
        }
    }
}

/// One row of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands: `items[3]`, `[0]`, empty for a single object.
    pub place: String,
    /// The fact, or why it is none.
    pub read: Result<Fact, Refusal>,
    /// Fields that are not what they should be and were kept as they came.
    pub notes: Vec<String>,
}

/// What a document holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Its rows in order.
    pub rows: Vec<Row>,
    /// `totalCount` of a collection; may be larger than the rows that are there.
    pub total_count: Option<i64>,
    /// The address of the next page, where there is one.
    pub next: Option<String>,
}

impl Document {
    /// The facts, without what was refused.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.rows.iter().filter_map(|row| row.read.as_ref().ok())
    }

    /// The refusals, each with its place.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &Refusal)> {
        self.rows.iter().filter_map(|row| Some((row.place.as_str(), row.read.as_ref().err()?)))
    }
}

/// What stands around a row: the path it was recorded at and the tenant of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    /// The tenant, where the file or the path names one.
    pub(super) tenant: Option<TenantId>,
    /// The last noun of a recorded path (`subscriptions`).
    noun: Option<String>,
    /// The id behind it.
    pub(super) id: Option<String>,
    /// The status of a recorded response.
    status: Option<u16>,
}

impl Context {
    /// Of a body that is sent for a tenant.
    pub(super) fn of(tenant: TenantId) -> Context {
        Context { tenant: Some(tenant), ..Context::default() }
    }
}

/// Reads a document. `path_hint` is the path it was fetched from or the name of the file; it serves only to tell the
/// tenant (`/customers/{id}/...`).
///
/// # Errors
/// `invalid_json`, `duplicate_key`, `too_deep`, `too_large`, with the place; single rows are refused within [`Document`].
pub fn read_document(text: &str, path_hint: Option<&str>) -> Result<Document, Refusal> {
    let text = text.trim_start_matches('\u{feff}');
    let mut context = Context { tenant: path_hint.and_then(field::tenant_of_path), ..Context::default() };
    let mut document = Document::default();
    if head_of(text.trim_start().lines().next().unwrap_or_default()).is_none() {
        read_body(text, &context, &mut document)?;
        return Ok(document);
    }
    for call in calls(text) {
        match call.head {
            Head::Request { path } => {
                context.tenant = field::tenant_of_path(path).or(context.tenant);
                (context.noun, context.id) = noun_of_path(path);
                context.status = None;
            }
            Head::Response { status } => context.status = Some(status),
        }
        if !call.body.trim().is_empty() {
            read_body(call.body, &context, &mut document)?;
        }
    }
    Ok(document)
}

enum Head<'a> {
    Request { path: &'a str },
    Response { status: u16 },
}

struct Call<'a> {
    head: Head<'a>,
    body: &'a str,
}

fn head_of(line: &str) -> Option<Head<'_>> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let second = words.next()?;
    if first.starts_with("HTTP/") {
        return second.parse().ok().map(|status| Head::Response { status });
    }
    let is_method = matches!(first, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD");
    let is_path = second.starts_with('/') || second.starts_with("http://") || second.starts_with("https://");
    (is_method && is_path).then_some(Head::Request { path: second })
}

/// The calls of a recording. JSON has no line that starts like a head, so every such line starts a call; headers end
/// where the body's bracket begins, whether or not the blank line survived the recording.
fn calls(text: &str) -> Vec<Call<'_>> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if head_of(line).is_some() {
            starts.push((at, at + line.len()));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|start| start.0).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(&(start, after), end)| {
            let head = head_of(&text[start..after])?;
            Some(Call { head, body: body_of(&text[after..end]) })
        })
        .collect()
}

fn body_of(text: &str) -> &str {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(['{', '[']) {
            return &text[at..];
        }
        at += line.len();
    }
    ""
}

fn noun_of_path(path: &str) -> (Option<String>, Option<String>) {
    const NOUNS: [&str; 5] = ["customers", "subscriptions", "orders", "offers", "products"];
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    let noun_at = |back: usize| parts.len().checked_sub(back).and_then(|at| parts.get(at));
    let known = |part: Option<&String>| part.filter(|part| NOUNS.contains(&part.as_str())).cloned();
    if let Some(noun) = known(noun_at(1)) {
        return (Some(noun), None);
    }
    let original = path.rsplit('/').find(|part| !part.is_empty());
    let id = original.filter(|text| !field::is_placeholder(text)).map(str::to_owned);
    match known(noun_at(2)) {
        Some(noun) => (Some(noun), id),
        None => (None, None),
    }
}

fn read_body(text: &str, context: &Context, document: &mut Document) -> Result<(), Refusal> {
    let value = match json::parse_up_to(text.as_bytes(), super::DOCUMENT_BYTES_MAX) {
        Ok(value) => value,
        Err(_) if is_lines(text) => {
            document.rows.extend(read_lines(text, context));
            return Ok(());
        }
        Err(error) => return Err(unread(&error)),
    };
    let items = value.get_any_case("items").and_then(Value::as_array);
    if let Some(items) = items {
        let context = Context { tenant: field::tenant_of_links(&value).or(context.tenant), ..context.clone() };
        document.total_count = value.get_any_case("totalCount").and_then(field::integer).or(document.total_count);
        document.next = field::link(&value, "next").map(str::to_owned).or(document.next.take());
        let rows = items.iter().enumerate().map(|(index, row)| read_row(row, format!("items[{index}]"), &context));
        document.rows.extend(rows);
    } else if let Some(rows) = value.as_array() {
        let rows = rows.iter().enumerate().map(|(index, row)| read_row(row, format!("[{index}]"), context));
        document.rows.extend(rows);
    } else {
        document.rows.push(read_row(&value, String::new(), context));
    }
    Ok(())
}

fn unread(error: &json::Error) -> Refusal {
    Refusal::new(error.code.as_str(), error.to_string())
}

/// Whether it is a record a line: the first line is one, and another follows.
fn is_lines(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().is_some_and(|line| line.starts_with('{') && json::parse(line.as_bytes()).is_ok());
    first && lines.next().is_some()
}

/// Records line by line; one that does not read is refused alone.
fn read_lines(text: &str, context: &Context) -> Vec<Row> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(index, line): (usize, &str)| {
        let place = format!("line {}", index + 1);
        match json::parse(line.trim().as_bytes()) {
            Ok(value) => read_row(&value, place, context),
            Err(error) => Row { place, read: Err(unread(&error)), notes: Vec::new() },
        }
    };
    lines.map(read).collect()
}

/// Reads one row.
fn read_row(value: &Value, place: String, context: &Context) -> Row {
    let mut fields = Fields::of(value);
    let read = match shape_of(value, context) {
        Shape::Customer => customers::read(value, &mut fields, context).map(Fact::Customer),
        Shape::Subscription => {
            subscriptions::read(value, &mut fields, context).map(|fact| Fact::Subscription(Box::new(fact)))
        }
        Shape::Order => orders::read(value, &mut fields, context).map(Fact::Order),
        Shape::Offer => offers::read(value, &mut fields, context).map(|fact| Fact::Offer(Box::new(fact))),
        Shape::Price => prices::read(&mut fields).map(Fact::Price),
        Shape::Other(what) => Err(Refusal::new(
            "not_importable",
            format!("this looks like {what}; customers, subscriptions, orders, offers and prices can be imported"),
        )),
    };
    let (extra, notes) = fields.rest();
    Row { place, read: read.map(|fact| with_extra(fact, extra)), notes }
}

fn with_extra(mut fact: Fact, extra: std::collections::BTreeMap<String, String>) -> Fact {
    let own = match &mut fact {
        Fact::Customer(fact) => &mut fact.extra,
        Fact::Subscription(fact) => &mut fact.extra,
        Fact::Order(fact) => &mut fact.extra,
        Fact::Offer(fact) => &mut fact.extra,
        Fact::Price(_) => return fact,
    };
    for (name, text) in extra {
        own.entry(name).or_insert(text);
    }
    fact
}

enum Shape {
    Customer,
    Subscription,
    Order,
    Offer,
    Price,
    Other(String),
}

fn shape_of(value: &Value, context: &Context) -> Shape {
    if value.members().is_none() {
        return Shape::Other(value.kind().to_owned());
    }
    if context.status.is_some_and(|status| status >= 400) {
        return Shape::Other("the answer to a call that failed".to_owned());
    }
    let kind = value.get_any_case("attributes").and_then(|attributes| attributes.get_any_case("objectType")?.as_str());
    match kind.map(str::to_ascii_lowercase).as_deref() {
        Some("customer" | "customercompanyprofile" | "customerbillingprofile") => Shape::Customer,
        Some("subscription") => Shape::Subscription,
        Some("order") => Shape::Order,
        Some("offer" | "product" | "sku" | "availability") => Shape::Offer,
        Some("price") => Shape::Price,
        Some(_) => Shape::Other(format!("'{}'", kind.unwrap_or_default().chars().take(60).collect::<String>())),
        None => shape_by_fields(value, context),
    }
}

fn shape_by_fields(value: &Value, context: &Context) -> Shape {
    let has = |name: &str| value.get_any_case(name).is_some_and(|value| !value.is_null());
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    if has("eventName") {
        return Shape::Other("a webhook event".to_owned());
    }
    if any(&["invoiceNumber", "chargeType", "invoiceDate"]) {
        return Shape::Other("an invoice or one of its lines".to_owned());
    }
    if has("lineItems") {
        let cart = any(&["creationTimestamp", "expirationTimestamp", "lastModifiedTimestamp"]);
        return if cart { Shape::Other("a cart".to_owned()) } else { Shape::Order };
    }
    if any(&["commitmentEndDate", "commitmentEndDateTime", "effectiveStartDate", "autoRenewEnabled", "entitlementId"]) {
        return Shape::Subscription;
    }
    if any(&["companyProfile", "billingProfile"]) || (has("tenantId") && any(&["companyName", "domain"])) {
        return Shape::Customer;
    }
    if has("unitPrice") && any(&["currency", "currencyCode"]) && any(&["productId", "offerId", "product"]) {
        return Shape::Price;
    }
    if any(&["prerequisiteOffers", "isAddOn", "minimumQuantity", "supportedBillingCycles", "catalogItemId"])
        || (has("productType") && has("title"))
    {
        return Shape::Offer;
    }
    if any(&["offerId", "orderId"]) && has("id") && any(&["status", "quantity"]) {
        return Shape::Subscription;
    }
    match (context.noun.as_deref(), &context.id) {
        (Some("subscriptions"), Some(_)) => Shape::Subscription,
        (Some("orders"), Some(_)) => Shape::Order,
        _ => Shape::Other(unknown_shape(value)),
    }
}

fn unknown_shape(value: &Value) -> String {
    let names: Vec<&str> = value.members().unwrap_or_default().iter().take(6).map(|(name, _)| name.as_str()).collect();
    let names: String = names.join(", ").chars().take(120).collect();
    if names.is_empty() { "an empty object".to_owned() } else { format!("an object with the fields {names}") }
}

/// The refusal of a row that does not say which one it is.
pub(super) fn missing_id(noun: &str) -> Refusal {
    Refusal::new("missing_id", format!("the {noun} has no id; a request that was sent has none, its answer does"))
}
