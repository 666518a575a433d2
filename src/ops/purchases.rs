//! Purchases: what follows when one comes to nothing. What one is, is a request like any other.

use crate::domain::{Kind, Request, Subscription, lifecycle};
use crate::store::records::Stored;

use super::work::Work;
use super::{Result, orders, requests};

/// The subscription after its request came to nothing. What was only ordered is gone with its purchase, and its order
/// line is closed; anything else stays as it is.
pub(super) fn after_no(work: &mut Work, stored: &Stored<Subscription>, request: &Request) -> Result<Subscription> {
    let lapsed = (request.kind == Kind::Purchase).then(|| lifecycle::lapse(&stored.value, work.now)).flatten();
    let Some(lapsed) = lapsed else { return Ok(stored.value.clone()) };
    let error = orders::line_error(Some(request), requests::outcome_of(request.state), orders::UNABLE);
    orders::follow(work, &lapsed, Some(error))?;
    Ok(lapsed)
}
