//! The one integration test binary; each module keeps the promises of one part.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod domain_lifecycle;
mod domain_selection;
mod domain_terms;
mod store_contract;
