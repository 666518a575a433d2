//! The HTTP side: what a request must look like before a route sees it, who asks, what each route answers, and what a
//! refusal looks like on the wire.
//!
//! One file a noun. A handler reads its input strictly, calls one operation, and shows what came of it; no rule of the
//! business stands here. To add a route: a handler, its line in [`router`] and its line in [`routes`].

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::app::App;
use crate::domain::Id;
use crate::domain::ids::Noun;
use problem::Problem;

mod activations;
mod activity;
pub mod auth;
mod body;
mod cancellations;
mod carts;
mod catalog;
mod clock;
mod collections;
mod customers;
mod exchange;
mod export;
pub mod guard;
mod health;
mod hooks;
mod invoices;
mod json;
mod library;
pub mod lists;
mod orders;
mod prices;
pub mod problem;
mod rates;
mod records;
pub mod refused;
mod reply;
mod requests;
mod roles;
pub mod routes;
mod software;
mod store;
mod subscriptions;
mod support;
mod tenants;
mod terms;
mod tokens;
mod users;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) app: App,
    hooks: Arc<hooks::Memory>,
    /// How often each access token is used, by the hash of its secret.
    tokens: Arc<rates::Rates<[u8; 32]>>,
}

/// Every route, for serving behind a [`guard::Guard`] or for calling in process. A caller in process is the operator
/// when it puts [`auth::Peer::Operator`] into the request's extensions.
pub fn router(app: App) -> Router {
    let limits = &app.config().limits;
    let limit = limits.import_body_bytes;
    let hooks = Arc::new(hooks::Memory::new(limits));
    let tokens = Arc::new(rates::Rates::new(limits.calls_at_once, limits.calls));
    let doors = Doors { app, hooks, tokens };
    commerce()
        .merge(software_routes())
        .merge(shop())
        .merge(support_requests())
        .merge(records())
        .merge(machinery())
        .route_layer(from_fn_with_state(doors.clone(), auth::authenticate))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(doors)
}

/// Tenants, subscriptions, requests; and Partner Center's own routes.
fn commerce() -> Router<Doors> {
    Router::new()
        .route("/v1/tenants", get(tenants::list))
        .route("/v1/tenants/{id}", get(tenants::show))
        .route("/v1/tenants/{id}/account", post(tenants::account))
        .route("/v1/tenants/{id}/labels/{name}", put(tenants::label).delete(tenants::unlabel))
        .route("/v1/tenants/{id}/prices", get(prices::list).put(prices::set))
        .route("/v1/products", get(records::products))
        .route("/v1/products/{id}", get(records::product))
        .route("/v1/subscriptions", get(subscriptions::list))
        .route("/v1/subscriptions/{id}", get(subscriptions::show))
        .route("/v1/subscriptions/{id}/story", get(subscriptions::story))
        .route("/v1/subscriptions/{id}/quote", get(subscriptions::quote))
        .route("/v1/subscriptions/{id}/labels/{name}", put(subscriptions::label).delete(subscriptions::unlabel))
        .route("/v1/subscriptions/{id}/requests", post(requests::propose))
        .route("/v1/cancellations", post(cancellations::ask))
        .route("/v1/requests", get(requests::list))
        .route("/v1/requests/{id}", get(requests::show))
        .route("/v1/requests/{id}/approve", post(requests::approve))
        .route("/v1/requests/{id}/deny", post(requests::deny))
        .route("/v1/requests/{id}/withdraw", post(requests::withdraw))
        .route("/v1/customers", get(customers::list).post(customers::create))
        .route("/v1/customers/{tenant}", get(customers::show))
        .route("/v1/customers/{tenant}/profiles/company", get(customers::company_profile))
        .route("/v1/customers/{tenant}/profiles/billing", get(customers::billing_profile))
        .route("/v1/customers/{tenant}/subscriptions", get(customers::list_subscriptions))
        .route("/v1/customers/{tenant}/subscriptions/{id}", get(customers::show_subscription).patch(customers::patch))
        .route("/v1/customers/{tenant}/subscriptions/{id}/addons", get(customers::below::add_ons))
        .route(
            "/v1/customers/{tenant}/subscriptions/{id}/conversions",
            get(customers::below::conversions).post(customers::below::convert),
        )
        .route("/v1/customers/{tenant}/subscriptions/{id}/transitions", post(customers::below::transition))
        .route("/v1/customers/{tenant}/subscriptions/{id}/provisioningstatus", get(customers::below::provisioning))
        .route("/v1/customers/{tenant}/subscriptions/{id}/activationlinks", get(customers::below::activation_links))
        .route(
            "/v1/customers/{tenant}/orders/{id}/lineitems/{line}/activationlinks",
            get(customers::below::activation_links_of_line),
        )
}

