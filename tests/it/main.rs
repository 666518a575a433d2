//! The integration tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod activations;
mod activity;
mod cancellations;
mod cli_daemon;
mod cli_keys;
mod cli_run;
mod cli_trust;
mod cli_verbs;
mod crash;
mod domain_life;
mod domain_lifecycle;
mod domain_selection;
mod domain_terms;
mod engine_answers;
mod engine_check;
mod engine_compare;
mod engine_domain;
mod engine_hostile;
mod engine_manifest;
mod engine_reference;
mod engine_values;
mod http_doors;
mod http_hardening;
mod http_hooks;
mod http_invoices;
mod http_life;
mod http_requests;
mod http_theirs;
mod http_world;
mod invoices;
mod keys;
mod life;
mod life_changes;
mod life_purchase;
mod money;
mod outbox;
mod partner_center;
mod people;
mod people_http;
mod people_matrix;
mod people_world;
mod raw;
mod shipped;
mod shop_checkout;
mod shop_eligibility;
mod shop_http;
mod shop_world;
mod store_chain;
mod store_contract;
mod store_crash;
mod store_files;
mod store_history;
mod store_load;
mod store_serial;
mod support;
mod terms_laws;
mod terms_rows;
mod testing;
mod tidy;
mod triggers;
mod world;
mod year;

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;
