//! Names and paths, each made once.
//!
//! Demangling and joining paths cost far more than finding what to demangle, so
//! both are kept. The first lookup of a call level makes the texts of all levels
//! above it; from then on a level costs a look at one bit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::layout::{FileRecord, NONE};
use super::search::Hit;
use super::table::Index;
use crate::Options;
use crate::name::{Name, text_bytes};
use crate::tally::{Tally, bytes_of, wide};

/// The texts that lookups in one index have asked for so far.
#[derive(Debug)]
pub(crate) struct Memo {
    names: Chunked<OnceLock<Name>>,
    files: Chunked<OnceLock<Option<Arc<str>>>>,
    /// A bit for each node, and one for each row of the line table.
    seen_nodes: Chunked<AtomicU64>,
    seen_rows: Chunked<AtomicU64>,
    /// What names and paths take.
    texts: Tally,
}

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
        let words = |bits: usize| bits.div_ceil(64);
        Self {
            names: Chunked::new(index.functions().len()),
            files: Chunked::new(index.files().len()),
            seen_nodes: Chunked::new(words(index.nodes().len())),
            seen_rows: Chunked::new(words(index.line_starts().len())),
            texts: Tally::default(),
        }
    }

    /// Returns the bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let cells = [
            self.names.bytes(),
            self.files.bytes(),
            self.seen_nodes.bytes(),
            self.seen_rows.bytes(),
        ];
        let cells = cells.into_iter().fold(0, usize::saturating_add);
        self.texts.get().saturating_add(wide(cells))
    }

    /// Makes every text that the call levels of `hit` will be asked for.
    #[inline]
    pub(crate) fn prepare(&self, index: &Index, hit: Hit, options: &Options) {
        let known = |bits: &Chunked<AtomicU64>, at: u32| at == NONE || is_set(bits, at);
        if known(&self.seen_nodes, hit.node) && known(&self.seen_rows, hit.row) {
            return;
        }
        self.make(index, hit, options);
    }

    #[cold]
    fn make(&self, index: &Index, hit: Hit, options: &Options) {
        let mut walk = index.walk(hit);
        while let Some(level) = walk.next(index) {
            if let Some(function) = level.function {
                self.name(index, function, options);
            }
            if let Some(file) = level.file {
                self.file(index, file);
            }
        }
        set(&self.seen_nodes, hit.node);
        set(&self.seen_rows, hit.row);
    }

    /// Returns the name of this row of the function table.
    pub(crate) fn name(&self, index: &Index, function: u32, options: &Options) -> Option<&Name> {
        let cell = self.names.get(usize::try_from(function).ok()?)?;
        Some(cell.get_or_init(|| {
            let name = make_name(index, function, options).unwrap_or_default();
            self.texts.add(name.bytes());
            name
        }))
    }

    /// Returns the path of this row of the file table.
    pub(crate) fn file(&self, index: &Index, file: u32) -> Option<&Arc<str>> {
        let cell = self.files.get(usize::try_from(file).ok()?)?;
        let path = cell.get_or_init(|| {
            let record = index.files().get(usize::try_from(file).ok()?)?;
            let path: Arc<str> = path(index, record)?.into();
            self.texts.add(text_bytes(&path));
            Some(path)
        });
        path.as_ref()
    }
}

fn make_name(index: &Index, function: u32, options: &Options) -> Option<Name> {
    let at = usize::try_from(function).ok()?;
    let record = index.functions().get(at)?;
    let name = match index.text(record.linkage.get()) {
        None => index.text(record.plain.get()).map(Name::of_plain)?,
        Some(linkage) => match index.demangled().get(at).filter(|_| options.demangle) {
            None => Name::of_linkage(linkage, options),
            // Without a text of its own it is no mangled name.
            Some(stored) => Name::of_both(linkage, index.text(stored.get()).unwrap_or(linkage)),
        },
    };
    Some(name.at_line(record.line.get()))
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
    // Acquire, so that what was made before the bit was set is seen; the cells
    // themselves would wait for a maker, too.
    word(bits, at).is_some_and(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
}

fn set(bits: &Chunked<AtomicU64>, at: u32) {
    if let Some((word, bit)) = word(bits, at) {
        word.fetch_or(bit, Ordering::Release);
    }
}
