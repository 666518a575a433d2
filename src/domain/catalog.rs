//! What can be bought, by whom, where, on which plans: rules of selling as dated data, and the answers drawn from them.
//!
//! Pure: the customer, what they own, the item and the instant come in; reasons come out. Nothing here names a family;
//! what differs between families stands in `policies/markets/selling.toml`.

pub mod eligibility;
pub mod offers;
pub mod plans;
pub mod selling;
