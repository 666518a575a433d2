//! Calls from outside: what is taken, what is refused, and that nothing is taken twice.

use bursar::signature::{Secret, sign};
use bursar::triggers;
use serde_json::json;

use crate::http_world::{Said, TENANT, Who, World, at, secret_file, sub_id};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const OLD: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";
const UNIX: i64 = 1_799_582_400; // 2027-01-10T12:00:00Z

fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    sign(&Secret::parse(secret).unwrap(), id, timestamp, body.as_bytes())
}

async fn post(world: &World, headers: &[(&str, &str)], body: &str) -> Said {
    world.call(Who::Nobody, "POST", "/hooks/billing", headers, body.to_owned()).await
}

async fn signed(world: &World, id: &str, body: &str) -> Said {
    let signature = signature(SECRET, id, UNIX, body);
    let time = UNIX.to_string();
    post(world, &[("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &signature)], body).await
}

fn overdue() -> String {
    json!({ "type": "invoice.overdue", "timestamp": "2027-01-10T11:59:00Z", "data": { "tenantId": TENANT } })
        .to_string()
}

#[tokio::test]
async fn the_instant_of_the_tests_is_the_one_signed() {
    assert_eq!(at("2027-01-10T12:00:00Z").timestamp(), UNIX);
}

#[tokio::test]
async fn a_call_is_taken_once_and_does_what_its_file_says() {
    let world = World::new().await;
    let body = overdue();
    let one = signed(&world, "evt-1", &body).await;
    assert_eq!(one.status, 202, "{}", one.text);
    let id = one.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("dlv_"));
    let two = signed(&world, "evt-1", &body).await; // W8
    assert_eq!((two.status.as_u16(), two.json()["duplicate"].as_bool()), (200, Some(true)));
    assert_eq!(two.json()["id"], id.as_str());
    let other = body.replace("11:59", "11:58");
    signed(&world, "evt-1", &other).await.is(409, "event_id_reused"); // W9
    triggers::tick(&world.app).await.unwrap();
    let delivery = world.get(&format!("/v1/deliveries/{id}")).await.json();
    assert_eq!(
        (delivery["state"].as_str(), delivery["type"].as_str()),
        (Some("processed"), Some("invoice.overdue")),
        "{delivery}"
    );
    assert_eq!(world.get(&format!("/v1/subscriptions/{}", sub_id(1))).await.json()["status"], "suspended");
    let runs = world.get("/v1/runs").await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "once: {runs}");
    world.post("anna", &format!("/v1/deliveries/{id}/redrive"), json!({})).await.is(409, "nothing_to_redrive");
    let messages = world.get("/v1/messages?topic=subscription.suspended").await.json();
    let message = messages["items"][0]["id"].as_str().unwrap();
    world.post("anna", &format!("/v1/messages/{message}/resend"), json!({})).await.is(409, "already_sent");
}

#[tokio::test]
async fn headers_that_are_missing_or_malformed() {
    let world = World::new().await;
    let body = overdue();
    let time = UNIX.to_string();
    let good = signature(SECRET, "evt", UNIX, &body);
    let all = [("webhook-id", "evt"), ("webhook-timestamp", time.as_str()), ("webhook-signature", good.as_str())];
    for left_out in 0..3 {
        let headers: Vec<_> =
            all.iter().enumerate().filter(|(place, _)| *place != left_out).map(|(_, pair)| *pair).collect();
        post(&world, &headers, &body).await.is(400, "webhook_header_missing"); // W1
    }
    for id in ["a.b", "", &"x".repeat(300), "a b"] {
        let headers = [("webhook-id", id), all[1], all[2]];
        post(&world, &headers, &body).await.is(400, "bad_webhook_id"); // W4
    }
    for text in ["abc", "1e10", "9223372036854775808", "-1", ""] {
        let headers = [all[0], ("webhook-timestamp", text), all[2]];
        post(&world, &headers, &body).await.is(400, "bad_webhook_timestamp"); // W3
    }
    for away in [-301, 301] {
        let time = (UNIX + away).to_string();
        let signature = signature(SECRET, "evt", UNIX + away, &body);
        let headers = [all[0], ("webhook-timestamp", time.as_str()), ("webhook-signature", signature.as_str())];
        post(&world, &headers, &body).await.is(401, "timestamp_outside_tolerance");
    }
    for away in [-300, 300] {
        let (time, id) = ((UNIX + away).to_string(), format!("edge{away}"));
        let signature = signature(SECRET, &id, UNIX + away, &body);
        let headers = [("webhook-id", id.as_str()), ("webhook-timestamp", &time), ("webhook-signature", &signature)];
        assert_eq!(post(&world, &headers, &body).await.status, 202, "{away} s away is still good");
    }
    let many = vec![good.as_str(); 50].join(" ");
    post(&world, &[all[0], all[1], ("webhook-signature", &many)], &body).await.is(400, "too_many_signatures"); // W6
}

#[tokio::test]
async fn a_wrong_signature_is_told_in_one_text() {
    let world = World::new().await;
    let body = overdue();
    let good = signature(SECRET, "evt", UNIX, &body);
    let other_body = signature(SECRET, "evt", UNIX, "{}");
    let hex: String = good.bytes().map(|byte| format!("{byte:02x}")).collect();
    let rows = [
        other_body,
        signature(SECRET, "other", UNIX, &body),
        signature(OLD, "evt", UNIX, &body),
        good[..good.len() - 4].to_owned(),
        "x".to_owned(),
        format!("v1,{hex}"),
        good.replacen("v1,", "v0,", 1), // W5
        good.replacen("v1,", "v1a,", 1),
    ];
    let mut texts = std::collections::BTreeSet::new();
    let time = UNIX.to_string();
    for row in &rows {
        let headers =
            [("webhook-id", "evt"), ("webhook-timestamp", time.as_str()), ("webhook-signature", row.as_str())];
        texts.insert(post(&world, &headers, &body).await.is(401, "bad_signature").text); // W2
    }
    let spaced = format!("{body} ");
    let headers = [("webhook-id", "evt"), ("webhook-timestamp", time.as_str()), ("webhook-signature", good.as_str())];
    texts.insert(post(&world, &headers, &spaced).await.is(401, "bad_signature").text); // W7
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(world.get("/v1/deliveries").await.json()["items"].as_array().unwrap().is_empty(), "nothing was recorded");
}

#[tokio::test]
async fn a_secret_is_changed_while_the_old_one_still_counts() {
    let world = World::new().await;
    let file = world.folder.path().join("billing.secret");
    secret_file(&file, &[SECRET, OLD]);
    let body = overdue();
    let time = UNIX.to_string();
    let with_old = async |id: &str| {
        let signature = signature(OLD, id, UNIX, &body);
        let headers =
            [("webhook-id", id), ("webhook-timestamp", time.as_str()), ("webhook-signature", signature.as_str())];
        post(&world, &headers, &body).await
    };
    assert_eq!(with_old("evt-1").await.status, 202); // W10
    secret_file(&file, &[SECRET]);
    with_old("evt-2").await.is(401, "bad_signature");
    assert_eq!(signed(&world, "evt-3", &body).await.status, 202);
}

#[tokio::test]
async fn good_signatures_on_bodies_that_are_no_events() {
    let world = World::new().await;
    for (number, (body, status, code)) in [
        ("{", 400, "invalid_json"),
        ("[]", 422, "schema"),
        ("{}", 422, "schema"),
        (r#"{"type":5}"#, 422, "schema"),
        (r#"{"type":"a","type":"b"}"#, 400, "duplicate_key"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("evt-{number}");
        signed(&world, &id, body).await.is(status, code); // W11
        signed(&world, &id, body).await.is(status, code);
    }
    let all = world.get("/v1/deliveries?state=rejected").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 5, "each is recorded once: {all}");
    let ignored = signed(&world, "evt-x", r#"{"type":"invoice.unheard_of","data":{}}"#).await; // W13
    assert_eq!((ignored.status.as_u16(), ignored.json()["ignored"].as_bool()), (202, Some(true)));
    assert_eq!(triggers::tick(&world.app).await.unwrap().deliveries, 0, "nothing of it is processed");
}

#[tokio::test]
async fn a_hook_nobody_configured_is_not_there_however_it_is_called() {
    let world = World::new().await;
    let body = overdue();
    let good = signature(SECRET, "evt", UNIX, &body);
    let time = UNIX.to_string();
    let headers = [("webhook-id", "evt"), ("webhook-timestamp", time.as_str()), ("webhook-signature", good.as_str())];
    for headers in [&headers[..], &[]] {
        world.call(Who::Nobody, "POST", "/hooks/nobody", headers, body.clone()).await.is(404, "not_found"); // W12
    }
    assert_eq!(world.call(Who::Nobody, "GET", "/hooks/billing", &[], "").await.status, 401, "only POST is public");
}

#[tokio::test]
async fn partner_centers_events_are_unique_by_what_they_say() {
    let world = World::with("[hooks.partner]\nformat = \"partner_center\"\n").await;
    let event = json!({ "EventName": "subscription-updated", "ResourceUri": "https://api.example/1", "ResourceName": "subscription",
        "ResourceChangeUtcDate": "2027-01-10T11:00:00+00:00" });
    let call =
        async |body: serde_json::Value| world.call(Who::Nobody, "POST", "/hooks/partner", &[], body.to_string()).await;
    let one = call(event.clone()).await;
    assert_eq!(one.status, 202, "{}", one.text);
    assert_eq!(call(event.clone()).await.json()["duplicate"], true);
    let mut later = event;
    later["ResourceChangeUtcDate"] = json!("2027-01-10T11:05:00+00:00");
    assert_eq!(call(later).await.status, 202);
    call(json!({ "ResourceName": "subscription" })).await.is(422, "schema");
    let kept = world.get("/v1/deliveries?hook=partner").await.json();
    assert_eq!(kept["items"].as_array().unwrap().len(), 2, "what came unsigned and is no event leaves nothing: {kept}");
}

#[tokio::test]
async fn a_hook_that_is_called_too_often_is_slowed_down() {
    let world = World::new().await;
    let mut slowed = None;
    for _ in 0..6_000 {
        let said = post(&world, &[], "{}").await;
        if said.status == 429 {
            slowed = Some(said);
            break;
        }
        assert_eq!(said.code(), "webhook_header_missing");
    }
    let said = slowed.expect("a burst of thousands is slowed down").is(429, "rate_limited"); // W15
    assert_eq!(said.header("retry-after"), Some("1"));
}
