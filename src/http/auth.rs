//! Who calls: a bearer token, or the operator at the machine. Every route is closed unless it is listed as public.
//!
//! It finds out who somebody is and never what they may do: that is asked by each operation. A token that is missing,
//! malformed, expired or revoked is told in one text. A token that is used too often waits; the operator never does.

use std::net::SocketAddr;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Doors, routes};
use crate::clock::monotonic;
use crate::domain::user::NAME_LENGTH_MAX;
use crate::domain::{Grants, Principal};
use crate::ops::{Rights, tokens, users};

/// The header with which the operator says on whose behalf they act.
pub const USER_HEADER: &str = "x-bursar-user";
/// Who is at the other end; in the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Somebody over the network.
    Network(SocketAddr),
    /// Whoever may open the operator's socket: its file belongs to the user the daemon runs as.
    Operator,
}

/// Who calls and what they may do. A handler without it is public.
#[derive(Debug, Clone)]
pub struct Caller(pub Rights);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(unauthorized)
    }
}

/// Stands before every route: a path that is not in the table of routes is not there, and one that is not public
/// answers only to somebody.
pub(super) async fn authenticate(State(doors): State<Doors>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(path) = path.filter(|path| routes::is_known(path)) else {
        return Problem::new(404, "not_found", "there is nothing here").into_response();
    };
    if routes::is_public(request.method(), &path) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().copied();
    let headers = request.headers().clone();
    match caller(&doors, &headers, peer).await {
        Ok(_) if request.uri().query().is_some() && !routes::takes_query(request.method(), &path) => {
            Problem::new(400, "unknown_parameter", "this route has no parameters behind '?'").into_response()
        }
        Ok(rights) => {
            request.extensions_mut().insert(Caller(rights));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(doors: &Doors, headers: &HeaderMap, peer: Option<Peer>) -> Result<Rights, Problem> {
    if let Some(secret) = bearer(headers)? {
        let now = doors.app.now();
        let hash = tokens::hash(&secret);
        let found = doors.app.look(Rights::system(), move |work| tokens::rights_of(&mut work.tx, &secret, now)).await?;
        let rights = found.ok_or_else(unauthorized)?;
        // Only tokens that are good are counted: nobody fills the memory with others.
        doors.tokens.admit(hash, monotonic(), "this token")?;
        return Ok(rights);
    }
    match peer {
        Some(Peer::Operator) => operator(doors, headers).await,
        _ => Err(unauthorized()),
    }
}

/// The secret of the one `Authorization: Bearer` header; none without the header.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| unauthorized())?,
        (Some(_), Some(_)) => return Err(unauthorized()),
    };
    let (scheme, secret) = value.split_once(' ').ok_or_else(unauthorized)?;
    let secret = secret.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || secret.is_empty() {
        return Err(unauthorized());
    }
    Ok(Some(secret.to_owned()))
}

/// The operator may do everything, in whosever name; in that of a user, what the user may.
async fn operator(doors: &Doors, headers: &HeaderMap) -> Result<Rights, Problem> {
    let anybody = |name: &str| Rights { principal: Principal::User(name.to_owned()), grants: Grants::all() };
    let Some(value) = headers.get(USER_HEADER) else { return Ok(anybody("operator")) };
    let name = value.to_str().unwrap_or_default().to_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(plain) {
        let detail = format!("a user's name is 1 to {NAME_LENGTH_MAX} letters, digits, '-', '_', '.', '@' and '+'");
        return Err(Problem::new(400, "bad_user", detail));
    }
    let asked = name.clone();
    let found =
        doors.app.look(Rights::system(), move |work| users::rights_of(&mut work.tx, &asked, &Grants::default()));
    match found.await? {
        None => Ok(anybody(&name)),
        Some((user, rights)) if user.is_active() => Ok(rights),
        Some((user, _)) => {
            let detail = format!("{} is disabled: `bursar users enable {}` lets them work again", user.name, user.name);
            Err(Problem::new(403, "user_disabled", detail))
        }
    }
}

fn unauthorized() -> Problem {
    Problem::new(401, "unauthorized", "a valid access token is needed: Authorization: Bearer brs_...")
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bursar\""))
}

/// The method as the table of routes has it: HEAD is a GET without its body.
pub(super) fn table_method(method: &Method) -> &str {
    if *method == Method::HEAD { "GET" } else { method.as_str() }
}
