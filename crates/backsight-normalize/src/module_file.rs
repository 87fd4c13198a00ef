//! Finds and opens the mapped file of a VMA, and proves that it is that file.
//!
//! A path in a maps text is relative to the process's root, and another file may have
//! that path now. So there are two ways to open the file, in this order:
//!
//! 1. `/proc/PID/map_files/START-END` is the mapped file itself, even if it was deleted,
//!    replaced, or is in another mount namespace. It needs `CAP_CHECKPOINT_RESTORE`.
//! 2. The path, resolved inside the process's root. The file found there must have the
//!    inode of the VMA, and the build ID that the kernel read from the mapped file. On
//!    overlayfs and btrfs, `stat` returns a different device than the maps text, so a
//!    different device alone is not a mismatch. But without a build ID to compare, the
//!    device must match too, or nothing is proven. If the kernel gives none, as by text, the
//!    build ID in the process's memory is compared.
//!
//! A file that was written to since the process has mapped it is another file, too
//! ([`rewritten`]).
//!
//! If no file can be opened, its headers are read from the process's memory
//! ([`mapped_headers`]).
//!
//! Only regular files are opened: opening a FIFO can block, and opening a device can have
//! side effects such as rewinding a tape. A file found by path is checked before it is
//! opened. A mapped file with a build ID needs no check, as it cannot be a FIFO or a
//! device.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_files::{
    ArchiveMember, Error as FilesError, FileError, FilePart, hold_in_root, reopen,
};
use backsight_types::{BuildId, Device, Reason};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use vma_query::Vma;

use crate::build_id;
use crate::image::{ModuleImage, NormalizedModule};
use crate::mapped_headers;
use crate::options::{BuildIds, Options};
use crate::process::{OPEN_PATH, OpenProcess};
use crate::rewritten;

/// A file whose identity is proven.
struct Proven {
    file: File,
    /// `None` if it is not an ELF file.
    headers: Option<Headers>,
}

/// Reads what `process.options` requests of the mapped file of `vma` into `learnt`.
/// `by_kernel` is the build ID that the kernel read from that file, if it was requested
/// and found. Returns the file, if one was opened.
pub(crate) fn learn(
    process: &OpenProcess<'_>,
    vma: &Vma,
    by_kernel: Option<BuildId>,
    learnt: &mut NormalizedModule,
) -> Option<Arc<File>> {
    let options = process.options;
    learnt.module.build_id = by_kernel;
    if !needs_file(options, by_kernel) {
        return None;
    }
    let Proven { file, headers } = match open_proven(process, vma, &learnt.module.path, by_kernel) {
        Ok(proven) => proven,
        Err(reason) => {
            let deleted = learnt.module.deleted.then_some(Reason::Deleted);
            learnt.module.unreadable = Some(deleted.unwrap_or(reason));
            if let Some(headers) = mapped_headers::read(process, vma, by_kernel) {
                take(options, headers, by_kernel, learnt);
                learnt.module.from_memory = true;
            } else if let Some((headers, start)) = mapped_headers::of_member(process, vma) {
                learnt.member = Some(start..end_of_file(&headers, start));
                // What the kernel read is of what the file begins with.
                learnt.module.build_id = None;
                take(options, headers, None, learnt);
                learnt.module.from_memory = true;
            } else if learnt.module.deleted && mapped_headers::is_no_program(process, vma) {
                // As of one that was opened, and is no program.
                learnt.module.unreadable = Some(Reason::Unreadable);
            }
            return None;
        }
    };
    if rewritten::is_rewritten(process, vma, &file, headers.as_ref()) {
        // The process's memory shows the new bytes, and so does what the kernel reads.
        learnt.module.build_id = None;
        learnt.module.unreadable = Some(Reason::IdentityUnproven);
        return None;
    }
    // An archive may be behind the segments of a program.
    let is_loaded = headers.as_ref().is_some_and(|found| loads(found, vma));
    let headers = match (headers, is_loaded) {
        (Some(headers), true) => headers,
        (headers, _) => match (member_at(&file, vma), headers) {
            (Ok(Some((member, headers))), _) => {
                learnt.module.path = member.path_in(&learnt.module.path);
                learnt.member = Some(member.range);
                headers
            }
            (_, Some(headers)) => headers,
            (otherwise, None) => {
                learnt.module.unreadable = Some(Reason::Unreadable);
                learnt.problem = otherwise.err();
                return None;
            }
        },
    };
    let file = Arc::new(file);
    // The kernel reads the build ID of what the file begins with.
    let by_kernel = by_kernel.filter(|_| learnt.member.is_none());
    take(options, headers, by_kernel, learnt);
    learnt.image = options.images.then(|| ModuleImage::File(Arc::clone(&file)));
    Some(file)
}

