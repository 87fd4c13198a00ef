//! The index as a file: what is written is read, and what is damaged is refused.

mod common;

use std::path::Path;
use std::sync::LazyLock;

use backsight_symbolize::{
    BuiltIndex, IndexCause, IndexError, ModuleInput, Options, Place, Request, SymbolIndex,
    Symbolizer,
};
use backsight_types::{FileOffset, Lookup, Reason};
use common::Fixture;

fn index_of(path: &Path) -> SymbolIndex {
    let input = ModuleInput::open(path).expect("a regular file");
    let built = BuiltIndex::of(input, None, &Options::default());
    built.expect("an index").index
}

/// A small program, compiled once for all tests.
static PROGRAM: LazyLock<Result<Vec<u8>, String>> = LazyLock::new(|| {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    let args = ["-O2", "-g", "-Wl,--build-id", "-o", "a", "a.cpp"];
    fixture.run("g++", &args)?;
    Ok(std::fs::read(fixture.path("a")).expect("compiled"))
});

/// Puts the program into the fixture and returns its index file; `None`, and a word
/// why not, without a compiler.
fn small(fixture: &Fixture) -> Option<Vec<u8>> {
    let program = match &*PROGRAM {
        Ok(program) => program,
        Err(words) => {
            testkit::skip(words);
            return None;
        }
    };
    let path = fixture.write("a", program);
    index_of(&path)
        .write(&fixture.path("a.index"))
        .expect("written");
    Some(std::fs::read(fixture.path("a.index")).expect("read back"))
}

/// Returns why an operation failed.
fn cause<T>(of: Result<T, IndexError>) -> Option<IndexCause> {
    Some(of.err()?.cause().clone())
}

fn open(bytes: &[u8]) -> Result<SymbolIndex, IndexError> {
    SymbolIndex::from_bytes(bytes.into())
}

#[test]
fn writing_then_reading_is_the_identity() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    let built = index_of(&fixture.path("a"));
    assert_eq!(built.file_size(), bytes.len());
    let opened = SymbolIndex::open(&fixture.path("a.index"), &Options::default());
    for opened in [opened.expect("opened"), open(&bytes).expect("opened")] {
        assert_eq!(opened.verify(), Ok(()));
        assert_eq!(opened.tables(), built.tables());
        assert_eq!(opened.build_id(), built.build_id());
        assert!(opened.build_id().is_some() && !opened.limit_reached());
        // Written again it is the same, byte for byte.
        opened.write(&fixture.path("again")).expect("written");
        assert!(std::fs::read(fixture.path("again")).expect("read") == bytes);
    }
}

#[test]
fn building_twice_gives_the_same_bytes() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    assert!(small(&fixture).expect("the tools were there") == bytes);
}

#[test]
fn verify_finds_every_flipped_bit() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    // Bytes all over the header and the tables.
    let step = (bytes.len() / 60).max(1);
    for at in (0..500).step_by(7).chain((500..bytes.len()).step_by(step)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let verified = open(&flipped).and_then(|index| index.verify());
        assert!(verified.is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    let step = (bytes.len() / 60).max(1);
    for length in (0..500).step_by(7).chain((500..bytes.len()).step_by(step)) {
        let cut = open(&bytes[..length]).and_then(|index| index.verify());
        assert!(cut.is_err(), "{length} bytes of {}", bytes.len());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let longer = open(&longer).expect("its tables are there");
    assert_eq!(
        cause(longer.verify()),
        Some(IndexCause::Malformed("its length"))
    );
}

#[test]
fn other_files_are_no_index() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    assert_eq!(cause(open(b"")), Some(IndexCause::NotAnIndex));
    assert_eq!(
        cause(open(b"\x7fELF and more")),
        Some(IndexCause::NotAnIndex)
    );
    let mut other = bytes.clone();
    other[8] = 9;
    assert_eq!(cause(open(&other)), Some(IndexCause::Version(9)));
    let missing = SymbolIndex::open(&fixture.path("nowhere"), &Options::default());
    assert!(matches!(cause(missing), Some(IndexCause::File(_))));
    let directory = SymbolIndex::open(&fixture.path(""), &Options::default());
    assert!(matches!(cause(directory), Some(IndexCause::File(_))));
}

#[test]
fn nothing_is_left_of_a_write_that_fails() {
    let fixture = Fixture::new();
    let Some(_) = small(&fixture) else { return };
    let index = index_of(&fixture.path("a"));
    // A directory stands where the file should go.
    fixture.write("taken/file", "");
    let failed = index.write(&fixture.path("taken"));
    assert!(matches!(cause(failed), Some(IndexCause::File(_))));
    let names = std::fs::read_dir(fixture.path("")).expect("listed");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    assert!(
        !names.iter().any(|name| name.starts_with('.')) && names.contains(&"taken".into()),
        "{names:?}"
    );
}

#[test]
fn an_index_answers_for_a_module_that_is_gone() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    let path = fixture.path("a");
    let (symbolizer, module) = common::symbolizer_of(&path);
    let addresses: Vec<u64> = (0..0x6000).collect();
    let requests = |module| -> Vec<Request> {
        addresses
            .iter()
            .map(|addr| common::at(module, *addr))
            .collect()
    };
    let want = symbolizer.symbolize(&requests(module));
    std::fs::remove_file(&path).expect("removed");
    // Of a file's bytes, and of an index that was never in a file.
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add_index(open(&bytes).expect("an index"), None);
    assert_eq!(symbolizer.symbolize(&requests(module)), want);
    assert!(want.iter().filter(|answer| answer.is_ok()).count() > 1_000);
    // The index has no program headers.
    let place = Place::File(FileOffset(0x1000));
    let request = Request::new(module, place, Lookup::Exact);
    let answers = symbolizer.symbolize(&[request]);
    assert_eq!(answers, [Err(Reason::NeedsProgramHeaders)]);
}

