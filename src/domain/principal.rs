//! Who acts, and what they may do. Grants are text only at the edges and checked inside `ops`, nowhere else.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::roles::{Held, Leave, Place, Role, Subject};
use super::{Kind, Refusal, TenantId};

/// Who proposes, decides or changes something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A person, by name: a user of ours whose name it is, or whoever the operator says they act for.
    User(String),
    /// An access token, by name.
    Token(String),
    /// A policy or script, by path and content hash (the first 16 hexadecimal digits).
    File {
        /// Path inside the library, `policies/renewal.rhai`.
        path: String,
        /// Content hash, shortened.
        hash: String,
    },
    /// A domain timer or the operator's own machine.
    System,
}

impl Principal {
    /// Whether both are one person or program: a file that was edited since is still the same file.
    pub fn is_same_as(&self, other: &Principal) -> bool {
        match (self, other) {
            (Principal::File { path, .. }, Principal::File { path: other, .. }) => path == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::User(name) => write!(f, "user:{name}"),
            Principal::Token(name) => write!(f, "token:{name}"),
            Principal::File { path, hash } => write!(f, "file:{path}@{hash}"),
            Principal::System => f.write_str("system"),
        }
    }
}

impl FromStr for Principal {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text == "system" {
            return Ok(Principal::System);
        }
        match text.split_once(':') {
            Some(("user", name)) if !name.is_empty() => Ok(Principal::User(name.to_owned())),
            Some(("token", name)) if !name.is_empty() => Ok(Principal::Token(name.to_owned())),
            Some(("file", rest)) => {
                let (path, hash) = rest.rsplit_once('@').unwrap_or((rest, ""));
                Ok(Principal::File { path: path.to_owned(), hash: hash.to_owned() })
            }
            _ => Err(Refusal::new("bad_principal", format!("'{text}' is no user:, token:, file: or system"))),
        }
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The nouns that a `NOUN.read` grant names.
pub const READ_NOUNS: [&str; 22] = [
    "tenants",
    "products",
    "subscriptions",
    "orders",
    "carts",
    "requests",
    "decisions",
    "runs",
    "policies",
    "schedules",
    "deliveries",
    "messages",
    "tokens",
    "ledger",
    "activity",
    "users",
    "roles",
    "invoices",
    "prices",
    "software",
    "activations",
    "support",
];

/// One thing a principal may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grant {
    /// `NOUN.read`; the noun is one of [`READ_NOUNS`].
    Read(&'static str),
    /// `propose.KIND`; none means every kind (`propose.*`).
    Propose(Option<Kind>),
    /// `decide.KIND`; none means every kind (`decide.*`).
    Decide(Option<Kind>),
    /// `messages.send`.
    MessagesSend,
    /// `messages.resend`.
    MessagesResend,
    /// `tenants.write`: take on a customer.
    TenantsWrite,
    /// `tenants.account`: tell what the billing system knows of a tenant.
    TenantsAccount,
    /// `prices.write`: what the partner asks its customers.
    PricesWrite,
    /// `labels.write`.
    LabelsWrite,
    /// `keys.read`: see keys and links of software, as the Admin agent does. Nothing but `*` implies it.
    KeysRead,
    /// `keys.own`: see one's own software, keys and links, as the customer's Global admin does; bound to one tenant.
    KeysOwn,
    /// `keys.manage`: record keys and links, and what products come with.
    KeysManage,
    /// `activations.write`: record KMS activations and that a device has been moved.
    ActivationsWrite,
    /// `support.write`: open support requests, answer them, close them.
    SupportWrite,
    /// `deliveries.redrive`.
    DeliveriesRedrive,
    /// `library.reload`.
    LibraryReload,
    /// `tokens.manage`.
    TokensManage,
    /// `users.manage`: make, change and disable users.
    UsersManage,
    /// `scripts.run`: run a script by hand, within one's own rights.
    ScriptsRun,
    /// `store.admin`: import, clock, export.
    StoreAdmin,
    /// `*`.
    All,
    /// What the roles of a user allow. It comes from the user's row each time and is never written down.
    Roles(Held),
}

impl Grant {
    /// Whether it is this grant or one that holds it.
    pub fn covers(&self, wanted: &Grant) -> bool {
        self == wanted
            || matches!(self, Grant::All)
            || matches!(
                (self, wanted),
                (Grant::Propose(None), Grant::Propose(_)) | (Grant::Decide(None), Grant::Decide(_))
            )
    }
}

/// What both lists of grants allow.
pub(super) fn common(one: &[Grant], other: &[Grant]) -> Vec<Grant> {
    let held = |list: &[Grant], wanted: &Grant| list.iter().any(|held| held.covers(wanted));
    let mut both: Vec<Grant> = one.iter().filter(|grant| held(other, grant)).cloned().collect();
    both.extend(other.iter().filter(|grant| held(one, grant)).cloned());
    both.sort_unstable();
    both.dedup();
    both
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::Read(noun) => write!(f, "{noun}.read"),
            Grant::Propose(None) => f.write_str("propose.*"),
            Grant::Propose(Some(kind)) => write!(f, "propose.{kind}"),
            Grant::Decide(None) => f.write_str("decide.*"),
            Grant::Decide(Some(kind)) => write!(f, "decide.{kind}"),
            Grant::MessagesSend => f.write_str("messages.send"),
            Grant::MessagesResend => f.write_str("messages.resend"),
            Grant::TenantsWrite => f.write_str("tenants.write"),
            Grant::TenantsAccount => f.write_str("tenants.account"),
            Grant::PricesWrite => f.write_str("prices.write"),
            Grant::LabelsWrite => f.write_str("labels.write"),
            Grant::KeysRead => f.write_str("keys.read"),
            Grant::KeysOwn => f.write_str("keys.own"),
            Grant::KeysManage => f.write_str("keys.manage"),
            Grant::ActivationsWrite => f.write_str("activations.write"),
            Grant::SupportWrite => f.write_str("support.write"),
            Grant::DeliveriesRedrive => f.write_str("deliveries.redrive"),
            Grant::LibraryReload => f.write_str("library.reload"),
            Grant::TokensManage => f.write_str("tokens.manage"),
            Grant::UsersManage => f.write_str("users.manage"),
            Grant::ScriptsRun => f.write_str("scripts.run"),
            Grant::StoreAdmin => f.write_str("store.admin"),
            Grant::All => f.write_str("*"),
            Grant::Roles(held) => {
                let roles: Vec<&str> = held.roles.iter().map(|role| role.as_str()).collect();
                write!(f, "roles:{}", roles.join("+"))
            }
        }
    }
}

