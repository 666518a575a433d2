//! What can be selected by: the fields of every noun and their types. A new field is a line here and one in `fields`.

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text, as it is.
    Text,
    /// An identifier; case does not matter.
    Id,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// Yes or no.
    Bool,
    /// An instant.
    Instant,
    /// A length of time.
    Span,
    /// An amount.
    Money,
}

impl Type {
    /// What it is, for people.
    pub fn describe(self) -> String {
        match self {
            Type::Text => "a text".to_owned(),
            Type::Id => "an identifier".to_owned(),
            Type::Word(words) => format!("one of {}", words.join(", ")),
            Type::Integer => "a whole number".to_owned(),
            Type::Bool => "true or false".to_owned(),
            Type::Instant => "a date such as 2027-01-31 or 2027-01-31T00:00:00Z".to_owned(),
            Type::Span => "a duration such as P30D".to_owned(),
            Type::Money => "an amount such as 10.08 EUR".to_owned(),
        }
    }
}

/// The fields of a noun.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The noun, plural.
    pub noun: &'static str,
    /// Canonical names and types.
    pub fields: &'static [(&'static str, Type)],
    /// Other names: Partner Center's, and short ones.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Whether records of it carry labels.
    pub labels: bool,
}

impl Schema {
    /// Every schema.
    pub const ALL: [&'static Schema; 19] = [
        &TENANTS,
        &SUBSCRIPTIONS,
        &ORDERS,
        &CARTS,
        &OFFERS,
        &REQUESTS,
        &DECISIONS,
        &RUNS,
        &PRODUCTS,
        &DELIVERIES,
        &MESSAGES,
        &LEDGER,
        &INVOICES,
        &SCHEDULES,
        &POLICIES,
        &TOKENS,
        &SUPPORT,
        &USERS,
        &ACTIVITY,
    ];

    /// The schema of a noun.
    pub fn of(noun: &str) -> Option<&'static Schema> {
        Schema::ALL.into_iter().find(|schema| schema.noun == noun)
    }

    /// The canonical name of a field or of an alias.
    pub fn canonical(&self, name: &str) -> Option<&'static str> {
        let alias = self.aliases.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| field);
        self.fields.iter().find(|(field, _)| *field == alias).map(|(field, _)| *field)
    }

    /// The type of a field by its canonical name.
    pub fn kind(&self, field: &str) -> Option<Type> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, kind)| *kind)
    }

    /// Every name there is: fields, then aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.fields.iter().map(|(name, _)| *name).chain(self.aliases.iter().map(|(alias, _)| *alias))
    }
}

const STATUS: Type = Type::Word(&["pending", "active", "suspended", "expired", "disabled", "deleted", "unknown"]);
const RENEWAL: Type = Type::Word(&["open", "waiting", "scheduled", "denied", "refused"]);
const ATTENTION: Type = Type::Word(&["none", "term_end_passed", "price_unknown", "terms_missed", "activation_pending"]);
const KIND: Type = Type::Word(&[
    "renewal",
    "suspension",
    "reactivation",
    "cancellation",
    "auto_renew",
    "quantity",
    "purchase",
    "activation",
    "conversion",
    "schedule",
    "billing_plan",
    "deprovision",
    "upgrade",
]);
const REASON: Type = Type::Word(&["customer_request", "non_payment", "fraud"]);
const STATE: Type =
    Type::Word(&["waiting", "scheduled", "applied", "denied", "refused", "withdrawn", "expired", "failed"]);
const VERDICT: Type = Type::Word(&["abstain", "approve", "review", "deny"]);
const UPSTREAM: Type = Type::Word(&["none", "pending", "confirmed", "differs"]);
const ENDING: Type = Type::Word(&["completed", "failed", "limit_exceeded"]);
const DELIVERY: Type = Type::Word(&["pending", "processed", "ignored", "rejected", "dead"]);
const MESSAGE: Type = Type::Word(&["pending", "sent", "dead"]);
const OCCURRENCE: Type = Type::Word(&["running", "ran", "skipped", "coalesced", "missed"]);
const CHARGE: Type = Type::Word(&[
    "new",
    "renew",
    "cycleCharge",
    "addQuantity",
    "removeQuantity",
    "cancelImmediate",
    "convert",
    "changeBillingPlan",
    "customerCredit",
]);

