//! Breakpad symbol files, written from what debug information says: against that.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_symbolize::{
    Access, Frames, Limits, SymbolFile, SymbolFormat, SymbolSource as _, Turn,
};
use backsight_types::{BuildId, DebugId, Reason, VirtOffset};
use common::symbol_files::{SHOP_SOURCE, Shown, both_ways, levels, opened};
use common::{Fixture, at, symbolizer_of};
use object::{Object as _, ObjectSection as _, ObjectSegment as _};
use testkit::breakpad::{Level, Stretch};

/// A program, linked as these words say.
fn made(fixture: &Fixture, link: &str) -> Result<PathBuf, String> {
    fixture.write("shop.cpp", SHOP_SOURCE);
    let words = [
        "-g",
        "-O2",
        "-Wl,--build-id",
        link,
        "-o",
        "shop",
        "shop.cpp",
    ];
    fixture.run("g++", &words)?;
    Ok(fixture.path("shop"))
}

/// Every address of `.text`.
fn addresses(program: &Path) -> Vec<u64> {
    let bytes = std::fs::read(program).expect("readable");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let text = file.section_by_name(".text").expect("code");
    (text.address()..text.address() + text.size()).collect()
}

/// A file of all that debug information says of a program, and what that is.
struct Written {
    text: String,
    build_id: BuildId,
    load_address: u64,
    addresses: Vec<u64>,
    dwarf: Vec<Vec<Shown>>,
}

fn written(program: &Path) -> Written {
    let addresses = addresses(program);
    let (symbols, module) = symbolizer_of(program);
    let requests: Vec<_> = addresses.iter().map(|addr| at(module, *addr)).collect();
    let answers = symbols.symbolize(&requests);
    let dwarf: Vec<Vec<Shown>> = answers.iter().map(levels).collect();
    let bytes = std::fs::read(program).expect("readable");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let load_address = file.segments().map(|segment| segment.address());
    let load_address = load_address.min().expect("a segment");
    let id = file.build_id().expect("notes").expect("a build ID");
    let build_id = BuildId::from_bytes(id).expect("20 bytes");
    let stretches = addresses.iter().zip(&dwarf).filter_map(|(addr, levels)| {
        let addr = addr - load_address;
        let levels = levels.iter().map(|(name, file, line, _)| Level {
            name: name.clone().unwrap_or_default(),
            place: file.clone().map(|file| (file, line.unwrap_or(0))),
        });
        let levels: Vec<Level> = levels.collect();
        (!levels.is_empty()).then_some(Stretch {
            range: addr..addr + 1,
            levels,
        })
    });
    let stretches = Stretch::joined(stretches);
    let [debug_id, _] = DebugId::of_build_id(&build_id);
    let text = testkit::breakpad::written(
        &format!("Linux x86_64 {debug_id} shop"),
        Some(&build_id.to_string()),
        &stretches,
    );
    Written {
        text,
        build_id,
        load_address,
        addresses,
        dwarf,
    }
}

impl Written {
    fn opened(&self) -> SymbolFile {
        opened(&self.text).with_load_address(VirtOffset(self.load_address))
    }

    /// Compares where debug information has lines; returns how many addresses.
    fn compare(&self, ours: &[Result<Frames, Reason>]) -> (usize, usize) {
        let (mut all, mut inlined) = (0, 0);
        for ((addr, want), ours) in self.addresses.iter().zip(&self.dwarf).zip(ours) {
            if want.iter().all(|level| level.1.is_none()) {
                continue;
            }
            assert_eq!(&levels(ours), want, "{addr:#x}");
            all += 1;
            inlined += usize::from(want.len() > 1);
        }
        (all, inlined)
    }
}

#[test]
fn it_says_what_debug_information_does() {
    for link in ["-pie", "-no-pie"] {
        let fixture = Fixture::new();
        let program = match made(&fixture, link) {
            Ok(program) => program,
            Err(words) => return testkit::skip(&words),
        };
        let written = written(&program);
        let is_fixed = link == "-no-pie";
        assert_eq!(written.load_address > 0, is_fixed);
        // Either end of lines.
        let text = match is_fixed {
            true => written.text.replace('\n', "\r\n"),
            false => written.text.clone(),
        };
        let file = opened(&text).with_load_address(VirtOffset(written.load_address));
        assert_eq!(file.format(), SymbolFormat::Breakpad);
        assert_eq!(file.build_id(), Some(written.build_id));
        assert!(file.is_of(&written.build_id));
        let ours = both_ways(&file, &written.addresses);
        let (all, inlined) = written.compare(&ours);
        assert!(all > 3_000 && inlined > all / 3, "{all} {inlined}");
        assert_eq!(file.shortfalls(), []);
    }
}

#[test]
fn it_names_a_stripped_program() {
    let fixture = Fixture::new();
    let program = match made(&fixture, "-pie") {
        Ok(program) => program,
        Err(words) => return testkit::skip(&words),
    };
    let written = written(&program);
    fixture.must("strip", &["-o", "bare", "shop"]);
    let (symbols, module) = symbolizer_of(&fixture.path("bare"));
    symbols.add_source(module, Turn::After, Arc::new(written.opened()));
    let requests = written.addresses.iter().map(|addr| at(module, *addr));
    let ours = symbols.symbolize(&requests.collect::<Vec<_>>());
    written.compare(&ours);
}

#[test]
fn a_file_that_is_none_is_named() {
    let fixture = Fixture::new();
    for (name, content) in [
        ("empty", ""),
        ("elf", "\x7fELF"),
        ("bad", "MODULE Linux x86_64 1 a"),
    ] {
        let path = fixture.write(name, content);
        let error = SymbolFile::open(&path, Access::Auto, &Limits::default());
        let error = error.expect_err("no symbols").to_string();
        assert!(
            error.starts_with(&format!("read {}: ", path.display())),
            "{error}"
        );
    }
    let path = fixture.write("large", "MODULE Linux x86_64 1 a");
    let limits = Limits::default().with_file_bytes(8);
    let error = SymbolFile::open(&path, Access::Read, &limits);
    let error = error.expect_err("too large").to_string();
    assert!(
        error.contains("large") && error.contains(" 8 bytes"),
        "{error}"
    );
}
