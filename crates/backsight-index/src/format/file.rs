//! Reads and writes the file of an index. Opening does not read all of it.
//!
//! docs/index-format.md has the layout. Opening checks the header and its checksum, that
//! each table lies within the file, and that related tables have the same number of rows.
//! The values in rows are checked where they are used, so that the time to open does not
//! depend on the size. [`FlatIndex::verify`] checks everything.

use std::io::{self, Write};

use super::buckets::buckets;
use super::checks::{PageChecks, PageSums, sums};
use super::error::IndexCause;
use super::header::{self, TABLES_AT, TableEntry};
use super::layout::{NONE, OffsetRow};
use super::table::{FlatIndex, IndexParts};
use backsight_files::Image;

impl FlatIndex {
    /// Opens the bytes of an index file.
    ///
    /// # Errors
    /// All of [`IndexCause`], except for a wrong build ID, which the caller checks.
    pub(crate) fn open(image: Image) -> Result<Self, IndexCause> {
        let (meta, entries) = header::decode(&image)?;
        let mut parts = IndexParts {
            meta,
            ..IndexParts::default()
        };
        for entry in &entries {
            place(&mut parts, entry, image.len())?;
        }
        let ends = entries.iter().map(end_of);
        let end = ends.max().unwrap_or(TABLES_AT);
        let checks = PageChecks::new(TABLES_AT..end, &image);
        let checks = checks.ok_or(IndexCause::Malformed("the checksums of its pages"))?;
        let mut index = Self::of(Some(image), parts);
        index.check_by(checks);
        index.check_frame()?;
        Ok(index)
    }

