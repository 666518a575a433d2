//! Who gets in, and that every route is closed to everybody else; lists, cursors and paths.

use std::collections::BTreeSet;

use bursar::http::routes::{OWN, PUBLIC, ROUTES, Route};
use serde_json::{Value, json};

use crate::http_world::{OTHER, TENANT, Who, World, sub_id};

/// A path of a route with its parameters filled in.
pub(crate) fn filled(route: &Route, request: &str) -> String {
    let id = match route.path.split('/').nth(2) {
        Some("tenants") => TENANT.to_owned(),
        Some("subscriptions" | "customers") => sub_id(1),
        Some("requests") => request.to_owned(),
        Some("decisions") => "dec_00000000000000000000000000".to_owned(),
        Some("runs") => "run_00000000000000000000000000".to_owned(),
        Some("deliveries") => "dlv_00000000000000000000000000".to_owned(),
        Some("messages") => "msg_00000000000000000000000000".to_owned(),
        Some("invoices") => "G202701978".to_owned(),
        Some("support" | "servicerequests") => "sup_00000000000000000000000000".to_owned(),
        Some("tokens") => "tok_00000000000000000000000000".to_owned(),
        _ => "x".to_owned(),
    };
    let path = route.path.replace("{provider}/{kind}", "OneTime/BillingLineItems").replace("{tenant}", TENANT);
    path.replace("{id}", &id).replace("{name}", "x").replace("{hook}", "billing")
}

/// A body that a route reads without complaint.
pub(crate) fn body(route: &Route) -> String {
    let body = match route.path {
        "/v1/tenants/{id}/account" => json!({ "overdue": [] }),
        "/v1/subscriptions/{id}/requests" => json!({ "kind": "reactivation" }),
        "/v1/tenants/{id}/prices" => json!({ "product": "x", "unitPrice": "1.00 EUR" }),
        "/v1/invoices/{id}/account" => json!({ "paid": "1.00 EUR" }),
        "/v1/support/{id}/note" => json!({ "text": "x" }),
        "/v1/support/{id}/close" => json!({ "resolution": "granted" }),
        "/v1/support/{id}" | "/v1/servicerequests/{id}" => json!({ "note": "x" }),
        "/v1/tokens" => json!({ "name": "x", "grants": [] }),
        "/v1/users" => json!({ "name": "x", "email": "x@partner.example" }),
        "/v1/users/{id}" => json!({ "displayName": "x" }),
        "/v1/clock/advance" => json!({ "by": "PT1S" }),
        "/v1/decide" => json!({ "subscription": sub_id(1), "kind": "auto_renew", "enabled": false }),
        "/v1/run" => json!({ "file": "scripts/dunning.rhai" }),
        "/v1/cancellations" => json!({ "customer": TENANT }),
        "/v1/terms/quote" => json!({ "family": "license_new", "purchased": "2027-01-01T00:00:00Z",
            "asked": "2027-01-02T00:00:00Z", "price": "10.00 EUR", "quantity": 1, "term": "P1M", "billing": "monthly" }),
        "/v1/software" => json!({ "product": "x" }),
        "/v1/customers/{tenant}/activations" => {
            json!({ "device": "x", "product": "x", "activatedAt": "2027-01-01T00:00:00Z" })
        }
        "/v1/customers/{tenant}/activations/moved" => json!({ "device": "x", "product": "x" }),
        "/v1/customers/{tenant}/orders/{id}" => json!({ "status": "cancelled" }),
        path if path.ends_with("/orders") || path.contains("/carts") => json!({ "lineItems": [] }),
        path if path.ends_with("/agreements") => json!({ "dateAgreed": "2027-01-01T00:00:00Z" }),
        path if path.ends_with("labels/{name}") => json!({ "value": "x" }),
        _ if route.method == "PATCH" => json!({ "autoRenewEnabled": false }),
        _ => json!({}),
    };
    if matches!(route.method, "POST" | "PUT" | "PATCH") { body.to_string() } else { String::new() }
}

