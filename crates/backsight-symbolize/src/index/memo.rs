//! Names and paths, each made once.
//!
//! Demangling and joining paths cost far more than finding what to demangle, so
//! both are kept. A batch makes the names that it is the first to need before it is
//! read, many at once, so that they lie together; what nobody made is made when it is
//! asked for.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::layout::{FileRecord, FunctionRecord, NONE};
use super::search::Hit;
use super::table::Index;
use super::texts::{Inside, Place, Segment, Texts};
use crate::Options;
use crate::name::{Name, text_bytes};
use crate::tally::{Tally, bytes_of, wide};

/// The texts that lookups in one index have asked for so far.
#[derive(Debug)]
pub(crate) struct Memo {
    /// The bits of the [`Place`] of each function's name, [`UNKNOWN`] or [`NAMELESS`].
    names: Chunked<AtomicU64>,
    texts: Texts,
    /// Names that outlive the index, for those who ask for such.
    owned: Chunked<OnceLock<Name>>,
    files: Chunked<OnceLock<Option<Arc<str>>>>,
    /// A bit for each node.
    seen: Chunked<AtomicU64>,
    /// What owned names and paths take.
    bytes: Tally,
}

/// Of a name that was not asked for yet.
const UNKNOWN: u64 = 0;

/// Of a function that has none.
const NAMELESS: u64 = 1;

/// A value for each row of a table, those of neighbours made together when one is
/// asked for: the first lookup in a large index must not wait for all.
#[derive(Debug)]
struct Chunked<T>(Vec<OnceLock<Box<[T]>>>);

/// Values made together.
const CHUNK: usize = 256;

impl<T: Default> Chunked<T> {
    fn new(count: usize) -> Self {
        let mut chunks = Vec::new();
        chunks.resize_with(count.div_ceil(CHUNK), OnceLock::new);
        Self(chunks)
    }

    fn bytes(&self) -> usize {
        let made = self.0.iter().filter_map(OnceLock::get);
        let made = made.map(|chunk| bytes_of(chunk));
        made.fold(bytes_of(&self.0), usize::saturating_add)
    }

    #[inline]
    fn get(&self, at: usize) -> Option<&T> {
        let chunk = self.0.get(at / CHUNK)?;
        let chunk = chunk.get_or_init(|| std::iter::repeat_with(T::default).take(CHUNK).collect());
        chunk.get(at % CHUNK)
    }
}

impl Memo {
    pub(crate) fn new(index: &Index) -> Self {
        Self {
            names: Chunked::new(index.functions().len()),
            texts: Texts::default(),
            owned: Chunked::new(index.functions().len()),
            files: Chunked::new(index.files().len()),
            seen: Chunked::new(index.nodes().len().div_ceil(64)),
            bytes: Tally::default(),
        }
    }

