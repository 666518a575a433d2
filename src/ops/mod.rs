//! Operations: one file a noun, one function a verb. Every door (script function, HTTP route, CLI verb, timer) comes
//! through here; each operation checks the right, asks the pure domain, and writes last.
//!
//! Nothing but `ops` writes a row. An operation takes [`Work`] first and never reads a clock, never names the script
//! engine and never talks to the outside: what goes out is a row of the outbox.

pub mod activations;
pub mod activity;
pub mod add_ons;
pub mod cancellations;
pub mod carts;
pub mod catalog;
mod charging;
pub mod checkout;
pub mod deliveries;
pub mod export;
mod holdings;
pub mod idempotency;
pub mod imports;
pub mod invoices;
mod judgements;
pub mod keys;
pub mod ledger;
pub mod lists;
pub mod messages;
pub mod offers;
pub mod orders;
mod price_list;
pub mod prices;
mod purchases;
pub mod quotes;
pub mod rehearsal;
pub mod renewals;
pub mod requests;
pub mod retention;
pub mod rights;
mod shopping;
pub mod software;
pub mod subscriptions;
pub mod support;
pub mod tenants;
pub mod tokens;
pub mod triggers;
pub mod upkeep;
pub mod users;
pub mod work;

pub use work::{Ids, Judge, Judgement, Rights, Settings, Work};

use crate::domain::Refusal;
use crate::store;

/// Why an operation did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The business said no. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed, or the transaction has to be tried again.
    #[error("could not {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What the store answered.
        #[source]
        source: store::Error,
    },
    /// A script went over a limit while it was asked; the whole run ends.
    #[error("{0}")]
    Script(String),
}

impl From<store::Error> for Error {
    fn from(source: store::Error) -> Self {
        Error::Store { doing: "read or write the store", source }
    }
}

impl Error {
    /// Whether the same work may succeed when it is done again on a newer snapshot.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Store { source: store::Error::Conflict { .. } | store::Error::TooOld, .. })
    }
}

/// What an operation answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The refusal for something that is not there, or not for the asker: the two cannot be told apart.
pub fn not_found(what: &str, id: &dyn std::fmt::Display) -> Error {
    let refusal = Refusal::new("not_found", format!("there is no {what} {id}"));
    Error::Refused(match what {
        "tenant" | "customer" => refusal.partner_center(20002),
        "subscription" => refusal.partner_center(20003),
        _ => refusal,
    })
}
