//! Names to places, and all names there are, against the `object` crate's reading.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use backsight_symbolize::{
    BuiltIndex, Definition, DefinitionKind, ModuleInput, Options, Symbolizer,
};
use common::{Fixture, find, symbolizer_of};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

type Row = (u64, String, &'static str, u64);

/// What the object crate reads: functions, data, and labels in code.
fn theirs(path: &Path) -> BTreeSet<Row> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let in_code = |symbol: &object::Symbol<'_, '_>| {
        let section = symbol.section_index();
        let section = section.and_then(|index| file.section_by_index(index).ok());
        section.is_some_and(|section| section.kind() == object::SectionKind::Text)
    };
    let symbols = file.symbols().chain(file.dynamic_symbols());
    let rows = symbols.filter_map(|symbol| {
        let kind = match symbol.kind() {
            SymbolKind::Text => "function",
            SymbolKind::Data => "object",
            SymbolKind::Unknown | SymbolKind::Label => "label",
            _ => return None,
        };
        let placed = kind == "object" || in_code(&symbol);
        let name = symbol.name().ok().filter(|name| !name.is_empty())?;
        let defined = placed && !symbol.is_undefined();
        defined.then(|| (symbol.address(), name.to_owned(), kind, symbol.size()))
    });
    rows.collect()
}

fn row(definition: &Definition) -> Row {
    let kind = match definition.kind {
        DefinitionKind::Function => "function",
        DefinitionKind::Object => "object",
        _ => "label",
    };
    (
        definition.start.0,
        definition.name.to_string(),
        kind,
        definition.size,
    )
}

/// A program; `None`, and a word why not, without a compiler.
fn program() -> Option<Fixture> {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    match fixture.run("g++", &["-O2", "-g", "-Wl,--build-id", "-o", "a", "a.cpp"]) {
        Ok(()) => Some(fixture),
        Err(words) => {
            testkit::skip(&words);
            None
        }
    }
}

#[test]
fn every_symbol_is_listed_once_in_order() {
    let Some(fixture) = program() else { return };
    let path = fixture.path("a");
    let (symbolizer, module) = symbolizer_of(&path);
    let all = symbolizer.definitions(module).expect("an ELF file");
    let ours: BTreeSet<Row> = all.iter().map(row).collect();
    let theirs = theirs(&path);
    assert!(theirs.len() > 100);
    assert_eq!(
        theirs.difference(&ours).collect::<Vec<_>>(),
        Vec::<&Row>::new()
    );
    // What is ours alone, debug information knows and no symbol does.
    let starts: BTreeSet<u64> = theirs.iter().map(|row| row.0).collect();
    assert!(ours.difference(&theirs).all(|row| !starts.contains(&row.0)));
    assert_eq!(ours.len(), all.len());
    assert!(all.is_sorted_by(|a, b| (a.start, &a.name) <= (b.start, &b.name)));
    let mut placed = 0;
    for function in all
        .iter()
        .filter(|each| each.kind == DefinitionKind::Function)
    {
        let frames = find(&symbolizer, module, function.start.0);
        let physical = frames.as_ref().ok().and_then(|frames| frames.physical());
        let want = physical.map(|frame| (frame.file.clone(), frame.line));
        let want = want.unwrap_or_default();
        assert_eq!((function.file.clone(), function.line), want, "{function:?}");
        placed += usize::from(function.line.is_some());
    }
    assert!(placed > 30);
}

#[test]
fn a_definition_is_found_by_either_name() {
    let Some(fixture) = program() else { return };
    let (symbolizer, module) = symbolizer_of(&fixture.path("a"));
    let all = symbolizer.definitions(module).expect("an ELF file");
    let named = |name: &str| {
        symbolizer
            .definitions_named(module, name)
            .expect("an ELF file")
    };
    let mangled = all.iter().filter(|each| each.name != each.shown);
    let mut tried = 0;
    for each in mangled.step_by(17).take(6) {
        let of = |is_it: &dyn Fn(&Definition) -> bool| -> Vec<Definition> {
            all.iter().filter(|each| is_it(each)).cloned().collect()
        };
        assert_eq!(named(&each.name), of(&|other| other.name == each.name));
        // Several constructors have one name for people.
        if each.shown.contains([':', '(']) {
            assert_eq!(named(&each.shown), of(&|other| other.shown == each.shown));
        }
        tried += 1;
    }
    assert!(tried > 3);
    assert_eq!(named("main").len(), 1);
    assert_eq!(named("no such function"), []);
}

#[test]
fn an_index_lists_the_functions_it_knows() {
    let Some(fixture) = program() else { return };
    let path = fixture.path("a");
    let input = ModuleInput::open(&path).expect("a regular file");
    let built = BuiltIndex::of(input, None, &Options::default()).expect("an index");
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add_index(built.index, None);
    let all = symbolizer.definitions(module).expect("an index");
    let starts: BTreeSet<u64> = all.iter().map(|each| each.start.0).collect();
    // A function's cold part is a part of it.
    let has_own_code = |row: &Row| row.2 == "function" && row.3 > 0 && !row.1.ends_with(".cold");
    let functions = theirs(&path).into_iter().filter(has_own_code);
    let missing: Vec<Row> = functions.filter(|row| !starts.contains(&row.0)).collect();
    assert_eq!(missing, []);
    let main = symbolizer
        .definitions_named(module, "main")
        .expect("an index");
    let place = main.iter().map(|main| (main.size > 0, main.line.is_some()));
    assert_eq!(place.collect::<Vec<_>>(), [(true, true)]);
}

#[test]
fn a_relocatable_object_lists_its_code() {
    let fixture = Fixture::new();
    fixture.write(
        "a.c",
        "int data = 3; static int f(void) { return 1; } int (*g)(void) = f;",
    );
    if let Err(words) = fixture.run("gcc", &["-g", "-c", "-o", "a.o", "a.c"]) {
        return testkit::skip(&words);
    }
    let (symbolizer, module) = symbolizer_of(&fixture.path("a.o"));
    let all = symbolizer.definitions(module).expect("an object file");
    let names: Vec<&str> = all.iter().map(|each| &*each.name).collect();
    assert_eq!(names, ["f"]);
    assert_eq!(all[0].line, Some(1));
}

#[test]
fn unreadable_files_are_an_error() {
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(ModuleInput::Bytes(b"no ELF file"[..].into()), None, None);
    assert!(symbolizer.definitions(module).is_err());
    assert!(symbolizer.definitions_named(module, "main").is_err());
}
