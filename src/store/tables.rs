//! The tables, all on one screen. Codes are an append-only registry: they are part of every checksum, so a retired
//! one stays reserved.
//!
//! | kept by | tables |
//! |---|---|
//! | tenant first | tenants, standings (hot), profiles (wide), orders, open requests |
//! | own id (sorts by time) | requests, runs, deliveries, messages, tokens, users, support requests |
//! | due instant | timers, attempts |
//! | sequence | log (the store keeps its undo records beside it) |
//!
//! To add one: a constant with the next free code, its line in [`ALL`], and its record in `records/`.

use super::Table;

/// Facts about the store itself: its clock, its library's settings.
pub const META: Table = Table { code: 1, name: "meta", history: false };
/// Tenants by id.
pub const TENANTS: Table = Table { code: 2, name: "tenants", history: true };
/// The part of a subscription that moves: fixed width, by tenant and id.
pub const STANDINGS: Table = Table { code: 3, name: "standings", history: true };
/// The part of a subscription that describes it, by tenant and id.
pub const PROFILES: Table = Table { code: 4, name: "profiles", history: true };
/// Subscription id to tenant.
pub const SUBSCRIPTION_TENANTS: Table = Table { code: 5, name: "subscription_tenants", history: false };
/// Orders by tenant and id.
pub const ORDERS: Table = Table { code: 6, name: "orders", history: true };
/// Products by lower-case id.
pub const PRODUCTS: Table = Table { code: 7, name: "products", history: true };
/// Price list by lower-case product id, term and cycle.
pub const PRICES: Table = Table { code: 8, name: "prices", history: true };
/// Due instants: kind, instant, tenant, subject.
pub const TIMERS: Table = Table { code: 9, name: "timers", history: false };
/// Requests by id.
pub const REQUESTS: Table = Table { code: 10, name: "requests", history: true };
/// The open request of a subscription and kind.
pub const OPEN_REQUESTS: Table = Table { code: 11, name: "open_requests", history: false };
/// Open requests by state, for lists of what waits.
pub const REQUEST_STATES: Table = Table { code: 12, name: "request_states", history: false };
/// Decision ids; the row's sequence says which log record holds it.
pub const DECISIONS: Table = Table { code: 13, name: "decisions", history: false };
/// Runs by id.
pub const RUNS: Table = Table { code: 14, name: "runs", history: false };
/// Occurrences by trigger and due instant.
pub const OCCURRENCES: Table = Table { code: 15, name: "occurrences", history: false };
/// Subjects done of an occurrence: what makes (trigger, due, subject) unique.
pub const OCCURRENCE_SUBJECTS: Table = Table { code: 16, name: "occurrence_subjects", history: false };
/// Where each trigger has got to.
pub const TRIGGERS: Table = Table { code: 17, name: "triggers", history: false };
/// Inbound deliveries by id.
pub const DELIVERIES: Table = Table { code: 18, name: "deliveries", history: false };
/// Sender's id and hook to delivery: what makes a delivery unique.
pub const DELIVERY_KEYS: Table = Table { code: 19, name: "delivery_keys", history: false };
/// One packed record a transaction: decisions, ledger lines, activity.
pub const LOG: Table = Table { code: 20, name: "log", history: false };
/// Messages by id.
pub const MESSAGES: Table = Table { code: 21, name: "messages", history: false };
/// Attempts due: kind, instant, id, endpoint or trigger.
pub const ATTEMPTS: Table = Table { code: 22, name: "attempts", history: false };
/// Tokens by id.
pub const TOKENS: Table = Table { code: 23, name: "tokens", history: false };
/// Hash of a token's secret to its id.
pub const TOKEN_HASHES: Table = Table { code: 24, name: "token_hashes", history: false };
/// Every source that ever decided something, by content hash.
pub const SOURCES: Table = Table { code: 25, name: "sources", history: false };
/// Answers to calls with an idempotency key, by token and key.
pub const IDEMPOTENCY: Table = Table { code: 26, name: "idempotency", history: false };
/// Lower-case names and domains to tenants.
pub const TENANT_NAMES: Table = Table { code: 27, name: "tenant_names", history: false };
/// Carts by tenant and id.
pub const CARTS: Table = Table { code: 28, name: "carts", history: false };
/// What the partner asks a customer for a product, by tenant, lower-case product id, term and cycle.
pub const CUSTOMER_PRICES: Table = Table { code: 33, name: "customer_prices", history: true };
/// Invoices by the end of their month, type and currency. Their lines stay in the log.
pub const INVOICES: Table = Table { code: 34, name: "invoices", history: false };
/// What is recorded of the keys and links of a holding, by subscription.
pub const ENTITLEMENTS: Table = Table { code: 37, name: "entitlements", history: true };
/// Sealed keys and links by subscription, kind and choice. Without history: what is revoked is gone.
pub const SOFTWARE_SECRETS: Table = Table { code: 38, name: "software_secrets", history: false };
/// KMS activations by tenant, device and product.
pub const ACTIVATIONS: Table = Table { code: 39, name: "activations", history: true };
/// Activations that have not been moved, by deadline.
pub const ACTIVATION_DEADLINES: Table = Table { code: 40, name: "activation_deadlines", history: false };
/// What products come with, by lower-case product id.
pub const SOFTWARE_SHEETS: Table = Table { code: 41, name: "software_sheets", history: true };

