//! What the command line promises: a verb is a route, the exit code says how it ended, data is on standard output and
//! talk on standard error.

use serde_json::json;

use super::cli_run::{Book, SUBSCRIPTION};
use super::shop_world;
use super::world::TENANT;

#[test]
fn init_asks_nothing_and_overwrites_nothing() {
    let book = Book::new();
    for name in ["bursar.toml", "store.bursar", "policies/renewal.rhai", "scripts", "lib"] {
        assert!(book.path(name).exists(), "{name}");
    }
    book.run(&["check"]).exits(0).says("no errors");
    let clock = book.json(&["clock", "show"]);
    assert_eq!((&clock["kind"], &clock["now"]), (&json!("manual"), &json!("2026-04-01T00:00:00Z")));
    book.write("bursar.toml", "# mine\n");
    book.run(&["init", "."]).exits(7);
    assert_eq!(std::fs::read_to_string(book.path("bursar.toml")).unwrap(), "# mine\n");
    book.run(&["init", "other", "--clock", "manual"]).exits(2);
    book.run(&["init", "other", "--at", "2026-04-01T00:00:00Z"]).exits(2);
}

#[test]
fn every_configuration_key_that_init_comments_is_a_key() {
    let book = Book::new();
    let text = std::fs::read_to_string(book.path("bursar.toml")).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(uncommented.contains("\n[retention]\n"), "{uncommented}");
    // The example of params names a policy whose file declares none.
    let uncommented = uncommented.replace("[params.\"policies/renewal\"]\nlarge = 300\n", "");
    book.write("bursar.toml", &uncommented);
    book.run(&["check"]).exits(0);
    book.write("bursar.toml", &uncommented.replace("wall =", "wal ="));
    book.run(&["check"]).exits(2).says("did you mean");
}

#[test]
fn a_cancellation_waits_and_is_approved_by_somebody_else() {
    let book = Book::filled();
    let listed = book.json(&["subscriptions", "list", "--where", "status=active"]);
    assert_eq!(listed[0]["id"], SUBSCRIPTION);
    assert_eq!(book.json(&["subscriptions", "list", "--where", "status=suspended"]), json!([]));
    assert_eq!(book.json(&["subscriptions", "show", SUBSCRIPTION])["quantity"], 12);

    let dry = book.json(&["decide", "cancellation", "--subscription", SUBSCRIPTION]);
    assert_eq!((&dry["outcome"], &dry["quote"]["allowed"]), (&json!("waiting"), &json!(true)));
    assert_eq!(book.json(&["requests", "list"]), json!([]), "a dry decision leaves nothing");

    let cancel = ["subscriptions", "cancel", SUBSCRIPTION, "--reason", "customer_request", "--why", "they moved"];
    let waits = book.run(&cancel).exits(10);
    let id = waits.out.split_whitespace().find(|word| word.starts_with("req_")).unwrap().to_owned();
    assert!(waits.out.starts_with("waiting "), "{}", waits.out);

    let shown = book.run(&["requests", "show", &id]).exits(0).out;
    for part in ["they moved", "terms: rule ", "allowed until", "refund", "decided dec_"] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    book.run(&["requests", "approve", &id]).exits(8).says("self_approval");
    book.run(&["--as", "anna", "requests", "approve", &id, "--generation", "99"]).exits(7);
    let approved = book.run(&["--as", "anna", "requests", "approve", &id, "--note", "spoke with them"]).exits(0);
    assert!(approved.out.starts_with("applied "), "{}", approved.out);
    let ruled = book.json(&["requests", "show", &id]);
    assert_eq!((&ruled["ruling"]["by"], &ruled["state"]), (&json!("user:anna"), &json!("applied")));
    book.run(&["--as", "bob", "requests", "deny", &id]).exits(7);
    let story = book.run(&["subscriptions", "story", SUBSCRIPTION]).exits(0).out;
    assert!(story.contains(&id), "{story}");
}

