//! Invoices and prices over HTTP, in Partner Center's shape: every member its documented answers have that is kept here.

use bursar::triggers;
use serde_json::{Value, json};

use crate::http_world::{OTHER, TENANT, Who, World, at, sub_id};

/// Two customers charged in January, published on 6 February.
async fn published() -> World {
    let world =
        World::with("[invoices]\npartner_id = \"3b33e682-00c3-41ee-9dd2-a548adf56438\"\nmpn_id = \"4391507\"\n").await;
    let body = json!({ "product": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "unitPrice": "150.00 EUR" });
    let path = format!("/v1/tenants/{TENANT}/prices");
    let said = world.call(Who::User("anna"), "PUT", &path, &[], body.to_string()).await;
    assert_eq!(said.status, 200, "{}", said.text);
    for (number, seats) in [(1, 12), (3, 11), (9, 6), (1, 13)] {
        let said = world.propose("anna", number, json!({ "kind": "quantity", "quantity": seats })).await;
        assert_eq!(said.status, 200, "{}", said.text);
    }
    triggers::advance(&world.app, at("2027-02-06T00:00:00Z")).await.unwrap();
    world
}

fn has(value: &Value, members: &[&str]) {
    let missing: Vec<_> = members.iter().filter(|name| value.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} of {value:#}");
}

#[tokio::test]
async fn an_invoice_is_shown_as_partner_center_shows_one() {
    let world = published().await;
    let list = world.get("/v1/invoices?size=10").await.json();
    assert_eq!((&list["totalCount"], &list["attributes"]["objectType"]), (&json!(1), &json!("Collection")));
    let invoice = world.get("/v1/invoices/G202701978").await.json();
    assert_eq!(list["items"][0], invoice);
    has(
        &invoice,
        &[
            "id",
            "invoiceDate",
            "billingPeriodStartDate",
            "billingPeriodEndDate",
            "totalCharges",
            "currencyCode",
            "currencySymbol",
            "invoiceDetails",
            "documentType",
            "invoiceType",
            "links",
            "attributes",
        ],
    );
    assert_eq!(invoice["billingPeriodStartDate"], "2027-01-01T00:00:00Z");
    assert_eq!(invoice["billingPeriodEndDate"], "2027-01-31T23:59:59Z");
    assert_eq!((&invoice["lineItems"], &invoice["customers"]), (&json!(8), &json!(2)));
    assert_eq!(invoice["documentType"], "invoice");
    let detail = &invoice["invoiceDetails"][0];
    assert_eq!(
        (&detail["billingProvider"], &detail["invoiceLineItemType"]),
        (&json!("one_time"), &json!("billing_line_items"))
    );
    assert_eq!(detail["attributes"]["objectType"], "InvoiceDetail");
    // Two seats, one, one and one more of 120.00 EUR a year, 364 of 365 days each.
    assert_eq!(invoice["totalCharges"].to_string(), "598.35");
    // The link of an invoice names it with its type before it.
    assert_eq!(world.get("/v1/invoices/OneTime-G202701978").await.json(), invoice);
    world.get("/v1/invoices/G202702978").await.is(404, "not_found");
    world.get("/v1/invoices/nonsense").await.is(400, "bad_id");
    world.get("/v1/invoices?color=red").await.is(400, "unknown_parameter");
    assert_eq!(world.get("/v1/invoices?currency=USD").await.json()["totalCount"], 0);
}

#[tokio::test]
async fn what_was_paid_is_told_by_the_billing_system_and_the_account_shows_what_is_not() {
    let world = published().await;
    let account = "/v1/invoices/G202701978/account";
    let total = world.get("/v1/invoices/G202701978").await.json();
    assert_eq!((&total["paidAmount"], total["totalCharges"].to_string()), (&json!(0), "598.35".to_owned()));
    let summary = world.get("/v1/invoices/summary").await.json();
    has(
        &summary,
        &[
            "balanceAmount",
            "currencyCode",
            "currencySymbol",
            "accountingDate",
            "firstInvoiceCreationDate",
            "lastPaymentDate",
            "lastPaymentAmount",
            "latestInvoiceDate",
            "details",
            "links",
            "attributes",
        ],
    );
    assert_eq!(
        (summary["balanceAmount"].to_string(), &summary["lastPaymentDate"]),
        ("598.35".to_owned(), &json!("0001-01-01T00:00:00"))
    );
    assert_eq!(summary["attributes"]["objectType"], "InvoiceSummary");
    let told = json!({ "paid": "100.00 EUR", "at": "2027-02-05T09:00:00Z" });
    let paid = world.post("anna", account, told.clone()).await.is(200, "").json();
    assert_eq!(paid["paidAmount"].as_f64(), Some(100.0));
    // Told again it changes nothing; more of it is what came last.
    assert_eq!(world.post("anna", account, told).await.is(200, "").json(), paid);
    world.post("anna", account, json!({ "paid": "598.35 EUR" })).await.is(200, "");
    let summary = world.get("/v1/invoices/summary?currency=EUR").await.json();
    assert_eq!((summary["balanceAmount"].as_f64(), summary["lastPaymentAmount"].as_f64()), (Some(0.0), Some(498.35)));
    assert_eq!(summary["details"][0]["invoiceType"], "OneTime");
    assert_eq!(summary["details"][0]["summary"]["balanceAmount"], summary["balanceAmount"]);
    let all = world.get("/v1/invoices/summaries").await.json();
    assert_eq!((&all["totalCount"], &all["items"][0]), (&json!(1), &summary));
    for (body, status, code) in [
        (json!({ "paid": "1.00 USD" }), 409, "currency_differs"),
        (json!({ "paid": "-1.00 EUR" }), 422, "price_invalid"),
        (json!({ "paid": "1.00 EUR", "at": "2027-02-06T00:00:01Z" }), 422, "in_the_future"),
        (json!({}), 422, "missing_field"),
    ] {
        world.post("anna", account, body).await.is(status, code);
    }
    world.post("anna", "/v1/invoices/G202702978/account", json!({ "paid": "1.00 EUR" })).await.is(404, "not_found");
    world.get("/v1/invoices/summary?currency=USD").await.is(404, "not_found");
    let some = world.token("some", &["tenants.account", "invoices.read"], Some(&[OTHER])).await;
    let ask = json!({ "paid": "1.00 EUR" }).to_string();
    world.call(Who::Token(&some), "POST", account, &[], ask).await.is(403, "forbidden");
    world.call(Who::Token(&some), "GET", "/v1/invoices/summary", &[], "").await.is(403, "forbidden");
}

const ITEMS: &str = "/v1/invoices/G202701978/lineitems?provider=onetime&invoicelineitemtype=billinglineitems";

/// The line of so many seats that charges them, or gives them back.
fn of_seats(items: &[Value], seats: i64, credit: bool) -> &Value {
    let is =
        |item: &&Value| item["quantity"] == seats && (item["effectiveUnitPrice"].as_f64().unwrap() < 0.0) == credit;
    items.iter().find(is).unwrap()
}

#[tokio::test]
async fn a_line_item_has_what_partner_center_shows_of_one() {
    let world = published().await;
    let all = world.get(&format!("{ITEMS}&size=2000&offset=0")).await.json();
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 8);
    has(
        &items[0],
        &[
            "partnerId",
            "customerId",
            "customerName",
            "customerDomainName",
            "customerCountry",
            "invoiceNumber",
            "mpnId",
            "orderId",
            "orderDate",
            "productId",
            "skuId",
            "availabilityId",
            "productName",
            "skuName",
            "productQualifiers",
            "chargeType",
            "unitPrice",
            "effectiveUnitPrice",
            "quantity",
            "subtotal",
            "taxTotal",
            "totalForCustomer",
            "currency",
            "publisherName",
            "subscriptionDescription",
            "subscriptionId",
            "subscriptionStartDate",
            "subscriptionEndDate",
            "chargeStartDate",
            "chargeEndDate",
            "termAndBillingCycle",
            "alternateId",
            "pricingCurrency",
            "billableQuantity",
            "billingFrequency",
            "attributes",
        ],
    );
    let first = &items[0];
    assert_eq!(
        (&first["partnerId"], &first["mpnId"]),
        (&json!("3b33e682-00c3-41ee-9dd2-a548adf56438"), &json!("4391507"))
    );
    assert_eq!((&first["customerId"], &first["customerName"]), (&json!(TENANT), &json!("Anker BV")));
    assert_eq!(
        (&first["productId"], &first["skuId"], &first["availabilityId"]),
        (&json!("CFQ7TTC0LIFE"), &json!("0001"), &json!("CFQ7TTC0LF01"))
    );
    assert_eq!((&first["chargeType"], &first["quantity"]), (&json!("addQuantity"), &json!(10)));
    assert_eq!(
        (&first["chargeStartDate"], &first["chargeEndDate"]),
        (&json!("2027-01-10T00:00:00Z"), &json!("2028-01-08T00:00:00Z"))
    );
    assert_eq!(first["termAndBillingCycle"], "One-year commitment for annual billing");
    assert_eq!(
        (&first["billingFrequency"], &first["attributes"]["objectType"]),
        (&json!(""), &json!("OneTimeInvoiceLineItem"))
    );
    assert_eq!(items[1]["atCustomerPrice"]["unitPrice"], json!(150.0));
    // The third change of the same subscription takes back what the first one recreated.
    let (recreated, wiped) = (of_seats(items, 12, false), of_seats(items, 12, true));
    assert_eq!(wiped["reverses"], recreated["lineId"]);
}

