//! Where the pages live: a file, or anything that reads and writes bytes.

use redb::StorageBackend;
use std::path::PathBuf;
use std::sync::Arc;

/// A backend that can be opened again after a failure.
pub type BackendFactory = Arc<dyn Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// Where the pages live.
pub(in crate::store) enum Medium {
    File(PathBuf),
    Backend(BackendFactory),
}

#[derive(Debug)]
pub(super) struct AnyBackend(pub(super) Box<dyn StorageBackend>);

impl StorageBackend for AnyBackend {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}

/// Memory that several openings share, for stores that go away with the process.
pub(in crate::store) fn memory() -> Medium {
    #[derive(Debug)]
    struct Shared(Arc<redb::backends::InMemoryBackend>);
    impl StorageBackend for Shared {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            StorageBackend::read(&*self.0, offset, out)
        }
        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> std::io::Result<()> {
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            StorageBackend::write(&*self.0, offset, data)
        }
    }
    let pages = Arc::new(redb::backends::InMemoryBackend::new());
    Medium::Backend(Arc::new(move || Ok(Box::new(Shared(pages.clone())) as Box<dyn StorageBackend>)))
}