impl FromStr for Grant {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::new("unknown_grant", format!("'{text}' is not a grant"));
        let kind = |word: &str| if word == "*" { Ok(None) } else { word.parse().map(Some).map_err(|_| unknown()) };
        Ok(match text {
            "*" => Grant::All,
            "messages.send" => Grant::MessagesSend,
            "messages.resend" => Grant::MessagesResend,
            "tenants.write" => Grant::TenantsWrite,
            "tenants.account" => Grant::TenantsAccount,
            "prices.write" => Grant::PricesWrite,
            "labels.write" => Grant::LabelsWrite,
            "keys.read" => Grant::KeysRead,
            "keys.own" => Grant::KeysOwn,
            "keys.manage" => Grant::KeysManage,
            "activations.write" => Grant::ActivationsWrite,
            "support.write" => Grant::SupportWrite,
            "deliveries.redrive" => Grant::DeliveriesRedrive,
            "library.reload" => Grant::LibraryReload,
            "tokens.manage" => Grant::TokensManage,
            "users.manage" => Grant::UsersManage,
            "scripts.run" => Grant::ScriptsRun,
            "store.admin" => Grant::StoreAdmin,
            _ => match text.split_once('.') {
                Some(("propose", word)) => Grant::Propose(kind(word)?),
                Some(("decide", word)) => Grant::Decide(kind(word)?),
                Some((noun, "read")) => {
                    Grant::Read(READ_NOUNS.iter().find(|known| **known == noun).ok_or_else(unknown)?)
                }
                _ => return Err(unknown()),
            },
        })
    }
}

