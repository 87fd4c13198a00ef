//! Searches the call levels of a virtual offset.

use crate::format::{
    Bucket, FlatIndex, FunctionRecord, Le32, NONE, NodeRow, OffsetRow, SourceSpot, code_offset,
    virt_offset,
};

/// The result of a lookup: rows of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The innermost call level, or [`NONE`].
    pub(crate) node: u32,
    /// The source location, or [`NONE`].
    pub(crate) spot: u32,
}

impl Hit {
    /// Nothing is known there.
    pub(crate) const NOTHING: Self = Self {
        node: NONE,
        spot: NONE,
    };
}

/// A search that has read its bucket: a code offset, and how many rows start before the
/// bucket and before its end.
#[derive(Clone, Copy, Debug)]
pub struct PendingSearch {
    at: u32,
    before: Bucket,
    last: Bucket,
}

/// One call level of a hit, still in numbers of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexLevel {
    /// [`NONE`] where no function is known.
    pub(crate) node: u32,
    /// [`NONE`] is unknown; a forged one is not there.
    pub(crate) function: u32,
    /// As the function.
    pub(crate) file: u32,
    /// 0 is unknown.
    pub(crate) line: u32,
    /// 0 is unknown.
    pub(crate) column: u16,
    pub(crate) inlined: bool,
}

/// The state of an iteration over a hit's call levels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelWalk {
    next: Hit,
    /// The maximum number of levels that may follow, as a forged file may have cycles.
    left: u32,
}

