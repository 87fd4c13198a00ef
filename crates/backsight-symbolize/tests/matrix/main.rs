//! Every shape of file, asked in every way: in batches of each size and order, unit by
//! unit and in an index, by one thread and by several. All answers must be equal, and
//! be what the oracles say.
//!
//! To add a shape, see `shapes.rs`.

#[path = "../common/mod.rs"]
pub(crate) mod common;
mod oracle;
mod shapes;
mod store;
mod symbol_file;
mod ways;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use backsight_symbolize::{Options, SymbolFiles};
use common::Fixture;
use object::{Object as _, ObjectSection as _};
use oracle::Known;
use shapes::{Oracle, SHAPES, SOURCES, Shape};
use ways::{Answer, Asked};

/// Addresses of each file.
const ADDRESSES: usize = 1_000;

/// Shapes that are made and asked side by side.
const WORKERS: usize = 2;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn every_shape_answers_the_same_in_every_way() {
    let next = AtomicUsize::new(0);
    let totals = Mutex::new((0, 0, Vec::new()));
    let work = || {
        while let Some(shape) = SHAPES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let fixture = match make(shape) {
                Ok(fixture) => fixture,
                Err(words) => {
                    testkit::skip(&format!("{}: {words}", shape.name));
                    continue;
                }
            };
            let (combinations, objections) = ask(shape, &fixture);
            let mut totals = totals.lock().expect("no thread failed");
            totals.0 += 1;
            totals.1 += combinations;
            totals.2.extend(objections);
        }
    };
    std::thread::scope(|scope| {
        (0..WORKERS).for_each(|_| drop(scope.spawn(work)));
    });
    let (made, combinations, objections) = totals.into_inner().expect("no thread failed");
    println!(
        "matrix: {made} shapes, {combinations} combinations, {} differences",
        objections.len()
    );
    assert!(objections.is_empty(), "{}", objections.join("\n"));
    assert!(made > 0, "no shape could be made");
}

/// Runs the shape's script.
fn make(shape: &Shape) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    for (name, text) in SOURCES {
        fixture.write(name, text);
    }
    let debug = format!("debug/.build-id/{}/{}.debug", &ID[..2], &ID[2..]);
    fixture.write(&debug, "");
    std::fs::remove_file(fixture.path(&debug)).expect("removed");
    let mut shell = Command::new("sh");
    let script = format!("{}{}", include_str!("prelude.sh"), shape.script);
    shell.args(["-e", "-c", &script]);
    shell.env("ID", ID).env("DEBUG", debug).env_remove("CXX");
    let output = shell.current_dir(fixture.path("")).output();
    let output = output.map_err(|error| format!("sh: {error}"))?;
    if !output.status.success() || !fixture.path("a").exists() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(fixture)
}

/// Returns how many combinations were asked, and what is wrong with the answers.
fn ask(shape: &Shape, fixture: &Fixture) -> (usize, Vec<String>) {
    let mut objections = Vec::new();
    let path = fixture.path("a");
    // Without section headers, by those of the file that it was made of.
    let addresses = match addresses(&path) {
        none if none.is_empty() => addresses(&fixture.path("full")),
        some => some,
    };
    let mut options = Options::default().with_debug_dirs(vec![fixture.path("debug")]);
    if let Some(bytes) = shape.unpacked {
        options.limits.unpacked_bytes = bytes;
    }
    let mut has_symbols = false;
    if let Some(format) = shape.symbols {
        let file = symbol_file::made(fixture, format);
        options.symbol_files = Some(Arc::new(SymbolFiles::new([file])));
        has_symbols = true;
    }
    let asked = Asked {
        name: shape.name,
        path: &path,
        options,
        dir: &fixture.path("indexes"),
        indexed: OnceLock::new(),
    };
    std::fs::create_dir(asked.dir).expect("a new directory");
    // An index is of the module's own files.
    let has_index = asked.prepare() && !has_symbols;
    let want = asked.one_by_one(&addresses);
    let has_line = |answer: &&Answer| {
        let frames = answer.iter().flat_map(|frames| frames.iter());
        frames.into_iter().any(|frame| frame.line.is_some())
    };
    let lines = want.iter().filter(has_line).count();
    if has_symbols && lines * 4 < addresses.len() {
        objections.push(format!("{}: {lines} lines", shape.name));
    }
    if shape.unpacked.is_some() && !asked.says_that_it_is_too_large(&addresses) {
        objections.push(format!(
            "{}: nothing says why there are no lines",
            shape.name
        ));
    }
    let (own, full) = (path.as_path(), fixture.path("full"));
    let known = match shape.oracle {
        Oracle::Own | Oracle::OwnStubs => Known::of(own, None, &addresses),
        Oracle::Full => Known::of(&full, None, &addresses),
        Oracle::OwnLines => Known::of(own, Some(own), &addresses),
        Oracle::FullLines => Known::of(&full, Some(&full), &addresses),
        Oracle::OwnFullLines => Known::of(own, Some(&full), &addresses),
        Oracle::Nothing => Known::default(),
    };
    let mut wrong = 0;
    if !matches!(shape.oracle, Oracle::Nothing) {
        for (place, (addr, answer)) in addresses.iter().zip(&want).enumerate() {
            if let Some(objection) = known.objection(place, *addr, answer) {
                wrong += 1;
                if wrong <= 3 {
                    objections.push(format!("{}: {objection}", shape.name));
                }
            }
        }
        let stubs = |frame: &backsight_symbolize::Frame| {
            let name = frame.linkage_name.as_deref().or(frame.function.as_deref());
            name.is_some_and(|name| name.ends_with("@plt"))
        };
        let frames = want.iter().flatten().flat_map(|frames| frames.iter());
        let stubs = frames.filter(|frame| stubs(frame)).count();
        if matches!(shape.oracle, Oracle::OwnStubs) && stubs < 30 {
            objections.push(format!("{}: {stubs} addresses in stubs", shape.name));
        }
        let named = want.iter().flatten().count();
        assert!(named * 4 > addresses.len(), "{}: {named}", shape.name);
    }
    let (combinations, differences) = asked.compare(&addresses, &want, has_index);
    objections.extend(differences.into_iter().take(6));
    (combinations, objections)
}

/// Returns addresses spread over the code of a file, and some beside it.
fn addresses(path: &Path) -> Vec<u64> {
    let all = code_of(path);
    let step = all.len().div_ceil(ADDRESSES).max(1);
    let mut few: Vec<u64> = all.into_iter().step_by(step).collect();
    few.sort_unstable();
    few.dedup();
    few
}

/// Returns every address of the code of a file, and some beside each section.
fn code_of(path: &Path) -> Vec<u64> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let code = file
        .sections()
        .filter(|section| section.kind() == object::SectionKind::Text);
    let all = code.flat_map(|section| {
        let (start, size) = (section.address(), section.size());
        start.saturating_sub(2)..start + size + 2
    });
    all.collect()
}
