//! Where the blocks of a file are now: gathered for the next record, held by the journal, or in their place.

use super::record::HEAD_BYTES;
use super::{BLOCK, Disk};
use crate::store::locked;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Blocks written to their places in one go.
const RUN_BLOCKS_MAX: usize = 256;
/// Blocks that may wait for the disk beside commits: a commit that comes then waits no longer than for these.
const BEHIND_BLOCKS_MAX: usize = 256;

pub(super) type Held = HashMap<u64, Bytes>;

/// What the file does not show yet, newest first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// A record in the making: room for its head, then blocks.
    gathered: Vec<u8>,
    blocks: Vec<u64>,
    index: HashMap<u64, usize>,
    /// Blocks of records in the half that is written to.
    pub(super) active: Held,
    /// Blocks of records in the half that is being put in place.
    older: Arc<Held>,
}

impl Layers {
    fn block(&self, block: u64) -> Option<&[u8]> {
        if let Some(place) = self.index.get(&block) {
            return self.gathered.get(place_of(*place));
        }
        self.active.get(&block).or_else(|| self.older.get(&block)).map(Bytes::as_ref)
    }
}

fn place_of(place: usize) -> std::ops::Range<usize> {
    HEAD_BYTES + place * BLOCK..HEAD_BYTES + (place + 1) * BLOCK
}

/// A disk, and the blocks that are newer than it.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) disk: Disk,
    /// Where block 0 is on the disk.
    start: AtomicU64,
    layers: Mutex<Layers>,
    /// Whether all layers are empty: then reading needs no lock.
    is_bare: AtomicBool,
}

impl Places {
    pub(super) fn on(disk: Disk) -> Places {
        Places { disk, start: AtomicU64::new(0), layers: Mutex::new(Layers::default()), is_bare: AtomicBool::new(true) }
    }

    pub(super) fn begin_at(&self, start: u64) {
        self.start.store(start, Ordering::Release);
    }

