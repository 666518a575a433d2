//! The HTTP side: what a request must look like before a route sees it, who asks, what each route answers, and what a
//! refusal looks like on the wire.
//!
//! One file a noun. A handler reads its input strictly, calls one operation, and shows what came of it; no rule of the
//! business stands here. To add a route: a handler, its line in [`router`] and its line in [`routes`].

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use crate::app::App;
use crate::domain::Id;
use crate::domain::ids::Noun;
use problem::Problem;

pub mod auth;
mod body;
pub mod guard;
mod json;
pub mod lists;
pub mod problem;
pub mod refused;
mod reply;
mod requests;
pub mod routes;
mod subscriptions;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) app: App,
}

/// Every route, for serving behind a [`guard::Guard`] or for calling in process. A caller in process is the operator
/// when it puts [`crate::server::Peer::Operator`] into the request's extensions.
pub fn router(app: App) -> Router {
    let limit = app.config().limits.import_body_bytes;
    let doors = Doors { app };
    nouns()
        .route_layer(from_fn_with_state(doors.clone(), auth::authenticate))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(doors)
}

fn nouns() -> Router<Doors> {
    Router::new()
        .route("/v1/subscriptions", get(subscriptions::list))
        .route("/v1/subscriptions/{id}", get(subscriptions::show))
        .route("/v1/subscriptions/{id}/story", get(subscriptions::story))
        .route("/v1/subscriptions/{id}/quote", get(subscriptions::quote))
        .route("/v1/subscriptions/{id}/labels/{name}", put(subscriptions::label).delete(subscriptions::unlabel))
        .route("/v1/subscriptions/{id}/requests", post(requests::propose))
        .route("/v1/requests", get(requests::list))
        .route("/v1/requests/{id}", get(requests::show))
        .route("/v1/requests/{id}/approve", post(requests::approve))
        .route("/v1/requests/{id}/deny", post(requests::deny))
        .route("/v1/requests/{id}/withdraw", post(requests::withdraw))
}

/// An identifier of ours in a path: one of another noun names nothing here.
fn id(noun: Noun, text: &str) -> Result<Id, Problem> {
    let id: Id = text.parse()?;
    if id.noun == noun {
        return Ok(id);
    }
    Err(Problem::new(404, "not_found", format!("there is nothing called {id} here")))
}
