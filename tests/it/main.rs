//! The one integration test binary; each module keeps the promises of one part.

mod partner_center;
mod store_contract;
