//! What a recording says about the machine, the command and the build IDs of files.
//!
//! Source: `tools/perf/Documentation/perf.data-file-format.txt`.

use backsight_types::BuildId;
use backsight_types::trace::{Facts, FileBuildId};

use super::bpf;
use crate::bytes::{Bytes, until_zero};
use crate::flaws::Flaws;

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
    pub(crate) const BPF_PROG_INFO: u64 = 25;
    pub(crate) const BPF_BTF: u64 = 26;
    pub(crate) const CLOCK_DATA: u64 = 29;
    /// The number of bits for features.
    pub(crate) const END: u64 = 256;
}

/// Whether this feature is read.
pub(super) fn is_read(feature: u64) -> bool {
    use feature::{ARCH, BPF_BTF, BPF_PROG_INFO, BUILD_ID, CLOCK_DATA, CMDLINE, CPU_DESC};
    use feature::{EVENT_DESC, HOSTNAME, OS_RELEASE, VERSION};
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
            | BPF_PROG_INFO
            | BPF_BTF
            | CLOCK_DATA
    )
}

/// Reads a feature, as far as it is not damaged. What is damaged is counted.
pub(super) fn take_feature(
    facts: &mut Facts,
    feature: u64,
    bytes: &[u8],
    big: bool,
    flaws: &mut Flaws,
) {
    let mut at = Bytes::new(bytes, big);
    let text = |at: &mut Bytes<'_>| {
        let text = at.string()?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let is_whole = match feature {
        feature::HOSTNAME => taken(&mut facts.hostname, text(&mut at)),
        feature::OS_RELEASE => taken(&mut facts.os_release, text(&mut at)),
        feature::VERSION => taken(&mut facts.perf_version, text(&mut at)),
        feature::ARCH => taken(&mut facts.arch, text(&mut at)),
        feature::CPU_DESC => taken(&mut facts.cpu, text(&mut at)),
        feature::CMDLINE => {
            let count = at.u32().unwrap_or_default();
            facts.command = (0..count).map_while(|_| text(&mut at)).collect();
            u32::try_from(facts.command.len()) == Ok(count)
        }
        feature::CLOCK_DATA => {
            let _version = at.u32();
            facts.clock_id = at.u32();
            taken(&mut facts.clock, at.u64().zip(at.u64()))
        }
        feature::BUILD_ID => {
            take_build_ids(facts, bytes, big, flaws);
            true
        }
        feature::BPF_PROG_INFO => {
            facts.bpf_programs = bpf::programs(bytes, big, flaws);
            true
        }
        feature::BPF_BTF => {
            facts.btf = bpf::btf(bytes, big, flaws);
            true
        }
        _ => true,
    };
    if !is_whole {
        flaws.count("facts about the recording that are damaged");
    }
}

/// Keeps what was read, and returns whether it could be.
fn taken<T>(fact: &mut Option<T>, read: Option<T>) -> bool {
    *fact = read;
    fact.is_some()
}

/// Reads a list of build IDs: records with headers.
fn take_build_ids(facts: &mut Facts, bytes: &[u8], big: bool, flaws: &mut Flaws) {
    let mut at = Bytes::new(bytes, big);
    while !at.rest().is_empty() {
        let mut record = || {
            let (_kind, misc, size) = (at.u32()?, at.u16()?, at.u16()?);
            let body = at.take(usize::from(size).checked_sub(8)?)?;
            Some((misc, body))
        };
        let Some((misc, body)) = record() else {
            flaws.count("lists of build IDs that are damaged");
            return;
        };
        if take_build_id(facts, misc, body, big).is_none() {
            flaws.count("build IDs that are damaged");
        }
    }
}

/// Reads a build ID: a process ID, 24 bytes for the ID, and the name of the file. `None` if it is
/// damaged.
pub(super) fn take_build_id(facts: &mut Facts, misc: u16, body: &[u8], big: bool) -> Option<()> {
    /// The bit of records whose 21st byte is the size of the ID.
    const HAS_SIZE: u16 = 1 << 15;
    let mut at = Bytes::new(body, big);
    let (_pid, id) = (at.u32()?, at.take(24)?);
    let id = match misc & HAS_SIZE {
        // Without a size, trailing words of zeros are padding.
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
        facts.build_ids.push(FileBuildId {
            path,
            build_id,
            is_kernel,
        });
    }
    Some(())
}
