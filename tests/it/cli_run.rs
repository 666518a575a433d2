//! Runs the built program as a person does: in a folder of its own, with a manual clock.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The subscription of the fixture.
pub(crate) const SUBSCRIPTION: &str = "a0000000-0000-4000-8000-000000000001";
pub(crate) const START: &str = "2026-04-01T00:00:00Z";

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Ends the test unless it ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, exit: i32) -> Ran {
        assert_eq!(self.exit, exit, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Ends the test unless the talk holds this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "{text:?} is not in {}", self.err);
        self
    }
}

/// A folder that `bursar init` made, and goes away.
pub(crate) struct Book {
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn bursar(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.current_dir(dir).args(arguments).stdin(Stdio::null());
    for name in
        ["BURSAR_CONFIG", "BURSAR_STORE", "BURSAR_LIBRARY", "BURSAR_LISTEN", "BURSAR_TOKEN", "BURSAR_LOG", "BURSAR_KEY"]
    {
        command.env_remove(name);
    }
    command
}

impl Book {
    /// A book with a manual clock and nothing in it.
    pub(crate) fn new() -> Book {
        let dir = tempfile::tempdir().unwrap();
        let book = Book { dir };
        book.run(&["init", ".", "--clock", "manual", "--at", START]).exits(0);
        book
    }

    /// The same with a customer, an order and a subscription that was bought the day before.
    pub(crate) fn filled() -> Book {
        let book = Book::new();
        book.write("book.json", &document());
        book.run(&["import", "partner-center", "book.json"]).exits(0);
        book
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = bursar(self.dir.path(), arguments).output().unwrap();
        Ran {
            exit: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["-o", "json"], arguments].concat()).exits(0).json()
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn serve(&self) -> Daemon {
        let log = std::fs::File::create(self.path("daemon.log")).unwrap();
        let mut command = bursar(self.dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let mut daemon =
            Daemon { child: command.stderr(log).stdout(Stdio::null()).spawn().unwrap(), url: String::new() };
        for _ in 0..200 {
            let log = std::fs::read_to_string(self.path("daemon.log")).unwrap();
            let ready = log.lines().find_map(|line| line.strip_prefix("READY "));
            if let Some(url) = ready.and_then(|line| line.split(' ').next()) {
                daemon.url = url.to_owned();
                return daemon;
            }
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the daemon is not ready: {}", std::fs::read_to_string(self.path("daemon.log")).unwrap());
    }
}

/// A running daemon; it is killed when the test ends before it was stopped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
}

impl Daemon {
    /// Asks it to stop as service managers do, and answers its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// One customer, one order with a price, one subscription, in Partner Center's JSON.
pub(crate) fn document() -> String {
    let customer = "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01";
    serde_json::json!({ "totalCount": 3, "items": [
        {
            "id": customer,
            "companyProfile": { "tenantId": customer, "domain": "brauhaus.example", "companyName": "=Brauhaus" },
            "billingProfile": { "defaultAddress": { "country": "DE" } },
            "attributes": { "objectType": "Customer" },
        },
        {
            "id": "Order1", "referenceCustomerId": customer, "billingCycle": "monthly", "currencyCode": "EUR",
            "lineItems": [{
                "lineItemNumber": 0, "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971", "subscriptionId": SUBSCRIPTION,
                "termDuration": "P1Y", "quantity": 12, "pricing": { "listPrice": 5.60, "price": 5.60 },
            }],
            "creationDate": "2026-03-31T10:00:00Z", "status": "completed",
            "attributes": { "objectType": "Order" },
        },
        {
            "id": SUBSCRIPTION, "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971", "offerName": "Business Basics",
            "friendlyName": "Front desk", "productType": { "id": "OnlineServicesNCE" }, "quantity": 12,
            "creationDate": "2026-03-31T10:00:00Z", "effectiveStartDate": "2026-03-31T00:00:00Z",
            "commitmentEndDate": "2027-03-30T00:00:00Z", "cancellationAllowedUntilDate": "2026-04-07T10:00:00Z",
            "status": "active", "autoRenewEnabled": true, "billingType": "license", "billingCycle": "monthly",
            "termDuration": "P1Y", "orderId": "Order1",
            "links": { "self": { "uri": format!("/customers/{customer}/subscriptions/{SUBSCRIPTION}") } },
            "attributes": { "objectType": "Subscription" },
        },
    ]})
    .to_string()
}
