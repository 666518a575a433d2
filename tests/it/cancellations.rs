//! Cancelling as a person asks for it: found by customer, product and order, told of the window, acknowledged, and what
//! follows (C-*, W60op, XLAW).

use serde_json::{Value, json};

use crate::http_world::{OTHER, TENANT, Who, World, sub_id};

/// What the customer Anker BV has bought beside the usual, and one more customer.
async fn world(files: &[(&str, &str)]) -> World {
    let world = World::new().await;
    for (path, text) in files {
        let path = world.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    if !files.is_empty() {
        world.post("root", "/v1/library/reload", json!({})).await.is(200, "");
    }
    let software = |number: u8, name: &str, order: &str, more: Value| {
        let id = sub_id(number);
        let mut row = json!({ "id": id, "offerId": format!("DG7GMGF0{number}:0001:A"), "offerName": name, "quantity": 2,
            "orderId": order, "creationDate": "2027-01-01T09:00:00Z", "effectiveStartDate": "2027-01-01T09:00:00Z",
            "status": "active", "billingType": "license", "billingCycle": "one_time", "unitPrice": "500.00 EUR",
            "productType": { "id": "Software" }, "friendlyName": format!("{name} {number}"),
            "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{id}"), "method": "GET" } } });
        for (name, value) in more.as_object().unwrap() {
            row[name] = value.clone();
        }
        row
    };
    let rows = json!([
        software(20, "SQL Server 2022", "ORD-20", json!({})),
        software(21, "SQL Server 2022", "ORD-21", json!({ "creationDate": "2026-12-11T09:00:00Z" })),
        software(22, "Office 2024", "ORD-22", json!({ "creationDate": "2026-12-10T09:00:00Z" })),
        software(23, "Exchange Server", "ORD-23", json!({ "targetView": "OnPremisesSoftware" })),
        software(
            24,
            "Remote Desktop",
            "ORD-24",
            json!({ "termDuration": "P1Y", "billingCycle": "annual",
            "creationDate": "2027-01-08T09:00:00Z", "effectiveStartDate": "2027-01-08T09:00:00Z",
            "unitPrice": "365.00 EUR", "quantity": 1, "commitmentEndDate": "2028-01-07" })
        ),
        software(
            25,
            "Backup",
            "ORD-25",
            json!({ "productType": { "id": "SaaS" }, "termDuration": "P1M",
            "billingCycle": "monthly", "commitmentEndDate": "2027-01-31", "autoRenewEnabled": true })
        ),
        software(26, "Antivirus", "ORD-26", json!({ "unitPrice": null })),
        software(
            27,
            "SUSE Linux",
            "ORD-27",
            json!({ "targetView": "SoftwareSUSELinux", "termDuration": "P1Y",
            "commitmentEndDate": "2027-12-31", "billingCycle": "annual" })
        ),
    ]);
    let report = world.post("root", "/v1/import", rows).await;
    assert_eq!(report.json()["refused"], 0, "{}", report.text);
    world
}

async fn ask(world: &World, body: Value) -> crate::http_world::Said {
    world.post("anna", "/v1/cancellations", body).await
}

fn status(world: &World, number: u8) -> impl Future<Output = String> {
    let path = format!("/v1/subscriptions/{}", sub_id(number));
    async move { world.get(&path).await.json()["status"].as_str().unwrap().to_owned() }
}

async fn topics(world: &World) -> Vec<String> {
    let said = world.get("/v1/messages").await.json();
    said["items"].as_array().unwrap().iter().map(|one| one["topic"].as_str().unwrap().to_owned()).collect()
}

