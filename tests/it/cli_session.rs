//! A first day in the shell, with the policies that ship: buying, a trial that becomes paid, seats taken back inside their
//! windows, a base suspended with its add-on, a window that was missed, software cancelled with its key, the log as each
//! role sees it, the move off KMS, help from support, the invoice of the month, a customer who reads its own key.

use serde_json::{Value, json};

use super::cli_run::{Book, Ran};

const CUSTOMER: &str = "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01";
const SUITE: &str = "CFQ7TTC0SU01:0001:CFQ7TTC0SA01";
const TRIAL: &str = "CFQ7TTC0TR01:0001:CFQ7TTC0TA01";
const OFFICE: &str = "DG7GMGF0PE01:0001:DG7GMGF0PA01";
const MAIL: &str = "0b00c0de-0001-4000-8000-000000000001";
const ARCHIVE: &str = "0b00c0de-0002-4000-8000-000000000002";

fn modern(item: &str, title: &str, kind: &str, terms: &Value, is_trial: bool) -> Vec<Value> {
    let parts: Vec<&str> = item.split(':').collect();
    let (least, most) = if is_trial { (25, 25) } else { (1, 300) };
    vec![
        json!({ "id": parts[0], "title": title, "productType": { "id": kind }, "attributes": { "objectType": "Product" } }),
        json!({ "id": parts[1], "productId": parts[0], "title": title, "minimumQuantity": least, "maximumQuantity": most,
            "isTrial": is_trial, "attributes": { "objectType": "Sku" } }),
        json!({ "id": parts[2], "productId": parts[0], "skuId": parts[1], "catalogItemId": item, "isPurchasable": true,
            "isTrial": is_trial, "terms": terms, "attributes": { "objectType": "Availability" } }),
    ]
}

fn price(item: &str, term: &str, cycle: &str, amount: &str) -> Value {
    let mut row = json!({ "product": item, "billingCycle": cycle, "currency": "EUR", "unitPrice": amount,
        "attributes": { "objectType": "Price" } });
    if !term.is_empty() {
        row["termDuration"] = term.into();
    }
    row
}

fn catalogue() -> Value {
    let plans =
        json!([{ "duration": "P1M", "billingCycle": "monthly" }, { "duration": "P1Y", "billingCycle": "monthly" }]);
    let mut rows = modern(SUITE, "Office Suite", "OnlineServicesNCE", &plans, false);
    let free = json!([{ "duration": "P1M", "billingCycle": "none" }]);
    rows.extend(modern(TRIAL, "Office Suite Trial", "OnlineServicesNCE", &free, true));
    rows.extend(modern(
        OFFICE,
        "Office Standard",
        "SoftwarePerpetual",
        &json!([{ "billingCycle": "one_time" }]),
        false,
    ));
    let offer = |id: &str, name: &str, bases: Value| {
        json!({ "id": id, "name": name, "minimumQuantity": 1, "maximumQuantity": 300, "billing": "license",
            "isAddOn": bases != json!([]), "prerequisiteOffers": bases, "supportedBillingCycles": ["monthly"], "term": 1,
            "termUnitOfMeasure": "Year", "isMicrosoftProduct": true, "attributes": { "objectType": "Offer" } })
    };
    rows.push(offer(MAIL, "Classic Mail", json!([])));
    rows.push(offer(ARCHIVE, "Classic Archive", json!([MAIL])));
    rows.extend([
        price(SUITE, "P1M", "monthly", "12.00"),
        price(SUITE, "P1Y", "monthly", "10.00"),
        price(OFFICE, "", "one_time", "431.00"),
        price(MAIL, "P1Y", "monthly", "4.00"),
        price(ARCHIVE, "P1Y", "monthly", "1.50"),
        json!({ "id": CUSTOMER,
            "companyProfile": { "tenantId": CUSTOMER, "companyName": "Havenlicht BV", "domain": "havenlicht.example" },
            "billingProfile": { "defaultAddress": { "country": "NL" } },
            "agreements": [{ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2026-01-01T00:00:00Z" }],
            "attributes": { "objectType": "Customer" } }),
    ]);
    Value::Array(rows)
}

const PEOPLE: [(&str, &str); 10] = [
    ("greta", "global_admin"),
    ("anna", "admin_agent"),
    ("olaf", "admin_agent"),
    ("bea", "billing_admin"),
    ("sam", "sales_agent"),
    ("hugo", "helpdesk_agent"),
    ("uma", "user_management_admin"),
    ("acc", "account_admin"),
    ("ref", "referral_admin"),
    ("mark", "marketing_content_admin"),
];

/// A shop with the policies that ship, a catalogue, a customer and somebody in every role.
fn shop() -> Book {
    let book = Book::new();
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for entry in std::fs::read_dir(policies).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "rhai") {
            std::fs::copy(&path, book.path("policies").join(path.file_name().unwrap())).unwrap();
        }
    }
    book.write("shop.json", &catalogue().to_string());
    book.run(&["import", "partner-center", "shop.json"]).exits(0);
    for (name, role) in PEOPLE {
        let address = format!("{name}@partner.example");
        book.run(&["users", "create", name, "--email", &address, "--role", role]).exits(0);
    }
    book.run(&["users", "roles", "sam", "--assign", "havenlicht.example"]).exits(0);
    book
}

