//! An index for lookups, with the texts that it has returned.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_types::{BuildId, Reason, VirtOffset};

use super::frame::{Frame, Frames, known, known_in};
use super::search::{Hit, IndexLevel, LevelWalk, PendingSearch};
use super::text_cache::{TextCache, name};
use super::view_options::ViewOptions;
use crate::format::FlatIndex;
use crate::name::lossy;
use crate::symbol_index::SymbolIndex;

/// An index for lookups, with a cache of the texts that it has returned so far.
#[derive(Debug)]
pub struct IndexView {
    index: FlatIndex,
    memo: TextCache,
    options: ViewOptions,
}

impl IndexView {
    /// Creates a view of an index, whose answers are formatted by `options`.
    #[must_use]
    pub fn new(index: SymbolIndex, options: ViewOptions) -> Self {
        let index = index.index;
        let memo = TextCache::new(&index);
        Self {
            index,
            memo,
            options,
        }
    }

    /// Returns the build ID of the module.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        self.index.build_id()
    }

    /// Returns whether its checksums are verified when it is read. This is so for an
    /// index from a file.
    #[must_use]
    #[inline]
    pub fn is_checked(&self) -> bool {
        self.index.is_checked()
    }

    /// Returns whether a page with a wrong checksum was read. Then answers so far may be
    /// wrong.
    #[must_use]
    #[inline]
    pub fn found_damage(&self) -> bool {
        self.index.found_damage()
    }

    /// Returns whether all checksums are correct. The first call reads the whole file.
    #[must_use]
    pub fn is_all_sound(&self) -> bool {
        self.index.is_all_sound()
    }

    /// Calls `found` for each function that is not inlined, with its name, its entry and
    /// the size of its first range in bytes.
    pub fn for_each_function(&self, mut found: impl FnMut(&str, u64, u32)) {
        let index = &self.index;
        if !index.is_all_sound() {
            return;
        }
        for node in index.nodes().iter().filter(|node| node.parent().is_none()) {
            let name = name(index, node.function(), self.options.spelling());
            let name = name.and_then(|name| name.linkage.or(name.function));
            let extent = usize::try_from(node.place()).ok();
            let Some(extent) = extent.and_then(|at| index.extents().get(at)) else {
                continue;
            };
            let start = index.virt_offset(extent.entry.get());
            if let (Some(name), Some(start)) = (name, start) {
                found(&name, start, extent.size.get());
            }
        }
    }

    /// Returns the file and line of the instruction at this virtual offset, in the
    /// physical function.
    #[must_use]
    pub fn place(&self, addr: u64) -> Option<(Option<Arc<str>>, Option<u32>)> {
        let frames = self.frames(self.find(addr)?);
        let physical = frames.physical()?;
        Some((physical.file.clone(), physical.line))
    }

    /// Returns its memory in bytes.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.index.kept_bytes().saturating_add(self.memo.bytes())
    }

    /// Creates the texts of these hits' answers.
    pub fn prepare(&self, hits: impl Iterator<Item = Hit>) {
        self.memo
            .prepare(&self.index, hits, self.options.spelling());
    }

    /// If checksums are verified: reads all data of these hits' answers, so that damage
    /// is found before answers are returned.
    pub fn check(&self, hits: impl Iterator<Item = Hit>) {
        if self.index.is_checked() {
            self.memo.check(&self.index, hits);
        }
    }

    /// Starts the search for a virtual offset; `None` if there is no code.
    #[must_use]
    #[inline]
    pub fn search(&self, addr: u64) -> Option<PendingSearch> {
        self.index.search(addr)
    }

    /// Prefetches the rows that [`finish`](Self::finish) will read, and returns a value
    /// of them so that the reads are not optimized away. The cache misses of many
    /// searches overlap here, which those in `finish` hardly do.
    #[must_use]
    #[inline]
    pub fn touch(&self, search: &PendingSearch) -> u32 {
        self.index.touch(search)
    }

    /// Returns the hit at this virtual offset.
    #[must_use]
    #[inline]
    pub fn find(&self, addr: u64) -> Option<Hit> {
        self.checked(self.index.find(addr))
    }

    /// Finishes a search that was started in this index.
    #[must_use]
    #[inline]
    pub fn finish(&self, search: PendingSearch) -> Option<Hit> {
        self.checked(self.index.finish(search))
    }

    #[inline]
    fn checked(&self, hit: Hit) -> Option<Hit> {
        if hit == Hit::NOTHING {
            return None;
        }
        // A gap in the line table is a row without a file.
        if !self.index.is_known(hit) {
            return None;
        }
        // Inlined calls without a physical function occur only in forged files.
        if !self.options.inlines && self.levels(hit).next().is_none() {
            return None;
        }
        Some(hit)
    }

    /// Returns the reason for addresses without a hit.
    #[must_use]
    pub fn missing_reason(&self) -> Reason {
        match self.index.meta().limited {
            true => Reason::Limit,
            false => Reason::NoSymbols,
        }
    }

    /// Returns the call levels of a hit, innermost first.
    #[inline]
    pub(crate) fn levels(&self, hit: Hit) -> Levels<'_> {
        Levels {
            indexed: self,
            walk: self.index.walk(hit),
        }
    }

    /// Returns whether this hit's answer is incomplete because of a limit.
    #[must_use]
    pub fn is_cut(&self, hit: Hit) -> bool {
        self.index.is_cut(hit)
    }

    /// Returns the call levels as owned frames.
    #[must_use]
    pub fn frames(&self, hit: Hit) -> Frames {
        let (index, memo) = (&self.index, &self.memo);
        let frame = |level: IndexLevel| {
            let name = memo.owned_name(index, level.function, self.options.spelling());
            let file = memo.owned_path(index, level.file).cloned();
            Frame {
                function: name.and_then(|name| name.function.clone()),
                linkage_name: name.and_then(|name| name.linkage.clone()),
                line: known_in(&file, level.line),
                column: known_in(&file, level.column.into()),
                file,
                // Some functions without a name have a line.
                start_line: self.start_line(level.node),
                inlined: level.inlined,
                start: self.start(level.node),
            }
        };
        Frames::new(self.levels(hit).map(frame).collect(), self.is_cut(hit))
    }

    /// Returns the display name of a call level's function.
    #[inline]
    pub(crate) fn name(&self, level: &IndexLevel) -> Option<&str> {
        let Self { index, options, .. } = self;
        self.memo.shown(index, level.function, options.spelling())
    }

    /// Returns the path of a call level's file.
    #[inline]
    pub(crate) fn path(&self, level: &IndexLevel) -> Option<&str> {
        self.memo.path(&self.index, level.file)
    }

    /// Returns the linkage name of a node's function.
    pub(crate) fn linkage_name(&self, node: u32) -> Option<Cow<'_, str>> {
        let linkage = self.index.function_of(node)?.linkage.get();
        self.index.text(linkage).map(lossy)
    }

    /// Returns the line of the declaration of a node's function.
    pub(crate) fn start_line(&self, node: u32) -> Option<u32> {
        known(self.index.function_of(node)?.line.get())
    }

    /// Returns the entry of a node's function, unless it is inlined.
    pub(crate) fn start(&self, node: u32) -> Option<VirtOffset> {
        let entry = self.index.entry(node)?;
        self.index.virt_offset(entry).map(VirtOffset)
    }
}

/// The call levels of a hit, innermost first.
#[derive(Clone, Debug)]
pub(crate) struct Levels<'i> {
    indexed: &'i IndexView,
    walk: LevelWalk,
}

impl Iterator for Levels<'_> {
    type Item = IndexLevel;

    /// Returns the next call level of the answer.
    #[inline]
    fn next(&mut self) -> Option<IndexLevel> {
        let IndexView { index, options, .. } = self.indexed;
        let mut level = self.walk.next(index)?;
        if !options.inlines {
            // Without inlined frames: only the physical function, with the line in it.
            while level.inlined {
                level = self.walk.next(index)?;
            }
        }
        Some(level)
    }
}
