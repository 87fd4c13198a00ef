//! GSYM files, as `llvm-gsymutil` makes them: against debug information of the same program.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use backsight_symbolize::{
    Access, Frames, Limits, ModuleInput, Options, ShortfallKind, SymbolFile, Symbolizer, Turn,
};
use backsight_types::Reason;
use common::symbol_files::{SHOP_SOURCE, both_ways, levels};
use common::{Fixture, at, symbolizer_with};
use object::{Object as _, ObjectSection as _, SectionKind};

fn tool() -> Option<&'static str> {
    let names = ["llvm-gsymutil", "llvm-gsymutil-19"];
    let runs = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
    names.into_iter().find(runs)
}

/// A program, and the GSYM of it; words when a tool is absent.
fn made(fixture: &Fixture) -> Result<(PathBuf, PathBuf), String> {
    let tool = tool().ok_or("llvm-gsymutil: absent")?;
    fixture.write("shop.cpp", SHOP_SOURCE);
    let words = ["-g", "-O2", "-Wl,--build-id", "-o", "shop", "shop.cpp"];
    fixture.run("g++", &words)?;
    fixture.run(tool, &["--convert", "shop", "--out-file", "shop.gsym"])?;
    Ok((fixture.path("shop"), fixture.path("shop.gsym")))
}

/// Every address of `.text`, up to 5,000.
fn addresses(program: &Path) -> Vec<u64> {
    let bytes = std::fs::read(program).expect("readable");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let text = file
        .sections()
        .find(|section| section.kind() == SectionKind::Text && section.name() == Ok(".text"));
    let text = text.expect("code");
    let all = text.address()..text.address() + text.size();
    let step = usize::try_from(text.size() / 5_000 + 1).expect("small");
    all.step_by(step).collect()
}

fn opened(path: &Path) -> SymbolFile {
    SymbolFile::open(path, Access::Auto, &Limits::default()).expect("GSYM")
}

#[test]
fn it_says_what_debug_information_does() {
    let fixture = Fixture::new();
    let (program, gsym) = match made(&fixture) {
        Ok(made) => made,
        Err(words) => return testkit::skip(&words),
    };
    let addresses = addresses(&program);
    let listed = both_ways(&opened(&gsym), &addresses);
    let mut options = Options::default();
    options.debug_dirs.clear();
    let (dwarf, module) = symbolizer_with(options, &program);
    let requests: Vec<_> = addresses.iter().map(|addr| at(module, *addr)).collect();
    let dwarf = dwarf.symbolize(&requests);
    let llvm = llvm(&gsym, &addresses);
    let (mut inlined, mut all, mut lost) = (0, 0, 0);
    for (addr, (ours, (theirs, llvm))) in
        (addresses.iter()).zip(listed.iter().zip(dwarf.iter().zip(&llvm)))
    {
        assert_eq!(&spelled(ours), llvm, "{addr:#x}");
        let (ours, theirs) = (levels(ours), levels(theirs));
        if theirs
            .last()
            .is_none_or(|level| level.0.is_none() || level.2.is_none())
        {
            // Only a symbol, or only a line of code that fills up.
            continue;
        }
        all += 1;
        inlined += usize::from(theirs.len() > 1);
        if ours != theirs {
            // llvm-gsymutil writes inlined calls of a function's first range alone.
            assert_eq!(ours.len(), 1, "{addr:#x}: {ours:?}, DWARF {theirs:?}");
            assert_eq!((&ours[0].1, ours[0].2), (&theirs[0].1, theirs[0].2));
            assert_eq!(ours[0].0, theirs[theirs.len() - 1].0);
            lost += 1;
        }
    }
    assert!(all > 1_000 && inlined > all / 3, "{all} {inlined}");
    assert!(lost < all / 100, "{lost} of {all}");
}

