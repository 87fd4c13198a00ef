//! A module whose flat index is at hand, and the texts it has handed out.

use std::sync::Arc;

use backsight_types::VirtOffset;

use crate::index::{Hit, Index, Level, Memo, Walk};
use crate::name::Name;
use crate::{Frame, FrameRef, Options};

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
        for node in index.nodes().iter().filter(|node| node.parent().is_none()) {
            let name = self.memo.name(index, node.function(), &self.options);
            let name = name.and_then(|name| name.linkage.as_ref().or(name.function.as_ref()));
            let start = index.virt_offset(node.place());
            if let (Some(name), Some(start)) = (name, start) {
                found(name, start, node.extent());
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

    /// Returns what stands at this virtual offset, and makes the texts of it.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Option<Hit> {
        let hit = self.index.find(addr);
        if hit == Hit::NOTHING {
            return None;
        }
        self.memo.prepare(&self.index, hit, &self.options);
        // A line table's gap leaves a row that says nothing.
        if !self.index.says_something(hit) {
            return None;
        }
        // Calls that lead to no function that they were folded into are forged.
        if !self.options.inlines && self.levels(hit).step().is_none() {
            return None;
        }
        Some(hit)
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
        let mut levels = self.levels(hit);
        let mut frames = Vec::new();
        while let Some(Shown { level, name, file }) = levels.step() {
            frames.push(Frame {
                function: name.and_then(|name| name.function.clone()),
                linkage_name: name.and_then(|name| name.linkage.clone()),
                file: file.cloned(),
                line: known(level.line),
                column: known(level.column.into()),
                start_line: name.and_then(|name| known(name.line)),
                inlined: level.inlined,
                start: self.start(level.entry),
            });
        }
        frames
    }

    #[inline]
    fn start(&self, entry: Option<u32>) -> Option<VirtOffset> {
        entry
            .and_then(|at| self.index.virt_offset(at))
            .map(VirtOffset)
    }
}

/// The call levels of a hit, innermost first.
#[derive(Clone, Debug)]
pub(crate) struct Levels<'i> {
    indexed: &'i Indexed,
    walk: Walk,
}

impl<'i> Levels<'i> {
    /// Returns the next call level that is to be shown, with its texts.
    #[inline]
    fn step(&mut self) -> Option<Shown<'i>> {
        let Indexed {
            index,
            memo,
            options,
        } = self.indexed;
        let mut level = self.walk.next(index)?;
        if !options.inlines {
            // The physical function alone, at the line in it.
            while level.inlined {
                level = self.walk.next(index)?;
            }
        }
        let name = level.function;
        let name = name.and_then(|at| memo.name(index, at, options));
        let file = level.file.and_then(|at| memo.file(index, at));
        Some(Shown { level, name, file })
    }
}

/// A call level with its texts.
struct Shown<'i> {
    level: Level,
    name: Option<&'i Name>,
    file: Option<&'i Arc<str>>,
}

impl<'i> Iterator for Levels<'i> {
    type Item = FrameRef<'i>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'i>> {
        let Shown { level, name, file } = self.step()?;
        Some(FrameRef {
            function: name.and_then(|name| name.function.as_deref()),
            linkage_name: name.and_then(|name| name.linkage.as_deref()),
            file: file.map(|file| &**file),
            line: known(level.line),
            column: known(level.column.into()),
            start_line: name.and_then(|name| known(name.line)),
            inlined: level.inlined,
            start: self.indexed.start(level.entry),
        })
    }
}

/// Of lines and columns 0 is unknown.
#[inline]
fn known(number: u32) -> Option<u32> {
    Some(number).filter(|number| *number > 0)
}