#[tokio::test]
async fn nobody_without_a_token_gets_past_any_route_that_is_not_listed_as_public() {
    let world = World::new().await;
    let public: Vec<&str> = PUBLIC.iter().map(|route| route.path).collect();
    assert_eq!(public, ["/livez", "/readyz", "/metrics", "/hooks/{hook}"]);
    let mut texts = BTreeSet::new();
    for route in ROUTES.iter().chain(OWN) {
        let path = filled(route, "req_00000000000000000000000000");
        let said = world.call(Who::Nobody, route.method, &path, &[], body(route)).await.is(401, "unauthorized");
        assert!(said.header("www-authenticate").unwrap().starts_with("Bearer"), "{path}");
        texts.insert(said.text);
    }
    let revoked = world.token("gone", &["*"], None).await;
    let id = world.get("/v1/tokens").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.call(Who::Token(&revoked), "GET", "/v1/tenants", &[], "").await.status, 200);
    let path = format!("/v1/tokens/{id}");
    assert_eq!(world.call(Who::User("anna"), "DELETE", &path, &[], "").await.status, 200);
    for value in [
        format!("Bearer {revoked}"),
        "Bearer brs_unknown0000000000000000000000".to_owned(),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
        revoked.clone(),
        "Bearer \u{7f}".to_owned(),
    ] {
        let bytes = axum::http::HeaderValue::from_bytes(value.as_bytes());
        let Ok(bytes) = bytes else { continue };
        let text = bytes.to_str().unwrap_or("Bearer x").to_owned();
        let said = world.call(Who::Nobody, "GET", "/v1/tenants", &[("authorization", &text)], "").await;
        texts.insert(said.is(401, "unauthorized").text);
    }
    assert_eq!(texts.len(), 1, "one text for every way of having no right: {texts:?}");
}

