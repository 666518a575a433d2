//! Partner Center's JSON, in both directions, and nowhere else.
//!
//! Reading is tolerant: any letter case, dates without a zone, numbers as text, words that no list has. What it does not
//! know it keeps as JSON text; what is none of ours it refuses row by row. It knows no store and no clock, never panics
//! and never decides: it says what a document states, and what a record would become if that is so.

pub mod audit_records;
pub mod carts;
pub mod catalog;
pub mod customers;
pub mod family;
pub mod field;
pub mod instructions;
pub mod invoices;
pub mod merge;
pub mod offers;
pub mod orders;
pub mod orders_write;
pub mod prices;
pub mod read;
pub mod relative;
pub mod service_requests;
pub mod subscriptions;
pub mod subscriptions_merge;
pub mod subscriptions_write;
pub mod upstream;
pub mod write;

/// Bytes of one document, at most: the real list of offers of one country has 0.7 MB.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