#[test]
fn exit_codes_say_how_it_ended() {
    let book = Book::filled();
    let missing = SUBSCRIPTION.replace("0001", "0002");
    book.run(&["subscriptions", "show", &missing]).exits(4).says("not_found");
    book.run(&["subscriptions", "cancel", &missing, "--reason", "customer_request"]).exits(4);
    book.run(&["policies", "show", "policies/none.rhai"]).exits(4);
    book.run(&["terms", "show", "licence_new"]).exits(4).says("did you mean license_new?");
    book.run(&["subscriptions", "cancel", SUBSCRIPTION, "--reason", "boredom"]).exits(2).says("reason");
    book.run(&["subscriptions", "list", "--where", "colour=red"]).exits(2).says("unknown_parameter");
    book.run(&["subscriptions", "list", "--where", "colour"]).exits(2).says("KEY=VALUE");
    book.run(&["subscriptions", "fly", SUBSCRIPTION]).exits(2);
    book.run(&["--config", "none.toml", "tenants", "list"]).exits(2).says("none.toml");
    book.run(&["--url", "http://127.0.0.1:1", "tenants", "list"]).exits(1).says("cannot reach");
    book.run(&["subscriptions", "quantity", SUBSCRIPTION, "0"]).exits(8).says("quantity_out_of_range");
    book.run(&["clock", "advance", "--to", "2020-01-01T00:00:00Z"]).exits(7).says("only moves forward");
    book.run(&["clock", "advance", "P3000Y"]).exits(2).says("too long");
    book.run(&["subscriptions", "list", "--limit", "0"]).exits(2).says("at least 1");
    book.run(&["token", "create", "x", "--grant", "subscriptions.raed"])
        .exits(2)
        .says("did you mean subscriptions.read?");
    let run = book.run(&["run", "policies/renewal.rhai"]);
    assert!(run.exit != 0 && (run.err.clone() + &run.out).contains("is a policy"), "{} {}", run.out, run.err);
    assert!(book.run(&["clock", "--help"]).exits(0).out.contains("Example:\n  bursar clock show"));
    // The window of the fixture closes on April 7th; the refusal names the rule and the instant.
    book.run(&["clock", "advance", "P8D"]).exits(0);
    book.run(&["subscriptions", "cancel", SUBSCRIPTION, "--reason", "customer_request"])
        .exits(8)
        .says("allowed until 2026-04-07T10:00:0");
    book.run(&["subscriptions", "auto-renew", SUBSCRIPTION, "on"]).exits(0);
}

#[test]
fn check_shows_the_place_and_ends_with_three() {
    let book = Book::new();
    book.write(
        "policies/broken.rhai",
        "//! ---\n//! decides = \"cancellation\"\n//! ---\nfn decide(request) {\n    aprove();\n}\n",
    );
    let checked = book.run(&["check"]).exits(3);
    assert!(checked.out.contains("policies/broken.rhai:5:5: error["), "{}", checked.out);
    assert!(checked.out.contains("\n 5 |     aprove();\n   |     ^"), "{}", checked.out);
    assert!(checked.out.contains("did you mean approve"), "{}", checked.out);
    let findings = book.run(&["-o", "json", "check"]).exits(3).json();
    assert_eq!((&findings["errors"], &findings["findings"][0]["line"]), (&json!(1), &json!(5)));
    // Looking goes on with a broken library; changing does not.
    book.run(&["tenants", "list"]).exits(0).says("the library is broken");
    book.run(&["subscriptions", "reactivate", SUBSCRIPTION]).exits(3);
    book.run(&["tick"]).exits(3);
    book.run(&["check", "nowhere"]).exits(2);
}

#[test]
fn check_tells_of_every_file_whatever_is_wrong_with_another() {
    let book = Book::new();
    std::fs::create_dir_all(book.path("policies/terms")).unwrap();
    book.write("policies/terms/own.toml", "famly = \"license_new\"\n");
    book.write("scripts/broken.rhai", "fn run(event) { suspnd(1); }\n");
    std::fs::write(book.path("scripts/bytes.rhai"), [0xff, 0xfe, 0x00]).unwrap();
    let checked = book.run(&["check"]).exits(3);
    for told in [
        "policies/terms/own.toml:1:1: error[terms]",
        "scripts/broken.rhai:1:17: error[unknown_function]: there is no function suspnd",
        "scripts/bytes.rhai: error[unreadable]",
    ] {
        assert!(checked.out.contains(told), "{told}: {}", checked.out);
    }
}

