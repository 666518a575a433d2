//! Support requests (SR, C-esc, K-help): what the form needs, who opens one, what it is linked to, how it ends.

use bursar::domain::change::Reason;
use bursar::domain::request::State;
use bursar::domain::selection::{self, Selection};
use bursar::domain::support::{Contact, DEPLOYMENT, Form, REFUND, Resolution, Status};
use bursar::domain::{Change, Id, OrderId, TenantId};
use bursar::ops::activity::{self, Query};
use bursar::ops::{self, Rights, Work, requests, support};
use serde_json::{Value, json};

use crate::http_world::{self, OTHER, Who, sub_id as text_id};
use crate::world::{TENANT, World, at, book, person, sub_id};

const NOW: &str = "2027-02-01T00:00:00Z";

/// Reviews every cancellation and asks for a support request; a small one without a word, a large one with everything.
const ESCALATES: (&str, &str) = (
    "policies/cancellation.rhai",
    r#"//! Asks for more information.
//! ---
//! decides = "cancellation"
//! ---
fn decide(request) {
    review("more information needed", #{ support: #{
        impact: "the customer bought it twice",
        contact: #{ name: "Anna Berg", email: "anna@partner.example", phone: "+31 20 555 0100" },
    } });
}
"#,
);
const ASKS_ONLY: (&str, &str) = (
    "policies/cancellation.rhai",
    "//! Asks.\n//! ---\n//! decides = \"cancellation\"\n//! ---\nfn decide(request) { review(\"more information needed\", #{ support: #{} }); }\n",
);

async fn world(files: &[(&str, &str)]) -> World {
    let world = World::new(NOW, files);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    world
}

fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

fn contact() -> Contact {
    Contact {
        name: "Anna Berg".to_owned(),
        email: "anna@partner.example".to_owned(),
        phone: "+31 20 555 0100".to_owned(),
    }
}

fn refund() -> Form {
    Form {
        problem: REFUND.to_owned(),
        impact: "paid twice".to_owned(),
        title: "Double purchase".to_owned(),
        subscription: Some(sub_id(1)),
        refund_reason: "bought twice".to_owned(),
        amount: Some("100.00 EUR".parse().unwrap()),
        contact: contact(),
        ..Form::default()
    }
}

async fn act<T: Send + 'static>(
    world: &World,
    who: &str,
    body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = world.app.act(person(who), world.app.next_cause("test"), body).await;
    done.map_err(|error| error.to_string())
}

async fn open(world: &World, form: Form) -> Result<bursar::domain::support::SupportRequest, String> {
    act(world, "anna", move |work| support::open(work, Some(tenant()), form.clone(), None)).await
}

#[tokio::test]
async fn an_empty_refund_form_is_refused_once_and_names_everything() {
    let world = world(&[]).await;
    let form = Form { problem: REFUND.to_owned(), ..Form::default() };
    let refused = act(&world, "anna", move |work| support::open(work, None, form.clone(), None)).await.unwrap_err();
    for needed in [
        "Impact",
        "Title",
        "customer tenant GUID or domain name",
        "Order ID or Subscription ID",
        "Refund reason",
        "Amount requested",
        "Contact: name",
        "Contact: email",
        "Contact: phone",
    ] {
        assert!(refused.contains(needed), "{needed}: {refused}");
    }
    assert!(refused.contains("(missing_field)"), "{refused}");
    let nothing = act(&world, "anna", |work| support::open(work, None, Form::default(), None)).await.unwrap_err();
    assert!(nothing.contains("Type of problem") && nothing.contains("Title"), "{nothing}");
}