/// C-pick, C-one, C-ack, C-conf, C-15 and C-uninst, in the order in which somebody meets them.
#[tokio::test]
async fn a_product_of_several_orders_is_cancelled_order_by_order_once_it_is_acknowledged() {
    let world = world(&[]).await;
    let mut body = json!({ "customer": "Anker BV", "product": "sql server 2022" });
    let several = ask(&world, body.clone()).await.is(409, "several_orders").json();
    let orders: Vec<&str> =
        several["choices"].as_array().unwrap().iter().map(|choice| choice["order"].as_str().unwrap()).collect();
    assert_eq!(orders, ["ORD-20", "ORD-21"]);
    let detail = several["detail"].as_str().unwrap();
    assert!(detail.contains("ORD-20, ORD-21") && detail.contains("2 orders"), "{several}");
    assert_eq!(
        several["choices"][0]["info"]["daysLeft"], 21,
        "thirty days from the first of January, seen on the tenth"
    );
    assert_eq!(several["choices"][1]["info"]["says"], "today is the last day to cancel it");

    body["order"] = "ORD-20".into();
    let first = ask(&world, body.clone()).await.is(409, "acknowledgement_required").json();
    assert!(first["acknowledgement"].as_str().unwrap().contains("revoked"), "{first}");
    assert_eq!((&first["role"], &first["askingRule"]), (&json!("admin_agent"), &json!("C-in")), "C-role");
    assert_eq!(first["info"]["says"], "21 days are left to cancel it", "C-info");
    assert_eq!(status(&world, 20).await, "active", "nothing is done before it is acknowledged");
    assert!(world.get("/v1/requests").await.json()["items"].as_array().unwrap().is_empty());

    body["acknowledged"] = true.into();
    let done = ask(&world, body.clone()).await.is(200, "").json();
    assert_eq!((&done["outcome"], &done["subscription"]["status"]), (&json!("applied"), &json!("deleted")));
    let confirmed = &done["confirmation"];
    assert_eq!(confirmed["visibleAfter"], "2027-01-10T12:15:00Z");
    assert_eq!((&confirmed["creditedIn"], &confirmed["credit"]["amount"]), (&json!("2027-01"), &json!("1000.00")));
    let message = confirmed["message"].as_str().unwrap();
    assert!(message.contains("1000.00 EUR is credited on the invoice of 2027-01"), "{message}");
    assert!(message.contains("15 minutes"), "{message}");
    assert_eq!(status(&world, 21).await, "active", "one order at a time");
    let told = topics(&world).await;
    for topic in ["subscription.cancelled", "cancellation.confirmed", "software.uninstall"] {
        assert_eq!(told.iter().filter(|one| *one == topic).count(), 1, "{topic}: {told:?}");
    }
    ask(&world, body.clone()).await.is(409, "already_over");
    body["order"] = "ORD-21".into();
    ask(&world, body).await.is(200, "");
}

