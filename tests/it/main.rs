//! The one integration test binary; each module keeps the promises of one part.

mod domain_lifecycle;
mod domain_selection;
mod domain_terms;
