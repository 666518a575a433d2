//! An application is closed by whoever embeds it: nothing more is taken, what was accepted is there, the file is free.

use std::time::Duration;

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::ops::{self, Rights};
use bursar::triggers;

use crate::world::at;

fn config(folder: &std::path::Path) -> Config {
    Config { store: folder.join("store.bursar"), library: folder.to_owned(), ..Config::default() }
}

fn open(config: &Config) -> App {
    App::open(config, Options { script_threads: Some(2), ..Options::default() }).unwrap()
}

fn send(number: u64) -> impl Fn(&mut ops::Work) -> ops::Result<bursar::domain::Id> + Send + 'static {
    move |work| ops::messages::send(work, "report.ready", &format!("{{\"n\":{number}}}"), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_application_frees_its_file_though_handles_and_loops_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    App::init(&config, [9; 16], Some(at("2027-02-01T00:00:00Z"))).unwrap();
    let app = open(&config);
    let working = tokio::spawn(triggers::run_loop(app.clone(), std::future::pending()));
    let mut asking = Vec::new();
    for number in 0..50 {
        let (app, cause) = (app.clone(), app.next_cause("test"));
        asking.push(tokio::spawn(async move { app.act(Rights::system(), cause, send(number)).await }));
    }
    tokio::task::yield_now().await;
    app.close().await;
    let again = open(&config);
    let mut told = Vec::new();
    for asked in asking {
        match asked.await.unwrap() {
            Ok(id) => told.push(id),
            Err(ops::Error::Refused(refusal)) if refusal.code == "stopping" => {}
            Err(ops::Error::Store { source: bursar::store::Error::Closed, .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    tokio::time::timeout(Duration::from_secs(10), working).await.expect("the loops end by themselves").unwrap();
    for id in told {
        again.read(Rights::system(), |work| ops::messages::get(work, id)).expect("what was answered is there");
    }
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_closing_every_operation_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    App::init(&config, [9; 16], Some(at("2027-02-01T00:00:00Z"))).unwrap();
    let app = open(&config);
    app.close().await;
    app.close().await;
    let acted = app.act(Rights::system(), "late".to_owned(), send(1)).await.unwrap_err();
    assert!(matches!(&acted, ops::Error::Refused(refusal) if refusal.code == "stopping"), "{acted:?}");
    let read = app.read(Rights::system(), |work| ops::messages::list(work, None, 1)).unwrap_err();
    assert!(matches!(&read, ops::Error::Store { source: bursar::store::Error::Closed, .. }), "{read:?}");
    assert!(triggers::tick(&app).await.is_err());
}
