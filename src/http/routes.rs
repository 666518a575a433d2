//! Every route there is, with the grant its operation asks for. A path that is missing here is not served.

use axum::http::Method;

use super::auth::table_method;

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The grant that its operation asks for; empty for a public route.
    pub grant: &'static str,
}

const fn route(method: &'static str, path: &'static str, grant: &'static str) -> Route {
    Route { method, path, grant }
}

/// The routes that answer to anybody.
pub const PUBLIC: &[Route] = &[
    route("GET", "/livez", ""),
    route("GET", "/readyz", ""),
    route("GET", "/metrics", ""),
    route("POST", "/hooks/{hook}", ""),
];

/// The routes that tell somebody of themselves: they answer to every token and to the operator.
pub const OWN: &[Route] = &[route("GET", "/v1/whoami", "")];

/// The routes that answer to a token or to the operator.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/tenants", "tenants.read"),
    route("GET", "/v1/tenants/{id}", "tenants.read"),
    route("POST", "/v1/tenants/{id}/account", "tenants.account"),
    route("PUT", "/v1/tenants/{id}/labels/{name}", "labels.write"),
    route("DELETE", "/v1/tenants/{id}/labels/{name}", "labels.write"),
    route("GET", "/v1/tenants/{id}/prices", "prices.read"),
    route("PUT", "/v1/tenants/{id}/prices", "prices.write"),
    route("GET", "/v1/products", "products.read"),
    route("GET", "/v1/products/{id}", "products.read"),
    route("GET", "/v1/subscriptions", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}/story", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}/quote", "subscriptions.read"),
    route("PUT", "/v1/subscriptions/{id}/labels/{name}", "labels.write"),
    route("DELETE", "/v1/subscriptions/{id}/labels/{name}", "labels.write"),
    route("POST", "/v1/subscriptions/{id}/requests", "propose.KIND"),
    route("POST", "/v1/cancellations", "propose.cancellation"),
    route("GET", "/v1/requests", "requests.read"),
    route("GET", "/v1/requests/{id}", "requests.read"),
    route("POST", "/v1/requests/{id}/approve", "decide.KIND"),
    route("POST", "/v1/requests/{id}/deny", "decide.KIND"),
    route("POST", "/v1/requests/{id}/withdraw", "decide.KIND"),
    route("GET", "/v1/decisions", "decisions.read"),
    route("GET", "/v1/decisions/{id}", "decisions.read"),
    route("GET", "/v1/runs", "runs.read"),
    route("GET", "/v1/runs/{id}", "runs.read"),
    route("GET", "/v1/policies", "policies.read"),
    route("GET", "/v1/scripts", "policies.read"),
    route("GET", "/v1/sources/{hash}", "policies.read"),
    route("GET", "/v1/schedules", "schedules.read"),
    route("GET", "/v1/occurrences", "schedules.read"),
    route("GET", "/v1/deliveries", "deliveries.read"),
    route("GET", "/v1/deliveries/{id}", "deliveries.read"),
    route("POST", "/v1/deliveries/{id}/redrive", "deliveries.redrive"),
    route("GET", "/v1/messages", "messages.read"),
    route("GET", "/v1/messages/{id}", "messages.read"),
    route("POST", "/v1/messages/{id}/resend", "messages.resend"),
    route("GET", "/v1/tokens", "tokens.read"),
    route("POST", "/v1/tokens", "tokens.manage"),
    route("GET", "/v1/tokens/{id}", "tokens.read"),
    route("DELETE", "/v1/tokens/{id}", "tokens.manage"),
    route("GET", "/v1/support", "support.read"),
    route("POST", "/v1/support", "support.write"),
    route("GET", "/v1/support/{id}", "support.read"),
    route("PATCH", "/v1/support/{id}", "support.write"),
    route("POST", "/v1/support/{id}/note", "support.write"),
    route("POST", "/v1/support/{id}/close", "support.write"),
    route("GET", "/v1/servicerequests", "support.read"),
    route("POST", "/v1/servicerequests", "support.write"),
    route("GET", "/v1/servicerequests/supporttopics", "support.read"),
    route("GET", "/v1/servicerequests/{id}", "support.read"),
    route("PATCH", "/v1/servicerequests/{id}", "support.write"),
    route("GET", "/v1/customers/{tenant}/servicerequests", "support.read"),
    route("GET", "/v1/users", "users.read"),
    route("POST", "/v1/users", "users.manage"),
    route("GET", "/v1/users/{id}", "users.read"),
    route("PATCH", "/v1/users/{id}", "users.manage"),
    route("GET", "/v1/roles", "roles.read"),
    route("GET", "/v1/ledger", "ledger.read"),
    route("GET", "/v1/invoices", "invoices.read"),
    route("GET", "/v1/invoices/unbilled", "invoices.read"),
    route("GET", "/v1/invoices/summary", "invoices.read"),
    route("GET", "/v1/invoices/summaries", "invoices.read"),
    route("POST", "/v1/invoices/{id}/account", "tenants.account"),
    route("GET", "/v1/invoices/{id}", "invoices.read"),
    route("GET", "/v1/invoices/{id}/lineitems", "invoices.read"),
    route("GET", "/v1/invoices/{id}/lineitems/{provider}/{kind}", "invoices.read"),
    route("GET", "/v1/invoices/{id}/customers/{tenant}", "invoices.read"),
    route("GET", "/v1/activity", "activity.read"),
    route("GET", "/v1/activity/checkpoint", "activity.read"),
    route("GET", "/v1/auditrecords", "activity.read"),
    route("POST", "/v1/library/reload", "library.reload"),
    route("GET", "/v1/clock", "schedules.read"),
    route("POST", "/v1/clock/advance", "store.admin"),
    route("POST", "/v1/import", "store.admin"),
    route("GET", "/v1/upcoming", "subscriptions.read"),
    route("POST", "/v1/decide", "propose.KIND"),
    route("GET", "/v1/terms", "products.read"),
    route("GET", "/v1/terms/{family}", "products.read"),
    route("POST", "/v1/run", "scripts.run"),
    route("POST", "/v1/terms/quote", "products.read"),
    route("GET", "/v1/export", "store.admin"),
    route("POST", "/v1/backup", "store.admin"),
    route("POST", "/v1/verify", "activity.read"),
    route("GET", "/v1/customers", "tenants.read"),
    route("POST", "/v1/customers", "tenants.write"),
    route("GET", "/v1/customers/{tenant}", "tenants.read"),
    route("GET", "/v1/customers/{tenant}/profiles/company", "tenants.read"),
    route("GET", "/v1/customers/{tenant}/profiles/billing", "tenants.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}", "subscriptions.read"),
    route("PATCH", "/v1/customers/{tenant}/subscriptions/{id}", "propose.KIND"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}/addons", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}/conversions", "subscriptions.read"),
    route("POST", "/v1/customers/{tenant}/subscriptions/{id}/conversions", "propose.KIND"),
    route("POST", "/v1/customers/{tenant}/subscriptions/{id}/transitions", "propose.KIND"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}/provisioningstatus", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}/activationlinks", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/orders/{id}/lineitems/{line}/activationlinks", "orders.read"),
    route("GET", "/v1/customers/{tenant}/orders", "orders.read"),
    route("POST", "/v1/customers/{tenant}/orders", "propose.purchase"),
    route("GET", "/v1/customers/{tenant}/orders/{id}", "orders.read"),
    route("PATCH", "/v1/customers/{tenant}/orders/{id}", "propose.cancellation"),
    route("GET", "/v1/customers/{tenant}/orders/{id}/subscriptions", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/orders/{id}/provisioningstatus", "orders.read"),
    route("GET", "/v1/customers/{tenant}/agreements", "tenants.read"),
    route("POST", "/v1/customers/{tenant}/agreements", "tenants.account"),
    route("GET", "/v1/customers/{tenant}/offers", "products.read"),
    route("GET", "/v1/customers/{tenant}/products", "products.read"),
    route("POST", "/v1/customers/{tenant}/carts", "propose.purchase"),
    route("GET", "/v1/customers/{tenant}/carts/{id}", "carts.read"),
    route("PUT", "/v1/customers/{tenant}/carts/{id}", "propose.purchase"),
    route("GET", "/v1/customers/{tenant}/carts/{id}/review", "carts.read"),
    route("POST", "/v1/customers/{tenant}/carts/{id}/checkout", "propose.purchase"),
    route("GET", "/v1/offers", "products.read"),
    route("GET", "/v1/offers/{id}", "products.read"),
    route("GET", "/v1/offers/{id}/addons", "products.read"),
    route("GET", "/v1/products/{id}/skus", "products.read"),
    route("GET", "/v1/products/{id}/skus/{sku}", "products.read"),
    route("GET", "/v1/products/{id}/skus/{sku}/availabilities", "products.read"),
    route("GET", "/v1/products/{id}/skus/{sku}/availabilities/{availability}", "products.read"),
    route("GET", "/v1/tenants/{id}/offers", "products.read"),
    route("GET", "/v1/tenants/{id}/offers/{name}", "products.read"),
    route("GET", "/v1/carts", "carts.read"),
    route("GET", "/v1/orders", "orders.read"),
    route("GET", "/v1/software", "products.read"),
    route("POST", "/v1/software", "keys.manage"),
    route("POST", "/v1/software/reseal", "keys.manage"),
    route("GET", "/v1/customers/{tenant}/software", "software.read"),
    route("GET", "/v1/customers/{tenant}/software/{id}", "software.read"),
    route("POST", "/v1/customers/{tenant}/software/{id}/keys", "keys.manage"),
    route("POST", "/v1/customers/{tenant}/software/{id}/keys/get", "keys.read"),
    route("POST", "/v1/customers/{tenant}/software/{id}/links/get", "keys.read"),
    route("GET", "/v1/activations", "activations.read"),
    route("GET", "/v1/customers/{tenant}/activations", "activations.read"),
    route("POST", "/v1/customers/{tenant}/activations", "activations.write"),
    route("POST", "/v1/customers/{tenant}/activations/moved", "activations.write"),
    route("GET", "/v1/customers/{tenant}/activations/plan", "activations.read"),
    route("POST", "/v1/customers/{tenant}/activations/help", "support.write"),
];

