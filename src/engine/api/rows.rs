//! Rows: what a query gives. The ids are fixed when the query is called, page by page as far as the limit allows, and
//! each row is read when it is reached, so that a long list never stands in memory.

use rhai::{Dynamic, Engine, EvalAltResult};

use super::invoices::InvoiceValue;
use super::ledger::LineValue;
use super::requests::RequestValue;
use super::subscriptions::Sub;
use super::support::SupportValue;
use super::tenants::TenantValue;
use crate::domain::invoice::InvoiceId;
use crate::domain::request::State;
use crate::domain::selection::{Scalar, Selection};
use crate::domain::{Id, SubscriptionId, TenantId};
use crate::engine::failure::{Api, over_limit};
use crate::engine::reference::{Function, Part};
use crate::engine::script_thread::with;
use crate::ops::{Work, invoices, ledger, requests, rights, subscriptions, support, tenants};
use crate::store::records::requests as request_rows;

const PAGE_ROWS: usize = 500;

#[derive(Debug, Clone, Copy)]
enum Key {
    Subscription(SubscriptionId),
    Tenant(TenantId),
    Request(Id),
    Invoice(InvoiceId),
    Support(Id),
}

/// What a query gives: something to go over, or to count.
#[derive(Debug, Clone)]
pub struct Rows {
    keys: Vec<Key>,
    values: Vec<LineValue>,
}

pub(super) const PART: Part = Part {
    title: "Rows",
    functions: &[
        Function {
            name: "count",
            params: &["rows: rows"],
            gives: "int",
            grant: "",
            doc: "How many there are.",
            example: r#"print(`${subscriptions(#{ status: "active" }).count()}`);"#,
        },
        Function {
            name: "first",
            params: &["rows: rows"],
            gives: "any",
            grant: "",
            doc: "The first of them, or nothing.",
            example: r#"if present(subscriptions(#{ status: "active" }).first()) { print("some"); }"#,
        },
    ],
    properties: &[],
};

impl Rows {
    /// Subscriptions of a selection.
    pub(super) fn subscriptions(selection: &Selection) -> Api<Self> {
        Self::collect(|work, after| {
            let page = subscriptions::select(work, selection, after, PAGE_ROWS)?;
            let keys = page.items.iter().map(|stored| Key::Subscription(stored.value.id)).collect();
            Ok((keys, page.next))
        })
    }

    /// Tenants of a selection.
    pub(super) fn tenants(selection: &Selection) -> Api<Self> {
        Self::collect(|work, after| {
            let page = tenants::select(work, selection, after, PAGE_ROWS)?;
            Ok((page.items.iter().map(|tenant| Key::Tenant(tenant.id)).collect(), page.next))
        })
    }

    /// Requests of a selection: open ones through the list of their state, others newest first.
    pub(super) fn requests(selection: &Selection) -> Api<Self> {
        let open = match selection.exact("state") {
            Some([Scalar::Text(word)]) => {
                State::ALL.into_iter().find(|state| state.as_str() == word && state.is_open())
            }
            _ => None,
        };
        Self::collect(|work, after| {
            work.require(&crate::domain::Grant::Read("requests"))?;
            let page = match open {
                Some(state) => request_rows::in_state(&mut work.tx, state, after, PAGE_ROWS)?,
                None => request_rows::page(&mut work.tx, after, PAGE_ROWS)?,
            };
            let meant = page
                .items
                .iter()
                .filter(|request| rights::sees_request(work, request) && selection.matches(*request, work.now));
            Ok((meant.map(|request| Key::Request(request.id)).collect(), page.next))
        })
    }

    /// Invoices of a selection.
    pub(super) fn invoices(selection: &Selection) -> Api<Self> {
        Self::collect(|work, after| {
            let page = invoices::list(work, selection, after, PAGE_ROWS)?;
            Ok((page.items.iter().map(|invoice| Key::Invoice(invoice.id)).collect(), page.next))
        })
    }

