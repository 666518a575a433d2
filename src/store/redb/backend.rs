//! Where the bytes live: a file, or anything that reads and writes bytes.

use redb::StorageBackend;
use redb::backends::{FileBackend, InMemoryBackend};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A backend that can be opened again after a failure.
pub type BackendFactory = Arc<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// Where the bytes live.
pub(in crate::store) enum Medium {
    File(PathBuf),
    Backend(BackendFactory),
    /// Memory that several openings share: nothing outlives the process, so nothing is written twice.
    Memory(Arc<InMemoryBackend>),
}

/// Memory that several openings share, for stores that go away with the process.
pub(in crate::store) fn memory() -> Medium {
    Medium::Memory(Arc::new(InMemoryBackend::new()))
}

#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<InMemoryBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// A backend, and for a file a second handle whose writes are on disk when they return, they and nothing else.
#[derive(Debug)]
pub(super) struct Disk {
    backend: Box<dyn StorageBackend>,
    through: Option<File>,
}

impl Disk {
    pub(super) fn over(backend: Box<dyn StorageBackend>) -> Disk {
        Disk { backend, through: None }
    }

    /// Opens a file, which is made when `is_new`.
    pub(super) fn file(path: &Path, is_new: bool) -> io::Result<Disk> {
        let file = OpenOptions::new().read(true).write(true).create_new(is_new).open(path)?;
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Disk { backend: Box::new(backend), through: written_through(path) })
    }

    /// Writes bytes that are on disk when this returns; what was written before otherwise need not be.
    pub(super) fn write_through(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &self.through {
            Some(file) => write_all_at(file, offset, data),
            None => {
                self.backend.write(offset, data)?;
                self.backend.sync_data()
            }
        }
    }

    /// Takes the room of a file for good, so that writing there later changes nothing but bytes.
    pub(super) fn fill(&self, offset: u64, bytes: u64) -> io::Result<()> {
        if self.through.is_none() {
            return Ok(());
        }
        let zeros = vec![0; 1 << 20];
        let mut done = 0;
        while done < bytes {
            let part = zeros.get(..usize::try_from(bytes - done).unwrap_or(usize::MAX)).unwrap_or(&zeros);
            self.backend.write(offset + done, part)?;
            done += part.len() as u64;
        }
        Ok(())
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        self.backend.set_len(len)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    pub(super) fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(offset, data)
    }

    pub(super) fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    pub(super) fn locks(&self) -> &dyn StorageBackend {
        self.backend.as_ref()
    }
}

#[cfg(unix)]
fn written_through(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).custom_flags(libc::O_DSYNC).open(path).ok()
}

#[cfg(unix)]
fn write_all_at(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(not(unix))]
fn written_through(_: &Path) -> Option<File> {
    None
}

#[cfg(not(unix))]
fn write_all_at(_: &File, _: u64, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
