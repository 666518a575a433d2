//! Lists: `?limit=`, `?cursor=` and the selection grammar in; `{items, nextCursor}` out.
//!
//! A cursor is opaque: a key of the store under a seal of this store, the noun and the selection, so that one that was
//! forged or comes from another list is refused.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Doors;
use super::problem::Problem;
use super::reply::Reply;
use crate::domain::selection::{Fields, Schema, Selection};
use crate::ops::{self, Work};
use crate::store::records::Page;

/// Records of one page, unless the caller says otherwise.
pub const LIMIT_DEFAULT: usize = 100;
/// Records of one page, at most.
pub const LIMIT_MAX: usize = 200;
const SEAL_BYTES: usize = 8;

/// The pairs of a query, each name once.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = read.map_err(|_| bad_query("the query is no list of name=value"))?;
        for (place, (name, _)) in pairs.iter().enumerate() {
            if pairs.iter().take(place).any(|(known, _)| known == name) {
                return Err(bad_query("a parameter is there twice; several values are joined by commas"));
            }
        }
        Ok(Pairs(pairs))
    }
}

impl Pairs {
    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }

    /// Refuses whatever is left.
    pub(super) fn end(&self, known: &[&str]) -> Result<(), Problem> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let shown: String = name.chars().take(64).collect();
        let near = crate::suggest::nearest(name, known.iter().copied());
        let hint =
            near.map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean {near}?"));
        Err(Problem::new(400, "unknown_parameter", format!("there is no parameter {shown:?} here; {hint}")))
    }
}

fn bad_query(detail: &str) -> Problem {
    Problem::new(400, "bad_query", detail)
}

/// What a list was asked for.
pub(super) struct Listing {
    pub(super) selection: Selection,
    pub(super) after: Option<Vec<u8>>,
    pub(super) limit: usize,
    seal: [u8; 32],
}

impl Listing {
    pub(super) fn read(doors: &Doors, noun: &'static Schema, mut pairs: Pairs) -> Result<Listing, Problem> {
        let limit = limit(pairs.take("limit"))?;
        let cursor = pairs.take("cursor");
        Listing::narrowed(doors, noun, &pairs, limit, cursor, "")
    }

    /// A list narrowed to what a query names, and by something `beside` that is no field.
    pub(super) fn narrowed(
        doors: &Doors,
        noun: &'static Schema,
        pairs: &Pairs,
        limit: usize,
        cursor: Option<String>,
        beside: &str,
    ) -> Result<Listing, Problem> {
        let selection = Selection::from_query(noun, &pairs.0).map_err(|mut refusal| {
            if refusal.code == "unknown_field" {
                "unknown_parameter".clone_into(&mut refusal.code);
            }
            Problem::from(refusal)
        })?;
        Listing::sealed(doors, noun, selection, limit, cursor, beside)
    }

    /// A list of what a selection holds: so many at a time, from where a cursor ended.
    fn sealed(
        doors: &Doors,
        noun: &'static Schema,
        selection: Selection,
        limit: usize,
        cursor: Option<String>,
        beside: &str,
    ) -> Result<Listing, Problem> {
        let mut seal = blake3::Hasher::new_derive_key("bursar 2026 cursor of a list");
        for part in [&doors.app.store().id()[..], noun.noun.as_bytes(), selection.to_string().as_bytes()] {
            seal.update(&(part.len() as u64).to_le_bytes());
            seal.update(part);
        }
        seal.update(beside.as_bytes());
        let seal = *seal.finalize().as_bytes();
        let after = cursor.map(|cursor| opened(&seal, &cursor)).transpose()?;
        Ok(Listing { selection, after, limit, seal })
    }

    /// Where a walk by sequence goes on.
    pub(super) fn before_seq(&self) -> Option<u64> {
        self.after.as_ref().and_then(|key| key.as_slice().try_into().ok()).map(u64::from_be_bytes)
    }

    /// The cursor of a key.
    pub(super) fn cursor(&self, key: &[u8]) -> String {
        let tag = blake3::keyed_hash(&self.seal, key);
        let mut bytes = tag.as_bytes()[..SEAL_BYTES].to_vec();
        bytes.extend_from_slice(key);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `{items, nextCursor}`.
    pub(super) fn reply<T>(&self, page: Page<T>, show: impl FnMut(T) -> Value) -> Reply {
        let next = page.next.as_deref().map(|key| self.cursor(key));
        let items: Vec<Value> = page.items.into_iter().map(show).collect();
        Reply::ok(json!({ "items": items, "nextCursor": next }))
    }
}

pub(super) fn limit(text: Option<String>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|limit| plain && (1..=LIMIT_MAX).contains(limit));
    read.ok_or_else(|| bad_query(&format!("limit is a whole number from 1 to {LIMIT_MAX}")))
}

/// A cursor that was forged or is of another list.
pub(super) fn bad_cursor() -> Problem {
    Problem::new(400, "bad_cursor", "the cursor is not one of this list")
}

fn opened(seal: &[u8; 32], cursor: &str) -> Result<Vec<u8>, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
    let (tag, key) = bytes.split_at_checked(SEAL_BYTES).ok_or_else(bad_cursor)?;
    let known = blake3::keyed_hash(seal, key);
    if tag == &known.as_bytes()[..SEAL_BYTES] { Ok(key.to_vec()) } else { Err(bad_cursor()) }
}

/// A page of what a selection holds, from pages of everything. Looks at no more rows than one transaction should, so a
/// page may be short and still have a next one.
pub(super) fn selected<T: Fields>(
    work: &mut Work,
    listing: &Listing,
    page: impl FnMut(&mut Work, Option<&[u8]>, usize) -> ops::Result<Page<T>>,
    key: impl Fn(&T) -> Vec<u8>,
) -> ops::Result<Page<T>> {
    part(work, &listing.selection, listing.after.as_deref(), listing.limit, page, key)
}

/// The same, so many from a place on.
pub(super) fn part<T: Fields>(
    work: &mut Work,
    selection: &Selection,
    after: Option<&[u8]>,
    limit: usize,
    mut page: impl FnMut(&mut Work, Option<&[u8]>, usize) -> ops::Result<Page<T>>,
    key: impl Fn(&T) -> Vec<u8>,
) -> ops::Result<Page<T>> {
    const PAGE_ROWS: usize = 500;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    let mut seen = 0;
    loop {
        let rows = if selection.is_everything() { limit } else { PAGE_ROWS };
        let found = page(work, cursor.as_deref(), rows)?;
        for record in found.items {
            seen += 1;
            if selection.matches(&record, work.now) {
                let place = key(&record);
                items.push(record);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(place) });
                }
            }
        }
        match found.next {
            None => return Ok(Page { items, next: None }),
            Some(next) if seen >= work.settings.rows => return Ok(Page { items, next: Some(next) }),
            Some(next) => cursor = Some(next),
        }
    }
}
