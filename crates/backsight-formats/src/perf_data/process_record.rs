//! Reads records about processes: mappings, `execve`, `fork`, exits and names.
//!
//! Source: `enum perf_event_type` in `include/uapi/linux/perf_event.h`; for the records that perf
//! synthesizes, `tools/perf/util/synthetic-events.c`.

use backsight_types::trace::{
    Context, KERNEL_PID, Mmap, ProcessChange, ProcessRecord, ThreadChange,
};
use backsight_types::{AbsAddr, AbsRange, BuildId, Device, FileOffset, Perms};

use super::kinds::kind;
use super::raw::RawRecord;
use crate::bytes::{Bytes, until_zero};

/// A bit of `misc` whose meaning depends on the type. `COMM`: the name is due to an `execve`.
/// `MMAP`: the mapping is of data. `FORK`: perf synthesized the record, and the mappings of the
/// process follow.
const BIT_13: u16 = 1 << 13;
/// The same bit of `SWITCH`: the thread stops running.
pub(super) const SWITCH_OUT: u16 = BIT_13;
/// The bit of `MMAP2` records that have a build ID instead of device and inode.
const HAS_BUILD_ID: u16 = 1 << 14;

/// The changes of a process and a thread in a record.
#[derive(Debug, Default)]
pub(super) struct ProcessChanges {
    pub(super) change: Option<ProcessRecord>,
    pub(super) thread: Option<(u32, u32, ThreadChange)>,
}

impl ProcessChanges {
    fn change(time_ns: u64, pid: u32, change: ProcessChange) -> Self {
        let change = Some(ProcessRecord {
            time_ns,
            pid,
            change,
        });
        Self {
            change,
            thread: None,
        }
    }
}

/// Parses a record about a process; `None` if it is damaged. `have_build_ids` says whether build
/// IDs were asked for.
pub(super) fn parse(
    record: &RawRecord<'_>,
    time: u64,
    have_build_ids: impl FnOnce() -> bool,
) -> Option<ProcessChanges> {
    let mut at = Bytes::new(record.body, record.big);
    match record.kind {
        kind::MMAP | kind::MMAP2 => mapping(record, &mut at, time, have_build_ids),
        kind::KSYMBOL => kernel_symbol(&mut at, time),
        kind::COMM => {
            let (pid, tid) = (at.u32()?, at.u32()?);
            let named = ThreadChange::Named(at.text().to_vec());
            let is_exec = record.misc & BIT_13 != 0;
            let mut told = match is_exec {
                true => ProcessChanges::change(time, pid, ProcessChange::Exec),
                false => ProcessChanges::default(),
            };
            told.thread = Some((pid, tid, named));
            Some(told)
        }
        kind::FORK => {
            let (pid, parent_pid) = (at.u32()?, at.u32()?);
            let (tid, parent_tid) = (at.u32()?, at.u32()?);
            let began = ThreadChange::Began {
                parent_pid,
                parent_tid,
            };
            let told = match record.misc & BIT_13 {
                _ if pid == parent_pid => ProcessChanges::default(),
                0 => ProcessChanges::change(time, pid, ProcessChange::Fork { parent: parent_pid }),
                _ => ProcessChanges::change(time, pid, ProcessChange::Exec),
            };
            Some(ProcessChanges {
                thread: Some((pid, tid, began)),
                ..told
            })
        }
        kind::EXIT => {
            let (pid, _parent) = (at.u32()?, at.u32()?);
            let thread = Some((pid, at.u32()?, ThreadChange::Ended));
            Some(ProcessChanges {
                change: None,
                thread,
            })
        }
        _ => Some(ProcessChanges::default()),
    }
}

fn mapping(
    record: &RawRecord<'_>,
    at: &mut Bytes<'_>,
    time: u64,
    have_build_ids: impl FnOnce() -> bool,
) -> Option<ProcessChanges> {
    let (mut pid, _tid) = (at.u32()?, at.u32()?);
    let (start, size, offset) = (at.u64()?, at.u64()?, at.u64()?);
    let mut mapping = Mmap {
        range: AbsRange {
            start: AbsAddr(start),
            end: AbsAddr(start.saturating_add(size)),
        },
        offset: FileOffset(offset),
        ..Mmap::default()
    };
    if record.kind == kind::MMAP2 {
        let file = at.take(24)?;
        let has_id = record.misc & HAS_BUILD_ID != 0;
        match build_id(file, have_build_ids).filter(|_| has_id) {
            Some(id) => mapping.build_id = Some(id),
            None => {
                let mut file = Bytes::new(file, record.big);
                let (major, minor) = (file.u32()?, file.u32()?);
                mapping.device = Device { major, minor };
                mapping.inode = file.u64()?;
            }
        }
        let (protection, flags) = (at.u32()?, at.u32()?);
        mapping.perms = perms(protection, flags);
    } else {
        mapping.perms = match record.misc & BIT_13 {
            0 => Perms::READ | Perms::EXECUTE,
            _ => Perms::READ,
        };
    }
    mapping.name = at.text().to_vec();
    if Context::of_misc(record.misc) == Context::Kernel {
        as_kernel(&mut mapping);
        pid = KERNEL_PID;
    }
    Some(ProcessChanges::change(
        time,
        pid,
        ProcessChange::Mmap(mapping),
    ))
}

