//! Builds an index from functions, inlined calls and lines of any source.

use std::collections::HashMap;
use std::ops::Range;

use backsight_types::BuildId;

use crate::build::{
    CodeOffsets, LineRow, MergeInput, NoSymbols, PathParts, RawName, TableSymbols, UnitPart,
    UnitRanges, merge,
};
use crate::format::{CallNode, Le16, NONE};
use crate::index_full::IndexFull;
use crate::overlaps::{self, Overlaps, RankedRange, innermost};
use crate::symbol_index::SymbolIndex;

/// Builds an index from functions, inlined calls and lines of any source. All addresses
/// are virtual offsets of the module.
///
/// If functions overlap, the one that starts last is used; if several do, the one that
/// ends first. Overlapping inlined calls of one function are resolved in the same way,
/// but deeper calls precede outer ones. Of overlapping lines, the one that was added last
/// is used.
///
/// ```
/// use backsight_index::{CallSite, FunctionName, IndexBuilder};
///
/// let mut index = IndexBuilder::default();
/// let main = index.function(&[0x1000..0x1040], FunctionName::plain("main"))?;
/// let call = CallSite::at("main.c", 7);
/// index.inlined(main, &[0x1010..0x1018], FunctionName::plain("square"), call)?;
/// index.line(0x1000..0x1010, "main.c", 5, 1)?;
/// index.line(0x1010..0x1018, "square.h", 2, 1)?;
/// let index = index.finish()?;
/// # Ok::<(), backsight_index::IndexFull>(())
/// ```
#[derive(Debug, Default)]
pub struct IndexBuilder {
    build_id: Option<BuildId>,
    /// Names and paths, each stored once.
    texts: Vec<u8>,
    known: HashMap<Box<[u8]>, TextRange>,
    levels: Vec<BuilderLevel>,
    /// Ranges of functions; the value is a level.
    functions: Vec<RankedRange>,
    /// Ranges of inlined calls, with the function that they are in.
    inlined: Vec<(u32, RankedRange)>,
    lines: Vec<RankedRange>,
    line_rows: Vec<BuilderLine>,
}

/// A function or an inlined call of an [`IndexBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LevelId(u32);

/// The name of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionName<'n> {
    /// The mangled name, which is displayed demangled. It is preferred to `plain`.
    pub linkage: Option<&'n str>,
    /// A name that is displayed unchanged, if there is no linkage name.
    pub plain: Option<&'n str>,
    /// The line of its declaration, counted from 1; 0 if unknown.
    pub line: u32,
}

impl<'n> FunctionName<'n> {
    /// Returns a name that is displayed unchanged.
    #[must_use]
    pub fn plain(name: &'n str) -> Self {
        Self {
            plain: Some(name),
            ..Self::default()
        }
    }

    /// Sets the line of the declaration.
    #[must_use]
    pub fn with_line(self, line: u32) -> Self {
        Self { line, ..self }
    }

    /// Returns a mangled name.
    #[must_use]
    pub fn linkage(name: &'n str) -> Self {
        Self {
            linkage: Some(name),
            ..Self::default()
        }
    }
}

/// The place of an inlined call in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallSite<'n> {
    /// The path of the file.
    pub file: Option<&'n str>,
    /// Counted from 1; 0 if unknown.
    pub line: u32,
    /// Counted from 1; 0 if unknown.
    pub column: u16,
}

impl<'n> CallSite<'n> {
    /// Returns a call in this line of a file.
    #[must_use]
    pub fn at(file: &'n str, line: u32) -> Self {
        Self {
            file: Some(file),
            line,
            column: 0,
        }
    }

    /// Sets the column.
    #[must_use]
    pub fn with_column(self, column: u16) -> Self {
        Self { column, ..self }
    }
}

/// The offset of a text, and its length.
type TextRange = (usize, usize);

#[derive(Clone, Copy, Debug)]
struct BuilderLevel {
    linkage: Option<TextRange>,
    plain: Option<TextRange>,
    line: u32,
    /// For an inlined call: the level that it is inlined into, and the outermost
    /// function.
    into: Option<(u32, u32)>,
    /// The number of calls that it is nested in.
    depth: u32,
    call_file: Option<TextRange>,
    call_line: u32,
    call_column: u16,
    /// The first of its ranges.
    first: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct BuilderLine {
    file: TextRange,
    line: u32,
    column: u16,
}

impl IndexBuilder {
    /// Sets the build ID of the module.
    #[must_use]
    pub fn build_id(self, id: BuildId) -> Self {
        Self {
            build_id: Some(id),
            ..self
        }
    }

