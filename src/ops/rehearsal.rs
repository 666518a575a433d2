//! Proposing as if nothing were open: for a fork that is forgotten afterwards.

use crate::domain::decision::Decision;
use crate::domain::{Change, Grant, SubscriptionId};
use crate::store::records::requests as rows;

use super::requests::{self, Proposed};
use super::work::{Rights, Work};
use super::{Result, subscriptions};

/// What proposing would come to, and what every policy would say.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// What it would come to.
    pub proposed: Proposed,
    /// The decisions made on the way, oldest first.
    pub decisions: Vec<Decision>,
}

/// Proposes a change after putting an open request of its kind aside. To be called on a fork: it writes.
///
/// # Errors
/// As [`requests::propose`].
pub fn propose(work: &mut Work, id: SubscriptionId, change: Change, why: &str) -> Result<Rehearsed> {
    work.require(&Grant::Propose(Some(change.kind())))?;
    let stored = subscriptions::load(work, id)?;
    if let Some(open) = rows::open(&mut work.tx, stored.value.tenant, id, change.kind())? {
        let own = std::mem::replace(&mut work.rights, Rights::system());
        let aside = requests::withdraw(work, open.id, "");
        work.rights = own;
        aside?;
    }
    let proposed = requests::propose(work, id, change, why)?;
    Ok(Rehearsed { proposed, decisions: work.decisions().to_vec() })
}
