//! Users: the partner's people with their roles, and the Global admins of customers.

use serde::{Deserialize, Serialize};

use super::roles::Held;
use super::{Grant, Grants, Id, Instant, Principal, Refusal, Role, TenantId, text};

/// Characters of a user's name, at most.
pub const NAME_LENGTH_MAX: usize = 64;
/// Bytes of an e-mail address, at most (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
/// Tenants assigned to one user, at most.
const ASSIGNED_MAX: usize = 10_000;
/// Names of whoever is no user.
const RESERVED: [&str; 3] = ["operator", "system", "root"];

/// Whether somebody may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// They may.
    Active,
    /// They may not, and none of their tokens counts.
    Disabled,
}

impl State {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Disabled => "disabled",
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `usr_...`.
    pub id: Id,
    /// Who they are, for ever: the principal is `user:NAME`. In lower case.
    pub name: String,
    /// How people call them.
    #[serde(default)]
    pub display_name: String,
    /// Their user principal name: an e-mail address, in lower case.
    pub email: String,
    /// Their roles, in the order of the matrix.
    pub roles: Vec<Role>,
    /// The tenants their `assigned` cells hold for.
    #[serde(default)]
    pub assigned: Vec<TenantId>,
    /// The customer whose user they are; none: the partner's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<TenantId>,
    /// Whether they may work.
    pub state: State,
    /// Moves with every change; the ETag.
    pub generation: u64,
    /// When the row was made.
    #[serde(with = "crate::domain::calendar::wire")]
    pub created_at: Instant,
    /// By whom.
    pub created_by: Principal,
}

impl User {
    /// Whether they may work.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// Whether only a Global admin manages them.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role.is_admin())
    }

    /// Whether they are a Global admin of the partner who may work.
    pub fn is_global_admin(&self) -> bool {
        self.is_active() && self.roles.contains(&Role::GlobalAdmin)
    }

    /// Who they are.
    pub fn principal(&self) -> Principal {
        Principal::User(self.name.clone())
    }

    /// What they may do, within what a token is narrowed to; nothing for one who may not work.
    pub fn grants(&self, narrowed: &Grants) -> Grants {
        let roles = if self.is_active() { self.roles.clone() } else { Vec::new() };
        let assigned = self.assigned.clone();
        let held = Held { user: self.name.clone(), roles, assigned, only: narrowed.list.clone() };
        let tenants = match (self.customer, &narrowed.tenants) {
            (None, tenants) => tenants.clone(),
            (Some(own), None) => Some(vec![own]),
            (Some(own), Some(tenants)) => Some(tenants.iter().copied().filter(|tenant| *tenant == own).collect()),
        };
        Grants { list: vec![Grant::Roles(held)], tenants }
    }

    /// Puts what was given into its one form and checks that it holds together.
    ///
    /// # Errors
    /// `bad_name`, `bad_email`, `bad_role`, `bad_assignment`, each with what to write instead.
    pub fn checked(mut self) -> Result<User, Refusal> {
        self.name = name(&self.name)?;
        self.email = email(&self.email)?;
        self.display_name = self.display_name.trim().to_owned();
        if self.display_name.chars().count() > 256
            || !(self.display_name.is_empty() || text::is_plain(&self.display_name))
        {
            return Err(Refusal::new("bad_name", "displayName is up to 256 characters without control characters"));
        }
        self.roles.sort_unstable();
        self.roles.dedup();
        self.assigned.sort_unstable();
        self.assigned.dedup();
        let misplaced = self.roles.iter().find(|role| role.is_of_customer() != self.customer.is_some());
        if let Some(role) = misplaced {
            let message = match self.customer {
                Some(_) => {
                    format!("{role} is a role of the partner's people; a customer's user is customer_global_admin")
                }
                None => format!("{role} is a role of a customer's user: say which customer's"),
            };
            return Err(Refusal::new("bad_role", message));
        }
        if self.customer.is_some() && !self.assigned.is_empty() {
            return Err(Refusal::new(
                "bad_assignment",
                "a customer's user has their own tenant and is assigned no other",
            ));
        }
        if self.assigned.len() > ASSIGNED_MAX {
            return Err(Refusal::new(
                "bad_assignment",
                format!("at most {ASSIGNED_MAX} tenants are assigned to one user"),
            ));
        }
        Ok(self)
    }
}

/// A user's name in its one form.
///
/// # Errors
/// `bad_name`.
pub fn name(text: &str) -> Result<String, Refusal> {
    let name = text.trim().to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(plain) {
        let message = format!("a user's name is 1 to {NAME_LENGTH_MAX} letters, digits, '-', '_', '.', '@' and '+'");
        return Err(Refusal::new("bad_name", message));
    }
    if RESERVED.contains(&name.as_str()) {
        return Err(Refusal::new("bad_name", format!("'{name}' is the name of nobody in particular; take another")));
    }
    Ok(name)
}

fn email(text: &str) -> Result<String, Refusal> {
    let email = text.trim().to_lowercase();
    let whole =
        |part: &str| !part.is_empty() && !part.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    let fits = email.len() <= EMAIL_BYTES_MAX
        && email.split_once('@').is_some_and(|(before, after)| whole(before) && whole(after) && !after.contains('@'));
    if fits {
        return Ok(email);
    }
    let shown: String = text.chars().take(64).collect();
    Err(Refusal::new("bad_email", format!("'{shown}' is no user principal name such as anna@partner.example")))
}
