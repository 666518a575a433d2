//! Changes over HTTP: proposed, answered, refused; bodies read strictly; the same call done once.

use serde_json::{Value, json};

use crate::http_world::{TENANT, Who, World, sub_id};

fn cancellation() -> Value {
    json!({ "kind": "cancellation", "reason": "customer_request", "why": "they asked" })
}

fn theirs(number: u8) -> String {
    format!("/v1/customers/{TENANT}/subscriptions/{}", sub_id(number))
}

#[tokio::test]
async fn a_proposal_is_applied_waits_or_is_refused() {
    let world = World::new().await;
    let said = world.propose("anna", 1, cancellation()).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let done = said.json();
    assert_eq!((done["outcome"].as_str(), done["subscription"]["status"].as_str()), (Some("applied"), Some("deleted")));
    assert_eq!(done["request"]["why"], "they asked");

    let said = world.propose("anna", 1, json!({ "kind": "auto_renew", "enabled": true })).await;
    let problem = said.is(409, "illegal_transition").json();
    assert_eq!(problem["outcome"], "refused");
    assert_eq!(problem["partnerCenterCode"], 2011);
    let refused = problem["request"].as_str().unwrap();
    assert_eq!(world.get(&format!("/v1/requests/{refused}")).await.json()["state"], "refused", "it is kept");

    let said = world.propose("anna", 2, cancellation()).await;
    assert_eq!(said.status, 202, "{}", said.text);
    let id = said.json()["request"]["id"].as_str().unwrap().to_owned();
    assert_eq!(said.header("location"), Some(format!("/v1/requests/{id}").as_str()));
    let again = world.propose("ben", 2, cancellation()).await;
    assert_eq!(again.json()["request"]["id"], id.as_str(), "one open request of a kind");

    world
        .call(
            Who::User("anna"),
            "PUT",
            &format!("/v1/subscriptions/{}/labels/keep", sub_id(3)),
            &[],
            json!({ "value": "yes" }).to_string(),
        )
        .await;
    let problem = world.propose("anna", 3, cancellation()).await.is(409, "denied").json();
    assert_eq!(problem["reasons"][0], "it is to be kept");
    assert!(problem["rule"].is_string() && problem["allowedUntil"].is_string());
    let same = world.propose("anna", 3, json!({ "kind": "auto_renew", "enabled": true })).await.json();
    assert_eq!((same["outcome"].as_str(), same["request"].is_null()), (Some("unchanged"), true));
    let renewal = world.propose("anna", 3, json!({ "kind": "renewal", "quantity": 20 })).await;
    assert_eq!(renewal.status, 202, "{}", renewal.text);
    assert_eq!(renewal.json()["outcome"], "scheduled");
    let story = world.get(&format!("/v1/subscriptions/{}/story", sub_id(3))).await.json();
    assert!(story["requests"].as_array().unwrap().len() >= 2, "{story}");
}

