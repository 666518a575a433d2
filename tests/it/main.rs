//! The one integration test binary: one file a subject.

mod engine_answers;
mod engine_check;
mod engine_compare;
mod engine_hostile;
mod engine_manifest;
mod engine_values;

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;
