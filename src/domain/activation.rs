//! KMS activations of devices, and the move of them to a MAK when a customer's volume licences become CSP purchases
//! (K-180).
//!
//! A device that a KMS host activated stays so for some 180 days before it tries to renew. Whoever installs the MAK in
//! that time has no downtime; after it the device may be limited or blocked until it is activated again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Instant, Principal, Refusal, Span, Subscription, SubscriptionId, TenantId};

/// How long a KMS activation lasts when nothing else is told (K-180).
pub const LASTS: Span = Span::days(180);
/// Characters of a device's or product's name, at most.
const NAME_LENGTH_MAX: usize = 255;

/// The last KMS activation of a product on a device, and whether it has been moved to a MAK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// Whose device.
    pub customer: TenantId,
    /// The device, by the name its owner knows it by.
    pub device: String,
    /// The product that is activated on it.
    pub product: String,
    /// When a KMS host activated it last.
    #[serde(with = "crate::domain::calendar::wire")]
    pub activated_at: Instant,
    /// How long that lasts; 180 days unless it was told.
    pub lasts: Span,
    /// When its MAK was activated; none while it has not been moved.
    #[serde(default, with = "crate::domain::calendar::wire::option", skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Instant>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Principal>,
    /// The purchase its MAK is of, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
}

/// Where the move of a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveState {
    /// Its MAK is in use.
    Moved,
    /// Still on its KMS activation, which holds.
    Open,
    /// Its KMS activation is over: it may be limited or blocked.
    Lapsed,
}

impl MoveState {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            MoveState::Moved => "moved",
            MoveState::Open => "open",
            MoveState::Lapsed => "lapsed",
        }
    }
}

impl Activation {
    /// Whether a purchase is of this product: the one that was told, else by its name, where every word of the shorter
    /// name is in the longer one.
    pub fn is_of(&self, bought: &Subscription) -> bool {
        if let Some(id) = self.subscription {
            return id == bought.id;
        }
        let profile = &bought.profile;
        let name = if profile.offer_name.is_empty() { &profile.friendly_name } else { &profile.offer_name };
        let (own, theirs) = (words(&self.product), words(name));
        let is_alike = !own.is_empty() && !theirs.is_empty() && (own.is_subset(&theirs) || theirs.is_subset(&own));
        is_alike || self.product.eq_ignore_ascii_case(&profile.offer_id)
    }

    /// The first instant at which the KMS activation no longer holds: before it the MAK has to be in use. The farthest
    /// instant there is when that lies beyond the calendar.
    pub fn deadline(&self) -> Instant {
        self.lasts.after(self.activated_at).unwrap_or_else(|| super::calendar::from_micros(i64::MAX))
    }

    /// Where the move stands.
    pub fn state(&self, now: Instant) -> MoveState {
        match self.moved_at {
            Some(_) => MoveState::Moved,
            None if now < self.deadline() => MoveState::Open,
            None => MoveState::Lapsed,
        }
    }

    /// Whole days left until the deadline, cut off: zero on the last day and after it.
    pub fn days_left(&self, now: Instant) -> i64 {
        (self.deadline() - now).num_days().max(0)
    }

    /// What it is after another activation of the same product on the same device was told: the later one counts. A
    /// device that a KMS host activated after it had been moved is to be moved again.
    #[must_use]
    pub fn seen_again(&self, told: &Activation) -> Activation {
        if told.activated_at < self.activated_at {
            return self.clone();
        }
        let still = self.moved_at.is_some_and(|moved| told.activated_at <= moved);
        Activation {
            moved_at: self.moved_at.filter(|_| still),
            moved_by: self.moved_by.clone().filter(|_| still),
            subscription: told.subscription.or(self.subscription),
            ..told.clone()
        }
    }
}

/// When a device was activated: an instant, or a day, which is its first instant, so that no deadline comes out late.
///
/// # Errors
/// `bad_date`.
pub fn activated_at(text: &str) -> Result<Instant, Refusal> {
    let day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if day { super::calendar::instant(&format!("{text}T00:00:00Z")) } else { super::calendar::instant(text) }
}

