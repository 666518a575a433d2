//! Every cell of the matrix, tried: each role does each act, for the customer assigned to it and for another, through
//! the operations that doors call.

use std::collections::BTreeMap;

use bursar::domain::change::{Amendments, Reason};
use bursar::domain::product::CustomerPrice;
use bursar::domain::request::Outcome;
use bursar::domain::roles::MATRIX;
use bursar::domain::selection::{DECISIONS, INVOICES, LEDGER, PRODUCTS, SUPPORT, Selection};
use bursar::domain::software::Choice;
use bursar::domain::support::{Contact, Form, REFUND};
use bursar::domain::{Change, Grant, Grants, Id, Kind, Principal, Role, TenantId, calendar};
use bursar::ops::users::Draft;
use bursar::ops::{
    self, Rights, Work, activations, carts, catalog, deliveries, export, invoices, keys, ledger, lists, messages,
    orders, prices, requests, rights, software, subscriptions, support, tenants, tokens, users,
};
use bursar::partner_center::customers::CustomerFact;
use bursar::seal::Secret;

use crate::people_world::{
    HERE, LICENCE, ORDERED, PERPETUAL, People, SAAS, SOFTWARE, SOFTWARE_ORDERED, SUSPENDED, THERE, TRIAL_ORDERED,
    activity_of, everything, holding, name_of,
};

/// What is expected, written down a second time: Global admin, Admin agent, Billing admin, Sales agent, Helpdesk agent,
/// User management admin, Account admin, Referral admin, Marketing content admin, the customer's Global admin.
const EXPECTED: &str = "
customers.view             Y Y V A V V - - - -
customers.edit             Y Y - A - - - - - -
customers.create           Y Y - - - - - - - -
customers.account          Y Y Y - - - - - - -
catalogue.view             Y Y Y Y - V - - - -
prices.view                Y Y Y Y - - - - - -
prices.edit                Y - - - - - - - - -
subscriptions.view         Y Y Y A V - - - - -
carts.view                 Y Y Y A V V - - - -
trials.view                Y Y Y A V V - - - -
trials.start               Y Y Y A Y Y - - - -
subscriptions.create       Y Y Y A Y - - - - -
subscriptions.suspend      Y Y Y A Y - - - - -
subscriptions.auto_renew   Y Y Y A Y - - - - -
subscriptions.cancel       Y Y Y A Y - - - - -
subscriptions.more_seats   Y Y - A - - - - - -
subscriptions.fewer_seats  Y Y - R - - - - - -
software.manage            Y Y - - - - - - - -
software.cancel            - Y - - - - - - - -
software.activations       Y Y - - - - - - - -
keys.read                  - Y - - - - - - - -
keys.manage                - Y - - - - - - - -
keys.own                   - - - - - - - - - Y
money.view                 Y V Y - - - - - - -
support.view               Y Y V A Y - - - - -
support.write              Y Y - A Y - - - - -
support.refund             Y Y Y A Y - - - - -
requests.view              Y Y - O O - - - - -
requests.view_money        Y Y V O O - - - - -
requests.decide            Y Y - - - - - - - -
requests.decide_money      Y - Y - - - - - - -
decisions.view             Y Y - A V - - - - -
decisions.view_money       Y Y V A V - - - - -
runs.view                  Y Y - - V - - - - -
policies.view              Y Y V - - - - - - -
policies.publish           Y Y - - - - - - - -
schedules.manage           Y Y - - - - - - - -
deliveries.manage          Y Y - - - - - - - -
messages.manage            Y Y - - - - - - - -
users.view                 Y - - - - V - - - -
users.manage               Y - - - - Y - - - -
users.manage_admins        Y - - - - - - - - -
roles.view                 V V V V V V V V V -
tokens.own                 O O O O O O O O O -
tokens.revoke              Y - - - - - - - - -
activity.view              Y O O O O - - - - -
activity.view_money        Y - V - - - - - - -
activity.view_keys         Y - - - - - V V V -
store.manage               Y - - - - - - - - -
";

/// What trying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Refused for want of rights, or as good as absent.
    No,
    /// What is their own and nothing of others.
    Own,
    /// It waits for a person, though the policy approves.
    Waits,
    /// Done, or shown.
    Yes,
}

fn expected() -> BTreeMap<&'static str, Vec<char>> {
    let lines = EXPECTED.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.map(|word| word.chars().next().unwrap()).collect())
        })
        .collect()
}

/// Acts that only look.
fn looks(act: &str) -> bool {
    let verb = act.split_once('.').unwrap().1;
    verb.starts_with("view")
}

