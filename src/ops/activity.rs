//! The activity log: who did what, by date, customer and kind, newest first (AUD). Nothing in it is ever changed.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::audit::{self, Meaning, OperationStatus};
use crate::domain::selection::{Field, Fields, Scalar, Selection};
use crate::domain::{Grant, Instant, Principal, Span, Subscription, TenantId};
use crate::store::records::log::{self, Activity};
use crate::store::records::{Page, subscriptions as subscription_rows, tenants as tenant_rows, users as user_rows};

use super::work::Work;
use super::{Result, rights};

/// Records looked at in one go.
const PAGE_ROWS: usize = 500;
/// How far the instants of neighbouring records may be out of order: longer than any run takes.
const SLACK: Span = Span::hours(1);

/// One thing that was done, as it is shown.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The sequence of its record.
    pub seq: u64,
    /// Its place in the record.
    pub ordinal: usize,
    /// What was noted.
    pub activity: Activity,
    /// What Partner Center calls it.
    pub meaning: Meaning,
    /// The customer's name, as it is now.
    pub company_name: String,
    /// The address of the user that did it, as it is now; what a program is called.
    pub user_principal_name: String,
}

impl Entry {
    /// Its id: the sequence and the place.
    pub fn id(&self) -> String {
        format!("{}.{}", self.seq, self.ordinal)
    }

    /// The person or program that did it: a user's name, or what a principal is called.
    pub fn user(&self) -> String {
        match &self.activity.by {
            Principal::User(name) => name.clone(),
            other => other.to_string(),
        }
    }

    /// What was done, in Partner Center's word where it has one; what was refused or failed in ours, which says so.
    pub fn action(&self) -> &str {
        let done = !matches!(self.meaning.status, OperationStatus::Decline | OperationStatus::Failed);
        if self.meaning.operation.is_undefined() || !done {
            &self.activity.operation
        } else {
            self.meaning.operation.as_str()
        }
    }
}

impl Fields for Entry {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let text = |text: String| Field::Text(Cow::Owned(text));
        let activity = &self.activity;
        Some(match name {
            "id" => text(self.id()),
            "at" => Field::Instant(activity.at),
            "by" => Field::Texts(vec![
                Cow::Owned(activity.by.to_string()),
                Cow::Owned(self.user()),
                Cow::Borrowed(self.user_principal_name.as_str()),
            ]),
            "operation" => Field::Texts(vec![
                Cow::Borrowed(activity.operation.as_str()),
                Cow::Borrowed(self.meaning.operation.as_str()),
            ]),
            "resource_type" => Field::Text(Cow::Borrowed(self.meaning.resource.as_str())),
            "operation_status" => Field::Text(Cow::Borrowed(self.meaning.status.as_str())),
            "tenant" => text(activity.tenant?.to_string()),
            "company_name" => Field::Text(Cow::Borrowed(self.company_name.as_str())),
            "subscription" => text(activity.subscription?.to_string()),
            "request" => text(activity.request?.to_string()),
            "cause" => Field::Text(Cow::Borrowed(activity.cause.as_str())),
            _ => return None,
        })
    }
}

/// What of the activity log is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// What has to hold.
    pub selection: Selection,
    /// From this instant on.
    pub from: Option<Instant>,
    /// Before this instant.
    pub to: Option<Instant>,
    /// Only customers whose name has this in it, in any case.
    pub company: Option<String>,
}

impl Query {
    /// Everything a selection holds; what it says of `at` bounds the walk.
    pub fn of(selection: Selection, now: Instant) -> Self {
        let at = |bound: std::ops::Bound<Scalar>| match bound {
            std::ops::Bound::Included(Scalar::Instant(at)) | std::ops::Bound::Excluded(Scalar::Instant(at)) => Some(at),
            _ => None,
        };
        let (from, to) = selection.bounds("at", now);
        // The end of a walk is exclusive, and the selection looks at each entry again.
        let to = at(to).and_then(|to| Span { seconds: 1, ..Span::default() }.after(to));
        Self { selection, from: at(from), to, company: None }
    }

    fn holds(&self, entry: &Entry, now: Instant) -> bool {
        let at = entry.activity.at;
        let named = |part: &String| entry.company_name.to_lowercase().contains(&part.to_lowercase());
        self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
            && self.company.as_ref().is_none_or(named)
            && self.selection.matches(entry, now)
    }
}

