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

/// The routes that answer to a token or to the operator.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/tenants", "tenants.read"),
    route("GET", "/v1/tenants/{id}", "tenants.read"),
    route("POST", "/v1/tenants/{id}/account", "tenants.account"),
    route("PUT", "/v1/tenants/{id}/labels/{name}", "labels.write"),
    route("DELETE", "/v1/tenants/{id}/labels/{name}", "labels.write"),
    route("GET", "/v1/products", "products.read"),
    route("GET", "/v1/products/{id}", "products.read"),
    route("GET", "/v1/subscriptions", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}/story", "subscriptions.read"),
    route("GET", "/v1/subscriptions/{id}/quote", "subscriptions.read"),
    route("PUT", "/v1/subscriptions/{id}/labels/{name}", "labels.write"),
    route("DELETE", "/v1/subscriptions/{id}/labels/{name}", "labels.write"),
    route("POST", "/v1/subscriptions/{id}/requests", "propose.KIND"),
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
    route("GET", "/v1/ledger", "ledger.read"),
    route("GET", "/v1/activity", "activity.read"),
    route("POST", "/v1/library/reload", "library.reload"),
    route("GET", "/v1/clock", "schedules.read"),
    route("POST", "/v1/clock/advance", "store.admin"),
    route("POST", "/v1/import", "store.admin"),
    route("GET", "/v1/upcoming", "schedules.read"),
    route("POST", "/v1/decide", "propose.KIND"),
    route("POST", "/v1/run", "store.admin"),
    route("POST", "/v1/terms/quote", "products.read"),
    route("GET", "/v1/export", "store.admin"),
    route("POST", "/v1/backup", "store.admin"),
    route("POST", "/v1/verify", "store.admin"),
    route("GET", "/v1/customers", "tenants.read"),
    route("GET", "/v1/customers/{tenant}", "tenants.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions", "subscriptions.read"),
    route("GET", "/v1/customers/{tenant}/subscriptions/{id}", "subscriptions.read"),
    route("PATCH", "/v1/customers/{tenant}/subscriptions/{id}", "propose.KIND"),
    route("GET", "/v1/customers/{tenant}/orders", "orders.read"),
    route("GET", "/v1/customers/{tenant}/orders/{id}", "orders.read"),
];

/// Whether some method of this path is a route.
pub fn is_known(path: &str) -> bool {
    ROUTES.iter().chain(PUBLIC).any(|route| route.path == path)
}

/// Whether anybody may call it.
pub fn is_public(method: &Method, path: &str) -> bool {
    PUBLIC.iter().any(|route| route.path == path && route.method == table_method(method))
}

/// The paths of single records and of verbs whose queries mean something.
const ASKED: [&str; 4] = ["/v1/subscriptions/{id}/story", "/v1/subscriptions/{id}/quote", "/v1/upcoming", "/v1/import"];

/// Whether a query means anything there: on lists, and where a path is one of the few that read one.
pub fn takes_query(method: &Method, path: &str) -> bool {
    let lists = ["/v1/clock", "/v1/export"].iter().all(|single| *single != path);
    let is_list = table_method(method) == "GET" && !path.ends_with('}') && lists;
    is_list || ASKED.contains(&path)
}