/// Software with its keys, and the devices it is moved on.
fn software_routes() -> Router<Doors> {
    Router::new()
        .route("/v1/software", get(software::sheets).post(software::describe))
        .route("/v1/software/reseal", post(software::reseal))
        .route("/v1/customers/{tenant}/software", get(software::list))
        .route("/v1/customers/{tenant}/software/{id}", get(software::show))
        .route("/v1/customers/{tenant}/software/{id}/keys", post(software::put))
        .route("/v1/customers/{tenant}/software/{id}/keys/get", post(software::key))
        .route("/v1/customers/{tenant}/software/{id}/links/get", post(software::link))
        .route("/v1/activations", get(activations::due))
        .route("/v1/customers/{tenant}/activations", get(activations::list).post(activations::record))
        .route("/v1/customers/{tenant}/activations/moved", post(activations::moved))
        .route("/v1/customers/{tenant}/activations/plan", get(activations::plan))
        .route("/v1/customers/{tenant}/activations/help", post(activations::help))
}

/// Support requests, in our own JSON and in Partner Center's.
fn support_requests() -> Router<Doors> {
    Router::new()
        .route("/v1/support", get(support::list).post(support::open))
        .route("/v1/support/{id}", get(support::show).patch(support::update))
        .route("/v1/support/{id}/note", post(support::note))
        .route("/v1/support/{id}/close", post(support::close))
        .route("/v1/servicerequests", get(support::theirs::list).post(support::theirs::open))
        .route("/v1/servicerequests/supporttopics", get(support::theirs::topics))
        .route("/v1/servicerequests/{id}", get(support::theirs::show).patch(support::theirs::patch))
        .route("/v1/customers/{tenant}/servicerequests", get(support::theirs::of_customer))
}

/// The catalogue, carts and orders.
fn shop() -> Router<Doors> {
    Router::new()
        .route("/v1/offers", get(catalog::list_offers))
        .route("/v1/offers/{id}", get(catalog::show_offer))
        .route("/v1/offers/{id}/addons", get(catalog::add_ons))
        .route("/v1/products/{id}/skus", get(catalog::skus))
        .route("/v1/products/{id}/skus/{sku}", get(catalog::sku))
        .route("/v1/products/{id}/skus/{sku}/availabilities", get(catalog::availabilities))
        .route("/v1/products/{id}/skus/{sku}/availabilities/{availability}", get(catalog::availability))
        .route("/v1/tenants/{id}/offers", get(catalog::of_tenant))
        .route("/v1/tenants/{id}/offers/{name}", get(catalog::eligibility))
        .route("/v1/carts", get(carts::list))
        .route("/v1/orders", get(orders::list_all))
        .route("/v1/customers/{tenant}/agreements", get(catalog::agreements).post(catalog::agree))
        .route("/v1/customers/{tenant}/offers", get(catalog::offers_of))
        .route("/v1/customers/{tenant}/products", get(catalog::products_of))
        .route("/v1/customers/{tenant}/carts", post(carts::create))
        .route("/v1/customers/{tenant}/carts/{id}", get(carts::show).put(carts::update))
        .route("/v1/customers/{tenant}/carts/{id}/review", get(carts::review))
        .route("/v1/customers/{tenant}/carts/{id}/checkout", post(carts::check_out))
        .route("/v1/customers/{tenant}/orders", get(orders::list).post(orders::create))
        .route("/v1/customers/{tenant}/orders/{id}", get(orders::show).patch(orders::patch))
        .route("/v1/customers/{tenant}/orders/{id}/subscriptions", get(orders::subscriptions))
        .route("/v1/customers/{tenant}/orders/{id}/provisioningstatus", get(orders::provisioning))
}

