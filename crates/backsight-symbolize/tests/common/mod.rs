//! Inputs made by compilers at test time, and lookups in them.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses its part of this"
)]

pub(crate) mod dwarf;
pub(crate) mod gsym_bytes;
mod oracle;
pub(crate) mod symbol_files;
pub(crate) mod symbols;

pub(crate) use oracle::{labels, nm};

use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_symbolize::{
    Frames, ModuleId, ModuleInput, Options, Place, Request, Symbolizer, Tier,
};
use backsight_types::{Lookup, Reason, VirtOffset};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// A directory that goes away, with the files a test makes in it.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file in the directory")).expect("created");
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Runs a tool in the directory; its words when it is absent or fails.
    pub(crate) fn run(&self, tool: &str, args: &[&str]) -> Result<(), String> {
        let mut command = Command::new(tool);
        let output = command.args(args).current_dir(self.dir.path()).output();
        let output = output.map_err(|error| format!("{tool}: {error}"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().next().unwrap_or("no words");
        let done = output.status.success();
        done.then_some(()).ok_or_else(|| format!("{tool}: {words}"))
    }

    /// Runs a tool that every machine with a compiler has.
    pub(crate) fn must(&self, tool: &str, args: &[&str]) {
        self.run(tool, args).expect("the tool works");
    }
}

/// Returns a symbolizer without debug directories, so that the host's do not
/// matter, and the module of this file in it.
pub(crate) fn symbolizer_of(path: &Path) -> (Symbolizer, ModuleId) {
    let mut options = Options::default();
    options.debug_dirs.clear();
    symbolizer_with(options, path)
}

pub(crate) fn symbolizer_with(options: Options, path: &Path) -> (Symbolizer, ModuleId) {
    let symbolizer = Symbolizer::new(options);
    let input = ModuleInput::open(path).expect("a regular file");
    let module = symbolizer.add(input, None, None);
    (symbolizer, module)
}

/// As [`symbolizer_of`], of bytes.
pub(crate) fn symbolizer_of_bytes(bytes: Vec<u8>) -> (Symbolizer, ModuleId) {
    let mut options = Options::default();
    options.debug_dirs.clear();
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
    (symbolizer, module)
}

pub(crate) fn at(module: ModuleId, virt: u64) -> Request {
    Request::new(module, Place::Virt(VirtOffset(virt)), Lookup::Exact)
}

/// Looks one virtual offset up.
pub(crate) fn find(symbolizer: &Symbolizer, module: ModuleId, virt: u64) -> Result<Frames, Reason> {
    let mut answers = symbolizer.symbolize(&[at(module, virt)]);
    assert_eq!(answers.len(), 1, "one value per request");
    answers.remove(0)
}

/// Returns start and size of the symbol, as the `object` crate reads them.
pub(crate) fn symbol(path: &Path, name: &str) -> (u64, u64) {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let mut symbols = file.symbols().chain(file.dynamic_symbols());
    let found = symbols.find(|symbol| symbol.name() == Ok(name) && symbol.is_definition());
    let found = found.unwrap_or_else(|| panic!("no symbol {name}"));
    (found.address(), found.size())
}

/// `inner@12 outer@40`: function and line of each frame, innermost first.
pub(crate) fn brief(frames: &Result<Frames, Reason>) -> String {
    let frames = match frames {
        Ok(frames) => frames,
        Err(reason) => return format!("[{reason}]"),
    };
    let shown = frames.iter().map(|frame| {
        let name = frame.function.as_deref().unwrap_or("?");
        let line = frame
            .line
            .map_or(String::from("?"), |line| line.to_string());
        let mark = if frame.inlined { "~" } else { "" };
        format!("{mark}{name}@{line}")
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Returns what each of the two tiers calls these places, once they agree.
pub(crate) fn names(path: &Path, options: &Options, places: &[u64]) -> Vec<Option<String>> {
    let mut all: Vec<Vec<Option<String>>> = Vec::new();
    for tier in [Tier::Lazy, Tier::Flat] {
        let mut options = options.clone();
        options.tier = tier;
        options.demangle = false;
        let (symbolizer, module) = symbolizer_with(options, path);
        let requests: Vec<_> = places.iter().map(|place| at(module, *place)).collect();
        let answers = symbolizer.symbolize(&requests).into_iter();
        let name = |answer: Frames| {
            answer
                .physical()
                .and_then(|frame| frame.function.as_deref().map(str::to_owned))
        };
        all.push(answers.map(|answer| answer.ok().and_then(name)).collect());
    }
    let flat = all.pop().expect("two tiers");
    let lazy = all.pop().expect("two tiers");
    for ((place, lazy), flat) in places.iter().zip(&lazy).zip(&flat) {
        assert_eq!(lazy, flat, "{place:#x} of {}", path.display());
    }
    lazy
}

pub(crate) fn no_debug_dirs() -> Options {
    let mut options = Options::default();
    options.debug_dirs.clear();
    options
}

/// Returns the addresses of a section.
pub(crate) fn section_of(path: &Path, name: &str) -> std::ops::Range<u64> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let section = file.section_by_name(name).expect("a section");
    section.address()..section.address() + section.size()
}

/// Returns where in its file a section is.
pub(crate) fn bytes_of(path: &Path, name: &str) -> std::ops::Range<usize> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let section = file.section_by_name(name).expect("a section");
    let (start, size) = section.file_range().expect("bytes");
    let place = |at: u64| usize::try_from(at).expect("a small file");
    place(start)..place(start + size)
}
