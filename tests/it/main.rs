//! The one integration test binary; each module keeps the promises of one part.

mod store_contract;
mod store_crash;
mod store_files;
mod store_history;
mod store_serial;
