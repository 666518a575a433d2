//! Invoices and their line items as Partner Center shows them. What Bursar adds to an item stands behind Partner Center's
//! own members: `lineId`, `request`, `rule`, `reverses`, `atCustomerPrice`.

use rust_decimal::Decimal;

use super::field;
use super::subscriptions_write::last_second;
use super::write::{self, Out};
use crate::domain::invoice::{Invoice, InvoiceId, InvoiceType, Summary};
use crate::domain::ledger::{ChargeType, Line};
use crate::domain::{Currency, Instant, Span, calendar};
use crate::json::Value;

/// What a date that never came looks like.
const NEVER: &str = "0001-01-01T00:00:00";
/// The MPN id of nobody.
const NOBODY: i64 = -1;
/// Places an effective price is shown with: Partner Center's own lines have no more.
const EFFECTIVE_PLACES: u32 = 6;

/// Who is named beside a line: as they are called when it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    /// The partner's tenant id; empty: not told.
    pub partner_id: String,
    /// The partner's MPN id; empty: not told.
    pub mpn_id: String,
    /// The customer's company.
    pub customer_name: String,
    /// The customer's domain.
    pub customer_domain: String,
}

/// The member names of a one-time line item, in Partner Center's order: the columns of its file.
pub const ONE_TIME_COLUMNS: [&str; 35] = [
    "partnerId",
    "customerId",
    "customerName",
    "customerDomainName",
    "customerCountry",
    "invoiceNumber",
    "mpnId",
    "orderId",
    "orderDate",
    "productId",
    "skuId",
    "availabilityId",
    "productName",
    "skuName",
    "productQualifiers",
    "chargeType",
    "unitPrice",
    "effectiveUnitPrice",
    "quantity",
    "subtotal",
    "taxTotal",
    "totalForCustomer",
    "currency",
    "publisherName",
    "subscriptionDescription",
    "subscriptionId",
    "subscriptionStartDate",
    "subscriptionEndDate",
    "chargeStartDate",
    "chargeEndDate",
    "termAndBillingCycle",
    "alternateId",
    "pricingCurrency",
    "billableQuantity",
    "billingFrequency",
];

/// The member names of a licence-based line item, in Partner Center's order.
pub const LICENSE_COLUMNS: [&str; 28] = [
    "partnerId",
    "customerId",
    "customerName",
    "mpnId",
    "tier2MpnId",
    "orderId",
    "subscriptionId",
    "syndicationPartnerSubscriptionNumber",
    "offerId",
    "durableOfferId",
    "offerName",
    "domainName",
    "billingCycleType",
    "subscriptionName",
    "subscriptionDescription",
    "subscriptionStartDate",
    "subscriptionEndDate",
    "chargeStartDate",
    "chargeEndDate",
    "chargeType",
    "unitPrice",
    "quantity",
    "amount",
    "totalOtherDiscount",
    "subtotal",
    "tax",
    "totalForCustomer",
    "currency",
];

/// An invoice.
pub fn invoice(invoice: &Invoice) -> Value {
    let id = invoice.id;
    let own = format!("/invoices/{id}");
    let mut out = Out::new();
    out.text("id", &id.to_string());
    out.instant("invoiceDate", Some(invoice.invoice_date));
    out.instant("billingPeriodStartDate", Some(id.month.start()));
    out.instant("billingPeriodEndDate", last_second(id.month.end()));
    number(&mut out, "totalCharges", invoice.totals.total());
    number(&mut out, "paidAmount", invoice.paid());
    number(&mut out, "subtotal", invoice.totals.subtotal);
    number(&mut out, "taxTotal", invoice.totals.tax);
    number(&mut out, "charges", invoice.totals.charges);
    number(&mut out, "credits", invoice.totals.credits);
    out.text("currencyCode", id.currency.code());
    out.filled("currencySymbol", &symbol(id.currency));
    out.integer("lineItems", i64::try_from(invoice.totals.lines).unwrap_or(i64::MAX));
    out.integer("customers", i64::try_from(invoice.customers).unwrap_or(i64::MAX));
    let sums = invoice.totals.at_customer_prices.iter().map(|sum| {
        let mut out = Out::new();
        out.text("currencyCode", sum.currency.code());
        out.integer("lineItems", i64::try_from(sum.lines).unwrap_or(i64::MAX));
        number(&mut out, "subtotal", sum.amount);
        number(&mut out, "taxTotal", sum.tax);
        number(&mut out, "total", sum.amount.saturating_add(sum.tax));
        if let Some(margin) = sum.margin {
            number(&mut out, "margin", margin);
        }
        out.finish()
    });
    out.value("atCustomerPrices", Value::Array(sums.collect()));
    let mut detail = Out::new();
    detail.text("invoiceLineItemType", "billing_line_items");
    detail.text("billingProvider", id.kind.provider().as_str());
    detail.value("links", Value::Object(vec![("self".to_owned(), write::link(&items_path(id), "GET"))]));
    detail.value("attributes", write::attributes("InvoiceDetail", None));
    out.value("invoiceDetails", Value::Array(vec![detail.finish()]));
    out.text("documentType", "invoice");
    out.text("invoiceType", id.kind.as_str());
    out.value("links", Value::Object(vec![("self".to_owned(), write::link(&own, "GET"))]));
    out.value("attributes", write::attributes("Invoice", None));
    out.finish()
}

