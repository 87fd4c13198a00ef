//! Caches demangled names and joined paths.
//!
//! Demangling a name and joining a path cost far more than the lookup, so the results are
//! cached. A batch creates the names that it needs before its answers are read, so that
//! they are adjacent in memory. The others are created on first use.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use backsight_demangle::{demangle, demangle_ada};

use super::search::Hit;
use super::text_store::TextStore;
use crate::byte_count::{ByteCount, bytes_of, wide};
use crate::format::{FileRecord, FlatIndex, FunctionRecord, NONE};
use crate::name::{Name, Spelling, lossy, text_bytes};

/// The texts that lookups in one index have used so far.
#[derive(Debug)]
pub(crate) struct TextCache {
    lent: BorrowedTexts,
    /// Names that outlive the index, for owned frames.
    owned_names: Chunked<OnceLock<Name>>,
    owned_paths: Chunked<OnceLock<Option<Arc<str>>>>,
    /// A bit for each node.
    seen: Chunked<AtomicU64>,
    /// A bit for each node and each file whose checksums were found correct.
    checked: [Chunked<AtomicU64>; 2],
    /// The memory of owned names and paths.
    bytes: ByteCount,
}

self_cell::self_cell! {
    struct BorrowedTexts {
        owner: TextStore,
        #[not_covariant]
        dependent: TextCells,
    }

    impl {Debug}
}

/// Texts that answers borrow.
#[derive(Debug)]
struct TextCells<'t> {
    /// The display name of each function.
    names: Chunked<TextCell<'t>>,
    /// The path of each file.
    paths: Chunked<TextCell<'t>>,
}

/// Unset until it is needed; `None` for a function without a name or a file without a path.
type TextCell<'t> = OnceLock<Option<&'t str>>;

/// A value for each row of a table, allocated in chunks on first use: the first lookup in a
/// large index does not allocate all of them.
#[derive(Debug)]
struct Chunked<T>(Vec<OnceLock<Box<[T; VALUES_PER_CHUNK]>>>);

/// Values in one chunk.
const VALUES_PER_CHUNK: usize = 256;

impl<T: Default> Chunked<T> {
    fn new(count: usize) -> Self {
        let mut chunks = Vec::new();
        chunks.resize_with(count.div_ceil(VALUES_PER_CHUNK), OnceLock::new);
        Self(chunks)
    }

    fn bytes(&self) -> usize {
        let made = self.0.iter().filter_map(OnceLock::get);
        let made = made.map(|chunk| bytes_of(chunk.as_slice()));
        made.fold(bytes_of(&self.0), usize::saturating_add)
    }

    #[inline]
    fn get(&self, at: usize) -> Option<&T> {
        let chunk = self.0.get(at / VALUES_PER_CHUNK)?;
        let chunk = chunk.get_or_init(|| Box::new(std::array::from_fn(|_| T::default())));
        chunk.get(at % VALUES_PER_CHUNK)
    }
}

impl Chunked<TextCell<'_>> {
    /// Returns whether the row exists and its text is not set yet.
    fn is_empty_at(&self, row: u32) -> bool {
        let row = usize::try_from(row).ok();
        let cell = row.and_then(|row| self.get(row));
        cell.is_some_and(|cell| cell.get().is_none())
    }
}

impl TextCache {
    pub(crate) fn new(index: &FlatIndex) -> Self {
        Self {
            lent: BorrowedTexts::new(TextStore::default(), |_| TextCells {
                names: Chunked::new(index.functions().len()),
                paths: Chunked::new(index.files().len()),
            }),
            owned_names: Chunked::new(index.functions().len()),
            owned_paths: Chunked::new(index.files().len()),
            seen: Chunked::new(index.nodes().len().div_ceil(64)),
            checked: [index.nodes().len(), index.files().len()]
                .map(|count| Chunked::new(count.div_ceil(64))),
            bytes: ByteCount::default(),
        }
    }