/// Acts on a holding: whoever does not see it does nothing to it.
fn on_holdings(act: &str) -> bool {
    let groups = ["subscriptions.", "software.manage", "software.cancel", "trials."];
    groups.iter().any(|group| act.starts_with(group))
}

fn wanted(act: &str, cell: char, there: bool, sees_there: bool) -> Came {
    if there && on_holdings(act) && !sees_there {
        return Came::No;
    }
    match cell {
        'V' if looks(act) => Came::Yes,
        'V' | '-' => Came::No,
        'O' => Came::Own,
        'A' if there => Came::No,
        'R' => Came::Waits,
        // A customer's user has their own tenant alone.
        'Y' if act == "keys.own" && there => Came::No,
        _ => Came::Yes,
    }
}

/// Whether the right was there, whatever else was wrong.
fn passed<T>(done: ops::Result<T>) -> Came {
    match done {
        Ok(_) => Came::Yes,
        Err(ops::Error::Refused(refusal)) if ["forbidden", "not_found"].contains(&refusal.code.as_str()) => Came::No,
        Err(ops::Error::Refused(_)) => Came::Yes,
        Err(error) => panic!("{error:?}"),
    }
}

/// All alike, or the first two that differ.
fn alike(act: &str, all: &[Came]) -> Came {
    assert!(all.iter().all(|one| *one == all[0]), "{act}: {all:?}");
    all[0]
}

/// What a role's user is tried with.
#[derive(Clone)]
struct Trial {
    act: &'static str,
    me: String,
    tenant: &'static str,
    lifecycle: Id,
    money: Id,
    token: Id,
    support: Id,
}

impl Trial {
    fn tenant(&self) -> TenantId {
        self.tenant.parse().unwrap()
    }

    fn propose(&self, work: &mut Work, number: u8, change: Change) -> Came {
        match requests::propose(work, holding(self.tenant, number), change, "tried") {
            Ok(proposed) if proposed.outcome == Outcome::Waiting => Came::Waits,
            other => passed(other),
        }
    }

    fn suspends(&self, work: &mut Work, number: u8) -> Came {
        self.propose(work, number, Change::Suspension { reason: Reason::NonPayment })
    }

    fn cancels(&self, work: &mut Work, number: u8) -> Came {
        self.propose(work, number, Change::Cancellation { reason: Reason::CustomerRequest })
    }

    fn renews_not(&self, work: &mut Work, number: u8) -> Came {
        self.propose(work, number, Change::AutoRenew { enabled: false, cancel_at_term_end: None })
    }

    fn seats(&self, work: &mut Work, quantity: i64) -> Came {
        self.propose(work, LICENCE, Change::Quantity { quantity })
    }

    /// Does the act.
    fn done(&self, work: &mut Work) -> Came {
        let tenant = self.tenant();
        match self.act.split_once('.').unwrap().0 {
            "customers" | "catalogue" | "prices" => self.of_customers(work, tenant),
            "carts" => passed(carts::list(work, Some(tenant), None, 10)),
            "subscriptions" | "trials" => self.of_subscriptions(work, tenant),
            "software" | "keys" => self.of_software(work, tenant),
            "requests" | "decisions" | "money" => self.of_requests(work, tenant),
            "users" | "roles" | "tokens" => self.of_people(work),
            "activity" => self.of_activity(work),
            "support" => self.of_support(work, tenant),
            _ => self.of_the_machine(work),
        }
    }

    fn of_customers(&self, work: &mut Work, tenant: TenantId) -> Came {
        let licence = holding(self.tenant, LICENCE);
        match self.act {
            "customers.view" => passed(tenants::get(work, tenant)),
            "customers.edit" => {
                let one = passed(tenants::label(work, tenant, "seen", Some("yes")));
                alike(self.act, &[one, passed(subscriptions::label(work, licence, "seen", Some("yes")))])
            }
            "customers.create" => {
                let fact = CustomerFact {
                    id: tenants::fresh_id(work),
                    company_name: Some("Reed".to_owned()),
                    domain: Some(format!("reed{}.example", self.tenant)),
                    ..CustomerFact::default()
                };
                passed(tenants::create(work, &fact))
            }
            "customers.account" => passed(tenants::set_account(work, tenant, Vec::new(), None)),
            "catalogue.view" => passed(catalog::products(work, &Selection::everything(&PRODUCTS), None, 10)),
            "prices.view" => passed(prices::list(work, tenant, None, 10)),
            _ => passed(prices::set(
                work,
                CustomerPrice {
                    tenant,
                    product: "cfq7ttc0onli:0001".to_owned(),
                    term_duration: None,
                    billing_cycle: None,
                    valid_from: None,
                    unit_price: "99.00 EUR".parse().unwrap(),
                },
            )),
        }
    }