    pub(super) fn start(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    /// Reads pages that nobody is writing now: the engine never writes over what somebody reads.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.is_bare.load(Ordering::Acquire) {
            return self.disk.read(self.start() + offset, out);
        }
        let first = offset / BLOCK as u64;
        let skip = (offset % BLOCK as u64) as usize;
        let count = (skip + out.len()).div_ceil(BLOCK) as u64;
        let mut newer: Vec<(u64, Vec<u8>)> = Vec::new();
        let layers = locked(&self.layers);
        newer.extend((0..count).filter_map(|place| Some((place, layers.block(first + place)?.to_vec()))));
        drop(layers);
        if newer.len() < count as usize {
            self.disk.read(self.start() + offset, out)?;
        }
        for (place, block) in newer {
            let from = block.get(if place == 0 { skip } else { 0 }..).unwrap_or_default();
            let to = out.get_mut((place as usize * BLOCK).saturating_sub(skip)..).unwrap_or_default();
            let bytes = from.len().min(to.len());
            to[..bytes].copy_from_slice(&from[..bytes]);
        }
        Ok(())
    }

    /// Adds a write to the record in the making; false when it would have more blocks than it may.
    pub(super) fn gather(&self, offset: u64, data: &[u8], blocks_max: usize) -> io::Result<bool> {
        let (mut offset, mut data) = (offset, data);
        let mut layers = locked(&self.layers);
        if layers.blocks.len() + data.len() / BLOCK + 2 > blocks_max {
            return Ok(false);
        }
        if layers.gathered.is_empty() {
            layers.gathered.resize(HEAD_BYTES, 0);
            self.is_bare.store(false, Ordering::Release);
        }
        while !data.is_empty() {
            let (block, skip) = (offset / BLOCK as u64, (offset % BLOCK as u64) as usize);
            let (part, rest) = data.split_at(data.len().min(BLOCK - skip));
            let place = match layers.index.get(&block) {
                Some(place) => *place,
                None => self.add(&mut layers, block, part.len() < BLOCK)?,
            };
            let start = place_of(place).start + skip;
            if let Some(to) = layers.gathered.get_mut(start..start + part.len()) {
                to.copy_from_slice(part);
            }
            offset += part.len() as u64;
            data = rest;
        }
        Ok(true)
    }

    fn add(&self, layers: &mut Layers, block: u64, is_part: bool) -> io::Result<usize> {
        let mut before = [0; BLOCK];
        if is_part {
            match layers.block(block) {
                Some(bytes) => before.copy_from_slice(bytes),
                None => self.disk.read(self.start() + block * BLOCK as u64, &mut before)?,
            }
        }
        let place = layers.blocks.len();
        layers.gathered.extend_from_slice(&before);
        layers.blocks.push(block);
        layers.index.insert(block, place);
        Ok(place)
    }

    /// Takes what was gathered, as a record without its head, and where its blocks belong. Nobody reads them until they are
    /// held.
    pub(super) fn gathered(&self) -> Option<(Vec<u8>, Vec<u64>)> {
        let mut layers = locked(&self.layers);
        layers.index.clear();
        let room = layers.gathered.len();
        let gathered = std::mem::replace(&mut layers.gathered, Vec::with_capacity(room));
        let blocks = std::mem::take(&mut layers.blocks);
        (!blocks.is_empty()).then_some((gathered, blocks))
    }

    /// The gathered blocks are in the journal now.
    pub(super) fn hold(&self, record: &Bytes, blocks: Vec<u64>) {
        let mut layers = locked(&self.layers);
        for (place, block) in blocks.into_iter().enumerate() {
            layers.active.insert(block, record.slice(place_of(place)));
        }
    }

    /// Makes way for another half: the blocks held so far are those to be put in place.
    pub(super) fn retire(&self) -> Arc<Held> {
        let mut layers = locked(&self.layers);
        layers.older = Arc::new(std::mem::take(&mut layers.active));
        Arc::clone(&layers.older)
    }

    /// Puts a retired half in place, durably, and forgets it.
    pub(super) fn place(&self, held: &Held) -> io::Result<()> {
        self.put_in_portions(held, BEHIND_BLOCKS_MAX, || self.disk.sync())?;
        self.disk.sync()?;
        locked(&self.layers).older = Arc::default();
        Ok(())
    }

    /// Writes blocks to their places, neighbours together.
    pub(super) fn put(&self, held: &Held) -> io::Result<()> {
        self.put_in_portions(held, usize::MAX, || Ok(()))
    }

    /// As `put`, with something done after every so many blocks.
    fn put_in_portions(&self, held: &Held, blocks_max: usize, after: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut waiting = 0;
        let mut blocks: Vec<(&u64, &Bytes)> = held.iter().collect();
        blocks.sort_unstable_by_key(|(block, _)| **block);
        let mut run = Vec::new();
        for together in blocks.chunk_by(|(left, _), (right, _)| **left + 1 == **right) {
            for part in together.chunks(RUN_BLOCKS_MAX) {
                let Some((first, _)) = part.first() else { continue };
                run.clear();
                part.iter().for_each(|(_, bytes)| run.extend_from_slice(bytes));
                self.disk.write(self.start() + **first * BLOCK as u64, &run)?;
                waiting += part.len();
                if waiting >= blocks_max {
                    after()?;
                    waiting = 0;
                }
            }
        }
        Ok(())
    }

    /// Puts the blocks of the half that is written to in place; the other half's are there.
    pub(super) fn put_active(&self) -> io::Result<()> {
        let mut layers = locked(&self.layers);
        self.put(&layers.active)?;
        layers.active.clear();
        layers.older = Arc::default();
        self.is_bare.store(layers.blocks.is_empty(), Ordering::Release);
        Ok(())
    }

    /// Puts what was gathered in place, where nothing durable refers to it yet.
    pub(super) fn put_gathered(&self) -> io::Result<()> {
        let mut layers = locked(&self.layers);
        let block = |(place, block): (usize, &u64)| {
            let bytes = layers.gathered.get(place_of(place)).unwrap_or_default();
            (*block, Bytes::copy_from_slice(bytes))
        };
        let held: Held = layers.blocks.iter().enumerate().map(block).collect();
        self.put(&held)?;
        (layers.gathered, layers.blocks) = (Vec::new(), Vec::new());
        layers.index.clear();
        self.is_bare.store(true, Ordering::Release);
        Ok(())
    }

    /// Forgets blocks behind a new end.
    pub(super) fn cut(&self, length: u64) {
        let end = length.div_ceil(BLOCK as u64);
        locked(&self.layers).active.retain(|block, _| *block < end);
    }
}