    /// Adds a function that is not inlined. Its entry is the start of its first range.
    ///
    /// # Errors
    /// [`IndexFull`] when there are 2^31 functions and inlined calls.
    pub fn function(
        &mut self,
        ranges: &[Range<u64>],
        name: FunctionName<'_>,
    ) -> Result<LevelId, IndexFull> {
        let id = self.level(ranges, name, None, CallSite::default())?;
        self.functions.extend(items(ranges, 0, id.0));
        Ok(id)
    }

    /// Adds a call that was inlined into a function, or into another inlined call.
    ///
    /// # Errors
    /// [`IndexFull`] when there are 2^31 functions and inlined calls.
    pub fn inlined(
        &mut self,
        into: LevelId,
        ranges: &[Range<u64>],
        name: FunctionName<'_>,
        call: CallSite<'_>,
    ) -> Result<LevelId, IndexFull> {
        let around = usize::try_from(into.0).ok();
        let around = around.and_then(|at| self.levels.get(at)).copied();
        let function = around.and_then(|around| around.into);
        let function = function.map_or(into.0, |(_, function)| function);
        let id = self.level(ranges, name, Some((into.0, function)), call)?;
        let depth = around.map_or(0, |around| around.depth);
        if let Some(level) = self.levels.last_mut() {
            level.depth = depth.saturating_add(1);
        }
        let rank = u32::MAX.saturating_sub(depth.saturating_add(1));
        let inlined = items(ranges, rank, id.0).map(|item| (function, item));
        self.inlined.extend(inlined);
        Ok(id)
    }

    /// Adds a range of code that was compiled from one line of a file. A line or column
    /// of 0 is unknown.
    ///
    /// # Errors
    /// [`IndexFull`] when there are 2^32 lines.
    pub fn line(
        &mut self,
        range: Range<u64>,
        file: &str,
        line: u32,
        column: u16,
    ) -> Result<(), IndexFull> {
        let at = u32::try_from(self.line_rows.len()).map_err(|_| IndexFull)?;
        let file = self.text(file);
        self.line_rows.push(BuilderLine { file, line, column });
        // A line that is added later takes precedence.
        self.lines
            .extend(items(&[range], u32::MAX.saturating_sub(at), at));
        Ok(())
    }

    fn level(
        &mut self,
        ranges: &[Range<u64>],
        name: FunctionName<'_>,
        into: Option<(u32, u32)>,
        call: CallSite<'_>,
    ) -> Result<LevelId, IndexFull> {
        let id = u32::try_from(self.levels.len()).map_err(|_| IndexFull)?;
        if id >= 1 << 31 {
            return Err(IndexFull);
        }
        let first = ranges.first().cloned().unwrap_or_default();
        let level = BuilderLevel {
            linkage: name.linkage.map(|name| self.text(name)),
            plain: name.plain.map(|name| self.text(name)),
            line: name.line,
            into,
            depth: 0,
            call_file: call.file.map(|file| self.text(file)),
            call_line: call.line,
            call_column: call.column,
            first: (first.start, first.end),
        };
        self.levels.push(level);
        Ok(LevelId(id))
    }

    fn text(&mut self, text: &str) -> TextRange {
        if let Some(known) = self.known.get(text.as_bytes()) {
            return *known;
        }
        let place = (self.texts.len(), text.len());
        self.texts.extend_from_slice(text.as_bytes());
        self.known.insert(text.as_bytes().into(), place);
        place
    }

    fn get(&self, (start, length): TextRange) -> &[u8] {
        let rest = self.texts.get(start..).unwrap_or_default();
        rest.get(..length).unwrap_or_default()
    }

