//! Other projects that do the same work.

use blazesym::Pid;
use blazesym::normalize::{NormalizeOpts, Normalizer, UserMeta, UserOutput};
use procfs::process::MMapPath;

use crate::process::{Place, Process};
use crate::target::Rotation;

/// Blazesym's normalizer as in its own benchmark: created once, and used for every call.
#[derive(Debug)]
pub(crate) struct Blazesym {
    pid: Pid,
    normalizer: Normalizer,
    opts: NormalizeOpts,
}

/// How it is used; the default is by text and for unsorted addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) ioctl: bool,
    pub(crate) sorted: bool,
    pub(crate) build_ids: bool,
    /// Whether all VMAs and build IDs are cached from the first call on.
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

    /// Makes a call for each batch in turn.
    pub(crate) fn runs(self, batches: &[Vec<u64>]) -> impl FnMut() -> usize + use<'_> {
        let mut batches = Rotation::of(batches);
        // Drop the result here, because it borrows from the normalizer.
        move || self.run(batches.next()).outputs.len()
    }

    #[inline]
    fn run<'s>(&'s self, addrs: &[u64]) -> UserOutput<'s> {
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

/// Procfs: parses the whole text into a list, which the caller searches.
#[derive(Debug)]
pub(crate) struct Procfs(Process);

impl Procfs {
    pub(crate) fn new(process: Process) -> Self {
        Self(process)
    }

    /// Returns the results for sorted addresses.
    pub(crate) fn places(&self, addrs: &[u64]) -> Vec<Option<Place>> {
        let process = match self.0 {
            Process::Myself => procfs::process::Process::myself(),
            Process::Child(pid) => procfs::process::Process::new(pid.cast_signed()),
        };
        let maps = process.and_then(|process| process.maps());
        let maps = maps.expect("the process can be read").0;
        let place = |addr: &u64| {
            let after = maps.partition_point(|map| map.address.0 <= *addr);
            let map = &maps[after.checked_sub(1)?];
            let MMapPath::Path(path) = &map.pathname else {
                return None;
            };
            let into = addr - map.address.0;
            (*addr < map.address.1).then(|| {
                (
                    path.as_os_str().as_encoded_bytes().to_vec(),
                    map.offset + into,
                )
            })
        };
        addrs.iter().map(place).collect()
    }
}
