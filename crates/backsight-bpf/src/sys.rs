//! The calls of `bpf(2)` that read. This file has all the `unsafe` code of the crate.
//!
//! Source: `union bpf_attr`, `struct bpf_prog_info` and `struct bpf_btf_info` in
//! `include/uapi/linux/bpf.h`; `bpf_prog_get_info_by_fd` in `kernel/bpf/syscall.c`.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

/// The commands, as in `enum bpf_cmd`.
#[derive(Clone, Copy, Debug)]
enum Command {
    ProgGetNextId = 11,
    ProgGetFdById = 13,
    ObjGetInfoByFd = 15,
    BtfGetFdById = 19,
}

/// What an ID is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ObjectKind {
    Program,
    Btf,
}

/// The first fields of `union bpf_attr`, of the commands here: 32-bit numbers, or two of them and
/// a pointer.
type Attr = [u32; 4];

/// `struct bpf_prog_info`, up to its tags. Lengths say how much room the arrays have, and become
/// how much there is; pointers are 0 where none is wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ProgInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    ifindex: u32,
    flags: u32,
    netns_dev: u64,
    netns_ino: u64,
    nr_jited_ksyms: u32,
    nr_jited_func_lens: u32,
    jited_ksyms: u64,
    jited_func_lens: u64,
    btf_id: u32,
    func_info_rec_size: u32,
    func_info: u64,
    nr_func_info: u32,
    nr_line_info: u32,
    line_info: u64,
    jited_line_info: u64,
    nr_jited_line_info: u32,
    line_info_rec_size: u32,
    jited_line_info_rec_size: u32,
    nr_prog_tags: u32,
    prog_tags: u64,
}

/// `struct bpf_btf_info`, its first fields.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct BtfInfo {
    btf: u64,
    btf_size: u32,
    id: u32,
}

// A wrong layout must not compile.
const _: () = assert!(size_of::<ProgInfo>() == 192);
const _: () = assert!(offset_of!(ProgInfo, map_ids) == 56);
const _: () = assert!(offset_of!(ProgInfo, netns_dev) == 88);
const _: () = assert!(offset_of!(ProgInfo, nr_jited_ksyms) == 104);
const _: () = assert!(offset_of!(ProgInfo, btf_id) == 128);
const _: () = assert!(offset_of!(ProgInfo, line_info) == 152);
const _: () = assert!(offset_of!(ProgInfo, nr_jited_line_info) == 168);
const _: () = assert!(offset_of!(ProgInfo, prog_tags) == 184);
const _: () = assert!(size_of::<BtfInfo>() == 16);

/// Where a program's functions and lines are, as the kernel says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrays {
    pub(crate) tag: [u8; 8],
    pub(crate) btf_id: u32,
    /// The functions' addresses; zeros if they are hidden.
    pub(crate) jited_ksyms: Vec<u64>,
    pub(crate) jited_func_lens: Vec<u32>,
    pub(crate) prog_tags: Vec<[u8; 8]>,
    /// `struct bpf_line_info`: the instruction, the offsets of the file's name and of the line's
    /// text, and line and column.
    pub(crate) line_info: Vec<[u32; 4]>,
    /// The address of each line; zeros if they are hidden.
    pub(crate) jited_line_info: Vec<u64>,
}

impl Arrays {
    /// Whether the kernel shows addresses to this process.
    pub(crate) fn has_addresses(&self) -> bool {
        self.jited_ksyms.iter().any(|addr| *addr != 0)
    }
}

