//! `bursar.toml`.
