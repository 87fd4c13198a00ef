//! Chains of addresses, each once as long as it means the same.
//!
//! A chain means the same while nothing changes in what its process and the kernel have
//! mapped. Which time that is, the *epoch*, is part of its key, so that nothing has to
//! be thrown away when a process maps something.

use std::hash::BuildHasher;

use backsight_profile::StackIdx;
use hashbrown::{DefaultHashBuilder, HashTable};

/// What is kept is forgotten when its bytes are more than these: most chains come again
/// soon or never.
const MAX_BYTES: usize = 32 << 20;

/// Where and when a chain was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Setting {
    pub(super) pid: u32,
    /// How often what its process has mapped had changed.
    pub(super) epoch: u32,
    /// How often what the kernel has mapped had changed.
    pub(super) kernel_epoch: u32,
    /// Of whose code the first address is.
    pub(super) context: u8,
    /// Whether the process was within `execve`.
    pub(super) is_in_exec: bool,
}

/// The place of a chain, good until [`Chains::forget_some`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainIdx(u32);

/// All chains that are remembered.
#[derive(Debug, Default)]
pub(super) struct Chains {
    bytes: Vec<u8>,
    chains: Vec<Chain>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    setting: Setting,
    start: usize,
    len: usize,
    hash: u64,
    /// `None` for one without an address, and as long as it is not known.
    stack: Option<StackIdx>,
    /// A number of the caller's: the place of the last sample with this chain.
    note: usize,
}

impl Chains {
    /// Returns the place of a chain, and whether it is new.
    pub(super) fn place(&mut self, setting: Setting, bytes: &[u8]) -> (ChainIdx, bool) {
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
        // 2^32 chains would have been forgotten long before.
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

    /// Says which stack a chain is.
    pub(super) fn resolve(&mut self, place: ChainIdx, stack: Option<StackIdx>) {
        let at = usize::try_from(place.0).ok();
        if let Some(chain) = at.and_then(|at| self.chains.get_mut(at)) {
            chain.stack = stack;
        }
    }

    /// Returns which stack a chain is.
    pub(super) fn stack(&self, place: ChainIdx) -> Option<StackIdx> {
        chain(&self.chains, place.0)?.stack
    }

    /// Puts a number to a chain, and returns the last one.
    pub(super) fn note(&mut self, place: ChainIdx, note: usize) -> Option<usize> {
        let at = usize::try_from(place.0).ok()?;
        let chain = self.chains.get_mut(at)?;
        Some(std::mem::replace(&mut chain.note, note))
    }

    /// Forgets all, if that is much. No place is good any more.
    pub(super) fn forget_some(&mut self) {
        let table = self.chains.len().saturating_mul(size_of::<Chain>());
        if self.bytes.len().saturating_add(table) > MAX_BYTES {
            self.bytes.clear();
            self.chains.clear();
            self.places.clear();
        }
    }
}

fn chain(chains: &[Chain], place: u32) -> Option<Chain> {
    chains.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::{Chains, MAX_BYTES, Setting, StackIdx};

    #[test]
    fn a_chain_means_the_same_in_one_setting_alone() {
        let setting = |pid, epoch| Setting {
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
        chains.forget_some();
        assert!(!chains.place(setting(1, 0), b"12345678").1);
        chains.place(setting(1, 0), &vec![0; MAX_BYTES]);
        chains.forget_some();
        assert!(chains.place(setting(1, 0), b"12345678").1);
    }
}
