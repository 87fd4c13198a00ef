//! Checksums of an index file's pages: a page is summed up when something in it is first
//! asked for.
//!
//! A flipped bit would else give wrong names without a word, and to sum the whole file up
//! when it is opened would cost more than most of what is asked of it. What was summed up
//! is not summed up again: a file that only we can change does not change.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// As a page of most machines, so that what is summed up was read from the disk anyway.
pub(super) const PAGE: usize = 4096;

/// Which pages were found sound.
#[derive(Debug)]
pub(super) struct Checks {
    /// Where the file begins in memory, which it does as long as it is there.
    base: usize,
    /// Where the tables begin, and where they end and the checksums of the pages begin.
    tables: Range<usize>,
    /// A bit for each page.
    sound: Vec<AtomicU64>,
    damaged: AtomicBool,
}

impl Checks {
    /// For a file whose tables are there. `None` when it has no room for the checksums.
    pub(super) fn new(tables: Range<usize>, file: &[u8]) -> Option<Self> {
        let end = tables.end;
        file.get(sums(end))?;
        let mut sound = Vec::new();
        sound.resize_with(end.div_ceil(PAGE).div_ceil(64), AtomicU64::default);
        Some(Self {
            base: file.as_ptr().addr(),
            tables,
            sound,
            damaged: AtomicBool::new(false),
        })
    }

    /// Returns whether these rows of the file are what was written. Nothing is always.
    #[inline]
    pub(super) fn are_sound<'f, T>(&self, rows: &[T], file: impl Fn() -> Option<&'f [u8]>) -> bool {
        let Some(before_end) = size_of_val(rows).checked_sub(1) else {
            return true;
        };
        let start = rows.as_ptr().addr().wrapping_sub(self.base);
        let (first, last) = (start / PAGE, start.wrapping_add(before_end) / PAGE);
        let is_sound =
            |page| self.is_known(page) || file().is_some_and(|file| self.check(file, page));
        if first == last {
            return is_sound(first);
        }
        (first..=last).all(is_sound)
    }

    /// Returns whether all pages are what was written.
    pub(super) fn are_all_sound(&self, file: &[u8]) -> bool {
        let pages = self.tables.end.div_ceil(PAGE);
        (0..pages).all(|page| self.is_known(page) || self.check(file, page))
    }

    /// Whether a page was asked for that is not what was written.
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

/// Returns where the checksums stand behind tables that end there.
pub(super) fn sums(end: usize) -> Range<usize> {
    let size = end.div_ceil(PAGE).saturating_mul(4);
    end..end.saturating_add(size)
}

/// Returns the bytes of the tables that are in this page of the file.
fn page_of<'f>(file: &'f [u8], tables: &Range<usize>, page: usize) -> Option<&'f [u8]> {
    let begin = page.checked_mul(PAGE)?;
    let stop = begin.checked_add(PAGE)?.min(tables.end);
    file.get(begin.max(tables.start)..stop)
}

fn sum_of(file: &[u8], end: usize, page: usize) -> Option<u32> {
    let sums = file.get(sums(end))?;
    let sum = sums.get(page.checked_mul(4)?..)?.first_chunk()?;
    Some(u32::from_le_bytes(*sum))
}

/// Sums up the pages of tables as they are written.
#[derive(Debug)]
pub(super) struct Summing {
    page: crc32fast::Hasher,
    /// What is left of the page.
    left: usize,
    sums: Vec<u8>,
}

impl Summing {
    /// For tables that begin there in the file, within its first page.
    pub(super) fn new(tables: usize) -> Self {
        Self {
            page: crc32fast::Hasher::new(),
            left: PAGE.saturating_sub(tables),
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
        self.left = PAGE;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.left < PAGE {
            self.finish_page();
        }
        self.sums
    }
}