#[test]
fn tests_beside_policies_run_without_a_store() {
    let book = Book::new();
    let passed = book.run(&["test"]).exits(0).says("2 passed, 0 failed");
    assert!(passed.out.contains("ok     policies/renewal_test.rhai::test_a_year_waits"), "{}", passed.out);
    std::fs::remove_file(book.path("store.bursar")).unwrap();
    book.run(&["test", "--only", "confirmed"]).exits(0).says("1 passed");
    book.run(&["test", "--only", "nothing_like_it"]).exits(4);
    let text = std::fs::read_to_string(book.path("policies/renewal_test.rhai")).unwrap();
    book.write("policies/renewal_test.rhai", &text.replace("\"waiting\"", "\"applied\""));
    let failed = book.run(&["-o", "json", "test", "."]).exits(1).json();
    assert_eq!((&failed["passed"], &failed["failed"]), (&json!(1), &json!(1)));
    assert_eq!(failed["tests"][0]["got"], "\"waiting\"", "{failed}");
}

#[test]
fn data_is_on_standard_output_and_talk_is_not() {
    let book = Book::filled();
    let csv = book.run(&["-o", "csv", "tenants", "list"]).exits(0);
    assert!(csv.out.starts_with("ID,NAME,"), "{}", csv.out);
    assert!(csv.out.contains(",'=Brauhaus,"), "no cell is a formula: {}", csv.out);
    let lines = book.run(&["-o", "jsonl", "activity", "list"]).exits(0).out;
    assert!(lines.lines().count() >= 2, "{lines}");
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
    let quiet = book.run(&["-q", "runs", "list"]).exits(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let all = book.run(&["activity", "list", "-n", "1"]).exits(0).says("there are more");
    assert_eq!(all.out.lines().count(), 2, "{}", all.out);
    for shell in ["bash", "zsh", "fish"] {
        assert!(book.run(&["completions", shell]).exits(0).out.contains("partner-center"));
    }
    assert!(book.run(&["reference", "deny"]).exits(0).out.contains("### `deny("));
}

#[test]
fn the_terms_in_force_are_shown_with_rule_source_and_place() {
    let book = Book::new();
    let before = book.run(&["terms", "show", "software_subscription", "--at", "2021-09-26"]).exits(0).out;
    let after = book.run(&["terms", "show", "software_subscription", "--at", "2021-09-27"]).exits(0).out;
    assert!(before.contains("W60 ") && !before.contains("W30-21") && before.contains("VIS-pre"), "{before}");
    assert!(!after.contains("W60 ") && after.contains("W30-21"), "{after}");
    assert!(
        before.contains("000_ce003b2a332ea5d3") && before.contains("terms/software_subscription.toml:"),
        "{before}"
    );
    let rows = book.json(&["terms", "show", "software_subscription", "--at", "2021-09-27"]);
    assert_eq!(rows["rows"][0]["rule"], "W30-21");
    book.run(&["terms", "show", "software_subscription", "--at", "soon"]).exits(2);
}

#[test]
fn a_cancellation_is_asked_for_by_customer_and_product() {
    let book = Book::new();
    let late = book.run(&["cancel", "--customer", "Nobody", "--product", "Suite"]).exits(4);
    assert!(late.err.contains("tenant"), "{}", late.err);
}

#[test]
fn what_was_bought_for_good_is_quoted_without_a_term() {
    let book = Book::new();
    let quote = |asked: &str| {
        let bought = ["terms", "quote", "--family", "software_perpetual", "--purchased", "2021-10-01T10:00:00Z"];
        book.run(&[&bought[..], &["--asked", asked, "--price", "431 EUR", "--billing", "one_time"]].concat())
            .exits(0)
            .out
    };
    let inside = quote("2021-10-31T23:59:59Z");
    assert!(
        inside.starts_with("allowed by rule W30p: can be cancelled before 2021-11-01T00:00:00Z; 431.00 EUR"),
        "{inside}"
    );
    assert!(inside.contains("row     window: cancellation for P30D"), "{inside}");
    assert!(quote("2021-11-01T00:00:00Z").starts_with("refused by rule W30p"));
    let early = quote("2021-09-30T00:00:00Z");
    assert!(early.starts_with("refused: it was bought at 2021-10-01T10:00:00Z"), "no rule says so: {early}");
}

#[test]
fn terms_are_quoted_as_documented() {
    let book = Book::new();
    let quote = |asked: &str| {
        book.json(&[
            "terms",
            "quote",
            "--family",
            "license_new",
            "--purchased",
            "2026-03-01T09:00:00Z",
            "--asked",
            asked,
            "--price",
            "10.08 EUR",
            "--quantity",
            "5",
            "--term",
            "P1M",
            "--billing",
            "monthly",
        ])
    };
    let inside = quote("2026-03-08T08:59:59Z");
    assert_eq!((&inside["allowed"], &inside["refund"]["currency"]), (&json!(true), &json!("EUR")), "{inside}");
    let outside = quote("2026-03-08T09:00:00Z");
    assert_eq!((&outside["allowed"], &outside["refund"]), (&json!(false), &json!(null)));
    assert_eq!(inside["allowedUntil"], outside["allowedUntil"]);
    assert_eq!(inside["allowedUntil"], "2026-03-08T09:00:00Z");
}

#[test]
fn an_import_reports_every_file_and_row() {
    let book = Book::filled();
    book.run(&["import", "partner-center", "book.json"]).exits(0);
    book.write("odd.json", r#"{ "items": [ { "colour": "red" } ] }"#);
    let odd = book.run(&["import", "partner-center", "odd.json"]).exits(0).out;
    assert!(odd.contains("odd.json: 1 refused") && odd.contains("refused items[0]"), "{odd}");
    book.write("none.json", "nothing at all");
    let whole = book.run(&["-o", "json", "import", "partner-center", "none.json", "book.json"]).exits(1);
    let summary: serde_json::Value = serde_json::from_str(&whole.out).unwrap();
    assert_eq!((&summary["files"], &summary["unread"], &summary["unchanged"]), (&json!(2), &json!(1), &json!(3)));
    book.run(&["import", "partner-center", "absent.json"]).exits(2);
}

#[test]
fn a_backup_holds_what_was_there_and_verifies() {
    let book = Book::filled();
    let copied = book.json(&["backup", "copy.bursar"]);
    let verified = book.json(&["verify", "copy.bursar"]);
    assert_eq!(copied["rows"], verified["rows"]);
    assert_eq!(verified["pagesSound"], true);
    book.run(&["backup", "copy.bursar"]).exits(7).says("already");
    book.write("torn.bursar", "no store");
    book.run(&["verify", "torn.bursar"]).exits(1).says("the store is torn.bursar");
    book.run(&["backup", "nowhere/x.bursar"]).exits(2).says("could not make nowhere/x.bursar: No such file");
    let folder = book.path("scripts");
    let toml = std::fs::read_to_string(book.path("bursar.toml")).unwrap();
    let store = toml.lines().find(|line| line.starts_with("store = ")).unwrap();
    book.write("bursar.toml", &toml.replace(store, &format!("store = {folder:?}")));
    for verb in [&["backup", "x.bursar"][..], &["tick"], &["verify"], &["tenants", "list"]] {
        let told = book.run(verb).err;
        assert!(told.contains(&format!("the store is {}", folder.display())), "{verb:?}: {told}");
    }
}

#[test]
fn a_clock_is_moved_no_further_than_instants_are_written() {
    let book = Book { dir: tempfile::tempdir().unwrap() };
    book.run(&["init", ".", "--clock", "manual", "--at", "9999-12-31T00:00:00Z"]).exits(0);
    book.run(&["clock", "advance", "P1D"]).exits(2).says("the end of the year 9999");
    book.run(&["clock", "advance", "--to", "9999-12-31T23:59:59Z"]).exits(0);
}

#[test]
fn one_damaged_source_stops_nothing_and_damaged_pages_are_told_of_once() {
    let book = Book::filled();
    let path = book.path("store.bursar");
    // A text that only the archive of sources holds is written over wherever it lies.
    let mut bytes = std::fs::read(&path).unwrap();
    let journal = 4_096 + bursar::store::Options::default().journal_bytes;
    let word = b"fn decide(request)";
    let found = bytes[journal..].windows(word.len()).enumerate().filter(|(_, found)| found == word);
    let places: Vec<usize> = found.map(|(at, _)| at + journal).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] = b'X';
    }
    std::fs::write(&path, &bytes).unwrap();
    book.run(&["tenants", "list"]).exits(0).says("a kept source is damaged");
    book.run(&["export"]).exits(0);
    book.run(&["verify"]).exits(1).says("damaged");
    // Pages with nothing in them make the engine panic.
    let end = bytes.len();
    bytes[journal + 4_096..end].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let told = book.run(&["tenants", "list"]);
    assert!(told.exit != 0 && !told.err.contains("panicked"), "{}", told.err);
}

