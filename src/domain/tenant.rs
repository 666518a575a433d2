//! A tenant: the customer organisation.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Instant, Money, TenantId};

/// What the billing system told about a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Overdue amounts, one per currency.
    #[serde(default)]
    pub overdue: Vec<Money>,
    /// Since when something is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
}

/// A customer organisation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Partner Center's customer id.
    pub id: TenantId,
    /// Moves with every change; the ETag.
    pub generation: u64,
    /// The company's name.
    pub company_name: String,
    /// `contoso.onmicrosoft.com`.
    #[serde(default)]
    pub domain: String,
    /// ISO country of the billing address; upper case.
    #[serde(default)]
    pub country: String,
    /// What the billing system told.
    #[serde(default)]
    pub account: Account,
    /// The partner's own labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When the account was opened, where known (S-ret).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Instant>,
    /// First instant of the first billing period, where known (S-ret).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_billing_at: Option<Instant>,
    /// Partner Center's qualification (`education`, `nonprofit`, `government_community_cloud`,
    /// `state_owned_entity`); empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub qualification: String,
    /// When the customer accepted the Microsoft Customer Agreement; none: nothing can be bought for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_at: Option<Instant>,
    /// Everything the import did not know, as JSON text by field; shown back as it came.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

impl Tenant {
    /// Whole days from the opening of its account to its first billing period; zero while either is not known (S-ret).
    pub fn opening_days(&self) -> i64 {
        let days = |(opened, billed): (Instant, Instant)| (billed.date_naive() - opened.date_naive()).num_days();
        self.opened_at.zip(self.first_billing_at).map_or(0, days).max(0)
    }
}
