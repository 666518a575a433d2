//! The activity log in scripts: who did what, newest first.

use rhai::{Array, Dynamic, Engine, Map};

use super::{or_nothing, selection};
use crate::domain::selection::ACTIVITY;
use crate::engine::failure::{Api, over_limit};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::ops::activity::{self, Entry, Query};

/// An entry of the activity log as a script sees it.
#[derive(Debug, Clone)]
pub struct EntryValue(pub Entry);

const fn entry(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Entry", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Activity log",
    functions: &[Function {
        name: "activity",
        params: &["selection: map"],
        gives: "array",
        grant: "activity.read",
        doc: "What was done, newest first. Say from when (`at_after`): looking at more records than a query may is an error.",
        example: r#"for entry in activity(#{ at_after: now() - days(30) }) { print(`${entry.at} ${entry.user} ${entry.action}`); }"#,
    }],
    properties: &[
        entry("id", "string", "Its place: commit and ordinal"),
        entry("at", "Instant", "When"),
        entry("user", "string", "By whom: a user's name, a token, a file or the system"),
        entry("user_principal_name", "string", "By whom: a user's e-mail address, as it is now; else as `user`"),
        entry("action", "string", "What was done: Partner Center's word, or ours where it has none or it was refused"),
        entry("status", "string", "How it ended: succeeded, failed, progress or decline"),
        entry("resource_type", "string", "What it was done to, in Partner Center's word"),
        entry("tenant_id", "string?", "Whose"),
        entry("company_name", "string", "The customer's name, as it is now"),
        entry("subscription_id", "string?", "On which subscription"),
        entry("request_id", "string?", "Through which request"),
        entry("cause", "string", "What caused it"),
        entry("note", "string", "A sentence about it"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<EntryValue>("Entry");
    engine.register_get("id", |entry: &mut EntryValue| entry.0.id());
    engine.register_get("at", |entry: &mut EntryValue| entry.0.activity.at);
    engine.register_get("user", |entry: &mut EntryValue| entry.0.user());
    engine.register_get("user_principal_name", |entry: &mut EntryValue| entry.0.user_principal_name.clone());
    engine.register_get("action", |entry: &mut EntryValue| entry.0.action().to_owned());
    engine.register_get("status", |entry: &mut EntryValue| entry.0.meaning.status.as_str());
    engine.register_get("resource_type", |entry: &mut EntryValue| entry.0.meaning.resource.as_str());
    engine.register_get("tenant_id", |entry: &mut EntryValue| {
        or_nothing(entry.0.activity.tenant.map(|id| id.to_string()))
    });
    engine.register_get("company_name", |entry: &mut EntryValue| entry.0.company_name.clone());
    engine.register_get("subscription_id", |entry: &mut EntryValue| {
        or_nothing(entry.0.activity.subscription.map(|id| id.to_string()))
    });
    engine.register_get("request_id", |entry: &mut EntryValue| {
        or_nothing(entry.0.activity.request.map(|id| id.to_string()))
    });
    engine.register_get("cause", |entry: &mut EntryValue| entry.0.activity.cause.clone());
    engine.register_get("note", |entry: &mut EntryValue| entry.0.activity.note.clone());
    engine.register_fn("to_string", |entry: &mut EntryValue| entry.0.id());
    engine.register_fn("activity", |map: Map| entries(&map));
}

fn entries(map: &Map) -> Api<Array> {
    let selection = selection(&ACTIVITY, map)?;
    let page = with(|work| {
        let query = Query::of(selection, work.now);
        activity::select(work, &query, None, work.settings.rows)
    })?;
    if page.next.is_some() {
        return Err(over_limit("rows"));
    }
    Ok(page.items.into_iter().map(|entry| Dynamic::from(EntryValue(entry))).collect())
}
