//! Watches the library folder while the daemon runs: edited files are in force a moment after the last edit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bursar::app::App;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Quiet that has to pass after an edit: editors and checkouts write several files.
const QUIET: Duration = Duration::from_millis(250);
/// Edits that never end do not keep a library from being read.
const PATIENCE: u32 = 20;

const FOLDERS: [&str; 3] = ["policies", "scripts", "lib"];

/// Watches until dropped. Nothing is watched where the system does not let us; SIGHUP and `library reload` remain.
pub(crate) fn watch(app: &App) -> Option<RecommendedWatcher> {
    let edited = Arc::new(Notify::new());
    let tell = Arc::clone(&edited);
    let library = app.config().library.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| matters(&event)) {
            tell.notify_one();
        }
    });
    let watched = watcher.and_then(|mut watcher| {
        for folder in FOLDERS.map(|name| library.join(name)) {
            if folder.is_dir() {
                watcher.watch(&folder, RecursiveMode::Recursive)?;
            }
        }
        Ok(watcher)
    });
    let watcher = match watched {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "the library folder is not watched; reload by SIGHUP or `bursar library reload`");
            return None;
        }
    };
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            edited.notified().await;
            for _ in 0..PATIENCE {
                if tokio::time::timeout(QUIET, edited.notified()).await.is_err() {
                    break;
                }
            }
            reload(&app).await;
        }
    });
    Some(watcher)
}

/// Reads the library again, off the async threads.
pub(crate) async fn reload(app: &App) {
    let app = app.clone();
    if tokio::task::spawn_blocking(move || app.reload()).await.is_err() {
        tracing::error!("reading the library ended with a panic");
    }
}

/// Reading files is no edit; nor are the files of editors and of the store.
fn matters(event: &notify::Event) -> bool {
    let edit = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let ours = |path: &Path| path.extension().is_none_or(|ending| ending == "rhai" || ending == "toml");
    edit && event.paths.iter().any(|path| ours(path))
}
