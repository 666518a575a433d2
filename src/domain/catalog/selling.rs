//! The rules of selling as dated data: markets, segments, billing plans with their start, scope, channel.
//!
//! Read from TOML; a row of the same rule id in a later file replaces the row. It never reads a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::domain::product::{PartnerType, Product, Segment};
use crate::domain::{Instant, Span, calendar};

/// Which products a row is about; what is empty holds for any.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct What {
    /// Families of the terms.
    #[serde(default)]
    pub families: Vec<String>,
    /// Words of a name, parted by blanks: the name holds every word of one of these.
    #[serde(default)]
    pub names: Vec<String>,
    /// Product types in lower snake case.
    #[serde(default)]
    pub product_types: Vec<String>,
    /// Whether it is an add-on; none: either.
    #[serde(default)]
    pub add_on: Option<bool>,
    /// Length of the term; none: any.
    #[serde(default)]
    pub term_duration: Option<Span>,
}

impl What {
    /// Whether the row is about this product, bought for a term of this length where that is known.
    pub fn is(&self, product: &Product, term: Option<Span>) -> bool {
        let any = |list: &[String], word: &str| list.is_empty() || list.iter().any(|known| known == word);
        any(&self.families, &product.family)
            && any(&self.product_types, &product.product_type)
            && self.add_on.is_none_or(|add_on| add_on == product.is_add_on)
            && self.term_duration.is_none_or(|wanted| term == Some(wanted))
            && (self.names.is_empty() || self.names.iter().any(|words| holds(&product.name, words)))
    }
}

/// Whether a name holds every one of these words, in any case and order.
fn holds(name: &str, words: &str) -> bool {
    let name = name.to_lowercase();
    words.split_whitespace().all(|word| name.contains(word))
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The rule's id.
            pub rule: String,
            /// Where it is written.
            #[serde(default)]
            pub source: String,
            /// Which products it is about.
            #[serde(default)]
            pub what: What,
            /// Partner Center's code for the same refusal.
            #[serde(default)]
            pub partner_center_code: Option<u32>,
            $($(#[$field_doc])*
            pub $field: $kind,)*
        }

        impl Row for $name {
            fn rule(&self) -> &str {
                &self.rule
            }
        }
    };
}

trait Row {
    fn rule(&self) -> &str;
}

row! {
    /// Markets where something is not sold (MKT).
    MarketRule {
        /// Names of the markets as the list gives them, and their ISO 3166 codes; several names may share a code.
        unavailable: BTreeMap<String, String>,
    }
}

row! {
    /// Segments that something is sold to (SEG).
    SegmentRule {
        /// The segments.
        segments: Vec<Segment>,
    }
}

row! {
    /// Billing cycles that are offered from a date on (BF-3y, BF-rds).
    PlanRule {
        /// The cycles.
        billing_cycles: Vec<String>,
        /// First purchase they are offered for.
        #[serde(deserialize_with = "date")]
        from: Instant,
    }
}

row! {
    /// What is not bought here at all (O-scope).
    ScopeRule {
        /// Where it is bought instead, as a sentence's end.
        mend: String,
    }
}

row! {
    /// Partners that may sell something (A-chan), or name others in a purchase.
    ChannelRule {
        /// Types of partners.
        partner_types: Vec<PartnerType>,
    }
}

row! {
    /// Seats of an add-on for every hundred of its base.
    ShareRule {
        /// Percent, at least.
        minimum_percent: i64,
    }
}

/// By what something bought is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// By its order.
    Order,
    /// By its subscription.
    Subscription,
}

row! {
    /// How the lines of an order are cancelled.
    OrderRule {
        /// By what.
        cancelled_by: CancelledBy,
    }
}

row! {
    /// What a licence gives beside itself (AHB).
    BenefitRule {
        /// Its word: `azure_hybrid_benefit`.
        name: String,
        /// How the licence is used for it: `reuse` on both sides, or `convert` to one.
        #[serde(rename = "use")]
        used: String,
        /// What it is for: `virtual_machines`.
        covers: String,
        /// The rate that is paid there: `base_compute`, that of a Linux machine.
        rate: String,
        /// Percent that are saved, at most.
        maximum_saving_percent: u32,
    }
}

