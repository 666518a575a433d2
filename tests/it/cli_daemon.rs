//! The command line beside a running daemon: over the operator's socket, or over HTTP with a token.

use serde_json::json;

use super::cli_run::{Book, SUBSCRIPTION};

#[test]
fn a_daemon_answers_the_operator_over_its_socket() {
    let book = Book::filled();
    let daemon = book.serve();
    let socket = std::fs::metadata(book.path("store.bursar.sock")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&socket.permissions()) & 0o777, 0o600);
    assert_eq!(book.json(&["subscriptions", "show", SUBSCRIPTION])["status"], "active");
    book.run(&["subscriptions", "auto-renew", SUBSCRIPTION, "off"]).exits(10);
    let waiting = book.json(&["requests", "list", "--where", "state=waiting"]);
    let id = waiting[0]["id"].as_str().unwrap().to_owned();
    book.run(&["--as", "anna", "requests", "approve", &id]).exits(0);
    assert_eq!(book.json(&["subscriptions", "show", SUBSCRIPTION])["autoRenewEnabled"], false);
    book.run(&["tick"]).exits(0).says("a daemon has the store");
    let copied = book.json(&["backup", "copy.bursar"]);
    assert_eq!(
        copied["rows"],
        book.json(&["verify", "copy.bursar"])["rows"],
        "a copy made while it is served is whole"
    );
    assert_eq!(book.json(&["verify"])["corrupt"], json!([]));
    book.run(&["backup", "copy.bursar"]).exits(7).says("already");
    let wrong = book.run(&["backup", "nowhere/x.bursar"]).exits(2).says("bad_path");
    assert!(wrong.err.contains("nowhere/x.bursar: No such file"), "{}", wrong.err);
    assert_eq!(daemon.stop(), 0);
    assert!(!book.path("store.bursar.sock").exists(), "the socket goes with the daemon");
    assert_eq!(book.json(&["subscriptions", "show", SUBSCRIPTION])["autoRenewEnabled"], false);
}

#[test]
fn over_http_a_token_says_what_may_be_done() {
    let book = Book::filled();
    let daemon = book.serve();
    let token = book.run(&["token", "create", "reader", "--grant", "subscriptions.read"]).exits(0).out;
    book.write("token", &token);
    let over = |arguments: &[&str]| {
        let common = ["--url", daemon.url.as_str(), "--token-file", "token"];
        book.run(&[&common, arguments].concat())
    };
    assert!(over(&["subscriptions", "list"]).exits(0).out.contains(SUBSCRIPTION));
    over(&["requests", "list"]).exits(8).says("forbidden");
    over(&["--as", "anna", "subscriptions", "list"]).exits(2).says("--as is for the operator");
    over(&["subscriptions", "suspend", SUBSCRIPTION, "--reason", "non_payment"]).exits(8);
    book.run(&["--url", &daemon.url, "subscriptions", "list"]).exits(8).says("BURSAR_TOKEN");
    let id = book.json(&["tokens", "list"])[0]["id"].as_str().unwrap().to_owned();
    book.run(&["token", "revoke", &id]).exits(0);
    over(&["subscriptions", "list"]).exits(8).says("unauthorized");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_hook_is_signed_and_counts_once() {
    let book = Book::filled();
    let toml = std::fs::read_to_string(book.path("bursar.toml")).unwrap();
    book.write("bursar.toml", &format!("{toml}\n[hooks.billing]\nsecret_file = \"billing.secret\"\n"));
    book.write("billing.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n");
    let secret = book.path("billing.secret");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    book.write("paid.json", r#"{"type":"invoice.paid","timestamp":"2026-04-01T00:00:00Z","data":{"tenantId":"x"}}"#);
    let send = ["hooks", "send", "billing", "--file", "paid.json", "--id", "evt_1"];
    book.run(&send).exits(0).says("taken");
    book.run(&send).exits(0).says("come before");
    book.write("paid.json", r#"{"type":"invoice.paid","timestamp":"2026-04-01T00:00:00Z","data":{}}"#);
    book.run(&send).exits(7);
    let late = [&send[..], &["--at", "2026-04-01T00:05:01Z"]].concat();
    book.run(&late).exits(8);
    book.run(&["hooks", "send", "biling", "--file", "paid.json"]).exits(2).says("did you mean billing?");
    let listed = book.json(&["deliveries", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["webhookId"]), (1, &json!("evt_1")));
}

#[test]
fn two_daemons_never_share_a_store() {
    let book = Book::new();
    let daemon = book.serve();
    book.run(&["serve", "--listen", "127.0.0.1:0"]).exits(75).says("open elsewhere");
    assert_eq!(book.json(&["clock", "show"])["kind"], "manual", "the first one still answers");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_secret_that_cannot_be_used_is_told_before_anybody_calls() {
    let book = Book::new();
    let toml = std::fs::read_to_string(book.path("bursar.toml")).unwrap();
    book.write("bursar.toml", &format!("{toml}\n[hooks.billing]\nsecret_file = \"billing.secret\"\n"));
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    book.run(&serve).exits(2).says("[hooks.billing] read");
    book.write("billing.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n");
    std::fs::set_permissions(book.path("billing.secret"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    book.run(&serve).exits(2).says("chmod 600");
    let told = book.run(&["check"]).exits(0);
    assert!(told.out.contains("warning[weak_secret]: [hooks.billing]"), "{}", told.out);
    std::fs::set_permissions(book.path("billing.secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(book.run(&["check"]).exits(0).out.is_empty());
    assert_eq!(book.serve().stop(), 0);
}