#[tokio::test]
async fn each_field_of_a_refund_is_needed_and_nothing_else() {
    let world = world(&[]).await;
    type Without = fn(&mut Form);
    let rows: [(&str, Without); 8] = [
        ("Impact", |form| form.impact.clear()),
        ("Title", |form| form.title = "  ".to_owned()),
        ("Description: Order ID or Subscription ID", |form| form.subscription = None),
        ("Description: Refund reason", |form| form.refund_reason.clear()),
        ("Description: Amount requested", |form| form.amount = None),
        ("Contact: name", |form| form.contact.name.clear()),
        ("Contact: email", |form| form.contact.email = "anna".to_owned()),
        ("Contact: phone", |form| form.contact.phone = "none".to_owned()),
    ];
    for (name, without) in rows {
        let mut form = refund();
        without(&mut form);
        let refused = open(&world, form).await.unwrap_err();
        assert_eq!(refused, format!("the form lacks {name} (missing_field)"));
    }
    let opened = open(&world, refund()).await.unwrap();
    assert_eq!((opened.status, opened.missing.len()), (Status::Open, 0));
    // Severity and attachments are optional; the order alone does as well as the subscription alone.
    let mut by_order = refund();
    by_order.subscription = None;
    by_order.order_id = Some(OrderId("order01".to_owned()));
    by_order.attachments = vec!["https://files.partner.example/invoice.pdf".to_owned()];
    assert_eq!(open(&world, by_order).await.unwrap().status, Status::Open);
}

#[tokio::test]
async fn the_type_of_problem_of_a_refund_is_taken_letter_for_letter() {
    let world = world(&[]).await;
    for wrong in ["CSP purchase/refund on behalf of customers", "Refund", "CSP Purchase/Refund on behalf of customers "]
    {
        let refused = open(&world, Form { problem: wrong.to_owned(), ..refund() }).await.unwrap_err();
        assert!(refused.contains(REFUND) && refused.contains("unknown_problem"), "{refused}");
    }
    let other = Form {
        problem: "Cannot manage my profile".to_owned(),
        title: "TrialSR".to_owned(),
        description: "Ignore this SR".to_owned(),
        ..Form::default()
    };
    let opened = act(&world, "anna", move |work| support::open(work, None, other.clone(), None)).await.unwrap();
    assert_eq!((opened.tenant, opened.status), (None, Status::Open), "other topics need a title and a description");
}

#[tokio::test]
async fn a_description_holds_what_the_fields_say_and_is_read_for_what_they_do_not() {
    let world = world(&[]).await;
    let opened = open(&world, refund()).await.unwrap();
    let expected = format!(
        "Customer tenant GUID: {TENANT}\nSubscription ID: {}\nRefund reason: bought twice\nAmount requested: 100.00 EUR",
        sub_id(1)
    );
    assert_eq!(opened.form.description, expected);
    // The other way round: everything in the description, the customer by its domain, nobody named outside it.
    let form = Form {
        subscription: None,
        amount: None,
        refund_reason: String::new(),
        description: "Please look at this.\n- Domain name: anker.example\n- Order ID: Order01\n- Refund reason: ordered twice\n- Amount requested: EUR 50.00".to_owned(),
        ..refund()
    };
    let described = form.description.clone();
    let opened = act(&world, "anna", move |work| support::open(work, None, form.clone(), None)).await.unwrap();
    assert_eq!(opened.tenant, Some(tenant()));
    assert_eq!(opened.form.order_id, Some(OrderId("Order01".to_owned())));
    assert_eq!(opened.form.refund_reason, "ordered twice");
    assert_eq!(opened.form.amount.unwrap().to_string(), "50.00 EUR");
    assert_eq!(opened.form.description, described, "nothing is said twice");
}

#[tokio::test]
async fn a_refund_is_not_asked_for_somebody_elses_order() {
    let world = world(&[]).await;
    let mut form = refund();
    form.subscription = Some(sub_id(7));
    assert!(open(&world, form).await.unwrap_err().contains("not_found"));
    let mut form = refund();
    form.subscription = None;
    form.order_id = Some(OrderId("Order77".to_owned()));
    assert!(open(&world, form).await.unwrap_err().contains("not_found"));
    let elsewhere: TenantId = OTHER.parse().unwrap();
    let form = refund();
    let refused = act(&world, "anna", move |work| support::open(work, Some(elsewhere), form.clone(), None)).await;
    assert!(refused.unwrap_err().contains("not_found"));
}

