//! Bursar.
fn main() {}