/// The place of an entry, as the cursor of a page: what comes before it is older.
pub fn key_of(entry: &Entry) -> Vec<u8> {
    let ordinal = u32::try_from(entry.ordinal).unwrap_or(u32::MAX);
    [&entry.seq.to_be_bytes()[..], &ordinal.to_be_bytes()].concat()
}

fn read_key(key: &[u8]) -> Option<(u64, usize)> {
    let (seq, ordinal) = key.split_at_checked(8)?;
    let ordinal = u32::from_be_bytes(ordinal.try_into().ok()?);
    Some((u64::from_be_bytes(seq.try_into().ok()?), usize::try_from(ordinal).ok()?))
}

/// A page of the activity log that the asker may see, newest first. Looks at no more records than one transaction
/// should, so a page may be short or empty and still have a next one.
///
/// # Errors
/// `forbidden`; what the store answers.
pub fn select(work: &mut Work, query: &Query, before: Option<&[u8]>, limit: usize) -> Result<Page<Entry>> {
    work.require(&Grant::Read("activity"))?;
    let oldest = query.from.and_then(|from| SLACK.before(from));
    let mut cursor = match (before.and_then(read_key), query.to.and_then(|to| SLACK.after(to))) {
        (Some((seq, _)), _) => seq.checked_add(1),
        (None, Some(to)) => log::first_after(&mut work.tx, to)?,
        (None, None) => None,
    };
    let before = before.and_then(read_key);
    let mut names = Names::default();
    let (mut items, mut seen) = (Vec::new(), 0);
    loop {
        let records = log::page(&mut work.tx, cursor, true, PAGE_ROWS)?;
        let end = records.len() < PAGE_ROWS;
        for (seq, record) in records {
            if oldest.is_some_and(|oldest| record.instant().is_some_and(|at| at < oldest)) {
                return Ok(Page { items, next: None });
            }
            for (ordinal, activity) in record.activity.into_iter().enumerate().rev() {
                let is_before = before.is_none_or(|before| (seq, ordinal) < before);
                if !is_before || !rights::sees_activity(work, &activity) {
                    continue;
                }
                let company_name = names.company(work, activity.tenant)?;
                let user_principal_name = names.user(work, &activity.by)?;
                let meaning = audit::meaning(&activity.operation);
                let entry = Entry { seq, ordinal, activity, meaning, company_name, user_principal_name };
                if query.holds(&entry, work.now) {
                    let place = key_of(&entry);
                    items.push(entry);
                    if items.len() >= limit {
                        return Ok(Page { items, next: Some(place) });
                    }
                }
            }
            seen += 1;
            cursor = Some(seq);
        }
        if end {
            return Ok(Page { items, next: None });
        }
        if seen >= work.settings.rows {
            // Everything of the last record has been looked at: what comes before its first entry is older.
            let next = cursor.map(|seq| [&seq.to_be_bytes()[..], &0u32.to_be_bytes()].concat());
            return Ok(Page { items, next });
        }
    }
}

/// The subscription that an entry is of, as it is now; none where it is of none, or that is gone.
///
/// # Errors
/// What the store answers.
pub fn subscription_of(work: &mut Work, entry: &Entry) -> Result<Option<Subscription>> {
    let (Some(tenant), Some(id)) = (entry.activity.tenant, entry.activity.subscription) else { return Ok(None) };
    Ok(subscription_rows::get(&mut work.tx, tenant, id)?.map(|stored| stored.value))
}

/// Names that were looked up already: most of a page is of few customers and by few people.
#[derive(Default)]
struct Names {
    companies: HashMap<TenantId, String>,
    users: HashMap<String, String>,
}

impl Names {
    fn company(&mut self, work: &mut Work, tenant: Option<TenantId>) -> Result<String> {
        let Some(tenant) = tenant else { return Ok(String::new()) };
        if let Some(known) = self.companies.get(&tenant) {
            return Ok(known.clone());
        }
        let found = tenant_rows::get(&mut work.tx, tenant)?.map(|stored| stored.value.company_name).unwrap_or_default();
        self.companies.insert(tenant, found.clone());
        Ok(found)
    }

    /// A user's address; of whoever is no user (any more), what they are called.
    fn user(&mut self, work: &mut Work, by: &Principal) -> Result<String> {
        let Principal::User(name) = by else { return Ok(by.to_string()) };
        if let Some(known) = self.users.get(name) {
            return Ok(known.clone());
        }
        let found = user_rows::named(&mut work.tx, name)?.filter(|user| user.name == *name);
        let address = found.map_or_else(|| name.clone(), |user| user.email);
        self.users.insert(name.clone(), address.clone());
        Ok(address)
    }
}
