//! An index of an `IndexBuilder` gives the same answers from memory and from its file; a
//! changed file is detected.

use std::path::Path;
use std::slice::from_ref;
use std::sync::Arc;

use backsight_index::{
    CallSite, FunctionName, Hit, IndexBuilder, IndexCause, IndexError, IndexView, ReadOptions,
    SymbolIndex, ViewOptions,
};
use backsight_types::VirtOffset;

/// `main`, with `outer` inlined into it and `inner` into that; and a function that
/// overlaps its end and has only a linkage name.
fn index() -> SymbolIndex {
    build().expect("room")
}

fn build() -> Result<SymbolIndex, backsight_index::IndexFull> {
    let mut index = IndexBuilder::default().build_id("c0ffee".parse().expect("an ID"));
    let main = index.function(from_ref(&(0x1000..0x1100)), FunctionName::plain("main"))?;
    let call = |line| CallSite::at("/src/main.c", line).with_column(3);
    let outer = FunctionName::plain("outer");
    let outer = index.inlined(main, &[0x1010..0x1030, 0x1080..0x1090], outer, call(20))?;
    let inner = FunctionName::linkage("_ZN1a5innerEv");
    index.inlined(outer, from_ref(&(0x1018..0x1020)), inner, call(30))?;
    index.function(
        from_ref(&(0x10f0..0x1200)),
        FunctionName::linkage("_Z4tailv"),
    )?;
    index.line(0x1000..0x1100, "/src/main.c", 10, 1)?;
    index.line(0x1018..0x1020, "/src/inner.h", 7, 0)?;
    index.finish()
}

/// The answer for an address: function, file and line of each level.
type Levels = Vec<(Option<String>, Option<String>, Option<u32>)>;

fn levels(view: &IndexView, at: u64) -> Levels {
    let frames = view.look_up(VirtOffset(at)).into_iter().flatten();
    let text = |text: Option<&str>| text.map(str::to_owned);
    let shown = frames.map(|it| (text(it.function), text(it.file), it.line));
    shown.collect()
}

fn level(function: &str, file: Option<&str>, line: Option<u32>) -> Levels {
    vec![(Some(function.to_owned()), file.map(str::to_owned), line)]
}

/// All addresses with answers, and some next to them.
fn wanted() -> Vec<(u64, Levels)> {
    let (main, inner) = (Some("/src/main.c"), Some("/src/inner.h"));
    let plain = level("main", main, Some(10));
    let outer = [
        level("outer", main, Some(10)),
        level("main", main, Some(20)),
    ]
    .concat();
    let all = [
        level("a::inner()", inner, Some(7)),
        level("outer", main, Some(30)),
        level("main", main, Some(20)),
    ]
    .concat();
    vec![
        (0xfff, Levels::new()),
        (0x1000, plain.clone()),
        (0x1010, outer.clone()),
        (0x1018, all.clone()),
        (0x101f, all),
        (0x1020, outer.clone()),
        (0x1030, plain),
        (0x1085, outer),
        (0x10f0, level("tail()", main, Some(10))),
        (0x11ff, level("tail()", None, None)),
        (0x1200, Levels::new()),
        (u64::MAX, Levels::new()),
    ]
}

/// Returns the cause of a failed operation.
fn cause<T>(of: Result<T, IndexError>) -> Option<IndexCause> {
    Some(of.err()?.cause().clone())
}

fn open(bytes: &[u8]) -> Result<SymbolIndex, IndexError> {
    SymbolIndex::from_bytes(Arc::from(bytes))
}

fn bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    index().write_to(&mut bytes).expect("written");
    bytes
}

#[test]
fn added_symbols_are_found_in_memory_and_in_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.index");
    index().write(&path).expect("written");
    let opened = SymbolIndex::open(&path, ReadOptions::default()).expect("an index");
    let bytes = bytes();
    assert_eq!(std::fs::read(&path).expect("there"), bytes);
    assert_eq!(opened.file_size(), bytes.len());
    assert_eq!(opened.build_id(), index().build_id());
    let mut named = index();
    named.add_demangled(1 << 10);
    let pages = index().into_pages();
    for (what, index) in [
        ("memory", index()),
        ("file", opened),
        ("bytes", open(&bytes).expect("an index")),
        ("pages", pages),
        ("stored names", named),
    ] {
        assert_eq!(index.verify(), Ok(()), "{what}");
        let view = IndexView::new(index, ViewOptions::default());
        for (at, want) in wanted() {
            assert_eq!(levels(&view, at), want, "{what}: {at:#x}");
            // Owned frames are the same.
            let owned = view.find(at).map(|hit| view.frames(hit));
            let owned = owned.iter().flat_map(|frames| frames.iter());
            let owned = owned.map(|it| {
                let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
                (text(&it.function), text(&it.file), it.line)
            });
            assert_eq!(owned.collect::<Levels>(), want, "{what}: {at:#x}");
        }
        assert!(!view.found_damage(), "{what}");
    }
}