/// Tenants.
pub static TENANTS: Schema = Schema {
    noun: "tenants",
    fields: &[
        ("id", Type::Id),
        ("company_name", Type::Text),
        ("domain", Type::Id),
        ("country", Type::Id),
        ("opened_at", Type::Instant),
        ("is_overdue", Type::Bool),
        ("overdue_since", Type::Instant),
        ("generation", Type::Integer),
    ],
    aliases: &[("tenant", "id"), ("customer", "id"), ("overdue", "is_overdue")],
    labels: true,
};

/// Subscriptions.
pub static SUBSCRIPTIONS: Schema = Schema {
    noun: "subscriptions",
    fields: &[
        ("id", Type::Id),
        ("tenant", Type::Id),
        ("status", STATUS),
        ("family", Type::Text),
        ("quantity", Type::Integer),
        ("auto_renew_enabled", Type::Bool),
        ("cancel_at_term_end", Type::Bool),
        ("is_extended", Type::Bool),
        ("effective_start_date", Type::Instant),
        ("commitment_end_date", Type::Instant),
        ("billing_cycle_end_date", Type::Instant),
        ("cancellation_allowed_until_date", Type::Instant),
        ("creation_date", Type::Instant),
        ("status_since", Type::Instant),
        ("next_step_at", Type::Instant),
        ("renewal", RENEWAL),
        ("attention", ATTENTION),
        ("term_duration", Type::Span),
        ("billing_cycle", Type::Text),
        ("billing_type", Type::Text),
        ("offer_id", Type::Id),
        ("offer_name", Type::Text),
        ("friendly_name", Type::Text),
        ("product_type", Type::Id),
        ("publisher_name", Type::Text),
        ("unit_price", Type::Money),
        ("is_trial", Type::Bool),
        ("is_add_on", Type::Bool),
        ("parent_subscription_id", Type::Id),
        ("order_id", Type::Id),
        ("partner_id", Type::Id),
        ("suspension_reason", REASON),
        ("listed", Type::Bool),
        ("generation", Type::Integer),
    ],
    aliases: &[
        ("term_end", "commitment_end_date"),
        ("term_start", "effective_start_date"),
        ("cycle_end", "billing_cycle_end_date"),
        ("window_end", "cancellation_allowed_until_date"),
        ("purchased_at", "creation_date"),
        ("attention_needed", "attention"),
        ("auto_renew", "auto_renew_enabled"),
        ("subscription", "id"),
        ("tenant_id", "tenant"),
        ("customer", "tenant"),
        ("customer_id", "tenant"),
        ("parent", "parent_subscription_id"),
        ("mpn_id", "partner_id"),
    ],
    labels: true,
};

/// Orders.
pub static ORDERS: Schema = Schema {
    noun: "orders",
    fields: &[
        ("id", Type::Id),
        ("tenant", Type::Id),
        ("creation_date", Type::Instant),
        ("billing_cycle", Type::Text),
        ("status", Type::Text),
        ("subscription", Type::Id),
    ],
    aliases: &[("customer", "tenant")],
    labels: false,
};

/// Carts.
pub static CARTS: Schema = Schema {
    noun: "carts",
    fields: &[
        ("id", Type::Id),
        ("tenant", Type::Id),
        ("status", Type::Word(&["active", "ordered"])),
        ("creation_timestamp", Type::Instant),
        ("expiration_timestamp", Type::Instant),
        ("catalog_item_id", Type::Id),
        ("order", Type::Id),
    ],
    aliases: &[("customer", "tenant"), ("expires_at", "expiration_timestamp")],
    labels: false,
};

/// Offers of a customer: what its list can be narrowed to.
pub static OFFERS: Schema = Schema {
    noun: "offers",
    fields: &[
        ("tenant", Type::Id),
        ("publisher", Type::Word(&["microsoft", "partner"])),
        ("billing", Type::Word(&["license", "usage"])),
        ("category", Type::Word(&["enterprise", "small_business", "trial", "nonprofit"])),
        ("segment", Type::Word(&["commercial", "education", "government", "nonprofit"])),
        ("limited", Type::Bool),
        ("text", Type::Text),
        ("base", Type::Id),
        ("why", Type::Bool),
    ],
    aliases: &[],
    labels: false,
};