    fn of_subscriptions(&self, work: &mut Work, tenant: TenantId) -> Came {
        let ends = calendar::instant("2028-01-10T00:00:00Z").unwrap();
        match self.act {
            "subscriptions.view" => {
                let one = passed(subscriptions::get(work, holding(self.tenant, LICENCE)));
                let ordered = passed(orders::list(work, Some(tenant), None, 10));
                // The customer's Global admin looks at software by a row of its own.
                let own = self.me == name_of(Role::CustomerGlobalAdmin);
                let software = passed(software::get(work, tenant, holding(self.tenant, SOFTWARE)));
                alike(self.act, &[one, ordered, if own { one } else { software }])
            }
            "trials.view" => passed(subscriptions::get(work, holding(self.tenant, TRIAL_ORDERED))),
            "trials.start" => self.propose(work, TRIAL_ORDERED, Change::Purchase {}),
            "subscriptions.create" => self.propose(work, ORDERED, Change::Purchase {}),
            "subscriptions.suspend" => {
                let back = self.propose(work, SUSPENDED, Change::Reactivation {});
                let all = [back, self.suspends(work, LICENCE), self.suspends(work, SAAS)];
                alike(self.act, &all)
            }
            "subscriptions.auto_renew" => {
                let amendments = Amendments::default();
                let renewal = self.propose(work, LICENCE, Change::Renewal { term_end: ends, amendments });
                alike(self.act, &[renewal, self.renews_not(work, LICENCE), self.renews_not(work, SAAS)])
            }
            "subscriptions.cancel" => alike(self.act, &[self.cancels(work, LICENCE), self.cancels(work, SAAS)]),
            "subscriptions.more_seats" => {
                let instructions = Amendments { quantity: Some(30), ..Amendments::default() };
                let next = self.propose(work, LICENCE, Change::Schedule { instructions });
                alike(self.act, &[next, self.seats(work, 12)])
            }
            _ => self.seats(work, 8),
        }
    }

    fn of_software(&self, work: &mut Work, tenant: TenantId) -> Came {
        let id = holding(self.tenant, SOFTWARE);
        match self.act {
            "software.manage" => {
                let buys = self.propose(work, SOFTWARE_ORDERED, Change::Purchase {});
                let all = [buys, self.renews_not(work, SOFTWARE), self.suspends(work, SOFTWARE)];
                alike(self.act, &all)
            }
            "software.cancel" => alike(self.act, &[self.cancels(work, PERPETUAL), self.cancels(work, SOFTWARE)]),
            "software.activations" => passed(activations::list(work, tenant, None, 10)),
            "keys.manage" => {
                let key = Some(Secret::new("AAAAA-BBBBB"));
                passed(keys::put(work, tenant, id, &keys::Recording { key, ..keys::Recording::default() }))
            }
            _ => {
                // Each of the two rows opens the same doors, so only its own roles are asked about it.
                let of_customer = self.me == name_of(Role::CustomerGlobalAdmin);
                if of_customer != (self.act == "keys.own") {
                    return Came::No;
                }
                let key = passed(keys::key(work, tenant, id, &Choice::default(), None));
                alike(self.act, &[key, passed(keys::link(work, tenant, id, &Choice::default()))])
            }
        }
    }

    /// Looks for the requests of a colleague and of themselves, in the list and one by one.
    fn requests(&self, work: &mut Work, theirs: Id, change: &Change) -> Came {
        let own = std::mem::replace(&mut work.rights, everything(&self.me));
        let mine = requests::propose(work, holding(self.tenant, LICENCE), change.clone(), "tried").unwrap();
        let mine = mine.request.unwrap().id;
        work.rights = own;
        let listed = |work: &mut Work, id: Id| {
            let page = lists::requests(work, None, 100);
            page.is_ok_and(|page| page.items.iter().any(|request| request.id == id))
        };
        let sees = |work: &mut Work, id: Id| {
            let one = passed(requests::get(work, id)) == Came::Yes;
            assert_eq!(one, listed(work, id), "{} as {}", self.act, self.me);
            one
        };
        match (sees(work, mine), sees(work, theirs)) {
            (true, true) => Came::Yes,
            (true, false) => Came::Own,
            (false, false) => Came::No,
            (false, true) => panic!("{}: those of others and not their own", self.act),
        }
    }