#[tokio::test]
async fn a_deployment_request_needs_no_order_and_no_amount() {
    let world = world(&[]).await;
    let form = Form {
        problem: DEPLOYMENT.to_owned(),
        impact: "60 servers".to_owned(),
        title: "Move from volume licensing".to_owned(),
        description: "Plan the move.".to_owned(),
        contact: contact(),
        ..Form::default()
    };
    let opened = open(&world, form.clone()).await.unwrap();
    assert_eq!((opened.status, opened.form.description.as_str()), (Status::Open, "Plan the move."));
    let bare = Form { description: String::new(), ..form };
    assert_eq!(open(&world, bare).await.unwrap_err(), "the form lacks Description (missing_field)");
}

async fn cancel(world: &World) -> bursar::domain::Request {
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    world.propose("ben", sub_id(1), change).await.request.unwrap()
}

async fn request(world: &World, id: Id) -> bursar::domain::Request {
    act(world, "anna", move |work| requests::get(work, id)).await.unwrap()
}

#[tokio::test]
async fn a_policys_answer_opens_one_and_its_end_lets_a_person_answer_the_request() {
    let world = world(&[ESCALATES]).await;
    let waiting = cancel(&world).await;
    assert_eq!(waiting.state, State::Waiting);
    let id = waiting.support.expect("it is linked");
    let opened = act(&world, "anna", move |work| support::get(work, id)).await.unwrap();
    assert_eq!((opened.status, opened.request), (Status::Open, Some(waiting.id)));
    assert_eq!(opened.form.subscription, Some(sub_id(1)));
    assert_eq!(opened.form.order_id, Some(OrderId("Order01".to_owned())));
    assert_eq!(opened.form.refund_reason, "because");
    assert_eq!(opened.form.amount, waiting.quote.refund, "the terms' refund is what is asked for");
    assert_eq!(cancel(&world).await.id, waiting.id, "proposing it again opens nothing more");
    let all = act(&world, "anna", |work| {
        let all = Selection::everything(&selection::SUPPORT);
        Ok(support::select(work, &all, None, 100)?.items.len())
    });
    assert_eq!(all.await.unwrap(), 1);

    let (asked, early) = (waiting.id, waiting.generation);
    let refused = act(&world, "anna", move |work| requests::approve(work, asked, Some(early), "").map(|_| ())).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains("support_first") && refused.contains(&id.to_string()), "{refused}");

    act(&world, "anna", move |work| support::close(work, id, Resolution::Granted, "credited")).await.unwrap();
    let told = request(&world, waiting.id).await;
    assert_eq!(told.state, State::Waiting, "the answer is still a person's");
    assert!(told.reasons[0].contains("was closed: granted"), "{:?}", told.reasons);
    let generation = told.generation;
    let approve =
        move |work: &mut Work| requests::approve(work, told.id, Some(generation), "support agreed").map(|_| ());
    act(&world, "anna", approve).await.unwrap();
    assert_eq!(request(&world, waiting.id).await.state, State::Applied);

    let topics: Vec<String> = act(&world, "anna", |work| {
        Ok(ops::messages::list(work, None, 50)?.items.into_iter().map(|message| message.topic).collect())
    })
    .await
    .unwrap();
    for topic in ["support.opened", "support.closed"] {
        assert_eq!(topics.iter().filter(|known| *known == topic).count(), 1, "{topics:?}");
    }
}