    /// Builds the index, in rayon's current thread pool.
    ///
    /// # Errors
    /// [`IndexFull`] when there are 4 GiB of code or more.
    pub fn finish(mut self) -> Result<SymbolIndex, IndexFull> {
        let inlined = std::mem::take(&mut self.inlined);
        let all = self
            .functions
            .iter()
            .chain(&self.lines)
            .map(|item| RankedRange {
                rank: 0,
                value: 0,
                ..*item
            });
        let all = Overlaps::new(all.collect(), 1);
        let code =
            CodeOffsets::new(all.covered().map(|(begin, end, _)| (begin, end))).ok_or(IndexFull)?;
        let mut unit_ranges = UnitRanges::default();
        unit_ranges.fill(&all, &[0], &code);
        let part = self.part(inlined, &code);
        let symbols = TableSymbols {
            symbols: &NoSymbols,
            limited: false,
        };
        let merging = MergeInput {
            build_id: self.build_id,
            code,
            is_incomplete: false,
            inline_depth: u16::MAX,
            name_bytes: usize::MAX,
        };
        Ok(merge(vec![part], |_| unit_ranges, &symbols, merging))
    }

    /// Lays out everything as one unit.
    fn part(&self, mut inlined: Vec<(u32, RankedRange)>, code: &CodeOffsets) -> UnitPart<'_> {
        let mut part = UnitPart::default();
        let mut files = HashMap::new();
        for level in &self.levels {
            let function = u32::try_from(part.functions.len()).unwrap_or(NONE);
            part.functions.push(RawName {
                linkage: level.linkage.map(|name| self.get(name)),
                plain: level.plain.map(|name| self.get(name)),
                line: level.line,
                ..RawName::default()
            });
            let node = match level.into {
                Some((into, _)) => {
                    let file = level.call_file;
                    let file = file.map(|file| self.file_row(file, &mut part, &mut files));
                    CallNode::inlined(into, function, file.unwrap_or(NONE), level.call_line)
                }
                None => {
                    let (begin, end) = level.first;
                    let size = u32::try_from(end.saturating_sub(begin)).unwrap_or(0);
                    CallNode::root(function, code.offset(begin).unwrap_or(0), size)
                }
            };
            part.nodes.push(node);
            part.node_columns.push(Le16::new(level.call_column));
        }
        self.lay_out_functions(&mut inlined, code, &mut part);
        for (begin, end, at) in Overlaps::new(self.lines.clone(), 1).covered() {
            let row = usize::try_from(at).ok();
            let Some(row) = row.and_then(|at| self.line_rows.get(at)) else {
                continue;
            };
            let file = self.file_row(row.file, &mut part, &mut files);
            code.parts(begin, end, |_, from, to| {
                let column = if row.line > 0 { row.column } else { 0 };
                let row = LineRow {
                    start: from,
                    file,
                    line: row.line,
                    column,
                };
                part.push_line(row, to);
            });
        }
        part
    }

    fn lay_out_functions(
        &self,
        inlined: &mut [(u32, RankedRange)],
        code: &CodeOffsets,
        part: &mut UnitPart<'_>,
    ) {
        inlined.sort_by_key(|(function, _)| *function);
        let mut spans_of = HashMap::new();
        let (mut spans, mut room) = (Vec::new(), overlaps::OverlapScratch::default());
        for same in inlined.chunk_by(|a, b| a.0 == b.0) {
            let mut items: Vec<RankedRange> = same.iter().map(|(_, item)| *item).collect();
            overlaps::sort(&mut items);
            let first = spans.len();
            innermost(&items, &mut room, &mut spans);
            if let Some((function, _)) = same.first() {
                spans_of.insert(*function, first..spans.len());
            }
        }
        for (begin, end, function) in Overlaps::new(self.functions.clone(), 1).covered() {
            let own = spans_of.get(&function).cloned();
            let own = own.and_then(|own| spans.get(own)).unwrap_or_default();
            code.parts(begin, end, |virt, from, to| {
                part.push_scopes(virt, (from, to), function, own);
            });
        }
    }

    fn file_row<'t>(
        &'t self,
        file: TextRange,
        part: &mut UnitPart<'t>,
        known: &mut HashMap<TextRange, u32>,
    ) -> u32 {
        *known.entry(file).or_insert_with(|| {
            part.files.push(PathParts {
                name: self.get(file),
                ..PathParts::default()
            });
            let count = u32::try_from(part.files.len()).unwrap_or(NONE);
            count.saturating_sub(1)
        })
    }
}

fn items(ranges: &[Range<u64>], rank: u32, value: u32) -> impl Iterator<Item = RankedRange> {
    ranges.iter().map(move |range| RankedRange {
        begin: range.start,
        end: range.end,
        rank,
        value,
    })
}