#[tokio::test]
async fn a_late_cancellation_names_the_rule_and_the_end_of_the_window() {
    let world = World::new().await;
    world.post("anna", "/v1/clock/advance", json!({ "to": "2027-02-01T00:00:00Z" })).await;
    let problem = world.propose("anna", 1, cancellation()).await.is(409, "window_closed").json();
    assert_eq!(
        (problem["rule"].as_str(), problem["allowedUntil"].as_str()),
        (Some("N7"), Some("2027-01-16T00:00:00Z"))
    );
    assert_eq!(problem["partnerCenterCode"], 900213);
    let quote =
        world.get(&format!("/v1/subscriptions/{}/quote?kind=cancellation&reason=fraud", sub_id(1))).await.json();
    assert_eq!((quote["allowed"].as_bool(), quote["rule"].as_str()), (Some(false), Some("N7")));
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let world = World::new().await;
    let path = format!("/v1/subscriptions/{}/requests", sub_id(1));
    let many = format!("[{}1]", "1,".repeat(1_000_000));
    let rows: [(&[u8], u16, &str); 26] = [
        (b"", 400, "invalid_json"), // J1
        (b"{", 400, "invalid_json"),
        (b"[1,]", 400, "invalid_json"),
        (b"{'a':1}", 400, "invalid_json"),
        (b"{} {}", 400, "invalid_json"),
        (b"{} // no", 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        (br#"{"quantity":1,"quantity":9}"#, 400, "duplicate_key"), // J2
        (br#"{"quantity":1,"\u0071uantity":9}"#, 400, "duplicate_key"),
        (br#"{"quantity":NaN}"#, 400, "invalid_json"), // J3
        (br#"{"quantity":01}"#, 400, "invalid_json"),
        (br#"{"quantity":1e400}"#, 400, "invalid_json"),
        (b"{\"why\":\"\xff\"}", 400, "invalid_utf8"), // J4
        (br#"{"why":"\ud800"}"#, 400, "invalid_json"),
        (br#"{"kind":"quantity","quantity":1.0}"#, 422, "schema"), // J6
        (br#"{"kind":"quantity","quantity":"1"}"#, 422, "schema"),
        (br#"{"kind":"quantity","quantity":true}"#, 422, "schema"),
        (br#"{"kind":"quantity","quantity":null}"#, 422, "schema"),
        (br#"{"kind":"quantity","quantity":1e2}"#, 422, "schema"),
        (br#"{"kind":"quantity","quantity":-0}"#, 422, "schema"),
        (br#"{"kind":"quantity","quantity":9223372036854775808}"#, 422, "out_of_range"), // J7
        (br#"{"kind":"quantity","quantity":-9223372036854775809}"#, 422, "out_of_range"),
        (br#"{"kind":"quantity","quantity":2,"tenant_id":"x"}"#, 422, "unknown_field"), // J8
        (br#"{"kind":"quantity","quantity":2,"__proto__":{}}"#, 422, "unknown_field"),
        (br#""text""#, 422, "schema"),       // J11
        (many.as_bytes(), 413, "too_large"), // J5
    ];
    for (body, status, code) in rows {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let said = world.call(Who::User("anna"), "POST", &path, &[], body.to_vec()).await;
        assert_eq!((said.status.as_u16(), said.code().as_str()), (status, code), "{shown}: {}", said.text);
    }
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    world.call(Who::User("anna"), "POST", &path, &[], deep).await.is(400, "too_deep");
    let said = world.post("anna", &path, json!({ "kind": "quantity", "qantity": 2 })).await.is(422, "unknown_field");
    assert!(said.text.contains("did you mean quantity?"), "{}", said.text);
    assert_eq!(said.json()["errors"][0]["pointer"], "/qantity");
    // Kept exactly, and judged by the terms.
    let exact = world.post("anna", &path, json!({ "kind": "quantity", "quantity": 9_007_199_254_740_993_i64 })).await;
    assert_eq!(exact.code(), "quantity_out_of_range");
    assert!(exact.text.contains("9007199254740993"), "{}", exact.text);
    for (body, code) in [
        (json!({ "kind": "flight" }), "unknown_kind"),
        (json!({ "kind": "cancellation" }), "reason_required"),
        (json!({ "kind": "cancellation", "reason": "boredom" }), "reason_required"),
        (json!({ "kind": "auto_renew" }), "missing_field"),
        (json!({ "reason": "fraud" }), "missing_field"),
        (json!({ "kind": "auto_renew", "enabled": true, "reason": "fraud" }), "schema"),
    ] {
        world.post("anna", &path, body).await.is(422, code);
    }
    assert_eq!(
        world.get("/v1/requests").await.json()["items"].as_array().unwrap().len(),
        1,
        "only the exact one came through"
    );
}

#[tokio::test]
async fn a_request_is_answered_once_by_somebody_else_who_saw_it() {
    let world = World::new().await;
    let id = world.waiting("anna").await;
    let approve = format!("/v1/requests/{id}/approve");
    world.post("anna", &approve, json!({})).await.is(403, "self_approval");
    let shown = world.get(&format!("/v1/requests/{id}")).await;
    assert_eq!(shown.header("etag"), Some("\"v1\""));
    let stale = world.call(Who::User("ben"), "POST", &approve, &[("if-match", "\"v7\"")], "").await;
    stale.is(412, "stale_approval");
    world.call(Who::User("ben"), "POST", &approve, &[("if-match", "7")], "").await.is(412, "stale_approval");
    for bad in ["abc", "v1", "1\"", "\"1", "\"x\"", "W/\"v1\""] {
        world.call(Who::User("ben"), "POST", &approve, &[("if-match", bad)], "").await.is(400, "bad_etag");
    }
    world.post("ben", &approve, json!({ "generation": 1, "note": 5 })).await.is(422, "schema");
    let done = world.call(Who::User("ben"), "POST", &approve, &[("if-match", "\"v1\"")], r#"{"note":"fine"}"#).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let request = done.json();
    assert_eq!((request["state"].as_str(), request["ruling"]["by"].as_str()), (Some("applied"), Some("user:ben")));
    world.post("ben", &approve, json!({})).await.is(409, "already_decided");
    world.post("ben", &format!("/v1/requests/{id}/withdraw"), json!({})).await.is(409, "already_decided");
    let ledger = world.get("/v1/ledger").await.json();
    assert_eq!(ledger["items"][0]["kind"], "cancelImmediate", "{ledger}");
    let decision = request["decisions"][0].as_str().unwrap();
    let decided = world.get(&format!("/v1/decisions/{decision}")).await.json();
    assert_eq!(decided["answers"][0]["file"], "policies/cancellation.rhai");
}

#[tokio::test]
async fn an_answer_to_what_has_moved_is_not_applied_and_shows_the_new_quote() {
    let world = World::new().await;
    let id = world.waiting("anna").await;
    let more = world.propose("anna", 2, json!({ "kind": "quantity", "quantity": 160 })).await;
    assert_eq!(more.status, 200, "{}", more.text);
    let moved =
        world.post("ben", &format!("/v1/requests/{id}/approve"), json!({})).await.is(412, "state_changed").json();
    assert_eq!(moved["request"]["state"], "waiting");
    assert!(moved["quote"]["allowed"].as_bool().unwrap() && moved["quote"]["refund"].is_object());
    let generation = moved["request"]["generation"].as_u64().unwrap();
    let done = world.post("ben", &format!("/v1/requests/{id}/approve"), json!({ "generation": generation })).await;
    assert_eq!(done.json()["state"], "applied", "{}", done.text);
    let second = world.propose("anna", 4, json!({ "kind": "suspension", "reason": "fraud" })).await;
    assert_eq!(second.json()["outcome"], "applied");
}

#[tokio::test]
async fn an_expired_one_is_gone_and_one_may_take_back_ones_own() {
    let world = World::new().await;
    let id = world.waiting("anna").await;
    let expires = world.get(&format!("/v1/requests/{id}")).await.json()["expiresAt"].as_str().unwrap().to_owned();
    world.app.set_clock(crate::http_world::at(&expires)).unwrap();
    world.post("ben", &format!("/v1/requests/{id}/approve"), json!({})).await.is(410, "approval_expired");
    let world = World::new().await;
    let id = world.waiting("anna").await;
    let body = json!({ "generation": 3 });
    world.post("anna", &format!("/v1/requests/{id}/withdraw"), body).await.is(412, "precondition_failed");
    let taken = world.post("anna", &format!("/v1/requests/{id}/withdraw"), json!({ "note": "never mind" })).await;
    assert_eq!(taken.json()["state"], "withdrawn", "{}", taken.text);
    let denied = world.waiting("anna").await;
    let said = world.post("ben", &format!("/v1/requests/{denied}/deny"), json!({ "note": "no" })).await;
    assert_eq!((said.status.as_u16(), said.json()["state"].as_str()), (200, Some("denied")));
}

#[tokio::test]
async fn partner_centers_patch_proposes() {
    let world = World::new().await;
    let patch = async |number: u8, headers: &[(&str, &str)], body: Value| {
        world.call(Who::User("anna"), "PATCH", &theirs(number), headers, body.to_string()).await
    };
    let shown = world.get(&theirs(1)).await;
    let etag = shown.header("etag").unwrap().to_owned();
    let off = patch(1, &[("if-match", &etag)], json!({ "AutoRenewEnabled": false })).await;
    assert_eq!((off.status.as_u16(), off.json()["autoRenewEnabled"].as_bool()), (200, Some(false)), "{}", off.text);
    patch(1, &[("if-match", &etag)], json!({ "quantity": 11 })).await.is(412, "precondition_failed");
    // The whole record back with one field changed is what clients send.
    let mut whole = off.json();
    whole["quantity"] = json!(12);
    whole["friendlyName"] = json!("Front desk");
    let seats = patch(1, &[], whole).await.json();
    assert_eq!((seats["quantity"].as_i64(), seats["friendlyName"].as_str()), (Some(12), Some("Front desk")), "{seats}");
    let waits = patch(2, &[], json!({ "status": "deleted" })).await;
    assert_eq!((waits.status.as_u16(), waits.json()["state"].as_str()), (202, Some("waiting")), "{}", waits.text);
    assert!(waits.header("location").unwrap().starts_with("/v1/requests/req_"));
    patch(3, &[], json!({ "status": "suspended", "suspensionReasons": ["boredom"] })).await;
    assert_eq!(world.get(&theirs(3)).await.json()["status"], "active", "boredom is no reason");
    let told = json!({ "Status": "Suspended", "SuspensionReasons": ["NonPayment"] });
    let suspended = patch(3, &[], told).await.json();
    assert_eq!(
        (suspended["status"].as_str(), suspended["suspensionReasons"][0].as_str()),
        (Some("suspended"), Some("non_payment"))
    );
    patch(3, &[], json!({ "quantity": 20 })).await.is(409, "illegal_transition");
    patch(4, &[], json!({ "billingCycle": "monthly" })).await.is(422, "immutable_field");
    patch(4, &[], json!({ "surprise": 1 })).await.is(422, "unknown_member");
    patch(4, &[], json!({ "status": "expired" })).await.is(422, "invalid_status");
    patch(4, &[], json!({ "quantity": "20" })).await.is(422, "schema");
    patch(4, &[], json!({ "quantity": 20, "autoRenewEnabled": false })).await.is(422, "invalid_patch");
    let same = patch(4, &[], json!({ "billingCycle": "annual", "status": "active", "quantity": 10 })).await;
    assert_eq!(same.status, 200);
    assert_eq!(
        same.json()["attributes"]["etag"],
        world.get(&theirs(4)).await.json()["attributes"]["etag"],
        "nothing moved"
    );
}

#[tokio::test]
async fn partner_centers_lists_are_in_its_json() {
    let world = World::new().await;
    let customers = world.get("/v1/customers").await.json();
    assert_eq!((customers["totalCount"].as_i64(), customers["items"].as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(customers["items"][0]["companyProfile"]["companyName"], "Anker BV");
    assert_eq!(customers["attributes"]["objectType"], "Collection");
    let page = world.get(&format!("/v1/customers/{TENANT}/subscriptions?limit=4")).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 4);
    let next = page["links"]["next"]["uri"].as_str().unwrap();
    let rest = world.get(&format!("/v1{next}")).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 2);
    assert!(rest["links"]["next"].is_null());
    let one = &page["items"][0];
    assert_eq!(
        (one["commitmentEndDate"].as_str(), one["actions"][1].as_str()),
        (Some("2028-01-08T00:00:00Z"), Some("cancel")),
        "{one}"
    );
    assert_eq!(world.get(&format!("/v1/customers/{TENANT}/orders")).await.json()["totalCount"], 0);
    world.get(&format!("/v1/customers/{TENANT}/orders/none")).await.is(404, "not_found");
    world.get(&format!("/v1/customers/{TENANT}/subscriptions/{}", sub_id(9))).await.is(404, "not_found");
}

#[tokio::test]
async fn a_call_with_a_key_is_done_once() {
    let world = World::new().await;
    let path = format!("/v1/subscriptions/{}/requests", sub_id(1));
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "kind": "quantity", "quantity": 11 }).to_string();
    let one = world.call(Who::User("anna"), "POST", &path, &key, body.clone()).await;
    assert_eq!((one.status.as_u16(), one.header("idempotent-replayed")), (200, None), "{}", one.text);
    let two = world.call(Who::User("anna"), "POST", &path, &key, body.clone()).await;
    assert_eq!(two.header("idempotent-replayed"), Some("true"));
    assert_eq!((two.status, &two.text, two.header("etag")), (one.status, &one.text, one.header("etag")));
    let other = json!({ "kind": "quantity", "quantity": 12 }).to_string();
    world.call(Who::User("anna"), "POST", &path, &key, other.clone()).await.is(422, "idempotency_key_reused");
    let ben = world.call(Who::User("ben"), "POST", &path, &key, other).await;
    assert_eq!((ben.status.as_u16(), ben.header("idempotent-replayed")), (200, None), "a key belongs to its caller");
    for bad in ["", "\u{e9}", &"k".repeat(256)] {
        let said = world.call(Who::User("anna"), "POST", &path, &[("idempotency-key", bad)], body.clone()).await;
        said.is(400, "idempotency_key_invalid");
    }
    bursar::triggers::advance(&world.app, crate::http_world::at("2027-01-11T12:00:00Z")).await.unwrap();
    let later = world.call(Who::User("anna"), "POST", &path, &[("idempotency-key", "k-1")], body.clone()).await;
    assert_eq!(
        (later.status.as_u16(), later.header("idempotent-replayed")),
        (200, None),
        "a day later it is a new call"
    );
    let etag = world.get(&format!("/v1/subscriptions/{}", sub_id(1))).await.header("etag").unwrap().to_owned();
    let other = json!({ "kind": "quantity", "quantity": 13 }).to_string();
    let stale = [("if-match", "\"v0\"")];
    world.call(Who::User("anna"), "POST", &path, &stale, other.clone()).await.is(412, "precondition_failed");
    let fresh = [("if-match", etag.as_str())];
    assert_eq!(world.call(Who::User("anna"), "POST", &path, &fresh, other).await.status, 200);
    // A call that failed before anything was done frees its key.
    let key = [("idempotency-key", "k-2")];
    let missing = format!("/v1/subscriptions/{}/requests", sub_id(77));
    world.call(Who::User("anna"), "POST", &missing, &key, body.clone()).await.is(404, "not_found");
    // One that was refused by the terms was done, and is told again.
    let none = json!({ "kind": "quantity", "quantity": 0 }).to_string();
    let first = world.call(Who::User("anna"), "POST", &path, &key, none.clone()).await;
    let second = world.call(Who::User("anna"), "POST", &path, &key, none).await;
    assert_eq!((first.status.as_u16(), &first.text), (409, &second.text));
    assert_eq!(second.header("content-type"), Some("application/problem+json"));
    // The secret of a token is shown once, whatever comes again.
    let key = [("idempotency-key", "k-3")];
    let body = json!({ "name": "ci", "grants": [] }).to_string();
    let made = world.call(Who::User("anna"), "POST", "/v1/tokens", &key, body.clone()).await.json();
    let again = world.call(Who::User("anna"), "POST", "/v1/tokens", &key, body).await.json();
    assert!(made["secret"].is_string() && again["secret"].is_null() && made["id"] == again["id"]);
}

#[tokio::test]
async fn the_terms_and_the_policies_are_asked_without_doing_anything() {
    let world = World::new().await;
    let asked = json!({ "family": "license_new", "purchased": "2027-01-09T00:00:00Z", "asked": "2027-01-09T10:00:00Z",
        "price": "10.08 EUR", "quantity": 10, "term": "P1Y", "billing": "annual" });
    let quote = world.post("anna", "/v1/terms/quote", asked).await.json();
    assert_eq!(
        (quote["allowed"].as_bool(), quote["allowedUntil"].as_str()),
        (Some(true), Some("2027-01-16T00:00:00Z"))
    );
    assert_eq!(quote["refund"], json!({ "amount": "100.80", "currency": "EUR" }));
    let members: Vec<&String> = quote.as_object().unwrap().keys().collect();
    assert_eq!(members, ["allowed", "allowedUntil", "reason", "refund", "row", "rule"]);
    let late = json!({ "family": "license_new", "purchased": "2027-01-09T00:00:00Z", "asked": "2027-02-09T10:00:00Z",
        "price": "10.08 EUR", "quantity": 10, "term": "P1Y", "billing": "annual" });
    let quote = world.post("anna", "/v1/terms/quote", late).await.json();
    assert_eq!((quote["allowed"].as_bool(), quote["refund"].is_null()), (Some(false), true));
    world.post("anna", "/v1/terms/quote", json!({})).await.is(422, "missing_field");

    let ask = json!({ "subscription": sub_id(2), "kind": "cancellation", "reason": "customer_request" });
    let told = world.post("anna", "/v1/decide", ask.clone()).await.json();
    assert_eq!((told["outcome"].as_str(), told["verdict"].as_str()), (Some("waiting"), Some("review")), "{told}");
    assert_eq!(told["answers"][0]["reasons"][0], "a large one");
    assert!(told["quote"]["allowed"].as_bool().unwrap());
    assert!(world.get("/v1/requests").await.json()["items"].as_array().unwrap().is_empty(), "nothing was done");
    world.waiting("anna").await;
    let told = world.post("anna", "/v1/decide", ask).await.json();
    assert_eq!(told["answers"].as_array().unwrap().len(), 1, "also where one is open: {told}");

    let run = json!({ "file": "scripts/dunning.rhai", "dryRun": true });
    let ran = world.post("anna", "/v1/run", run).await.json();
    assert_eq!(
        (ran["ending"].as_str(), ran["effects"].as_array().unwrap().is_empty()),
        (Some("completed"), false),
        "{ran}"
    );
    assert!(world.get("/v1/runs").await.json()["items"].as_array().unwrap().is_empty());
    let event = json!({ "type": "invoice.overdue", "data": { "tenantId": TENANT } });
    let ran = world
        .post("anna", "/v1/run", json!({ "file": "scripts/dunning.rhai", "handler": "overdue", "event": event }))
        .await;
    assert_eq!(ran.json()["ending"], "completed", "{}", ran.text);
    assert_eq!(world.get(&theirs(1)).await.json()["status"], "suspended");
    let event = json!({ "data": {} });
    let failed = world
        .post("anna", "/v1/run", json!({ "file": "scripts/dunning.rhai", "handler": "overdue", "event": event }))
        .await
        .json();
    assert_eq!(failed["ending"], "failed");
    assert_eq!(world.get("/v1/runs?ending=failed").await.json()["items"].as_array().unwrap().len(), 1);
    world.post("anna", "/v1/run", json!({ "file": "scripts/none.rhai" })).await.is(404, "not_found");
}

#[tokio::test]
async fn what_the_billing_system_tells_and_what_is_imported() {
    let world = World::new().await;
    let path = format!("/v1/tenants/{TENANT}/account");
    let said = world.post("anna", &path, json!({ "overdue": ["50.00 EUR"], "since": "2027-01-01T00:00:00Z" })).await;
    assert_eq!(said.json()["account"]["overdue"][0], json!({ "amount": "50.00", "currency": "EUR" }), "{}", said.text);
    let overdue = world.get("/v1/tenants?overdue=true").await.json();
    assert_eq!(overdue["items"].as_array().unwrap().len(), 1);
    for (bad, code) in [("10,00 EUR", "bad_money"), ("10.001 EUR", "bad_money"), ("10.00 eur", "bad_currency")] {
        let said = world.post("anna", &path, json!({ "overdue": [bad] })).await;
        assert_eq!(said.status, 422, "{bad}: {}", said.text);
        assert!(said.code() == code || said.code() == "bad_money", "{}", said.text);
    }
    world.post("anna", &path, json!({ "since": "yesterday" })).await.is(422, "bad_date");
    let label = format!("/v1/tenants/{TENANT}/labels/tier");
    let put = world.call(Who::User("anna"), "PUT", &label, &[], r#"{"value":"gold"}"#).await;
    assert_eq!(put.json()["labels"]["tier"], "gold");
    let gone = world.call(Who::User("anna"), "DELETE", &label, &[], "").await;
    assert!(gone.json()["labels"]["tier"].is_null());
    let long = format!("/v1/tenants/{TENANT}/labels/{}", "x".repeat(300));
    world.call(Who::User("anna"), "PUT", &long, &[], r#"{"value":"gold"}"#).await.is(400, "bad_label");

    let document = json!([{ "id": "33333333-3333-3333-3333-333333333333", "companyProfile": { "companyName": "New" } }, { "odd": 1 }]);
    let report = world.post("anna", "/v1/import?name=x.json", document.clone()).await.json();
    assert_eq!((report["taken"].as_u64(), report["refused"].as_u64()), (Some(1), Some(1)), "{report}");
    let report = world.post("anna", "/v1/import?name=x.json", document).await.json();
    assert_eq!(report["unchanged"].as_u64(), Some(1), "{report}");
    world.call(Who::User("anna"), "POST", "/v1/import", &[], "{").await.is(400, "invalid_json");
    world.post("anna", "/v1/import?overwrite=yes", json!([])).await.is(400, "bad_query");
}