/// Where the account stands in one currency, with what of it is of each type of invoice.
pub fn summary(whole: &Summary, by_type: &[(InvoiceType, Summary)]) -> Value {
    let mut out = balance(whole);
    let details = by_type.iter().map(|(kind, summary)| {
        let mut own = balance(summary);
        own.value("attributes", write::attributes("InvoiceSummary", None));
        let mut detail = Out::new();
        detail.text("invoiceType", kind.as_str());
        detail.value("summary", own.finish());
        detail.finish()
    });
    out.value("details", Value::Array(details.collect()));
    out.value("links", Value::Object(vec![("self".to_owned(), write::link("/invoices/summary", "GET"))]));
    out.value("attributes", write::attributes("InvoiceSummary", None));
    out.finish()
}

fn balance(summary: &Summary) -> Out {
    let mut out = Out::new();
    number(&mut out, "balanceAmount", summary.balance);
    out.text("currencyCode", summary.currency.code());
    out.filled("currencySymbol", &symbol(summary.currency));
    out.instant("accountingDate", Some(summary.accounted_at()));
    out.instant("firstInvoiceCreationDate", Some(summary.first_invoice));
    out.text("lastPaymentDate", &summary.last_payment.map_or_else(|| NEVER.to_owned(), |last| calendar::show(last.at)));
    number(&mut out, "lastPaymentAmount", summary.last_payment.map(|last| last.last).unwrap_or_default());
    out.instant("latestInvoiceDate", Some(summary.latest_invoice));
    out
}

/// Where an invoice's line items are.
pub fn items_path(id: InvoiceId) -> String {
    let provider = provider_word(id.kind);
    format!("/invoices/{id}/lineitems?provider={provider}&invoicelineitemtype=BillingLineItems")
}

/// The provider of an invoice's lines as a query writes it.
fn provider_word(kind: InvoiceType) -> &'static str {
    match kind {
        InvoiceType::OneTime => "OneTime",
        InvoiceType::Recurring => "Office",
    }
}

/// A link to the next page of line items: the token that goes on from here is a header, as Partner Center has it.
pub fn next_link(uri: &str, token: &str) -> Value {
    let mut header = Out::new();
    header.text("key", "MS-ContinuationToken");
    header.text("value", token);
    let mut out = Out::new();
    out.text("uri", uri);
    out.text("method", "GET");
    out.value("headers", Value::Array(vec![header.finish()]));
    out.finish()
}

/// A page of line items of so many.
pub fn line_items(items: Vec<Value>, total: u64, uri: &str, next: Option<(&str, &str)>) -> Value {
    let mut out = Out::new();
    out.integer("totalCount", i64::try_from(total).unwrap_or(i64::MAX));
    out.value("items", Value::Array(items));
    let mut links = vec![("self".to_owned(), write::link(uri, "GET"))];
    if let Some((uri, token)) = next {
        out.text("continuationToken", token);
        links.push(("next".to_owned(), next_link(uri, token)));
    }
    out.value("links", Value::Object(links));
    out.value("attributes", write::attributes("Collection", None));
    out.finish()
}

