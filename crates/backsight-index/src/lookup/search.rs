//! From a virtual offset to call levels.

use crate::format::{
    Bucket, FlatIndex, FunctionRecord, Le32, NONE, NodeRow, OffsetRow, SourceSpot, code_offset,
    virt_offset,
};

/// The result of a lookup: rows of the index that it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The innermost call level, or [`NONE`].
    pub(crate) node: u32,
    /// The place in the source, or [`NONE`].
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

/// How far the walk over a hit's call levels has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelWalk {
    next: Hit,
    /// Levels that may follow: a forged file may lead in circles.
    left: u32,
}

impl FlatIndex {
    /// Returns what stands at the virtual offset `addr`.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Hit {
        let search = self.search(addr);
        search.map_or(Hit::NOTHING, |search| self.finish(search))
    }

    /// Begins to look a virtual offset up; `None` where no code is.
    #[inline]
    pub(crate) fn search(&self, addr: u64) -> Option<PendingSearch> {
        let at = code_offset(self.windows(), addr)?;
        let (before, last) = self.bucket(at)?;
        Some(PendingSearch { at, before, last })
    }

    /// Reads what the end of a search is going to need, and returns something of it. Of
    /// many searches these reads overlap, while the ends of two hardly do.
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

    /// Finishes a search that was begun in this index.
    #[inline]
    pub(crate) fn finish(&self, PendingSearch { at, before, last }: PendingSearch) -> Hit {
        let node = self.find_row(self.scopes(), before.scopes, last.scopes, at);
        let spot = self.find_row(self.lines(), before.lines, last.lines, at);
        Hit {
            node: node.unwrap_or(NONE),
            spot: spot.unwrap_or(NONE),
        }
    }

    /// Returns how many rows start before the bucket of a code offset, and before its
    /// end.
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

    /// Returns whether a hit has a function, a file or a line. A forged one may name a
    /// node that is not there.
    #[inline]
    pub(crate) fn is_known(&self, hit: Hit) -> bool {
        self.node(hit.node).is_some()
            || (self.spot(hit.spot)).is_some_and(|(spot, _)| spot.is_known())
    }

    /// Returns whether a limit left something out of this hit's answer.
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

    /// Returns the code offset where a physical function is entered; `None` for an
    /// inlined one.
    pub(crate) fn entry(&self, node: u32) -> Option<u32> {
        let node = self.node(node).filter(|node| node.parent().is_none())?;
        let extent = self.extents().get(usize::try_from(node.place()).ok()?)?;
        let is_sound = self.is_sound(std::slice::from_ref(extent));
        is_sound.then(|| extent.entry.get())
    }

    /// Returns a row of the nodes; none is at [`NONE`], as tables end before.
    #[inline]
    fn node(&self, row: u32) -> Option<&NodeRow> {
        let node = self.nodes().get(usize::try_from(row).ok()?)?;
        self.is_sound(std::slice::from_ref(node)).then_some(node)
    }

    /// Returns a place in the source with its column.
    #[inline]
    fn spot(&self, row: u32) -> Option<(SourceSpot, u16)> {
        let row = usize::try_from(row).ok()?;
        let column = self.spot_columns().get(row);
        let spot = self.spots().get(row)?;
        let of_column = column.map_or(&[][..], std::slice::from_ref);
        let is_sound = self.is_sound(std::slice::from_ref(spot)) && self.is_sound(of_column);
        is_sound.then(|| (*spot, column.map_or(0, |column| column.get())))
    }

    /// Returns the value of the last row that starts at or before `at`. Of those before
    /// the bucket only the last can be it.
    #[inline]
    fn find_row(&self, rows: &[OffsetRow], before: Le32, end: Le32, at: u32) -> Option<u32> {
        let before = usize::try_from(before.get()).ok()?;
        let end = usize::try_from(end.get()).ok()?;
        // Forged buckets may point anywhere; ranges that are none have no rows.
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
    /// Returns the next call level outwards. Of a hit without a function the
    /// only level says where the line table places it.
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
