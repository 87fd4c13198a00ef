//! The pass over all lines that finds the offsets of functions, symbols, paths and names.

use backsight_types::BuildId;

use super::error::BreakpadError;
use super::lines::Lines;
use super::module_line::build_id;
use super::record::{self, NO_TEXT, Record};
use super::text_table::{TextFaults, TextTable};
use crate::linker_marks::{is_end_mark, is_local_mark};

/// The maximum number of records that are kept, which take up to 400 MB. The file of
/// python3.11 has 14,371.
const MAX_RECORDS: usize = 1 << 24;

/// How many bytes are read between two releases of the pages of a mapped file.
const PIECE_BYTES: usize = 64 << 20;

/// How many records of each kind a Breakpad symbol file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakpadCounts {
    /// `FUNC`.
    pub functions: u64,
    /// Lines of functions.
    pub lines: u64,
    /// `INLINE`.
    pub inlined: u64,
    /// `PUBLIC`.
    pub symbols: u64,
    /// `STACK CFI INIT`.
    pub cfi_ranges: u64,
    /// `STACK WIN`: rules of 32-bit Windows, which are not used.
    pub stack_win: u64,
    /// Lines that are malformed, that belong to no function, or that repeat the number of
    /// a path or a name. They are not used.
    pub unread: u64,
    /// References to a number that no `FILE` or `INLINE_ORIGIN` has, in lines and in `INLINE`:
    /// their file or name is unknown.
    pub missing_texts: u64,
    /// Functions that start inside another one, which then ends there; and functions with
    /// the same start as another one, which are not used.
    pub overlapping: u64,
}

/// A function or a symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u64,
    /// The offset of its line in the file.
    pub(super) at: u64,
    /// 0 is unknown.
    pub(super) size: u32,
    pub(super) is_public: bool,
    /// Whether it is a symbol that marks an end, and covers nothing.
    pub(super) is_end: bool,
}

/// A range of code with unwinding rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct CfiEntry {
    pub(super) start: u64,
    /// The offset of its line in the file.
    pub(super) at: u64,
    pub(super) size: u32,
}

/// The result of the pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// Ascending, with different starts. Each ends at the start of the next one at the
    /// latest.
    pub(super) entries: Vec<Entry>,
    pub(super) files: TextTable,
    pub(super) origins: TextTable,
    /// Ascending.
    pub(super) cfi: Vec<CfiEntry>,
    pub(super) counts: BreakpadCounts,
    /// The first different ones of `INFO CODE_ID` lines.
    pub(super) build_ids: Vec<BuildId>,
}

/// More are not needed to find that they contradict each other.
const MAX_BUILD_IDS: usize = 2;

/// The record that following lines may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Function,
    Cfi,
}

impl Scan {
    /// Calls `release` after each piece of the file.
    pub(super) fn of(bytes: &[u8], release: &mut impl FnMut()) -> Result<Self, BreakpadError> {
        let mut piece_end = PIECE_BYTES;
        let mut scan = Self::default();
        let mut open = Open::Nothing;
        let mut kept = 0_usize;
        for (at, line) in Lines::from(bytes, 0) {
            if at >= piece_end {
                release();
                piece_end = at.saturating_add(PIECE_BYTES);
            }
            let place = u64::try_from(at).unwrap_or(u64::MAX);
            let is_kept = match record::parse(line) {
                Some(record) => scan.add(record, place, line.len(), &mut open),
                // The lines of a malformed function cannot be used.
                None => {
                    if line.starts_with(b"FUNC ") || line.starts_with(b"STACK CFI INIT ") {
                        open = Open::Nothing;
                    }
                    scan.counts.unread = scan.counts.unread.saturating_add(1);
                    false
                }
            };
            kept = kept.saturating_add(is_kept.into());
            if kept > MAX_RECORDS {
                return Err(BreakpadError::TooManyRecords(MAX_RECORDS));
            }
        }
        scan.finish();
        Ok(scan)
    }