/// What happened and what came and went.
fn records() -> Router<Doors> {
    Router::new()
        .route("/v1/decisions", get(records::decisions))
        .route("/v1/decisions/{id}", get(records::decision))
        .route("/v1/runs", get(records::runs))
        .route("/v1/runs/{id}", get(records::run))
        .route("/v1/occurrences", get(records::occurrences))
        .route("/v1/ledger", get(records::lines))
        .route("/v1/invoices", get(invoices::list))
        .route("/v1/invoices/unbilled", get(invoices::unbilled))
        .route("/v1/invoices/summary", get(invoices::summary))
        .route("/v1/invoices/summaries", get(invoices::summaries))
        .route("/v1/invoices/{id}/account", post(invoices::account))
        .route("/v1/invoices/{id}", get(invoices::show))
        .route("/v1/invoices/{id}/lineitems", get(invoices::line_items))
        .route("/v1/invoices/{id}/lineitems/{provider}/{kind}", get(invoices::line_items_of))
        .route("/v1/invoices/{id}/customers/{tenant}", get(invoices::statement))
        .route("/v1/activity", get(activity::list))
        .route("/v1/activity/checkpoint", get(activity::checkpoint))
        .route("/v1/auditrecords", get(activity::audit_records))
        .route("/v1/deliveries", get(exchange::list_deliveries))
        .route("/v1/deliveries/{id}", get(exchange::delivery))
        .route("/v1/deliveries/{id}/redrive", post(exchange::redrive))
        .route("/v1/messages", get(exchange::list_messages))
        .route("/v1/messages/{id}", get(exchange::message))
        .route("/v1/messages/{id}/resend", post(exchange::resend))
        .route("/v1/export", get(export::all))
}

/// The machine itself: library, clock, tokens, health; and the hooks.
fn machinery() -> Router<Doors> {
    Router::new()
        .route("/v1/policies", get(library::policies))
        .route("/v1/scripts", get(library::scripts))
        .route("/v1/schedules", get(library::list_schedules))
        .route("/v1/sources/{hash}", get(library::source))
        .route("/v1/library/reload", post(library::reload))
        .route("/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/v1/tokens/{id}", delete(tokens::revoke).get(tokens::show))
        .route("/v1/users", get(users::list).post(users::create))
        .route("/v1/users/{id}", get(users::show).patch(users::update))
        .route("/v1/roles", get(roles::matrix))
        .route("/v1/whoami", get(roles::whoami))
        .route("/v1/clock", get(clock::show))
        .route("/v1/clock/advance", post(clock::advance))
        .route("/v1/upcoming", get(clock::upcoming))
        .route("/v1/import", post(clock::import))
        .route("/v1/run", post(clock::by_hand))
        .route("/v1/decide", post(terms::decide))
        .route("/v1/terms", get(terms::list))
        .route("/v1/terms/{family}", get(terms::show))
        .route("/v1/terms/quote", post(terms::quote))
        .route("/hooks/{hook}", post(hooks::take))
        .route("/v1/backup", post(store::backup))
        .route("/v1/verify", post(store::verify))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}

/// An identifier of ours in a path: one of another noun names nothing here.
fn id(noun: Noun, text: &str) -> Result<Id, Problem> {
    let id: Id = text.parse()?;
    if id.noun == noun {
        return Ok(id);
    }
    Err(Problem::new(404, "not_found", format!("there is nothing called {id} here")))
}