/// Whether some method of this path is a route.
pub fn is_known(path: &str) -> bool {
    ROUTES.iter().chain(PUBLIC).chain(OWN).any(|route| route.path == path)
}

/// Whether anybody may call it.
pub fn is_public(method: &Method, path: &str) -> bool {
    PUBLIC.iter().any(|route| route.path == path && route.method == table_method(method))
}

/// The paths of single records and of verbs whose queries mean something.
const ASKED: [&str; 12] = [
    "/v1/subscriptions/{id}/story",
    "/v1/subscriptions/{id}/quote",
    "/v1/terms/{family}",
    "/v1/upcoming",
    "/v1/import",
    "/v1/products/{id}",
    "/v1/products/{id}/skus/{sku}",
    "/v1/products/{id}/skus/{sku}/availabilities/{availability}",
    "/v1/tenants/{id}/offers/{name}",
    "/v1/offers/{id}",
    "/v1/customers/{tenant}/orders/{id}",
    "/v1/invoices/{id}/lineitems/{provider}/{kind}",
];

/// The paths that tell one thing and are no lists, though they end as those do.
const SINGLE: [&str; 8] = [
    "/v1/clock",
    "/v1/export",
    "/v1/whoami",
    "/v1/roles",
    "/v1/customers/{tenant}/activations/plan",
    "/v1/customers/{tenant}/profiles/company",
    "/v1/customers/{tenant}/profiles/billing",
    "/v1/invoices/summaries",
];

/// Whether a query means anything there: on lists, and where a path is one of the few that read one.
pub fn takes_query(method: &Method, path: &str) -> bool {
    let is_list = table_method(method) == "GET" && !path.ends_with('}') && !SINGLE.contains(&path);
    is_list || ASKED.contains(&path)
}