/// A line of an invoice, in the shape of the invoice's type.
pub fn line_item(id: InvoiceId, line: &Line, parties: &Parties) -> Value {
    match id.kind {
        InvoiceType::OneTime => one_time(id, line, parties),
        InvoiceType::Recurring => license_based(line, parties),
    }
}

fn one_time(id: InvoiceId, line: &Line, parties: &Parties) -> Value {
    let item = &line.item;
    let mut out = Out::new();
    out.text("partnerId", &parties.partner_id);
    out.text("customerId", &line.tenant.to_string());
    out.text("customerName", &parties.customer_name);
    out.text("customerDomainName", &parties.customer_domain);
    out.text("customerCountry", &item.country);
    out.text("invoiceNumber", &id.to_string());
    out.text("mpnId", &parties.mpn_id);
    out.text("orderId", item.order_id.as_ref().map_or("", |order| &order.0));
    out.instant("orderDate", item.order_date);
    let mut parts = item.offer_id.split(':');
    for name in ["productId", "skuId", "availabilityId"] {
        out.text(name, parts.next().unwrap_or_default());
    }
    out.text("productName", &item.offer_name);
    out.text("skuName", &item.offer_name);
    let qualifiers = [("Trial", item.is_trial), ("AddOn", item.is_add_on)].into_iter().filter(|(_, is)| *is);
    let qualifiers = qualifiers.map(|(word, _)| Value::String(word.to_owned()));
    out.value("productQualifiers", Value::Array(qualifiers.collect()));
    out.text("chargeType", line.kind.as_str());
    number(&mut out, "unitPrice", line.unit_price);
    number(&mut out, "effectiveUnitPrice", effective(line));
    // A credit is a negative price of so many seats.
    out.integer("quantity", line.quantity.saturating_abs());
    number(&mut out, "subtotal", line.amount);
    number(&mut out, "taxTotal", line.tax_amount());
    number(&mut out, "totalForCustomer", line.total());
    out.text("currency", line.currency.code());
    out.text("publisherName", &item.publisher_name);
    out.text("subscriptionDescription", &item.friendly_name);
    out.text("subscriptionId", &line.subscription.to_string());
    spans(&mut out, line);
    out.text("termAndBillingCycle", &term_and_cycle(item.term_duration, &item.billing_cycle));
    out.text("alternateId", item.order_id.as_ref().map_or("", |order| &order.0));
    out.text("pricingCurrency", line.currency.code());
    out.integer("billableQuantity", line.quantity.saturating_abs());
    out.text("billingFrequency", frequency(item.term_duration, &item.billing_cycle));
    ours(&mut out, line);
    out.text("invoiceLineItemType", "billing_line_items");
    out.text("billingProvider", id.kind.provider().as_str());
    out.value("attributes", write::attributes("OneTimeInvoiceLineItem", None));
    out.finish()
}

fn license_based(line: &Line, parties: &Parties) -> Value {
    let item = &line.item;
    let mut out = Out::new();
    out.text("partnerId", &parties.partner_id);
    out.text("customerId", &line.tenant.to_string());
    out.text("customerName", &parties.customer_name);
    // Numbers here, and -1 for nobody, as these items have it.
    out.integer("mpnId", parties.mpn_id.parse().unwrap_or(NOBODY));
    out.integer("tier2MpnId", item.partner_id.parse().unwrap_or(NOBODY));
    out.text("orderId", item.order_id.as_ref().map_or("", |order| &order.0));
    out.text("subscriptionId", &line.subscription.to_string());
    out.text("syndicationPartnerSubscriptionNumber", &line.subscription.to_string());
    out.text("offerId", &item.offer_id);
    out.text("durableOfferId", &item.offer_id);
    out.text("offerName", &item.offer_name);
    out.text("domainName", &parties.customer_domain);
    out.text("billingCycleType", &item.billing_cycle.to_uppercase());
    out.text("subscriptionName", &item.friendly_name);
    out.text("subscriptionDescription", &item.offer_name);
    spans(&mut out, line);
    out.text("chargeType", legacy_charge_type(line.kind));
    number(&mut out, "unitPrice", line.unit_price);
    out.integer("quantity", line.quantity);
    number(&mut out, "amount", line.amount);
    number(&mut out, "totalOtherDiscount", Decimal::ZERO);
    number(&mut out, "subtotal", line.amount);
    number(&mut out, "tax", line.tax_amount());
    number(&mut out, "totalForCustomer", line.total());
    out.text("currency", line.currency.code());
    ours(&mut out, line);
    out.text("invoiceLineItemType", "billing_line_items");
    out.text("billingProvider", item.billing_provider.as_str());
    out.value("attributes", write::attributes("LicenseBasedLineItem", None));
    out.finish()
}