#[tokio::test]
async fn line_items_go_page_by_page_with_the_token_of_the_page_before() {
    let world = published().await;
    let all = world.get(ITEMS).await.json();
    let items = all["items"].as_array().unwrap();
    // Page by page with the token of the page before, in a header as Partner Center's clients send it, or as a cursor.
    let (mut paged, mut token) = (Vec::new(), None::<String>);
    loop {
        let said = match &token {
            None => world.get(&format!("{ITEMS}&size=3")).await,
            Some(token) => {
                let headers = [("ms-continuationtoken", token.as_str())];
                let path = format!("{ITEMS}&size=3&seekOperation=Next");
                world.call(Who::User("anna"), "GET", &path, &headers, "").await
            }
        };
        let page = said.json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let next = &page["links"]["next"];
        token = page["continuationToken"].as_str().map(str::to_owned);
        if token.is_none() {
            assert!(next.is_null());
            break;
        }
        assert_eq!(next["headers"][0]["key"], "MS-ContinuationToken");
        assert_eq!(next["headers"][0]["value"].as_str(), token.as_deref());
    }
    assert_eq!(&paged, items);
    let rest = world.get(&format!("{ITEMS}&offset=6")).await.json();
    assert_eq!(rest["items"].as_array().unwrap()[..], items[6..]);
}

