//! People: who manages whom, what a user's tokens may, two pairs of eyes, roles that reviews name, scripts that somebody
//! runs, and who may buy.

use bursar::domain::change::Reason;
use bursar::domain::request::{Outcome, State};
use bursar::domain::user::State as UserState;
use bursar::domain::{Change, Grants, Id, Principal, Refusal, Role, TenantId};
use bursar::ops::users::{self, Changes, Draft};
use bursar::ops::{self, Rights, Work, lists, requests, subscriptions, tokens};
use serde_json::json;

use crate::people_world::{
    HELD, HERE, LICENCE, ORDERED, People, SAAS, SOFTWARE, THERE, activity_of, everything, holding, name_of,
};

fn refused<T: std::fmt::Debug>(done: ops::Result<T>) -> Refusal {
    match done {
        Err(ops::Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn cancellation() -> Change {
    Change::Cancellation { reason: Reason::CustomerRequest }
}

async fn roles(
    world: &People,
    by: Rights,
    who: &'static str,
    roles: &'static [Role],
) -> ops::Result<bursar::domain::User> {
    let change = move |work: &mut Work| {
        users::update(work, who, None, Changes { roles: Some(roles.to_vec()), ..Changes::default() })
    };
    world.act(by, change).await
}

async fn state(world: &People, by: Rights, who: &str, state: UserState) -> ops::Result<bursar::domain::User> {
    let who = who.to_owned();
    let change =
        move |work: &mut Work| users::update(work, &who, None, Changes { state: Some(state), ..Changes::default() });
    world.act(by, change).await
}

async fn approve(world: &People, by: Rights, id: Id) -> ops::Result<State> {
    let answer = move |work: &mut Work| match requests::approve(work, id, None, "")? {
        requests::Answered::Done(request) | requests::Answered::Moved(request) => Ok(request.state),
    };
    world.act(by, answer).await
}

#[tokio::test]
async fn the_last_global_admin_stays() {
    let world = People::new().await;
    let last = name_of(Role::GlobalAdmin);
    for by in [world.rights(&last), everything("root")] {
        let refusal = refused(roles(&world, by.clone(), "global-admin", &[Role::AdminAgent]).await);
        assert_eq!(refusal.code, "last_global_admin");
        assert_eq!(refused(state(&world, by, &last, UserState::Disabled).await).code, "last_global_admin");
    }
    world.user("second", &[Role::GlobalAdmin]).await;
    state(&world, everything("root"), "second", UserState::Disabled).await.unwrap();
    let alone = roles(&world, everything("root"), "global-admin", &[]).await;
    assert_eq!(refused(alone).code, "last_global_admin", "one who may not work does not count");
    state(&world, everything("root"), "second", UserState::Active).await.unwrap();
    roles(&world, everything("root"), "global-admin", &[]).await.unwrap();
    assert_eq!(refused(roles(&world, world.rights("second"), "second", &[]).await).code, "last_global_admin");
}

#[tokio::test]
async fn a_global_admin_takes_the_rights_of_an_admin_agent_in_the_open() {
    let world = People::new().await;
    let cancel = |work: &mut Work| {
        requests::propose(work, holding(HERE, SOFTWARE), cancellation(), "their wish").map(|one| one.outcome)
    };
    let before = world.act(world.rights("global-admin"), cancel).await;
    assert_eq!(refused(before).rule.as_deref(), Some("ROLE"));
    let both = &[Role::GlobalAdmin, Role::AdminAgent];
    roles(&world, world.rights("global-admin"), "global-admin", both).await.unwrap();
    assert_eq!(world.act(world.rights("global-admin"), cancel).await.unwrap(), Outcome::Applied);
    let log = world.app.read(Rights::system(), activity_of).unwrap();
    let row = log.iter().find(|row| row.operation == "update_partner_user").unwrap();
    assert_eq!((row.by.to_string().as_str(), row.note.as_str()), ("user:global-admin", "global-admin +admin_agent"));
}

#[tokio::test]
async fn a_user_management_admin_manages_agents_and_makes_nobody_an_admin() {
    let world = People::new().await;
    let manager = || world.rights("user-management-admin");
    let agents: &[Role] = &[Role::SalesAgent, Role::HelpdeskAgent];
    roles(&world, manager(), "sales-agent", agents).await.unwrap();
    for (who, given) in [
        ("sales-agent", &[Role::SalesAgent, Role::AdminAgent] as &[Role]),
        ("user-management-admin", &[Role::UserManagementAdmin, Role::GlobalAdmin]),
        ("billing-admin", &[]),
    ] {
        assert_eq!(refused(roles(&world, manager(), who, given).await).code, "forbidden", "{who}");
    }
    assert_eq!(refused(state(&world, manager(), "admin-agent", UserState::Disabled).await).code, "forbidden");
    state(&world, manager(), "sales-agent", UserState::Disabled).await.unwrap();
    let plain = Grants { list: vec!["users.manage".parse().unwrap()], tenants: None };
    let token = Rights { principal: Principal::Token("hr".to_owned()), grants: plain };
    let made = roles(&world, token.clone(), "helpdesk-agent", &[Role::GlobalAdmin]).await;
    assert_eq!(refused(made).code, "forbidden", "a plain grant makes no admins either");
    roles(&world, token, "helpdesk-agent", agents).await.unwrap();
}

#[tokio::test]
async fn users_hold_together() {
    let world = People::new().await;
    let here: TenantId = HERE.parse().unwrap();
    let draft = |name: &str, email: &str| Draft { name: name.to_owned(), email: email.to_owned(), ..Draft::default() };
    let cases = [
        (draft("two words", "a@partner.example"), "bad_name"),
        (draft("operator", "a@partner.example"), "bad_name"),
        (draft("new", "nobody"), "bad_email"),
        (draft("new", "a@b@c"), "bad_email"),
        (draft("SALES-agent", "a@partner.example"), "already_exists"),
        (draft("new", "Sales-Agent@Partner.Example"), "already_exists"),
        (Draft { roles: vec![Role::CustomerGlobalAdmin], ..draft("new", "a@c.example") }, "bad_role"),
        (Draft { customer: Some(here), roles: vec![Role::AdminAgent], ..draft("new", "a@c.example") }, "bad_role"),
        (Draft { customer: Some(here), assigned: vec![here], ..draft("new", "a@c.example") }, "bad_assignment"),
        (Draft { customer: Some(TenantId::default()), ..draft("new", "a@c.example") }, "not_found"),
    ];
    for (draft, code) in cases {
        let told = format!("{draft:?}");
        let made = world.act(everything("root"), move |work| users::create(work, draft.clone())).await;
        assert_eq!(refused(made).code, code, "{told}");
    }
    let moved = world
        .act(everything("root"), |work| {
            let changes = Changes { email: Some("sam@partner.example".to_owned()), ..Changes::default() };
            users::update(work, "sales-agent", Some(1), changes)
        })
        .await
        .unwrap();
    assert_eq!((moved.generation, moved.email.as_str()), (2, "sam@partner.example"));
    let found = |who: &'static str| world.app.read(Rights::system(), move |work| users::get(work, who));
    assert_eq!(found("SAM@partner.example").unwrap().name, "sales-agent");
    assert_eq!(refused(found("sales-agent@partner.example")).code, "not_found", "an address goes with its user");
    let stale = |work: &mut Work| users::update(work, "sales-agent", Some(1), Changes::default());
    assert_eq!(refused(world.act(everything("root"), stale).await).code, "precondition_failed");
}

#[tokio::test]
async fn a_token_has_the_roles_its_user_has_when_it_is_used() {
    let world = People::new().await;
    let secret = world.token("helpdesk-agent", "one").await;
    let rights = || {
        let secret = secret.clone();
        world.app.read(Rights::system(), move |work| tokens::rights_of(&mut work.tx, &secret, work.now)).unwrap()
    };
    let cancels = |work: &mut Work| {
        requests::propose(work, holding(HERE, SOFTWARE), cancellation(), "their wish").map(|one| one.outcome)
    };
    let first = rights().unwrap();
    assert_eq!(first.principal, Principal::User("helpdesk-agent".to_owned()));
    assert_eq!(refused(world.dry(first, cancels).await).code, "forbidden");
    roles(&world, everything("root"), "helpdesk-agent", &[Role::AdminAgent]).await.unwrap();
    assert_eq!(world.dry(rights().unwrap(), cancels).await.unwrap(), Outcome::Applied, "one more from now on");
    roles(&world, everything("root"), "helpdesk-agent", &[]).await.unwrap();
    assert_eq!(refused(world.dry(rights().unwrap(), cancels).await).code, "forbidden", "none any more");
    state(&world, everything("root"), "helpdesk-agent", UserState::Disabled).await.unwrap();
    assert!(rights().is_none(), "as if it had never been");
    let make = |work: &mut Work| {
        tokens::create_for(work, "helpdesk-agent", None, Grants::default(), None, "brs_more_0123456789abcdefghjkmnpqrs")
    };
    assert_eq!(refused(world.act(everything("root"), make).await).code, "user_disabled");
    state(&world, everything("root"), "helpdesk-agent", UserState::Active).await.unwrap();
    assert!(rights().is_some());
}

#[tokio::test]
async fn a_narrow_token_of_a_user_makes_none_that_is_wider() {
    let world = People::new().await;
    let narrow = |grants: &[&str], tenants: Option<&[&str]>| Grants {
        list: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
        tenants: tenants.map(|all| all.iter().map(|one| one.parse().unwrap()).collect()),
    };
    let made = |by: Rights, asked: Grants, ordinal: u8| {
        let world = &world;
        async move {
            let secret = format!("brs_n{ordinal}_0123456789abcdefghjkmnpqrs");
            let told = secret.clone();
            let make = move |work: &mut Work| {
                tokens::create_for(work, "admin-agent", None, asked.clone(), None, &told).map(|token| token.name)
            };
            world.act(by, make).await.map(|name| (name, secret))
        }
    };
    let first = narrow(&["subscriptions.read", "tokens.manage"], Some(&[HERE]));
    let (name, secret) = made(world.rights("admin-agent"), first, 1).await.unwrap();
    assert_eq!(name, "admin-agent");
    let rights =
        world.app.read(Rights::system(), |work| tokens::rights_of(&mut work.tx, &secret, work.now)).unwrap().unwrap();
    let sees = |tenant| world.app.read(rights.clone(), move |work| subscriptions::get(work, holding(tenant, LICENCE)));
    assert!(sees(HERE).is_ok());
    assert_eq!(refused(sees(THERE)).code, "not_found");
    assert_eq!(refused(world.app.read(rights.clone(), |work| lists::runs(work, None, 1))).code, "forbidden");
    for (asked, ordinal) in [
        (narrow(&["subscriptions.read", "runs.read"], Some(&[HERE])), 2),
        (narrow(&["subscriptions.read"], Some(&[HERE, THERE])), 3),
        (narrow(&["*"], None), 4),
    ] {
        assert_eq!(refused(made(rights.clone(), asked, ordinal).await).code, "grants_exceeded", "{ordinal}");
    }
    let (name, secret) = made(rights.clone(), Grants::default(), 5).await.unwrap();
    assert_eq!(name, "admin-agent-2");
    let again =
        world.app.read(Rights::system(), |work| tokens::rights_of(&mut work.tx, &secret, work.now)).unwrap().unwrap();
    assert_eq!(again.grants, rights.grants, "nothing asked for is what its maker has");
}

/// Two pairs of eyes are two people, whatever the configuration says of everybody else.
#[tokio::test]
async fn nobody_fills_both_sides_of_an_approval() {
    for more in ["", "[approvals]\nfour_eyes = false\n"] {
        let world = People::with(more).await;
        let of_token = |secret: String| {
            world
                .app
                .read(Rights::system(), move |work| tokens::rights_of(&mut work.tx, &secret, work.now))
                .unwrap()
                .unwrap()
        };
        let one = of_token(world.token("admin-agent", "one").await);
        let two = of_token(world.token("admin-agent", "two").await);
        let id = world.waits(one, HERE, cancellation()).await;
        // The same person: by another token, as the operator says, in other letters, and by address.
        let by_name = ["admin-agent", "Admin-Agent", "admin-agent@partner.example"].map(everything);
        for same in by_name.into_iter().chain([two]) {
            let told = format!("{:?}", same.principal);
            assert_eq!(refused(approve(&world, same, id).await).code, "self_approval", "{told} {more}");
        }
        assert_eq!(approve(&world, world.rights("global-admin"), id).await.unwrap(), State::Applied);

        // A plain token that a user made is that user.
        let secret = "brs_robot_0123456789abcdefghjkmnpqrs";
        let maker = everything("global-admin");
        world
            .act(maker, move |work| {
                let grants = Grants { list: vec!["propose.*".parse().unwrap()], tenants: None };
                tokens::create(work, "robot", grants, None, secret)
            })
            .await
            .unwrap();
        let id = world.waits(of_token(secret.to_owned()), THERE, cancellation()).await;
        assert_eq!(refused(approve(&world, world.rights("global-admin"), id).await).code, "self_approval", "{more}");
        assert_eq!(approve(&world, world.rights("admin-agent"), id).await.unwrap(), State::Applied);
    }
}

/// Of those who are no users, the configuration decides.
#[tokio::test]
async fn people_without_a_row_go_by_the_configuration() {
    let strict = People::new().await;
    let id = strict.waits(everything("zoe"), HERE, cancellation()).await;
    assert_eq!(refused(approve(&strict, everything("ZOE"), id).await).code, "self_approval");
    let free = People::with("[approvals]\nfour_eyes = false\n").await;
    let id = free.waits(everything("zoe"), HERE, cancellation()).await;
    assert_eq!(approve(&free, everything("zoe"), id).await.unwrap(), State::Applied);
}

/// Who may do it, each tried without effect.
async fn who_approves(world: &People, id: Id) -> Vec<Role> {
    let mut found = Vec::new();
    for role in Role::ALL {
        let by = world.rights(&name_of(role));
        let answered = world
            .dry(by, move |work| match requests::approve(work, id, None, "")? {
                requests::Answered::Done(request) | requests::Answered::Moved(request) => Ok(request.state),
            })
            .await;
        match answered {
            Ok(state) => {
                assert_eq!(state, State::Applied, "{role}");
                found.push(role);
            }
            other => assert!(["forbidden", "not_found"].contains(&refused(other).code.as_str()), "{role}"),
        }
    }
    found
}

#[tokio::test]
async fn a_review_narrows_who_answers_and_never_widens_it() {
    for (label, answer) in [
        ("hold", vec![Role::GlobalAdmin, Role::AdminAgent]),
        ("ask_agent", vec![Role::AdminAgent]),
        // The table lets none of these answer a cancellation: the review names nobody.
        ("ask_money", vec![Role::GlobalAdmin, Role::AdminAgent]),
        ("ask_sales", vec![Role::GlobalAdmin, Role::AdminAgent]),
    ] {
        let world = People::new().await;
        let named = move |work: &mut Work| {
            subscriptions::label(work, holding(HERE, HELD), "hold", None)?;
            subscriptions::label(work, holding(HERE, HELD), label, Some("yes"))
        };
        world.act(everything("root"), named).await.unwrap();
        let id = world.waits(world.rights("helpdesk-agent"), HERE, cancellation()).await;
        assert_eq!(who_approves(&world, id).await, answer, "{label}");
        let decides = Grants { list: vec!["decide.*".parse().unwrap()], tenants: None };
        let token = Rights { principal: Principal::Token("ci".to_owned()), grants: decides };
        if label == "ask_agent" {
            assert_eq!(refused(approve(&world, token, id).await).code, "forbidden", "grants are no role");
        }
        assert_eq!(approve(&world, everything("root"), id).await.unwrap(), State::Applied, "all rights are all roles");
    }
}

/// A token that was narrowed to looking does not answer what its user's roles would.
#[tokio::test]
async fn a_narrowed_token_answers_nothing_that_it_was_not_given() {
    let world = People::new().await;
    for label in ["hold", "ask_agent"] {
        let named = move |work: &mut Work| {
            subscriptions::label(work, holding(HERE, HELD), "hold", None)?;
            subscriptions::label(work, holding(HERE, HELD), label, Some("yes"))
        };
        world.act(everything("root"), named).await.unwrap();
        let id = world.waits(world.rights("helpdesk-agent"), HERE, cancellation()).await;
        for (only, want) in [("tenants.read", false), ("decide.purchase", false), ("decide.cancellation", true)] {
            let by = world.narrowed("admin-agent", &[only]);
            let tried = world.dry(by, move |work| requests::approve(work, id, None, "").map(drop)).await;
            assert_eq!(tried.is_ok(), want, "{label} {only}");
        }
        let cause = everything("root");
        world.act(cause, move |work| requests::deny(work, id, None, "no").map(drop)).await.unwrap();
    }
}

/// The policy approves, and says that nobody answering is a yes: a person answers all the same.
#[tokio::test]
async fn who_may_only_ask_waits_for_a_person() {
    let world = People::new().await;
    let asked = |number: u8| {
        move |work: &mut Work| {
            requests::propose(work, holding(HERE, number), Change::Quantity { quantity: 8 }, "fewer people")
        }
    };
    for number in [LICENCE, HELD] {
        let proposed = world.act(world.rights("sales-agent"), asked(number)).await.unwrap();
        let request = proposed.request.unwrap();
        assert_eq!((proposed.outcome, request.asks_only), (Outcome::Waiting, true));
        assert_ne!(request.otherwise, Some(bursar::domain::request::Otherwise::Approve));
        assert_eq!(refused(approve(&world, world.rights("admin-agent"), request.id).await).code, "forbidden");
        assert_eq!(refused(approve(&world, world.rights("sales-agent"), request.id).await).code, "forbidden");
        assert_eq!(approve(&world, world.rights("billing-admin"), request.id).await.unwrap(), State::Applied);
    }
    let done = world.act(world.rights("admin-agent"), asked(SAAS)).await.unwrap();
    assert_eq!(done.outcome, Outcome::Applied, "who may, does");
}

#[tokio::test]
async fn a_script_run_by_hand_does_what_both_it_and_whoever_runs_it_may() {
    let world = People::new().await;
    let router = bursar::http::router(world.app.clone());
    let run = |secret: String, handler: &'static str, tenant: &'static str| {
        let router = router.clone();
        async move {
            let body =
                json!({ "file": "scripts/told.rhai", "handler": handler, "event": { "data": { "tenant": tenant } } });
            let said = crate::people_http::ask(&router, &secret, "POST", "/v1/run", body.to_string()).await;
            (said.0, said.1["ending"].as_str().unwrap_or_default().to_owned(), said.1["error"]["code"].clone())
        }
    };
    let agent = world.token("admin-agent", "agent").await;
    let (status, ending, error) = run(agent.clone(), "run", THERE).await;
    assert_eq!((status, ending.as_str()), (200, "completed"), "{error}");
    let admin = world.token("global-admin", "admin").await;
    let (status, ending, error) = run(admin, "call_off", HERE).await;
    assert_eq!(
        (status, ending.as_str(), error),
        (200, "failed", json!("forbidden")),
        "software is not theirs to cancel"
    );
    let sales = world.token("sales-agent", "sales").await;
    assert_eq!(run(sales, "run", HERE).await.0, 403);

    // A plain token with nothing but the right to run gains nothing by it.
    let plain = "brs_runner_0123456789abcdefghjkmnpqrs";
    let grants =
        Grants { list: vec!["scripts.run".parse().unwrap(), "subscriptions.read".parse().unwrap()], tenants: None };
    world
        .act(everything("root"), move |work| tokens::create(work, "runner", grants.clone(), None, plain))
        .await
        .unwrap();
    let (status, ending, error) = run(plain.to_owned(), "run", HERE).await;
    assert_eq!((status, ending.as_str(), error), (200, "failed", json!("forbidden")));

    // What the agent set off waits; it is not theirs to answer.
    let waiting = world.app.read(Rights::system(), |work| lists::requests_in(work, State::Waiting, None, 10)).unwrap();
    let held = waiting.items.iter().find(|request| request.subscription == holding(THERE, HELD)).unwrap();
    assert_eq!(held.set_off_by, Some(Principal::User("admin-agent".to_owned())));
    assert_eq!(refused(approve(&world, world.rights("admin-agent"), held.id).await).code, "self_approval");
    assert_eq!(approve(&world, world.rights("global-admin"), held.id).await.unwrap(), State::Applied);
}

#[tokio::test]
async fn an_indirect_reseller_buys_through_a_provider() {
    let buy = |work: &mut Work| {
        requests::propose(work, holding(HERE, ORDERED), Change::Purchase {}, "wanted").map(|one| one.outcome)
    };
    for (kind, buys) in [("direct_bill", true), ("indirect_provider", true), ("indirect_reseller", false)] {
        let world = People::with(&format!("[partner]\ntype = \"{kind}\"\n")).await;
        let done = world.act(world.rights("global-admin"), buy).await;
        if buys {
            assert_eq!(done.unwrap(), Outcome::Applied, "{kind}");
        } else {
            let refusal = refused(done);
            assert_eq!((refusal.code.as_str(), refusal.rule.as_deref()), ("partner_type", Some("A-chan")));
            assert!(refusal.message.contains("ask your indirect provider"), "{}", refusal.message);
            let suspend = |work: &mut Work| {
                let change = Change::Suspension { reason: Reason::NonPayment };
                requests::propose(work, holding(HERE, LICENCE), change, "overdue").map(|one| one.outcome)
            };
            let managed = world.act(world.rights("global-admin"), suspend).await.unwrap();
            assert_eq!(managed, Outcome::Applied, "what is there is managed all the same");
            let seats = |quantity: i64| {
                move |work: &mut Work| {
                    let change = Change::Quantity { quantity };
                    requests::propose(work, holding(HERE, HELD), change, "seats").map(|one| one.outcome)
                }
            };
            let more = refused(world.act(world.rights("global-admin"), seats(1_000)).await);
            assert_eq!(more.rule.as_deref(), Some("A-chan"), "more seats are bought");
            assert!(world.act(world.rights("global-admin"), seats(1)).await.is_ok(), "fewer are not");
        }
    }
}
