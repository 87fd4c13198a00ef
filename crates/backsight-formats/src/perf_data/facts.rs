//! What a recording says of the machine, the command and the files it is of.
//!
//! Source: `tools/perf/Documentation/perf.data-file-format.txt`.

use backsight_types::BuildId;

use super::bytes::{Bytes, until_zero};
use super::events::EventType;

/// What a recording says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of its kernel.
    pub os_release: Option<String>,
    /// The version of perf.
    pub perf_version: Option<String>,
    /// The machine, as `uname -m` names it.
    pub arch: Option<String>,
    /// The processor.
    pub cpu: Option<String>,
    /// The words of the command line that made the recording.
    pub command: Vec<String>,
    /// The events that were recorded.
    pub events: Vec<EventType>,
    /// The build IDs of files. `perf record` reads them when it ends.
    pub build_ids: Vec<FileId>,
    /// One instant in nanoseconds since 1970, and on the recording's clock.
    pub clock: Option<(u64, u64)>,
}

/// The build ID of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The path, as mappings name it; `[kernel.kallsyms]` for the kernel's image.
    pub path: Vec<u8>,
    /// Its build ID.
    pub build_id: BuildId,
    /// Whether the kernel has it mapped.
    pub is_kernel: bool,
}

/// The features that are read, by their bit in the header.
pub(super) mod feature {
    pub(crate) const BUILD_ID: u64 = 2;
    pub(crate) const HOSTNAME: u64 = 3;
    pub(crate) const OS_RELEASE: u64 = 4;
    pub(crate) const VERSION: u64 = 5;
    pub(crate) const ARCH: u64 = 6;
    pub(crate) const CPU_DESC: u64 = 8;
    pub(crate) const CMDLINE: u64 = 11;
    pub(crate) const EVENT_DESC: u64 = 12;
    pub(crate) const CLOCK_DATA: u64 = 29;
    /// One after the last there is room for.
    pub(crate) const END: u64 = 256;
}

impl Facts {
    /// Returns whether anything is made of this feature.
    pub(super) fn is_read(feature: u64) -> bool {
        use feature::{ARCH, BUILD_ID, CLOCK_DATA, CMDLINE, CPU_DESC, EVENT_DESC};
        use feature::{HOSTNAME, OS_RELEASE, VERSION};
        matches!(
            feature,
            BUILD_ID
                | HOSTNAME
                | OS_RELEASE
                | VERSION
                | ARCH
                | CPU_DESC
                | CMDLINE
                | EVENT_DESC
                | CLOCK_DATA
        )
    }

    /// Takes what a feature says, as far as it is whole.
    pub(super) fn take_feature(&mut self, feature: u64, bytes: &[u8], big: bool) {
        let mut at = Bytes::new(bytes, big);
        let text = |at: &mut Bytes<'_>| {
            let text = at.string()?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        match feature {
            feature::HOSTNAME => self.hostname = text(&mut at),
            feature::OS_RELEASE => self.os_release = text(&mut at),
            feature::VERSION => self.perf_version = text(&mut at),
            feature::ARCH => self.arch = text(&mut at),
            feature::CPU_DESC => self.cpu = text(&mut at),
            feature::CMDLINE => {
                let count = at.u32().unwrap_or_default();
                self.command = (0..count).map_while(|_| text(&mut at)).collect();
            }
            feature::CLOCK_DATA => {
                let _version_and_clock = at.u64();
                self.clock = at.u64().zip(at.u64());
            }
            feature::BUILD_ID => self.take_build_ids(bytes, big),
            _ => {}
        }
    }

    /// Takes a list of build IDs: records, each with its header.
    fn take_build_ids(&mut self, bytes: &[u8], big: bool) {
        let mut at = Bytes::new(bytes, big);
        while let (Some(_kind), Some(misc), Some(size)) = (at.u32(), at.u16(), at.u16()) {
            let body = usize::from(size)
                .checked_sub(8)
                .and_then(|size| at.take(size));
            let Some(body) = body else { return };
            self.take_build_id(misc, body, big);
        }
    }

    /// Takes a build ID: a process ID, 24 bytes for the ID, and the file's name.
    pub(super) fn take_build_id(&mut self, misc: u16, body: &[u8], big: bool) {
        /// The 21st byte holds how many of the first 20 there are.
        const HAS_SIZE: u16 = 1 << 15;
        let mut at = Bytes::new(body, big);
        let (Some(_pid), Some(id)) = (at.u32(), at.take(24)) else {
            return;
        };
        let id = match misc & HAS_SIZE {
            // Without it, words of zeros at the end are none of it.
            0 => {
                let words = id.get(..20).unwrap_or_default().rchunks(4);
                let zeros = words.take_while(|word| **word == [0; 4]).count();
                id.get(..20_usize.saturating_sub(zeros.saturating_mul(4)))
            }
            _ => id.get(..usize::from(id.get(20).copied().unwrap_or_default().min(20))),
        };
        let path = until_zero(at.rest()).to_vec();
        let is_kernel = matches!(misc & 7, 1);
        if let Ok(build_id) = BuildId::from_bytes(id.unwrap_or_default())
            && (is_kernel || matches!(misc & 7, 0 | 2))
        {
            self.build_ids.push(FileId {
                path,
                build_id,
                is_kernel,
            });
        }
    }
}
