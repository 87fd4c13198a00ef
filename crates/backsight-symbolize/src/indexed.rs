//! A module whose flat index is at hand, and the texts it has handed out.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_types::{Reason, VirtOffset};

use crate::frame::Frame;
use crate::frame::{known, known_in};
use crate::index::{Hit, Index, Level, Memo, Search, Walk, name};
use crate::name::lossy;
use crate::options::Options;

/// An index, and the texts that lookups in it have made so far.
#[derive(Debug)]
pub(crate) struct Indexed {
    index: Index,
    memo: Memo,
    options: Arc<Options>,
}

impl Indexed {
    pub(crate) fn new(index: Index, options: Arc<Options>) -> Self {
        let memo = Memo::new(&index);
        Self {
            index,
            memo,
            options,
        }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Calls `found` for each function that has code of its own, with its name, where
    /// it is entered and the bytes of its first range.
    pub(crate) fn for_each_function(&self, mut found: impl FnMut(&str, u64, u32)) {
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

    /// Returns the file and line that the instruction at this virtual offset comes
    /// from, in the function that has code of its own there.
    pub(crate) fn place(&self, addr: u64) -> Option<(Option<Arc<str>>, Option<u32>)> {
        let frames = self.frames(self.find(addr)?);
        let physical = frames.into_iter().last()?;
        Some((physical.file, physical.line))
    }

    /// Returns the bytes of memory that it takes.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.index.kept_bytes().saturating_add(self.memo.bytes())
    }

    /// Makes the names that these hits will be asked for.
    pub(crate) fn prepare(&self, hits: impl Iterator<Item = Hit>) {
        self.memo
            .prepare(&self.index, hits, self.options.spelling());
    }

    /// Has all looked at that will be shown of these hits, if the index is checked as it
    /// is read: damage is found before anything is handed out.
    pub(crate) fn check(&self, hits: impl Iterator<Item = Hit>) {
        if self.index.is_checked() {
            self.memo.check(&self.index, hits);
        }
    }

    /// Returns what stands at this virtual offset.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Option<Hit> {
        self.checked(self.index.find(addr))
    }

    /// Returns what stands where a search in its index was begun.
    #[inline]
    pub(crate) fn finish(&self, search: Search) -> Option<Hit> {
        self.checked(self.index.finish(search))
    }

    #[inline]
    fn checked(&self, hit: Hit) -> Option<Hit> {
        if hit == Hit::NOTHING {
            return None;
        }
        // A line table's gap leaves a row that says nothing.
        if !self.index.says_something(hit) {
            return None;
        }
        // Calls that lead to no function that they were folded into are forged.
        if !self.options.inlines && self.levels(hit).next().is_none() {
            return None;
        }
        Some(hit)
    }

    /// Returns why nothing stands where nothing was found.
    pub(crate) fn why_nothing(&self) -> Reason {
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

    /// Returns whether a limit left something out of this hit's answer.
    pub(crate) fn is_cut(&self, hit: Hit) -> bool {
        self.index.is_cut(hit)
    }

    /// Returns the call levels with texts of their own.
    pub(crate) fn frames(&self, hit: Hit) -> Vec<Frame> {
        let (index, memo) = (&self.index, &self.memo);
        let frame = |level: Level| {
            let name = memo.owned_name(index, level.function, self.options.spelling());
            let file = memo.owned_path(index, level.file).cloned();
            Frame {
                function: name.and_then(|name| name.function.clone()),
                linkage_name: name.and_then(|name| name.linkage.clone()),
                line: known_in(&file, level.line),
                column: known_in(&file, level.column.into()),
                file,
                // Known of some functions that have no name.
                start_line: self.start_line(level.node),
                inlined: level.inlined,
                start: self.start(level.node),
            }
        };
        self.levels(hit).map(frame).collect()
    }

    /// Returns the name for people of a call level's function.
    #[inline]
    pub(crate) fn name(&self, level: &Level) -> Option<&str> {
        let Self { index, options, .. } = self;
        self.memo.shown(index, level.function, options.spelling())
    }

    /// Returns the path of a call level's file.
    #[inline]
    pub(crate) fn path(&self, level: &Level) -> Option<&str> {
        self.memo.path(&self.index, level.file)
    }

    /// Returns the name of a node's function as the linker knows it.
    pub(crate) fn linkage_name(&self, node: u32) -> Option<Cow<'_, str>> {
        let linkage = self.index.function_of(node)?.linkage.get();
        self.index.text(linkage).map(lossy)
    }

    /// Returns the line that declares a node's function.
    pub(crate) fn start_line(&self, node: u32) -> Option<u32> {
        known(self.index.function_of(node)?.line.get())
    }

    /// Returns where a node's function is entered, unless it is inlined there.
    pub(crate) fn start(&self, node: u32) -> Option<VirtOffset> {
        let entry = self.index.entry(node)?;
        self.index.virt_offset(entry).map(VirtOffset)
    }
}

/// The call levels of a hit, innermost first.
#[derive(Clone, Debug)]
pub(crate) struct Levels<'i> {
    indexed: &'i Indexed,
    walk: Walk,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    /// Returns the next call level that is to be shown.
    #[inline]
    fn next(&mut self) -> Option<Level> {
        let Indexed { index, options, .. } = self.indexed;
        let mut level = self.walk.next(index)?;
        if !options.inlines {
            // The physical function alone, at the line in it.
            while level.inlined {
                level = self.walk.next(index)?;
            }
        }
        Some(level)
    }
}