/// Requests.
pub static REQUESTS: Schema = Schema {
    noun: "requests",
    fields: &[
        ("id", Type::Id),
        ("tenant", Type::Id),
        ("subscription", Type::Id),
        ("kind", KIND),
        ("state", STATE),
        ("is_open", Type::Bool),
        ("proposed_by", Type::Text),
        ("proposed_at", Type::Instant),
        ("cause", Type::Text),
        ("expires_at", Type::Instant),
        ("scheduled_for", Type::Instant),
        ("closed_at", Type::Instant),
        ("allowed_until", Type::Instant),
        ("rule", Type::Text),
        ("code", Type::Text),
        ("charge", Type::Money),
        ("refund", Type::Money),
        ("role", Type::Text),
        ("upstream", UPSTREAM),
    ],
    aliases: &[("customer", "tenant"), ("at", "proposed_at"), ("open", "is_open")],
    labels: false,
};

/// Decisions.
pub static DECISIONS: Schema = Schema {
    noun: "decisions",
    fields: &[
        ("id", Type::Id),
        ("request", Type::Id),
        ("tenant", Type::Id),
        ("subscription", Type::Id),
        ("kind", KIND),
        ("at", Type::Instant),
        ("verdict", VERDICT),
        ("became", STATE),
        ("file", Type::Text),
    ],
    aliases: &[("customer", "tenant")],
    labels: false,
};

/// Runs.
pub static RUNS: Schema = Schema {
    noun: "runs",
    fields: &[
        ("id", Type::Id),
        ("file", Type::Text),
        ("handler", Type::Text),
        ("cause", Type::Text),
        ("at", Type::Instant),
        ("due", Type::Instant),
        ("ending", ENDING),
        ("code", Type::Text),
    ],
    aliases: &[],
    labels: false,
};

/// Products.
pub static PRODUCTS: Schema = Schema {
    noun: "products",
    fields: &[
        ("id", Type::Id),
        ("name", Type::Text),
        ("family", Type::Text),
        ("is_trial", Type::Bool),
        ("is_add_on", Type::Bool),
        ("billing_cycle", Type::Text),
        ("billing", Type::Text),
        ("category", Type::Text),
        ("publisher", Type::Word(&["microsoft", "partner"])),
        ("publisher_name", Type::Text),
        ("product_type", Type::Id),
        ("segment", Type::Word(&["commercial", "education", "government", "nonprofit"])),
        ("country", Type::Id),
        ("is_limited", Type::Bool),
        ("is_item", Type::Bool),
    ],
    aliases: &[],
    labels: false,
};

/// Inbound calls.
pub static DELIVERIES: Schema = Schema {
    noun: "deliveries",
    fields: &[
        ("id", Type::Id),
        ("hook", Type::Text),
        ("webhook_id", Type::Text),
        ("type", Type::Text),
        ("at", Type::Instant),
        ("sent_at", Type::Instant),
        ("state", DELIVERY),
    ],
    aliases: &[("event_type", "type")],
    labels: false,
};

/// Outbound messages; `state` and `endpoint` are those of any addressee.
pub static MESSAGES: Schema = Schema {
    noun: "messages",
    fields: &[
        ("id", Type::Id),
        ("topic", Type::Text),
        ("at", Type::Instant),
        ("tenant", Type::Id),
        ("subscription", Type::Id),
        ("request", Type::Id),
        ("state", MESSAGE),
        ("endpoint", Type::Text),
    ],
    aliases: &[("customer", "tenant")],
    labels: false,
};

/// Ledger lines.
pub static LEDGER: Schema = Schema {
    noun: "ledger",
    fields: &[
        ("id", Type::Id),
        ("at", Type::Instant),
        ("seq", Type::Integer),
        ("tenant", Type::Id),
        ("subscription", Type::Id),
        ("request", Type::Id),
        ("kind", CHARGE),
        ("quantity", Type::Integer),
        ("amount", Type::Money),
        ("currency", Type::Id),
        ("period_start", Type::Instant),
        ("period_end", Type::Instant),
        ("rule", Type::Text),
        ("tax", Type::Money),
        ("order_id", Type::Id),
        ("offer_id", Type::Id),
        ("reverses", Type::Id),
    ],
    aliases: &[("customer", "tenant"), ("charge_type", "kind"), ("order", "order_id"), ("product", "offer_id")],
    labels: false,
};

