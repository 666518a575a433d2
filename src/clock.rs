//! The only reader of the wall clock.

/// A monotonic reading, for ages and timeouts only; it says nothing about the date.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the function the lint points to")]
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
