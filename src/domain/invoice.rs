//! Invoices: which ledger lines a month's bill holds, and what they come to. No line is copied: an invoice says which
//! part of the ledger is its own.
//!
//! A line belongs to exactly one invoice of its currency and type: that of the first month to be published which ends
//! after the line's `at` and whose publication saw the line. So a line written after its month was published stands on
//! the next invoice, and none is ever on two or on none.

use chrono::{Datelike, NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::ledger::{BillingProvider, Line};
use super::{Currency, Instant, Money, Refusal, Span, TenantId};

/// A calendar month, UTC: a billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month of an instant.
    pub fn of(at: Instant) -> Month {
        Month { year: at.year(), month: at.month() }
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Month {
        if self.month == 12 { Month { year: self.year + 1, month: 1 } } else { Month { month: self.month + 1, ..self } }
    }

    /// Its first instant.
    pub fn start(self) -> Instant {
        let first = NaiveDate::from_ymd_opt(self.year, self.month, 1);
        first.map_or(Instant::MAX_UTC, |first| first.and_time(NaiveTime::MIN).and_utc())
    }

    /// The first instant after it.
    pub fn end(self) -> Instant {
        self.next().start()
    }

    /// When its invoices are published: this day of the month after it, 00:00Z.
    pub fn published_at(self, day: u32) -> Instant {
        Span::days(day.saturating_sub(1)).after(self.end()).unwrap_or(Instant::MAX_UTC)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Partner Center's types of invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InvoiceType {
    /// New commerce, software and marketplace.
    OneTime,
    /// Licences before new commerce.
    Recurring,
}

impl InvoiceType {
    /// The type that lines of a provider stand on.
    pub fn of(provider: BillingProvider) -> Self {
        match provider {
            BillingProvider::OneTime => InvoiceType::OneTime,
            BillingProvider::Office => InvoiceType::Recurring,
        }
    }

    /// The provider whose lines it has.
    pub fn provider(self) -> BillingProvider {
        match self {
            InvoiceType::OneTime => BillingProvider::OneTime,
            InvoiceType::Recurring => BillingProvider::Office,
        }
    }

    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            InvoiceType::OneTime => "OneTime",
            InvoiceType::Recurring => "Recurring",
        }
    }

    fn letter(self) -> char {
        match self {
            InvoiceType::OneTime => 'G',
            InvoiceType::Recurring => 'D',
        }
    }
}

/// An invoice's id as Partner Center writes them, a letter and nine digits: `G` for one-time and `D` for recurring, the
/// month, and the currency's ISO number. `G202103840` is March 2021 in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvoiceId {
    /// The month billed.
    pub month: Month,
    /// Its type.
    pub kind: InvoiceType,
    /// Its currency.
    pub currency: Currency,
}

impl fmt::Display for InvoiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Month { year, month } = self.month;
        let number =
            iso_currency::Currency::from_code(self.currency.code()).map_or(999, iso_currency::Currency::numeric);
        write!(f, "{}{year:04}{month:02}{number:03}", self.kind.letter())
    }
}

impl FromStr for InvoiceId {
    type Err = Refusal;

    /// Reads an id in either case, also as links of invoices have it: `OneTime-G202103840`.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let shown: String = text.chars().take(32).collect();
        let bad = || Refusal::new("bad_id", format!("'{shown}' is no invoice id such as G202103840"));
        let bare = text.rsplit('-').next().unwrap_or(text);
        let kind = match bare.chars().next() {
            Some('G' | 'g') => InvoiceType::OneTime,
            Some('D' | 'd') => InvoiceType::Recurring,
            _ => return Err(bad()),
        };
        let digits = bare.get(1..).filter(|rest| rest.len() == 9 && rest.bytes().all(|byte| byte.is_ascii_digit()));
        let digits = digits.ok_or_else(bad)?;
        let part =
            |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok()).ok_or_else(bad);
        let year = i32::try_from(part(0, 4)?).map_err(|_| bad())?;
        let month = Month { year, month: part(4, 6)? };
        if !(1..=12).contains(&month.month) || year == 0 {
            return Err(bad());
        }
        let known = iso_currency::Currency::from_numeric(u16::try_from(part(6, 9)?).map_err(|_| bad())?);
        let currency = known.ok_or_else(bad)?.code().parse().map_err(|_| bad())?;
        Ok(InvoiceId { month, kind, currency })
    }
}

impl Serialize for InvoiceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InvoiceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which part of the ledger a publication bills: what it saw of what happened before its end, less what the publication
/// before it had billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// No line of an earlier sequence is in it.
    pub from_seq: u64,
    /// Last sequence the publication before it saw; zero before the first.
    pub taken_seq: u64,
    /// End of the month published before it.
    #[serde(with = "crate::domain::calendar::wire")]
    pub taken_end: Instant,
    /// Last sequence it saw.
    pub to_seq: u64,
    /// End of its month: the first instant that is not billed.
    #[serde(with = "crate::domain::calendar::wire")]
    pub end: Instant,
}

