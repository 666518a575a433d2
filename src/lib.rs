//! Bursar is an embeddable, scripting-driven automation server for people who resell cloud subscriptions.
//!
//! One small binary, one file of data. Policies decide, scripts act, ops change, the store remembers.
//! `src/README.md` is the map of this tree.

pub mod clock;
pub mod config;
pub mod json;
pub mod schedule;
pub mod seal;
pub mod signature;
pub mod suggest;

pub mod domain;
pub mod partner_center;
pub mod store;

pub mod ops;

pub mod engine;

pub mod app;

pub mod http;
pub mod triggers;

pub mod client;
pub mod testing;

pub mod server;

pub use engine::Meter;