/// Carts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CartRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// How long after the last change it can be checked out.
    pub open_for: Span,
    /// Lines, at most, add-ons counted.
    pub lines: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    #[serde(default)]
    market: Vec<MarketRule>,
    #[serde(default)]
    segment: Vec<SegmentRule>,
    #[serde(default)]
    plan: Vec<PlanRule>,
    #[serde(default)]
    scope: Vec<ScopeRule>,
    #[serde(default)]
    channel: Vec<ChannelRule>,
    #[serde(default)]
    participants: Vec<ChannelRule>,
    #[serde(default)]
    share: Vec<ShareRule>,
    #[serde(default)]
    order: Vec<OrderRule>,
    #[serde(default)]
    benefit: Vec<BenefitRule>,
    #[serde(default)]
    cart: Option<CartRule>,
}

/// Every rule of selling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selling {
    /// Where something is not sold.
    pub markets: Vec<MarketRule>,
    /// To whom something is sold.
    pub segments: Vec<SegmentRule>,
    /// Since when plans are offered.
    pub plans: Vec<PlanRule>,
    /// What is not bought here.
    pub scopes: Vec<ScopeRule>,
    /// Who sells.
    pub channels: Vec<ChannelRule>,
    /// Who names participants.
    pub participants: Vec<ChannelRule>,
    /// Shares of a base's seats.
    pub shares: Vec<ShareRule>,
    /// How orders are cancelled.
    pub orders: Vec<OrderRule>,
    /// What licences give beside themselves.
    pub benefits: Vec<BenefitRule>,
    /// Carts; none: they never expire and hold as much as a body does.
    pub cart: Option<CartRule>,
}

impl Selling {
    /// The rules that ship.
    pub const SHIPPED: &'static str = include_str!("../../../policies/markets/selling.toml");

    /// Whether a file is one of these rules and not a family's terms, by its path.
    pub fn is_file(path: &str) -> bool {
        path.rsplit('/').next() == Some("selling.toml")
    }

    /// Lays the rows of a file over these: a row replaces the one with its rule id.
    ///
    /// # Errors
    /// What is wrong with the text: the byte it stands at, and what was expected there.
    pub fn lay(&mut self, text: &str) -> Result<(), (usize, String)> {
        let sheet: Sheet = toml::from_str(text).map_err(|error| {
            let expected = error.message().lines().collect::<Vec<_>>().join("; ");
            (error.span().map_or(0, |span| span.start), expected)
        })?;
        over(&mut self.markets, sheet.market);
        over(&mut self.segments, sheet.segment);
        over(&mut self.plans, sheet.plan);
        over(&mut self.scopes, sheet.scope);
        over(&mut self.channels, sheet.channel);
        over(&mut self.participants, sheet.participants);
        over(&mut self.shares, sheet.share);
        over(&mut self.orders, sheet.order);
        over(&mut self.benefits, sheet.benefit);
        self.cart = sheet.cart.or(self.cart.take());
        Ok(())
    }

    /// The row that keeps a product out of a market, with the market's name there.
    pub fn unavailable(&self, product: &Product, country: &str) -> Option<(&MarketRule, &str)> {
        self.markets.iter().filter(|row| row.what.is(product, None)).find_map(|row| {
            let (name, _) = row.unavailable.iter().find(|(_, code)| code.eq_ignore_ascii_case(country))?;
            Some((row, name.as_str()))
        })
    }

    /// What a product's licence gives beside itself.
    pub fn benefits_of<'a>(&'a self, product: &'a Product) -> impl Iterator<Item = &'a BenefitRule> {
        self.benefits.iter().filter(|row| row.what.is(product, None))
    }

    /// The row that says by what a product is cancelled.
    pub fn cancelled_by(&self, product: &Product) -> Option<&OrderRule> {
        self.orders.iter().find(|row| row.what.is(product, None))
    }
}

fn over<T: Row>(rows: &mut Vec<T>, laid: Vec<T>) {
    for row in laid {
        match rows.iter_mut().find(|known| known.rule() == row.rule()) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
    }
}

/// A date (midnight UTC) or an instant with its offset, as TOML writes them.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let value = toml::value::Datetime::deserialize(deserializer)?;
    let text = if value.time.is_none() { format!("{value}T00:00:00Z") } else { value.to_string() };
    calendar::instant(&text).map_err(|_| serde::de::Error::custom("a date such as 2021-10-22"))
}