    /// Returns its memory in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let lent = self.lent.with_dependent(|_, cells| {
            let names = cells.names.bytes();
            names.saturating_add(cells.paths.bytes())
        });
        let cells = [
            lent,
            self.owned_names.bytes(),
            self.owned_paths.bytes(),
            self.seen.bytes(),
            self.checked.iter().map(Chunked::bytes).sum(),
        ];
        let cells = cells.into_iter().fold(0, usize::saturating_add);
        let texts = self.lent.borrow_owner().bytes();
        let texts = texts.saturating_add(self.bytes.get());
        texts.saturating_add(wide(cells))
    }

    /// Creates the texts of the call levels of these hits.
    pub(crate) fn prepare(
        &self,
        index: &FlatIndex,
        hits: impl Iterator<Item = Hit>,
        spelling: Spelling,
    ) {
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        for hit in hits {
            if hit.node != NONE && !is_set(&self.seen, hit.node) {
                self.gather(index, hit, &mut names, &mut paths);
            }
        }
        if names.is_empty() && paths.is_empty() {
            return;
        }
        self.lent.with_dependent(|texts, cells| {
            let name = |function| shown(index, function, spelling);
            make(texts, &cells.names, &distinct(names), name);
            let path = |file| path_of(index, file);
            make(texts, &cells.paths, &distinct(paths), path);
        });
    }

    /// Reads all data of these hits' answers, each once, so that the checksums of its
    /// pages are verified.
    pub(crate) fn check(&self, index: &FlatIndex, hits: impl Iterator<Item = Hit>) {
        let [nodes, files] = &self.checked;
        for hit in hits {
            let is_known = hit.node != NONE && is_set(nodes, hit.node);
            let mut walk = index.walk(hit);
            while let Some(level) = walk.next(index) {
                if level.file != NONE && !is_set(files, level.file) {
                    touch_file(index, level.file);
                    set(files, level.file);
                }
                if is_known {
                    break;
                }
                if level.node != NONE {
                    touch_function(index, level.function);
                    index.entry(level.node);
                }
            }
            if hit.node != NONE {
                set(nodes, hit.node);
            }
        }
    }

    /// Adds the functions and files of a hit's call levels whose texts are not set yet.
    #[cold]
    fn gather(&self, index: &FlatIndex, hit: Hit, names: &mut Vec<u32>, paths: &mut Vec<u32>) {
        self.lent.with_dependent(|_, cells| {
            let mut walk = index.walk(hit);
            while let Some(level) = walk.next(index) {
                names.extend(Some(level.function).filter(|row| cells.names.is_empty_at(*row)));
                paths.extend(Some(level.file).filter(|row| cells.paths.is_empty_at(*row)));
            }
        });
        // A thread that sees the bit before the texts are stored creates them itself.
        set(&self.seen, hit.node);
    }

    /// Returns the display name of this row of the function table.
    #[inline]
    pub(crate) fn shown(
        &self,
        index: &FlatIndex,
        function: u32,
        spelling: Spelling,
    ) -> Option<&str> {
        self.lent.with_dependent(|texts, cells| {
            let name = |row| shown(index, row, spelling);
            lent(texts, &cells.names, function, name)
        })
    }

    /// Returns the path of this row of the file table.
    #[inline]
    pub(crate) fn path(&self, index: &FlatIndex, file: u32) -> Option<&str> {
        self.lent.with_dependent(|texts, cells| {
            let path = |row| path_of(index, row);
            lent(texts, &cells.paths, file, path)
        })
    }

    /// Returns both names of this row of the function table, as owned texts.
    pub(crate) fn owned_name(
        &self,
        index: &FlatIndex,
        row: u32,
        spelling: Spelling,
    ) -> Option<&Name> {
        let cell = self.owned_names.get(usize::try_from(row).ok()?)?;
        Some(cell.get_or_init(|| {
            let name = name(index, row, spelling).unwrap_or_default();
            self.bytes.add(name.bytes());
            name
        }))
    }

    /// Returns the path of this row of the file table, as owned text.
    pub(crate) fn owned_path(&self, index: &FlatIndex, file: u32) -> Option<&Arc<str>> {
        let cell = self.owned_paths.get(usize::try_from(file).ok()?)?;
        let path = cell.get_or_init(|| {
            let path: Arc<str> = path_of(index, file)?.into();
            self.bytes.add(text_bytes(&path));
            Some(path)
        });
        path.as_ref()
    }
}

/// Returns a row's text, and creates it on first use.
#[inline]
fn lent<'t, 'i>(
    texts: &'t TextStore,
    cells: &Chunked<TextCell<'t>>,
    row: u32,
    text: impl Fn(u32) -> Option<Cow<'i, str>>,
) -> Option<&'t str> {
    let cell = cells.get(usize::try_from(row).ok()?)?;
    if let Some(known) = cell.get() {
        return *known;
    }
    make(texts, cells, &[row], text);
    *cell.get()?
}

