//! Software that is bought: what its keys and downloads can be chosen by, what state they are in, and who may see them.
//!
//! The secrets themselves are not in here: a record says that there is a key, never which one.

use serde::{Deserialize, Serialize};

use super::catalog::selling::{BenefitRule, Selling};
use super::product::Product;
use super::subscription::Status;
use super::{Instant, OrderId, Principal, Refusal, Subscription, SubscriptionId, TenantId};

/// What every answer with a key or a link says beside it (K-risk).
pub const RISK_NOTICE: &str = "Product keys and download links are worth money and are sought after: whoever has one can \
use it, and you answer for where it goes. Hand it to this customer alone, over a channel you trust, and keep no copy.";

/// The type of key that purchases are activated with (K-mak).
pub const KEY_TYPE: &str = "MAK";

/// Where a customer finds its own keys and downloads: what there is to share while partners see none (K-deep).
pub const DEEP_LINK: &str = "https://admin.microsoft.com/Adminportal/Home#/subscriptions";

/// Bytes of a key or a link, at most. A key is opaque: its length is nobody's business but this bound's.
pub const SECRET_BYTES_MAX: usize = 4096;
/// Characters of one option, at most.
const OPTION_LENGTH_MAX: usize = 128;
/// Options of one kind, at most.
const OPTIONS_MAX: usize = 200;

/// What was chosen of a product's keys and downloads (K-sel). What a product has no choice of is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The product's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// 32 or 64 bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bit: Option<String>,
    /// The type of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_type: Option<String>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system: Option<String>,
}

impl Choice {
    /// The parts with their names on the wire, in the order they are asked for.
    pub fn parts(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("version", self.version.as_deref()),
            ("language", self.language.as_deref()),
            ("bit", self.bit.as_deref()),
            ("fileType", self.file_type.as_deref()),
            ("operatingSystem", self.operating_system.as_deref()),
        ]
    }
}

impl Choice {
    /// Whether what was recorded for this choice is for what somebody chose: no part named by both is another.
    pub fn covers(&self, chosen: &Choice) -> bool {
        let parts = self.parts().into_iter().zip(chosen.parts());
        parts.into_iter().all(|((_, mine), (_, theirs))| mine.is_none() || theirs.is_none() || mine == theirs)
    }

