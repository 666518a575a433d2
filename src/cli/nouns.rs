//! Every noun that can be listed and shown: its route and its columns. One list for all of them.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connect::{Access, Context, encoded, said};
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, Column, Format, lookup};

/// Records asked for at once.
pub(crate) const PAGE: usize = 200;
/// Pages that `--all` reads, at most.
pub(crate) const PAGES_MAX: usize = 10_000;

/// A noun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noun {
    /// Its word, in the route and on the command line.
    pub(crate) name: &'static str,
    /// What its records are shown by.
    pub(crate) columns: &'static [Column],
    /// What a sheet of them has; empty: the same.
    pub(crate) sheet: &'static [Column],
    /// Whether `GET /v1/NOUN/ID` is a route; else the record is looked for in the list.
    pub(crate) shown_by_route: bool,
    /// The members a record may be named by, where it is looked for in the list.
    pub(crate) names: &'static [&'static str],
}

impl Noun {
    /// A table is read by a person, a sheet by a program: it may be wider.
    pub(crate) fn columns_for(&self, format: Format) -> &'static [Column] {
        if format == Format::Csv && !self.sheet.is_empty() { self.sheet } else { self.columns }
    }
}

const fn noun(name: &'static str, columns: &'static [Column]) -> Noun {
    Noun { name, columns, sheet: &[], shown_by_route: true, names: &["id"] }
}