/// What licence-based invoices call a charge.
fn legacy_charge_type(kind: ChargeType) -> &'static str {
    match kind {
        ChargeType::New => "Prorate fees when purchase",
        ChargeType::Renew | ChargeType::CycleCharge => "Cycle fee",
        ChargeType::AddQuantity | ChargeType::RemoveQuantity | ChargeType::ChangeBillingPlan => {
            "Cycle instance prorate"
        }
        ChargeType::CancelImmediate => "Cancel instance prorate",
        ChargeType::Convert => "Prorate fees when convert",
        ChargeType::CustomerCredit => "Offset a line item",
        ChargeType::ExtendTerm => "Cycle fee",
    }
}

/// Ends are shown as the last day, whose midnight they are written at.
fn last_day(end: Instant) -> Option<Instant> {
    last_second(end).and_then(field::midnight)
}

fn spans(out: &mut Out, line: &Line) {
    out.instant("subscriptionStartDate", line.item.term_start.and_then(field::midnight));
    out.instant("subscriptionEndDate", line.item.term_end.and_then(last_day));
    let start = field::midnight(line.period_start);
    out.instant("chargeStartDate", start);
    out.instant("chargeEndDate", last_day(line.period_end).max(start));
}

fn ours(out: &mut Out, line: &Line) {
    out.text("lineId", &line.id);
    if let Some(request) = line.request {
        out.text("request", &request.to_string());
    }
    out.filled("rule", &line.rule);
    out.filled("reverses", line.reverses.as_deref().unwrap_or_default());
    if let Some(price) = &line.at_customer_price {
        let mut own = Out::new();
        own.text("currency", price.unit_price.currency.code());
        number(&mut own, "unitPrice", price.unit_price.amount);
        number(&mut own, "subtotal", price.amount);
        number(&mut own, "taxTotal", price.tax);
        if let Some(margin) = line.margin() {
            number(&mut own, "margin", margin);
        }
        out.value("atCustomerPrice", own.finish());
    }
}

fn number(out: &mut Out, name: &str, amount: Decimal) {
    out.value(name, Value::Number(amount.into()));
}

/// What a seat comes to in the span charged.
fn effective(line: &Line) -> Decimal {
    let each = line.amount.abs().checked_div(Decimal::from(line.quantity.saturating_abs())).unwrap_or_default();
    let mut each = each.round_dp_with_strategy(EFFECTIVE_PLACES, rust_decimal::RoundingStrategy::ToZero).normalize();
    each.set_sign_negative(line.amount.is_sign_negative() && !each.is_zero());
    each
}

fn symbol(currency: Currency) -> String {
    iso_currency::Currency::from_code(currency.code()).map(|known| known.symbol().to_string()).unwrap_or_default()
}

fn term_and_cycle(term: Option<Span>, cycle: &str) -> String {
    let Some(term) = term else { return "One-time".to_owned() };
    let length = match term.months {
        1 => "One-month".to_owned(),
        12 => "One-year".to_owned(),
        36 => "Three-year".to_owned(),
        _ => term.to_string(),
    };
    format!("{length} commitment for {cycle} billing")
}

/// How often a term is billed; blank where it is paid up front.
fn frequency(term: Option<Span>, cycle: &str) -> &'static str {
    let months = term.map_or(0, |term| term.months);
    match cycle {
        "monthly" if months > 1 => "Monthly",
        "annual" if months > 12 => "Annual",
        "biennial" if months > 24 => "Biennial",
        _ => "",
    }
}
