//! The matrix: a row an act, a column a role. Whatever is not in it, no role may do.

use super::Opens::{Decide, Grant, Propose, Read};
use super::{Cell, Only, Row};
use crate::domain::Kind;

const N: Cell = Cell::None;
const V: Cell = Cell::View;
const O: Cell = Cell::Own;
const A: Cell = Cell::Assigned;
const R: Cell = Cell::Request;
const Y: Cell = Cell::Yes;

/// Kinds whose requests are about whether somebody has what they have: answered by who cares for customers.
pub const LIFECYCLE: &[Kind] = &[Kind::Suspension, Kind::Reactivation, Kind::Cancellation, Kind::AutoRenew];
/// Kinds whose requests are about what is owed: answered by who cares for money.
pub const MONEY: &[Kind] = &[Kind::Renewal, Kind::Quantity];
/// Every kind but the cancellation of what was bought.
const MANAGED: &[Kind] = &[Kind::Renewal, Kind::Suspension, Kind::Reactivation, Kind::AutoRenew, Kind::Quantity];

/// Every act. Where the page on subscriptions and the older matrix differ, the page stands (ROLE): the five roles it
/// names create, suspend, cancel and switch auto-renew alike.
//
// Columns: Global admin, Admin agent, Billing admin, Sales agent, Helpdesk agent, User management admin, Account admin,
// Referral admin, Marketing content admin, the customer's Global admin.
#[rustfmt::skip]
pub const MATRIX: &[Row] = &[
    Row { act: "customers.view", title: "Customers: look, search", source: "",
        opens: &[Read("tenants")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, V, A, V, V, N, N, N, N] },
    Row { act: "customers.edit", title: "Customers and subscriptions: names, labels", source: "",
        opens: &[Grant("labels.write")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, A, N, N, N, N, N, N] },
    Row { act: "customers.account", title: "Customers: what is overdue", source: "",
        opens: &[Grant("tenants.account")], kinds: &[], only: Only::Anything,
        cells: [Y, N, Y, N, N, N, N, N, N, N] },
    Row { act: "catalogue.view", title: "Products and prices: look", source: "",
        opens: &[Read("products")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, Y, Y, N, V, N, N, N, N] },
    Row { act: "subscriptions.view", title: "Subscriptions and orders: look", source: "",
        opens: &[Read("subscriptions"), Read("orders")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, Y, A, V, N, N, N, N, N] },
    Row { act: "trials.view", title: "Trials: look", source: "",
        opens: &[Read("subscriptions")], kinds: &[], only: Only::Trials,
        cells: [Y, Y, Y, A, V, V, N, N, N, N] },
    Row { act: "subscriptions.suspend", title: "Subscriptions: suspend, reactivate", source: "ROLE",
        opens: &[Propose], kinds: &[Kind::Suspension, Kind::Reactivation], only: Only::Services,
        cells: [Y, Y, Y, Y, Y, N, N, N, N, N] },
    Row { act: "subscriptions.auto_renew", title: "Subscriptions: auto-renew, what follows the term", source: "ROLE",
        opens: &[Propose], kinds: &[Kind::AutoRenew, Kind::Renewal], only: Only::Services,
        cells: [Y, Y, Y, Y, Y, N, N, N, N, N] },
    Row { act: "subscriptions.cancel", title: "Subscriptions: cancel", source: "ROLE",
        opens: &[Propose], kinds: &[Kind::Cancellation], only: Only::Services,
        cells: [Y, Y, Y, Y, Y, N, N, N, N, N] },
    Row { act: "subscriptions.more_seats", title: "Subscriptions: more seats", source: "",
        opens: &[Propose], kinds: &[Kind::Quantity], only: Only::MoreSeats,
        cells: [Y, Y, N, A, N, N, N, N, N, N] },
    Row { act: "subscriptions.fewer_seats", title: "Subscriptions: fewer seats", source: "",
        opens: &[Propose], kinds: &[Kind::Quantity], only: Only::FewerSeats,
        cells: [Y, Y, N, R, N, N, N, N, N, N] },
    Row { act: "software.manage", title: "Software: buy, manage", source: "ROLE",
        opens: &[Propose], kinds: MANAGED, only: Only::Software,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "software.cancel", title: "Software: cancel", source: "ROLE",
        opens: &[Propose], kinds: &[Kind::Cancellation], only: Only::Software,
        cells: [N, Y, N, N, N, N, N, N, N, N] },
    Row { act: "money.view", title: "Ledger: look", source: "",
        opens: &[Read("ledger")], kinds: &[], only: Only::Anything,
        cells: [Y, V, Y, N, N, N, N, N, N, N] },
    Row { act: "requests.view", title: "Requests to cancel, suspend, reactivate, switch auto-renew: look", source: "",
        opens: &[Read("requests")], kinds: LIFECYCLE, only: Only::Kinds,
        cells: [Y, Y, N, O, O, N, N, N, N, N] },
    Row { act: "requests.view_money", title: "Requests about money: look", source: "",
        opens: &[Read("requests")], kinds: MONEY, only: Only::Kinds,
        cells: [Y, Y, V, O, O, N, N, N, N, N] },
    Row { act: "requests.decide", title: "Requests to cancel, suspend, reactivate, switch auto-renew: answer", source: "",
        opens: &[Decide], kinds: LIFECYCLE, only: Only::Kinds,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "requests.decide_money", title: "Requests about money: answer", source: "",
        opens: &[Decide], kinds: MONEY, only: Only::Kinds,
        cells: [Y, N, Y, N, N, N, N, N, N, N] },
    Row { act: "decisions.view", title: "Decisions on cancelling, suspending, reactivating, auto-renew: look", source: "",
        opens: &[Read("decisions")], kinds: LIFECYCLE, only: Only::Kinds,
        cells: [Y, Y, N, A, V, N, N, N, N, N] },
    Row { act: "decisions.view_money", title: "Decisions about money: look", source: "",
        opens: &[Read("decisions")], kinds: MONEY, only: Only::Kinds,
        cells: [Y, Y, V, A, V, N, N, N, N, N] },
    Row { act: "runs.view", title: "Runs: look", source: "",
        opens: &[Read("runs")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, N, V, N, N, N, N, N] },
    Row { act: "policies.view", title: "Policies and scripts: look", source: "",
        opens: &[Read("policies")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, V, N, N, N, N, N, N, N] },
    Row { act: "policies.publish", title: "Policies and scripts: put the folder's in force", source: "",
        opens: &[Grant("library.reload")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "schedules.manage", title: "Schedules: look, run a script by hand", source: "",
        opens: &[Read("schedules"), Grant("scripts.run")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "deliveries.manage", title: "Inbound deliveries: look, redrive", source: "",
        opens: &[Read("deliveries"), Grant("deliveries.redrive")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "messages.manage", title: "Outbound messages: look, resend", source: "",
        opens: &[Read("messages"), Grant("messages.send"), Grant("messages.resend")], kinds: &[], only: Only::Anything,
        cells: [Y, Y, N, N, N, N, N, N, N, N] },
    Row { act: "users.view", title: "Users: look", source: "",
        opens: &[Read("users")], kinds: &[], only: Only::Anything,
        cells: [Y, N, N, N, N, V, N, N, N, N] },
    Row { act: "users.manage", title: "Users without admin roles: make, change, disable", source: "",
        opens: &[Grant("users.manage")], kinds: &[], only: Only::Agents,
        cells: [Y, N, N, N, N, Y, N, N, N, N] },
    Row { act: "users.manage_admins", title: "Users with admin roles: make, change, disable", source: "",
        opens: &[Grant("users.manage")], kinds: &[], only: Only::Admins,
        cells: [Y, N, N, N, N, N, N, N, N, N] },
    Row { act: "roles.view", title: "This matrix: look", source: "",
        opens: &[Read("roles")], kinds: &[], only: Only::Anything,
        cells: [V, V, V, V, V, V, V, V, V, N] },
    Row { act: "tokens.own", title: "Access tokens: one's own", source: "",
        opens: &[Read("tokens"), Grant("tokens.manage")], kinds: &[], only: Only::Anything,
        cells: [O, O, O, O, O, O, O, O, O, N] },
    Row { act: "tokens.revoke", title: "Access tokens of others: look, revoke", source: "",
        opens: &[Read("tokens"), Grant("tokens.manage")], kinds: &[], only: Only::Anything,
        cells: [Y, N, N, N, N, N, N, N, N, N] },
    Row { act: "activity.view", title: "Activity log", source: "",
        opens: &[Read("activity")], kinds: &[], only: Only::Anything,
        cells: [Y, O, O, O, O, N, N, N, N, N] },
    Row { act: "activity.view_money", title: "Activity log: what was charged and credited", source: "",
        opens: &[Read("activity")], kinds: &[], only: Only::MoneyLog,
        cells: [Y, N, V, N, N, N, N, N, N, N] },
    Row { act: "activity.view_keys", title: "Activity log: software keys and links", source: "AUD",
        opens: &[Read("activity")], kinds: &[], only: Only::KeyLog,
        cells: [Y, N, N, N, N, N, V, V, V, N] },
    Row { act: "store.manage", title: "The store: settings, import, export, clock, backup", source: "",
        opens: &[Grant("store.admin")], kinds: &[], only: Only::Anything,
        cells: [Y, N, N, N, N, N, N, N, N, N] },
];