#[test]
fn a_credit_is_on_the_invoice_of_its_month_which_is_listed_shown_and_written_as_csv() {
    let book = Book::filled();
    let tenant = book.json(&["tenants", "list"])[0]["id"].as_str().unwrap().to_owned();
    let offer = "CFQ7TTC0LH18:0001:CFQ7TTC0K971";
    book.run(&["prices", "set", &tenant, offer, "--price", "7.00 EUR", "--term", "P1Y"]).exits(0);
    let priced = book.json(&["prices", "list", &tenant]);
    assert_eq!((&priced[0]["product"], &priced[0]["termDuration"]), (&json!(offer.to_lowercase()), &json!("P1Y")));
    let cancel = ["subscriptions", "cancel", SUBSCRIPTION, "--reason", "customer_request", "--why", "they moved"];
    let waits = book.run(&cancel).exits(10);
    let id = waits.out.split_whitespace().find(|word| word.starts_with("req_")).unwrap().to_owned();
    book.run(&["--as", "anna", "requests", "approve", &id]).exits(0);
    let rest = book.json(&["invoices", "unbilled"]);
    assert_eq!((&rest[0]["lines"], &rest[0]["invoiceType"]), (&json!(1), &json!("OneTime")));
    assert_eq!(book.json(&["invoices", "list"]), json!([]));
    let moved = book.json(&["clock", "advance", "--to", "2026-05-06T00:00:00Z"]);
    assert_eq!(moved["invoices"], 1, "{moved}");
    let listed = book.json(&["invoices", "list"]);
    let invoice = listed[0]["id"].as_str().unwrap();
    assert!(invoice.starts_with("G202604"), "{listed}");
    assert_eq!(book.json(&["invoices", "show", invoice]), listed[0]);
    assert_eq!(book.json(&["invoices", "statement", invoice, &tenant])["lines"], 1);
    let csv = book.run(&["invoices", "csv", invoice]).exits(0).out;
    let mut rows = csv.lines();
    assert!(
        rows.next().unwrap().starts_with("partnerId,customerId,customerName,customerDomainName,customerCountry,"),
        "{csv}"
    );
    let credit = rows.next().unwrap();
    assert!(credit.contains(",cancelImmediate,") && credit.contains(SUBSCRIPTION) && rows.next().is_none(), "{csv}");
    assert_eq!(book.json(&["invoices", "lines", invoice, "--customer", &tenant])[0]["chargeType"], "cancelImmediate");
    book.run(&["invoices", "show", "G202605978"]).exits(4);
    assert_eq!(book.json(&["verify"])["invoices"], json!([]), "what invoices say is what their lines come to");
    book.run(&["prices", "remove", &tenant, offer]).exits(4);
    book.run(&["prices", "remove", &tenant, offer, "--term", "P1Y"]).exits(0);
    assert_eq!(book.json(&["prices", "list", &tenant]), json!([]));
}