#[test]
fn answers_are_shown_as_they_are_wanted() {
    let options = ViewOptions::default().with_inlines(false);
    let view = IndexView::new(index(), options);
    // Only the physical function, with the line in it.
    let main = level("main", Some("/src/main.c"), Some(20));
    assert_eq!(levels(&view, 0x1018), main);
    let options = ViewOptions::default().with_demangle(false);
    let view = IndexView::new(index(), options);
    assert_eq!(levels(&view, 0x11ff), level("_Z4tailv", None, None));
    let mut functions = Vec::new();
    view.for_each_function(|name, start, size| functions.push((name.to_owned(), start, size)));
    functions.sort();
    let want = [("_Z4tailv", 0x10f0, 0x110), ("main", 0x1000, 0x100)];
    assert_eq!(
        functions,
        want.map(|(name, start, size)| (name.to_owned(), start, size))
    );
}

#[test]
fn no_byte_can_be_changed_unnoticed() {
    let sound = bytes();
    let wanted = wanted();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        let Ok(index) = open(&bytes) else { continue };
        assert!(index.verify().is_err(), "byte {at}");
        let view = IndexView::new(index, ViewOptions::default());
        let is_right = wanted.iter().all(|(at, want)| levels(&view, *at) == *want);
        assert!(is_right || view.found_damage(), "byte {at}");
    }
    for end in 0..sound.len() {
        let cut = open(&sound[..end]);
        assert!(
            cut.is_err() || cut.is_ok_and(|cut| cut.verify().is_err()),
            "{end}"
        );
    }
}

#[test]
fn other_files_are_refused() {
    assert_eq!(cause(open(b"")), Some(IndexCause::NotAnIndex));
    assert_eq!(cause(open(&[0; 4096])), Some(IndexCause::NotAnIndex));
    let missing = SymbolIndex::open(Path::new("/nowhere/a.index"), ReadOptions::default());
    let missing = missing.expect_err("nothing is there");
    let said = missing.to_string();
    assert!(said.starts_with("open /nowhere/a.index: "), "{said}");
    let nothing = std::io::Error::from_raw_os_error(2);
    assert_eq!(*missing.cause(), IndexCause::from(nothing));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.index");
    index().write(&path).expect("written");
    let small = ReadOptions::default()
        .with_access(backsight_files::Access::Read)
        .with_file_bytes(100);
    let refused = SymbolIndex::open(&path, small).expect_err("100 bytes are too few");
    let error = backsight_files::Error::TooLarge { limit: 100 };
    assert_eq!(*refused.cause(), IndexCause::File(error));
    assert_eq!(
        (refused.operation(), refused.path()),
        ("read", Some(&*path))
    );
}

#[test]
fn hits_of_a_search_are_those_of_find() {
    let view = IndexView::new(index(), ViewOptions::default());
    for at in 0xff0..0x1210 {
        let found: Option<Hit> = view.find(at);
        let search = view.search(at).and_then(|search| view.finish(search));
        assert_eq!(search, found, "{at:#x}");
    }
}

/// One symbol that claims gigabytes of code takes memory by its rows, and is found at each place.
#[test]
fn a_symbol_that_claims_gigabytes_takes_no_room() {
    let mut index = IndexBuilder::default();
    let huge = 0x1000..0x1000 + (3_u64 << 30);
    index
        .function(from_ref(&huge), FunctionName::plain("huge"))
        .expect("room");
    index
        .function(from_ref(&(0x2000..0x2010)), FunctionName::plain("small"))
        .expect("room");
    let index = index.finish().expect("room");
    assert!(index.file_size() < 1 << 20, "{}", index.file_size());
    assert_eq!(index.verify(), Ok(()));
    let view = IndexView::new(index, ViewOptions::default());
    let name = |at: u64| levels(&view, at).first()?.0.clone();
    for at in [huge.start, 0x1fff, 0x2010, 1 << 30, huge.end - 1] {
        assert_eq!(name(at).as_deref(), Some("huge"), "{at:#x}");
    }
    assert_eq!(name(0x200f).as_deref(), Some("small"));
    assert_eq!((name(0xfff), name(huge.end)), (None, None));
}
