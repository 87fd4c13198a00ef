//! A module whose flat index is at hand, and the texts it has handed out.

use std::sync::Arc;

use backsight_types::VirtOffset;

use crate::index::{Hit, Index, Memo, Walk};
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

    /// Returns what stands at this virtual offset, and makes the texts of it.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Option<Hit> {
        let hit = self.index.find(addr);
        if hit == Hit::NOTHING {
            return None;
        }
        self.memo.prepare(&self.index, hit, &self.options);
        // A line table's gap leaves a row that says nothing.
        self.index.says_something(hit).then_some(hit)
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
        let mut walk = self.index.walk(hit);
        let mut frames = Vec::new();
        while let Some(level) = self.step(&mut walk) {
            let name = level.function;
            let name = name.and_then(|at| self.memo.name(&self.index, at, &self.options));
            let file = level.file.and_then(|at| self.memo.file(&self.index, at));
            frames.push(Frame {
                function: name.and_then(|name| name.function.clone()),
                linkage_name: name.and_then(|name| name.linkage.clone()),
                file: file.cloned(),
                line: Some(level.line).filter(|line| *line > 0),
                column: Some(level.column.into()).filter(|column| *column > 0),
                inlined: level.inlined,
                start: self.start(level.entry),
            });
        }
        frames
    }

    /// Returns the next call level that is to be shown.
    #[inline]
    fn step(&self, walk: &mut Walk) -> Option<crate::index::Level> {
        let mut level = walk.next(&self.index)?;
        if !self.options.inlines {
            // The physical function alone, at the line in it.
            while level.inlined {
                level = walk.next(&self.index)?;
            }
        }
        Some(level)
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

impl<'i> Iterator for Levels<'i> {
    type Item = FrameRef<'i>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'i>> {
        let indexed = self.indexed;
        let level = indexed.step(&mut self.walk)?;
        let name = level.function;
        let name = name.and_then(|at| indexed.memo.name(&indexed.index, at, &indexed.options));
        let file = level
            .file
            .and_then(|at| indexed.memo.file(&indexed.index, at));
        Some(FrameRef {
            function: name.and_then(|name| name.function.as_deref()),
            linkage_name: name.and_then(|name| name.linkage.as_deref()),
            file: file.map(|file| &**file),
            line: Some(level.line).filter(|line| *line > 0),
            column: Some(level.column.into()).filter(|column| *column > 0),
            inlined: level.inlined,
            start: indexed.start(level.entry),
        })
    }
}
