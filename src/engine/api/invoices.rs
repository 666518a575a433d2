//! Money in scripts beside the ledger: invoices and their lines, what is not invoiced yet, and customers' prices.

use rhai::{Dynamic, Engine, Map};

use super::rows::Rows;
use super::tenants::TenantValue;
use super::{or_nothing, selection};
use crate::domain::invoice::{CustomerSum, Invoice, InvoiceId, Totals};
use crate::domain::selection::INVOICES;
use crate::domain::{Currency, Money, TenantId};
use crate::engine::failure::{Api, raise_refusal};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::engine::values::amounts::Amounts;
use crate::ops::prices::Which;
use crate::ops::{invoices, prices};

/// An invoice as a script sees it.
#[derive(Debug, Clone)]
pub struct InvoiceValue(pub Invoice);

/// What lines of one currency come to.
#[derive(Debug, Clone)]
pub struct TotalsValue(pub Totals, pub Currency);

const fn invoice(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Invoice", name, gives, doc }
}

const fn totals(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Totals", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Invoices and prices",
    functions: &[
        Function {
            name: "invoices",
            params: &["selection: map"],
            gives: "rows of Invoice",
            grant: "invoices.read",
            doc: "The monthly invoices a selection holds, newest month first.",
            example: r#"for invoice in invoices(#{ currency: "EUR" }) { print(`${invoice.id}: ${invoice.total}`); }"#,
        },
        Function {
            name: "invoice",
            params: &["id: string"],
            gives: "Invoice",
            grant: "invoices.read",
            doc: "One invoice; `not_found` when there is none.",
            example: r#"for one in invoices(#{ currency: "EUR" }) { print(`${invoice(one.id).customers} customers`); }"#,
        },
        Function {
            name: "lines",
            params: &["invoice: Invoice"],
            gives: "rows of Line",
            grant: "invoices.read",
            doc: "Its lines, oldest first.",
            example: r#"for invoice in invoices(#{ currency: "EUR" }) { for line in invoice.lines() { print(`${line.kind} ${line.total}`); } }"#,
        },
        Function {
            name: "lines",
            params: &["invoice: Invoice", "tenant: Tenant"],
            gives: "rows of Line",
            grant: "invoices.read",
            doc: "One customer's lines of it.",
            example: r#"for invoice in invoices(#{}) { for tenant in tenants(#{ country: "NL" }) { for line in invoice.lines(tenant) { print(line.id); } } }"#,
        },
        Function {
            name: "statement",
            params: &["invoice: Invoice", "tenant: Tenant"],
            gives: "Totals",
            grant: "invoices.read",
            doc: "What one customer's part of it comes to.",
            example: r#"for invoice in invoices(#{}) { for tenant in tenants(#{ country: "NL" }) { print(`${invoice.statement(tenant).total}`); } }"#,
        },
        Function {
            name: "unbilled",
            params: &[],
            gives: "Amounts",
            grant: "invoices.read",
            doc: "What stands on no invoice yet, with tax, one amount per currency.",
            example: r#"if unbilled() > 0 { print(`${unbilled()} comes next month`); }"#,
        },
        Function {
            name: "unbilled",
            params: &["tenant: Tenant"],
            gives: "Amounts",
            grant: "invoices.read",
            doc: "What stands on no invoice yet of one customer's subscriptions, with tax.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { print(`${tenant.company_name}: ${tenant.unbilled()}`); }"#,
        },
        Function {
            name: "price",
            params: &["tenant: Tenant", "product: string"],
            gives: "Money?",
            grant: "prices.read",
            doc: "What the customer is asked for a seat of a product, whatever the term; nothing where no price is set.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { if absent(sub.tenant.price(sub.offer_id)) { print(sub.id); } }"#,
        },
        Function {
            name: "set_price",
            params: &["tenant: Tenant", "product: string", "price: Money"],
            gives: "()",
            grant: "prices.write",
            doc: "Sets what the customer is asked for a seat of a product, beside what it costs the partner.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { sub.tenant.set_price(sub.offer_id, money("12.50 EUR")); }"#,
        },
        Function {
            name: "set_price",
            params: &["tenant: Tenant", "product: string", "price: Money", "from: Instant"],
            gives: "()",
            grant: "prices.write",
            doc: "The same from a day (UTC) on: billing cycles that begin then or later are charged at it.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { sub.tenant.set_price(sub.offer_id, money("13.50 EUR"), instant("2027-01-01T00:00:00Z")); }"#,
        },
        Function {
            name: "remove_price",
            params: &["tenant: Tenant", "product: string"],
            gives: "()",
            grant: "prices.write",
            doc: "Takes such a price away; nothing happens when there is none.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { tenant.remove_price("CFQ7TTC0LH18:0001:CFQ7TTC0K971"); }"#,
        },
    ],
    properties: &[
        invoice("id", "string", "Partner Center's shape: G or D, the month, the currency's number"),
        invoice("invoice_date", "Instant", "When it was published"),
        invoice("period_start", "Instant", "First instant of the month billed"),
        invoice("period_end", "Instant", "First instant after it"),
        invoice("currency", "string", "The ISO 4217 code"),
        invoice("invoice_type", "string", "OneTime, or Recurring for licences before new commerce"),
        invoice("totals", "Totals", "What its lines come to"),
        invoice("total", "Money", "What is owed for it, with tax"),
        invoice("customers", "int", "Customers with a line on it"),
        totals("lines", "int", "How many lines"),
        totals("subtotal", "Money", "What they cost the partner before tax"),
        totals("tax", "Money", "The tax on it"),
        totals("total", "Money", "Both together"),
        totals("charges", "Money", "Charges among them, before tax"),
        totals("credits", "Money", "Credits among them, before tax: below zero"),
        totals("at_customer_prices", "Amounts", "What customers pay for them where a price is set, before tax"),
        totals("margin", "Amounts", "What the partner keeps of that, where cost and price are in one currency"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<InvoiceValue>("Invoice");
    engine.register_type_with_name::<TotalsValue>("Totals");
    engine.register_get("id", |invoice: &mut InvoiceValue| invoice.0.id.to_string());
    engine.register_get("invoice_date", |invoice: &mut InvoiceValue| invoice.0.invoice_date);
    engine.register_get("period_start", |invoice: &mut InvoiceValue| invoice.0.id.month.start());
    engine.register_get("period_end", |invoice: &mut InvoiceValue| invoice.0.id.month.end());
    engine.register_get("currency", |invoice: &mut InvoiceValue| invoice.0.id.currency.code().to_owned());
    engine.register_get("invoice_type", |invoice: &mut InvoiceValue| invoice.0.id.kind.as_str());
    engine.register_get("totals", |one: &mut InvoiceValue| TotalsValue(one.0.totals.clone(), one.0.id.currency));
    engine.register_get("total", |invoice: &mut InvoiceValue| invoice.0.total());
    engine.register_get("customers", |invoice: &mut InvoiceValue| count(invoice.0.customers));
    engine.register_fn("to_string", |invoice: &mut InvoiceValue| invoice.0.id.to_string());
    engine.register_get("lines", |totals: &mut TotalsValue| count(totals.0.lines));
    engine.register_get("subtotal", |totals: &mut TotalsValue| Money::new(totals.0.subtotal, totals.1));
    engine.register_get("tax", |totals: &mut TotalsValue| Money::new(totals.0.tax, totals.1));
    engine.register_get("total", |totals: &mut TotalsValue| Money::new(totals.0.total(), totals.1));
    engine.register_get("charges", |totals: &mut TotalsValue| Money::new(totals.0.charges, totals.1));
    engine.register_get("credits", |totals: &mut TotalsValue| Money::new(totals.0.credits, totals.1));
    engine.register_get("at_customer_prices", |totals: &mut TotalsValue| sums(&totals.0, |sum| Some(sum.amount)));
    engine.register_get("margin", |totals: &mut TotalsValue| sums(&totals.0, |sum| sum.margin));
    engine.register_fn("to_string", |totals: &mut TotalsValue| Money::new(totals.0.total(), totals.1).to_string());
    engine.register_fn("invoices", |map: Map| Rows::invoices(&selection(&INVOICES, &map)?));
    engine.register_fn("invoice", |id: &str| {
        let id: InvoiceId = id.parse().map_err(|refusal| raise_refusal(&refusal))?;
        with(|work| invoices::get(work, id)).map(InvoiceValue)
    });
    engine.register_fn("lines", |invoice: &mut InvoiceValue| Rows::billed(invoice.0.id, None));
    engine.register_fn("lines", |invoice: &mut InvoiceValue, tenant: TenantValue| {
        Rows::billed(invoice.0.id, Some(tenant.0.id))
    });
    engine.register_fn("statement", |invoice: &mut InvoiceValue, tenant: TenantValue| -> Api<TotalsValue> {
        let id = invoice.0.id;
        Ok(TotalsValue(with(|work| invoices::statement(work, id, tenant.0.id))?, id.currency))
    });
    engine.register_fn("unbilled", || unbilled(None));
    engine.register_fn("unbilled", |tenant: &mut TenantValue| unbilled(Some(tenant.0.id)));
    register_prices(engine);
}

fn register_prices(engine: &mut Engine) {
    engine.register_fn("price", |tenant: &mut TenantValue, product: &str| -> Api<Dynamic> {
        let found = with(|work| prices::find(work, tenant.0.id, product))?;
        Ok(or_nothing(found.map(|price| price.unit_price)))
    });
    engine.register_fn("set_price", |tenant: &mut TenantValue, product: &str, price: Money| -> Api<()> {
        let which = Which { product: product.to_owned(), ..Which::default() };
        with(|work| prices::set(work, which.at(tenant.0.id, price))).map(|_| ())
    });
    engine.register_fn(
        "set_price",
        |tenant: &mut TenantValue, product: &str, price: Money, from: crate::domain::Instant| -> Api<()> {
            let valid_from = Some(from.date_naive());
            let which = Which { product: product.to_owned(), valid_from, ..Which::default() };
            with(|work| prices::set(work, which.at(tenant.0.id, price))).map(|_| ())
        },
    );
    engine.register_fn("remove_price", |tenant: &mut TenantValue, product: &str| -> Api<()> {
        let id = tenant.0.id;
        with(|work| match prices::find(work, id, product)? {
            Some(known) => {
                let which = Which { product: known.product, valid_from: known.valid_from, ..Which::default() };
                prices::remove(work, id, &which).map(|_| ())
            }
            None => Ok(()),
        })
    });
}

fn unbilled(tenant: Option<TenantId>) -> Api<Amounts> {
    let rows = with(|work| invoices::unbilled(work, tenant))?;
    let mut amounts: Vec<Money> = Vec::new();
    for row in rows {
        let money = Money::new(row.totals.total(), row.currency);
        match amounts.iter_mut().find(|known| known.currency == money.currency) {
            Some(known) => *known = known.plus(money).map_err(|refusal| raise_refusal(&refusal))?,
            None => amounts.push(money),
        }
    }
    Ok(Amounts(amounts))
}

fn sums(totals: &Totals, pick: impl Fn(&CustomerSum) -> Option<rust_decimal::Decimal>) -> Amounts {
    Amounts(totals.at_customer_prices.iter().filter_map(|sum| Some(Money::new(pick(sum)?, sum.currency))).collect())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<InvoiceValue> for Dynamic {
    fn from(invoice: InvoiceValue) -> Self {
        Dynamic::from(invoice)
    }
}
