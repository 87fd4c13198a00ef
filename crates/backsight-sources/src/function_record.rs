//! One function of a source: its lines, and the calls inlined into it.

use std::ops::Range;

use backsight_index::engine::{Name, Spelling, known_in};
use backsight_index::{CallSite, Frame, Frames, FunctionName, IndexBuilder, IndexFull};
use backsight_types::VirtOffset;

/// The maximum length of a demangled name in bytes.
const LONGEST_NAME: usize = 64 << 10;

/// A function with its lines and inlined calls. Names and files are numbers, which
/// [`Texts`] converts to texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionRecord {
    pub(crate) range: Range<u64>,
    pub(crate) name: u32,
    /// A call follows the one that it is inlined into.
    pub(crate) calls: Vec<InlinedCall>,
    /// Ascending and disjoint.
    pub(crate) lines: Vec<LineRange>,
    /// Whether a part of it could not be read.
    pub(crate) is_damaged: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct InlinedCall {
    /// The call that it is inlined into; `None` for the function itself.
    pub(crate) into: Option<usize>,
    /// The number of calls that it is nested in.
    pub(crate) depth: u32,
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) name: u32,
    pub(crate) file: u32,
    /// 0 if unknown.
    pub(crate) line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineRange {
    pub(crate) range: Range<u64>,
    pub(crate) file: u32,
    /// 0 if unknown.
    pub(crate) line: u32,
}

/// A name in the form that the source has.
#[derive(Clone, Debug)]
pub(crate) enum TextName {
    /// The name in the symbol table, which may be mangled.
    Linkage(String),
    /// The name for display.
    Plain(String),
}

impl TextName {
    fn as_function_name(&self) -> FunctionName<'_> {
        match self {
            Self::Linkage(name) => FunctionName::linkage(name),
            Self::Plain(name) => FunctionName::plain(name),
        }
    }
}

/// The names and paths that a record refers to.
pub(crate) trait Texts {
    /// Returns a name; `None` if it is empty or cannot be read.
    fn name(&self, number: u32) -> Option<TextName>;

    /// Returns a path; `None` if it is empty or cannot be read.
    fn path(&self, number: u32) -> Option<String>;
}

impl FunctionRecord {
    /// Adds `base` to all addresses; `None` if one would overflow.
    pub(crate) fn moved(mut self, base: u64) -> Option<Self> {
        let calls = self.calls.iter_mut().flat_map(|call| &mut call.ranges);
        let lines = self.lines.iter_mut().map(|row| &mut row.range);
        for range in calls.chain(lines).chain([&mut self.range]) {
            *range = range.start.checked_add(base)?..range.end.checked_add(base)?;
        }
        Some(self)
    }

    /// Returns the call levels at this address, which is in its range.
    pub(crate) fn frames(&self, addr: u64, texts: &impl Texts) -> Option<Frames> {
        let row = self.lines.partition_point(|row| row.range.end <= addr);
        let row = self.lines.get(row);
        let row = row.filter(|row| row.range.contains(&addr));
        let mut place = row.map(|row| (row.file, row.line));
        let mut levels = Vec::new();
        let mut inner = self.innermost(addr);
        while let Some(call) = inner.and_then(|at| self.calls.get(at)) {
            levels.push(frame(call.name, place, texts).folded());
            place = Some((call.file, call.line));
            inner = call.into;
        }
        let mut own = frame(self.name, place, texts);
        own.start = Some(VirtOffset(self.range.start));
        levels.push(own);
        Frames::of(levels)
    }

    /// Returns the innermost call at this address, chosen as in an index: the deepest,
    /// then the one that starts last, ends first, and was added first.
    fn innermost(&self, addr: u64) -> Option<usize> {
        let holding = self.calls.iter().zip(0_usize..).flat_map(|(call, at)| {
            let ranges = call.ranges.iter().filter(|range| range.contains(&addr));
            ranges.map(move |range| {
                let deepest = std::cmp::Reverse(call.depth);
                let last = std::cmp::Reverse(range.start);
                (deepest, last, range.end, at)
            })
        });
        holding.min().map(|(_, _, _, at)| at)
    }

    /// Adds it to an index.
    pub(crate) fn put_into(
        &self,
        index: &mut IndexBuilder,
        texts: &impl Texts,
    ) -> Result<(), IndexFull> {
        let name = texts.name(self.name);
        let name = name.as_ref().map(TextName::as_function_name);
        let name = name.unwrap_or_default();
        let function = index.function(std::slice::from_ref(&self.range), name)?;
        let mut known = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let around = call.into.and_then(|at| known.get(at).copied());
            let name = texts.name(call.name);
            let name = name.as_ref().map(TextName::as_function_name);
            let file = texts.path(call.file);
            let site = match file.as_deref() {
                Some(file) => CallSite::at(file, call.line),
                None => CallSite::default(),
            };
            let into = around.unwrap_or(function);
            known.push(index.inlined(into, &call.ranges, name.unwrap_or_default(), site)?);
        }
        // Most lines of a function are in the same file.
        let mut last: Option<(u32, Option<String>)> = None;
        for row in &self.lines {
            let path = match last.take() {
                Some((file, path)) if file == row.file => path,
                _ => texts.path(row.file),
            };
            if let Some(path) = &path {
                index.line(row.range.clone(), path, row.line, 0)?;
            }
            last = Some((row.file, path));
        }
        Ok(())
    }
}

fn frame(name: u32, place: Option<(u32, u32)>, texts: &impl Texts) -> Frame {
    let mut frame = Frame::default();
    match texts.name(name) {
        Some(TextName::Linkage(raw)) => {
            let spelling = Spelling {
                demangle: true,
                limit: LONGEST_NAME,
            };
            let name = Name::of_linkage(raw.as_bytes(), spelling);
            frame.function = name.function;
            frame.linkage_name = name.linkage;
        }
        Some(TextName::Plain(name)) => frame.function = Some(name.into()),
        None => {}
    }
    if let Some((file, line)) = place {
        frame.file = texts.path(file).map(Into::into);
        frame.line = known_in(&frame.file, line);
    }
    frame
}
