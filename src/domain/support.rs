//! Support requests: what is asked of Partner Center's support where no change of ours does it (SR, C-esc, K-help), and
//! what each form needs before it counts as filled in.

use serde::{Deserialize, Serialize};

use super::{Id, Instant, Money, OrderId, Principal, Refusal, SubscriptionId, TenantId};

mod form;

pub use form::incomplete;

/// The type of problem of a refund, letter for letter (SR).
pub const REFUND: &str = "CSP Purchase/Refund on behalf of customers";
/// The type of problem of a technical presales and deployment request (K-help).
pub const DEPLOYMENT: &str = "Technical presales and deployment services";

/// Characters of a title, at most.
pub const TITLE_MAX: usize = 200;
/// Characters of an impact, a reason or a note, at most.
pub const TEXT_MAX: usize = 2_000;
/// Characters of a description, at most.
pub const DESCRIPTION_MAX: usize = 10_000;
/// Notes of one support request, at most.
pub const NOTES_MAX: usize = 200;
/// References to attachments of one support request, at most.
pub const ATTACHMENTS_MAX: usize = 20;

/// An enumeration of Partner Center that is written as a word and, by old clients, as the number of its place.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant),*
        }

        impl $name {
            /// Every one, in the order of Partner Center's numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }

            /// The one of a word in any case (`AttentionNeeded`, `attention_needed`) or of a number.
            pub fn of(text: &str) -> Option<$name> {
                let plain = |text: &str| text.trim().to_ascii_lowercase().replace(['_', ' ', '-'], "");
                let by_number = text.trim().parse::<usize>().ok().and_then(|place| Self::ALL.get(place).copied());
                by_number.or_else(|| Self::ALL.iter().copied().find(|one| plain(one.as_str()) == plain(text)))
            }
        }
    };
}

words! {
    /// How bad it is.
    Severity {
        /// Nobody said.
        #[default]
        Unknown = "unknown",
        /// Business stands still.
        Critical = "critical",
        /// Business suffers.
        Moderate = "moderate",
        /// Business goes on.
        Minimal = "minimal",
    }
}

words! {
    /// Where a support request stands.
    Status {
        /// Nothing is known; ours never are.
        None = "none",
        /// Somebody works on it.
        #[default]
        Open = "open",
        /// It is over.
        Closed = "closed",
        /// Something is missing: whoever asked has to act.
        AttentionNeeded = "attention_needed",
    }
}

words! {
    /// How a closed one ended.
    Resolution {
        /// What was asked was given: the refund, the deployment.
        #[default]
        Granted = "granted",
        /// It was refused.
        Declined = "declined",
        /// Nobody wants it any more.
        Withdrawn = "withdrawn",
    }
}

/// Whom support answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Contact {
    /// First and last name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// Something said about a support request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// By whom.
    pub by: Principal,
    /// The words.
    pub text: String,
}

/// The form as it is filled in. A refund's description holds, in lines of their own, what the fields say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Form {
    /// The type of problem: [`REFUND`], [`DEPLOYMENT`], or another of Partner Center's topics.
    pub problem: String,
    /// The topic's number, where a client gave one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topic_id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it keeps from working, and for whom.
    pub impact: String,
    /// In a line.
    pub title: String,
    /// In full.
    pub description: String,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The subscription it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Why money should come back.
    pub refund_reason: String,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Whom to answer.
    pub contact: Contact,
    /// Where attachments lie: links, never the files themselves.
    pub attachments: Vec<String>,
    /// The product, as Partner Center calls it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub product_id: String,
    /// ISO country.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub country: String,
}

/// A support request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportRequest {
    /// `sup_...`.
    pub id: Id,
    /// Moves with every change; the ETag.
    pub generation: u64,
    /// The customer it is for; none when it is the partner's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The customer's name when it was opened.
    #[serde(default)]
    pub organization: String,
    /// Where it stands.
    pub status: Status,
    /// What was filled in.
    pub form: Form,
    /// What the form still needs, by the names of its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The request of ours that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Id>,
    /// What was said, oldest first.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// Who opened it.
    pub opened_by: Principal,
    /// What caused it.
    #[serde(default)]
    pub cause: String,
    /// When it was opened.
    #[serde(with = "crate::domain::calendar::wire")]
    pub created_at: Instant,
    /// When it last changed.
    #[serde(with = "crate::domain::calendar::wire")]
    pub modified_at: Instant,
    /// By whom.
    pub modified_by: Principal,
    /// When it was last closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub closed_at: Option<Instant>,
    /// How it ended, while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

impl SupportRequest {
    /// The status that follows from the form: open when it is complete.
    pub fn settled(&self) -> Status {
        if self.missing.is_empty() { Status::Open } else { Status::AttentionNeeded }
    }

    /// Says something.
    ///
    /// # Errors
    /// `too_many_notes`, `too_large`.
    pub fn say(&mut self, by: &Principal, at: Instant, text: &str) -> Result<(), Refusal> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Refusal::new("missing_field", "a note says something"));
        }
        if text.chars().count() > TEXT_MAX {
            return Err(Refusal::new("too_large", format!("a note holds at most {TEXT_MAX} characters")));
        }
        if self.notes.len() >= NOTES_MAX {
            let message = format!("{} has {NOTES_MAX} notes; open another support request", self.id);
            return Err(Refusal::new("too_many_notes", message));
        }
        self.notes.push(Note { at, by: by.clone(), text: text.to_owned() });
        Ok(())
    }
}
