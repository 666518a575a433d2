//! The doors over HTTP, one file a noun.

pub mod partner_center;