    /// Lines of an invoice, of one customer or of all.
    pub(super) fn billed(id: InvoiceId, tenant: Option<TenantId>) -> Api<Self> {
        let mut values = Vec::new();
        with(|work| {
            let wanted = invoices::Wanted { tenant, skip: 0 };
            let mut after = None;
            loop {
                let page = invoices::lines(work, id, wanted, after, PAGE_ROWS)?;
                values.extend(page.items.into_iter().map(LineValue));
                let Some(next) = page.next.filter(|_| values.len() <= work.settings.rows) else { return Ok(()) };
                after = Some(invoices::read_cursor(&next)?);
            }
        })?;
        bounded(values.len())?;
        Ok(Self { keys: Vec::new(), values })
    }

    /// Support requests of a selection, newest first.
    pub(super) fn support(selection: &Selection) -> Api<Self> {
        Self::collect(|work, before| {
            let page = support::select(work, selection, before, PAGE_ROWS)?;
            Ok((page.items.iter().map(|found| Key::Support(found.id)).collect(), page.next))
        })
    }

    /// Ledger lines of a selection.
    pub(super) fn lines(selection: &Selection) -> Api<Self> {
        let mut values = Vec::new();
        with(|work| {
            let mut before = None;
            loop {
                let page = ledger::list(work, selection, before, PAGE_ROWS)?;
                values.extend(page.items.into_iter().map(LineValue));
                before = page.next.and_then(|next| next.try_into().ok()).map(u64::from_be_bytes);
                if before.is_none() || values.len() > work.settings.rows {
                    return Ok(());
                }
            }
        })?;
        bounded(values.len())?;
        Ok(Self { keys: Vec::new(), values })
    }

    fn collect(
        mut page: impl FnMut(&mut Work, Option<&[u8]>) -> crate::ops::Result<(Vec<Key>, Option<Vec<u8>>)>,
    ) -> Api<Self> {
        let mut keys = Vec::new();
        let mut cursor: Option<Vec<u8>> = None;
        loop {
            let (found, next) = with(|work| page(work, cursor.as_deref()))?;
            keys.extend(found);
            bounded(keys.len())?;
            match next {
                None => return Ok(Self { keys, values: Vec::new() }),
                next => cursor = next,
            }
        }
    }

    fn len(&self) -> usize {
        self.keys.len() + self.values.len()
    }

    /// Reads one row; nothing when it has gone since the ids were fixed.
    fn read(&self, index: usize) -> Api<Option<Dynamic>> {
        if let Some(line) = self.values.get(index) {
            return Ok(Some(Dynamic::from(line.clone())));
        }
        let Some(key) = self.keys.get(index) else { return Ok(None) };
        with(|work| {
            Ok(match *key {
                Key::Subscription(id) => Some(Dynamic::from(Sub(subscriptions::get(work, id)?.value))),
                Key::Tenant(id) => Some(Dynamic::from(TenantValue(tenants::get(work, id)?))),
                Key::Invoice(id) => Some(Dynamic::from(InvoiceValue(invoices::get(work, id)?))),
                Key::Support(id) => Some(Dynamic::from(SupportValue(support::get(work, id)?))),
                Key::Request(id) => Some(Dynamic::from(RequestValue::of(requests::get(work, id)?))),
            })
        })
    }
}

fn bounded(rows: usize) -> Api<()> {
    let limit = with(|work| Ok(work.settings.rows))?;
    if rows > limit {
        return Err(over_limit("rows"));
    }
    Ok(())
}

struct Walk {
    rows: Rows,
    at: usize,
}

impl Iterator for Walk {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.at;
        self.at += 1;
        self.rows.read(index).transpose()
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Rows>("rows");
    engine.register_iterator_result::<Rows, _>();
    engine.register_fn("count", |rows: &mut Rows| i64::try_from(rows.len()).unwrap_or(i64::MAX));
    engine.register_fn("first", |rows: &mut Rows| rows.read(0).map(|row| row.unwrap_or(Dynamic::UNIT)));
}

impl IntoIterator for Rows {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Box<dyn Iterator<Item = Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(Walk { rows: self, at: 0 })
    }
}