    /// Adds the record of a line of this length, and returns whether it is kept.
    fn add(&mut self, record: Record<'_>, at: u64, length: usize, open: &mut Open) -> bool {
        let counts = &mut self.counts;
        let count = |counter: &mut u64| *counter = counter.saturating_add(1);
        // A text extends to the end of its line.
        let place_of = |text: &[u8]| {
            let before = u64::try_from(length.saturating_sub(text.len()));
            at.saturating_add(before.unwrap_or(0))
        };
        match record {
            Record::Function { start, size, .. } => {
                count(&mut counts.functions);
                *open = Open::Function;
                self.entries.push(Entry {
                    start,
                    at,
                    size,
                    is_public: false,
                    is_end: false,
                });
                return true;
            }
            Record::Public(start, name) => {
                count(&mut counts.symbols);
                *open = Open::Nothing;
                if is_local_mark(name) {
                    return false;
                }
                self.entries.push(Entry {
                    start,
                    at,
                    size: 0,
                    is_public: true,
                    is_end: is_end_mark(name),
                });
                return true;
            }
            Record::Line { file, .. } if *open == Open::Function => {
                count(&mut counts.lines);
                self.files.refer(file);
            }
            Record::Inlined(call) if *open == Open::Function => {
                count(&mut counts.inlined);
                self.origins.refer(call.origin);
                if call.file != NO_TEXT {
                    self.files.refer(call.file);
                }
            }
            Record::File(number, path) => {
                *open = Open::Nothing;
                self.files.push(number, place_of(path));
                return true;
            }
            Record::Origin(number, name) => {
                *open = Open::Nothing;
                self.origins.push(number, place_of(name));
                return true;
            }
            Record::CfiInit { start, size, .. } => {
                count(&mut counts.cfi_ranges);
                *open = Open::Cfi;
                self.cfi.push(CfiEntry { start, at, size });
                return true;
            }
            Record::Cfi(..) if *open == Open::Cfi => {}
            Record::Win => {
                *open = Open::Nothing;
                count(&mut counts.stack_win);
            }
            Record::Module if at == 0 => {}
            Record::CodeId(id) => {
                let new = build_id(id).filter(|id| !self.build_ids.contains(id));
                let room = MAX_BUILD_IDS.saturating_sub(self.build_ids.len());
                self.build_ids.extend(new.into_iter().take(room));
            }
            Record::Info | Record::Empty => {}
            Record::Module | Record::Line { .. } | Record::Inlined(_) | Record::Cfi(..) => {
                count(&mut counts.unread);
            }
        }
        false
    }

    fn finish(&mut self) {
        for faults in [self.files.finish(), self.origins.finish()] {
            let TextFaults { repeated, missing } = faults;
            let repeated = u64::try_from(repeated).unwrap_or(u64::MAX);
            let counts = &mut self.counts;
            counts.unread = counts.unread.saturating_add(repeated);
            counts.missing_texts = counts.missing_texts.saturating_add(missing);
        }
        self.cfi.sort_by_key(|entry| entry.start);
        self.cfi.shrink_to_fit();
        // At the same address, functions precede symbols, and the longest function is
        // first.
        let order = |entry: &Entry| {
            let longest = std::cmp::Reverse(entry.size);
            (
                entry.start,
                entry.is_public,
                entry.is_end,
                longest,
                entry.at,
            )
        };
        self.entries.sort_unstable_by_key(order);
        let (mut last, mut covered, mut overlapping) = (None, 0_u64, 0_u64);
        self.entries.retain(|entry| {
            let is_inside = entry.start < covered;
            let is_repeated = last == Some(entry.start);
            if !entry.is_public {
                overlapping = overlapping.saturating_add((is_inside || is_repeated).into());
                covered = covered.max(entry.start.saturating_add(entry.size.into()));
            }
            let is_hidden = is_repeated || (entry.is_public && is_inside);
            if !is_hidden {
                last = Some(entry.start);
            }
            !is_hidden
        });
        self.entries.shrink_to_fit();
        self.counts.overlapping = overlapping;
    }
}