/// Invoices.
pub static INVOICES: Schema = Schema {
    noun: "invoices",
    fields: &[
        ("id", Type::Id),
        ("invoice_date", Type::Instant),
        ("billing_period_start", Type::Instant),
        ("billing_period_end", Type::Instant),
        ("currency", Type::Id),
        ("invoice_type", Type::Word(&["OneTime", "Recurring"])),
        ("total", Type::Money),
        ("lines", Type::Integer),
        ("customers", Type::Integer),
    ],
    aliases: &[("currency_code", "currency"), ("month", "billing_period_start")],
    labels: false,
};

/// Occurrences of schedules.
pub static SCHEDULES: Schema = Schema {
    noun: "schedules",
    fields: &[
        ("trigger", Type::Text),
        ("file", Type::Text),
        ("due", Type::Instant),
        ("at", Type::Instant),
        ("state", OCCURRENCE),
        ("run", Type::Id),
    ],
    aliases: &[],
    labels: false,
};

/// Policies and scripts of the library.
pub static POLICIES: Schema = Schema {
    noun: "policies",
    fields: &[
        ("file", Type::Text),
        ("decides", KIND),
        ("enabled", Type::Bool),
        ("mode", Type::Word(&["enforce", "observe"])),
        ("hash", Type::Id),
    ],
    aliases: &[("path", "file"), ("kind", "decides")],
    labels: false,
};

/// Access tokens.
pub static TOKENS: Schema = Schema {
    noun: "tokens",
    fields: &[
        ("id", Type::Id),
        ("name", Type::Text),
        ("role", Type::Text),
        ("created_at", Type::Instant),
        ("expires_at", Type::Instant),
        ("revoked", Type::Bool),
    ],
    aliases: &[],
    labels: false,
};

/// Support requests.
pub static SUPPORT: Schema = Schema {
    noun: "support",
    fields: &[
        ("id", Type::Id),
        ("tenant", Type::Id),
        ("status", Type::Word(&["none", "open", "closed", "attention_needed"])),
        ("severity", Type::Word(&["unknown", "critical", "moderate", "minimal"])),
        ("problem", Type::Text),
        ("title", Type::Text),
        ("subscription", Type::Id),
        ("order_id", Type::Id),
        ("request", Type::Id),
        ("amount", Type::Money),
        ("opened_by", Type::Text),
        ("created_at", Type::Instant),
        ("modified_at", Type::Instant),
        ("closed_at", Type::Instant),
        ("resolution", Type::Word(&["granted", "declined", "withdrawn"])),
    ],
    aliases: &[("customer", "tenant"), ("created_date", "created_at"), ("order", "order_id"), ("type", "problem")],
    labels: false,
};

/// Users.
pub static USERS: Schema = Schema {
    noun: "users",
    fields: &[
        ("id", Type::Id),
        ("name", Type::Text),
        ("email", Type::Text),
        ("role", Type::Text),
        ("assigned", Type::Id),
        ("customer", Type::Id),
        ("state", Type::Word(&["active", "disabled"])),
        ("created_at", Type::Instant),
    ],
    aliases: &[("roles", "role"), ("tenant", "customer")],
    labels: false,
};

/// The activity log; `operation` is our word for what was done or Partner Center's.
pub static ACTIVITY: Schema = Schema {
    noun: "activity",
    fields: &[
        ("id", Type::Text),
        ("at", Type::Instant),
        ("by", Type::Text),
        ("operation", Type::Id),
        ("resource_type", Type::Id),
        ("operation_status", Type::Word(&["succeeded", "failed", "progress", "decline"])),
        ("tenant", Type::Id),
        ("company_name", Type::Id),
        ("subscription", Type::Id),
        ("request", Type::Id),
        ("cause", Type::Text),
    ],
    aliases: &[
        ("customer", "tenant"),
        ("customer_id", "tenant"),
        ("customer_name", "company_name"),
        ("operation_type", "operation"),
        ("operation_date", "at"),
        ("user", "by"),
        ("resource", "resource_type"),
        ("status", "operation_status"),
    ],
    labels: false,
};

/// A camelCase name in snake_case; others as they are.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(letter.to_ascii_lowercase());
        } else {
            out.push(letter);
        }
    }
    out
}

/// The known name nearest to a written one: at most a third of it is different.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(64).collect();
    let allowed = (written.chars().count() / 3).clamp(1, 4);
    let (distance, name) = known.map(|name| (distance(&written, name), name)).min()?;
    (distance <= allowed).then_some(name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, mine) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, theirs) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(mine != theirs);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *theirs && other[j - 1] == *mine {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}