/// What `llvm-gsymutil` reads of the file: `name file:line` of each level.
fn llvm(gsym: &Path, addresses: &[u64]) -> Vec<Vec<String>> {
    let asked = addresses
        .iter()
        .map(|addr| format!("{addr:#x} {}\n", gsym.display()));
    let asked = asked.collect::<String>();
    let input = gsym.with_extension("asked");
    std::fs::write(&input, asked).expect("written");
    let input = std::fs::File::open(&input).expect("readable");
    let mut command = Command::new(tool().expect("it was there"));
    let output = command.arg("--addresses-from-stdin").stdin(input).output();
    let output = output.expect("it runs").stdout;
    let output = String::from_utf8(output).expect("text");
    let mut answers: Vec<Vec<String>> = Vec::new();
    for line in output.lines().filter(|line| !line.is_empty()) {
        let level = match line.split_once(": ") {
            Some((addr, level)) if addr.starts_with("0x") => {
                answers.push(Vec::new());
                level
            }
            _ => line,
        };
        if level.starts_with("error") {
            continue;
        }
        let level = level.trim().trim_end_matches(" [inlined]");
        let (name, place) = level.split_once(" @ ").unwrap_or((level, "?"));
        let name = name.split(" + ").next().unwrap_or(name);
        let answer = answers.last_mut().expect("an address precedes it");
        answer.push(format!("{name} {place}"));
    }
    assert_eq!(answers.len(), addresses.len(), "{output}");
    answers
}

/// The same of ours.
fn spelled(frames: &Result<Frames, Reason>) -> Vec<String> {
    let levels = frames.as_ref().map(|frames| frames.to_vec());
    let levels = levels.unwrap_or_default().into_iter().map(|frame| {
        let name = frame.linkage_name.unwrap_or_default();
        match (frame.file, frame.line) {
            (Some(file), line) => format!("{name} {file}:{}", line.unwrap_or(0)),
            (None, _) => format!("{name} ?"),
        }
    });
    levels.collect()
}

#[test]
fn it_names_a_stripped_program() {
    let fixture = Fixture::new();
    let (program, gsym) = match made(&fixture) {
        Ok(made) => made,
        Err(words) => return testkit::skip(&words),
    };
    let (rare, _) = common::symbol(&program, "rare");
    fixture.must("strip", &["-o", "bare", "shop"]);
    let (symbols, module) = common::symbolizer_of(&fixture.path("bare"));
    assert_eq!(
        symbols.symbolize(&[at(module, rare)])[0],
        Err(Reason::NoSymbols)
    );
    let file = opened(&gsym);
    let id = std::fs::read(&program).expect("readable");
    let id = object::File::parse(&*id)
        .expect("ELF")
        .build_id()
        .expect("notes");
    assert_eq!(
        file.build_id().map(|id| id.as_bytes().to_vec()).as_deref(),
        id
    );
    symbols.add_source(module, Turn::After, Arc::new(file));
    let named = levels(&symbols.symbolize(&[at(module, rare)])[0]);
    assert_eq!(named.last().expect("a level").0.as_deref(), Some("rare"));
}

#[test]
fn damaged_files_are_refused_or_said() {
    let fixture = Fixture::new();
    let (program, gsym) = match made(&fixture) {
        Ok(made) => made,
        Err(words) => return testkit::skip(&words),
    };
    let whole = std::fs::read(gsym).expect("readable");
    let addresses: Vec<u64> = addresses(&program).into_iter().step_by(37).collect();
    let parsed = |bytes: &[u8]| SymbolFile::of_bytes(bytes.into());
    for end in (0..whole.len()).step_by(whole.len() / 150 + 1) {
        if let Ok(file) = parsed(&whole[..end]) {
            both_ways(&file, &addresses);
        }
    }
    for place in (0..whole.len()).step_by(whole.len() / 300 + 1).chain(0..64) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        if let Ok(file) = parsed(&bytes) {
            both_ways(&file, &addresses);
        }
    }
    // The last functions point behind the end of the file.
    let mut bytes = whole.clone();
    let count = u32::from_le_bytes(bytes[16..20].try_into().expect("four"));
    let infos = 48 + usize::try_from(count).expect("small") * usize::from(bytes[6]);
    let last = infos.next_multiple_of(4) + usize::try_from(count - 1).expect("small") * 4;
    bytes[last..last + 4].fill(0xff);
    let symbols = Symbolizer::new(Options::default());
    let file = Arc::new(parsed(&bytes).expect("a sound header"));
    let module = symbols.add(ModuleInput::Symbols(file), None, None);
    symbols.load(module).expect("the others can be used");
    let said = symbols.shortfalls(module);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].kind, ShortfallKind::Damaged);
}