    /// How many parts are named: of two records that cover a choice, the one that names more is meant.
    pub fn named(&self) -> usize {
        self.parts().into_iter().filter(|(_, part)| part.is_some()).count()
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said: Vec<String> =
            self.parts().into_iter().filter_map(|(name, part)| Some(format!("{name} {}", part?))).collect();
        f.write_str(if said.is_empty() { "the only one there is" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

/// What a product's keys and downloads can be chosen by. An empty list is a choice the product does not have: it is not
/// shown and must not be made (K-sel).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// 32 and 64 bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bits: Vec<String>,
    /// Types of files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_types: Vec<String>,
    /// Operating systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operating_systems: Vec<String>,
}

impl Options {
    fn lists(&self) -> [(&'static str, &[String]); 5] {
        [
            ("version", &self.versions),
            ("language", &self.languages),
            ("bit", &self.bits),
            ("fileType", &self.file_types),
            ("operatingSystem", &self.operating_systems),
        ]
    }

    /// The options of the kinds that are asked for at the time (K-sel); every kind where none is named.
    #[must_use]
    pub fn asked(&self, kinds: &[String]) -> Options {
        let is_asked =
            |name: &str| kinds.is_empty() || kinds.iter().any(|kind| kind.replace('_', "") == name.to_lowercase());
        let list = |name: &str, offered: &Vec<String>| if is_asked(name) { offered.clone() } else { Vec::new() };
        Options {
            versions: list("version", &self.versions),
            languages: list("language", &self.languages),
            bits: list("bit", &self.bits),
            file_types: list("fileType", &self.file_types),
            operating_systems: list("operatingSystem", &self.operating_systems),
        }
    }

    /// Settles what was asked for: every choice the product has must be made (one that has a single option makes
    /// itself), and no other; letter case does not matter.
    ///
    /// # Errors
    /// `choice_needed` and `choice_not_offered`, both telling what there is.
    pub fn settle(&self, asked: &Choice) -> Result<Choice, Refusal> {
        self.each(asked, |name, offered, wanted| match (wanted, offered) {
            (None, []) => Ok(None),
            (None, [only]) => Ok(Some(only.clone())),
            (None, several) => {
                let message = format!("choose a {name}: {}", several.join(", "));
                Err(Refusal::new("choice_needed", message).by_rule("K-sel"))
            }
            (Some(wanted), offered) => offered_one(name, offered, wanted).map(Some),
        })
    }

    /// What a key or link is recorded for: some of the options, and every one of a kind that is not named.
    ///
    /// # Errors
    /// `choice_not_offered`, telling what there is.
    pub fn narrow(&self, told: &Choice) -> Result<Choice, Refusal> {
        self.each(told, |name, offered, wanted| wanted.map(|wanted| offered_one(name, offered, wanted)).transpose())
    }

    fn each(
        &self,
        asked: &Choice,
        settle: impl Fn(&str, &[String], Option<&str>) -> Result<Option<String>, Refusal>,
    ) -> Result<Choice, Refusal> {
        let mut settled = [const { None::<String> }; 5];
        let each = self.lists().into_iter().zip(asked.parts());
        for (slot, ((name, offered), (_, wanted))) in settled.iter_mut().zip(each) {
            *slot = settle(name, offered, wanted)?;
        }
        let [version, language, bit, file_type, operating_system] = settled;
        Ok(Choice { version, language, bit, file_type, operating_system })
    }

    /// Checks that the options are plain words, each once.
    ///
    /// # Errors
    /// `bad_option`.
    pub fn check(&self) -> Result<(), Refusal> {
        for (name, offered) in self.lists() {
            let plain = |text: &String| {
                !text.is_empty() && text.chars().count() <= OPTION_LENGTH_MAX && !text.chars().any(char::is_control)
            };
            let twice = offered
                .iter()
                .enumerate()
                .any(|(index, one)| offered[..index].iter().any(|other| other.to_lowercase() == one.to_lowercase()));
            if offered.len() > OPTIONS_MAX || twice || !offered.iter().all(plain) {
                let message = format!(
                    "a product has at most {OPTIONS_MAX} options of {name}, each once, of 1 to {OPTION_LENGTH_MAX} \
                     characters without control characters"
                );
                return Err(Refusal::new("bad_option", message));
            }
        }
        Ok(())
    }
}

fn offered_one(name: &str, offered: &[String], wanted: &str) -> Result<String, Refusal> {
    if offered.is_empty() {
        let message = format!("this product has no choice of {name}; leave it out");
        return Err(Refusal::new("choice_not_offered", message).by_rule("K-sel"));
    }
    let found = offered.iter().find(|known| known.to_lowercase() == wanted.to_lowercase());
    found.cloned().ok_or_else(|| {
        let shown: String = wanted.chars().take(OPTION_LENGTH_MAX).collect();
        let message = format!("there is no {name} {shown:?} of this product; there are {}", offered.join(", "));
        Refusal::new("choice_not_offered", message).by_rule("K-sel")
    })
}

/// What a licence gives beside itself (AHB): a row of the rules of selling, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Benefit {
    /// The rule's id.
    pub rule: String,
    /// Its word: `azure_hybrid_benefit`.
    pub name: String,
    /// How the licence is used for it: `reuse`, `convert`.
    #[serde(rename = "use")]
    pub used: String,
    /// What it is for.
    pub covers: String,
    /// The rate that is paid there.
    pub rate: String,
    /// Percent that are saved, at most.
    pub maximum_saving_percent: u32,
}

impl Benefit {
    /// The benefits of a product.
    pub fn of(selling: &Selling, product: &Product) -> Vec<Benefit> {
        let shown = |row: &BenefitRule| Benefit {
            rule: row.rule.clone(),
            name: row.name.clone(),
            used: row.used.clone(),
            covers: row.covers.clone(),
            rate: row.rate.clone(),
            maximum_saving_percent: row.maximum_saving_percent,
        };
        selling.benefits_of(product).map(shown).collect()
    }
}

/// What is known of a product's delivery: what it comes with, what that can be chosen by, and where it is told how to
/// install it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sheet {
    /// The product's id, or the beginning of it up to a colon: `DG7GMGF0FKZV` holds for every sku of it.
    pub product: String,
    /// What it comes with, in a word of the terms (`license_only`, `instructions`, ...); empty: what its family comes with
    /// (K-none).
    #[serde(default)]
    pub comes_with: String,
    /// How it is installed, where that is told somewhere (K-none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation_instructions_url: Option<String>,
    /// What its keys and downloads can be chosen by (K-sel).
    #[serde(default)]
    pub options: Options,
}

impl Sheet {
    /// The ids a product may be described by, the most special first: `a:b:c`, `a:b`, `a`.
    pub fn ids(product: &str) -> Vec<String> {
        let lower = product.to_lowercase();
        let mut ids = vec![lower.clone()];
        let mut rest = lower.as_str();
        while let Some((start, _)) = rest.rsplit_once(':') {
            ids.push(start.to_owned());
            rest = start;
        }
        ids
    }
}

/// One key and one link that were recorded for a choice. It says that they are there and never what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// What it is for; a part that is not named is for every option of it.
    #[serde(default)]
    pub choice: Choice,
    /// Whether there is a key.
    pub key: bool,
    /// Whether there is a link.
    pub link: bool,
}

/// What is recorded of the keys and links of one holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// The holding.
    pub subscription: SubscriptionId,
    /// Moves with every change.
    pub generation: u64,
    /// What was recorded, by choice.
    #[serde(default)]
    pub delivered: Vec<Delivered>,
    /// The link to share with the customer, where another than the usual one was recorded (K-deep).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deep_link: Option<String>,
    /// When something was recorded last, and by whom.
    #[serde(with = "crate::domain::calendar::wire")]
    pub recorded_at: Instant,
    /// By whom.
    pub recorded_by: Principal,
    /// When all of it was revoked, with the cancellation (C-rev).
    #[serde(default, with = "crate::domain::calendar::wire::option", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Instant>,
}

