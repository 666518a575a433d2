//! What kind of partner this is: who may buy for customers (A-chan).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Refusal;

/// How a partner stands to Microsoft and to customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartnerType {
    /// Buys from Microsoft and bills customers.
    #[default]
    DirectBill,
    /// Buys from Microsoft and sells through resellers.
    IndirectProvider,
    /// Sells what its provider buys.
    IndirectReseller,
}

impl PartnerType {
    /// Every type.
    pub const ALL: [PartnerType; 3] =
        [PartnerType::DirectBill, PartnerType::IndirectProvider, PartnerType::IndirectReseller];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            PartnerType::DirectBill => "direct_bill",
            PartnerType::IndirectProvider => "indirect_provider",
            PartnerType::IndirectReseller => "indirect_reseller",
        }
    }

    /// Whether it buys by itself, add-ons too.
    ///
    /// # Errors
    /// `partner_type` (A-chan): the provider has to be asked.
    pub fn may_buy(self) -> Result<(), Refusal> {
        if self != PartnerType::IndirectReseller {
            return Ok(());
        }
        let message = "an indirect reseller buys nothing by itself, add-ons neither: ask your indirect provider to place \
                       the order (the type stands in bursar.toml under [partner])";
        Err(Refusal::new("partner_type", message).by_rule("A-chan"))
    }
}

impl fmt::Display for PartnerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PartnerType {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let known = PartnerType::ALL.map(PartnerType::as_str).join(", ");
        PartnerType::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            Refusal::new("unknown_partner_type", format!("'{text}' is no type of partner; there are {known}"))
        })
    }
}
