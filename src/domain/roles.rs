//! Roles: what the people of a partner, and the Global admin of a customer, may do.
//!
//! What a role may do is one table, [`MATRIX`]: a row an act, a column a role. Nothing else in the crate knows what a
//! role may do; `ops` asks [`Held::leave`]. To give a role more or less, change a cell; for a new act, add a row that
//! names the grants it opens.
//!
//! What no door here does has no row, and so nobody may do it: deleting or making a customer anonymous, waiving a window
//! that has closed, credits by hand, drafts of policies, pausing a schedule, stopping every run at once. Hooks, endpoints
//! and their secrets are in `bursar.toml`: whoever has the machine sets them. A run is of no customer, so that who sees
//! their own customers alone sees none; and nobody is assigned a customer that is not there yet.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Grant, Kind, Refusal, TenantId};

mod matrix;

pub use matrix::{LIFECYCLE, MATRIX, MONEY};

/// A role, in Partner Center's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The account as a whole: users, settings, money, subscriptions; neither keys nor the cancellation of software.
    GlobalAdmin,
    /// Customers and what they buy; the one who reads keys and cancels software.
    AdminAgent,
    /// Invoices, credits, reconciliation; subscriptions as every agent.
    BillingAdmin,
    /// Sells to the customers assigned to them.
    SalesAgent,
    /// Helps customers: looks everywhere, asks for changes.
    HelpdeskAgent,
    /// Users without admin roles, and trials.
    UserManagementAdmin,
    /// The log of software keys.
    AccountAdmin,
    /// The log of software keys.
    ReferralAdmin,
    /// The log of software keys.
    MarketingContentAdmin,
    /// Of a customer, not of the partner: that customer's own keys and downloads (K-cust).
    CustomerGlobalAdmin,
}

impl Role {
    /// Every role, in the order of the matrix's columns.
    pub const ALL: [Role; 10] = [
        Role::GlobalAdmin,
        Role::AdminAgent,
        Role::BillingAdmin,
        Role::SalesAgent,
        Role::HelpdeskAgent,
        Role::UserManagementAdmin,
        Role::AccountAdmin,
        Role::ReferralAdmin,
        Role::MarketingContentAdmin,
        Role::CustomerGlobalAdmin,
    ];

    /// Its word, `admin_agent`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::GlobalAdmin => "global_admin",
            Role::AdminAgent => "admin_agent",
            Role::BillingAdmin => "billing_admin",
            Role::SalesAgent => "sales_agent",
            Role::HelpdeskAgent => "helpdesk_agent",
            Role::UserManagementAdmin => "user_management_admin",
            Role::AccountAdmin => "account_admin",
            Role::ReferralAdmin => "referral_admin",
            Role::MarketingContentAdmin => "marketing_content_admin",
            Role::CustomerGlobalAdmin => "customer_global_admin",
        }
    }

    /// Whether only a Global admin gives and takes it: every role but that of the two agents who neither hold keys nor
    /// decide anything.
    pub fn is_admin(self) -> bool {
        !matches!(self, Role::SalesAgent | Role::HelpdeskAgent)
    }

    /// Whether the matrix lets it answer requests of a kind.
    pub fn may_answer(self, kind: Kind) -> bool {
        let wanted = Grant::Decide(Some(kind));
        MATRIX.iter().any(|row| row.opens(&wanted) && row.cell(self) == Cell::Yes)
    }

    /// Whether a customer's user holds it; all others are of the partner's own people.
    pub fn is_of_customer(self) -> bool {
        self == Role::CustomerGlobalAdmin
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Refusal;

    /// Reads `admin_agent`, and `Admin agent` as Partner Center shows it.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let word: String = text.trim().chars().map(|letter| if letter == ' ' { '_' } else { letter }).collect();
        Role::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(&word)).ok_or_else(|| {
            let known = Role::ALL.map(Role::as_str).join(", ");
            let shown: String = text.chars().take(64).collect();
            Refusal::new("unknown_role", format!("'{shown}' is no role; there are {known}"))
        })
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a role may do of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Nothing.
    None,
    /// What they did, asked or own themselves.
    Own,
    /// Look, and nothing else.
    View,
    /// All of it, for the tenants assigned to the user.
    Assigned,
    /// Ask: whatever policies answer, a person with the right to decide has the word.
    Request,
    /// All of it.
    Yes,
}

