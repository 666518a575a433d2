//! Money: an exact decimal and an ISO 4217 currency. Rounding is named where it happens; currencies never mix.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::Refusal;

/// An ISO 4217 currency code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// How many decimal places its minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn minor_digits(&self) -> u32 {
        iso_currency::Currency::from_code(self.code()).and_then(|known| known.exponent()).map_or(2, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad = || {
            Refusal::new(
                "bad_currency",
                format!("'{}' is no ISO 4217 currency such as EUR", text.chars().take(16).collect::<String>()),
            )
        };
        let known = iso_currency::Currency::from_code(text).ok_or_else(bad)?;
        known.exponent().ok_or_else(bad)?;
        <[u8; 3]>::try_from(text.as_bytes()).map(Currency).map_err(|_| bad())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How an amount that does not come out even is cut to the minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Cut off toward zero.
    Truncate,
    /// To the nearest, a half away from zero.
    HalfUp,
    /// To the nearest, a half to the even neighbour.
    HalfEven,
}

/// An amount in one currency; exact. A charge is positive, a credit negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The amount in major units (10.08 euro), exact; text on the wire.
    pub amount: Decimal,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount and its currency.
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in this currency.
    pub fn zero(currency: Currency) -> Self {
        Self { amount: Decimal::ZERO, currency }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// The sum.
    ///
    /// # Errors
    /// `currency_mismatch`, `amount_overflow`.
    pub fn plus(self, other: Money) -> Result<Money, Refusal> {
        self.same(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or_else(overflow)?;
        Ok(Money { amount, ..self })
    }

    /// The difference.
    ///
    /// # Errors
    /// `currency_mismatch`, `amount_overflow`.
    pub fn minus(self, other: Money) -> Result<Money, Refusal> {
        self.plus(other.negated())
    }

    /// So many times.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn times(self, factor: Decimal) -> Result<Money, Refusal> {
        let amount = self.amount.checked_mul(factor).ok_or_else(overflow)?;
        Ok(Money { amount, ..self })
    }

    /// The same amount the other way round.
    #[must_use]
    pub fn negated(self) -> Money {
        Money { amount: if self.amount.is_zero() { self.amount } else { -self.amount }, ..self }
    }

    /// Cut to the currency's minor unit.
    #[must_use]
    pub fn rounded(self, rounding: Rounding) -> Money {
        use rust_decimal::RoundingStrategy as Strategy;
        let strategy = match rounding {
            Rounding::Truncate => Strategy::ToZero,
            Rounding::HalfUp => Strategy::MidpointAwayFromZero,
            Rounding::HalfEven => Strategy::MidpointNearestEven,
        };
        let mut amount = self.amount.round_dp_with_strategy(self.currency.minor_digits(), strategy);
        amount.rescale(self.currency.minor_digits());
        Money { amount, ..self }
    }

    /// How it compares.
    ///
    /// # Errors
    /// `currency_mismatch`.
    pub fn compare(self, other: Money) -> Result<std::cmp::Ordering, Refusal> {
        self.same(other)?;
        Ok(self.amount.cmp(&other.amount))
    }

    fn same(self, other: Money) -> Result<(), Refusal> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(Refusal::new("currency_mismatch", format!("{} and {} do not mix", self.currency, other.currency)))
    }
}

fn overflow() -> Refusal {
    Refusal::new("amount_overflow", "the amount is larger than money can be")
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::try_from(self.currency.minor_digits()).unwrap_or(2);
        if self.amount.scale() as usize > digits {
            write!(f, "{} {}", self.amount.normalize(), self.currency)
        } else {
            write!(f, "{:.*} {}", digits, self.amount, self.currency)
        }
    }
}

impl FromStr for Money {
    type Err = Refusal;

    /// Reads `10.08 EUR`: plain digits, a point, no sign but `-`, no more places than the minor unit has.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad = || {
            Refusal::new(
                "bad_money",
                format!("'{}' is no amount such as 10.08 EUR", text.chars().take(64).collect::<String>()),
            )
        };
        let (number, code) = text.split_once(' ').ok_or_else(bad)?;
        let currency: Currency = code.parse()?;
        Ok(Money { amount: plain_decimal(number, currency.minor_digits()).ok_or_else(bad)?, currency })
    }
}

/// A decimal of plain ASCII digits with at most so many places; none for `1e2`, `+5`, `-0`, ` 10` or `1,00`.
pub fn plain_decimal(text: &str, places_max: u32) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || (digits.contains('.') && fraction.len() > places_max as usize) {
        return None;
    }
    let value = Decimal::from_str_exact(text).ok()?;
    (!(value.is_zero() && text.starts_with('-'))).then_some(value)
}