const fn listed(name: &'static str, names: &'static [&'static str], columns: &'static [Column]) -> Noun {
    Noun { name, columns, sheet: &[], shown_by_route: false, names }
}

pub(crate) const TENANTS: Noun = noun(
    "tenants",
    &[
        Column("ID", "id"),
        Column("NAME", "companyName|companyProfile.companyName"),
        Column("DOMAIN", "domain|companyProfile.domain"),
        Column("COUNTRY", "country"),
        Column("OVERDUE", "account.overdue"),
    ],
);
pub(crate) const PRODUCTS: Noun = noun(
    "products",
    &[
        Column("ID", "id"),
        Column("NAME", "name"),
        Column("FAMILY", "family"),
        Column("CYCLES", "supportedBillingCycles"),
    ],
);
pub(crate) const CARTS: Noun = listed(
    "carts",
    &["id"],
    &[
        Column("ID", "id"),
        Column("TENANT", "tenant"),
        Column("STATUS", "status"),
        Column("ITEMS", "lineItems.0.catalogItemId"),
        Column("EXPIRES", "expirationTimestamp"),
        Column("ORDERS", "orders"),
    ],
);
pub(crate) const ORDERS: Noun = listed(
    "orders",
    &["id"],
    &[
        Column("ID", "id"),
        Column("TENANT", "tenant"),
        Column("CREATED", "creationDate"),
        Column("STATUS", "status"),
        Column("CYCLE", "billingCycle"),
        Column("FIRST LINE", "lineItems.0.friendlyName|lineItems.0.offerId"),
        Column("QUANTITY", "lineItems.0.quantity"),
    ],
);
pub(crate) const SUBSCRIPTIONS: Noun = Noun {
    sheet: &[
        Column("ID", "id"),
        Column("CUSTOMER", "customerName"),
        Column("CUSTOMER ID", "tenant"),
        Column("NAME", "friendlyName|offerName"),
        Column("OFFER", "offerId"),
        Column("FAMILY", "family"),
        Column("STATUS", "status"),
        Column("QUANTITY", "quantity"),
        Column("AUTO-RENEW", "autoRenewEnabled"),
        Column("TERM", "termDuration"),
        Column("BILLED", "billingCycle"),
        Column("BOUGHT", "creationDate"),
        Column("TERM END", "commitmentEndDate"),
        Column("CANCEL BEFORE", "cancellationAllowedUntilDate"),
        Column("UNIT PRICE", "unitPrice"),
        Column("ORDER", "orderId"),
    ],
    ..noun(
        "subscriptions",
        &[
            Column("ID", "id"),
            Column("NAME", "friendlyName|offerName"),
            Column("FAMILY", "family"),
            Column("STATUS", "status"),
            Column("QUANTITY", "quantity"),
            Column("AUTO-RENEW", "autoRenewEnabled"),
            Column("TERM", "termDuration"),
            Column("TERM END", "commitmentEndDate"),
        ],
    )
};
pub(crate) const REQUESTS: Noun = noun(
    "requests",
    &[
        Column("ID", "id"),
        Column("KIND", "kind"),
        Column("STATE", "state"),
        Column("SUBSCRIPTION", "subscription"),
        Column("PROPOSED", "proposedAt"),
        Column("BY", "proposedBy"),
        Column("WHY", "why"),
        Column("EXPIRES", "expiresAt"),
    ],
);
pub(crate) const DECISIONS: Noun = noun(
    "decisions",
    &[
        Column("ID", "id"),
        Column("AT", "at"),
        Column("REQUEST", "request"),
        Column("KIND", "kind"),
        Column("VERDICT", "verdict"),
        Column("BECAME", "became"),
    ],
);
pub(crate) const RUNS: Noun = noun(
    "runs",
    &[
        Column("ID", "id"),
        Column("AT", "at"),
        Column("FILE", "file"),
        Column("HANDLER", "handler"),
        Column("ENDING", "ending"),
        Column("CAUSE", "cause"),
        Column("ERROR", "error.message"),
    ],
);
const FILE_COLUMNS: &[Column] = &[
    Column("FILE", "path|file|id"),
    Column("DECIDES", "decides"),
    Column("ENABLED", "enabled"),
    Column("MODE", "mode"),
    Column("DOES", "summary|doc|about"),
];
pub(crate) const POLICIES: Noun = listed("policies", &["path", "file", "id"], FILE_COLUMNS);
pub(crate) const SCRIPTS: Noun = listed("scripts", &["path", "file", "id"], FILE_COLUMNS);
pub(crate) const SCHEDULES: Noun = listed(
    "schedules",
    &["id", "trigger"],
    &[
        Column("TRIGGER", "trigger|id"),
        Column("WHAT", "source|spec|on"),
        Column("NEXT", "nextDue|next"),
        Column("LAST", "lastDue|last"),
        Column("ARMED", "armed"),
    ],
);
pub(crate) const OCCURRENCES: Noun = listed(
    "occurrences",
    &["id", "trigger", "run"],
    &[
        Column("DUE", "due"),
        Column("TRIGGER", "trigger"),
        Column("STATE", "state"),
        Column("SUBJECTS", "subjects"),
        Column("RUN", "run"),
    ],
);
pub(crate) const DELIVERIES: Noun = noun(
    "deliveries",
    &[
        Column("ID", "id"),
        Column("AT", "at"),
        Column("HOOK", "hook"),
        Column("TYPE", "type"),
        Column("STATE", "state"),
        Column("WEBHOOK ID", "webhookId"),
    ],
);
pub(crate) const MESSAGES: Noun = noun(
    "messages",
    &[
        Column("ID", "id"),
        Column("AT", "at"),
        Column("TOPIC", "topic"),
        Column("TO", "addressees.*.endpoint"),
        Column("STATE", "addressees.*.state"),
        Column("SUBSCRIPTION", "subscription"),
        Column("REQUEST", "request"),
    ],
);
pub(crate) const TOKENS: Noun = noun(
    "tokens",
    &[
        Column("ID", "id"),
        Column("NAME", "name"),
        Column("USER", "user"),
        Column("GRANTS", "grants"),
        Column("TENANTS", "tenants"),
        Column("EXPIRES", "expiresAt"),
        Column("REVOKED", "revokedAt"),
    ],
);
pub(crate) const USERS: Noun = noun(
    "users",
    &[
        Column("ID", "id"),
        Column("NAME", "name"),
        Column("EMAIL", "email"),
        Column("ROLES", "roles"),
        Column("CUSTOMER", "customer"),
        Column("STATE", "state"),
    ],
);
pub(crate) const LEDGER: Noun = listed(
    "ledger",
    &["id"],
    &[
        Column("ID", "id"),
        Column("AT", "at"),
        Column("SUBSCRIPTION", "subscription"),
        Column("KIND", "kind"),
        Column("QUANTITY", "quantity"),
        Column("UNIT PRICE", "unitPrice"),
        Column("AMOUNT", "amount"),
        Column("TAX", "tax.amount"),
        Column("CURRENCY", "currency"),
        Column("TO CUSTOMER", "atCustomerPrice.amount"),
        Column("MARGIN", "margin"),
        Column("FROM", "periodStart"),
        Column("TO", "periodEnd"),
        Column("RULE", "rule"),
    ],
);
pub(crate) const INVOICES: Noun = noun(
    "invoices",
    &[
        Column("ID", "id"),
        Column("DATE", "invoiceDate"),
        Column("FROM", "billingPeriodStartDate"),
        Column("TO", "billingPeriodEndDate"),
        Column("LINES", "lineItems"),
        Column("CUSTOMERS", "customers"),
        Column("SUBTOTAL", "subtotal~currencyCode"),
        Column("TAX", "taxTotal~currencyCode"),
        Column("TOTAL", "totalCharges~currencyCode"),
        Column("CURRENCY", "currencyCode"),
    ],
);
pub(crate) const ACTIVITY: Noun = listed(
    "activity",
    &["id", "request", "subscription"],
    &[
        Column("AT", "at"),
        Column("CUSTOMER", "companyName|tenant"),
        Column("OPERATION", "operation"),
        Column("STATUS", "operationStatus"),
        Column("USER", "userPrincipalName"),
        Column("SUBSCRIPTION", "subscription"),
        Column("REQUEST", "request"),
        Column("NOTE", "note"),
    ],
);
pub(crate) const SUPPORT: Noun = noun(
    "support",
    &[
        Column("ID", "id"),
        Column("STATUS", "status"),
        Column("SEVERITY", "form.severity"),
        Column("CUSTOMER", "organization|tenant"),
        Column("TITLE", "form.title"),
        Column("AMOUNT", "form.amount"),
        Column("REQUEST", "request"),
        Column("OPENED", "createdAt"),
    ],
);

/// Every noun.
#[cfg(test)]
pub(crate) const ALL: [Noun; 20] = [
    TENANTS,
    PRODUCTS,
    CARTS,
    ORDERS,
    SUBSCRIPTIONS,
    REQUESTS,
    DECISIONS,
    RUNS,
    POLICIES,
    SCRIPTS,
    SCHEDULES,
    OCCURRENCES,
    DELIVERIES,
    MESSAGES,
    TOKENS,
    USERS,
    LEDGER,
    INVOICES,
    ACTIVITY,
    SUPPORT,
];

/// Looking at records.
#[derive(Debug, Subcommand)]
pub(crate) enum Reading {
    /// List those that fit
    List(List),
    /// Show one
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those where this holds, `status=active`; several values parted by commas; suffixes _min _max _within _before _after
    #[arg(long = "where", short = 'w', value_name = "KEY=VALUE")]
    pub(crate) wheres: Vec<String>,
    /// Records, at most
    #[arg(long, short = 'n', default_value_t = 100, value_parser = at_least_one)]
    limit: usize,
    /// Every record, page by page
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Where an earlier list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// A number of records: none at all is asked for by nobody, and would look like a list with nothing in it.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("no whole number: {error}")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id
    id: String,
}

impl Reading {
    pub(crate) async fn run(self, context: &Context, noun: Noun) -> Outcome {
        match self {
            Reading::List(list) => list.run(context, noun).await,
            Reading::Show(show) => {
                let record = find(context, noun, &show.id).await?;
                context.out.record(&record)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Show {
    /// The id that was given.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl List {
    fn query(&self) -> Result<String, Failure> {
        let mut query = String::new();
        for condition in &self.wheres {
            let Some((key, value)) = condition.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
                let told = format!("--where {condition:?} is no KEY=VALUE");
                return Err(Failure::usage(told).mend("write --where status=active"));
            };
            query.push_str(&format!("&{}={}", encoded(key.trim()), encoded(value.trim())));
        }
        Ok(query)
    }

    pub(crate) async fn run(self, context: &Context, noun: Noun) -> Outcome {
        let query = self.query()?;
        let client = context.connect(Access::Look).await?;
        let mut cursor = self.cursor.clone();
        let mut left = if self.all { usize::MAX } else { self.limit };
        let mut kept = Vec::new();
        let (mut read, mut page) = (0_usize, 0_usize);
        let whole = matches!(context.out.format, Format::Table | Format::Json);
        let columns = noun.columns_for(context.out.format);
        while left > 0 {
            let mut path = format!("/v1/{}?limit={}{query}", noun.name, left.min(PAGE));
            if let Some(cursor) = &cursor {
                path.push_str(&format!("&cursor={}", encoded(cursor)));
            }
            let answer = client.request(Method::GET, &path, None).await?;
            let body = said(&answer)?;
            if page == 0 {
                tell_findings(context, &body);
            }
            let (items, next) = page_of(body);
            (read, left) = (read + items.len(), left.saturating_sub(items.len()));
            if whole {
                kept.extend(items);
            } else {
                context.out.rows(&items, columns, page == 0)?;
            }
            page += 1;
            cursor = next;
            if cursor.is_none() || page >= PAGES_MAX {
                break;
            }
            if self.all && page.is_multiple_of(10) {
                context.out.say(&format!("{read} {} so far", noun.name));
            }
        }
        client.close();
        if whole {
            context.out.rows(&kept, columns, true)?;
        }
        if let Some(cursor) = cursor {
            context.out.say(&format!("there are more: --all, or --cursor {cursor}"));
        }
        Ok(Exit::Done)
    }
}

/// Whether a finding keeps the library from loading.
pub(crate) fn is_error(finding: &Value) -> bool {
    finding.get("severity").is_some_and(|severity| severity == "error")
}

/// Policies and scripts in force may not be what lies in the folder: then why, beside the list.
pub(crate) fn tell_findings(context: &Context, body: &Value) {
    let findings = body.get("findings").and_then(Value::as_array).into_iter().flatten();
    let errors: Vec<&Value> = findings.filter(|finding| is_error(finding)).collect();
    for finding in &errors {
        let part = |name: &str| finding.get(name).map(output::text).unwrap_or_default();
        let place = format!("{}:{}:{}", part("file"), part("line"), part("column"));
        context.out.say(&output::plain(format!("{place}: error[{}]: {}", part("code"), part("message"))));
    }
    if !errors.is_empty() {
        context.out.say("the folder is broken; the library before keeps running: `bursar check` shows every finding");
    }
}

pub(crate) fn page_of(mut body: Value) -> (Vec<Value>, Option<String>) {
    let next = body.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
    match body.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => (items, next),
        _ => (Vec::new(), None),
    }
}

/// One record by its id.
pub(crate) async fn find(context: &Context, noun: Noun, id: &str) -> Result<Value, Failure> {
    if noun.shown_by_route {
        return context.look(&format!("/v1/{}/{}", noun.name, encoded(id))).await;
    }
    let client = context.connect(Access::Look).await?;
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut path = format!("/v1/{}?limit={PAGE}", noun.name);
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        let (items, next) = page_of(said(&client.request(Method::GET, &path, None).await?)?);
        let named = |item: &Value| {
            let names = noun.names.iter().filter_map(|name| lookup(item, name));
            names.into_iter().any(|value| output::text(value) == id)
        };
        if let Some(item) = items.into_iter().find(named) {
            client.close();
            return Ok(item);
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    client.close();
    Err(Failure::new(Exit::NotFound, format!("there is no {id:?} among the {} (not_found)", noun.name)))
}