    /// Returns the bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let cells = [
            self.names.bytes(),
            self.owned.bytes(),
            self.files.bytes(),
            self.seen.bytes(),
        ];
        let cells = cells.into_iter().fold(0, usize::saturating_add);
        let texts = self.texts.bytes().saturating_add(self.bytes.get());
        texts.saturating_add(wide(cells))
    }

    /// Makes the names that the call levels of these hits will be asked for.
    pub(crate) fn prepare(
        &self,
        index: &Index,
        hits: impl Iterator<Item = Hit>,
        options: &Options,
    ) {
        let mut new = Vec::new();
        for hit in hits {
            if hit.node != NONE && !is_set(&self.seen, hit.node) {
                self.gather(index, hit, &mut new);
            }
        }
        if !new.is_empty() {
            new.sort_unstable();
            new.dedup();
            self.make(index, &new, options);
        }
    }

    /// Adds the functions of a hit's call levels whose names are not there yet.
    #[cold]
    fn gather(&self, index: &Index, hit: Hit, new: &mut Vec<u32>) {
        let mut walk = index.walk(hit);
        while let Some(level) = walk.next(index) {
            let function = level.function;
            new.extend(function.filter(|function| self.bits(*function) == Some(UNKNOWN)));
        }
        // Whoever sees the bit and comes before the names are there makes them itself.
        set(&self.seen, hit.node);
    }

    fn make(&self, index: &Index, functions: &[u32], options: &Options) {
        let mut segment = Segment::default();
        let mut made = Vec::with_capacity(functions.len());
        for function in functions {
            let Some(name) = shown(index, *function, options) else {
                self.set(*function, NAMELESS);
                continue;
            };
            let mut place = segment.push(&name);
            if place.is_none() {
                self.keep(std::mem::take(&mut segment), &mut made);
                place = segment.push(&name);
            }
            made.extend(place.map(|place| (*function, place)));
        }
        self.keep(segment, &mut made);
    }

    fn keep(&self, segment: Segment, made: &mut Vec<(u32, Inside)>) {
        if made.is_empty() {
            return;
        }
        let place_of = self.texts.keep(segment);
        for (function, inside) in made.drain(..) {
            let place = place_of.as_ref().map(|place_of| place_of(inside).bits());
            self.set(function, place.unwrap_or(NAMELESS));
        }
    }

    fn set(&self, function: u32, bits: u64) {
        if let Some(cell) = self.cell(function) {
            // Release, so that whoever sees the place finds the text.
            cell.store(bits, Ordering::Release);
        }
    }

    /// Returns the name for people of this row of the function table.
    #[inline]
    pub(crate) fn shown(&self, index: &Index, function: u32, options: &Options) -> Option<&str> {
        let mut bits = self.bits(function)?;
        if bits == UNKNOWN {
            self.make(index, &[function], options);
            bits = self.bits(function)?;
        }
        self.texts.get(Place::from_bits(bits)?)
    }

    /// Returns both names of this row of the function table, to be kept without the
    /// index.
    pub(crate) fn owned(&self, index: &Index, function: u32, options: &Options) -> Option<&Name> {
        let cell = self.owned.get(usize::try_from(function).ok()?)?;
        Some(cell.get_or_init(|| {
            let name = name(index, function, options).unwrap_or_default();
            self.bytes.add(name.bytes());
            name
        }))
    }

    #[inline]
    fn cell(&self, function: u32) -> Option<&AtomicU64> {
        self.names.get(usize::try_from(function).ok()?)
    }

    #[inline]
    fn bits(&self, function: u32) -> Option<u64> {
        Some(self.cell(function)?.load(Ordering::Acquire))
    }

    /// Returns the path of this row of the file table.
    #[inline]
    pub(crate) fn file(&self, index: &Index, file: u32) -> Option<&Arc<str>> {
        let cell = self.files.get(usize::try_from(file).ok()?)?;
        let path = cell.get_or_init(|| {
            let record = index.files().get(usize::try_from(file).ok()?)?;
            let path: Arc<str> = path(index, record)?.into();
            self.bytes.add(text_bytes(&path));
            Some(path)
        });
        path.as_ref()
    }
}

/// Returns the name for people, from the text that has it.
fn shown<'i>(index: &'i Index, function: u32, options: &Options) -> Option<Cow<'i, str>> {
    let (record, stored) = rows(index, function)?;
    let Some(linkage) = index.text(record.linkage.get()) else {
        return index.text(record.plain.get()).map(String::from_utf8_lossy);
    };
    let linkage = String::from_utf8_lossy(linkage);
    let demangled = match stored.filter(|_| options.demangle) {
        // Without a text of its own it is no mangled name.
        Some(stored) => index.text(stored).map(String::from_utf8_lossy),
        None if options.demangle => {
            crate::demangle(&linkage, options.limits.name_bytes).map(Cow::Owned)
        }
        None => None,
    };
    Some(demangled.unwrap_or(linkage))
}

/// Returns both names.
pub(crate) fn name(index: &Index, function: u32, options: &Options) -> Option<Name> {
    let (record, stored) = rows(index, function)?;
    let name = match index.text(record.linkage.get()) {
        None => index.text(record.plain.get()).map(Name::of_plain)?,
        Some(linkage) => match stored.filter(|_| options.demangle) {
            None => Name::of_linkage(linkage, options),
            Some(stored) => Name::of_both(linkage, index.text(stored).unwrap_or(linkage)),
        },
    };
    Some(name.at_line(record.line.get()))
}

/// Returns a function's row, and where its demangled name is if the index stores such.
fn rows(index: &Index, function: u32) -> Option<(&FunctionRecord, Option<u32>)> {
    let at = usize::try_from(function).ok()?;
    let stored = index.demangled().get(at).map(|stored| stored.get());
    Some((index.functions().get(at)?, stored))
}

/// Joins the two parts that the path was split into.
pub(crate) fn path(index: &Index, record: &FileRecord) -> Option<String> {
    let name = index.text(record.name.get())?;
    let mut path = Vec::new();
    if let Some(directory) = index.text(record.directory.get()) {
        path.extend_from_slice(directory);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    Some(String::from_utf8_lossy(&path).into_owned())
}

#[inline]
fn word(bits: &Chunked<AtomicU64>, at: u32) -> Option<(&AtomicU64, u64)> {
    let word = bits.get(usize::try_from(at >> 6).ok()?)?;
    Some((word, 1 << (at & 63)))
}

#[inline]
fn is_set(bits: &Chunked<AtomicU64>, at: u32) -> bool {
    word(bits, at).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
}

fn set(bits: &Chunked<AtomicU64>, at: u32) {
    if let Some((word, bit)) = word(bits, at) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}