#[tokio::test]
async fn every_route_of_the_table_is_served_and_asks_for_its_grant() {
    let world = World::new().await;
    let request = world.waiting("ben").await;
    let powerless = world.token("powerless", &[], None).await;
    for route in ROUTES {
        let asked = if route.path.ends_with("{id}/quote") { "?kind=reactivation" } else { "" };
        let path = filled(route, &request) + asked;
        let said = world.call(Who::Token(&powerless), route.method, &path, &[], body(route)).await;
        assert_eq!(
            (said.status.as_u16(), said.code().as_str()),
            (403, "forbidden"),
            "{} {path}: {}",
            route.method,
            said.text
        );
    }
    let upcoming = ROUTES.iter().find(|route| route.path == "/v1/upcoming").unwrap();
    let may = world.token("may", &[upcoming.grant], None).await;
    assert_eq!(world.call(Who::Token(&may), "GET", upcoming.path, &[], "").await.status, 200, "{}", upcoming.grant);
    for route in PUBLIC {
        let path = filled(route, &request);
        let said = world.call(Who::Nobody, route.method, &path, &[], body(route)).await;
        assert!(![401, 404, 405].contains(&said.status.as_u16()), "{path}: {} {}", said.status, said.text);
    }
    for (method, path) in [("GET", "/"), ("GET", "/v1"), ("GET", "/v1/nothing"), ("POST", "/v1/tenants/x/y")] {
        assert_eq!(world.call(Who::User("anna"), method, path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(world.call(Who::User("anna"), "DELETE", "/v1/customers", &[], "").await.status, 405);
}

#[tokio::test]
async fn a_grant_opens_its_routes_and_a_tenant_out_of_reach_is_not_there() {
    let world = World::new().await;
    let narrow = world.token("narrow", &["tenants.read", "subscriptions.read"], Some(&[TENANT])).await;
    let who = Who::Token(&narrow);
    assert_eq!(world.call(who, "GET", &format!("/v1/tenants/{TENANT}"), &[], "").await.status, 200);
    let absent = "88888888-8888-8888-8888-888888888888";
    let one = world.call(who, "GET", &format!("/v1/tenants/{OTHER}"), &[], "").await.is(404, "not_found");
    let two = world.call(who, "GET", &format!("/v1/tenants/{absent}"), &[], "").await.is(404, "not_found");
    assert_eq!(one.text.replace(OTHER, "ID"), two.text.replace(absent, "ID"), "the two cannot be told apart");
    let list = world.call(who, "GET", "/v1/subscriptions", &[], "").await.json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 6);
    assert!(items.iter().all(|item| item["tenant"] == TENANT));
    world.call(who, "GET", "/v1/ledger", &[], "").await.is(403, "forbidden");
    let orders = format!("/v1/customers/{OTHER}/subscriptions");
    world.call(who, "GET", &orders, &[], "").await.is(404, "not_found");
}

#[tokio::test]
async fn a_token_that_is_used_too_often_waits_and_nobody_else_does() {
    let world = World::with("[limits]\ncalls = 1\ncalls_at_once = 3\n").await;
    let (eager, calm) = (world.token("eager", &["*"], None).await, world.token("calm", &["*"], None).await);
    let mut slowed = None;
    for call in 0..60 {
        let said = world.call(Who::Token(&eager), "GET", "/v1/clock", &[], "").await;
        if said.status == 429 {
            assert!(call >= 3, "what may come at once is answered");
            slowed = Some(said);
            break;
        }
        assert_eq!(said.status, 200);
    }
    let said = slowed.expect("a loop is slowed down").is(429, "rate_limited"); // H34
    assert_eq!(said.header("retry-after"), Some("1"));
    assert_eq!(said.header("ratelimit-policy"), Some("\"calls\";q=1;w=1"));
    assert_eq!(world.call(Who::Token(&calm), "GET", "/v1/clock", &[], "").await.status, 200);
    for _ in 0..20 {
        assert_eq!(world.get("/v1/clock").await.status, 200, "the operator never waits");
        world.call(Who::Token("brs_nobodys"), "GET", "/v1/clock", &[], "").await.is(401, "unauthorized");
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(world.call(Who::Token(&eager), "GET", "/v1/clock", &[], "").await.status, 200, "after what was told");
}

#[tokio::test]
async fn the_operator_acts_as_whom_they_say_and_a_caller_over_the_network_does_not() {
    let world = World::new().await;
    let id = world.waiting("anna").await;
    assert_eq!(world.get(&format!("/v1/requests/{id}")).await.json()["proposedBy"], "user:anna");
    let token = world.token("robot", &["*"], None).await;
    let said = world
        .call(Who::Token(&token), "POST", &format!("/v1/requests/{id}/deny"), &[("x-bursar-user", "carla")], "")
        .await;
    assert_eq!(said.json()["ruling"]["by"], "token:robot", "{}", said.text);
    let spaced = world.call(Who::User("two words"), "GET", "/v1/tenants", &[], "").await;
    spaced.is(400, "bad_user");
}

#[tokio::test]
async fn lists_are_bounded_and_their_cursors_are_their_own() {
    let world = World::new().await;
    for limit in ["0", "-1", "201", "1e9", "abc", "", "+5", "1.0"] {
        world.get(&format!("/v1/subscriptions?limit={limit}")).await.is(400, "bad_query");
    }
    world.get("/v1/subscriptions?limit=1&limit=2").await.is(400, "bad_query");
    let said = world.get("/v1/subscriptions?statuss=active").await.is(400, "unknown_parameter");
    assert!(said.text.contains("did you mean 'status'"), "{}", said.text);
    world.get("/v1/subscriptions?status=sleeping").await.is(400, "unknown_value");
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/v1/subscriptions?limit=3{cursor}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7, "each once");
    let good = cursor.trim_start_matches("&cursor=").to_owned();
    let forged = format!("{}A", &good[..good.len() - 1]);
    for bad in ["AAAA", "!!!", "", forged.as_str()] {
        if bad != good {
            world.get(&format!("/v1/subscriptions?limit=3&cursor={bad}")).await.is(400, "bad_cursor");
        }
    }
    world.get(&format!("/v1/tenants?limit=3&cursor={good}")).await.is(400, "bad_cursor");
    world.get(&format!("/v1/subscriptions?status=active&cursor={good}")).await.is(400, "bad_cursor");
}

#[tokio::test]
async fn selections_ids_and_etags_are_those_of_the_record() {
    let world = World::new().await;
    let large = world.get("/v1/subscriptions?quantity_min=100&status=active").await.json();
    assert_eq!(large["items"].as_array().unwrap().len(), 1);
    assert_eq!(large["items"][0]["id"], sub_id(2));
    let said = world.get(&format!("/v1/subscriptions/{}", sub_id(1))).await;
    let generation = said.json()["generation"].as_u64().unwrap();
    assert_eq!(said.header("etag"), Some(format!("\"v{generation}\"").as_str()));
    for bad in ["x", "22222222", "22222222-2222-2222-2222-22222222220g"] {
        world.get(&format!("/v1/subscriptions/{bad}")).await.is(400, "bad_id");
    }
    world.get(&format!("/v1/subscriptions/{}", sub_id(77))).await.is(404, "not_found");
    world.get("/v1/requests/run_00000000000000000000000000").await.is(404, "not_found");
    world.get("/v1/requests/req_0").await.is(400, "bad_id");
    for path in
        [format!("/v1/subscriptions/{}?x=1", sub_id(1)), "/v1/clock?x=1".to_owned(), "/v1/export?noun=x".to_owned()]
    {
        world.get(&path).await.is(400, "unknown_parameter");
    }
}

#[tokio::test]
async fn what_waits_is_listed_page_by_page_and_what_is_done_is_not_in_it() {
    let world = World::new().await;
    let hold = json!({ "value": "yes" }).to_string();
    for number in 1..=5 {
        let path = format!("/v1/subscriptions/{}/labels/hold", sub_id(number));
        assert_eq!(world.call(Who::User("anna"), "PUT", &path, &[], hold.clone()).await.status, 200);
        let said = world.propose("anna", number, json!({ "kind": "auto_renew", "enabled": false })).await;
        assert_eq!(said.status, 202, "{}", said.text);
    }
    let first = world.get("/v1/requests?state=waiting&limit=3").await.json();
    let next = first["nextCursor"].as_str().unwrap();
    let second = world.get(&format!("/v1/requests?state=waiting&limit=3&cursor={next}")).await.json();
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = [ids(&first), ids(&second)].concat();
    assert_eq!(all.len(), 5);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5);
    world.post("ben", &format!("/v1/requests/{}/approve", all[0]), json!({})).await;
    let left = ids(&world.get("/v1/requests?state=waiting").await.json());
    assert_eq!(left, all[1..], "the rest, in the same order");
    assert_eq!(ids(&world.get("/v1/requests?state=waiting,applied").await.json()).len(), 5);
    assert_eq!(ids(&world.get("/v1/requests?kind=auto_renew&is_open=true&limit=200").await.json()).len(), 4);
}

#[tokio::test]
async fn a_token_is_shown_once_and_never_does_more_than_its_maker() {
    let world = World::new().await;
    let body = json!({ "name": "ci", "grants": ["subscriptions.read"], "expiresIn": "PT1H" });
    let said = world.post("anna", "/v1/tokens", body).await;
    assert_eq!(said.status, 201, "{}", said.text);
    let made = said.json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("brs_") && secret.len() == 56, "{secret}");
    let place = said.header("location").unwrap().to_owned();
    let shown = world.get(&place).await;
    assert!(shown.json()["secret"].is_null() && !shown.text.contains(&secret[8..]), "{}", shown.text);
    assert!(!world.get("/v1/export").await.text.contains(&secret[8..]));
    let who = Who::Token(secret);
    assert_eq!(world.call(who, "GET", "/v1/subscriptions", &[], "").await.status, 200);
    bursar::triggers::advance(&world.app, crate::http_world::at("2027-01-10T13:00:00Z")).await.unwrap();
    world.call(who, "GET", "/v1/subscriptions", &[], "").await.is(401, "unauthorized");
    let small = world.token("small", &["tokens.manage", "tenants.read"], None).await;
    let more = json!({ "name": "more", "grants": ["*"] }).to_string();
    world.call(Who::Token(&small), "POST", "/v1/tokens", &[], more).await.is(403, "grants_exceeded");
    world.post("anna", "/v1/tokens", json!({ "name": "x", "grants": ["fly"] })).await.is(422, "unknown_grant");
}

