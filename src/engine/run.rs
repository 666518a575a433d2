//! Running a handler: the event it gets, the rights it has, and the record it leaves.

use rhai::Dynamic;

use super::api::events::Event;
use super::api::selected::Selected;
use super::budget::Budget;
use super::failure::Failure;
use super::library::File;
use super::script_thread::{self, lend};
use crate::domain::ids::Noun;
use crate::domain::run::{Ending, Run, RunError};
use crate::domain::selection::Selection;
use crate::domain::{Grants, Principal, Refusal};
use crate::ops::{self, Rights, Work, triggers};

/// What running a handler came to.
#[derive(Debug)]
pub struct Ran<T> {
    /// The record; already written.
    pub run: Run,
    /// What was read of what the handler returned; none when it failed.
    pub returned: Option<T>,
}

/// The rights of a file: what its manifest lists.
pub fn rights_of(file: &File) -> Rights {
    Rights {
        principal: Principal::File { path: file.path.clone(), hash: file.short_hash().to_owned() },
        grants: Grants { list: file.manifest.grants.clone(), tenants: None },
    }
}

/// Calls a handler inside the work's transaction, with the rights that both the file and its caller have, within the
/// caller's reach: running a script gives nobody what they do not have. When it fails, everything it did is undone; its
/// record is part of the transaction either way.
///
/// # Errors
/// Only the store's own failure; a handler that fails is a record.
pub fn handler(work: &mut Work, file: &str, name: &str, event: &Event, budget: &Budget) -> ops::Result<Ran<Dynamic>> {
    reading(work, file, name, event, budget, |returned| Ok(returned.clone()))
}

/// The subscriptions that a policy's `subjects(event)` selects, as [`handler`]; what is no selection is a failed run.
///
/// # Errors
/// As [`handler`].
pub fn subjects(work: &mut Work, file: &str, event: &Event, budget: &Budget) -> ops::Result<Ran<Selection>> {
    reading(work, file, "subjects", event, budget, |returned| Selected::of(returned).selection())
}

fn reading<T>(
    work: &mut Work,
    file: &str,
    name: &str,
    event: &Event,
    budget: &Budget,
    read: impl FnOnce(&Dynamic) -> Result<T, Refusal>,
) -> ops::Result<Ran<T>> {
    let thread =
        script_thread::thread().ok_or_else(|| ops::Error::Script("handlers run on script threads only".to_owned()))?;
    let found = thread.machine.library().file(file);
    let known = found.ok_or_else(|| ops::not_found("file", &file))?;
    let mut rights = rights_of(known);
    rights.grants = work.rights.grants.within_both(&rights.grants.list);
    let own = std::mem::replace(&mut work.rights, rights);
    let by_hand = (own.principal != Principal::System).then(|| own.principal.clone());
    let behind = std::mem::replace(&mut work.behind, by_hand);
    let id = work.id(Noun::Run);
    let mark = work.mark();
    let before = work.effects().len();
    let value = Dynamic::from(event.clone());
    let (ended, spent) = lend(work, || thread.machine.call(file, name, value, None, budget));
    work.rights = own;
    work.behind = behind;
    if let Some(source) = script_thread::broken() {
        return Err(ops::Error::Store { doing: "work for a script", source });
    }
    let mut run = Run {
        id,
        file: file.to_owned(),
        hash: known.hash.clone(),
        handler: name.to_owned(),
        cause: work.cause.clone(),
        at: work.now,
        due: event.due,
        ending: Ending::Completed,
        error: None,
        effects: work.effects()[before..].to_vec(),
        output: spent.output.clone(),
        output_truncated: spent.output_truncated,
        operations: spent.operations,
        wall_micros: 0,
    };
    let ended = ended.and_then(|returned| few_enough(&run, returned));
    let read = ended.and_then(|returned| {
        read(&returned).map_err(|refusal| Failure::new(&refusal.code, &refusal.message).in_file(file))
    });
    let returned = match read {
        Ok(returned) => Some(returned),
        Err(failure) => {
            work.undo(mark);
            fail(&mut run, &failure);
            None
        }
    };
    triggers::keep_run(work, &run)?;
    Ok(Ran { run, returned })
}

/// What one run may do at most (S16): more is a loop that was not meant, or work for a trigger with `each`.
const EFFECTS_MAX: usize = 10_000;

fn few_enough(run: &Run, returned: Dynamic) -> Result<Dynamic, Failure> {
    if run.effects.len() <= EFFECTS_MAX {
        return Ok(returned);
    }
    let message = format!("{} effects are more than the {EFFECTS_MAX} of one run", run.effects.len());
    Err(Failure::new("cap_exceeded", &message).in_file(&run.file))
}

fn fail(run: &mut Run, failure: &Failure) {
    let limit = failure.code.starts_with("limit_exceeded");
    run.ending = if limit { Ending::LimitExceeded } else { Ending::Failed };
    run.effects.clear();
    run.error = Some(RunError {
        code: failure.code.clone(),
        message: failure.to_string(),
        file: failure.file.clone(),
        line: failure.line.map(|line| line as usize),
        column: failure.column.map(|column| column as usize),
    });
}