fn by(book: &Book, name: &str, line: &str) -> Ran {
    let words: Vec<&str> = ["--as", name].into_iter().chain(line.split_whitespace()).collect();
    book.run(&words)
}

/// Buys something and answers its subscription.
fn bought(book: &Book, line: &str) -> String {
    let done = by(book, "anna", &format!("-o json buy --customer havenlicht.example {line}")).exits(0).json();
    done["lineItems"][0]["subscriptionId"].as_str().unwrap().to_owned()
}

fn request_of(told: &str) -> String {
    told.split_whitespace().find(|word| word.starts_with("req_")).unwrap().to_owned()
}

#[test]
fn seats_go_back_inside_the_window_of_their_batch_and_a_missed_window_says_so() {
    let book = shop();
    by(&book, "anna", &format!("buy --customer havenlicht.example --product {SUITE} --quantity 5"))
        .exits(8)
        .says("--term and --billing");
    let suite = bought(&book, &format!("--product {SUITE} --quantity 5 --term P1Y --billing monthly"));
    let seats = |count: u32| by(&book, "anna", &format!("subscriptions quantity {suite} {count}"));
    assert!(seats(8).exits(0).out.contains("charge 30.00 EUR"));
    book.run(&["clock", "advance", "P3D"]).exits(0);
    seats(10).exits(0);
    book.run(&["clock", "advance", "P3DT12H"]).exits(0);
    // Both batches are open: three seats go, then the two that came later.
    assert!(seats(7).exits(0).out.contains("refund"));
    assert!(seats(5).exits(0).out.contains("refund"));
    book.run(&["clock", "advance", "P4D"]).exits(0);
    seats(4).exits(8).says("800090");
    by(&book, "anna", &format!("subscriptions cancel {suite} --reason customer_request"))
        .exits(8)
        .says("it could be cancelled before 2026-04-08T00:00:00Z; ")
        .says("stay owed by the partner")
        .says("(window_closed)");
}

#[test]
fn a_trial_becomes_paid_by_request_and_a_base_goes_off_with_its_add_on() {
    let book = shop();
    let trial = bought(&book, &format!("--product {TRIAL} --quantity 25"));
    by(&book, "anna", &format!("subscriptions quantity {trial} 30")).exits(8).says("trial_is_fixed");
    let plan = format!("subscriptions convert {trial} --quantity 30 --term P1Y --billing monthly --offer {SUITE}");
    assert!(by(&book, "anna", &plan).exits(0).out.contains("charge 300.00 EUR"));
    let mail = bought(&book, &format!("--product {MAIL} --quantity 3 --billing monthly"));
    let alone = format!("buy --customer havenlicht.example --product {ARCHIVE} --quantity 2 --billing monthly");
    by(&book, "anna", &alone).exits(8).says(&mail).says("name it with --base");
    let archive = bought(&book, &format!("--product {ARCHIVE} --quantity 2 --billing monthly --base {mail}"));

    let waits = by(&book, "anna", &format!("subscriptions suspend {mail} --reason non_payment")).exits(10);
    let id = request_of(&waits.out);
    // The same again is the one that waits; another reason is not taken for it.
    assert_eq!(request_of(&by(&book, "anna", &format!("subscriptions suspend {mail} --reason non_payment")).out), id);
    let other = by(&book, "anna", &format!("subscriptions suspend {mail} --reason fraud")).exits(10);
    assert!(
        format!("{}{}", other.out, other.err).contains("another suspension is open already, proposed by user:anna"),
        "{}{}",
        other.out,
        other.err
    );
    by(&book, "hugo", &format!("requests approve {id}")).exits(8).says("does not hold the grant");
    // Suspensions are decided by who cares for customers, whatever they are for.
    by(&book, "bea", &format!("requests approve {id}")).exits(8).says("does not hold the grant");
    by(&book, "olaf", &format!("requests approve {id}")).exits(0);
    let off = book.json(&["subscriptions", "list", "--where", "status=suspended"]);
    assert_eq!(off.as_array().unwrap().len(), 2, "{off}");
    assert!(off.as_array().unwrap().iter().all(|sub| sub["deletionDate"].is_string()), "S-show: {off}");
    by(&book, "anna", &format!("subscriptions reactivate {archive}")).exits(8).says("27009");
    by(&book, "anna", &format!("subscriptions reactivate {mail}")).exits(0);
    by(&book, "anna", &format!("subscriptions reactivate {archive}")).exits(0);
}

