//! The file behind a VMA: found, opened, and proven to be the one.
//!
//! A path in a maps text names whatever stands there now, seen from the process's
//! root, not from ours. So there are two ways, in this order:
//!
//! 1. `/proc/PID/map_files/START-END` is the mapped file itself, deleted, replaced
//!    or in another mount namespace. It wants `CAP_CHECKPOINT_RESTORE`.
//! 2. The path, resolved inside the process's root. What is found there must have
//!    the inode of the VMA, and the build ID that the kernel read from the mapped
//!    file. Overlayfs and btrfs give `stat` another device than the maps text, so
//!    a different device alone is no mismatch; but where there is no build ID to
//!    compare, the device must match too, or nothing is proven.
//!
//! Only regular files are opened: opening a FIFO can hang, opening a device can
//! start a tape. What is found by path is looked at before it is opened; what is mapped,
//! and has a build ID, is no such thing.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_files::reopen;
use backsight_types::{BuildId, Device, Reason};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};
use vma_query::Vma;

use crate::build_id;
use crate::image::{ModuleImage, NormalizedModule};
use crate::options::{BuildIds, Options};
use crate::process::{OPEN_PATH, OpenProcess};

/// A file whose identity is proven.
struct Proven {
    file: File,
    /// `None` when it is no ELF file.
    headers: Option<Headers>,
}

/// Fills in what `process.options` asks for of the file behind `vma`, from which the
/// kernel has read this build ID, if it was to be asked and did.
pub(crate) fn learn(
    process: &OpenProcess<'_>,
    vma: &Vma,
    by_kernel: Option<BuildId>,
    learnt: &mut NormalizedModule,
) {
    let options = process.options;
    learnt.module.build_id = by_kernel;
    if !needs_file(options, by_kernel) {
        return;
    }
    match open_proven(process, vma, &learnt.module.path, by_kernel) {
        Ok(Proven {
            file,
            headers: Some(headers),
        }) => {
            if matches!(options.build_ids, BuildIds::Auto | BuildIds::File) {
                learnt.module.build_id = by_kernel.or(headers.build_id);
            }
            if options.segments {
                learnt.module.arch = Some(headers.arch);
                learnt.module.segments = Some(headers.segments);
            }
            learnt.image = options.images.then(|| ModuleImage::File(Arc::new(file)));
        }
        Ok(Proven { headers: None, .. }) => {
            learnt.module.unreadable = Some(Reason::Unreadable);
        }
        Err(_) if learnt.module.deleted => learnt.module.unreadable = Some(Reason::Deleted),
        Err(reason) => learnt.module.unreadable = Some(reason),
    }
}

fn open_proven(
    process: &OpenProcess<'_>,
    vma: &Vma,
    path: &[u8],
    by_kernel: Option<BuildId>,
) -> Result<Proven, Reason> {
    let directory = process.maps.directory().ok_or(Reason::Unreadable)?;
    if process.options.map_files {
        let link = format!("map_files/{:x}-{:x}", vma.start, vma.end);
        // No FIFO and no tape can be mapped, and a build ID is read from cached pages, which
        // no character device has. So what has one needs no look before it is opened.
        let opened = match by_kernel {
            Some(_) => openat(directory, link.as_str(), OPEN_FILE, Mode::empty())
                .map_err(io::Error::from)
                .and_then(|file| Ok((inode_of_regular(&file)?, file.into())))
                .map(|(inode, file)| (file, inode)),
            None => openat(directory, link.as_str(), OPEN_PATH, Mode::empty())
                .map_err(io::Error::from)
                .and_then(|place| reopen(place).map_err(|error| error.into_error().into()))
                .map(|(file, identity)| (file, identity.inode)),
        };
        // Another file may have come to the same range in the meantime.
        if let Some((file, _)) = opened.ok().filter(|(_, inode)| *inode == vma.inode) {
            let headers = headers_of(&file);
            return Ok(Proven { file, headers });
        }
    }
    let root = process.root().ok_or(Reason::Unreadable)?;
    let how = OpenHow::new()
        .flags(OPEN_PATH)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let target = openat2(root, Path::new(OsStr::from_bytes(path)), how);
    let opened = target
        .map_err(io::Error::from)
        .and_then(|place| reopen(place).map_err(|error| error.into_error().into()));
    let (file, identity) = opened.map_err(|_| Reason::Unreadable)?;
    let headers = headers_of(&file);
    let evidence = Evidence {
        same_inode: identity.inode == vma.inode,
        same_device: device_of(identity.device) == vma.device,
        in_file: headers.as_ref().and_then(|headers| headers.build_id),
    };
    let by_kernel = || by_kernel.or_else(|| build_id::by_kernel(process, vma));
    match evidence.proves(by_kernel) {
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

/// Opens a file to be read, and waits for nobody.
const OPEN_FILE: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// Returns the inode of a regular file; anything else is an error.
fn inode_of_regular(file: &OwnedFd) -> io::Result<u64> {
    let status = fstat(file)?;
    match status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits() {
        true => Ok(status.st_ino),
        false => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    }
}

/// Reads the headers, most often by one system call: program headers and the build ID
/// stand in the first page of nearly every file.
fn headers_of(file: &File) -> Option<Headers> {
    let mut first_page = [0; 4096];
    let read = file.read_at(&mut first_page, 0).ok()?;
    match Headers::parse(first_page.get(..read)?) {
        Ok(headers) if headers.build_id.is_some() => Some(headers),
        Err(backsight_elf::Error::NotElf) => None,
        _ => Headers::read(file).ok(),
    }
}

fn device_of(number: u64) -> Device {
    let part = |part: u64| u32::try_from(part).unwrap_or(u32::MAX);
    Device {
        major: part(major(number)),
        minor: part(minor(number)),
    }
}

/// What speaks for a file found by path.
struct Evidence {
    same_inode: bool,
    same_device: bool,
    /// The build ID in the file's own notes.
    in_file: Option<BuildId>,
}

impl Evidence {
    /// Returns whether it is the mapped file, whose build ID the kernel knows.
    fn proves(&self, by_kernel: impl FnOnce() -> Option<BuildId>) -> bool {
        self.same_inode
            && match by_kernel() {
                Some(mapped) => self.in_file == Some(mapped),
                None => self.same_device,
            }
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::BuildId;

    use super::Evidence;

    #[test]
    fn what_proves_a_file_is_inode_and_build_id_or_device() {
        let id = |byte| BuildId::from_bytes(&[byte; 20]).ok();
        let cases = [
            // same inode, same device, in the file, by the kernel
            ("all the same", true, true, id(1), id(1), true),
            ("overlayfs", true, false, id(1), id(1), true),
            (
                "inode reused on another device",
                true,
                false,
                id(1),
                id(2),
                false,
            ),
            (
                "inode reused on the same device",
                true,
                true,
                id(1),
                id(2),
                false,
            ),
            ("the id was stripped", true, true, None, id(1), false),
            ("another inode", false, true, id(1), id(1), false),
            ("no id, same device", true, true, None, None, true),
            ("no id, another device", true, false, None, None, false),
            ("by text, same device", true, true, id(1), None, true),
            ("by text, overlayfs", true, false, id(1), None, false),
        ];
        for (name, same_inode, same_device, in_file, by_kernel, want) in cases {
            let evidence = Evidence {
                same_inode,
                same_device,
                in_file,
            };
            assert_eq!(evidence.proves(|| by_kernel), want, "{name}");
        }
    }
}
