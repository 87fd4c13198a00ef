//! Says what a file is that was given for an ELF file, and what takes it instead.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use backsight::HeadersError;
use backsight_files::ArchiveMember;
use backsight_symbolize::Cause;

use crate::file::open_regular;
use crate::foreign;
use crate::known_file::{INSPECTED_BYTES, KnownFile, by_magic};

/// Returns why a file, or the member of it that the path names, cannot be used as an ELF file:
/// this cause, and what it is.
pub(crate) fn of_cause(cause: &Cause, file: &File, path: &Path) -> String {
    match cause.is_not_elf() {
        true => explained(cause, file, path),
        false => cause.to_string(),
    }
}

/// The same of headers that cannot be read.
pub(crate) fn of_headers(error: &HeadersError, file: &File, path: &Path) -> String {
    match error.is_not_elf() {
        true => explained(error, file, path),
        false => error.to_string(),
    }
}

/// Returns what a file is that was given for a symbol file, after this cause.
pub(crate) fn of_symbols(cause: &Cause, path: &Path) -> String {
    let known = match cause {
        Cause::NotSymbols => open_regular(path).ok(),
        _ => None,
    };
    let known = known.and_then(|file| by_magic(&begin_of(&file, path)));
    match known {
        Some(known) if known.for_program.is_none() => format!(
            "{cause}, but {}: give it as the program itself, or the directory of debug files with \
             --debug-dir",
            known.what
        ),
        Some(known) => format!("{cause}, but {}", known.what),
        None => cause.to_string(),
    }
}

/// Returns what the file at a path is, and the way out; nothing if it cannot be opened or is not
/// recognized.
pub(crate) fn of_path(path: &Path) -> Option<String> {
    described(&open_regular(path).ok()?, path)
}

/// Returns what it is, and the way out; nothing if it is not recognized.
fn described(file: &File, path: &Path) -> Option<String> {
    let begin = begin_of(file, path);
    if begin.is_empty() {
        return Some("empty: nothing was written to it".to_owned());
    }
    let inside = foreign::unpacked(&begin);
    let (begin, packed) = match &inside {
        Some(inside) => (&**inside, "packed by gzip, "),
        None => (&*begin, ""),
    };
    if let Some(KnownFile {
        what, for_program, ..
    }) = by_magic(begin)
    {
        return for_program.map(|way_out| format!("{packed}{what}: {way_out}"));
    }
    let text = foreign::by_text(begin);
    let give = "give the program or library";
    if let Some((what, _)) = text {
        return Some(format!("{packed}{what}: {give} that it is about"));
    }
    if begin.starts_with(b"#!") {
        return Some(format!(
            "{packed}a script: {give} that runs it, which is named in its first line"
        ));
    }
    let sample = begin.get(..512).unwrap_or(begin);
    let is_text = match std::str::from_utf8(sample) {
        Ok(_) => true,
        // A character may be cut off.
        Err(error) => error.error_len().is_none(),
    };
    if !is_text || sample.contains(&0) {
        // Profiles are packed by gzip, and have no magic number of their own.
        return (!packed.is_empty()).then(|| {
            format!("{packed}maybe a profile (pprof): `backsight convert FILE OUT` reads one")
        });
    }
    if sample.starts_with(b"/* GNU ld script") || sample.starts_with(b"INPUT(") {
        return Some(format!(
            "{packed}a script of the linker: {give} that it refers to"
        ));
    }
    if sample.starts_with(b"{") {
        return Some(format!(
            "{packed}a text (NDJSON): `backsight symbolize -i FILE` or `backsight convert FILE \
             OUT` reads one that backsight wrote"
        ));
    }
    Some(format!(
        "{packed}a text: {give}; `backsight convert FILE OUT` reads stacks that are text"
    ))
}

fn explained(error: &dyn fmt::Display, file: &File, path: &Path) -> String {
    match described(file, path) {
        Some(what) => format!("{error}, but {what}"),
        None => format!(
            "{error}, and of no kind that is known: give a program, library, object file or debug \
             file of Linux"
        ),
    }
}

/// Returns the first bytes of a file, or of the member of it that the path names.
fn begin_of(file: &File, path: &Path) -> Vec<u8> {
    let member = ArchiveMember::of_path(file, Some(path)).ok().flatten();
    let range = member.map_or(0..u64::MAX, |member| member.range);
    let size = usize::try_from(range.end.saturating_sub(range.start));
    let mut begin = vec![0; size.unwrap_or(usize::MAX).min(INSPECTED_BYTES)];
    // What cannot be read is not recognized.
    let read = file.read_at(&mut begin, range.start).unwrap_or(0);
    begin.truncate(read);
    begin
}