#[test]
fn software_is_cancelled_by_an_admin_agent_its_key_goes_and_each_role_sees_its_part_of_the_log() {
    let book = shop();
    let office = bought(&book, &format!("--product {OFFICE} --quantity 2"));
    let kept = bought(&book, &format!("--product {OFFICE} --quantity 1"));
    book.write("key.txt", "AAAAA-BBBBB\n");
    for id in [&office, &kept] {
        by(&book, "anna", &format!("keys put {id} -C havenlicht.example --key-file key.txt")).exits(0);
    }
    for name in ["greta", "bea", "sam", "hugo", "acc"] {
        by(&book, name, &format!("keys get {office} -C {CUSTOMER}")).exits(8).says("forbidden");
    }
    assert!(by(&book, "anna", &format!("keys get {office} -C {CUSTOMER}")).exits(0).out.contains("AAAAA-BBBBB"));
    // Several orders of it: one is chosen; then it is acknowledged; then two people say yes.
    let order = book.json(&["subscriptions", "show", &office])["orderId"].as_str().unwrap().to_owned();
    let cancel = ["--as", "anna", "cancel", "--customer", "Havenlicht BV", "--product", "Office Standard"];
    book.run(&cancel).exits(8).says(&order);
    let one = [&cancel[..], &["--order", &order]].concat();
    book.run(&one).exits(8).says("--acknowledge");
    let as_greta: Vec<&str> =
        ["--as", "greta"].into_iter().chain(one[2..].iter().copied()).chain(["--acknowledge"]).collect();
    book.run(&as_greta).exits(8).says("forbidden");
    let waits = book.run(&[&one[..], &["--acknowledge"]].concat()).exits(10).says("30 days are left");
    let id = request_of(&waits.out);
    by(&book, "anna", &format!("requests approve {id}")).exits(8).says("self_approval");
    by(&book, "olaf", &format!("requests approve {id}")).exits(0);
    by(&book, "anna", &format!("keys get {office} -C {CUSTOMER}")).exits(8).says("key_revoked");
    let software = book.json(&["software", "list", "-C", "havenlicht.example"]);
    let state = |id: &str| {
        software.as_array().unwrap().iter().find(|one| one["subscription"] == id).unwrap()["keyState"].clone()
    };
    assert_eq!((state(&office), state(&kept)), (json!("revoked"), json!("available")));

    let seen = |name: &str| by(&book, name, "-o json activity list --all").exits(0).json();
    let operations = |log: &Value| {
        let rows = log.as_array().unwrap().iter();
        let mut words: Vec<String> = rows.map(|row| row["operation"].as_str().unwrap().to_owned()).collect();
        words.sort();
        words.dedup();
        words
    };
    let everything = seen("greta");
    assert!(everything.as_array().unwrap().len() > 20, "{everything}");
    for name in ["acc", "ref", "mark"] {
        assert_eq!(operations(&seen(name)), ["get_software_key", "get_software_key.refused"], "{name}");
    }
    let own = seen("anna");
    assert!(own.as_array().unwrap().iter().all(|row| row["by"] == "user:anna"), "{own}");
    for name in ["sam", "hugo"] {
        assert_eq!(operations(&seen(name)), ["get_software_key.refused"], "what they tried is all they have done");
    }
    assert!(operations(&seen("bea")).contains(&"order.cancelled".to_owned()), "what was credited");
    by(&book, "uma", "activity list").exits(8).says("forbidden");
    let csv = by(&book, "greta", "activity csv --from 2026-04-01 --to 2026-05-01").exits(0).out;
    assert!(csv.contains("get_software_key"), "{csv}");
    book.run(&["verify"]).exits(0);

    // The customer's Global admin reads its own key and nothing else.
    let invited = ["users", "create", "ivo", "--email", "ivo@havenlicht.example", "--role", "customer_global_admin"];
    book.run(&[&invited[..], &["--customer", "havenlicht.example"]].concat()).exits(0);
    assert!(by(&book, "ivo", &format!("keys get {kept} -C {CUSTOMER}")).exits(0).out.contains("AAAAA-BBBBB"));
    by(&book, "ivo", &format!("keys get {office} -C {CUSTOMER}")).exits(8).says("key_revoked");
    for line in ["subscriptions list", "tenants list", "activity list", "orders list", "invoices list"] {
        by(&book, "ivo", line).exits(8).says("forbidden");
    }
}