#[tokio::test]
async fn a_policys_form_that_lacks_something_needs_attention_until_it_is_filled_in() {
    let world = world(&[ASKS_ONLY]).await;
    let id = cancel(&world).await.support.unwrap();
    let opened = act(&world, "anna", move |work| support::get(work, id)).await.unwrap();
    assert_eq!(opened.status, Status::AttentionNeeded);
    assert_eq!(opened.missing, ["Contact: name", "Contact: email", "Contact: phone"]);
    let reopen = move |work: &mut Work| {
        support::answer(work, id, None, &support::Answer { status: Some(Status::Open), ..support::Answer::default() })
    };
    assert!(act(&world, "anna", reopen).await.unwrap_err().contains("missing_field"), "open is more than a word");
    let fill = move |work: &mut Work| {
        let form = Some(Form { contact: contact(), ..Form::default() });
        support::answer(work, id, None, &support::Answer { form, ..support::Answer::default() })
    };
    let filled = act(&world, "anna", fill).await.unwrap();
    assert_eq!((filled.status, filled.missing.len(), filled.generation), (Status::Open, 0, 2));
}

#[tokio::test]
async fn what_support_has_not_answered_is_denied_by_a_person_and_approved_by_nobody_in_time() {
    let world = world(&[ASKS_ONLY]).await;
    let id = cancel(&world).await.id;
    let denied = move |work: &mut Work| requests::deny(work, id, None, "they keep it").map(|_| ());
    act(&world, "anna", denied).await.unwrap();
    assert_eq!(request(&world, id).await.state, State::Denied);

    let approves = ASKS_ONLY
        .1
        .replace("support: #{}", "support: #{}, otherwise: \"approve\", expires: instant(\"2027-02-02T00:00:00Z\")");
    let world = self::world(&[(ASKS_ONLY.0, &approves)]).await;
    let waiting = cancel(&world).await;
    assert_eq!(waiting.state, State::Waiting, "{:?}", waiting.reasons);
    bursar::triggers::advance(&world.app, waiting.expires_at.unwrap()).await.unwrap();
    assert_eq!(request(&world, waiting.id).await.state, State::Expired);
}

#[tokio::test]
async fn a_person_links_one_to_a_request_and_only_one() {
    let world = world(&[]).await;
    let waiting = cancel(&world).await;
    let id = waiting.id;
    let form = Form { impact: "paid twice".to_owned(), contact: contact(), ..Form::default() };
    let link = move |work: &mut Work| support::open(work, None, form.clone(), Some(id));
    let opened = act(&world, "anna", link.clone()).await.unwrap();
    assert_eq!(opened.tenant, Some(tenant()));
    assert_eq!(request(&world, id).await.support, Some(opened.id));
    assert!(act(&world, "anna", link).await.unwrap_err().contains("already_exists"));
}

#[tokio::test]
async fn what_happens_to_one_is_in_the_activity_log_and_rights_are_asked_for() {
    let world = world(&[]).await;
    let id = open(&world, refund()).await.unwrap().id;
    act(&world, "anna", move |work| support::note(work, id, "they were told")).await.unwrap();
    act(&world, "anna", move |work| support::close(work, id, Resolution::Declined, "")).await.unwrap();
    let everything = Selection::everything(&selection::ACTIVITY);
    let log = move |work: &mut Work| activity::select(work, &Query::of(everything.clone(), work.now), None, 50);
    let log = world.app.read(Rights::system(), log).unwrap();
    let operations: Vec<&str> = log.items.iter().map(|entry| entry.activity.operation.as_str()).collect();
    assert_eq!(operations[..3], ["support.closed", "support.noted", "support.opened"]);
    assert!(log.items[..3].iter().all(|entry| entry.activity.tenant == Some(tenant())));
    let mut without = person("cas");
    without.grants.list = vec!["support.read".parse().unwrap()];
    let noting = world.app.act(without.clone(), world.app.next_cause("test"), move |work| support::note(work, id, "x"));
    assert!(noting.await.unwrap_err().to_string().contains("support.write"));
    assert_eq!(world.app.read(without, move |work| support::get(work, id)).unwrap().status, Status::Closed);
}

