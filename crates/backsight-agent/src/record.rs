//! Records that are written here, in the form of those of the kernel: about what was there before
//! sampling began, and about the recording.
//!
//! Source: `enum perf_event_type` in `include/uapi/linux/perf_event.h` of the kernel, and
//! `tools/perf/util/synthetic-events.c`, which writes the same.

use backsight_types::trace::Mmap;

use crate::attr::{ATTR_SIZE, EventAttr};

/// `PERF_RECORD_*`.
mod kind {
    pub(super) const MMAP: u32 = 1;
    pub(super) const COMM: u32 = 3;
    pub(super) const FORK: u32 = 7;
    pub(super) const MMAP2: u32 = 10;
    pub(super) const SWITCH: u32 = 14;
    pub(super) const HEADER_ATTR: u32 = 64;
    pub(super) const FINISHED_ROUND: u32 = 68;
    pub(super) const EVENT_UPDATE: u32 = 78;
}

/// `PERF_RECORD_MISC_*`.
const MISC_KERNEL: u16 = 1;
const MISC_USER: u16 = 2;
/// The record is about a process that was there before; its mappings follow.
const MISC_FORK_EXEC: u16 = 1 << 13;
const MISC_SWITCH_OUT: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;

/// The size of the header of a record.
const HEADER: usize = 8;

/// Appends the header of a recording that is written to a pipe.
pub(crate) fn file_header(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PERFILE2");
    out.extend_from_slice(&16_u64.to_le_bytes());
    if cfg!(target_endian = "big") {
        let header = out.len().saturating_sub(16);
        let words = out.get_mut(header..).unwrap_or_default();
        words.chunks_mut(8).for_each(<[u8]>::reverse);
    }
}

/// Appends the description of an event.
pub(crate) fn event(out: &mut Vec<u8>, attr: &EventAttr, ids: &[u64]) {
    let attr_bytes: [u8; ATTR_SIZE] = attr.to_bytes();
    record(out, kind::HEADER_ATTR, 0, |body| {
        body.extend_from_slice(&attr_bytes);
        ids.iter().for_each(|id| u64_in(body, *id));
    });
    const UPDATE_NAME: u64 = 2;
    if let Some(id) = ids.first() {
        record(out, kind::EVENT_UPDATE, 0, |body| {
            u64_in(body, UPDATE_NAME);
            u64_in(body, *id);
            text_in(body, attr.name().as_bytes());
        });
    }
}

/// Appends the mark that all buffers were emptied once.
pub(crate) fn finished_round(out: &mut Vec<u8>) {
    record(out, kind::FINISHED_ROUND, 0, |_| ());
}

/// Whom a record is about, and the time in nanoseconds that it is of: 0 for what was there before
/// sampling began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) time_ns: u64,
}

/// Appends the name of a thread.
pub(crate) fn comm(out: &mut Vec<u8>, about: About, name: &[u8]) {
    record(out, kind::COMM, 0, |body| {
        u32_in(body, about.pid);
        u32_in(body, about.tid);
        text_in(body, name);
        trailer_in(body, about);
    });
}

/// Appends that a thread was there before, of a process with this parent.
pub(crate) fn existed(out: &mut Vec<u8>, about: About, parent: u32) {
    let is_main = about.pid == about.tid;
    let parent = if is_main { parent } else { about.pid };
    record(out, kind::FORK, MISC_FORK_EXEC, |body| {
        for number in [about.pid, parent, about.tid, parent] {
            u32_in(body, number);
        }
        u64_in(body, about.time_ns);
        trailer_in(body, about);
    });
}

/// Appends that a thread does not run from this time on.
pub(crate) fn switched_out(out: &mut Vec<u8>, about: About) {
    record(out, kind::SWITCH, MISC_SWITCH_OUT, |body| {
        trailer_in(body, about);
    });
}

/// Appends a mapping of a process.
pub(crate) fn mapping(out: &mut Vec<u8>, about: About, mapping: &Mmap) {
    let misc = match mapping.build_id {
        Some(_) => MISC_USER | MISC_MMAP_BUILD_ID,
        None => MISC_USER,
    };
    record(out, kind::MMAP2, misc, |body| {
        u32_in(body, about.pid);
        u32_in(body, about.tid);
        u64_in(body, mapping.range.start.0);
        u64_in(body, mapping.range.size());
        u64_in(body, mapping.offset.0);
        match &mapping.build_id {
            Some(id) => {
                let bytes = id.as_bytes();
                let bytes = bytes.get(..20).unwrap_or(bytes);
                body.push(u8::try_from(bytes.len()).unwrap_or_default());
                body.extend_from_slice(&[0; 3]);
                body.extend_from_slice(bytes);
                body.resize(
                    body.len()
                        .saturating_add(20_usize.saturating_sub(bytes.len())),
                    0,
                );
            }
            None => {
                u32_in(body, mapping.device.major);
                u32_in(body, mapping.device.minor);
                u64_in(body, mapping.inode);
                u64_in(body, 0);
            }
        }
        // The lowest bits of `prot` are those of the permissions.
        u32_in(body, u32::from(mapping.perms.bits() & 7));
        // `MAP_PRIVATE`.
        u32_in(body, 2);
        text_in(body, &mapping.name);
        trailer_in(body, about);
    });
}

/// Appends a mapping of the kernel. `text` is the address that its offset says.
pub(crate) fn kernel_mapping(out: &mut Vec<u8>, start: u64, size: u64, text: u64, name: &[u8]) {
    const NOBODY: u32 = u32::MAX;
    let about = About {
        pid: NOBODY,
        tid: 0,
        time_ns: 0,
    };
    record(out, kind::MMAP, MISC_KERNEL, |body| {
        u32_in(body, about.pid);
        u32_in(body, about.tid);
        u64_in(body, start);
        u64_in(body, size);
        u64_in(body, text);
        text_in(body, name);
        trailer_in(body, about);
    });
}

/// Appends a record. A body that is too long for one is left out.
fn record(out: &mut Vec<u8>, kind: u32, misc: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&misc.to_ne_bytes());
    out.extend_from_slice(&[0; 2]);
    write(out);
    let size = out.len().saturating_sub(from);
    let Ok(size) = u16::try_from(size) else {
        return out.truncate(from);
    };
    let at = from.saturating_add(HEADER).saturating_sub(2);
    let room = out.get_mut(at..).unwrap_or_default();
    room.iter_mut()
        .zip(size.to_ne_bytes())
        .for_each(|(to, from)| *to = from);
}

/// The trailer (`sample_id`) of the events here: thread, time, processor, number.
fn trailer_in(body: &mut Vec<u8>, about: About) {
    u32_in(body, about.pid);
    u32_in(body, about.tid);
    u64_in(body, about.time_ns);
    u64_in(body, 0);
    // Not of any event.
    u64_in(body, 0);
}

/// Appends a text, padded with zeros to a multiple of eight bytes, with one at least.
fn text_in(body: &mut Vec<u8>, text: &[u8]) {
    body.extend_from_slice(text);
    let padded = text.len().saturating_add(1).next_multiple_of(8);
    body.resize(
        body.len().saturating_add(padded.saturating_sub(text.len())),
        0,
    );
}

fn u32_in(body: &mut Vec<u8>, value: u32) {
    body.extend_from_slice(&value.to_ne_bytes());
}

fn u64_in(body: &mut Vec<u8>, value: u64) {
    body.extend_from_slice(&value.to_ne_bytes());
}
