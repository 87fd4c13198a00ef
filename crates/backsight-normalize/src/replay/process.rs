//! What is kept of a process between two pieces of a trace.

use backsight_types::Reason;

use crate::address_space::AddressSpace;
use crate::options::Trust;
use crate::vma_cache::VmaCache;

/// A process ID, as the last piece left it.
#[derive(Debug)]
pub(super) struct TracedProcess {
    pub(super) space: AddressSpace,
    pub(super) cache: VmaCache,
    /// Why nothing is known of it.
    pub(super) lost: Option<Reason>,
}

impl Default for TracedProcess {
    fn default() -> Self {
        Self {
            space: AddressSpace::default(),
            cache: VmaCache::new(Trust::UntilTold),
            lost: None,
        }
    }
}
