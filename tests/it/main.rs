//! The one integration test binary; each module keeps the promises of one part.

mod store_contract;
