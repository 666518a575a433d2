//! Carts from their first line to their orders: partial success, groups, retries, expiry, and one commit for all of it.

use bursar::domain::cart::{CartLine, CartStatus};
use bursar::domain::change::{Amendments, Reason};
use bursar::domain::ids::CartId;
use bursar::domain::request::Outcome;
use bursar::domain::software::{Choice, KeyState};
use bursar::domain::subscription::Status;
use bursar::domain::{Change, Subscription};
use bursar::ops::carts::{self, Wish};
use bursar::ops::{self, Rights, checkout, keys, orders, requests, software};
use bursar::triggers;
use serde_json::{Value, json};

use crate::shop_world::{
    FOREVER, LEGACY, LEGACY_ADD_ON, NOW, SAAS, SERVER, SUITE, TELEPHONY, TRIAL, bought, buy, line, modern, order_of,
    shop, shop_at, tenant, try_buy,
};
use crate::world::{World, at, person};

async fn cart_of(world: &World, lines: Vec<CartLine>) -> bursar::domain::cart::Cart {
    let cause = world.app.next_cause("test");
    let wish = Wish { lines };
    let body = move |work: &mut ops::Work| carts::create(work, tenant(), &wish);
    world.app.act(person("anna"), cause, body).await.unwrap()
}

async fn check_out(world: &World, id: CartId) -> Result<checkout::CheckedOut, ops::Error> {
    let cause = world.app.next_cause("test");
    let body = move |work: &mut ops::Work| checkout::checkout(work, tenant(), id);
    world.app.act(person("anna"), cause, body).await
}

