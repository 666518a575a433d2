//! Creating a file, copying it, checking it. None of it is on the path of a transaction.

use super::catalog::Catalog;
use super::chain;
use super::committer::Shared;
use super::contract::{BackedUp, Error, KeyRange, Options, Result, Table, Verified, hex};
use super::redb;
use crate::clock;
use bytes::Bytes;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CORRUPT_LISTED_MAX: usize = 1_000;
const ROWS_PER_SNAPSHOT: usize = 20_000;

fn storage(doing: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Storage { doing, source: Box::new(error) }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    PathBuf::from(name)
}

/// Gives a finished file its name, durably, without ever replacing one.
fn settle(made: &Path, path: &Path) -> Result<()> {
    File::open(made).and_then(|file| file.sync_all()).map_err(storage("sync the new file"))?;
    // A hard link fails when the name is taken, where a rename would replace; not every file system has them.
    let named = match std::fs::hard_link(made, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => std::fs::rename(made, path),
        linked => linked,
    };
    named.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Exists { path: path.display().to_string() },
        _ => Error::Storage { doing: "name the new file", source: Box::new(error) },
    })?;
    let _ = std::fs::remove_file(made);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(storage("sync the folder"))
}

pub(super) fn create(
    path: &Path,
    tables: &'static [&'static Table],
    store_id: [u8; 16],
    options: &Options,
) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: path.display().to_string() });
    }
    let made = beside(path);
    let _ = std::fs::remove_file(&made);
    let catalog = Arc::new(Catalog::new(tables)?);
    let result = redb::create_file(&made, catalog, options, store_id).and_then(|()| settle(&made, path));
    let _ = std::fs::remove_file(&made);
    result
}

pub(super) fn backup(shared: &Shared, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<BackedUp> {
    if to.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: to.display().to_string() });
    }
    let made = beside(to);
    let _ = std::fs::remove_file(&made);
    // Tried before anything is read: a path where no file can be is a mistake of whoever named it, not a failure of ours.
    File::create_new(&made)
        .and_then(|_| std::fs::remove_file(&made))
        .map_err(|source| Error::Unmade { path: to.display().to_string(), source })?;
    let begun = clock::monotonic();
    let age_max = shared.options.backup_age_max;
    shared.settle_all()?;
    let snapshot = shared.base.load_full();
    // The same pages under a handle of its own: the age limit of ordinary snapshots does not end a backup.
    let snapshot = snapshot.relabelled(snapshot.seq);
    let generation = shared.recent.generation();
    let mut bounded = |rows: u64| {
        // After a failure the file has been opened anew, and these pages may have been written over.
        if shared.recent.generation() != generation || shared.is_closed() {
            return Err(Error::Unavailable);
        }
        progress(rows);
        if clock::monotonic().saturating_duration_since(begun) > age_max {
            return Err(Error::LimitExceeded { what: "seconds of a backup", limit: age_max.as_secs() });
        }
        Ok(())
    };
    let result = shared.engine.copy_to(&snapshot, &made, &mut bounded).and_then(|(rows, bytes)| {
        settle(&made, to)?;
        Ok(BackedUp { seq: snapshot.seq, rows, bytes })
    });
    let _ = std::fs::remove_file(&made);
    result
}

pub(super) fn verify(shared: &Shared, store: [u8; 16], progress: &mut dyn FnMut(u64)) -> Result<Verified> {
    shared.settle_all()?;
    let mut verified = Verified::default();
    // The same pages under a handle of its own, as a backup has them: the chain is one walk.
    let snapshot = shared.base.load_full();
    verified.chained = chain::verify(&snapshot.relabelled(snapshot.seq), &shared.catalog, store)?;
    drop(snapshot);
    for table in shared.catalog.all() {
        let mut range = KeyRange::all();
        loop {
            let (mut last, mut count): (Option<Bytes>, usize) = (None, 0);
            // A new snapshot for every page, so that a long check holds nothing up.
            let walked = shared.base.load_full().walk(table, &range, false, &mut |key, stored| {
                if let Err(Error::Corrupt { table, key }) = stored {
                    list(&mut verified, table, key);
                }
                verified.rows += 1;
                last = Some(Bytes::copy_from_slice(key));
                count += 1;
                Ok(count < ROWS_PER_SNAPSHOT)
            });
            match walked {
                Ok(()) => {}
                // A damaged page: what lies behind it in this table cannot be reached.
                Err(Error::Corrupt { table, key }) => {
                    let after = last.as_ref().map_or(key, |last| hex(last));
                    list(&mut verified, table, format!("after {after}"));
                    break;
                }
                Err(error) => return Err(error),
            }
            progress(verified.rows);
            let Some(last) = last.filter(|_| count == ROWS_PER_SNAPSHOT) else { break };
            range = range.after(&last);
        }
    }
    Ok(verified)
}

fn list(verified: &mut Verified, table: &'static str, key: String) {
    if verified.corrupt.len() < CORRUPT_LISTED_MAX {
        verified.corrupt.push((table, key));
    }
}