/// Fills in what the headers of the module have.
fn take(
    options: &Options,
    headers: Headers,
    by_kernel: Option<BuildId>,
    learnt: &mut NormalizedModule,
) {
    if matches!(options.build_ids, BuildIds::Auto | BuildIds::File) {
        learnt.module.build_id = by_kernel.or(headers.build_id);
    }
    if options.segments {
        learnt.module.arch = Some(headers.arch);
        learnt.module.segments = Some(headers.segments);
    }
}

/// Returns where a library ends that begins at `start` of its archive, as far as it is loaded.
fn end_of_file(headers: &Headers, start: u64) -> u64 {
    let segments = headers.segments.as_slice().iter();
    let ends = segments.map(|it| it.file_offset.0.saturating_add(it.file_size));
    start.saturating_add(ends.max().unwrap_or_default())
}

/// Whether a VMA has bytes of one of the file's segments.
fn loads(headers: &Headers, vma: &Vma) -> bool {
    let start = vma.offset.0;
    let end = start.saturating_add(vma.end.0.saturating_sub(vma.start.0));
    let mut segments = headers.segments.as_slice().iter();
    segments.any(|segment| {
        let segment_end = segment.file_offset.0.saturating_add(segment.file_size);
        segment.file_offset.0 < end && start < segment_end
    })
}

/// Returns the library that a VMA of an archive maps, and its headers. `None` if the file is no
/// archive, or has no ELF file there.
fn member_at(file: &File, vma: &Vma) -> Result<Option<(ArchiveMember, Headers)>, FileError> {
    let Some(member) = ArchiveMember::at(file, vma.offset.0)? else {
        let none = || FileError::new("read", None, FilesError::NoMemberAt(vma.offset.0));
        return match ArchiveMember::is_archive(file)? {
            true => Err(none()),
            false => Ok(None),
        };
    };
    let headers = Headers::read(FilePart::new(file, member.range.clone())).ok();
    Ok(headers.map(|headers| (member, headers)))
}

fn open_proven(
    process: &OpenProcess<'_>,
    vma: &Vma,
    path: &[u8],
    by_kernel: Option<BuildId>,
) -> Result<Proven, Reason> {
    let directory = process.maps.directory();
    if let Some(directory) = directory.filter(|_| process.options.map_files) {
        let link = format!("map_files/{:x}-{:x}", vma.start, vma.end);
        // FIFOs and tapes cannot be mapped, and the kernel reads build IDs from the page
        // cache, which character devices do not have. So a file with a build ID needs no
        // check before it is opened.
        let opened = match by_kernel {
            Some(_) => openat(directory, link.as_str(), OPEN_FILE, Mode::empty())
                .map_err(io::Error::from)
                .map(File::from)
                .and_then(|file| Ok((inode_of_regular(&file)?, file)))
                .map(|(inode, file)| (file, inode)),
            None => openat(directory, link.as_str(), OPEN_PATH, Mode::empty())
                .map_err(io::Error::from)
                .and_then(|place| reopen(place).map_err(|error| error.into_error().into()))
                .map(|(file, identity)| (file, identity.inode)),
        };
        // Another file may have been mapped to the same range meanwhile.
        if let Some((file, _)) = opened.ok().filter(|(_, inode)| *inode == vma.inode) {
            let headers = headers_of(&file);
            return Ok(Proven { file, headers });
        }
    }
    let root = process.root().ok_or(Reason::Unreadable)?;
    let path = Path::new(OsStr::from_bytes(path));
    let opened = hold_in_root(root, path).and_then(reopen);
    let (file, identity) = opened.map_err(|_| Reason::Unreadable)?;
    let headers = headers_of(&file);
    let evidence = Evidence {
        same_inode: identity.inode == vma.inode,
        same_device: device_of(identity.device) == vma.device,
        in_file: headers.as_ref().and_then(|headers| headers.build_id),
    };
    let by_kernel = || by_kernel.or_else(|| build_id::by_kernel(process, vma));
    let in_memory = || mapped_headers::read(process, vma, None)?.build_id;
    match evidence.proves(by_kernel, in_memory) {
        true => Ok(Proven { file, headers }),
        false => Err(Reason::IdentityUnproven),
    }
}