    fn of_requests(&self, work: &mut Work, tenant: TenantId) -> Came {
        let all = Selection::everything(&DECISIONS);
        let decided = |work: &mut Work, kind: Kind| match ledger::decisions(work, &all, None, 100) {
            Err(error) => passed::<()>(Err(error)),
            Ok(page) => {
                let there = page.items.iter().find(|decision| decision.kind == kind && decision.tenant == tenant);
                there.map_or(Came::No, |_| Came::Yes)
            }
        };
        match self.act {
            "money.view" => {
                let lines = passed(ledger::list(work, &Selection::everything(&LEDGER), None, 10));
                alike(self.act, &[lines, passed(invoices::list(work, &Selection::everything(&INVOICES), None, 10))])
            }
            "requests.view" => self.requests(work, self.lifecycle, &Change::Suspension { reason: Reason::NonPayment }),
            "requests.view_money" => self.requests(work, self.money, &Change::Quantity { quantity: 11 }),
            "requests.decide" => passed(requests::approve(work, self.lifecycle, None, "")),
            "requests.decide_money" => passed(requests::approve(work, self.money, None, "")),
            "decisions.view" => decided(work, Kind::Cancellation),
            _ => decided(work, Kind::Quantity),
        }
    }

    fn of_people(&self, work: &mut Work) -> Came {
        let draft = |role: Role| Draft {
            name: "newcomer".to_owned(),
            email: "newcomer@partner.example".to_owned(),
            roles: vec![role],
            ..Draft::default()
        };
        let secret = "brs_fresh_0123456789abcdefghjkmnpqrs";
        match self.act {
            "users.view" => passed(users::list(work, None, 10)),
            "users.manage" => passed(users::create(work, draft(Role::SalesAgent))),
            "users.manage_admins" => passed(users::create(work, draft(Role::BillingAdmin))),
            "roles.view" => passed(work.require(&Grant::Read("roles"))),
            "tokens.own" => {
                let own = passed(tokens::create_for(work, &self.me, None, Grants::default(), None, secret));
                let others = passed(tokens::create_for(work, "colleague", None, Grants::default(), None, secret));
                let plain = passed(tokens::create(work, "robot", Grants::default(), None, secret).map_err(forbidden));
                assert_eq!((others, plain), (Came::No, Came::No), "{}: tokens of others are not made", self.me);
                if own == Came::Yes { Came::Own } else { own }
            }
            _ => {
                let listed = tokens::list(work, None, 100);
                let sees = listed.is_ok_and(|page| page.items.iter().any(|token| token.id == self.token));
                let revokes = passed(tokens::revoke(work, self.token));
                assert_eq!(sees, revokes == Came::Yes, "{}: what is revoked is listed", self.me);
                revokes
            }
        }
    }

    fn of_activity(&self, work: &mut Work) -> Came {
        let page = match activity_of(work) {
            Ok(page) => page,
            Err(error) => return passed::<()>(Err(error)),
        };
        let mine = Principal::User(self.me.clone());
        let there = |operation: &str| {
            page.iter().any(|row| row.operation == operation && row.by != mine && row.tenant == Some(self.tenant()))
        };
        let own = page.iter().any(|row| row.by == mine);
        match self.act {
            "activity.view_money" => yes(there("tenant.account")),
            "activity.view_keys" => yes(there("get_software_key")),
            _ if there("subscription.labelled") => Came::Yes,
            _ if own => Came::Own,
            _ => Came::No,
        }
    }

    fn of_support(&self, work: &mut Work, tenant: TenantId) -> Came {
        let form = |problem: &str| Form { problem: problem.to_owned(), ..Form::default() };
        match self.act {
            "support.refund" => return passed(support::open(work, Some(tenant), form(REFUND), None)),
            "support.write" => {
                let opens = passed(support::open(work, Some(tenant), form("Provisioning"), None));
                let notes = passed(support::note(work, self.support, "seen"));
                return alike(self.act, &[opens, notes]);
            }
            _ => {}
        }
        match support::select(work, &Selection::everything(&SUPPORT), None, 100) {
            Err(error) => passed::<()>(Err(error)),
            Ok(page) => yes(page.items.iter().any(|one| one.tenant == Some(tenant))),
        }
    }

    fn of_the_machine(&self, work: &mut Work) -> Came {
        match self.act {
            "runs.view" => passed(lists::runs(work, None, 10)),
            "policies.view" => passed(work.require(&Grant::Read("policies"))),
            "policies.publish" => passed(work.require(&Grant::LibraryReload)),
            "schedules.manage" => {
                alike(self.act, &[passed(lists::occurrences(work, None, None, 10)), passed(rights::to_run(work))])
            }
            "deliveries.manage" => passed(deliveries::list(work, None, 10)),
            "messages.manage" => passed(messages::list(work, None, 10)),
            "store.manage" => passed(export::page(work, "tenants", None, |_| serde_json::Value::Null)),
            other => panic!("{other} is tried nowhere"),
        }
    }
}

