//! Users: made, given and taken roles, disabled; never deleted, because a name is who somebody was.
//!
//! A Global admin manages everybody; a User management admin, and a token with `users.manage`, whoever holds no admin's
//! role. One Global admin who may work is always left.

use crate::domain::ids::Noun;
use crate::domain::roles::{Place, Subject};
use crate::domain::user::State;
use crate::domain::{Grant, Grants, Id, Principal, Refusal, Role, TenantId, User};
use crate::store::Tx;
use crate::store::records::{Page, tenants, tokens, users as rows};

use super::work::{Rights, Work};
use super::{Result, not_found, rights};

const PAGE_ROWS: usize = 500;

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// Who they are, for ever.
    pub name: String,
    /// How people call them.
    pub display_name: String,
    /// Their user principal name.
    pub email: String,
    /// Their roles.
    pub roles: Vec<Role>,
    /// The tenants assigned to them.
    pub assigned: Vec<TenantId>,
    /// Whose user they are; none: the partner's own.
    pub customer: Option<TenantId>,
}

/// What changes about a user; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// How people call them.
    pub display_name: Option<String>,
    /// Their user principal name.
    pub email: Option<String>,
    /// Their roles.
    pub roles: Option<Vec<Role>>,
    /// The tenants assigned to them.
    pub assigned: Option<Vec<TenantId>>,
    /// Whether they may work.
    pub state: Option<State>,
}

/// Makes a user, who has no token yet.
///
/// # Errors
/// `forbidden`, `already_exists`, `not_found` for a tenant, and what [`User::checked`] says.
pub fn create(work: &mut Work, draft: Draft) -> Result<User> {
    work.require(&Grant::UsersManage)?;
    let user = User {
        id: work.id(Noun::User),
        name: draft.name,
        display_name: draft.display_name,
        email: draft.email,
        roles: draft.roles,
        assigned: draft.assigned,
        customer: draft.customer,
        state: State::Active,
        generation: 1,
        created_at: work.now,
        created_by: work.rights.principal.clone(),
    };
    let user = user.checked()?;
    manages(work, &user)?;
    known_tenants(work, &user)?;
    for name in [&user.name, &user.email] {
        free(work, name, None)?;
    }
    rows::save(&mut work.tx, None, &user)?;
    note(work, if user.customer.is_some() { "create_customer_user" } else { "create_partner_user" }, None, &user);
    Ok(user)
}

/// Changes a user: roles, assigned tenants, state, how they are called. Roles count from the next use of a token on.
///
/// # Errors
/// `forbidden`, `not_found`, `last_global_admin`, `precondition_failed`, `already_exists`, and what [`User::checked`]
/// says.
pub fn update(work: &mut Work, who: &str, seen: Option<u64>, changes: Changes) -> Result<User> {
    work.require(&Grant::UsersManage)?;
    let before = load(work, who)?;
    if seen.is_some_and(|seen| seen != before.generation) {
        let message = format!("it has moved to generation {}; look at it again", before.generation);
        return Err(Refusal::new("precondition_failed", message).into());
    }
    let mut after = before.clone();
    after.display_name = changes.display_name.unwrap_or(after.display_name);
    after.email = changes.email.unwrap_or(after.email);
    after.roles = changes.roles.unwrap_or(after.roles);
    after.assigned = changes.assigned.unwrap_or(after.assigned);
    after.state = changes.state.unwrap_or(after.state);
    let mut after = after.checked()?;
    manages(work, &before)?;
    manages(work, &after)?;
    if after == before {
        return Ok(after);
    }
    if before.is_global_admin() && !after.is_global_admin() {
        another_global_admin(work, &before)?;
    }
    known_tenants(work, &after)?;
    free(work, &after.email, Some(after.id))?;
    after.generation += 1;
    rows::save(&mut work.tx, Some(&before), &after)?;
    let ends = before.is_active() && !after.is_active();
    let operation = match (after.customer.is_some(), ends) {
        (false, false) => "update_partner_user",
        (false, true) => "remove_partner_user",
        (true, false) => "update_customer_user",
        (true, true) => "delete_customer_user",
    };
    note(work, operation, Some(&before), &after);
    Ok(after)
}

/// One user, by id, name or user principal name.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, who: &str) -> Result<User> {
    work.require(&Grant::Read("users"))?;
    load(work, who)
}

/// A page of users, oldest first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, after: Option<&[u8]>, limit: usize) -> Result<Page<User>> {
    work.require(&Grant::Read("users"))?;
    let mut page = rows::page(&mut work.tx, after, limit)?;
    page.items.retain(|user| is_within(work, user));
    Ok(page)
}

/// The user who acts now, when it is one: their own row is nobody's secret to them.
///
/// # Errors
/// What the store answers.
pub fn own(work: &mut Work) -> Result<Option<User>> {
    let Some(name) = rights::own_name(work).map(str::to_owned) else { return Ok(None) };
    Ok(rows::named(&mut work.tx, &name)?)
}

