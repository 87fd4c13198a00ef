//! Inputs made by compilers at test time, and lookups in them.

#![allow(dead_code, reason = "each test file uses its part of this")]

pub(crate) mod dwarf;

use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_symbolize::{Frames, ModuleId, Options, Place, Request, Source, Symbolizer};
use backsight_types::{Lookup, Reason, VirtOffset};
use object::{Object as _, ObjectSymbol as _};

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
    let source = Source::open(path).expect("a regular file");
    let module = symbolizer.add(source, None, None);
    (symbolizer, module)
}

/// As [`symbolizer_of`], of bytes.
pub(crate) fn symbolizer_of_bytes(bytes: Vec<u8>) -> (Symbolizer, ModuleId) {
    let mut options = Options::default();
    options.debug_dirs.clear();
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(Source::Bytes(bytes.into()), None, None);
    (symbolizer, module)
}

pub(crate) fn at(module: ModuleId, virt: u64) -> Request {
    Request {
        module,
        place: Place::Virt(VirtOffset(virt)),
        lookup: Lookup::Exact,
    }
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

/// Returns the places that objdump labels in the code, and what it calls them.
pub(crate) fn labels(objdump: &str, args: &[&str], path: &Path) -> Vec<(u64, String)> {
    let said = Command::new(objdump)
        .arg("-d")
        .args(args)
        .arg(path)
        .output();
    let said = said.expect("objdump runs");
    assert!(said.status.success(), "{objdump} {}", path.display());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let labels = said.lines().filter_map(|line| {
        let (addr, name) = line.split_once(" <")?;
        let addr = u64::from_str_radix(addr, 16).ok()?;
        Some((addr, name.strip_suffix(">:")?.to_owned()))
    });
    labels.collect()
}
