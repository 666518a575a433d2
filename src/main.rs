//! Bursar.

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;

fn main() {}
