//! Other projects' code for the same work.

use blazesym::Pid;
use blazesym::normalize::{NormalizeOpts, Normalizer, UserMeta, UserOutput};

use crate::process::{Place, Process};

/// Blazesym's normalizer as its own benchmark has it: built once, used for every
/// call.
#[derive(Debug)]
pub(crate) struct Blazesym {
    pid: Pid,
    normalizer: Normalizer,
    opts: NormalizeOpts,
}

/// How it is used; by text and of unsorted addresses, unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) ioctl: bool,
    pub(crate) sorted: bool,
    pub(crate) build_ids: bool,
    /// Whether all VMAs, and build IDs, are kept from the first call on.
    pub(crate) cached: bool,
}

impl Blazesym {
    pub(crate) fn new(process: Process, usage: Usage) -> Self {
        let normalizer = Normalizer::builder()
            .enable_procmap_query(usage.ioctl)
            .enable_build_ids(usage.build_ids)
            .enable_vma_caching(usage.cached)
            .enable_build_id_caching(usage.cached)
            .build();
        let opts = NormalizeOpts {
            sorted_addrs: usage.sorted,
            ..NormalizeOpts::default()
        };
        let pid = process.pid();
        Self {
            pid,
            normalizer,
            opts,
        }
    }

    #[inline]
    pub(crate) fn run<'s>(&'s self, addrs: &[u64]) -> UserOutput<'s> {
        self.normalizer
            .normalize_user_addrs_opts(self.pid, addrs, &self.opts)
            .expect("the process can be read")
    }

    pub(crate) fn places(&self, addrs: &[u64]) -> Vec<Option<Place>> {
        let output = self.run(addrs);
        let place = |(offset, meta): &(u64, usize)| match &output.meta[*meta] {
            UserMeta::Elf(elf) => {
                let path = elf.path.as_os_str().as_encoded_bytes().to_vec();
                Some((path, *offset))
            }
            _ => None,
        };
        output.outputs.iter().map(place).collect()
    }
}
