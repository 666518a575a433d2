//! The allocator that counts: mimalloc, with the bytes each thread holds kept in a thread-local number.
//!
//! A script's memory is bounded by reading that number between its operations, because the script language itself
//! does not see what closures and nested values hold. It counts and never refuses: whoever reads the number decides.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::OnceLock;

/// The counting allocator. A program that runs scripts installs it:
///
/// ```
/// #[global_allocator]
/// static METER: bursar::Meter = bursar::Meter;
/// assert!(bursar::Meter::installed());
/// ```
pub struct Meter;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

impl Meter {
    /// Whether it is this program's allocator; found out once by allocating something.
    pub fn installed() -> bool {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        *INSTALLED.get_or_init(|| {
            let before = Meter::used();
            let probe = std::hint::black_box(vec![0u8; 256]);
            let counted = Meter::used() - before >= 256;
            drop(probe);
            counted
        })
    }

    /// Bytes this thread has allocated and not freed. Negative for a thread that frees what others allocated; only
    /// differences mean something.
    pub fn used() -> isize {
        HELD.try_with(Cell::get).unwrap_or(0)
    }
}

fn count(change: isize) {
    // While a thread ends its counter may be gone already; nobody reads it any more.
    let _gone = HELD.try_with(|held| held.set(held.get().wrapping_add(change)));
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call goes on to mimalloc unchanged")]
// SAFETY: every method passes its arguments to mimalloc unchanged and returns what it returned. Counting neither
// allocates (the thread-local is const and has no destructor) nor unwinds.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        let block = unsafe { mimalloc::MiMalloc.alloc(layout) };
        if !block.is_null() {
            count(layout.size().cast_signed());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the block came from mimalloc with this layout.
        unsafe { mimalloc::MiMalloc.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let block = unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size().cast_signed());
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block came from mimalloc with this layout and the size is the caller's promise.
        let moved = unsafe { mimalloc::MiMalloc.realloc(block, layout, size) };
        if !moved.is_null() {
            count(size.cast_signed() - layout.size().cast_signed());
        }
        moved
    }
}