/// Returns the ID of the next program; `None` behind the last.
pub(crate) fn next_program(after: u32) -> io::Result<Option<u32>> {
    let mut attr = [after, 0, 0, 0];
    match bpf(Command::ProgGetNextId, &mut attr) {
        Ok(_) => Ok(Some(attr[1])),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens an object by its ID.
pub(crate) fn open(kind: ObjectKind, id: u32) -> io::Result<OwnedFd> {
    let command = match kind {
        ObjectKind::Program => Command::ProgGetFdById,
        ObjectKind::Btf => Command::BtfGetFdById,
    };
    let fd = bpf(command, &mut [id, 0, 0, 0])?;
    // SAFETY: the kernel made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads where a program's functions and lines are.
pub(crate) fn program(fd: &OwnedFd) -> io::Result<Arrays> {
    let mut there = ProgInfo::default();
    info(fd, &mut there)?;
    let room = |count: u32| usize::try_from(count).unwrap_or_default();
    let mut arrays = Arrays {
        tag: there.tag,
        btf_id: there.btf_id,
        jited_ksyms: vec![0; room(there.nr_jited_ksyms)],
        jited_func_lens: vec![0; room(there.nr_jited_func_lens)],
        prog_tags: vec![[0; 8]; room(there.nr_prog_tags)],
        line_info: vec![[0; 4]; room(there.nr_line_info)],
        jited_line_info: vec![0; room(there.nr_jited_line_info)],
    };
    // Only what there is room for is asked for.
    let mut wanted = ProgInfo {
        nr_jited_ksyms: there.nr_jited_ksyms,
        nr_jited_func_lens: there.nr_jited_func_lens,
        nr_prog_tags: there.nr_prog_tags,
        nr_line_info: there.nr_line_info,
        nr_jited_line_info: there.nr_jited_line_info,
        line_info_rec_size: 16,
        jited_line_info_rec_size: 8,
        jited_ksyms: address(&mut arrays.jited_ksyms),
        jited_func_lens: address(&mut arrays.jited_func_lens),
        prog_tags: address(&mut arrays.prog_tags),
        line_info: address(&mut arrays.line_info),
        jited_line_info: address(&mut arrays.jited_line_info),
        ..ProgInfo::default()
    };
    info(fd, &mut wanted)?;
    Ok(arrays)
}

/// Reads type information.
pub(crate) fn btf(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut there = BtfInfo::default();
    info(fd, &mut there)?;
    let mut bytes = vec![0_u8; usize::try_from(there.btf_size).unwrap_or_default()];
    let mut wanted = BtfInfo {
        btf: address(&mut bytes),
        btf_size: there.btf_size,
        id: 0,
    };
    info(fd, &mut wanted)?;
    Ok(bytes)
}

fn address<T>(array: &mut Vec<T>) -> u64 {
    match array.is_empty() {
        true => 0,
        false => array.as_mut_ptr().expose_provenance() as u64,
    }
}

/// Fills a structure, and the arrays that it points to.
fn info<T: Info>(fd: &OwnedFd, into: &mut T) -> io::Result<()> {
    let address = std::ptr::from_mut(into).expose_provenance() as u64;
    let [a, b, c, d, e, f, g, h] = address.to_ne_bytes();
    let [first, second] = [[a, b, c, d], [e, f, g, h]].map(u32::from_ne_bytes);
    let mut attr = [fd.as_raw_fd().cast_unsigned(), T::SIZE, first, second];
    bpf(Command::ObjGetInfoByFd, &mut attr)?;
    Ok(())
}

/// A structure that the kernel fills.
trait Info {
    const SIZE: u32;
}

impl Info for ProgInfo {
    const SIZE: u32 = 192;
}

impl Info for BtfInfo {
    const SIZE: u32 = 16;
}

fn bpf(command: Command, attr: &mut Attr) -> Result<RawFd, Errno> {
    let size = size_of::<Attr>();
    let attr = std::ptr::from_mut(attr);
    // SAFETY: `attr` has `size` bytes. What it points to is a structure of ours that has the stated
    // length, and whose pointers are 0 or those of vectors with room for as many entries as are
    // asked for: both are set in this file alone, and live while this runs.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, attr, size) };
    let done = Errno::result(done)?;
    Ok(RawFd::try_from(done).unwrap_or_default())
}
