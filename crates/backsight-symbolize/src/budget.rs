//! How much memory and how many files a symbolizer may keep, and what it keeps now.

use crate::setters::setters;

/// What a symbolizer may take of the machine, besides what each file may cost
/// ([`Limits`](crate::Limits)).
///
/// What was read of a module is kept for the next batch. When all of it together exceeds
/// the budget, the least recently used modules are evicted, and read again when needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Bytes of memory kept between batches: tables, indexes, names, and files that
    /// were read. Mapped files do not count, as the kernel takes their pages back
    /// when it needs them. What indexing the largest module so far may have taken,
    /// its debug sections included, is held free, up to half of it, so that the next
    /// one fits in, too; and of the rest a third, for what the heap cannot give
    /// back. 2 GiB.
    pub kept_bytes: u64,
    /// Bytes that indexing one module may take for a while. A module that would take
    /// more is looked up unit by unit, unless [`Tier::Flat`](crate::Tier::Flat) asks for
    /// its index. 4 GiB.
    pub indexing_bytes: u64,
    /// Files that stay open. Only those that were read need to, so that they can be
    /// read again; a mapped file is closed. The modules beyond it keep what was read
    /// of them. 256.
    pub open_files: usize,
}

impl Budget {
    setters! {
        with_kept_bytes kept_bytes: u64,
        with_indexing_bytes indexing_bytes: u64,
        with_open_files open_files: usize,
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            kept_bytes: 2 << 30,
            indexing_bytes: 4 << 30,
            open_files: 256,
        }
    }
}

/// What a symbolizer holds at the moment, and what became of it so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Modules it was given.
    pub modules: usize,
    /// Those of which files are open or tables kept.
    pub loaded: usize,
    /// Those that are indexed as a whole.
    pub indexed: usize,
    /// Bytes of memory that are kept, as [`Budget::kept_bytes`] counts them.
    pub kept_bytes: u64,
    /// Evictions so far.
    pub evicted: u64,
    /// Indexes that could not be written to
    /// [`Options::index_dir`](crate::Options::index_dir), of those modules that are
    /// loaded.
    pub not_written: usize,
}