impl Cell {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Cell::None => "none",
            Cell::Own => "own",
            Cell::View => "view",
            Cell::Assigned => "assigned",
            Cell::Request => "request",
            Cell::Yes => "yes",
        }
    }
}

/// A grant that a row opens. `Propose` and `Decide` are for the row's kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// `NOUN.read`.
    Read(&'static str),
    /// `propose.KIND`.
    Propose,
    /// `decide.KIND`.
    Decide,
    /// Any other, by its text.
    Grant(&'static str),
}

/// What a row is only about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Anything.
    Anything,
    /// Holdings that their terms show among software.
    Software,
    /// Every other holding.
    Services,
    /// Holdings that are trials, and no software.
    Trials,
    /// More seats, of what is no software.
    MoreSeats,
    /// Fewer seats, of what is no software.
    FewerSeats,
    /// Requests and decisions of the row's kinds.
    Kinds,
    /// Users none of whose roles is an admin's.
    Agents,
    /// Users with an admin's role.
    Admins,
    /// Support requests of any kind.
    Support,
    /// Support requests for a refund, to be opened.
    Refunds,
    /// Rows of the activity log that charge or credit.
    MoneyLog,
    /// Rows of the activity log that tell of software keys and download links.
    KeyLog,
}

/// What exactly somebody would act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing in particular: whether there is anything they may do with the grant.
    Whole,
    /// A holding; `seats` compares the seats afterwards with those before.
    Holding {
        /// Whether its terms say it is software.
        software: bool,
        /// Whether it is a trial.
        trial: bool,
        /// Seats afterwards against seats before.
        seats: Ordering,
    },
    /// A request or a decision of a kind.
    Kind(Kind),
    /// A user, by whether they hold an admin's role.
    User {
        /// Whether they do.
        admin: bool,
    },
    /// A support request.
    Support {
        /// Whether it is a refund that is asked for now.
        refund: bool,
    },
    /// A row of the activity log.
    Log {
        /// Whether it charges or credits.
        money: bool,
        /// Whether it tells of software keys or links.
        keys: bool,
    },
}

/// Where somebody would act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// For some tenant or other.
    Somewhere,
    /// For every tenant, and for what is of no tenant.
    Everywhere,
    /// For this tenant.
    Tenant(TenantId),
}

/// How far somebody's rights go. Later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Nothing.
    Nothing,
    /// What is their own.
    Own,
    /// Looking.
    Look,
    /// Asking, for a person to answer.
    Ask,
    /// Acting.
    Act,
}

/// One act of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, `subscriptions.suspend`.
    pub act: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// The rule or page that says so.
    pub source: &'static str,
    /// The grants it opens.
    pub opens: &'static [Opens],
    /// The kinds of change it is about; empty: it is about none.
    pub kinds: &'static [Kind],
    /// What it is only about.
    pub only: Only,
    /// A cell for each role, in the order of [`Role::ALL`].
    pub cells: [Cell; 10],
}

impl Row {
    /// What a role may do of it.
    pub fn cell(&self, role: Role) -> Cell {
        let place = Role::ALL.iter().position(|known| *known == role);
        place.and_then(|place| self.cells.get(place)).copied().unwrap_or(Cell::None)
    }

    /// The grants it opens, as text.
    pub fn grants(&self) -> Vec<String> {
        let kinds = |verb: &str| self.kinds.iter().map(|kind| format!("{verb}.{kind}")).collect::<Vec<_>>();
        let texts = |opens: &Opens| match opens {
            Opens::Read(noun) => vec![format!("{noun}.read")],
            Opens::Propose => kinds("propose"),
            Opens::Decide => kinds("decide"),
            Opens::Grant(text) => vec![(*text).to_owned()],
        };
        self.opens.iter().flat_map(texts).collect()
    }

    fn opens(&self, wanted: &Grant) -> bool {
        self.opens.iter().any(|opens| match (opens, wanted) {
            (Opens::Read(noun), Grant::Read(wanted)) => noun == wanted,
            (Opens::Propose, Grant::Propose(Some(kind))) | (Opens::Decide, Grant::Decide(Some(kind))) => {
                self.kinds.contains(kind)
            }
            (Opens::Grant(text), wanted) => wanted.to_string() == *text,
            _ => false,
        })
    }