#[tokio::test]
async fn notes_move_the_generation_and_a_closed_one_can_be_opened_again() {
    let world = world(&[]).await;
    let id = open(&world, refund()).await.unwrap().id;
    let empty = act(&world, "anna", move |work| support::note(work, id, "  ")).await.unwrap_err();
    assert!(empty.contains("missing_field"));
    let noted = act(&world, "anna", move |work| support::note(work, id, "one")).await.unwrap();
    assert_eq!((noted.generation, noted.notes.len()), (2, 1));
    let closed = act(&world, "anna", move |work| support::close(work, id, Resolution::Withdrawn, "two")).await.unwrap();
    assert_eq!((closed.resolution, closed.closed_at), (Some(Resolution::Withdrawn), Some(at(NOW))));
    let fill = move |work: &mut Work| {
        let form = Some(Form { title: "Other".to_owned(), ..Form::default() });
        support::answer(work, id, None, &support::Answer { form, ..support::Answer::default() })
    };
    assert!(act(&world, "anna", fill).await.unwrap_err().contains("illegal_transition"));
    let again = move |work: &mut Work| {
        support::answer(
            work,
            id,
            Some(3),
            &support::Answer { status: Some(Status::Open), ..support::Answer::default() },
        )
    };
    let open = act(&world, "anna", again).await.unwrap();
    assert_eq!((open.status, open.resolution), (Status::Open, None));
    assert!(act(&world, "anna", again).await.unwrap_err().contains("precondition_failed"), "an older generation");
}

