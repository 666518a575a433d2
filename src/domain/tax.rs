//! Tax on what is charged (TAX): rates by country and date, and the countries whose prices contain it. Data, one file:
//! `tax.toml`. A country without a rate has no tax here, and the line says so by carrying none.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::ledger::LineTax;
use super::money::{Rounding, plain_decimal};
use super::terms::{Place, TermsError, dated, place};
use super::{Instant, Money, Refusal};

/// A rate of one country between two dates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The row's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// ISO country of the customer, upper case.
    pub country: String,
    /// First charge it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::terms::read_date")]
    pub from: Option<Instant>,
    /// First charge it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::terms::read_date")]
    pub until: Option<Instant>,
    /// In percent of the amount before tax.
    #[serde(deserialize_with = "percent")]
    pub percent: Decimal,
    /// How the tax of one line is cut to the minor unit.
    #[serde(default = "half_up")]
    pub rounding: Rounding,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    inclusive: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    rate: Vec<Spanned<Rate>>,
}

/// The rates, and where prices contain the tax.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tax {
    inclusive: Vec<String>,
    rates: Vec<Rate>,
}

/// An amount with its tax apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxed {
    /// Before tax.
    pub amount: Money,
    /// The tax; none without a rate.
    pub tax: Option<LineTax>,
}

impl Tax {
    /// Lays a file over what is there: a rate replaces the one with the same rule id, `inclusive` the whole list.
    pub(super) fn lay(&mut self, path: &str, text: &str, wrong: &mut Vec<TermsError>) {
        let sheet = match toml::from_str::<Sheet>(text) {
            Ok(sheet) => sheet,
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let expected = error.message().lines().collect::<Vec<_>>().join("; ");
                wrong.push(TermsError { place: place(path, text, offset), expected });
                return;
            }
        };
        let mut country = |code: &str, offset: usize| {
            if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let expected = format!("an ISO country of two capital letters, not '{code}'");
                wrong.push(TermsError { place: place(path, text, offset), expected });
            }
        };
        if let Some(list) = sheet.inclusive {
            list.get_ref().iter().for_each(|code| country(code, list.span().start));
            self.inclusive = list.into_inner();
        }
        for row in sheet.rate {
            let offset = row.span().start;
            country(&row.get_ref().country, offset);
            let rate = Rate { place: place(path, text, offset), ..row.into_inner() };
            match self.rates.iter_mut().find(|known| known.rule == rate.rule) {
                Some(known) => *known = rate,
                None => self.rates.push(rate),
            }
        }
    }

    /// Two rates of one country at one instant would make the file's order a rule nobody wrote down.
    pub(super) fn overlaps(&self, wrong: &mut Vec<TermsError>) {
        for (index, one) in self.rates.iter().enumerate() {
            for other in self.rates.iter().skip(index + 1).filter(|other| other.country == one.country) {
                let ends = |until: Option<Instant>, from: Option<Instant>| {
                    until.zip(from).is_some_and(|(until, from)| until <= from)
                };
                if !ends(one.until, other.from) && !ends(other.until, one.from) {
                    let rules = (&one.rule, &other.rule);
                    let expected =
                        format!("dates that no other rate of {} has: {} and {} meet", one.country, rules.0, rules.1);
                    wrong.push(TermsError { place: other.place.clone(), expected });
                }
            }
        }
    }

    /// The rate for a charge of then.
    pub fn rate(&self, country: &str, at: Instant) -> Option<&Rate> {
        self.rates.iter().find(|rate| rate.country == country && dated(rate.from, rate.until, at))
    }

    /// Whether prices in this country contain the tax.
    pub fn is_included(&self, country: &str) -> bool {
        self.inclusive.iter().any(|known| known == country)
    }

    /// The amount before tax and the tax of a price charged in a country then.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn split(&self, price: Money, country: &str, at: Instant) -> Result<Taxed, Refusal> {
        match self.rate(country, at) {
            None => Ok(Taxed { amount: price, tax: None }),
            Some(rate) => taxed(price, rate.percent, &rate.rule, self.is_included(country), rate.rounding),
        }
    }

    /// The same for a credit: at the rate, and out of or on top of the price, as what it takes back was taxed.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn mirror(&self, price: Money, of: &LineTax, at: Instant, country: &str) -> Result<Taxed, Refusal> {
        let rounding = self.rates.iter().find(|rate| rate.rule == of.rule).or_else(|| self.rate(country, at));
        taxed(price, of.percent, &of.rule, of.is_included, rounding.map_or(Rounding::HalfUp, |rate| rate.rounding))
    }
}

fn taxed(price: Money, percent: Decimal, rule: &str, is_included: bool, rounding: Rounding) -> Result<Taxed, Refusal> {
    let share = |whole: Decimal| -> Result<Money, Refusal> {
        let part = price.times(percent)?;
        let mut tax = Money { amount: part.amount.checked_div(whole).unwrap_or_default(), ..part }.rounded(rounding);
        // No tax has no sign, also where it is cut from a credit.
        if tax.is_zero() {
            tax.amount.set_sign_positive(true);
        }
        Ok(tax)
    };
    let tax = if is_included { share(Decimal::ONE_HUNDRED + percent)? } else { share(Decimal::ONE_HUNDRED)? };
    let amount = if is_included { price.minus(tax)? } else { price };
    let tax = LineTax { amount: tax.amount, percent, rule: rule.to_owned(), is_included };
    Ok(Taxed { amount, tax: Some(tax) })
}

fn half_up() -> Rounding {
    Rounding::HalfUp
}

/// Text such as "8.1" or a whole number: a rate is exact.
fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(i64),
        Text(String),
    }
    let expected = "a rate in percent from 0 to 100: 21 or \"8.1\"";
    let read = match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(expected))? {
        Written::Whole(number) => Some(Decimal::from(number)),
        Written::Text(text) => plain_decimal(&text, 4),
    };
    read.filter(|rate| (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(rate))
        .ok_or_else(|| serde::de::Error::custom(expected))
}