/// The least size of a build ID by which it is known from a device: as the first byte of a record,
/// it would be the major number of a device without files.
const MIN_TELLING_ID: usize = 16;

/// Returns the build ID that stands in the place of device and inode.
///
/// The flag that says so cannot be trusted. While another recorder asks for build IDs, the kernel
/// sets the flag for all of them, and leaves device and inode in the records of those that do not
/// ask: `perf_event_mmap_output` sets it in a header that all events share, and does not take it
/// back (seen on Linux 6.18, where perf 6.1 then aborts). So the bytes must be those of a build ID,
/// and a short one must have been asked for.
fn build_id(file: &[u8], have_build_ids: impl FnOnce() -> bool) -> Option<BuildId> {
    let ([size, reserved @ ..], id) = file.split_first_chunk::<4>()?;
    let (id, rest) = id.split_at_checked(usize::from(*size))?;
    let is_one = *reserved == [0; 3] && !id.is_empty() && rest.iter().all(|byte| *byte == 0);
    let is_known = is_one && (id.len() >= MIN_TELLING_ID || have_build_ids());
    BuildId::from_bytes(id).ok().filter(|_| is_known)
}

/// Converts the arguments of `mmap(2)`. The lowest three bits of `prot` are those of [`Perms`].
fn perms(protection: u32, flags: u32) -> Perms {
    const MAP_SHARED: u32 = 1;
    let rwx = Perms::from_bits(u8::try_from(protection & 7).unwrap_or_default());
    match flags & MAP_SHARED {
        0 => rwx,
        _ => rwx | Perms::SHARED,
    }
}

/// The minimum size of the mapping of the kernel's image. perf records it up to `_etext`, but the
/// startup code of processors, which is the outermost frame of idle ones, follows. Other mappings
/// in this range are recorded later and replace it.
const IMAGE_REACH: u64 = 256 << 20;

/// Corrects the mapping of the kernel's image. It starts at `_text`, whose address is recorded as
/// the offset; old versions of perf record a start of 0. Newer versions do not record permissions.
/// Without the name of that symbol and without an address, nothing is known of the image.
fn as_kernel(mapping: &mut Mmap) {
    const IMAGE: &[u8] = b"[kernel.kallsyms]";
    mapping.perms = Perms::READ | Perms::EXECUTE;
    if mapping.name.starts_with(IMAGE) {
        let is_of_symbol = mapping.name.len() > IMAGE.len();
        mapping.name.truncate(IMAGE.len());
        let text = AbsAddr(mapping.offset.0);
        if mapping.range.contains(text) {
            mapping.range.start = text;
        }
        if !is_of_symbol && mapping.range.start == AbsAddr(0) {
            // The recorder did not know where the image is: what it wrote is no mapping.
            mapping.range.end = mapping.range.start;
            return;
        }
        let reach = AbsAddr(mapping.range.start.0.saturating_add(IMAGE_REACH));
        mapping.range.end = mapping.range.end.max(reach);
    }
    mapping.offset = FileOffset(0);
}

/// Code that the kernel generated at run time: BPF programs and trampolines.
fn kernel_symbol(at: &mut Bytes<'_>, time: u64) -> Option<ProcessChanges> {
    const GONE: u16 = 1;
    let (start, size) = (at.u64()?, at.u32()?);
    let (_kind, flags) = (at.u16()?, at.u16()?);
    let range = AbsRange {
        start: AbsAddr(start),
        end: AbsAddr(start.saturating_add(u64::from(size))),
    };
    let change = match flags & GONE {
        0 => ProcessChange::Mmap(Mmap {
            range,
            perms: Perms::READ | Perms::EXECUTE,
            name: until_zero(at.rest()).to_vec(),
            ..Mmap::default()
        }),
        _ => ProcessChange::Munmap(range),
    };
    Some(ProcessChanges::change(time, KERNEL_PID, change))
}

#[cfg(test)]
mod tests {
    use super::{AbsAddr, AbsRange, FileOffset, Mmap, as_kernel};

    #[test]
    fn the_kernel_s_image_reaches_behind_its_text() {
        let text = 0xffff_ffff_8100_0000;
        let mut image = Mmap {
            range: AbsRange {
                start: AbsAddr(text),
                end: AbsAddr(text + 0x120_bb08),
            },
            offset: FileOffset(text),
            name: b"[kernel.kallsyms]_text".to_vec(),
            ..Mmap::default()
        };
        as_kernel(&mut image);
        assert_eq!(
            (image.range.start, image.offset),
            (AbsAddr(text), FileOffset(0))
        );
        assert_eq!(image.name, b"[kernel.kallsyms]");
        // `start_kernel` of a kernel of 2026, in the call chain of each idle processor.
        assert!(image.range.contains(AbsAddr(0xffff_ffff_8378_423d)));
        // `perf` could not read the symbols.
        let mut unknown = Mmap {
            range: AbsRange {
                start: AbsAddr(0),
                end: AbsAddr(u64::MAX),
            },
            name: b"[kernel.kallsyms]".to_vec(),
            ..Mmap::default()
        };
        as_kernel(&mut unknown);
        assert_eq!(unknown.range.size(), 0);
        // The vsyscall page, which is not part of the image.
        assert!(!image.range.contains(AbsAddr(0xffff_ffff_ff60_0000)));
    }
}