    fn is_about(&self, subject: Subject) -> bool {
        let services = |software: bool| !software;
        match (self.only, subject) {
            (_, Subject::Whole) | (Only::Anything, _) => true,
            (Only::Software, Subject::Holding { software, .. }) => software,
            (Only::Services, Subject::Holding { software, .. }) => services(software),
            (Only::Trials, Subject::Holding { software, trial, .. }) => services(software) && trial,
            (Only::MoreSeats, Subject::Holding { software, seats, .. }) => services(software) && seats.is_ge(),
            (Only::FewerSeats, Subject::Holding { software, seats, .. }) => services(software) && seats.is_lt(),
            (Only::Kinds, Subject::Kind(kind)) => self.kinds.contains(&kind),
            (Only::Agents, Subject::User { admin }) => !admin,
            (Only::Admins, Subject::User { admin }) => admin,
            (Only::Support, Subject::Support { .. }) => true,
            (Only::Refunds, Subject::Support { refund }) => refund,
            (Only::MoneyLog, Subject::Log { money, .. }) => money,
            (Only::KeyLog, Subject::Log { keys, .. }) => keys,
            _ => false,
        }
    }
}

/// What a user brings along: their roles, the tenants assigned to them, and what the token at hand is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// Their name, which is who they are.
    pub user: String,
    /// Their roles; what they may do is the union.
    pub roles: Vec<Role>,
    /// The tenants that `assigned` cells hold for.
    pub assigned: Vec<TenantId>,
    /// The only grants of the roles that hold; empty: all of them.
    pub only: Vec<Grant>,
}

impl Held {
    /// How far the roles go with a grant, on a subject, at a place. Whoever may act on a holding but cannot see it may
    /// do nothing with it.
    pub fn leave(&self, wanted: &Grant, subject: Subject, place: Place) -> Leave {
        let narrowed = !self.only.is_empty() && !self.only.iter().any(|held| held.covers(wanted));
        if narrowed {
            return Leave::Nothing;
        }
        let leave = self.widest(wanted, subject, place);
        let sees = || self.widest(&Grant::Read("subscriptions"), subject, place) >= Leave::Look;
        if matches!(wanted, Grant::Propose(_)) && !sees() { Leave::Nothing } else { leave }
    }

    /// What a row of the matrix opens to them: its grants, or those of them that they are narrowed to.
    pub fn opened(&self, row: &Row) -> Vec<String> {
        let held = |text: &String| text.parse().is_ok_and(|wanted| self.only.iter().any(|only| only.covers(&wanted)));
        let grants = row.grants();
        if self.only.is_empty() { grants } else { grants.into_iter().filter(held).collect() }
    }

    fn widest(&self, wanted: &Grant, subject: Subject, place: Place) -> Leave {
        let rows = MATRIX.iter().filter(|row| row.opens(wanted) && row.is_about(subject));
        let leaves = rows.flat_map(|row| self.roles.iter().map(|role| self.given(row.cell(*role), wanted, place)));
        leaves.max().unwrap_or(Leave::Nothing)
    }

    fn given(&self, cell: Cell, wanted: &Grant, place: Place) -> Leave {
        let is_reading = matches!(wanted, Grant::Read(_));
        match cell {
            Cell::None => Leave::Nothing,
            Cell::Own => Leave::Own,
            Cell::View if is_reading => Leave::Look,
            Cell::View => Leave::Nothing,
            Cell::Assigned => match place {
                Place::Somewhere => Leave::Act,
                Place::Everywhere => Leave::Nothing,
                Place::Tenant(tenant) if self.assigned.contains(&tenant) => Leave::Act,
                Place::Tenant(_) => Leave::Nothing,
            },
            // There is nothing to ask for but a change: whatever else a person would have to decide, nobody does.
            Cell::Request if matches!(wanted, Grant::Propose(_)) => Leave::Ask,
            Cell::Request => Leave::Nothing,
            Cell::Yes => Leave::Act,
        }
    }

    /// The same roles for what these grants cover too, and for nothing else: what a script may do for a user.
    #[must_use]
    pub fn within(&self, grants: &[Grant]) -> Held {
        let only = if self.only.is_empty() { grants.to_vec() } else { super::principal::common(&self.only, grants) };
        // Nothing in common is nothing allowed, and an empty list would be everything.
        let roles = if only.is_empty() { Vec::new() } else { self.roles.clone() };
        Held { roles, only, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
