//! What a policy's `subjects(event)` returns, read as a selection.

use rhai::{Dynamic, Map};

use super::selection;
use crate::domain::Refusal;
use crate::domain::selection::{SUBSCRIPTIONS, Selection};
use crate::engine::failure::Failure;

/// A value a handler returned.
#[derive(Debug)]
pub struct Selected<'a>(&'a Dynamic);

impl<'a> Selected<'a> {
    /// What was returned.
    pub fn of(value: &'a Dynamic) -> Self {
        Self(value)
    }

    /// The subscriptions it selects.
    ///
    /// # Errors
    /// `bad_selection` when it is no map, or its fields are not ones of a subscription.
    pub fn selection(&self) -> Result<Selection, Refusal> {
        let Some(map) = self.0.read_lock::<Map>() else {
            return Err(Refusal::new("bad_selection", "subjects(event) returns a selection such as #{ tenant: id }"));
        };
        selection(&SUBSCRIPTIONS, &map).map_err(|error| {
            let failure = Failure::from_error(&error, |_| false);
            Refusal::new("bad_selection", failure.message)
        })
    }
}
