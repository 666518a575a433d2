//! The one integration test binary; each module keeps the promises of one part.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::too_many_lines, reason = "helpers of tests are tests too")]

mod engine_answers;
mod engine_check;
mod engine_compare;
mod engine_hostile;
mod engine_manifest;
mod engine_values;
mod store_contract;

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;