#[test]
fn users_get_roles_and_act_in_their_own_name() {
    let book = Book::filled();
    let run = |arguments: &[&str]| book.run(arguments);
    run(&["users", "create", "gea", "--email", "gea@partner.example", "--role", "global_admin"]).exits(0);
    run(&["users", "create", "ben", "--email", "ben@partner.example", "--role", "Sales agent"]).exits(0);
    let changed = run(&["users", "roles", "ben", "--add", "helpdesk_agent", "--remove", "sales_agent"]).exits(0);
    assert!(changed.out.contains("ben (ben@partner.example): helpdesk_agent, active"), "{}", changed.out);
    run(&["users", "roles", "ben", "--add", "owner"]).exits(8).says("unknown_role");
    run(&["--as", "ben", "users", "list"]).exits(8).says("bursar whoami");
    let who = run(&["--as", "ben", "whoami"]).exits(0).out;
    assert!(who.starts_with("user:ben\n") && who.contains("subscriptions.suspend"), "{who}");
    assert!(!who.contains("software.cancel"), "{who}");
    let suspend = ["--as", "ben", "subscriptions", "suspend", SUBSCRIPTION, "--reason", "non_payment", "--why", "late"];
    assert!(run(&suspend).exits(10).out.contains("waiting"), "no policy answers: a person does");
    let id = run(&["-o", "json", "requests", "list"]).json()[0]["id"].as_str().unwrap().to_owned();
    run(&["--as", "ben", "requests", "approve", &id]).exits(8);
    run(&["--as", "gea", "requests", "approve", &id]).exits(0);
    let matrix = run(&["roles"]).exits(0).out;
    assert!(
        matrix.lines().any(|line| line.contains("software.cancel") && line.matches("yes").count() == 1),
        "{matrix}"
    );
    run(&["users", "disable", "gea"]).exits(8).says("last_global_admin");
    let token = run(&["token", "create", "--user", "ben", "--grant", "requests.read"]).exits(0);
    assert!(token.out.starts_with("brs_") && token.err.contains("acts as ben and may requests.read"), "{}", token.err);
    run(&["--as", "ben", "token", "create", "--user", "gea"]).exits(8).says("makes no token for somebody else");
    run(&["users", "disable", "ben"]).exits(0);
    run(&["--as", "ben", "whoami"]).exits(8).says("bursar users enable");
    let log = run(&["-o", "csv", "activity", "list"]).out;
    for row in [
        "create_partner_user,succeeded,operator",
        "update_partner_user,succeeded,operator",
        "ben +helpdesk_agent -sales_agent",
    ] {
        assert!(log.contains(row), "{row} is not in {log}");
    }
}