impl FlatIndex {
    /// Returns the hit at the virtual offset `addr`.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Hit {
        let search = self.search(addr);
        search.map_or(Hit::NOTHING, |search| self.finish(search))
    }

    /// Starts the search for a virtual offset; `None` if there is no code.
    #[inline]
    pub(crate) fn search(&self, addr: u64) -> Option<PendingSearch> {
        let at = code_offset(self.windows(), addr)?;
        let (before, last) = self.bucket(at)?;
        Some(PendingSearch { at, before, last })
    }

    /// Prefetches the rows that [`finish`](Self::finish) will read, and returns a value
    /// of them so that the reads are not optimized away. The cache misses of many
    /// searches overlap here, which those in `finish` hardly do.
    #[inline]
    pub(crate) fn touch(&self, search: &PendingSearch) -> u32 {
        let PendingSearch { before, last, .. } = search;
        let touch = |rows: &[OffsetRow], before: Le32, end: Le32| {
            let middle = u32::midpoint(before.get(), end.get());
            let row = usize::try_from(middle).ok().and_then(|at| rows.get(at));
            row.map_or(0, |row| row.start.get())
        };
        touch(self.scopes(), before.scopes, last.scopes)
            ^ touch(self.lines(), before.lines, last.lines)
    }

    /// Finishes a search that was started in this index.
    #[inline]
    pub(crate) fn finish(&self, PendingSearch { at, before, last }: PendingSearch) -> Hit {
        let node = self.find_row(self.scopes(), before.scopes, last.scopes, at);
        let spot = self.find_row(self.lines(), before.lines, last.lines, at);
        Hit {
            node: node.unwrap_or(NONE),
            spot: spot.unwrap_or(NONE),
        }
    }

    /// Returns how many rows start before the bucket of a code offset, and before the
    /// bucket's end.
    #[inline]
    fn bucket(&self, at: u32) -> Option<(Bucket, Bucket)> {
        let bucket = usize::try_from(at >> self.meta().bucket_shift).ok()?;
        let pair = self.buckets().get(bucket.saturating_sub(1)..=bucket)?;
        if !self.is_sound(pair) {
            return None;
        }
        match pair {
            [first] => Some((Bucket::default(), *first)),
            [before, last] => Some((*before, *last)),
            _ => None,
        }
    }

    /// Returns the virtual offset of a code offset.
    #[inline]
    pub(crate) fn virt_offset(&self, at: u32) -> Option<u64> {
        virt_offset(self.windows(), at)
    }

    /// Returns whether a hit has a function, a file or a line. In a forged file, the node
    /// may not exist.
    #[inline]
    pub(crate) fn is_known(&self, hit: Hit) -> bool {
        self.node(hit.node).is_some()
            || (self.spot(hit.spot)).is_some_and(|(spot, _)| spot.is_known())
    }

    /// Returns whether this hit's answer is incomplete because of a limit.
    pub(crate) fn is_cut(&self, hit: Hit) -> bool {
        self.meta().limited || self.node(hit.node).is_some_and(NodeRow::is_cut)
    }

    /// Starts at the innermost call level of `hit`.
    #[inline]
    pub(crate) fn walk(&self, hit: Hit) -> LevelWalk {
        LevelWalk {
            next: hit,
            left: self.meta().inline_depth.saturating_add(1),
        }
    }

    /// Returns the row of the function that a call level is in.
    pub(crate) fn function_of(&self, node: u32) -> Option<&FunctionRecord> {
        self.function(self.node(node)?.function())
    }

    /// Returns the code offset of a physical function's entry; `None` for an inlined one.
    pub(crate) fn entry(&self, node: u32) -> Option<u32> {
        let node = self.node(node).filter(|node| node.parent().is_none())?;
        let extent = self.extents().get(usize::try_from(node.place()).ok()?)?;
        let is_sound = self.is_sound(std::slice::from_ref(extent));
        is_sound.then(|| extent.entry.get())
    }

    /// Returns a row of the nodes. There is none at [`NONE`], as tables are shorter.
    #[inline]
    fn node(&self, row: u32) -> Option<&NodeRow> {
        let node = self.nodes().get(usize::try_from(row).ok()?)?;
        self.is_sound(std::slice::from_ref(node)).then_some(node)
    }

    /// Returns a source location with its column.
    #[inline]
    fn spot(&self, row: u32) -> Option<(SourceSpot, u16)> {
        let row = usize::try_from(row).ok()?;
        let column = self.spot_columns().get(row);
        let spot = self.spots().get(row)?;
        let of_column = column.map_or(&[][..], std::slice::from_ref);
        let is_sound = self.is_sound(std::slice::from_ref(spot)) && self.is_sound(of_column);
        is_sound.then(|| (*spot, column.map_or(0, |column| column.get())))
    }

    /// Returns the value of the last row that starts at or before `at`: one of the
    /// bucket, or the last one before it.
    #[inline]
    fn find_row(&self, rows: &[OffsetRow], before: Le32, end: Le32, at: u32) -> Option<u32> {
        let before = usize::try_from(before.get()).ok()?;
        let end = usize::try_from(end.get()).ok()?;
        // Forged buckets may have any values; invalid ranges have no rows.
        let first = before.saturating_sub(1);
        let inside = rows.get(before..end)?;
        if !self.is_sound(rows.get(first..end)?) {
            return None;
        }
        let after = inside.partition_point(|row| row.start.get() <= at);
        let row = rows.get(before.checked_add(after)?.checked_sub(1)?)?;
        Some(row.value.get())
    }
}

impl LevelWalk {
    /// Returns the next outer call level. A hit without a function has one level, with
    /// the location from the line table.
    #[inline]
    pub(crate) fn next(&mut self, index: &FlatIndex) -> Option<IndexLevel> {
        self.left = self.left.checked_sub(1)?;
        let (spot, column) = index
            .spot(self.next.spot)
            .unwrap_or((SourceSpot::UNKNOWN, 0));
        let mut level = IndexLevel {
            node: NONE,
            function: NONE,
            file: spot.file.get(),
            line: spot.line.get(),
            column,
            inlined: false,
        };
        let Some(node) = index.node(self.next.node) else {
            self.left = 0;
            return spot.is_known().then_some(level);
        };
        level.node = self.next.node;
        level.function = node.function();
        match node.parent() {
            Some(parent) => {
                level.inlined = true;
                self.next = Hit {
                    node: parent,
                    spot: node.place(),
                };
            }
            None => self.left = 0,
        }
        Some(level)
    }
}