impl Reach {
    /// Whether the publication before it had billed this line.
    fn was_taken(&self, seq: u64, at: Instant) -> bool {
        seq <= self.taken_seq && at < self.taken_end
    }

    /// Whether a line is in it.
    pub fn holds(&self, line: &Line) -> bool {
        (self.from_seq..=self.to_seq).contains(&line.seq) && line.at < self.end && !self.was_taken(line.seq, line.at)
    }

    /// Whether a line it saw is left for a later publication.
    pub fn leaves(&self, line: &Line) -> bool {
        line.seq <= self.to_seq && line.at >= self.end
    }
}

/// Where billing stands: the month to be published next, and what has been billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billing {
    /// The month whose invoices come next.
    pub next: Month,
    /// No line of an earlier sequence is unbilled.
    pub from_seq: u64,
    /// Last sequence the last publication saw; zero before the first.
    pub taken_seq: u64,
    /// End of the month published last; the beginning of the next before the first.
    #[serde(with = "crate::domain::calendar::wire")]
    pub taken_end: Instant,
}

impl Billing {
    /// Before anything was billed: everything there is stands on the invoices of this month.
    pub fn begins(month: Month) -> Billing {
        Billing { next: month, from_seq: 1, taken_seq: 0, taken_end: month.start() }
    }

    /// What the publication of the next month bills when it sees the ledger up to a sequence.
    pub fn reach(&self, to_seq: u64) -> Reach {
        let Billing { next, from_seq, taken_seq, taken_end } = *self;
        Reach { from_seq, taken_seq, taken_end, to_seq, end: next.end() }
    }

    /// Everything that is not billed yet.
    pub fn unbilled(&self) -> Reach {
        Reach { end: Instant::MAX_UTC, ..self.reach(u64::MAX) }
    }

    /// Where billing stands after that publication; `left` is the first sequence with a line it left for later.
    #[must_use]
    pub fn after(&self, reach: &Reach, left: Option<u64>) -> Billing {
        let from_seq = left.unwrap_or_else(|| reach.to_seq.saturating_add(1));
        Billing { next: self.next.next(), from_seq, taken_seq: reach.to_seq, taken_end: reach.end }
    }
}

/// Where the account stands in one currency: what is unpaid of all invoices together, or of those of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The currency.
    pub currency: Currency,
    /// What is unpaid.
    pub balance: Decimal,
    /// When the first invoice was published.
    pub first_invoice: Instant,
    /// When the latest was.
    pub latest_invoice: Instant,
    /// The payment that came last.
    pub last_payment: Option<Payment>,
}

impl Summary {
    /// Before anything but this invoice is counted.
    pub fn of(invoice: &Invoice) -> Summary {
        let at = invoice.invoice_date;
        let none = Summary {
            currency: invoice.id.currency,
            balance: Decimal::ZERO,
            first_invoice: at,
            latest_invoice: at,
            last_payment: None,
        };
        none.with(invoice)
    }

    /// With one more invoice of the currency.
    #[must_use]
    pub fn with(mut self, invoice: &Invoice) -> Summary {
        self.balance = self.balance.saturating_add(invoice.balance());
        self.first_invoice = self.first_invoice.min(invoice.invoice_date);
        self.latest_invoice = self.latest_invoice.max(invoice.invoice_date);
        self.last_payment = self.last_payment.into_iter().chain(invoice.payment).max_by_key(|payment| payment.at);
        self
    }

    /// When the balance moved last: by an invoice or by a payment.
    pub fn accounted_at(&self) -> Instant {
        self.last_payment.map_or(self.latest_invoice, |payment| payment.at.max(self.latest_invoice))
    }
}

/// What lines come to at the customers' prices, in one of their currencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerSum {
    /// The currency of the customers' prices.
    pub currency: Currency,
    /// Lines that have such a price.
    pub lines: u64,
    /// What customers owe before tax.
    pub amount: Decimal,
    /// The tax on it.
    pub tax: Decimal,
    /// What the partner keeps of it before tax; none where the cost is in another currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Decimal>,
}

/// What lines of one currency come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// How many there are.
    pub lines: u64,
    /// What they cost the partner before tax.
    pub subtotal: Decimal,
    /// The tax on it.
    pub tax: Decimal,
    /// Charges among them, before tax.
    pub charges: Decimal,
    /// Credits among them, before tax; below zero.
    pub credits: Decimal,
    /// At the customers' prices, a row a currency of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_customer_prices: Vec<CustomerSum>,
}