fn code(result: Result<checkout::CheckedOut, ops::Error>) -> (String, Option<u32>) {
    match result.unwrap_err() {
        ops::Error::Refused(refusal) => (refusal.code, refusal.partner_center_code),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_purchase_becomes_an_order_an_active_subscription_and_a_charge() {
    let world = shop().await;
    let done = buy(&world, vec![line(SUITE, 10, "P1Y", "monthly")]).await;
    assert!(done.errors.is_empty(), "{:?}", done.errors);
    assert_eq!((done.orders.len(), done.bought[0].outcome), (1, Outcome::Applied));
    let sub = bought(&world, &done, 0);
    assert_eq!((sub.standing.status, sub.standing.quantity), (Status::Active, 10));
    assert_eq!((sub.profile.family.as_str(), sub.profile.offer_id.as_str()), ("license_new", SUITE));
    assert_eq!(sub.profile.order_id.as_ref(), Some(&done.orders[0].id));
    assert_eq!(sub.standing.window_end, Some(at("2027-01-17T12:00:00Z")), "168 hours");
    let order = order_of(&world, &done.orders[0].id);
    assert_eq!((order.status.as_str(), order.billing_cycle.as_str()), ("completed", "monthly"));
    assert_eq!(order.line_items[0].subscription_id, Some(sub.id));
    let lines = world.lines();
    assert_eq!((lines.len(), lines[0].amount.to_string().as_str()), (1, "100.00"));
}

#[tokio::test]
async fn a_line_that_cannot_be_bought_is_told_and_the_others_are_bought() {
    let world = shop().await;
    let mut denied = line(SUITE, 3, "P1Y", "annual");
    denied.friendly_name = "no thanks".to_owned();
    let lines = vec![
        line(SUITE, 5, "P1Y", "monthly"),
        line("CFQ7TTC0NONE:0001:CFQ7TTC0NONE", 1, "", ""),
        line(SUITE, 301, "P1Y", "monthly"),
        denied,
        line(FOREVER, 2, "", "one_time"),
    ];
    let done = buy(&world, lines).await;
    let errors: Vec<(u32, &str, u32)> = done
        .errors
        .iter()
        .map(|error| (error.line_item_id, error.error.code.as_str(), error.error.error_code))
        .collect();
    let expected = [(1, "catalog_item_unknown", 10001), (2, "quantity_out_of_range", 10015), (3, "denied", 10006)];
    assert_eq!(errors, expected);
    let statuses: Vec<&str> = done.orders.iter().map(|order| order.status.as_str()).collect();
    assert_eq!(statuses, ["completed", "error", "completed"], "monthly, annual, one_time");
    let denied = &order_of(&world, &done.orders[1].id).line_items[0];
    assert_eq!((denied.quantity, denied.error.as_ref().unwrap().code.as_str()), (0, "denied"));
    assert_eq!(world.sub(denied.subscription_id.unwrap()).standing.status, Status::Deleted);
    let forever = bought(&world, &done, 2);
    assert_eq!((forever.profile.family.as_str(), forever.standing.term_end), ("software_perpetual", None));
    assert_eq!(done.cart.status, CartStatus::Ordered);
}

#[tokio::test]
async fn lines_are_ordered_together_when_they_are_billed_alike_and_apart_when_they_are_not() {
    let world = shop().await;
    let mut own = line(SUITE, 1, "P1Y", "monthly");
    own.order_group = "branch".to_owned();
    let lines =
        vec![line(SUITE, 1, "P1Y", "monthly"), line(SUITE, 2, "P1M", "monthly"), line(SUITE, 3, "P1Y", "annual"), own];
    let done = buy(&world, lines).await;
    let seats: Vec<Vec<i64>> =
        done.orders.iter().map(|order| order.line_items.iter().map(|line| line.quantity).collect()).collect();
    assert_eq!(seats, [vec![1, 2], vec![3], vec![1]]);
}

#[tokio::test]
async fn a_hundred_lines_are_checked_out_in_one_commit() {
    let world = shop().await;
    let cart = cart_of(&world, (0..100).map(|_| line(SUITE, 2, "P1Y", "monthly")).collect()).await;
    let before = world.app.store().last_accepted();
    let done = check_out(&world, cart.id).await.unwrap();
    assert_eq!(world.app.store().last_accepted(), before + 1, "one commit");
    assert_eq!((done.orders.len(), done.orders[0].line_items.len(), done.bought.len()), (1, 100, 100));
    assert!(done.bought.iter().all(|line| line.outcome == Outcome::Applied));
    assert_eq!(world.lines().len(), 100);
}

#[tokio::test]
async fn a_cart_is_submitted_once_and_not_after_it_expired() {
    let world = shop().await;
    let cart = cart_of(&world, vec![line(SUITE, 1, "P1Y", "monthly")]).await;
    assert_eq!(cart.expiration_timestamp, Some(at("2027-01-10T12:15:00Z")));
    triggers::advance(&world.app, at("2027-01-10T12:14:59Z")).await.unwrap();
    assert_eq!(check_out(&world, cart.id).await.unwrap().orders.len(), 1);
    assert_eq!(code(check_out(&world, cart.id).await), ("cart_submitted".to_owned(), Some(800_065)));
    let late = cart_of(&world, vec![line(SUITE, 1, "P1Y", "monthly")]).await;
    triggers::advance(&world.app, late.expiration_timestamp.unwrap()).await.unwrap();
    assert_eq!(code(check_out(&world, late.id).await).0, "cart_expired");
    let cause = world.app.next_cause("test");
    let wish = Wish { lines: vec![line(SUITE, 2, "P1Y", "monthly")] };
    let body = move |work: &mut ops::Work| carts::update(work, tenant(), late.id, &wish);
    let mended = world.app.act(person("anna"), cause, body).await.unwrap();
    assert_eq!((mended.generation, mended.line_items[0].quantity), (2, 2), "changed, it is open again");
    assert_eq!(check_out(&world, late.id).await.unwrap().orders.len(), 1);
}

#[tokio::test]
async fn carts_that_are_over_go_after_their_time_and_one_that_can_be_checked_out_stays() {
    let world = shop().await;
    let wanted = || vec![line(SUITE, 1, "P1Y", "monthly")];
    let (ordered, expired) = (cart_of(&world, wanted()).await, cart_of(&world, wanted()).await);
    check_out(&world, ordered.id).await.unwrap();
    let gone = |world: &World, id: CartId| {
        let found = world.app.read(Rights::system(), |work| carts::get(work, tenant(), id));
        matches!(found, Err(ops::Error::Refused(refusal)) if refusal.code == "not_found")
    };
    // Thirty days after the order, and after the expiry a quarter of an hour later.
    triggers::advance(&world.app, at("2027-02-09T12:00:00Z")).await.unwrap();
    triggers::retention::run(&world.app).await.unwrap();
    assert!(!gone(&world, ordered.id) && !gone(&world, expired.id));
    triggers::advance(&world.app, at("2027-02-09T12:00:00.000001Z")).await.unwrap();
    triggers::retention::run(&world.app).await.unwrap();
    assert!(gone(&world, ordered.id) && !gone(&world, expired.id));
    let open = cart_of(&world, wanted()).await;
    triggers::advance(&world.app, at("2027-02-09T12:15:00.000001Z")).await.unwrap();
    triggers::retention::run(&world.app).await.unwrap();
    assert!(gone(&world, expired.id) && !gone(&world, open.id));
    assert_eq!(code(check_out(&world, expired.id).await).0, "not_found");
}

#[tokio::test]
async fn a_cart_of_which_nothing_can_be_bought_stays_to_be_mended() {
    let world = shop().await;
    let cart = cart_of(&world, vec![line(SUITE, 0, "P1Y", "monthly")]).await;
    assert_eq!(cart.line_items[0].error.as_ref().unwrap().partner_center_code, Some(2002));
    let done = check_out(&world, cart.id).await.unwrap();
    assert_eq!((done.orders.len(), done.errors.len(), done.cart.status), (0, 1, CartStatus::Active));
}

#[tokio::test]
async fn a_purchase_that_waits_is_pending_until_somebody_answers() {
    let world = shop().await;
    let done = buy(&world, vec![line(SUITE, 101, "P1Y", "monthly"), line(SUITE, 1, "P1Y", "monthly")]).await;
    assert_eq!(done.orders[0].status, "pending");
    let request = done.bought[0].request.unwrap();
    let cause = world.app.next_cause("test");
    world.app.act(person("bert"), cause, move |work| requests::approve(work, request, None, "")).await.unwrap();
    assert_eq!(order_of(&world, &done.orders[0].id).status, "completed");
    assert_eq!(bought(&world, &done, 0).standing.status, Status::Active);
    let done = buy(&world, vec![line(SUITE, 102, "P1Y", "monthly"), line(SUITE, 1, "P1Y", "monthly")]).await;
    let request = done.bought[0].request.unwrap();
    let cause = world.app.next_cause("test");
    world.app.act(person("bert"), cause, move |work| requests::deny(work, request, None, "no")).await.unwrap();
    let order = order_of(&world, &done.orders[0].id);
    assert_eq!((order.status.as_str(), order.line_items[0].quantity), ("partial_success", 0));
    assert_eq!(order.line_items[0].error.as_ref().unwrap().code, "denied");
}

#[tokio::test]
async fn an_add_on_is_bought_with_its_base_or_for_one_that_is_there() {
    let world = shop().await;
    let mut base = line(SUITE, 10, "P1Y", "monthly");
    base.addon_items.push(line(TELEPHONY, 5, "P1Y", "monthly"));
    let done = buy(&world, vec![base]).await;
    assert!(done.errors.is_empty(), "{:?}", done.errors);
    let (base, add_on) = (bought(&world, &done, 0), bought(&world, &done, 1));
    assert_eq!(add_on.profile.parent_subscription_id, Some(base.id));
    assert_eq!(order_of(&world, &done.orders[0].id).line_items[1].parent_subscription_id, Some(base.id));
    let legacy = buy(&world, vec![line(LEGACY, 3, "", "monthly")]).await;
    let base = bought(&world, &legacy, 0);
    assert_eq!((base.standing.status, base.profile.family.as_str()), (Status::Active, "license_legacy"));
    let mut add_on = line(LEGACY_ADD_ON, 2, "", "");
    add_on.parent_subscription_id = Some(base.id);
    let done = buy(&world, vec![add_on]).await;
    assert!(done.errors.is_empty(), "{:?}", done.errors);
    let after = bought(&world, &done, 0);
    assert_eq!(after.profile.billing_cycle, "monthly", "as its base");
    assert_eq!(after.standing.term_end, base.standing.term_end);
}

#[tokio::test]
async fn a_base_that_cannot_be_bought_takes_its_add_ons_with_it() {
    let world = shop().await;
    let mut base = line(SUITE, 301, "P1Y", "monthly");
    base.addon_items.push(line(TELEPHONY, 5, "P1Y", "monthly"));
    let done = buy(&world, vec![base]).await;
    let codes: Vec<&str> = done.errors.iter().map(|error| error.error.code.as_str()).collect();
    assert_eq!(codes, ["quantity_out_of_range", "base_not_bought"]);
    assert!(done.orders.is_empty());
}

#[tokio::test]
async fn a_limit_holds_inside_one_cart_and_what_came_to_nothing_does_not_count() {
    let world = shop().await;
    let done = buy(&world, vec![line(LEGACY, 1, "", "monthly"), line(LEGACY, 1, "", "monthly")]).await;
    assert_eq!((done.bought.len(), done.errors[0].error.code.as_str()), (1, "limit_reached"));
    assert_eq!(done.errors[0].error.partner_center_code, Some(800_066));
    let world = shop().await;
    let mut denied = line(TRIAL, 25, "", "");
    denied.friendly_name = "no trial".to_owned();
    assert_eq!(buy(&world, vec![denied]).await.errors[0].error.code, "denied");
    let done = buy(&world, vec![line(TRIAL, 25, "", "")]).await;
    assert!(done.errors.is_empty(), "a lifetime counts what was had: {:?}", done.errors);
    assert!(bought(&world, &done, 0).profile.is_trial);
}

/// T-auto, T-nowaive: whoever buys what begins free gets the free month, and no field of an order leaves it out.
#[tokio::test]
async fn the_free_month_of_a_publisher_is_applied_by_itself_and_cannot_be_left_out() {
    let world = shop().await;
    let month = json!([{ "duration": "P1M", "billingCycle": "monthly" }]);
    world.import(Value::Array(modern(SAAS, "Invoices", "SaaS", month, json!({ "isTrial": true })))).await;
    let mut wanted = serde_json::to_value(line(SAAS, 2, "P1M", "monthly")).unwrap();
    wanted["isTrial"] = false.into();
    let done = buy(&world, vec![serde_json::from_value(wanted).unwrap()]).await;
    assert!(done.errors.is_empty(), "{:?}", done.errors);
    let id = done.bought[0].subscription;
    assert!(bought(&world, &done, 0).profile.is_trial);
    let request = world.propose("anna", id, Change::Activation {}).await.request.unwrap().id;
    let cause = world.app.next_cause("test");
    world.app.act(person("bert"), cause, move |work| requests::approve(work, request, None, "")).await.unwrap();
    assert_eq!(world.sub(id).standing.term_end, Some(at("2027-02-09T00:00:00Z")), "thirty days");
    let charged: Vec<String> = world.lines().iter().map(|line| line.amount.to_string()).collect();
    assert_eq!(charged, ["0.00"]);
    // It is paid from its end on, and there is no paying before.
    let paid = world.propose("anna", id, Change::Conversion { to: Amendments::default() }).await;
    assert_eq!(paid.outcome, Outcome::Refused);
}

/// T-conv: the only offer there is for a trial need not be named; where there are several, they are told.
#[tokio::test]
async fn a_trial_becomes_what_it_is_for_and_has_its_name() {
    let world = shop().await;
    let done = buy(&world, vec![line(TRIAL, 25, "", "")]).await;
    let id = done.bought[0].subscription;
    let year = Amendments { term_duration: Some("P1Y".parse().unwrap()), ..Amendments::default() };
    let asked = world.propose("anna", id, Change::Conversion { to: year.clone() }).await;
    let refusal = asked.request.unwrap().refusal.unwrap();
    assert!(refusal.message.contains("say how it is billed: "), "{}", refusal.message);
    let to = Amendments { billing_cycle: Some("monthly".to_owned()), ..year };
    let asked = world.propose("anna", id, Change::Conversion { to: to.clone() }).await;
    let request = asked.request.unwrap();
    assert_eq!((asked.outcome, request.quote.charge.unwrap().to_string().as_str()), (Outcome::Waiting, "100.00 EUR"));
    let cause = world.app.next_cause("test");
    let approve = move |work: &mut ops::Work| requests::approve(work, request.id, None, "");
    world.app.act(person("bert"), cause, approve).await.unwrap();
    let paid = world.sub(id).profile;
    assert_eq!((paid.offer_id.as_str(), paid.offer_name.as_str(), paid.is_trial), (LEGACY, "Legacy Mail", false));

    let world = shop().await;
    world
        .import(json!([{ "id": TRIAL, "name": "Legacy Mail Trial", "isTrial": true, "billing": "license",
            "minimumQuantity": 25, "maximumQuantity": 25, "supportedBillingCycles": ["none"], "term": 1,
            "termUnitOfMeasure": "Month", "conversionTargetOffers": [LEGACY, LEGACY_ADD_ON],
            "attributes": { "objectType": "Offer" } }]))
        .await;
    let id = buy(&world, vec![line(TRIAL, 25, "", "")]).await.bought[0].subscription;
    let cause = world.app.next_cause("test");
    let propose = move |work: &mut ops::Work| {
        requests::propose(work, id, Change::Conversion { to: to.clone() }, "it is liked").map(drop)
    };
    let ops::Error::Refused(refusal) = world.app.act(person("anna"), cause, propose).await.unwrap_err() else {
        panic!("refused")
    };
    assert_eq!(refusal.code, "offer_needed");
    assert!(refusal.message.contains(LEGACY) && refusal.message.contains(LEGACY_ADD_ON), "{}", refusal.message);
}

#[tokio::test]
async fn an_order_of_software_is_cancelled_line_by_line_and_one_of_saas_is_not() {
    let world = shop().await;
    let done = buy(&world, vec![line(FOREVER, 1, "", ""), line(SERVER, 2, "P3Y", "one_time")]).await;
    let id = done.orders[0].id.clone();
    assert_eq!(done.orders.len(), 1, "both are charged once");
    let cancel = |numbers: Vec<u32>| {
        let id = id.clone();
        move |work: &mut ops::Work| orders::cancel(work, tenant(), &id, &numbers, Reason::CustomerRequest, "a test")
    };
    let cause = world.app.next_cause("test");
    let first = world.app.act(person("anna"), cause, cancel(vec![0])).await.unwrap();
    assert_eq!(first.lines[0].1.outcome, Outcome::Applied, "{:?}", first.lines[0].1.request);
    let quantities: Vec<i64> = first.order.line_items.iter().map(|line| line.quantity).collect();
    assert_eq!((quantities, first.order.status.as_str()), (vec![0, 2], "completed"));
    let cause = world.app.next_cause("test");
    let second = world.app.act(person("anna"), cause, cancel(Vec::new())).await.unwrap();
    assert_eq!(second.order.status, "cancelled");
    let saas = buy(&world, vec![line(SAAS, 1, "P1M", "monthly")]).await;
    let id = saas.orders[0].id.clone();
    let cause = world.app.next_cause("test");
    let body = move |work: &mut ops::Work| {
        orders::cancel(work, tenant(), &id, &[], Reason::CustomerRequest, "a test").map(|_| ())
    };
    let refused = world.app.act(person("anna"), cause, body).await.unwrap_err();
    let ops::Error::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!((refusal.code.as_str(), refusal.partner_center_code), ("not_cancelled_by_order", Some(800_077)));
}

#[tokio::test]
async fn plans_begin_when_their_rule_says() {
    let before = shop_at("2021-10-21T23:59:59Z").await;
    let refused = buy(&before, vec![line(SERVER, 1, "P3Y", "annual")]).await;
    assert!(refused.bought.is_empty());
    let error = &refused.errors[0].error;
    assert_eq!((error.code.as_str(), error.rule.as_str()), ("agreement_missing", "MCA"), "it agreed later");
    assert!(error.description.contains("from 2021-10-22"), "every reason is told: {}", error.description);
}

#[tokio::test]
async fn a_review_tells_plans_prices_tax_and_the_window_that_opens() {
    let world = shop().await;
    let cart = cart_of(&world, vec![line(SERVER, 2, "P3Y", "annual"), line(SUITE, 400, "P1Y", "monthly")]).await;
    let id = cart.id;
    let review = world.app.read(Rights::system(), move |work| carts::review(work, tenant(), id)).unwrap();
    assert!(!review.purchasable);
    let server = &review.lines[0];
    let cycles: Vec<&str> = server.plans.iter().map(|plan| plan.offered.plan.billing_cycle.as_str()).collect();
    assert_eq!(cycles, ["one_time", "annual", "triennial"]);
    assert_eq!(server.price_per_cycle.unwrap().to_string(), "600.00 EUR");
    assert_eq!((server.charges, server.price_of_term.unwrap().to_string()), (3, "1800.00 EUR".to_owned()));
    assert_eq!((server.window_rule.as_deref(), server.tax_included), (Some("W7s"), false));
    assert_eq!(server.cancellation_allowed_until_date, Some(at("2027-01-17T12:00:00Z")));
    assert_eq!(review.lines[1].reasons[0].code, "quantity_out_of_range");
    assert_eq!(review.total_of_terms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1800.00 EUR"]);
    assert_eq!(world.app.now(), at(NOW), "nothing happened");
}

fn suspended(world: &World) -> Vec<Subscription> {
    let all = bursar::domain::selection::Selection::everything(&bursar::domain::selection::SUBSCRIPTIONS);
    let page = world.app.read(Rights::system(), move |work| ops::subscriptions::select(work, &all, None, 100)).unwrap();
    page.items.into_iter().map(|one| one.value).filter(|one| one.standing.status == Status::Suspended).collect()
}

#[tokio::test]
async fn what_is_limited_and_suspended_is_reactivated_and_not_bought_again() {
    let world = shop().await;
    let done = buy(&world, vec![line(LEGACY, 1, "", "monthly")]).await;
    let id = done.bought[0].subscription;
    world.propose("anna", id, Change::Suspension { reason: Reason::NonPayment }).await;
    assert_eq!(suspended(&world).len(), 1);
    let again = try_buy(&world, vec![line(LEGACY, 1, "", "monthly")]).await.unwrap();
    let error = &again.errors[0].error;
    assert_eq!((error.code.as_str(), error.reactivate), ("limit_reached", Some(id)));
    assert!(error.description.contains("reactivate"), "{}", error.description);
}

/// SW-list: a purchase that was denied is no software that was bought, cancelled and had its keys revoked.
#[tokio::test]
async fn software_whose_purchase_was_denied_is_listed_nowhere_as_bought() {
    let world = shop().await;
    let named = |name: &str| CartLine { friendly_name: name.to_owned(), ..line(FOREVER, 2, "", "one_time") };
    let done = buy(&world, vec![named("no thanks"), named("gas")]).await;
    let (denied, kept) = (done.bought[0].subscription, done.bought[1].subscription);
    let listed = world.app.read(Rights::system(), |work| software::list(work, tenant(), None, 10)).unwrap();
    let told: Vec<_> = listed
        .items
        .iter()
        .map(|one| (one.subscription, one.product.as_str(), one.friendly_name.as_str(), one.key_state.as_str()))
        .collect();
    assert_eq!(told, [(Some(kept), "Office Standard", "gas", "awaited")]);
    let refused = |result: ops::Result<()>| match result.unwrap_err() {
        ops::Error::Refused(refusal) => (refusal.code, refusal.message),
        other => panic!("{other}"),
    };
    let get = world.app.read(Rights::system(), |work| software::get(work, tenant(), denied).map(drop));
    let (code, message) = refused(get);
    assert_eq!(code, "not_found");
    assert!(message.contains("never bought"), "{message}");
    let ask = |work: &mut ops::Work| keys::key(work, tenant(), denied, &Choice::default(), None).map(drop);
    assert_eq!(refused(world.app.read(person("anna"), ask)).0, "not_found");
    // One that was bought and then cancelled stays, without its key (C-list).
    let done = world.propose("anna", kept, Change::Cancellation { reason: Reason::CustomerRequest }).await;
    assert_eq!(done.outcome, Outcome::Applied);
    let listed = world.app.read(Rights::system(), |work| software::list(work, tenant(), None, 10)).unwrap();
    assert_eq!((listed.items.len(), listed.items[0].key_state), (1, KeyState::Revoked));
}