#[tokio::test]
async fn the_library_the_clock_and_the_health_are_told() {
    let world = World::new().await;
    let policies = world.get("/v1/policies?decides=cancellation").await.json();
    assert_eq!(policies["items"][0]["path"], "policies/cancellation.rhai");
    assert_eq!(policies["items"][0]["enabled"], true);
    assert_eq!(policies["items"].as_array().unwrap().len(), 1);
    let scripts = world.get("/v1/scripts").await.json();
    assert_eq!(scripts["items"][0]["grants"][0], "subscriptions.read");
    let schedules = world.get("/v1/schedules").await.json();
    let items = schedules["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[1]["nextDue"], "2027-01-11T06:00:00Z", "{schedules}");
    assert_eq!(items[0]["armed"], true);
    assert_eq!(world.get("/v1/clock").await.json()["now"], "2027-01-10T12:00:00Z");
    let moved = world.post("anna", "/v1/clock/advance", json!({ "by": "P1D" })).await.json();
    assert_eq!((moved["now"].as_str(), moved["occurrences"].as_u64()), (Some("2027-01-11T12:00:00Z"), Some(1)));
    world.post("anna", "/v1/clock/advance", json!({ "to": "2027-01-01T00:00:00Z" })).await.is(422, "clock_backwards");
    world.post("anna", "/v1/clock/advance", json!({})).await.is(422, "schema");
    assert_eq!(world.get("/v1/occurrences").await.json()["items"][0]["state"], "ran");
    let run = world.get("/v1/runs").await.json()["items"][0].clone();
    assert_eq!(run["output"].as_str().unwrap().trim(), "ran");
    assert_eq!(world.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.json(), run);
    let coming = world.get("/v1/upcoming?for=P400D").await.json();
    assert!(coming["items"].as_array().unwrap().iter().any(|item| item["event"] == "term_end"), "{coming}");
    world.get("/v1/upcoming?four=P1D").await.is(400, "unknown_parameter");

    std::fs::write(world.folder.path().join("policies/broken.rhai"), "fn decide(").unwrap();
    let reload = world.post("anna", "/v1/library/reload", json!({})).await.json();
    assert!(!reload["findings"].as_array().unwrap().is_empty());
    assert_eq!(world.get("/v1/policies").await.json()["items"].as_array().unwrap().len(), 2, "the old one runs");
    let ready = world.call(Who::Nobody, "GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 200, "it still serves");
    assert_eq!(ready.json()["checks"]["library"]["status"], "broken_keeping_previous");
    assert_eq!(world.call(Who::Nobody, "GET", "/livez", &[], "").await.status, 200);
    let metrics = world.call(Who::Nobody, "GET", "/metrics", &[], "").await.text;
    for line in [
        "bursar_runs_total{outcome=\"completed\"} 1",
        "bursar_occurrences_total{state=\"ran\"} 1",
        "bursar_build_info",
        "\nbursar_store_oldest_snapshot_age_seconds ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn what_a_decision_was_made_by_is_kept_with_its_lib_files_and_params() {
    let world = World::new().await;
    let folder = world.folder.path();
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("lib/limits.rhai"), "fn much(seats) { seats >= 100 }").unwrap();
    let policy = |limit: u32| {
        format!(
            "//! Large ones wait.\n//! ---\n//! decides = \"auto_renew\"\n//! params = {{ limit = {limit} }}\n//! ---\nfn decide(request, params) {{\n    if limits::much(request.subscription.quantity) {{ review(`above ${{params.limit}}`); }}\n    approve();\n}}\n"
        )
    };
    let path = folder.join("policies/auto_renew.rhai");
    std::fs::write(&path, policy(7)).unwrap();
    world.post("anna", "/v1/library/reload", json!({})).await;
    let said = world.propose("anna", 2, json!({ "kind": "auto_renew", "enabled": false })).await.json();
    let decision = said["request"]["decisions"][0].as_str().unwrap();
    let decided = world.get(&format!("/v1/decisions/{decision}")).await.json();
    let answer = decided["answers"].as_array().unwrap().iter().find(|one| one["file"] == "policies/auto_renew.rhai");
    let hash = answer.expect("it was asked")["hash"].as_str().unwrap().to_owned();
    // What lies in the folder later is another file with another hash.
    std::fs::write(&path, policy(8)).unwrap();
    std::fs::write(folder.join("lib/limits.rhai"), "fn much(seats) { seats >= 5 }").unwrap();
    world.post("anna", "/v1/library/reload", json!({})).await;
    let kept = world.get(&format!("/v1/sources/{}", &hash[..16])).await.json();
    assert_eq!((kept["hash"].as_str(), kept["path"].as_str()), (Some(hash.as_str()), Some("policies/auto_renew.rhai")));
    assert_eq!(kept["files"]["policies/auto_renew.rhai"], policy(7));
    assert_eq!(kept["files"]["lib/limits.rhai"], "fn much(seats) { seats >= 100 }");
    assert!(kept["params"].as_str().unwrap().contains("limit = 7"), "{kept}");
    let terms = kept["terms"].as_str().unwrap();
    let terms = world.get(&format!("/v1/sources/{terms}")).await.json();
    assert!(
        terms["files"].as_object().is_some_and(|files| files.keys().any(|path| path.ends_with("license_new.toml")))
    );
    world.get("/v1/sources/00000000").await.is(404, "not_found");
    for bad in ["0000000", "zzzzzzzzzz", "%25%25%25%25%25%25%25%25"] {
        world.get(&format!("/v1/sources/{bad}")).await.is(400, "bad_hash");
    }
}

#[tokio::test]
async fn an_export_is_every_record_once_and_the_same_twice() {
    let world = World::new().await;
    world.waiting("anna").await;
    world.token("robot", &["*"], None).await;
    let one = world.get("/v1/export").await.text;
    assert_eq!(one, world.get("/v1/export").await.text);
    let mut nouns: Vec<String> = Vec::new();
    for line in one.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        nouns.push(line["noun"].as_str().unwrap().to_owned());
    }
    let count = |noun: &str| nouns.iter().filter(|known| *known == noun).count();
    assert_eq!((count("tenants"), count("subscriptions"), count("requests"), count("tokens")), (2, 7, 1, 1));
    assert_eq!((count("decisions"), count("messages")), (1, 1));
    let mut once = nouns.clone();
    once.dedup();
    assert_eq!(once.len(), once.iter().collect::<BTreeSet<_>>().len(), "each noun in one piece: {once:?}");
}