/// Creates the texts of these rows, in one segment.
#[cold]
fn make<'t, 'i>(
    texts: &'t TextStore,
    cells: &Chunked<TextCell<'t>>,
    rows: &[u32],
    text: impl Fn(u32) -> Option<Cow<'i, str>>,
) {
    let mut segment = String::new();
    let ends = rows.iter().map(|row| {
        let made = text(*row).map(|text| segment.push_str(&text));
        made.map(|()| segment.len())
    });
    let ends: Vec<Option<usize>> = ends.collect();
    if segment.is_empty() && ends.is_empty() {
        return;
    }
    let segment = texts.keep(segment);
    let mut start = 0;
    for (row, end) in rows.iter().zip(ends) {
        let text = end.and_then(|end| segment?.get(start..end));
        start = end.unwrap_or(start);
        if let Some(cell) = usize::try_from(*row).ok().and_then(|row| cells.get(row)) {
            // Another thread may have set the same text already.
            let _ = cell.set(text);
        }
    }
}

fn distinct(mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Returns the display name.
fn shown<'i>(index: &'i FlatIndex, function: u32, spelling: Spelling) -> Option<Cow<'i, str>> {
    let (record, stored) = rows(index, function)?;
    let Some(linkage) = index.text(record.linkage.get()) else {
        return index.text(record.plain.get()).map(lossy);
    };
    let linkage = lossy(linkage);
    let is_ada = record.is_ada();
    let demangled = match stored.filter(|_| spelling.demangle) {
        // If the index stores demangled names, a function without one has a name that is
        // not mangled.
        Some(stored) => index.text(stored).map(lossy),
        None if spelling.demangle => {
            let demangled = if is_ada { demangle_ada } else { demangle };
            demangled(&linkage, spelling.limit).map(Cow::Owned)
        }
        None => None,
    };
    Some(demangled.unwrap_or(linkage))
}

/// Returns both names.
pub(crate) fn name(index: &FlatIndex, function: u32, spelling: Spelling) -> Option<Name> {
    let (record, stored) = rows(index, function)?;
    let name = match index.text(record.linkage.get()) {
        None => index
            .text(record.plain.get())
            .map(|plain| Name::of_plain(plain, 0))?,
        Some(linkage) => match stored.filter(|_| spelling.demangle) {
            None if record.is_ada() => Name::of_ada(linkage, spelling),
            None => Name::of_linkage(linkage, spelling),
            Some(stored) => Name::of_both(linkage, index.text(stored).unwrap_or(linkage)),
        },
    };
    Some(name.at_line(record.line.get()))
}

/// Returns a function's row, and the offset of its demangled name if the index stores
/// them.
fn rows(index: &FlatIndex, function: u32) -> Option<(&FunctionRecord, Option<u32>)> {
    let at = usize::try_from(function).ok()?;
    let stored = index.demangled().get(at);
    let is_sound = index.is_sound(stored.map_or(&[][..], std::slice::from_ref));
    let record = index.function(function).filter(|_| is_sound)?;
    Some((record, stored.map(|stored| stored.get())))
}

/// Returns the path of this row of the file table.
fn path_of(index: &FlatIndex, file: u32) -> Option<Cow<'_, str>> {
    let record = file_of(index, file)?;
    path(index, record).map(Cow::Owned)
}

fn file_of(index: &FlatIndex, file: u32) -> Option<&FileRecord> {
    let record = index.files().get(usize::try_from(file).ok()?)?;
    let is_sound = index.is_sound(std::slice::from_ref(record));
    is_sound.then_some(record)
}

fn touch_file(index: &FlatIndex, file: u32) {
    if let Some(record) = file_of(index, file) {
        index.text(record.directory.get());
        index.text(record.name.get());
    }
}

fn touch_function(index: &FlatIndex, function: u32) {
    if let Some((record, stored)) = rows(index, function) {
        index.text(record.linkage.get());
        index.text(record.plain.get());
        index.text(stored.unwrap_or(0));
    }
}

/// Joins directory and name of a path.
pub(crate) fn path(index: &FlatIndex, record: &FileRecord) -> Option<String> {
    let name = index.text(record.name.get())?;
    let mut path = Vec::new();
    if let Some(directory) = index.text(record.directory.get()) {
        path.extend_from_slice(directory);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    Some(lossy(&path).into_owned())
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