/// Every grant there is, as text, for suggestions and manuals.
pub fn every_grant() -> Vec<String> {
    let mut all: Vec<String> = READ_NOUNS.iter().map(|noun| format!("{noun}.read")).collect();
    for kind in Kind::ALL {
        all.push(format!("propose.{kind}"));
        all.push(format!("decide.{kind}"));
    }
    for fixed in [
        Grant::MessagesSend,
        Grant::MessagesResend,
        Grant::TenantsWrite,
        Grant::TenantsAccount,
        Grant::PricesWrite,
        Grant::LabelsWrite,
        Grant::KeysRead,
        Grant::KeysOwn,
        Grant::KeysManage,
        Grant::ActivationsWrite,
        Grant::SupportWrite,
        Grant::DeliveriesRedrive,
        Grant::LibraryReload,
        Grant::TokensManage,
        Grant::UsersManage,
        Grant::ScriptsRun,
        Grant::StoreAdmin,
        Grant::All,
    ] {
        all.push(fixed.to_string());
    }
    all
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a principal may do: a list of grants, optionally narrowed to some tenants. Nothing listed, nothing allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// The grants.
    pub list: Vec<Grant>,
    /// The only tenants they hold for; none means every tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantId>>,
}

impl Grants {
    /// Everything, for every tenant: the operator and the domain's own timers.
    pub fn all() -> Self {
        Self { list: vec![Grant::All], tenants: None }
    }

    /// Whether the wanted grant is held, for some tenant or other.
    pub fn allow(&self, wanted: &Grant) -> bool {
        self.leave(wanted, Subject::Whole, Place::Somewhere) > Leave::Nothing
    }

    /// Whether they hold for this tenant whatever is done. A tenant outside is as good as absent.
    pub fn reach(&self, tenant: TenantId) -> bool {
        self.tenants.as_ref().is_none_or(|only| only.contains(&tenant))
    }

    /// How far they go with a grant, on a subject, at a place: plain grants all the way, roles as the matrix says.
    pub fn leave(&self, wanted: &Grant, subject: Subject, place: Place) -> Leave {
        let outside = match place {
            Place::Somewhere => false,
            Place::Everywhere => self.tenants.is_some(),
            Place::Tenant(tenant) => !self.reach(tenant),
        };
        if outside {
            return Leave::Nothing;
        }
        let leaves = self.list.iter().map(|held| match held {
            Grant::Roles(held) => held.leave(wanted, subject, place),
            held if held.covers(wanted) => Leave::Act,
            _ => Leave::Nothing,
        });
        leaves.max().unwrap_or(Leave::Nothing)
    }

    /// The only tenants whose subscriptions can be looked at; none: every tenant's.
    pub fn tenants_seen(&self) -> Option<Vec<TenantId>> {
        let wanted = Grant::Read("subscriptions");
        match self.held() {
            Some(held) if held.leave(&wanted, Subject::Whole, Place::Everywhere) == Leave::Nothing => {
                let sees =
                    |tenant: &TenantId| self.leave(&wanted, Subject::Whole, Place::Tenant(*tenant)) > Leave::Nothing;
                Some(held.assigned.iter().copied().filter(sees).collect())
            }
            _ => self.tenants.clone(),
        }
    }

    /// The user whose roles these are; none for plain grants.
    pub fn held(&self) -> Option<&Held> {
        self.list.iter().find_map(|grant| if let Grant::Roles(held) = grant { Some(held) } else { None })
    }

    /// Whether this very grant is held, by itself or by a role, and not only as part of everything.
    pub fn names(&self, grant: &Grant) -> bool {
        self.list.contains(grant)
            || self.held().is_some_and(|held| held.leave(grant, Subject::Whole, Place::Somewhere) > Leave::Nothing)
    }

    /// Whether everything is held: the operator, and tokens that were given `*`.
    pub fn is_all(&self) -> bool {
        self.list.contains(&Grant::All)
    }

    /// Whether one of these roles is held.
    pub fn holds(&self, roles: &[Role]) -> bool {
        self.held().is_some_and(|held| held.roles.iter().any(|role| roles.contains(role)))
    }

    /// What these grants and those both allow, for the tenants of these: what a script may do that somebody runs.
    #[must_use]
    pub fn within_both(&self, others: &[Grant]) -> Grants {
        let plain: Vec<Grant> = self.list.iter().filter(|grant| !matches!(grant, Grant::Roles(_))).cloned().collect();
        let mut list = common(&plain, others);
        list.extend(self.held().map(|held| Grant::Roles(held.within(others))));
        Grants { list, tenants: self.tenants.clone() }
    }

    /// Whether a token with these grants may be made by one with those: never more than its maker has.
    pub fn within(&self, maker: &Grants) -> bool {
        let grants_held = self.list.iter().all(|grant| maker.allow(grant));
        let tenants_held = match (&self.tenants, &maker.tenants) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => mine.iter().all(|tenant| theirs.contains(tenant)),
        };
        grants_held && tenants_held
    }
}
