//! Checksums of an index file's pages. A page is verified when it is first read.
//!
//! Without them, a flipped bit would give wrong names silently, and verifying the whole
//! file when it is opened would cost more than most lookups. Each page is verified once:
//! only this user and root can change the file.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The page size of most machines, which is what the kernel reads at least.
pub(super) const CHECKED_PAGE_BYTES: usize = 4096;

/// The pages that were verified.
#[derive(Debug)]
pub(super) struct PageChecks {
    /// The address that the file is mapped at; it never moves.
    base: usize,
    /// The range of the tables. The checksums of the pages follow.
    tables: Range<usize>,
    /// A bit for each page.
    sound: Vec<AtomicU64>,
    damaged: AtomicBool,
}

impl PageChecks {
    /// Creates the checks for a file with tables in this range. Returns `None` if the
    /// file is too short for the checksums.
    pub(super) fn new(tables: Range<usize>, file: &[u8]) -> Option<Self> {
        let end = tables.end;
        file.get(sums(end))?;
        let mut sound = Vec::new();
        sound.resize_with(
            end.div_ceil(CHECKED_PAGE_BYTES).div_ceil(64),
            AtomicU64::default,
        );
        Some(Self {
            base: file.as_ptr().addr(),
            tables,
            sound,
            damaged: AtomicBool::new(false),
        })
    }

    /// Returns whether the checksums of these rows of the file are correct; `true` for no
    /// rows.
    #[inline]
    pub(super) fn are_sound<'f, T>(&self, rows: &[T], file: impl Fn() -> Option<&'f [u8]>) -> bool {
        let Some(before_end) = size_of_val(rows).checked_sub(1) else {
            return true;
        };
        let start = rows.as_ptr().addr().wrapping_sub(self.base);
        let (first, last) = (
            start / CHECKED_PAGE_BYTES,
            start.wrapping_add(before_end) / CHECKED_PAGE_BYTES,
        );
        let is_sound =
            |page| self.is_known(page) || file().is_some_and(|file| self.check(file, page));
        if first == last {
            return is_sound(first);
        }
        (first..=last).all(is_sound)
    }

    /// Returns whether the checksums of all pages are correct.
    pub(super) fn are_all_sound(&self, file: &[u8]) -> bool {
        let pages = self.tables.end.div_ceil(CHECKED_PAGE_BYTES);
        (0..pages).all(|page| self.is_known(page) || self.check(file, page))
    }

    /// Returns whether a page with a wrong checksum was read.
    #[inline]
    pub(super) fn found_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_known(&self, page: usize) -> bool {
        let word = self.sound.get(page / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (page % 64)) != 0)
    }

    #[cold]
    #[inline(never)]
    fn check(&self, file: &[u8], page: usize) -> bool {
        let is_sound = page_of(file, &self.tables, page).is_some_and(|bytes| {
            sum_of(file, self.tables.end, page) == Some(crc32fast::hash(bytes))
        });
        match self.sound.get(page / 64).filter(|_| is_sound) {
            Some(word) => {
                word.fetch_or(1 << (page % 64), Ordering::Relaxed);
                true
            }
            None => {
                self.damaged.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

/// Returns the range of the checksums after tables with this end.
pub(super) fn sums(end: usize) -> Range<usize> {
    let size = end.div_ceil(CHECKED_PAGE_BYTES).saturating_mul(4);
    end..end.saturating_add(size)
}

/// Returns the bytes of the tables that are in this page of the file.
fn page_of<'f>(file: &'f [u8], tables: &Range<usize>, page: usize) -> Option<&'f [u8]> {
    let begin = page.checked_mul(CHECKED_PAGE_BYTES)?;
    let stop = begin.checked_add(CHECKED_PAGE_BYTES)?.min(tables.end);
    file.get(begin.max(tables.start)..stop)
}

fn sum_of(file: &[u8], end: usize, page: usize) -> Option<u32> {
    let sums = file.get(sums(end))?;
    let sum = sums.get(page.checked_mul(4)?..)?.first_chunk()?;
    Some(u32::from_le_bytes(*sum))
}

/// Computes the checksums of pages while tables are written.
#[derive(Debug)]
pub(super) struct PageSums {
    page: crc32fast::Hasher,
    /// The bytes until the end of the page.
    left: usize,
    sums: Vec<u8>,
}

impl PageSums {
    /// `tables` is the offset of the tables in the file, within the first page.
    pub(super) fn new(tables: usize) -> Self {
        Self {
            page: crc32fast::Hasher::new(),
            left: CHECKED_PAGE_BYTES.saturating_sub(tables),
            sums: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while let Some((now, later)) = bytes.split_at_checked(self.left) {
            self.page.update(now);
            self.finish_page();
            bytes = later;
        }
        self.page.update(bytes);
        self.left = self.left.saturating_sub(bytes.len());
    }

    fn finish_page(&mut self) {
        let page = std::mem::take(&mut self.page);
        self.sums.extend(page.finalize().to_le_bytes());
        self.left = CHECKED_PAGE_BYTES;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.left < CHECKED_PAGE_BYTES {
            self.finish_page();
        }
        self.sums
    }
}
