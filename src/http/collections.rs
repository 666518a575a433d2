//! Partner Center's collections: `?size=`, `?offset=`, `?seekOperation=` and the header `MS-ContinuationToken` in, beside
//! our own `?limit=` and `?cursor=`; `{totalCount, items, links, attributes}` out.
//!
//! `totalCount` counts the whole collection and not the page. It is counted with the first page and travels with the
//! token of the next one; beyond [`COUNT_MAX`] it stops there and says so.

use super::Doors;
use super::lists::{Listing, Pairs, limit};
use super::problem::Problem;
use super::reply::{Call, Reply};
use crate::domain::Refusal;
use crate::domain::selection::Schema;
use crate::json::Value;
use crate::ops::{self, Work};
use crate::partner_center::write;
use crate::store::records::Page;

/// Items of one page, at most: Partner Center's own limit.
const SIZE_MAX: usize = 500;
/// Items that are counted for `totalCount`, and that `offset` may pass over, at most: more would make one page of a list
/// as dear as reading all of it.
const COUNT_MAX: usize = 10_000;
/// Items looked at at once when counting.
const COUNT_PAGE: usize = 500;
/// Pages of a list that are looked at for a count, at most: a selection that holds little of much ends here.
const COUNT_PAGES: usize = COUNT_MAX / COUNT_PAGE;
/// Bytes of the count before the key in a token.
const COUNT_BYTES: usize = 8;

/// Which part of a collection is asked for.
pub(super) struct Asked {
    /// What it is narrowed to, how many at a time, from where on.
    pub(super) listing: Listing,
    skip: usize,
    counted: Option<Count>,
    /// The address asked, without what says where to go on.
    address: String,
}

/// Where a page begins.
enum Start {
    /// With the first item.
    Beginning,
    /// Behind this key.
    After(Vec<u8>),
    /// Nowhere: everything was passed over.
    Over,
}

/// How many there are, as far as was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    items: usize,
    is_all: bool,
}

impl Count {
    fn bytes(self) -> [u8; COUNT_BYTES] {
        let items = u64::try_from(self.items).unwrap_or(u64::MAX) << 1;
        (items | u64::from(self.is_all)).to_be_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Count> {
        let word = u64::from_be_bytes(bytes.try_into().ok()?);
        Some(Count { items: usize::try_from(word >> 1).ok()?, is_all: word & 1 == 1 })
    }
}

fn bad(detail: &str) -> Problem {
    Problem::new(400, "bad_query", detail)
}

/// A whole number of a query.
pub(super) fn whole(text: Option<String>, name: &str) -> Result<Option<usize>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let read = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    read.map(Some).ok_or_else(|| bad(&format!("{name} is a whole number")))
}

/// Whether a token is needed and there: `seekOperation` is `First` without one, or `Next` with the one of the page before.
///
/// # Errors
/// `bad_query`.
pub(super) fn sought(operation: Option<&str>, has_token: bool) -> Result<(), Problem> {
    let is = |word: &str| operation.is_some_and(|operation| operation.eq_ignore_ascii_case(word));
    if operation.is_none() || (is("first") && !has_token) || (is("next") && has_token) {
        return Ok(());
    }
    Err(bad("seekOperation is First, or Next with the MS-ContinuationToken of the page before"))
}

/// The address of a collection with its query, without what says where to go on: for [`Asked::read`], before anything
/// is taken from the query.
pub(super) fn address(path: &str, pairs: &Pairs) -> String {
    let goes_on = ["cursor", "continuationToken", "seekOperation"];
    let kept = pairs.0.iter().filter(|(name, _)| !goes_on.iter().any(|known| known.eq_ignore_ascii_case(name)));
    let query: Vec<String> = kept.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The address of the next page.
pub(super) fn following(address: &str, name: &str, token: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}seekOperation=Next&{name}={token}")
}

impl Asked {
    /// Reads which part of a collection is asked for; what is left of the query is what it is narrowed to. `address` is
    /// that of the call, and `beside` what else narrows it, so that a token of another question is refused.
    ///
    /// # Errors
    /// `bad_query`, `bad_cursor`, `unknown_parameter`.
    pub(super) fn read(
        doors: &Doors,
        noun: &'static Schema,
        mut pairs: Pairs,
        call: &Call,
        address: String,
        beside: &str,
    ) -> Result<Asked, Problem> {
        let (size, own) = (pairs.take("size"), pairs.take("limit"));
        let at_once = match (whole(size, "size")?, own) {
            (Some(_), Some(_)) => return Err(bad("size and limit say the same; send one of them")),
            (Some(size), None) if (1..=SIZE_MAX).contains(&size) => size,
            (Some(_), None) => return Err(bad(&format!("size is a whole number from 1 to {SIZE_MAX}"))),
            (None, own) => limit(own)?,
        };
        let skip = whole(pairs.take("offset"), "offset")?.unwrap_or(0);
        if skip > COUNT_MAX {
            return Err(bad(&format!(
                "offset is at most {COUNT_MAX}; go on page by page with the token of the page before"
            )));
        }
        let seeks = pairs.take("seekOperation").or_else(|| pairs.take("seekoperation"));
        let token = pairs.take("cursor").or_else(|| pairs.take("continuationToken")).or_else(|| call.continues.clone());
        let token = token.filter(|token| !token.is_empty());
        sought(seeks.as_deref(), token.is_some())?;
        let mut listing = Listing::narrowed(doors, noun, &pairs, at_once, token, beside)?;
        // A token has the count before its key, so that the count is the first page's.
        let mut counted = None;
        if let Some(after) = &listing.after {
            let (count, key) = after.split_at_checked(COUNT_BYTES).ok_or_else(super::lists::bad_cursor)?;
            counted = Count::read(count);
            listing.after = Some(key.to_vec());
        }
        let skip = if counted.is_some() { 0 } else { skip };
        Ok(Asked { listing, skip, counted, address })
    }

