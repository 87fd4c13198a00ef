//! The state of a process that is kept between two pieces of a trace.

use backsight_types::Reason;

use crate::address_space::AddressSpace;
use crate::options::Trust;
use crate::vma_cache::VmaCache;

/// The state of a process ID after the last piece.
#[derive(Debug)]
pub(super) struct TracedProcess {
    pub(super) space: AddressSpace,
    pub(super) cache: VmaCache,
    /// The reason why its mappings are unknown, if they are.
    pub(super) lost: Option<Reason>,
}

impl Default for TracedProcess {
    fn default() -> Self {
        Self {
            space: AddressSpace::default(),
            cache: VmaCache::new(Trust::UntilInvalidated),
            lost: None,
        }
    }
}