fn needs_file(options: &Options, by_kernel: Option<BuildId>) -> bool {
    options.segments
        || options.images
        || options.build_ids == BuildIds::File
        || (options.build_ids == BuildIds::Auto && by_kernel.is_none())
}

/// Opens a file for reading, without blocking; of any size, also on 32-bit machines.
const OPEN_FILE: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_LARGEFILE)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// Returns the inode of a regular file; fails for anything else. `fstat` of a 32-bit C library has
/// no room for large inodes, so it is not used.
fn inode_of_regular(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(metadata.ino()),
        false => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    }
}

/// Reads the headers, usually with one system call: program headers and the build ID are
/// in the first page of nearly every file.
fn headers_of(file: &File) -> Option<Headers> {
    let mut first_page = [0; 4096];
    let read = file.read_at(&mut first_page, 0).ok()?;
    match Headers::parse(first_page.get(..read)?) {
        Ok(headers) if headers.build_id.is_some() => Some(headers),
        Err(backsight_elf::Error::NotElf) => None,
        _ => Headers::read(file).ok(),
    }
}

/// The device of a number as `stat` returns it: 12 and 8 bits, and above them the rest of each
/// (`makedev` of the C libraries, also of Android's).
fn device_of(number: u64) -> Device {
    let part = |low: u64, high: u64| u32::try_from(low | high).unwrap_or(u32::MAX);
    Device {
        major: part((number >> 8) & 0xfff, (number >> 32) & 0xffff_f000),
        minor: part(number & 0xff, (number >> 12) & 0xffff_ff00),
    }
}

/// The evidence that a file found by path is the mapped file.
struct Evidence {
    same_inode: bool,
    same_device: bool,
    /// The build ID in the file's own notes.
    in_file: Option<BuildId>,
}

impl Evidence {
    /// Returns whether it is the mapped file. `by_kernel` returns the build ID that the
    /// kernel reads from that file, `in_memory` the one that the process has mapped.
    fn proves(
        &self,
        by_kernel: impl FnOnce() -> Option<BuildId>,
        in_memory: impl FnOnce() -> Option<BuildId>,
    ) -> bool {
        self.same_inode
            && match by_kernel() {
                Some(mapped) => self.in_file == Some(mapped),
                None if self.same_device => true,
                None => self.in_file.is_some() && self.in_file == in_memory(),
            }
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::BuildId;

    use super::{Evidence, device_of};

    #[test]
    #[cfg(target_os = "linux")]
    fn a_number_of_a_device_is_split_as_the_c_library_does() {
        use nix::sys::stat::{major, minor};

        for bit in 0..64 {
            let number = 1_u64 << bit | 0x0801;
            let device = device_of(number);
            let want = (major(number), minor(number));
            assert_eq!((device.major.into(), device.minor.into()), want, "{bit}");
        }
    }

    #[test]
    fn a_file_is_proven_by_inode_and_build_id_or_device() {
        let id = |byte| BuildId::from_bytes(&[byte; 20]).ok();
        let cases = [
            // same inode, same device, in the file, by the kernel, in memory
            ("all the same", true, true, id(1), id(1), None, true),
            ("overlayfs", true, false, id(1), id(1), None, true),
            (
                "reused on another device",
                true,
                false,
                id(1),
                id(2),
                id(1),
                false,
            ),
            (
                "reused on the same device",
                true,
                true,
                id(1),
                id(2),
                id(1),
                false,
            ),
            ("the id was stripped", true, true, None, id(1), None, false),
            ("another inode", false, true, id(1), id(1), id(1), false),
            ("no id, same device", true, true, None, None, None, true),
            (
                "no id, another device",
                true,
                false,
                None,
                None,
                None,
                false,
            ),
            ("by text, same device", true, true, id(1), None, None, true),
            ("by text, overlayfs", true, false, id(1), None, id(1), true),
            ("by text, reused", true, false, id(1), None, id(2), false),
            ("by text, no memory", true, false, id(1), None, None, false),
        ];
        for (name, same_inode, same_device, in_file, by_kernel, in_memory, want) in cases {
            let evidence = Evidence {
                same_inode,
                same_device,
                in_file,
            };
            let got = evidence.proves(|| by_kernel, || in_memory);
            assert_eq!(got, want, "{name}");
        }
    }
}