/// Case 7, 8 and 22 of what partners automate: one sheet of everything of all customers, software that only orders show
/// among it.
#[test]
fn a_sheet_of_all_subscriptions_tells_whose_each_is_and_holds_software_known_from_its_order_alone() {
    let book = Book::filled();
    let availability = |item: &str, terms: serde_json::Value| {
        let parts: Vec<&str> = item.split(':').collect();
        json!({ "id": parts[2], "productId": parts[0], "skuId": parts[1], "catalogItemId": item, "terms": terms,
            "isPurchasable": true, "attributes": { "objectType": "Availability" } })
    };
    let product = |id: &str, title: &str, kind: &str| json!({ "id": id, "title": title, "productType": { "id": kind }, "attributes": { "objectType": "Product" } });
    let yearly = json!([{ "duration": "P1Y", "billingCycle": "one_time" }]);
    let more = json!([
        product("DG7GMGF0EVER", "Office Standard", "SoftwarePerpetual"),
        availability("DG7GMGF0EVER:0001:DG7GMGF0EVR1", json!([{ "billingCycle": "one_time" }])),
        product("DG7GMGF0YEAR", "Server by the year", "Software"),
        availability("DG7GMGF0YEAR:0001:DG7GMGF0YEA1", yearly),
        { "id": "Order2", "referenceCustomerId": "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01", "billingCycle": "one_time",
          "currencyCode": "EUR", "creationDate": "2021-10-13T10:00:00Z", "status": "completed",
          "lineItems": [
            { "lineItemNumber": 0, "offerId": "DG7GMGF0EVER:0001:DG7GMGF0EVR1", "quantity": 1, "pricing": { "price": 250 } },
            { "lineItemNumber": 1, "offerId": "DG7GMGF0YEAR:0001:DG7GMGF0YEA1", "quantity": 3, "termDuration": "P1Y",
              "pricing": { "price": 90 } } ],
          "attributes": { "objectType": "Order" } }
    ]);
    // In whatever order the documents come: the order first, and what it bought is told afterwards.
    let rows = more.as_array().unwrap();
    book.write("order.json", &json!([rows[4]]).to_string());
    book.write("products.json", &json!(rows[..4]).to_string());
    book.run(&["import", "partner-center", "order.json"]).exits(0);
    assert_eq!(book.json(&["subscriptions", "list", "--all"]).as_array().unwrap().len(), 1);
    book.run(&["import", "partner-center", "products.json"]).exits(0);
    let sheet =
        |wheres: &[&str]| book.run(&[&["-o", "csv", "subscriptions", "list", "--all"], wheres].concat()).exits(0).out;
    assert_eq!(sheet(&[]).lines().count(), 2, "what orders alone tell of is asked for (VIS-ord)");
    let all = sheet(&["--where", "listed=true,false"]);
    assert_eq!(all.lines().count(), 4, "{all}");
    assert!(all.lines().next().unwrap().contains("CUSTOMER,CUSTOMER ID,"), "{all}");
    assert!(all.lines().skip(1).all(|line| line.contains("Brauhaus")), "{all}");
    assert!(all.contains("license_new,active,12,true,P1Y"), "{all}");
    let software = sheet(&["--where", "family=software_subscription"]);
    assert!(
        software.contains("software_subscription,expired,3,false,P1Y,one_time,2021-10-13T10:00:00Z,2022-10-13"),
        "{software}"
    );
    assert_eq!(sheet(&["--where", "family=software_perpetual"]).lines().count(), 2);
}