fn yes(is: bool) -> Came {
    if is { Came::Yes } else { Came::No }
}

/// A token that would not be narrow enough is one that may not be made.
fn forbidden(error: ops::Error) -> ops::Error {
    match error {
        ops::Error::Refused(refusal) if refusal.code == "grants_exceeded" => {
            bursar::domain::Refusal::new("forbidden", refusal.message).into()
        }
        other => other,
    }
}

/// What the trials need to find: requests that wait, a token of somebody, a key that was read, rows of the log.
async fn prepared(world: &People) -> BTreeMap<&'static str, (Id, Id, Id, Id)> {
    world.user("colleague", &[Role::AdminAgent]).await;
    world.token("colleague", "colleagues").await;
    let token = world.app.read(Rights::system(), |work| tokens::list(work, None, 10)).unwrap().items[0].id;
    let mut found = BTreeMap::new();
    for tenant in [HERE, THERE] {
        let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
        let lifecycle = world.waits(everything("somebody"), tenant, cancel).await;
        let money = world.waits(everything("somebody"), tenant, Change::Quantity { quantity: 8 }).await;
        let body = move |work: &mut Work| {
            let customer: TenantId = tenant.parse().unwrap();
            let id = holding(tenant, SOFTWARE);
            let key = Some(Secret::new("AAAAA-BBBBB"));
            let link = Some(Secret::new("https://download.example/one"));
            keys::put(work, customer, id, &keys::Recording { key, link, ..keys::Recording::default() })?;
            keys::key(work, customer, id, &Choice::default(), None)?;
            let form = Form {
                problem: "Provisioning".to_owned(),
                impact: "nobody can work".to_owned(),
                title: "Nothing starts".to_owned(),
                description: "since this morning".to_owned(),
                contact: Contact {
                    name: "Anna Berg".to_owned(),
                    email: "anna@partner.example".to_owned(),
                    phone: "+31 20 555 0100".to_owned(),
                },
                ..Form::default()
            };
            support::open(work, Some(customer), form, None)?;
            tenants::set_account(work, customer, vec!["10.00 EUR".parse().unwrap()], None)
        };
        world.act(everything("somebody"), body).await.unwrap();
        let all = |work: &mut Work| support::select(work, &Selection::everything(&SUPPORT), None, 1);
        let support = world.app.read(Rights::system(), all).unwrap().items[0].id;
        found.insert(tenant, (lifecycle, money, token, support));
    }
    for role in Role::ALL {
        // Something of their own in the log, by whoever's right it was done.
        let mine = everything(&name_of(role));
        world
            .act(mine, move |work| tenants::label(work, HERE.parse().unwrap(), role.as_str(), Some("x")))
            .await
            .unwrap();
    }
    found
}

#[tokio::test]
async fn every_cell_is_what_it_says() {
    let world = People::new().await;
    let found = prepared(&world).await;
    let table = expected();
    let mut wrong = Vec::new();
    assert_eq!(table.len(), MATRIX.len());
    for row in MATRIX {
        let cells = &table[row.act];
        for (role, cell) in Role::ALL.into_iter().zip(cells) {
            assert_eq!(&row.cell(role).as_str()[..1], word(*cell), "{} of {role}", row.act);
            let sees_there = !['A', '-'].contains(&table["subscriptions.view"][place(role)])
                || row.act.starts_with("trials.") && !['A', '-'].contains(&table["trials.view"][place(role)]);
            for tenant in [HERE, THERE] {
                let (lifecycle, money, token, support) = found[tenant];
                let trial = Trial { act: row.act, me: name_of(role), tenant, lifecycle, money, token, support };
                let rights = world.rights(&trial.me);
                let came = world.dry(rights, move |work| Ok(trial.done(work))).await.unwrap();
                let wants = wanted(row.act, *cell, tenant == THERE, sees_there);
                if came != wants {
                    wrong.push(format!("{} of {role} {tenant:.4}: {came:?}, not {wants:?}", row.act));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn place(role: Role) -> usize {
    Role::ALL.iter().position(|known| *known == role).unwrap()
}

/// The first letter of a cell's word.
fn word(cell: char) -> &'static str {
    match cell {
        '-' => "n",
        'O' => "o",
        'V' => "v",
        'A' => "a",
        'R' => "r",
        _ => "y",
    }
}