/// Support requests by id.
pub const SUPPORT_REQUESTS: Table = Table { code: 42, name: "support_requests", history: true };
/// Support requests of a tenant: tenant, id.
pub const SUPPORT_TENANTS: Table = Table { code: 43, name: "support_tenants", history: false };

/// Users by id.
pub const USERS: Table = Table { code: 46, name: "users", history: true };
/// Lower-case names and addresses to users.
pub const USER_NAMES: Table = Table { code: 47, name: "user_names", history: false };
/// Notes of imports: whose an order is, and what waits to be told.
pub const WHEREABOUTS: Table = Table { code: 48, name: "whereabouts", history: false };

/// All tables, for opening a store.
pub static ALL: [&Table; 40] = [
    &META,
    &TENANTS,
    &STANDINGS,
    &PROFILES,
    &SUBSCRIPTION_TENANTS,
    &ORDERS,
    &PRODUCTS,
    &PRICES,
    &TIMERS,
    &REQUESTS,
    &OPEN_REQUESTS,
    &REQUEST_STATES,
    &DECISIONS,
    &RUNS,
    &OCCURRENCES,
    &OCCURRENCE_SUBJECTS,
    &TRIGGERS,
    &DELIVERIES,
    &DELIVERY_KEYS,
    &LOG,
    &MESSAGES,
    &ATTEMPTS,
    &TOKENS,
    &TOKEN_HASHES,
    &SOURCES,
    &IDEMPOTENCY,
    &TENANT_NAMES,
    &CARTS,
    &CUSTOMER_PRICES,
    &INVOICES,
    &ENTITLEMENTS,
    &SOFTWARE_SECRETS,
    &ACTIVATIONS,
    &ACTIVATION_DEADLINES,
    &SOFTWARE_SHEETS,
    &SUPPORT_REQUESTS,
    &SUPPORT_TENANTS,
    &USERS,
    &USER_NAMES,
    &WHEREABOUTS,
];

/// What a timer row is for. Codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimerKind {
    /// The end of a term: renew or expire.
    TermEnd = 1,
    /// The end of a billing cycle inside a term.
    CycleEnd = 2,
    /// The next status without anybody's doing.
    NextStep = 3,
    /// A waiting request stops waiting.
    RequestExpiry = 4,
    /// A scheduled request takes effect.
    RequestDue = 5,
    /// Index only: a cancellation or seat window ends.
    WindowEnd = 6,
    /// Index only: a trial ends.
    TrialEnd = 7,
    /// Index only: data is deleted.
    Deletion = 8,
}

impl TimerKind {
    /// The kinds that make something happen by themselves, in the order of one instant.
    pub const DOMAIN: [TimerKind; 5] =
        [TimerKind::TermEnd, TimerKind::CycleEnd, TimerKind::NextStep, TimerKind::RequestDue, TimerKind::RequestExpiry];
}

/// What an attempt row is for. Codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AttemptKind {
    /// A delivery to be taken by a file.
    Delivery = 1,
    /// A message to be sent to an endpoint.
    Message = 2,
}
