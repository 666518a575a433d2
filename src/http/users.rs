//! Users: made, looked at, given and taken roles, disabled.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::Value;

use super::body::{Object, refused, wrong};
use super::lists::{Listing, Pairs, selected};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json};
use crate::domain::selection::USERS;
use crate::domain::user::State as UserState;
use crate::domain::{Refusal, Role, TenantId, User};
use crate::ops::users::{self, Changes, Draft};

/// `GET /v1/users`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &USERS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = selected(work, &listing, users::list, |user: &User| user.id.bytes().to_vec())?;
        Ok(listing.reply(page, |user| shown(&user)))
    });
    Ok(found.await?)
}

/// `GET /v1/users/{id}`: by id, name or user principal name.
pub(super) async fn show(State(doors): State<Doors>, Path(who): Path<String>, call: Call) -> Result<Reply, Problem> {
    let user = doors.app.look(call.rights, move |work| users::get(work, &who)).await?;
    Ok(Reply::ok(shown(&user)).generation(user.generation))
}

/// `POST /v1/users`
pub(super) async fn create(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let asked = Object::read(&body, &["name", "displayName", "email", "roles", "assigned", "customer"])?;
    let customer = asked.text("customer")?.map(str::parse::<TenantId>).transpose();
    let draft = Draft {
        name: asked.needed_text("name")?.to_owned(),
        display_name: asked.text("displayName")?.unwrap_or_default().to_owned(),
        email: asked.needed_text("email")?.to_owned(),
        roles: roles(&asked)?.unwrap_or_default(),
        assigned: assigned(&asked)?.unwrap_or_default(),
        customer: customer.map_err(|refusal| refused("customer", &refusal))?,
    };
    call.act(&doors, &body, move |work| {
        let user = users::create(work, draft.clone())?;
        let place = format!("/v1/users/{}", user.id);
        Ok(Reply::ok(shown(&user)).status(201).location(place).generation(user.generation))
    })
    .await
}

/// `PATCH /v1/users/{id}`: what is not there stays.
pub(super) async fn update(
    State(doors): State<Doors>,
    Path(who): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let asked = Object::read(&body, &["displayName", "email", "roles", "assigned", "state"])?;
    let state = match asked.text("state")? {
        None => None,
        Some("active") => Some(UserState::Active),
        Some("disabled") => Some(UserState::Disabled),
        Some(_) => return Err(wrong("state", "unknown_value", "a user is active or disabled")),
    };
    let changes = Changes {
        display_name: asked.text("displayName")?.map(str::to_owned),
        email: asked.text("email")?.map(str::to_owned),
        roles: roles(&asked)?,
        assigned: assigned(&asked)?,
        state,
    };
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        let user = users::update(work, &who, seen, changes.clone())?;
        Ok(Reply::ok(shown(&user)).generation(user.generation))
    })
    .await
}

fn roles(asked: &Object) -> Result<Option<Vec<Role>>, Problem> {
    each(asked, "roles")
}

fn assigned(asked: &Object) -> Result<Option<Vec<TenantId>>, Problem> {
    each(asked, "assigned")
}

/// A list of texts, each read as what it names.
fn each<T: std::str::FromStr<Err = Refusal>>(asked: &Object, name: &str) -> Result<Option<Vec<T>>, Problem> {
    let Some(words) = asked.texts(name)? else { return Ok(None) };
    let read = |(place, word): (usize, &str)| {
        word.parse::<T>().map_err(|refusal| refused(&format!("{name}/{place}"), &refusal))
    };
    words.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

/// A user as shown.
pub(super) fn shown(user: &User) -> Value {
    json::shown(user)
}
