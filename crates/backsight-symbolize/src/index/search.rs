//! From a virtual offset to call levels.

use super::layout::{Bucket, Le32, NONE, Row};
use super::table::Index;
use super::windows::{code_offset, virt_offset};

/// What stands at a place: rows of the index, worth nothing without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
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

/// One call level of a hit, still in numbers of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) function: Option<u32>,
    pub(crate) file: Option<u32>,
    /// 0 is unknown.
    pub(crate) line: u32,
    /// 0 is unknown.
    pub(crate) column: u16,
    pub(crate) inlined: bool,
    /// Of the physical function, the row of its extent.
    pub(crate) extent: Option<u32>,
}

/// A place in the source, in numbers of the index.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    file: Option<u32>,
    line: u32,
    column: u16,
}

/// How far the walk over a hit's call levels has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    next: Option<u32>,
    spot: Place,
    /// Levels that may follow: a forged file may lead in circles.
    left: u32,
}

impl Index {
    /// Returns what stands at the virtual offset `addr`.
    #[inline]
    pub(crate) fn find(&self, addr: u64) -> Hit {
        let Some(at) = code_offset(self.windows(), addr) else {
            return Hit::NOTHING;
        };
        let Some((before, last)) = self.bucket(at) else {
            return Hit::NOTHING;
        };
        let node = find_row(self.scopes(), before.scopes, last.scopes, at);
        let spot = find_row(self.lines(), before.lines, last.lines, at);
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
        let before = bucket
            .checked_sub(1)
            .map(|before| self.buckets().get(before));
        let before = before.map_or(Some(Bucket::default()), Option::<&_>::copied);
        Some((before?, *self.buckets().get(bucket)?))
    }

    /// Returns the virtual offset of a code offset.
    #[inline]
    pub(crate) fn virt_offset(&self, at: u32) -> Option<u64> {
        virt_offset(self.windows(), at)
    }

    /// Returns whether a hit has a function, a file or a line. A forged one may name a
    /// node that is not there.
    #[inline]
    pub(crate) fn says_something(&self, hit: Hit) -> bool {
        let node = usize::try_from(hit.node).ok();
        let spot = || self.spot(hit.spot);
        node.is_some_and(|at| at < self.nodes().len()) || spot().file.is_some() || spot().line > 0
    }

    /// Returns whether a limit left something out of this hit's answer.
    pub(crate) fn is_cut(&self, hit: Hit) -> bool {
        let node = usize::try_from(hit.node).ok();
        let node = node.and_then(|at| self.nodes().get(at));
        self.meta().limited || node.is_some_and(|node| node.is_cut())
    }

    /// Starts at the innermost call level of `hit`.
    #[inline]
    pub(crate) fn walk(&self, hit: Hit) -> Walk {
        Walk {
            next: Some(hit.node),
            spot: self.spot(hit.spot),
            left: self.meta().inline_depth.saturating_add(1),
        }
    }

    /// Returns the code offset where a function is entered.
    pub(crate) fn entry(&self, extent: u32) -> Option<u32> {
        let extent = self.extents().get(usize::try_from(extent).ok()?)?;
        Some(extent.entry.get())
    }

    #[inline]
    fn spot(&self, row: u32) -> Place {
        let row = usize::try_from(row).ok();
        let Some((row, spot)) = row.and_then(|row| Some((row, self.spots().get(row)?))) else {
            return Place::default();
        };
        let column = self.spot_columns().get(row);
        Place {
            file: Some(spot.file.get()).filter(|file| *file != NONE),
            line: spot.line.get(),
            column: column.map_or(0, |column| column.get()),
        }
    }
}

impl Walk {
    /// Returns the next call level outwards. Of a hit without a function the
    /// only level says where the line table places it.
    #[inline]
    pub(crate) fn next(&mut self, index: &Index) -> Option<Level> {
        let at = self.next.take()?;
        self.left = self.left.checked_sub(1)?;
        let spot = self.spot;
        let mut level = Level {
            file: spot.file,
            line: spot.line,
            column: spot.column,
            ..Level::default()
        };
        let row = usize::try_from(at).ok().filter(|_| at != NONE);
        let Some(node) = row.and_then(|row| index.nodes().get(row)) else {
            return (spot.file.is_some() || spot.line > 0).then_some(level);
        };
        level.function = Some(node.function());
        match node.parent() {
            Some(parent) => {
                level.inlined = true;
                self.spot = index.spot(node.place());
                self.next = Some(parent);
            }
            None => level.extent = Some(node.place()),
        }
        Some(level)
    }
}

/// Returns the value of the last row that starts at or before `at`. Of those before the
/// bucket only the last can be it.
#[inline]
fn find_row(rows: &[Row], before: Le32, end: Le32, at: u32) -> Option<u32> {
    let before = usize::try_from(before.get()).ok()?;
    let end = usize::try_from(end.get()).ok()?;
    // Forged buckets may point anywhere; ranges that are none have no rows.
    let inside = rows.get(before..end)?;
    let after = inside.partition_point(|row| row.start.get() <= at);
    let row = rows.get(before.checked_add(after)?.checked_sub(1)?)?;
    Some(row.value.get())
}

/// Returns for each bucket of `1 << shift` code offsets how many rows start before its
/// end.
pub(crate) fn buckets(scopes: &[Row], lines: &[Row], shift: u32, code_size: u32) -> Vec<Bucket> {
    let count = usize::try_from(code_size >> shift).map_or(0, |last| last.saturating_add(1));
    let mut buckets = Vec::with_capacity(count);
    let mut counted = [scopes, lines].map(|rows| (rows.iter().peekable(), 0_u32));
    for bucket in 0_u32..=(code_size >> shift) {
        for (rest, rows) in &mut counted {
            while rest
                .next_if(|row| row.start.get() >> shift <= bucket)
                .is_some()
            {
                *rows = rows.saturating_add(1);
            }
        }
        let [scopes, lines] = [0, 1].map(|of: usize| counted.get(of).map_or(0, |(_, rows)| *rows));
        buckets.push(Bucket {
            scopes: Le32::new(scopes),
            lines: Le32::new(lines),
        });
    }
    buckets
}