/// The rights of the user of this name or address, as they are now; none when there is no such user.
///
/// # Errors
/// What the store answers.
pub fn rights_of(tx: &mut Tx, name: &str, narrowed: &Grants) -> Result<Option<(User, Rights)>> {
    let found = rows::named(tx, name)?;
    Ok(found.map(|user| {
        let rights = Rights { principal: user.principal(), grants: user.grants(narrowed) };
        (user, rights)
    }))
}

/// A person behind a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Who, in one form.
    pub(super) name: String,
    /// Whether they are a user.
    pub(super) registered: bool,
}

/// The person behind a principal: a user under their name or address, the user who made a token, else the principal
/// itself.
pub(super) fn person(work: &mut Work, principal: &Principal) -> Result<Person> {
    let user = match principal {
        Principal::User(name) => rows::named(&mut work.tx, name)?,
        Principal::Token(name) => maker(work, name)?,
        Principal::File { .. } | Principal::System => None,
    };
    Ok(match user {
        Some(user) => Person { name: user.principal().to_string(), registered: true },
        None => Person { name: principal.to_string().to_lowercase(), registered: false },
    })
}

/// The user who made the token of this name, if a user did.
fn maker(work: &mut Work, token: &str) -> Result<Option<User>> {
    let mut cursor = None::<Vec<u8>>;
    let mut newest = None;
    loop {
        let page = tokens::page(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        newest = page.items.into_iter().rfind(|known| known.name == token && known.user.is_none()).or(newest);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match newest.map(|token| token.created_by) {
        Some(Principal::User(name)) => Ok(rows::named(&mut work.tx, &name)?),
        _ => Ok(None),
    }
}

/// One user, wherever they belong, for an operation that knows whom it asks for.
pub(super) fn anybody(work: &mut Work, who: &str) -> Result<User> {
    let found = match who.parse::<Id>() {
        Ok(id) if id.noun == Noun::User => rows::get(&mut work.tx, id)?,
        _ => rows::named(&mut work.tx, who)?,
    };
    let shown: String = who.chars().take(64).collect();
    found.ok_or_else(|| not_found("user", &shown))
}

/// One user within reach, for an operation that has checked its own right.
fn load(work: &mut Work, who: &str) -> Result<User> {
    let user = anybody(work, who)?;
    if is_within(work, &user) { Ok(user) } else { Err(not_found("user", &who)) }
}

/// Rights that are narrowed to tenants reach those customers' users and nobody else.
fn is_within(work: &Work, user: &User) -> bool {
    match user.customer {
        Some(tenant) => work.reaches(tenant),
        None => work.reaches_all(),
    }
}

fn manages(work: &Work, user: &User) -> Result<()> {
    let place = user.customer.map_or(Place::Everywhere, Place::Tenant);
    if rights::to_manage(work, Subject::User { admin: user.is_admin() }, place) {
        return Ok(());
    }
    let message = format!(
        "{} manages users without admin roles; {} is for a Global admin to manage",
        work.rights.principal, user.name
    );
    Err(Refusal::new("forbidden", message).into())
}

fn known_tenants(work: &mut Work, user: &User) -> Result<()> {
    for tenant in user.customer.iter().chain(&user.assigned) {
        if tenants::get(&mut work.tx, *tenant)?.is_none() {
            return Err(not_found("tenant", tenant));
        }
    }
    Ok(())
}

fn free(work: &mut Work, name: &str, but: Option<Id>) -> Result<()> {
    match rows::named(&mut work.tx, name)?.filter(|known| Some(known.id) != but) {
        None => Ok(()),
        Some(known) => {
            let message = format!("{name} is the user {} already; names are not given twice", known.name);
            Err(Refusal::new("already_exists", message).into())
        }
    }
}

fn another_global_admin(work: &mut Work, but: &User) -> Result<()> {
    let mut cursor = None::<Vec<u8>>;
    loop {
        let page = rows::page(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        if page.items.iter().any(|user| user.id != but.id && user.is_global_admin()) {
            return Ok(());
        }
        cursor = page.next;
        if cursor.is_none() {
            let message = format!("{} is the last Global admin: make another one first", but.name);
            return Err(Refusal::new("last_global_admin", message).into());
        }
    }
}

/// What changed, for the activity log: every role given and taken by its name.
fn note(work: &mut Work, operation: &str, before: Option<&User>, after: &User) {
    let had = before.map(|user| user.roles.as_slice()).unwrap_or_default();
    let mut parts = vec![after.name.clone()];
    parts.extend(after.roles.iter().filter(|role| !had.contains(role)).map(|role| format!("+{role}")));
    parts.extend(had.iter().filter(|role| !after.roles.contains(role)).map(|role| format!("-{role}")));
    if let Some(before) = before {
        if before.state != after.state {
            parts.push(after.state.as_str().to_owned());
        }
        if before.email != after.email {
            parts.push(format!("{} -> {}", before.email, after.email));
        }
        if before.assigned != after.assigned {
            parts.push(format!("{} tenants assigned", after.assigned.len()));
        }
    }
    work.note_tenant(operation, after.customer, &parts.join(" "));
    work.effect(format!("{operation} {}", after.name));
}
