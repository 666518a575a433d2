//! The HTTP side: what a request must look like before a route sees it, and what a refusal looks like on the wire.

pub mod guard;
pub mod problem;