/// Checks the names of a device and of a product.
///
/// # Errors
/// `bad_device`, `bad_product`.
pub fn check_names(device: &str, product: &str) -> Result<(), Refusal> {
    let plain = |text: &str| {
        !text.trim().is_empty()
            && text.chars().count() <= NAME_LENGTH_MAX
            && !text.chars().any(|letter| letter.is_control())
    };
    for (code, what, text) in [("bad_device", "device", device), ("bad_product", "product", product)] {
        if !plain(text) {
            let message =
                format!("a {what} has a name of 1 to {NAME_LENGTH_MAX} characters, none of them a control character");
            return Err(Refusal::new(code, message));
        }
    }
    Ok(())
}

/// One step of the move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// From one, in the order that avoids downtime.
    pub number: u32,
    /// Its word.
    pub step: &'static str,
    /// What to do.
    pub what: &'static str,
    /// Why here and not earlier or later.
    pub why: &'static str,
    /// Whether the records say it is done; none where they cannot tell.
    pub done: Option<bool>,
}

/// The words of a product's name; the year of its version is none, because the version is chosen with the key.
fn words(name: &str) -> BTreeSet<String> {
    let parts = name.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    parts.filter(|part| !is_year(part)).map(str::to_lowercase).collect()
}

/// What the records say of a customer's move, for [`steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Purchases that stand and have keys: of the products that are recorded, or any while none is.
    pub purchases: usize,
    /// Of them, those whose key is recorded.
    pub with_key: usize,
    /// Devices recorded.
    pub devices: usize,
    /// Of them, those that have been moved.
    pub moved: usize,
    /// Of those that have not, whose product was not bought.
    pub unbought: usize,
    /// Of those that have not, whose product has no key yet.
    pub keyless: usize,
}

/// The order of steps that avoids downtime (K-180): buy, know the deadlines, get the MAK, install it device by device
/// while the KMS activation still holds, and only then switch the old channel off.
pub fn steps(progress: &Progress) -> Vec<Step> {
    let all_moved = progress.devices > 0 && progress.moved == progress.devices;
    let step = |number, step, what, why, done| Step { number, step, what, why, done };
    vec![
        step(
            1,
            "buy",
            "Buy the product for the customer in CSP, and leave the volume licences and the KMS host as they are.",
            "Devices go on running on the activation they have; nothing about the purchase touches them.",
            Some(progress.purchases > 0 && progress.unbought == 0),
        ),
        step(
            2,
            "record",
            "Record every device with the day a KMS host activated it last (bursar activations record or import).",
            "Each device has a deadline of its own, 180 days after that day; the earliest one is the time there is.",
            Some(progress.devices > 0),
        ),
        step(
            3,
            "get_key",
            "Get the MAK of the purchase (bursar keys get). KMS keys are not given, on request either.",
            "A device can only be moved with the key in hand.",
            Some(progress.with_key > 0 && progress.keyless == 0),
        ),
        step(
            4,
            "install",
            "Install and activate the MAK on each device, earliest deadline first: by hand, or by a script with \
             slmgr.vbs /ipk KEY and then slmgr.vbs /ato. Record each one (bursar activations moved).",
            "Inside its 180 days a device changes over without a moment of being unlicensed; after them it may be limited \
             or blocked until it is activated again.",
            Some(all_moved),
        ),
        step(
            5,
            "check",
            "Check on a few devices that they run on the new channel (slmgr.vbs /dli), and that nothing is left \
             (bursar activations list).",
            "A device that was forgotten shows here and not when it stops.",
            None,
        ),
        step(
            6,
            "retire",
            "Switch the KMS host off and let the volume licence agreement end.",
            "Last of all: until every device has moved, a device may still need the host to renew.",
            None,
        ),
    ]
}

#[cfg(test)]
mod tests;
