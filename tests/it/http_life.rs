//! Partner Center's resources below a subscription, and instructions sent back as clients send them.

use serde_json::{Value, json};

use crate::http_world::{TENANT, Who, World, sub_id};

fn theirs(number: u8, below: &str) -> String {
    format!("/v1/customers/{TENANT}/subscriptions/{}{below}", sub_id(number))
}

#[tokio::test]
async fn add_ons_provisioning_and_activation_links_are_shown() {
    let world = World::new().await;
    let none = world.get(&theirs(1, "/addons")).await.json();
    assert_eq!((none["totalCount"].as_i64(), none["attributes"]["objectType"].as_str()), (Some(0), Some("Collection")));
    let status = world.get(&theirs(1, "/provisioningstatus")).await.json();
    assert_eq!((status["status"].as_str(), status["quantity"].as_i64()), (Some("success"), Some(10)), "{status}");
    let links = world.get(&theirs(1, "/activationlinks")).await.json();
    assert_eq!(links["totalCount"], 0, "nothing here is activated by its publisher");
    let absent = sub_id(1).replace("22222222-2222", "22222222-9999");
    for below in ["addons", "provisioningstatus", "activationlinks"] {
        let path = format!("/v1/customers/{TENANT}/subscriptions/{absent}/{below}");
        world.get(&path).await.is(404, "not_found");
    }
}

#[tokio::test]
async fn a_conversion_of_what_is_no_trial_is_refused() {
    let world = World::new().await;
    let body = json!({ "OfferId": "C0BD2E08-11AC-4836-BDC7-3712E744922F", "Quantity": 25, "BillingCycle": "monthly",
        "Attributes": { "ObjectType": "Conversion" } });
    let said = world.post("anna", &theirs(1, "/conversions"), body).await.is(409, "not_a_trial");
    assert!(said.json()["request"].as_str().unwrap().starts_with("req_"));
    world.post("anna", &theirs(1, "/conversions"), json!([1])).await.is(422, "schema");
}

#[tokio::test]
async fn a_transition_names_an_offer_that_the_catalogue_lets_it_become() {
    let world = World::new().await;
    let body = json!({ "toCatalogItemId": "CFQ7TTC0LIFE:0009:CFQ7TTC0LF09", "quantity": 2 });
    world.post("anna", &theirs(1, "/transitions"), body).await.is(409, "no_upgrade_target");
    world.post("anna", &theirs(1, "/transitions"), json!({ "quantity": 2 })).await.is(422, "schema");
}

#[tokio::test]
async fn auto_renew_off_and_the_end_of_everything_are_one_change_of_a_patch() {
    let world = World::new().await;
    let patch = async |body: Value| world.call(Who::User("anna"), "PATCH", &theirs(1, ""), &[], body.to_string()).await;
    patch(json!({ "autoRenewEnabled": true, "cancelAtTermEnd": true })).await.is(409, "schema");
    let said = patch(json!({ "autoRenewEnabled": false, "cancelAtTermEnd": true })).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let shown = world.get(&theirs(1, "")).await.json();
    assert_eq!((&shown["autoRenewEnabled"], &shown["cancelAtTermEnd"]), (&json!(false), &json!(true)));
    let again = patch(json!({ "cancelAtTermEnd": true })).await;
    assert_eq!(again.status, 200, "what is so already asks nobody");
}

#[tokio::test]
async fn instructions_for_the_next_term_are_proposed_shown_and_taken_back_by_patch() {
    let world = World::new().await;
    let patch = async |body: Value| world.call(Who::User("anna"), "PATCH", &theirs(1, ""), &[], body.to_string()).await;
    let approved = async |said: crate::http_world::Said| {
        assert_eq!(said.status, 202, "{}", said.text);
        let path = format!("/v1/requests/{}/approve", said.json()["id"].as_str().unwrap());
        assert_eq!(world.post("ben", &path, json!({})).await.json()["state"], "applied");
    };
    let next = json!({ "product": { "billingCycle": "annual", "termDuration": "P1Y" }, "quantity": 7 });
    approved(patch(json!({ "scheduledNextTermInstructions": next })).await).await;
    let shown = world.get(&theirs(1, "")).await.json();
    assert_eq!(shown["scheduledNextTermInstructions"]["quantity"], 7, "{shown}");
    let same = patch(shown).await;
    assert_eq!(same.status, 200, "the whole record back changes nothing: {}", same.text);
    approved(patch(json!({ "scheduledNextTermInstructions": null })).await).await;
    assert_eq!(world.get(&theirs(1, "")).await.json().get("scheduledNextTermInstructions"), None);
    let plan = json!({ "nextChargeInstructions": { "product": { "billingCycle": "triennial" } } });
    patch(plan).await.is(409, "billing_plan_locked");
    patch(json!({ "nextChargeInstructions": 5 })).await.is(422, "schema");
}