#[test]
fn the_move_off_kms_help_from_support_and_the_invoice_of_the_month() {
    let book = shop();
    for (device, day) in [("SRV-01", "2025-10-20"), ("SRV-02", "2026-03-01")] {
        let at = format!("{day}T00:00:00Z");
        let record = [
            "activations",
            "record",
            "-C",
            "havenlicht.example",
            "--device",
            device,
            "--product",
            "Windows Server",
            "--at",
            &at,
        ];
        book.run(&record).exits(0);
    }
    let near = book.json(&["activations", "list", "--within", "P30D"]);
    assert_eq!((&near[0]["device"], &near[0]["deadline"]), (&json!("SRV-01"), &json!("2026-04-18T00:00:00Z")));
    let moved =
        ["activations", "moved", "-C", "havenlicht.example", "--device", "SRV-02", "--product", "Windows Server"];
    book.run(&moved).exits(0);
    let contact = [
        "--contact-name",
        "Anna Berg",
        "--contact-email",
        "anna@partner.example",
        "--contact-phone",
        "+31 20 555 0100",
    ];
    let help = [&["--as", "anna", "activations", "ask-for-help", "-C", "havenlicht.example"][..], &contact].concat();
    let told = book.run(&help).exits(0).out;
    assert!(told.contains("Move of 1 device from KMS to MAK"), "{told}");
    assert!(!told.contains("\\u{"), "lines of a text are lines: {told}");

    let suite = bought(&book, &format!("--product {SUITE} --quantity 5 --term P1Y --billing monthly"));
    let waits = by(&book, "anna", &format!("subscriptions suspend {suite} --reason customer_request")).exits(10);
    let request = request_of(&waits.out);
    let refund = [
        "--as",
        "hugo",
        "support",
        "create",
        "--customer",
        "havenlicht.example",
        "--request",
        &request,
        "--impact",
        "paid twice",
        "--title",
        "Double purchase",
        "--refund-reason",
        "bought twice",
        "--amount",
        "50.00 EUR",
    ];
    book.run(&[&refund[..], &contact].concat()).exits(0);
    let linked = book.json(&["support", "list", "--where", &format!("request={request}")]);
    assert_eq!(linked.as_array().unwrap().len(), 1, "{linked}");
    assert_eq!(linked[0]["request"], request.as_str());

    book.run(&["clock", "advance", "--to", "2026-05-06T00:00:00Z"]).exits(0);
    let listed = book.run(&["invoices", "list"]).exits(0).out;
    assert!(listed.contains(" 50.00 "), "amounts have the places of their currency: {listed}");
    let id = book.json(&["invoices", "list"])[0]["id"].as_str().unwrap().to_owned();
    let csv = book.run(&["invoices", "csv", &id, "--customer", "havenlicht.example"]).exits(0).out;
    assert!(csv.contains(",10.00,") && csv.contains(",50.00,"), "{csv}");
    let part = book.json(&["invoices", "statement", &id, "Havenlicht BV"]);
    assert_eq!(part["total"], "50.00");
}