#[test]
fn a_customer_is_taken_on_and_may_buy_once_it_has_agreed() {
    let book = Book::filled();
    let made = book
        .run(&[
            "tenants",
            "create",
            "Duin School",
            "--domain",
            "duin.example",
            "--country",
            "NL",
            "--qualification",
            "education",
        ])
        .exits(0)
        .out;
    let shown = |path: &str| {
        let one = &book.json(&["tenants", "list", "--where", "domain=duin.example"])[0];
        one[path].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(
        (shown("id"), shown("country"), shown("qualification")),
        (made.trim().to_owned(), "NL".into(), "education".into())
    );
    book.run(&["tenants", "create", "Another", "--domain", "duin.example", "--country", "NL"])
        .exits(8)
        .says("domain_taken");
    book.run(&["tenants", "agree", "duin.example", "--on", "2199-01-01"]).exits(8).says("agreed_later");
    assert_eq!(shown("agreedAt"), "");
    book.run(&["tenants", "agree", "duin.example", "--on", "2020-01-02"]).exits(0).says("agreed on 2020-01-02");
    assert_eq!(shown("agreedAt"), "2020-01-02T00:00:00Z");
}

#[test]
fn what_customers_owe_is_told_by_hand_and_by_a_file() {
    let book = Book::filled();
    let account = || book.json(&["tenants", "list"])[0]["account"].clone();
    book.run(&["tenants", "account", "brauhaus.example", "--overdue", "120.00 EUR", "--since", "2026-03-01"])
        .exits(0)
        .says("120.00 EUR overdue");
    assert_eq!(account()["since"], "2026-03-01T00:00:00Z");
    book.write(
        "overdue.csv",
        "Customer,Overdue,Since\n=Brauhaus,5 EUR,2026-03-05\n=Brauhaus,7.50 USD,\nnobody.example,1 EUR,\n",
    );
    let told =
        book.run(&["-o", "json", "import", "accounts", "overdue.csv"]).exits(4).says("line 4: there is no customer");
    assert_eq!(told.json(), json!({ "recorded": 1, "refused": 1 }));
    assert_eq!(account()["overdue"].as_array().map(Vec::len), Some(2));
    book.write("overdue.csv", "customer,overdue\nbrauhaus.example,\n");
    book.run(&["import", "accounts", "overdue.csv"]).exits(0);
    assert!(account()["overdue"].as_array().is_none_or(Vec::is_empty), "{}", account());
    book.write("overdue.csv", "customer,owed\nx,1 EUR\n");
    book.run(&["import", "accounts", "overdue.csv"]).exits(2).says("there is no column \"owed\"");
    book.run(&["tenants", "label", "=Brauhaus", "segment=school"]).exits(0).says("school");
    assert_eq!(book.json(&["tenants", "list", "--where", "label.segment=school"]).as_array().map(Vec::len), Some(1));
    book.run(&["tenants", "label", "=Brauhaus", "segment="]).exits(0);
    assert_eq!(book.json(&["tenants", "list", "--where", "label.segment=school"]), json!([]));
}

/// A customer who has agreed, the catalogue, and a policy that lets small purchases pass.
fn shop() -> Book {
    let book = Book::new();
    let mut rows = vec![shop_world::customer(TENANT, "NL", "", true)];
    rows.extend(shop_world::catalogue().as_array().unwrap().clone());
    let attested = json!({ "attestationProperties": { "enforceAttestation": true, "attestationType": "Children" } });
    let once = json!([{ "billingCycle": "one_time" }]);
    rows.extend(shop_world::modern(ATTESTED, "For schools", "Software", once, attested));
    for (currency, amount) in [("EUR", "10.00"), ("USD", "11.00")] {
        rows.push(json!({ "product": ATTESTED, "billingCycle": "one_time", "currency": currency, "unitPrice": amount,
            "attributes": { "objectType": "Price" } }));
    }
    book.write("shop.json", &serde_json::Value::Array(rows).to_string());
    book.write(shop_world::POLICY.0, shop_world::POLICY.1);
    book.run(&["import", "partner-center", "shop.json"]).exits(0);
    book
}

const ATTESTED: &str = "DG7GMGF0ATTE:0001:DG7GMGF0ATT1";

#[test]
fn a_cart_is_made_of_several_lines_changed_and_checked_out_and_a_line_attests_and_names_its_currency() {
    let book = shop();
    let (suite, telephony, attested) = (shop_world::SUITE, shop_world::TELEPHONY, ATTESTED);
    let first = format!("{suite},quantity=10,term=P1Y,billing=monthly,name=Front desk, ground floor");
    let add_on = format!("{telephony},quantity=2,term=P1Y,add-on");
    let create = ["carts", "create", "-C", "anker.example", "--line", &first, "--line", &add_on, "--line", attested];
    let cart = book.json(&create);
    assert_eq!(cart["lineItems"][0]["friendlyName"], "Front desk, ground floor");
    assert_eq!(cart["lineItems"][0]["addonItems"][0]["quantity"], 2);
    assert_eq!(cart["lineItems"][1]["error"]["errorCode"], 10012, "{cart}");
    let id = cart["id"].as_str().unwrap();
    let shown = book.run(&["carts", "remove", id, "--line", "2"]).exits(0);
    assert!(shown.out.contains(suite) && !shown.out.contains(attested), "{}", shown.out);
    book.run(&["carts", "remove", id, "--line", "9"]).exits(4);
    let line = format!("{attested},quantity=3,currency=USD,attestation-accepted");
    let more = book.json(&["carts", "add", id, "--line", &line]);
    assert_eq!(more["lineItems"][1]["currencyCode"], "USD");
    assert!(more["lineItems"][1]["error"].is_null(), "{more}");
    let done = book.json(&["carts", "checkout", id]);
    assert_eq!(done["orders"].as_array().unwrap().len(), 2);
    assert_eq!(done["orders"][1]["lineItems"][0]["attestationAccepted"], true, "{done}");

    let buy = ["buy", "--customer", "anker.example", "--product", attested];
    book.run(&buy).exits(8).says("--attestation-accepted");
    let bought = book.json(&[&buy[..], &["--attestation-accepted", "--currency", "eur"]].concat());
    assert_eq!(bought["currencyCode"], "EUR");
    let bad = |line: &str| book.run(&["carts", "create", "-C", "anker.example", "--line", line]).exits(2).err;
    assert!(bad(&format!("{suite},quantiti=3")).contains("did you mean quantity"));
    assert!(bad("quantity=3").contains("begins with the item"));
    assert!(bad(&format!("{suite},quantity=many")).contains("no number"));
    bad(&add_on);
}