    /// The page, read with `read(work, after, limit)` and shown item by item.
    ///
    /// # Errors
    /// What reading and showing answer.
    pub(super) fn page<T>(
        &self,
        work: &mut Work,
        mut read: impl FnMut(&mut Work, Option<&[u8]>, usize) -> ops::Result<Page<T>>,
        mut show: impl FnMut(&mut Work, T) -> ops::Result<Value>,
    ) -> ops::Result<Reply> {
        let start = self.start(work, &mut read)?;
        let page = match &start {
            Start::Over => Page { items: Vec::new(), next: None },
            Start::Beginning => read(work, None, self.listing.limit)?,
            Start::After(key) => read(work, Some(key.as_slice()), self.listing.limit)?,
        };
        let is_whole = self.listing.after.is_none() && self.skip == 0 && page.next.is_none();
        let count = match self.counted {
            Some(count) => count,
            None if is_whole => Count { items: page.items.len(), is_all: true },
            None => count(work, &mut read)?,
        };
        let mut items = Vec::with_capacity(page.items.len());
        for item in page.items {
            items.push(show(work, item)?);
        }
        let token = page.next.map(|key| self.listing.cursor(&[&count.bytes()[..], &key[..]].concat()));
        Ok(self.shown(items, count, token.as_deref()))
    }

    /// Where the page begins: behind the one before it, or behind what is passed over.
    fn start<T>(
        &self,
        work: &mut Work,
        read: &mut impl FnMut(&mut Work, Option<&[u8]>, usize) -> ops::Result<Page<T>>,
    ) -> ops::Result<Start> {
        let mut start = self.listing.after.clone().map_or(Start::Beginning, Start::After);
        let mut skip = self.skip;
        for _ in 0..COUNT_PAGES {
            if skip == 0 {
                return Ok(start);
            }
            let after = if let Start::After(key) = &start { Some(key.as_slice()) } else { None };
            let passed = read(work, after, skip.min(COUNT_PAGE))?;
            skip = skip.saturating_sub(passed.items.len());
            match passed.next {
                None => return Ok(Start::Over),
                Some(next) => start = Start::After(next),
            }
        }
        let message =
            "this offset passes over more than is looked at for one page: go on with the token of the page before";
        if skip == 0 { Ok(start) } else { Err(Refusal::new("bad_query", message).into()) }
    }

    fn shown(&self, items: Vec<Value>, count: Count, token: Option<&str>) -> Reply {
        let next = token.map(|token| following(&self.address, "cursor", token));
        let mut links = vec![("self", self.address.as_str())];
        links.extend(next.as_deref().map(|next| ("next", next)));
        let mut shown = write::collection(items, count.items, &links);
        if let Value::Object(members) = &mut shown {
            if !count.is_all {
                // Honest where it stopped: there are at least so many.
                members.push(("totalCountIsAtLeast".to_owned(), Value::Bool(true)));
            }
            // Our own lists go on by a cursor and Partner Center's by a token; it is the same one.
            for name in ["continuationToken", "nextCursor"] {
                members.extend(token.map(|token| (name.to_owned(), Value::String(token.to_owned()))));
            }
        }
        Reply::exact(shown.to_string())
    }
}

/// Counts a collection from its beginning.
fn count<T>(
    work: &mut Work,
    read: &mut impl FnMut(&mut Work, Option<&[u8]>, usize) -> ops::Result<Page<T>>,
) -> ops::Result<Count> {
    let mut items = 0;
    let mut after: Option<Vec<u8>> = None;
    for _ in 0..COUNT_PAGES {
        let page = read(work, after.as_deref(), COUNT_PAGE)?;
        items += page.items.len();
        if page.next.is_none() {
            return Ok(Count { items, is_all: true });
        }
        after = page.next;
    }
    Ok(Count { items, is_all: false })
}

/// A whole collection at once.
pub(super) fn all(path: &str, items: Vec<Value>) -> Reply {
    let count = items.len();
    Reply::exact(write::collection(items, count, &[("self", path)]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_travels_in_a_token_as_it_was_counted() {
        for (items, is_all) in [(0, true), (1, true), (COUNT_MAX, false), (usize::MAX >> 1, true)] {
            let count = Count { items, is_all };
            assert_eq!(Count::read(&count.bytes()), Some(count));
        }
        assert_eq!(Count::read(&[0; COUNT_BYTES - 1]), None);
    }

    #[test]
    fn the_address_of_a_page_has_what_narrows_it_and_nothing_of_where_it_goes_on() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pairs =
            Pairs(vec![pair("size", "2"), pair("Cursor", "x"), pair("seekOperation", "Next"), pair("q", "a b")]);
        assert_eq!(address("/customers", &pairs), "/customers?size=2&q=a%20b");
        assert_eq!(following("/customers", "cursor", "t"), "/customers?seekOperation=Next&cursor=t");
    }
}
