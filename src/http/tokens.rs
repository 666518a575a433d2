//! Access tokens. The secret is made here, shown once, and never kept.

use axum::body::Bytes;
use axum::extract::{Path, State};

use serde_json::Value;

use super::body::{Object, refused, wrong};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, id, json};
use crate::domain::ids::Noun;
use crate::domain::selection::Schema;
use crate::domain::{Grant, Grants, Refusal, TenantId};
use crate::engine::manifest::nearest_grant;
use crate::ops::tokens;
use crate::seal::Secret;
use crate::store::records::tokens::Token;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Tokens are few: they are listed and not selected from.
static TOKENS: Schema = Schema { noun: "tokens", fields: &[], aliases: &[], labels: false };

/// `GET /v1/tokens`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &TOKENS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = tokens::list(work, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |token| shown(&token)))
    });
    Ok(found.await?)
}

/// `GET /v1/tokens/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id = id(Noun::Token, &text)?;
    let token = doors.app.look(call.rights, move |work| tokens::get(work, id)).await?;
    Ok(Reply::ok(shown(&token)))
}

/// `POST /v1/tokens`
pub(super) async fn create(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let asked = Object::read(&body, &["name", "user", "grants", "tenants", "expiresAt", "expiresIn"])?;
    let user = asked.text("user")?.map(str::to_owned);
    let name = asked.text("name")?.map(str::to_owned);
    let grants = Grants { list: grants(&asked, user.is_none())?, tenants: tenants(&asked)? };
    let expires_at = match (asked.instant("expiresAt")?, asked.span("expiresIn")?) {
        (Some(_), Some(_)) => return Err(wrong("expiresIn", "schema", "say expiresAt or expiresIn")),
        (at, None) => at,
        (None, Some(span)) => {
            let at = span.after(doors.app.now());
            Some(at.ok_or_else(|| wrong("expiresIn", "out_of_range", "that is beyond the calendar"))?)
        }
    };
    let secret = secret()?;
    call.act(&doors, &body, move |work| {
        let token = match (&user, &name) {
            (Some(user), name) => tokens::create_for(work, user, name.as_deref(), grants.clone(), expires_at, &secret)?,
            (None, Some(name)) => tokens::create(work, name, grants.clone(), expires_at, &secret)?,
            (None, None) => return Err(Refusal::new("missing_field", "name is missing").into()),
        };
        let place = format!("/v1/tokens/{}", token.id);
        Ok(Reply::ok(shown(&token)).status(201).location(place).secret("secret", Secret::new(secret.clone())))
    })
    .await
}

/// `DELETE /v1/tokens/{id}`
pub(super) async fn revoke(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id = id(Noun::Token, &text)?;
    call.act(&doors, &Bytes::new(), move |work| Ok(Reply::ok(shown(&tokens::revoke(work, id)?)))).await
}

/// The grants listed; a user's token may list none, and then is not narrowed.
fn grants(asked: &Object, needed: bool) -> Result<Vec<Grant>, Problem> {
    let words = match asked.texts("grants")? {
        None if needed => return Err(super::body::missing("grants")),
        words => words.unwrap_or_default(),
    };
    let read = |(place, word): (usize, &str)| {
        word.parse::<Grant>().map_err(|refusal| {
            let problem = refused(&format!("grants/{place}"), &refusal);
            nearest_grant(word).map_or(problem.clone(), |near| problem.with("hint", format!("did you mean {near}?")))
        })
    };
    words.into_iter().enumerate().map(read).collect()
}

fn tenants(asked: &Object) -> Result<Option<Vec<TenantId>>, Problem> {
    let Some(words) = asked.texts("tenants")? else { return Ok(None) };
    let read = |(place, word): (usize, &str)| {
        word.parse::<TenantId>().map_err(|refusal| refused(&format!("tenants/{place}"), &refusal))
    };
    words.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

/// A token: its grants and tenants side by side, as it is made.
fn shown(token: &Token) -> Value {
    let mut out = json::shown(token);
    out["grants"] = json::shown(&token.grants.list);
    out["tenants"] = json::shown(&token.grants.tenants);
    out
}

/// A fresh secret: the prefix and 52 characters that hold 256 random bits.
fn secret() -> Result<String, Problem> {
    let mut bytes = [0u8; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|_| Problem::new(503, "no_randomness", "the machine gave no random bytes").retry_after(1))?;
    let mut text = tokens::PREFIX.to_owned();
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(CROCKFORD[((held >> bits) & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(CROCKFORD[((held << (5 - bits)) & 31) as usize]));
    }
    Ok(text)
}