#[test]
fn stored_names_are_the_demangled_ones() {
    let fixture = Fixture::new();
    let Some(bytes) = small(&fixture) else { return };
    let mut index = open(&bytes).expect("an index");
    index.add_demangled(Options::default().limits.name_bytes);
    index.write(&fixture.path("named")).expect("written");
    let named = std::fs::read(fixture.path("named")).expect("read back");
    let open_named = || open(&named).expect("an index");
    assert_eq!(open_named().verify(), Ok(()));
    let rows = |index: &SymbolIndex, name| {
        let tables = index.tables();
        let table = tables.iter().find(|table| table.name == name);
        table.expect("a table").rows
    };
    let index = open_named();
    assert_eq!(rows(&index, "demangled names"), rows(&index, "functions"));
    for demangle in [true, false] {
        let answers = |index: SymbolIndex| {
            let options = Options::default().with_demangle(demangle);
            let symbolizer = Symbolizer::new(options);
            let module = symbolizer.add_index(index, None);
            let requests: Vec<Request> = (0..0x6000).map(|addr| common::at(module, addr)).collect();
            symbolizer.symbolize(&requests)
        };
        let plain = answers(open(&bytes).expect("an index"));
        assert!(plain.iter().flatten().count() > 1_000);
        assert_eq!(answers(open_named()), plain, "demangled: {demangle}");
    }
}

#[test]
fn no_forged_row_makes_an_answer_without_frames() {
    let fixture = Fixture::new();
    let source = "static inline __attribute__((always_inline)) int f(int x) { return x * 3; }\n\
                  int main(int count, char **args) { return f(count) + (args == 0); }\n";
    fixture.write("a.c", source);
    if let Err(words) = fixture.run("gcc", &["-O1", "-g", "-o", "a", "a.c"]) {
        return testkit::skip(&words);
    }
    let index = index_of(&fixture.path("a"));
    index.write(&fixture.path("index")).expect("written");
    let bytes = std::fs::read(fixture.path("index")).expect("read back");
    let mut known = 0;
    for inlines in [true, false] {
        // Behind the header and its checksum: rows of all tables.
        for at in (500..bytes.len() - 4).step_by(4) {
            for number in [0, 1, 0x00ff_fff0, u32::MAX] {
                let mut forged = bytes.clone();
                forged[at..at + 4].copy_from_slice(&number.to_le_bytes());
                let Ok(index) = open(&forged) else { continue };
                let symbolizer = Symbolizer::new(Options::default().with_inlines(inlines));
                let module = symbolizer.add_index(index, None);
                let addresses = (0x1000..0x1200).step_by(4);
                let requests: Vec<Request> =
                    addresses.map(|addr| common::at(module, addr)).collect();
                for frames in symbolizer.symbolize(&requests).iter().flatten() {
                    assert!(!frames.is_empty(), "{at}: {number}");
                    known += 1;
                }
            }
        }
    }
    assert!(known > 1_000);
}