impl Totals {
    /// With tax.
    pub fn total(&self) -> Decimal {
        self.subtotal.saturating_add(self.tax)
    }

    /// Counts one more line.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn add(&mut self, line: &Line) -> Result<(), Refusal> {
        self.lines += 1;
        grow(&mut self.subtotal, line.amount)?;
        grow(&mut self.tax, line.tax_amount())?;
        grow(if line.amount.is_sign_negative() { &mut self.credits } else { &mut self.charges }, line.amount)?;
        let Some(price) = &line.at_customer_price else { return Ok(()) };
        let currency = price.unit_price.currency;
        let place = self.at_customer_prices.iter().position(|sum| sum.currency == currency).unwrap_or_else(|| {
            let margin = (currency == line.currency).then_some(Decimal::ZERO);
            let fresh = CustomerSum { currency, lines: 0, amount: Decimal::ZERO, tax: Decimal::ZERO, margin };
            self.at_customer_prices.push(fresh);
            self.at_customer_prices.len() - 1
        });
        let Some(sum) = self.at_customer_prices.get_mut(place) else { return Ok(()) };
        sum.lines += 1;
        grow(&mut sum.amount, price.amount)?;
        grow(&mut sum.tax, price.tax)?;
        if let (Some(margin), Some(more)) = (&mut sum.margin, line.margin()) {
            grow(margin, more)?;
        }
        Ok(())
    }
}

fn grow(sum: &mut Decimal, more: Decimal) -> Result<(), Refusal> {
    let overflow = || Refusal::new("amount_overflow", "the sum is larger than money can be");
    *sum = sum.checked_add(more).ok_or_else(overflow)?;
    Ok(())
}

/// What a walk through a part of the ledger comes to, by type and currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// By type of invoice and currency.
    pub totals: BTreeMap<(InvoiceType, Currency), Totals>,
    /// Whose lines there are.
    customers: BTreeMap<(InvoiceType, Currency), BTreeSet<TenantId>>,
    /// The first sequence with a line that is left for a later publication.
    pub left: Option<u64>,
}

impl Tally {
    /// Counts a line, or notes that it is left for later.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn add(&mut self, reach: &Reach, line: &Line) -> Result<(), Refusal> {
        if reach.leaves(line) && self.left.is_none() {
            self.left = Some(line.seq);
        }
        if !reach.holds(line) {
            return Ok(());
        }
        let key = (InvoiceType::of(line.item.billing_provider), line.currency);
        self.customers.entry(key).or_default().insert(line.tenant);
        self.totals.entry(key).or_default().add(line)
    }

    /// The invoices it makes, in the order of their ids.
    pub fn invoices(&self, month: Month, reach: Reach, invoice_date: Instant) -> Vec<Invoice> {
        let customers = |key: &(InvoiceType, Currency)| self.customers.get(key).map_or(0, BTreeSet::len);
        let invoice = |(key, totals): (&(InvoiceType, Currency), &Totals)| Invoice {
            id: InvoiceId { month, kind: key.0, currency: key.1 },
            invoice_date,
            reach,
            customers: u64::try_from(customers(key)).unwrap_or(u64::MAX),
            totals: totals.clone(),
            payment: None,
        };
        self.totals.iter().map(invoice).collect()
    }
}

/// What was paid of an invoice: a fact told by the billing system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// All that was paid so far, in the invoice's currency.
    pub paid: Decimal,
    /// What of it came last.
    pub last: Decimal,
    /// When it came.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
}

/// A month's bill to the partner in one currency: what its part of the ledger comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// When it was published.
    #[serde(with = "crate::domain::calendar::wire")]
    pub invoice_date: Instant,
    /// The part of the ledger it bills.
    pub reach: Reach,
    /// Customers with a line on it.
    pub customers: u64,
    /// What its lines come to.
    pub totals: Totals,
    /// What was paid of it; none: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
}

impl Invoice {
    /// What was paid of it.
    pub fn paid(&self) -> Decimal {
        self.payment.map_or(Decimal::ZERO, |payment| payment.paid)
    }

    /// What is still owed for it, with tax.
    pub fn balance(&self) -> Decimal {
        self.totals.total().saturating_sub(self.paid())
    }

    /// Whether a line stands on it.
    pub fn holds(&self, line: &Line) -> bool {
        line.currency == self.id.currency
            && InvoiceType::of(line.item.billing_provider) == self.id.kind
            && self.reach.holds(line)
    }

    /// What is owed for it, with tax; below zero when more was credited than charged.
    pub fn total(&self) -> Money {
        Money::new(self.totals.total(), self.id.currency)
    }
}
