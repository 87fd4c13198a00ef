//! Other projects' code for the same work.

use blazesym::Pid;
use blazesym::normalize::{NormalizeOpts, Normalizer, UserMeta};

/// An address's file and its offset there, as any contestant gives it.
pub(crate) type Place = (Vec<u8>, u64);

/// Blazesym's normalizer as its own benchmark has it: built once, used for every
/// call, addresses sorted, nothing cached.
#[derive(Debug)]
pub(crate) struct Blazesym {
    normalizer: Normalizer,
    opts: NormalizeOpts,
}

impl Blazesym {
    pub(crate) fn new(ioctl: bool, build_ids: bool) -> Self {
        let normalizer = Normalizer::builder()
            .enable_procmap_query(ioctl)
            .enable_build_ids(build_ids)
            .build();
        let opts = NormalizeOpts {
            sorted_addrs: true,
            ..NormalizeOpts::default()
        };
        Self { normalizer, opts }
    }

    /// Normalizes addresses of this process.
    pub(crate) fn run<'s>(&'s self, addrs: &[u64]) -> blazesym::normalize::UserOutput<'s> {
        self.normalizer
            .normalize_user_addrs_opts(Pid::Slf, addrs, &self.opts)
            .expect("our own process can be read")
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
