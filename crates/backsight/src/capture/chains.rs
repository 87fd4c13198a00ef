//! A cache of call chains, so that equal chains are resolved once.
//!
//! Equal chains resolve to the same stack as long as the mappings of their process and of the
//! kernel do not change. Each change starts a new *epoch*. The epoch is part of the key, so that
//! a new mapping does not invalidate the cache.

use std::hash::BuildHasher;

use backsight_profile::StackIdx;
use hashbrown::{DefaultHashBuilder, HashTable};

/// The cache is cleared when it exceeds this size. Most chains recur soon or never.
const MAX_CACHE_BYTES: usize = 32 << 20;

/// The context in which a chain was recorded; part of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ChainContext {
    pub(super) pid: u32,
    /// How often the mappings of the process had changed.
    pub(super) epoch: u32,
    /// How often the mappings of the kernel had changed.
    pub(super) kernel_epoch: u32,
    /// The processor mode of the first address.
    pub(super) context: u8,
    /// Whether the process was inside `execve`.
    pub(super) is_in_exec: bool,
}

/// A handle to a chain, valid until [`Chains::clear_if_large`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainIdx(u32);

/// The cached chains.
#[derive(Debug, Default)]
pub(super) struct Chains {
    bytes: Vec<u8>,
    chains: Vec<Chain>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    setting: ChainContext,
    start: usize,
    len: usize,
    hash: u64,
    /// `None` for a chain without addresses, and until the chain is resolved.
    stack: Option<StackIdx>,
    /// For the caller's use: the position of the last sample with this chain.
    note: usize,
}

impl Chains {
    /// Returns the handle of a chain, inserting it if needed, and whether it was inserted.
    pub(super) fn place(&mut self, setting: ChainContext, bytes: &[u8]) -> (ChainIdx, bool) {
        let hash = self.hasher.hash_one((setting, bytes));
        let Self {
            bytes: all, chains, ..
        } = self;
        let is_it = |place: &u32| {
            chain(chains, *place).is_some_and(|chain| {
                let at = chain.start..chain.start.saturating_add(chain.len);
                chain.hash == hash && chain.setting == setting && all.get(at) == Some(bytes)
            })
        };
        if let Some(place) = self.places.find(hash, is_it) {
            return (ChainIdx(*place), false);
        }
        // The cache is cleared long before it has 2^32 chains.
        let place = u32::try_from(chains.len()).unwrap_or(u32::MAX);
        chains.push(Chain {
            setting,
            start: all.len(),
            len: bytes.len(),
            hash,
            stack: None,
            note: usize::MAX,
        });
        all.extend_from_slice(bytes);
        let rehash = |place: &u32| chain(chains, *place).map_or(0, |chain| chain.hash);
        self.places.insert_unique(hash, place, rehash);
        (ChainIdx(place), true)
    }

    /// Sets the stack that a chain resolves to.
    pub(super) fn resolve(&mut self, place: ChainIdx, stack: Option<StackIdx>) {
        let at = usize::try_from(place.0).ok();
        if let Some(chain) = at.and_then(|at| self.chains.get_mut(at)) {
            chain.stack = stack;
        }
    }

    /// Returns the stack that a chain resolves to.
    pub(super) fn stack(&self, place: ChainIdx) -> Option<StackIdx> {
        chain(&self.chains, place.0)?.stack
    }

    /// Stores the caller's number for a chain, and returns the previous one.
    pub(super) fn note(&mut self, place: ChainIdx, note: usize) -> Option<usize> {
        let at = usize::try_from(place.0).ok()?;
        let chain = self.chains.get_mut(at)?;
        Some(std::mem::replace(&mut chain.note, note))
    }

    /// Clears the cache if it exceeds its size limit. That invalidates all handles.
    pub(super) fn clear_if_large(&mut self) {
        let table = self.chains.len().saturating_mul(size_of::<Chain>());
        if self.bytes.len().saturating_add(table) > MAX_CACHE_BYTES {
            self.clear();
        }
    }

    /// Clears the cache. That invalidates all handles.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.chains.clear();
        self.places.clear();
    }
}

fn chain(chains: &[Chain], place: u32) -> Option<Chain> {
    chains.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::{ChainContext, Chains, MAX_CACHE_BYTES, StackIdx};

    #[test]
    fn a_chain_means_the_same_in_one_setting_alone() {
        let setting = |pid, epoch| ChainContext {
            pid,
            epoch,
            kernel_epoch: 0,
            context: 0,
            is_in_exec: false,
        };
        let mut chains = Chains::default();
        let (first, is_new) = chains.place(setting(1, 0), b"12345678");
        assert!(is_new);
        chains.resolve(first, Some(StackIdx(7)));
        for (setting, bytes) in [
            (setting(1, 1), b"12345678"),
            (setting(2, 0), b"12345678"),
            (setting(1, 0), b"12345679"),
        ] {
            let (place, is_new) = chains.place(setting, bytes);
            assert!(is_new && place != first);
            assert_eq!(chains.stack(place), None);
        }
        let (again, is_new) = chains.place(setting(1, 0), b"12345678");
        assert_eq!((again, is_new), (first, false));
        assert_eq!(chains.stack(again), Some(StackIdx(7)));
        chains.clear_if_large();
        assert!(!chains.place(setting(1, 0), b"12345678").1);
        chains.place(setting(1, 0), &vec![0; MAX_CACHE_BYTES]);
        chains.clear_if_large();
        assert!(chains.place(setting(1, 0), b"12345678").1);
    }
}
