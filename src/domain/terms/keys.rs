//! Software keys and downloads: who gets what, by the date of the act; which types there are; what has none.

use serde::Deserialize;

use super::row::{DatedBy, Row, dated, row};
use super::{Family, Place};
use crate::domain::{Instant, Refusal};

/// Who asks for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The partner, in Partner Center.
    Partner,
    /// The customer, in the Microsoft 365 admin center.
    Customer,
}

/// What a reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// The key itself, the download, and the link to the download.
    Keys,
    /// A link to share with the customer; keys answer the customer alone (K-deep).
    DeepLink,
}

/// What a product comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// A key and a download.
    Keys,
    /// Neither: it is a licence alone (K-none).
    LicenseOnly,
    /// A link to instructions instead (K-none).
    Instructions,
}

impl Delivery {
    /// Its word, as products say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Delivery::Keys => "keys",
            Delivery::LicenseOnly => "license_only",
            Delivery::Instructions => "instructions",
        }
    }
}

/// What holds for keys on some dates. A row says about one thing or about several; each is found by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First act it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First act it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::read::date")]
    pub until: Option<Instant>,
    /// What the partner gets.
    #[serde(default)]
    pub partner: Option<Sight>,
    /// What the customer gets.
    #[serde(default)]
    pub customer: Option<Sight>,
    /// The role the partner's user needs.
    #[serde(default)]
    pub partner_role: Option<String>,
    /// The role the customer's user needs.
    #[serde(default)]
    pub customer_role: Option<String>,
    /// The types of key there are.
    #[serde(default)]
    pub types: Vec<String>,
    /// What is chosen before a key is got, where the product has it.
    #[serde(default)]
    pub choices: Vec<String>,
    /// What is said with every key and link.
    #[serde(default)]
    pub notice: Option<String>,
    /// Words of a product that has neither key nor download.
    #[serde(default)]
    pub license_only: Vec<String>,
    /// Words of a product that has instructions instead.
    #[serde(default)]
    pub instructions: Vec<String>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

impl KeyRule {
    fn says_who(&self) -> bool {
        self.partner.is_some() || self.customer.is_some()
    }

    fn says_what(&self) -> bool {
        !self.license_only.is_empty() || !self.instructions.is_empty()
    }

    fn told(&self) -> String {
        let sight = |sight: Sight| if sight == Sight::Keys { "keys and downloads" } else { "a link to share" };
        let role = |role: &Option<String>| role.as_ref().map_or_else(String::new, |role| format!(" ({role})"));
        let mut parts = Vec::new();
        parts.extend(self.partner.map(|got| format!("the partner{} gets {}", role(&self.partner_role), sight(got))));
        parts.extend(self.customer.map(|got| format!("the customer{} gets {}", role(&self.customer_role), sight(got))));
        let lists = [
            ("types of key", &self.types),
            ("chosen first", &self.choices),
            ("licence alone", &self.license_only),
            ("instructions instead", &self.instructions),
        ];
        for (what, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
            parts.push(format!("{what}: {}", words.join(", ")));
        }
        parts.extend(self.notice.clone());
        parts.join("; ")
    }
}

row!(
    KeyRule,
    "key",
    Act,
    |one, other| {
        (one.says_who() && other.says_who())
            || (one.says_what() && other.says_what())
            || (!one.types.is_empty() && !other.types.is_empty())
            || (!one.choices.is_empty() && !other.choices.is_empty())
            || (one.notice.is_some() && other.notice.is_some())
    },
    KeyRule::told
);

impl Family {
    fn key_row(&self, at: Instant, says: impl Fn(&KeyRule) -> bool) -> Option<&KeyRule> {
        self.keys.iter().find(|row| dated(row.from, row.until, at) && says(row))
    }

    /// The words for what a product comes with instead of keys, at any time.
    pub fn delivery_words(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().flat_map(|row| row.license_only.iter().chain(&row.instructions)).map(String::as_str)
    }

    /// Whether the family's products have keys at all.
    pub fn has_keys(&self) -> bool {
        self.keys.iter().any(KeyRule::says_who)
    }

    /// The row on who gets what at an instant (K-vis, K-vis2).
    pub fn key_readers(&self, at: Instant) -> Option<&KeyRule> {
        self.key_row(at, KeyRule::says_who)
    }

    /// What a reader gets at an instant, however long ago the product was bought (K-vis, K-vis2, K-deep).
    ///
    /// # Errors
    /// `no_key` where the family has none, or none for this reader.
    pub fn key_sight(&self, reader: Reader, at: Instant) -> Result<Sight, Refusal> {
        let Some(row) = self.key_readers(at) else {
            let message = format!("{} comes without keys and downloads", self.title);
            return Err(Refusal::new("no_key", message));
        };
        let (sight, who) = match reader {
            Reader::Partner => (row.partner, "partners"),
            Reader::Customer => (row.customer, "customers"),
        };
        sight.ok_or_else(|| Refusal::new("no_key", format!("{who} get neither key nor link")).by_rule(&row.rule))
    }

    /// Refuses a reader who may not read the key itself at an instant: before 2021-03-08 only customers can (K-vis).
    ///
    /// # Errors
    /// `no_key`; `key_for_customer` where the partner gets a link to share instead.
    pub fn may_read_key(&self, reader: Reader, at: Instant) -> Result<(), Refusal> {
        match self.key_sight(reader, at)? {
            Sight::Keys => Ok(()),
            Sight::DeepLink => {
                let message = "only the customer sees keys and downloads: share the link with them instead";
                let rule = self.key_readers(at).map_or("", |row| row.rule.as_str());
                Err(Refusal::new("key_for_customer", message).by_rule(rule))
            }
        }
    }

    /// Refuses a type of key there is not: keys are of type MAK, never KMS, even when asked for (K-mak).
    ///
    /// # Errors
    /// `no_key`, `key_type_not_available`.
    pub fn may_have_key_type(&self, kind: &str, at: Instant) -> Result<(), Refusal> {
        let Some(row) = self.key_row(at, |row| !row.types.is_empty()) else {
            let message = format!("{} comes without keys", self.title);
            return Err(Refusal::new("no_key", message));
        };
        if row.types.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Ok(());
        }
        let known = row.types.join(", ").to_ascii_uppercase();
        let asked: String = kind.chars().take(32).collect::<String>().to_ascii_uppercase();
        let message =
            format!("purchases are activated with keys of type {known}; {asked} keys are not given, even on request");
        Err(Refusal::new("key_type_not_available", message).by_rule(&row.rule))
    }

    /// What is chosen before a key is got, where the product has it (K-sel): `version`, `language`, ...
    pub fn key_choices(&self, at: Instant) -> &[String] {
        self.key_row(at, |row| !row.choices.is_empty()).map_or(&[], |row| &row.choices)
    }

    /// What is said with every key and link at an instant (K-risk).
    pub fn key_notice(&self, at: Instant) -> Option<&str> {
        self.key_row(at, |row| row.notice.is_some())?.notice.as_deref()
    }

    /// What a product comes with, told from a word about it (`license_only`, `extended_security_updates`); without a
    /// word, what the family comes with (K-none).
    pub fn key_delivery(&self, word: &str, at: Instant) -> Delivery {
        if !self.has_keys() {
            return Delivery::LicenseOnly;
        }
        let has = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        match self.key_row(at, KeyRule::says_what) {
            Some(row) if has(&row.license_only) => Delivery::LicenseOnly,
            Some(row) if has(&row.instructions) => Delivery::Instructions,
            _ => Delivery::Keys,
        }
    }
}