    /// Writes the index.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        // New checksums would hide existing damage.
        if !self.is_all_sound() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut offset = TABLES_AT;
        let mut entries = Vec::new();
        for (kind, bytes) in self.tables() {
            entries.push(TableEntry {
                kind,
                checksum: crc32fast::hash(bytes),
                offset: u64::try_from(offset).unwrap_or(u64::MAX),
                size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            });
            offset = offset.saturating_add(padded(bytes.len()));
        }
        out.write_all(&header::encode(self.meta(), &entries))?;
        let mut summing = PageSums::new(TABLES_AT);
        for (_, bytes) in self.tables() {
            for bytes in [bytes, padding_of(bytes)] {
                out.write_all(bytes)?;
                summing.add(bytes);
            }
        }
        let sums = summing.finish();
        out.write_all(&sums)?;
        out.write_all(padding_of(&sums))
    }

    /// Returns the bytes that [`write`](Self::write) writes.
    pub(crate) fn file_size(&self) -> usize {
        let tables = self.tables().into_iter();
        let tables = tables.map(|(_, bytes)| padded(bytes.len()));
        let end = tables.fold(TABLES_AT, usize::saturating_add);
        end.saturating_add(padded(sums(end).len()))
    }

    /// Checks that related tables have the same number of rows.
    fn check_frame(&self) -> Result<(), IndexCause> {
        let same = |name, rows: usize, optional: bool, of: usize| {
            let fits = rows == of || (optional && rows == 0);
            fits.then_some(()).ok_or(IndexCause::Malformed(name))
        };
        same(
            "the number of columns",
            self.spot_columns().len(),
            true,
            self.spots().len(),
        )?;
        let functions = self.functions().len();
        same(
            "the number of demangled names",
            self.demangled().len(),
            true,
            functions,
        )?;
        let code = self.code_size()?;
        let buckets = usize::try_from(code >> self.meta().bucket_shift);
        let buckets = buckets.map_or(0, |last| last.saturating_add(1));
        same(
            "the number of buckets",
            self.buckets().len(),
            false,
            buckets,
        )
    }

    /// Returns the size of the code in bytes, after checking that the code offsets of the
    /// windows are contiguous.
    fn code_size(&self) -> Result<u32, IndexCause> {
        let wrong = IndexCause::Malformed("where code lies");
        let (mut size, mut end) = (0_u32, 0_u64);
        if !self.is_sound(self.windows()) {
            return Err(wrong);
        }
        for window in self.windows() {
            if window.first() != size || window.start() < end {
                return Err(wrong);
            }
            size = size.checked_add(window.size()).ok_or(wrong.clone())?;
            end = window
                .start()
                .checked_add(window.size().into())
                .ok_or(wrong.clone())?;
        }
        Ok(size)
    }

    /// Checks the whole index: each table's checksum, the order of its rows, and that
    /// each row that is referred to exists.
    ///
    /// # Errors
    /// [`IndexCause::Malformed`] with the first part that is wrong.
    pub(crate) fn verify(&self) -> Result<(), IndexCause> {
        // After its tables were moved or added to, it no longer has the bytes of a file.
        if let Some(image) = self.image().filter(|_| self.is_checked()) {
            self.verify_bytes(image)?;
        }
        let wrong = |what, holds: bool| holds.then_some(()).ok_or(IndexCause::Malformed(what));
        let ascending = |rows: &[OffsetRow]| {
            let mut pairs = rows.windows(2);
            pairs.all(|pair| matches!(pair, [a, b] if a.start.get() < b.start.get()))
        };
        wrong("the order of scopes", ascending(self.scopes()))?;
        wrong("the order of lines", ascending(self.lines()))?;
        let below = |count: usize| {
            move |at: u32| at == NONE || usize::try_from(at).is_ok_and(|at| at < count)
        };
        let (nodes, functions) = (below(self.nodes().len()), below(self.functions().len()));
        let (spots, extents) = (below(self.spots().len()), below(self.extents().len()));
        let scopes = self.scopes().iter();
        wrong(
            "a scope's node",
            scopes.map(|row| row.value.get()).all(&nodes),
        )?;
        let lines = self.lines().iter();
        wrong(
            "a line's spot",
            lines.map(|row| row.value.get()).all(&spots),
        )?;
        let mut files = self.spots().iter().map(|spot| spot.file.get());
        wrong("a spot's file", files.all(below(self.files().len())))?;
        for (node, at) in self.nodes().iter().zip(0_u32..) {
            wrong("a node's function", functions(node.function()))?;
            // Parents precede their children, so there are no cycles.
            wrong(
                "a node's parent",
                node.parent().is_none_or(|parent| parent < at),
            )?;
            let place = match node.parent() {
                Some(_) => spots(node.place()),
                None => extents(node.place()),
            };
            wrong("a node's place", place)?;
        }
        let text = |at: u32| at == 0 || self.text(at).is_some();
        for function in self.functions() {
            let texts = text(function.linkage.get()) && text(function.plain.get());
            wrong("a function's name", texts)?;
        }
        for file in self.files() {
            let texts = text(file.directory.get()) && text(file.name.get());
            wrong("a file's path", texts)?;
        }
        let demangled = self.demangled().iter();
        wrong("a demangled name", demangled.map(|row| row.get()).all(text))?;
        let (shift, size) = (self.meta().bucket_shift, self.code_size()?);
        let counted = buckets(self.scopes(), self.lines(), shift, size);
        wrong("a bucket", counted == self.buckets())
    }

    /// Checks the checksums of all tables, and that all other bytes are zero.
    fn verify_bytes(&self, image: &[u8]) -> Result<(), IndexCause> {
        let (meta, entries) = header::decode(image)?;
        let head = header::encode(&meta, &entries);
        if image.get(..TABLES_AT) != Some(head.as_slice()) {
            return Err(IndexCause::Malformed("its header"));
        }
        let mut end = TABLES_AT;
        for (entry, (kind, bytes)) in entries.iter().zip(self.tables()) {
            let padding = padded(bytes.len());
            let gap = image.get(end.saturating_add(bytes.len())..end.saturating_add(padding));
            let placed = usize::try_from(entry.offset) == Ok(end);
            let clean = gap.is_some_and(|gap| gap.iter().all(|byte| *byte == 0));
            if !placed || !clean || entry.checksum != crc32fast::hash(bytes) {
                return Err(IndexCause::Malformed(kind.name()));
            }
            end = end.saturating_add(padding);
        }
        let mut summing = PageSums::new(TABLES_AT);
        summing.add(image.get(TABLES_AT..end).unwrap_or_default());
        let (summed, sums) = (summing.finish(), sums(end));
        let after = image.get(sums.end..sums.start.saturating_add(padded(summed.len())));
        let is_clean = after.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        if image.get(sums) != Some(&*summed) || !is_clean {
            return Err(IndexCause::Malformed("the checksums of its pages"));
        }
        end = end.saturating_add(padded(summed.len()));
        if end == image.len() {
            Ok(())
        } else {
            Err(IndexCause::Malformed("its length"))
        }
    }
}

fn padded(size: usize) -> usize {
    size.checked_next_multiple_of(8).unwrap_or(usize::MAX)
}

/// Returns the padding after bytes up to a multiple of 8.
fn padding_of(bytes: &[u8]) -> &'static [u8] {
    let padding = padded(bytes.len()).saturating_sub(bytes.len());
    const ZEROS: &[u8] = &[0; 8];
    ZEROS.get(..padding).unwrap_or_default()
}

/// Returns the end of a table, including its padding.
fn end_of(entry: &TableEntry) -> usize {
    let [offset, size] =
        [entry.offset, entry.size].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    offset.saturating_add(padded(size))
}

/// Sets the position of a table in the file.
fn place(parts: &mut IndexParts, entry: &TableEntry, file_size: usize) -> Result<(), IndexCause> {
    let wrong = IndexCause::Malformed(entry.kind.name());
    let offset = usize::try_from(entry.offset).map_err(|_| wrong.clone())?;
    let size = usize::try_from(entry.size).map_err(|_| wrong.clone())?;
    let end = offset.checked_add(size).ok_or(wrong.clone())?;
    let whole = size.checked_rem(entry.kind.row_size()) == Some(0);
    // Rows have 32-bit numbers, and one number is reserved.
    if end > file_size || !whole || u32::try_from(size).is_err() {
        return Err(wrong);
    }
    parts.place(entry.kind, offset, size);
    Ok(())
}