#[tokio::test]
async fn partner_centers_clients_see_service_requests() {
    let world = http_world::World::new().await;
    let body = json!({ "Title": "TrialSR", "Description": "Ignore this SR", "Severity": 1, "SupportTopicId": "32444671",
        "SupportTopicName": "Cannot manage my profile", "ProductId": "15960", "CustomerId": http_world::TENANT,
        "PrimaryContact": { "FirstName": "FirstName", "LastName": "LastName" } });
    let said = world.post("anna", "/v1/servicerequests", body).await;
    assert_eq!(said.status, 201, "{}", said.text);
    let made = said.json();
    let id = made["id"].as_str().unwrap().to_owned();
    let note = json!({ "status": "open", "newNote": { "text": "Sample Note" } }).to_string();
    let path = format!("/v1/servicerequests/{id}");
    let patched = world.call(Who::User("anna"), "PATCH", &path, &[], note).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let shown = world.get(&path).await.json();
    for (name, expected) in [
        ("title", json!("TrialSR")),
        ("description", json!("Ignore this SR")),
        ("severity", json!("critical")),
        ("supportTopicId", json!("32444671")),
        ("supportTopicName", json!("Cannot manage my profile")),
        ("status", json!("open")),
        ("organization", json!({ "id": http_world::TENANT, "name": "Anker BV" })),
        ("productId", json!("15960")),
        ("lastClosedDate", json!("0001-01-01T00:00:00")),
    ] {
        assert_eq!(shown[name], expected, "{name}");
    }
    assert_eq!(shown["notes"][0]["text"], "Sample Note");
    assert_eq!(shown["notes"][0]["createdByName"], "user:anna");
    assert_eq!(shown["attributes"]["objectType"], "ServiceRequest");
    let list = world.get(&format!("/v1/customers/{}/servicerequests", http_world::TENANT)).await.json();
    assert_eq!((&list["totalCount"], &list["items"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(list["items"][0]["primaryContact"], json!({ "lastName": "LastName", "firstName": "FirstName" }));
    assert_eq!(list["attributes"]["objectType"], "Collection");
    let others = world.get(&format!("/v1/customers/{OTHER}/servicerequests")).await.json();
    assert_eq!(others["totalCount"], 0);
    let closed = world.call(Who::User("anna"), "PATCH", &path, &[], json!({ "status": 2 }).to_string()).await.json();
    assert_eq!((&closed["status"], &closed["resolution"]), (&json!("closed"), &json!("granted")));
    let topics = world.get("/v1/servicerequests/supporttopics").await.json();
    assert_eq!(topics["items"][0]["name"], REFUND);
}

#[tokio::test]
async fn our_own_json_is_read_strictly_and_a_narrowed_token_sees_its_own() {
    let world = http_world::World::new().await;
    let form = json!({ "type": "refund", "customer": http_world::TENANT, "impact": "paid twice", "title": "Double",
        "subscription": text_id(1), "refundReason": "bought twice", "amount": "100.00 EUR",
        "contact": { "name": "Anna Berg", "email": "anna@partner.example", "phone": "+31 20 555 0100" } });
    let mut wrong = form.clone();
    wrong["titel"] = json!("x");
    world.post("anna", "/v1/support", wrong).await.is(422, "unknown_field");
    let mut wrong = form.clone();
    wrong["contact"]["mail"] = json!("x");
    world.post("anna", "/v1/support", wrong).await.is(422, "unknown_field");
    let lacking = json!({ "type": "refund", "customer": http_world::TENANT });
    let said = world.post("anna", "/v1/support", lacking).await.is(422, "missing_field").json();
    assert_eq!(said["rule"], "SR");
    let said = world.post("anna", "/v1/support", form).await;
    assert_eq!(said.status, 201, "{}", said.text);
    let id = said.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sup_"), "{id}");
    let other = world.token("other", &["support.read", "support.write"], Some(&[OTHER])).await;
    world.call(Who::Token(&other), "GET", &format!("/v1/support/{id}"), &[], "").await.is(404, "not_found");
    let list = world.call(Who::Token(&other), "GET", "/v1/support", &[], "").await.json();
    assert_eq!(list["items"], json!([]));
    let note = json!({ "text": "x" }).to_string();
    world.call(Who::Token(&other), "POST", &format!("/v1/support/{id}/note"), &[], note).await.is(404, "not_found");
    let found: Value = world.get("/v1/support?status=open&amount_min=100.00%20EUR").await.json();
    assert_eq!(found["items"][0]["id"], json!(id));
    let closed = world.post("anna", &format!("/v1/support/{id}/close"), json!({ "resolution": "granted" })).await;
    assert_eq!(closed.json()["status"], "closed", "{}", closed.text);
    world
        .post("anna", &format!("/v1/support/{id}/close"), json!({ "resolution": "paid" }))
        .await
        .is(422, "unknown_value");
}

#[test]
fn a_script_sees_whose_a_support_request_is_and_what_it_is_about() {
    let text = r#"
fn test_whose() {
    let sub = given(#{ order_id: "A1", friendly_name: "Front desk" });
    let form = #{ impact: "paid twice", title: "Twice", refund_reason: "bought twice", amount: "1.00 EUR",
        contact: #{ name: "Anna Berg", email: "anna@partner.example", phone: "+31 20 555 0100" } };
    let about = sub.request_support(form);
    assert_eq(about.tenant_id, sub.tenant_id);
    assert_eq(about.subscription.friendly_name, "Front desk");
    assert(absent(about.order_id), "no order was named");
    let of_order = sub.tenant.request_support(form + #{ order_id: "A1" });
    let found = support_request(of_order.id);
    assert_eq([found.tenant_id, found.order_id], [sub.tenant_id, "A1"]);
    assert(absent(found.subscription), "no subscription was named");
}
"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("scripts")).unwrap();
    std::fs::write(folder.path().join("scripts/a_test.rhai"), text).unwrap();
    let config = bursar::config::Config { library: folder.path().to_owned(), ..Default::default() };
    let mut reports = Vec::new();
    let summary = bursar::testing::run(&config, None, &mut |report| reports.push(report.to_string()));
    assert_eq!(summary.unwrap().passed, 1, "{}", reports.join("\n"));
}