#[tokio::test]
async fn what_is_cancelled_stays_listed_and_what_is_no_subscription_is_never_among_them() {
    let world = world(&[]).await;
    let body = json!({ "customer": TENANT, "product": "SQL Server 2022", "order": "ORD-20", "acknowledged": true });
    ask(&world, body).await.is(200, "");
    let theirs = world.get(&format!("/v1/customers/{TENANT}/subscriptions?limit=100")).await.json();
    let ids: Vec<&str> = theirs["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&sub_id(24).as_str()) && ids.contains(&sub_id(25).as_str()), "{ids:?}");
    for number in [20, 21, 22, 23, 26] {
        assert!(!ids.contains(&sub_id(number).as_str()), "VIS-ord: {number} is among the orders alone");
    }
    let ours = world.get("/v1/subscriptions?limit=100&listed=true,false").await.json();
    let all: Vec<&str> = ours["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!((20..=27).all(|number| all.contains(&sub_id(number).as_str())), "C-list: {all:?}");
}

#[tokio::test]
async fn the_customer_is_named_by_name_id_or_domain_and_everything_that_is_asked_for_is_given() {
    let world = world(&[]).await;
    let by = |customer: &str| json!({ "customer": customer, "product": "Office 2024" });
    for customer in ["Anker BV", "anker bv", TENANT] {
        let said = ask(&world, by(customer)).await.is(409, "information_missing").json();
        assert_eq!(said["missing"], json!(["order"]), "C-in");
        assert_eq!(said["choices"][0]["order"], "ORD-22", "there is one to name");
    }
    let both = ask(&world, by("anker.example")).await.is(409, "customer_ambiguous").json();
    assert!(both["detail"].as_str().unwrap().contains(OTHER), "{both}");
    ask(&world, by("Nobody")).await.is(404, "not_found");
    let said = ask(&world, json!({ "customer": TENANT, "product": "SQL" })).await.is(409, "not_bought").json();
    assert!(said["detail"].as_str().unwrap().contains("SQL Server 2022 20"), "what there is, is told: {said}");
    let said = ask(&world, json!({ "customer": TENANT })).await.is(409, "information_missing").json();
    assert_eq!(said["missing"], json!(["product"]));
    let subscription = json!({ "customer": TENANT, "product": "Remote Desktop" });
    let said = ask(&world, subscription).await.is(409, "information_missing").json();
    assert_eq!((&said["missing"], &said["askingRule"]), (&json!(["subscription"]), &json!("C-in-S3")));
    ask(&world, json!({ "product": "Office 2024" })).await.is(422, "missing_field");
    ask(&world, json!({ "customer": TENANT, "prodct": "x" })).await.is(422, "unknown_field");
}

#[tokio::test]
async fn the_end_of_the_window_is_told_as_the_terms_of_the_day_tell_it() {
    let world = world(&[]).await;
    let body = json!({ "customer": TENANT, "subscription": "Remote Desktop 24", "acknowledged": false });
    let said = ask(&world, body).await.is(409, "acknowledgement_required").json();
    assert_eq!(said["info"]["allowedUntil"], "2027-01-15T09:00:00Z", "S3: date and time");
    assert_eq!(said["info"]["daysLeft"], json!(null));
    assert!(said["acknowledgement"].as_str().unwrap().starts_with("Yes, cancel"), "{said}");
    // Bought on the tenth of December: the ninth of January was the last of thirty days.
    let late = json!({ "customer": TENANT, "product": "Office 2024", "order": "ORD-22", "acknowledged": true });
    let said = ask(&world, late).await.is(409, "window_closed").json();
    assert_eq!((&said["info"]["windowPassed"], &said["rule"]), (&json!(true), &json!("W30p")));
    assert_eq!(said["partnerCenterCode"], 900117);
    let suse = json!({ "customer": TENANT, "product": "SUSE Linux", "order": "ORD-27", "acknowledged": true });
    let said = ask(&world, suse).await.is(409, "no_window").json();
    assert_eq!(said["rule"], "XSUSE");
    let late = json!({ "customer": TENANT, "subscription": sub_id(25), "acknowledged": true });
    let said = ask(&world, late).await;
    assert_eq!((said.status.as_u16(), said.json()["outcome"].clone()), (202, json!("scheduled")), "{}", said.text);
    assert_eq!(said.json()["subscription"]["autoRenewEnabled"], false, "ISVui: it runs out");
    assert_eq!(said.json()["confirmation"], json!(null), "nothing is cancelled yet");
}

#[tokio::test]
async fn on_premises_software_and_what_has_no_price_go_by_a_support_request() {
    let world = world(&[]).await;
    let mut body = json!({ "customer": "Anker BV", "order": "ORD-23" });
    let said = ask(&world, body.clone()).await.is(409, "information_missing").json();
    assert_eq!(said["missing"], json!(["customer", "refundReason", "amount"]), "a name is not enough: {said}");
    body["customer"] = TENANT.into();
    body["refundReason"] = "bought twice".into();
    body["amount"] = "1000.00 EUR".into();
    let said = ask(&world, body.clone()).await;
    assert_eq!(said.status, 202, "{}", said.text);
    let waiting = said.json();
    assert_eq!(waiting["outcome"], "waiting", "a policy approves it, and it waits all the same: {waiting}");
    let support = waiting["support"].as_str().unwrap();
    assert_eq!(waiting["request"]["support"], support);
    let opened = world.get(&format!("/v1/support/{support}")).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    for part in ["CSP Purchase/Refund on behalf of customers", "bought twice", "1000.00 EUR", "ORD-23", TENANT] {
        assert!(opened.text.contains(part), "{part}: {}", opened.text);
    }
    assert_eq!(status(&world, 23).await, "active");
    let request = waiting["request"]["id"].as_str().unwrap();
    assert_eq!(waiting["request"]["expiresAt"], "2027-03-03T00:00:00Z", "it waits as long as the window");
    body["amount"] = "1.00 EUR".into();
    let again = ask(&world, body).await.json();
    assert_eq!((&again["outcome"], &again["request"]["id"]), (&json!("waiting"), &json!(request)));
    let says = again["says"].as_str().unwrap();
    for part in ["asked for already", request, support, "1000.00 EUR", "bought twice", "is not taken over"] {
        assert!(says.contains(part), "{part}: {says}");
    }
    let path = format!("/v1/requests/{request}/approve");
    let first = world.post("ben", &path, json!({ "note": "at once" })).await.is(409, "support_first").json();
    assert!(first["detail"].as_str().unwrap().contains(support), "{first}");
    assert_eq!(status(&world, 23).await, "active");
    let close = json!({ "resolution": "granted", "note": "refunded" });
    world.post("ben", &format!("/v1/support/{support}/close"), close).await.is(200, "");
    let done = world.post("ben", &path, json!({ "note": "support refunds it" })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(status(&world, 23).await, "deleted");
    assert!(topics(&world).await.contains(&"software.uninstall".to_owned()));
    let body = json!({ "customer": TENANT, "product": "Antivirus", "order": "ORD-26", "acknowledged": true });
    let said = ask(&world, body).await.is(409, "more_information_needed").json();
    assert_eq!(said["missing"], json!(["refundReason", "amount"]), "C-esc: {said}");
}

/// W60op, by every door but the one that opens the support request.
#[tokio::test]
async fn no_other_door_cancels_what_goes_by_a_support_request() {
    let world = world(&[]).await;
    let id = sub_id(23);
    let path = format!("/v1/customers/{TENANT}/subscriptions/{id}");
    assert_eq!(world.get(&path).await.json()["actions"], json!(["edit"]), "nothing that is refused is offered");
    let sold = format!("/v1/customers/{TENANT}/subscriptions/{}", sub_id(20));
    assert_eq!(world.get(&sold).await.json()["actions"], json!(["edit", "cancel"]));
    let patch = json!({ "status": "deleted" }).to_string();
    let said =
        world.call(Who::User("anna"), "PATCH", &path, &[], patch).await.is(409, "more_information_needed").json();
    assert_eq!((&said["rule"], &said["partnerCenterCode"]), (&json!("C-in-S1"), &json!(800_061)));
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains("POST /v1/cancellations") && detail.contains("refund_reason, amount"), "{detail}");
    let asked = json!({ "kind": "cancellation", "reason": "customer_request" });
    world.propose("anna", 23, asked).await.is(409, "more_information_needed");
    assert_eq!(status(&world, 23).await, "active");
    assert!(world.get("/v1/ledger").await.json()["items"].as_array().unwrap().is_empty(), "nothing is given back");
}

#[tokio::test]
async fn a_cancellation_by_id_needs_no_acknowledgement_and_is_confirmed_all_the_same() {
    let world = world(&[]).await;
    let path = format!("/v1/customers/{TENANT}/subscriptions/{}", sub_id(24));
    let patch = json!({ "status": "deleted" }).to_string();
    let said = world.call(Who::User("anna"), "PATCH", &path, &[], patch).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let told = topics(&world).await;
    assert!(told.contains(&"cancellation.confirmed".to_owned()) && told.contains(&"software.uninstall".to_owned()));
    // Licences of new commerce say nothing on it in their terms.
    let before = told.len();
    let said = ask(&world, json!({ "customer": TENANT, "subscription": "Suite 1" })).await;
    assert_eq!(said.status, 200, "{}", said.text);
    assert_eq!(topics(&world).await.len(), before + 1);
}

#[tokio::test]
async fn nobody_cancels_beyond_their_rights() {
    let world = world(&[]).await;
    let body = json!({ "customer": TENANT, "product": "SQL Server 2022", "order": "ORD-20", "acknowledged": true });
    let read = world.token("reader", &["subscriptions.read", "tenants.read"], None).await;
    let said = world.call(Who::Token(&read), "POST", "/v1/cancellations", &[], body.to_string()).await;
    said.is(403, "forbidden");
    let grants = ["tenants.read", "propose.cancellation"];
    let other = world.token("other", &grants, Some(&[OTHER])).await;
    let said = world.call(Who::Token(&other), "POST", "/v1/cancellations", &[], body.to_string()).await;
    said.is(404, "not_found");
    assert_eq!(status(&world, 20).await, "active");
}

#[tokio::test]
async fn the_law_of_the_country_of_the_bill_gives_its_own_window() {
    let law = r#"
family = "software_perpetual"
[[law]]
rule = "XLAW-NL"
source = "a made-up act"
country = "NL"
from = 2026-01-01
length = "P45D"
"#;
    let world = world(&[("terms/law.toml", law), ("policies/terms/law.toml", law)]).await;
    let late = json!({ "customer": TENANT, "product": "Office 2024", "order": "ORD-22", "acknowledged": true });
    let done = ask(&world, late).await.is(200, "").json();
    assert_eq!(done["request"]["quote"]["rule"], "XLAW-NL");
    assert_eq!(done["request"]["quote"]["allowedUntil"], "2027-01-25T00:00:00Z");
    let rows = world.get("/v1/terms/software_perpetual?at=2026-12-10&country=NL").await.json();
    let rules = |rows: Value| -> Vec<String> {
        rows["rows"].as_array().unwrap().iter().map(|row| row["rule"].as_str().unwrap().to_owned()).collect()
    };
    let has = |rules: &[String], rule: &str| rules.iter().any(|known| known == rule);
    let there = rules(rows);
    assert!(has(&there, "XLAW-NL") && !has(&there, "W30p"), "it stands over the family's own: {there:?}");
    // The day before it, and in another country, the family's own is what holds.
    for (at, country) in [("2025-12-31", "NL"), ("2026-12-10", "DE")] {
        let rows = world.get(&format!("/v1/terms/software_perpetual?at={at}&country={country}")).await.json();
        let rules = rules(rows);
        assert!(!has(&rules, "XLAW-NL") || country == "DE", "{rules:?}");
        assert!(has(&rules, "W30p"), "{at} {country}: {rules:?}");
    }
}

#[tokio::test]
async fn the_terms_tell_the_rows_in_force_and_the_row_that_answered() {
    let world = World::new().await;
    let families = world.get("/v1/terms").await.json();
    assert!(families["items"].as_array().unwrap().len() >= 10, "{families}");
    let rows = |said: Value| -> Vec<String> {
        let rows = said["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", row["table"].as_str().unwrap(), row["rule"].as_str().unwrap())).collect()
    };
    let before = rows(world.get("/v1/terms/software_subscription?at=2021-09-26T23:59:59Z").await.json());
    let after = rows(world.get("/v1/terms/software_subscription?at=2021-09-27").await.json());
    assert!(before.contains(&"window W60".to_owned()) && !before.contains(&"window W30-21".to_owned()), "{before:?}");
    assert!(after.contains(&"window W30-21".to_owned()) && !after.contains(&"window W60".to_owned()), "{after:?}");
    assert!(after.contains(&"asking C-in-S0".to_owned()) && after.contains(&"renewal AR-pre".to_owned()), "{after:?}");
    world.get("/v1/terms/software_subscripion").await.is(404, "not_found");
    world.get("/v1/terms/unknown?on=2021-09-27").await.is(400, "unknown_parameter");
    let body = json!({ "family": "software_subscription", "purchased": "2022-09-01T09:00:00Z",
        "asked": "2022-09-03T12:00:00Z", "price": "365 USD", "term": "P1Y", "billing": "annual" });
    let quote = world.post("anna", "/v1/terms/quote", body).await.json();
    assert_eq!((&quote["rule"], &quote["refund"]["amount"]), (&json!("W7s"), &json!("363.00")));
    let row = &quote["row"];
    assert_eq!((&row["table"], &row["from"]), (&json!("window"), &json!("2022-07-11T00:00:00Z")));
    assert_eq!((&row["source"], &row["datedBy"]), (&json!("003_0d40c1078202abb5"), &json!("purchase")));
    assert!(row["file"].as_str().unwrap().ends_with("software_subscription.toml") && row["line"].as_u64() > Some(1));
    let body = json!({ "family": "linux_plan", "purchased": "2022-09-01T09:00:00Z", "asked": "2022-09-03T12:00:00Z",
        "price": "365 USD", "quantity": 1, "term": "P1Y", "billing": "annual" });
    let quote = world.post("anna", "/v1/terms/quote", body).await.json();
    assert_eq!((&quote["rule"], &quote["row"]["table"]), (&json!("XSUSE"), &json!("cancellation")));
}

#[test]
fn scripts_ask_as_persons_do_and_read_what_is_told() {
    let text = r#"
fn test_orders() {
    let owner = given_tenant(#{ company_name: "Contoso", domain: "contoso.example", country: "NL" });
    let facts = #{ family: "software_perpetual", tenant: owner.id, term_duration: (), billing_cycle: "one_time",
        offer_name: "SQL Server", unit_price: "500 EUR", purchased_at: now() };
    let one = given(facts + #{ order_id: "A1", friendly_name: "first" });
    given(facts + #{ order_id: "A2", friendly_name: "second" });
    let asked = #{ customer: "contoso.example", product: "SQL Server" };
    let said = ask_cancellation(asked);
    assert_eq(said.outcome, "several_orders");
    assert_eq(said.choices.len(), 2);
    said = ask_cancellation(asked + #{ order: said.choices[0].order });
    assert_eq(said.outcome, "acknowledgement_required");
    assert_eq(said.days_left, 30);
    assert_eq(said.role, "admin_agent");
    assert(said.acknowledge.contains("revoked"));
    said = ask_cancellation(asked + #{ order: "A1", acknowledged: true });
    assert_eq(said.outcome, "applied");
    assert_eq(said.request.kind, "cancellation");
    assert_eq(said.visible_after, now() + span("PT15M"));
    assert(said.afterwards.contains("uninstall"));
    assert_eq(subscription(one.id).status, "deleted");
}

fn test_support() {
    let owner = given_tenant(#{ company_name: "Contoso", domain: "contoso.example", country: "NL" });
    let one = given(#{ family: "on_premises_software", tenant: owner.id, term_duration: (), billing_cycle: "one_time",
        offer_name: "Exchange Server", unit_price: "500 EUR", purchased_at: now(), order_id: "A3" });
    let alone = one.request_cancellation("customer_request", "");
    assert_eq(alone.outcome, "refused");
    assert(alone.reasons[0].contains("ask_cancellation"));
    let asked = ask_cancellation(#{ customer: owner.id, order: "A3", refund_reason: "bought twice", amount: "500 EUR" });
    assert_eq(asked.outcome, "waiting");
    assert_eq(asked.request.id, one.request_cancellation("customer_request", "").id);
}
"#;
    let policy = "//! ---\n//! decides = \"cancellation\"\n//! ---\nfn decide(request) { approve(); }\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/a.rhai"), policy).unwrap();
    std::fs::write(folder.path().join("policies/a_test.rhai"), text).unwrap();
    let config = bursar::config::Config { library: folder.path().to_owned(), ..Default::default() };
    let mut failed = Vec::new();
    let summary = bursar::testing::run(&config, None, &mut |report| {
        if !report.passed() {
            failed.push(report.to_string());
        }
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(summary.unwrap().passed, 2);
}
