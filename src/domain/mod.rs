//! The pure core: what tenants, subscriptions, terms, requests and money are, and what may happen to them.
//!
//! It never reads a clock, never does input or output, names no module of the crate but its own, and never fails
//! except by [`Refusal`]. Time comes in as an argument; identifiers come in from above.

pub mod activation;
pub mod ask;
pub mod audit;
pub mod calendar;
pub mod cancellation;
pub mod cart;
pub mod catalog;
pub mod change;
pub mod decision;
pub mod ids;
pub mod invoice;
pub mod ledger;
pub mod lifecycle;
pub mod message;
pub mod money;
pub mod order;
pub mod partner;
pub mod principal;
pub mod product;
pub mod quote;
pub mod refusal;
pub mod request;
pub mod roles;
pub mod run;
pub mod selection;
pub mod software;
pub mod subscription;
pub mod support;
pub mod tax;
pub mod tenant;
pub mod terms;
pub mod text;
pub mod trigger;
pub mod user;

pub use calendar::{Instant, Span};
pub use change::{Change, Kind};
pub use ids::{Id, OrderId, SubscriptionId, TenantId};
pub use money::{Currency, Money};
pub use principal::{Grant, Grants, Principal};
pub use quote::Quote;
pub use refusal::Refusal;
pub use request::Request;
pub use roles::Role;
pub use subscription::Subscription;
pub use tenant::Tenant;
pub use user::User;