/// Where the keys and links of a holding stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Recorded here, and shown to whoever may see it.
    Available,
    /// Bought, and not recorded here yet.
    Awaited,
    /// The purchase was cancelled (C-rev, C-list).
    Revoked,
    /// The product has neither keys nor downloads (K-none).
    NotApplicable,
}

impl KeyState {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Available => "available",
            KeyState::Awaited => "awaited",
            KeyState::Revoked => "revoked",
            KeyState::NotApplicable => "not_applicable",
        }
    }

    /// The state of a holding: whether the product has keys, what was recorded, and whether the purchase still stands.
    pub fn of(has_keys: bool, entitlement: Option<&Entitlement>, status: Status) -> KeyState {
        let revoked = entitlement.is_some_and(|entitlement| entitlement.revoked_at.is_some());
        if !has_keys {
            KeyState::NotApplicable
        } else if revoked || status == Status::Deleted {
            KeyState::Revoked
        } else if entitlement.is_some_and(|entitlement| !entitlement.delivered.is_empty()) {
            KeyState::Available
        } else {
            KeyState::Awaited
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderedAs {
    /// The order's number.
    pub order_id: OrderId,
    /// The line, from zero; none where only the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_item_number: Option<u32>,
}

/// One piece of software that was bought for a customer (SW-list), cancelled or not. Without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Software {
    /// The holding; none for a line of an order that no record was made of.
    pub subscription: Option<SubscriptionId>,
    /// Whose.
    pub customer: TenantId,
    /// The orders that bought it.
    pub orders: Vec<OrderedAs>,
    /// The product's id.
    pub product_id: String,
    /// The product's name.
    pub product: String,
    /// The partner's own name for this purchase, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub friendly_name: String,
    /// How it is sold: the terms' family.
    pub family: String,
    /// Licences; zero once cancelled where the order says so.
    pub quantity: i64,
    /// When it was bought.
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub purchased_at: Option<Instant>,
    /// Its status.
    pub status: Status,
    /// Where its keys and links stand.
    pub key_state: KeyState,
    /// When they were revoked.
    #[serde(with = "crate::domain::calendar::wire::option", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Instant>,
    /// What is recorded, by choice; nothing of what is revoked.
    pub delivered: Vec<Delivered>,
    /// What its keys and downloads can be chosen by.
    pub options: Options,
    /// How it is installed, where that is told somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_instructions_url: Option<String>,
    /// What the licence gives beside itself, such as the Azure Hybrid Benefit (AHB).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<Benefit>,
}

impl Software {
    /// The software of a holding, as it is shown in lists: whether its product has keys, what its sheet says, what of it
    /// is asked for at the time.
    pub fn of(
        subscription: &Subscription,
        (has_keys, sheet): (bool, &Sheet),
        entitlement: Option<&Entitlement>,
        orders: Vec<OrderedAs>,
    ) -> Software {
        let profile = &subscription.profile;
        let key_state = KeyState::of(has_keys, entitlement, subscription.standing.status);
        let named = [&profile.offer_name, &profile.friendly_name, &profile.offer_id];
        let shown = key_state == KeyState::Available;
        Software {
            subscription: Some(subscription.id),
            customer: subscription.tenant,
            orders,
            product_id: profile.offer_id.clone(),
            product: named.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
            friendly_name: profile.friendly_name.clone(),
            family: profile.family.clone(),
            quantity: subscription.standing.quantity,
            purchased_at: Some(profile.purchased_at),
            status: subscription.standing.status,
            key_state,
            revoked_at: entitlement.and_then(|entitlement| entitlement.revoked_at),
            delivered: entitlement.filter(|_| shown).map(|known| known.delivered.clone()).unwrap_or_default(),
            options: sheet.options.clone(),
            installation_instructions_url: sheet.installation_instructions_url.clone(),
            benefits: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
