//! The script engine: reads policies and scripts, checks them, and runs them inside a sandbox with a budget.
//!
//! Only this module names the script language. It decides nothing about the business and never touches the store:
//! what a script may do goes through the functions it is given, and those call `ops`.

pub mod answers;
pub mod api;
pub mod budget;
pub mod check;
mod comparison;
pub mod decide;
pub mod diagnostic;
pub mod failure;
pub mod library;
pub mod machine;
pub mod manifest;
pub mod meter;
pub mod reference;
pub mod run;
pub mod sandbox;
pub mod script_thread;
pub mod values;

pub use budget::{Budget, Spent, spend};
pub use diagnostic::Diagnostic;
pub use failure::Failure;
pub use library::Library;
pub use manifest::Manifest;
pub use meter::Meter;