#[tokio::test]
async fn line_items_are_those_asked_for_and_a_question_that_is_none_is_refused() {
    let world = published().await;
    for (query, count) in [("provider=office", 0), ("provider=all", 8), ("invoicelineitemtype=UsageLineItems", 0)] {
        let path = format!("/v1/invoices/G202701978/lineitems?{query}");
        assert_eq!(world.get(&path).await.json()["items"].as_array().unwrap().len(), count, "{query}");
    }
    for (query, code) in [
        ("provider=nobody", "bad_query"),
        ("size=0", "bad_query"),
        ("size=2001", "bad_query"),
        ("offset=-1", "bad_query"),
        ("seekOperation=Next", "bad_query"),
        ("cursor=AAAA", "bad_cursor"),
        ("cursor=%2B", "bad_cursor"),
        ("colour=red", "unknown_parameter"),
    ] {
        world.get(&format!("/v1/invoices/G202701978/lineitems?{query}")).await.is(400, code);
    }
}

#[tokio::test]
async fn a_customers_part_is_its_lines_and_no_others() {
    let world = published().await;
    let other = world.get(&format!("/v1/invoices/G202701978/lineitems?customer={OTHER}")).await.json();
    let items = other["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["customerId"] == OTHER && item["subscriptionId"] == sub_id(9)));
    let part = world.get(&format!("/v1/invoices/G202701978/customers/{OTHER}")).await.json();
    assert_eq!((&part["lines"], &part["total"], &part["currency"]), (&json!(2), &json!("119.67"), &json!("EUR")));
    let bound = world.token("customer", &["invoices.read"], Some(&[OTHER])).await;
    let ask = |path: &'static str| world.call(Who::Token(&bound), "GET", path, &[], "");
    assert_eq!(ask("/v1/invoices/G202701978/lineitems").await.json()["items"].as_array().unwrap(), items);
    ask("/v1/invoices/G202701978").await.is(403, "forbidden");
    ask("/v1/invoices/unbilled").await.is(403, "forbidden");
}

#[tokio::test]
async fn prices_are_set_listed_and_taken_away_and_the_ledger_shows_the_margin() {
    let world = published().await;
    let path = format!("/v1/tenants/{TENANT}/prices");
    let put = |body: Value| {
        let path = path.clone();
        let world = &world;
        async move { world.call(Who::User("anna"), "PUT", &path, &[], body.to_string()).await }
    };
    put(json!({ "product": "x", "unitPrice": "9.00 EUR", "termDuration": "P1Y", "billingCycle": "monthly" })).await;
    let listed = world.get(&path).await.json();
    let products: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|one| one["product"].as_str().unwrap()).collect();
    assert_eq!(products, ["cfq7ttc0life:0001:cfq7ttc0lf01", "x"]);
    put(json!({ "product": "x" })).await.is(422, "missing_field");
    put(json!({ "product": "x", "unitPrice": "nine" })).await.is(422, "bad_money");
    put(json!({ "product": "x", "unitPrice": "-1.00 EUR" })).await.is(422, "price_invalid");
    put(json!({ "product": "x", "unitPrice": null })).await.is(404, "not_found");
    let gone =
        put(json!({ "product": "x", "unitPrice": null, "termDuration": "P1Y", "billingCycle": "monthly" })).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(world.get(&path).await.json()["items"].as_array().unwrap().len(), 1);
    let lines = world.get("/v1/ledger?kind=addQuantity").await.json();
    let line = lines["items"].as_array().unwrap().iter().find(|line| line["quantity"] == 13).unwrap().clone();
    // 13 seats for 364 of 365 days: 120.00 costs 1555.72, 150.00 gives 1944.65.
    assert_eq!((&line["amount"], &line["atCustomerPrice"]["amount"]), (&json!("1555.72"), &json!("1944.65")));
    assert_eq!((&line["margin"], &line["total"]), (&json!("388.93"), &json!("1555.72")));
    let unbilled = world.get("/v1/invoices/unbilled").await.json();
    assert_eq!(unbilled["items"], json!([]));
    world.propose("anna", 4, json!({ "kind": "quantity", "quantity": 11 })).await;
    let unbilled = world.get(&format!("/v1/invoices/unbilled?customer={TENANT}")).await.json();
    assert_eq!((&unbilled["items"][0]["lines"], &unbilled["items"][0]["currency"]), (&json!(2), &json!("EUR")));
    assert_eq!(unbilled, world.get("/v1/invoices/unbilled").await.json());
}
