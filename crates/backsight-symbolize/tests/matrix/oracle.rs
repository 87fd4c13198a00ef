//! What readelf and the `addr2line` crate say of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use backsight_symbolize::Frame;

use testkit::differential::{Asked, Level, Oracle};

use crate::ways::Answer;

/// A function symbol, as readelf lists it.
#[derive(Debug)]
struct Symbol {
    size: u64,
    name: String,
}

/// What others know of a file's code.
#[derive(Default)]
pub(crate) struct Known {
    /// By start.
    symbols: BTreeMap<u64, Vec<Symbol>>,
    /// Data by start, whose names others may give to code behind it; and code that is
    /// called so.
    objects: BTreeMap<u64, Vec<Symbol>>,
    /// At each address that is asked for.
    levels: Option<Vec<Vec<Level>>>,
}

impl Known {
    /// Reads the symbol tables of a file, and at these addresses the debug information
    /// of another.
    pub(crate) fn of(symbols: &Path, lines: Option<&Path>, addresses: &[u64]) -> Self {
        let ask = |path: &Path| Oracle::Addr2lineCrate.ask(&Asked::new(path, path), addresses);
        let (symbols, objects) = read_symbols(symbols);
        Self {
            symbols,
            objects,
            levels: lines.map(|path| ask(path).expect("it needs no tool")),
        }
    }

    /// Says what is wrong with an answer, if anything is.
    /// `place` is that of the address.
    pub(crate) fn objection(&self, place: usize, addr: u64, answer: &Answer) -> Option<String> {
        let frames: Vec<&Frame> = answer.iter().flat_map(|frames| frames.iter()).collect();
        let levels = self.levels.as_ref().map(|levels| levels[place].as_slice());
        // A level without a file is a symbol, wherever it ends.
        let levels = levels.unwrap_or_default().iter();
        let levels: Vec<&Level> = levels.filter(|level| level.file.is_some()).collect();
        let ours = frames.last().and_then(|frame| raw(frame));
        let sized = covering(&self.symbols, addr);
        let objection = self.name_objection(addr, ours, levels.last().copied(), &sized);
        let objection = objection.or_else(|| {
            if levels.is_empty() || levels.len() == frames.len() {
                let mut pairs = frames.iter().zip(&levels);
                return pairs.find_map(|(frame, level)| level_objection(frame, level));
            }
            Some(format!("{} levels", levels.len()))
        })?;
        Some(format!(
            "{addr:#x}: {objection}: ours {frames:?}, theirs {levels:?}, symbols {sized:?}"
        ))
    }

    /// The physical function has the name of its DIE, or of a symbol that covers it; the
    /// latter where it is mangled and the former is not.
    fn name_objection(
        &self,
        addr: u64,
        ours: Option<&str>,
        level: Option<&Level>,
        sized: &[&str],
    ) -> Option<String> {
        let theirs = level.and_then(|level| level.name.as_deref());
        let Some(ours) = ours else {
            // Without a DIE, theirs is the last symbol before, wherever it ends.
            let is_symbol = |name: &str| {
                let known = self.symbols.values().chain(self.objects.values());
                known.flatten().any(|symbol| symbol.name == name)
            };
            let none = theirs.is_none_or(is_symbol) && sized.is_empty();
            let none = none && covering(&self.objects, addr).is_empty();
            return (!none).then(|| String::from("no name"));
        };
        let is_mangled = |name: &str| name.starts_with("_Z") || name.starts_with("_R");
        if sized.contains(&ours) && (is_mangled(ours) || !sized.iter().any(|name| is_mangled(name)))
        {
            return None;
        }
        if let Some(theirs) = theirs {
            let bare = !is_mangled(theirs) && sized.iter().any(|name| is_mangled(name));
            if bare {
                return Some(String::from("a bare name"));
            }
            return (!is_scoped(ours, theirs)).then(|| format!("not {theirs}"));
        }
        // What stubs are named after, tests/plt.rs asks objdump.
        if sized.is_empty() && (ours == ".plt" || ours.ends_with("@plt")) {
            return None;
        }
        if !sized.is_empty() {
            return (!sized.contains(&ours)).then(|| format!("not of {sized:?}"));
        }
        let before = self.symbols.range(..=addr).next_back();
        let before = before.map(|(_, symbols)| symbols.as_slice());
        let mut unsized_ones = before.unwrap_or_default().iter();
        let is_last = unsized_ones.any(|symbol| symbol.size == 0 && symbol.name == ours);
        let is_object = || covering(&self.objects, addr).contains(&ours);
        (!is_last && !is_object()).then(|| String::from("no symbol's name"))
    }
}

/// Returns the names of the innermost symbols that cover an address.
fn covering(symbols: &BTreeMap<u64, Vec<Symbol>>, addr: u64) -> Vec<&str> {
    for (start, symbols) in symbols.range(..=addr).rev() {
        let covers = |symbol: &&Symbol| addr - start < symbol.size;
        let covering: Vec<&str> = symbols
            .iter()
            .filter(covers)
            .map(|symbol| symbol.name.as_str())
            .collect();
        if !covering.is_empty() {
            return covering;
        }
    }
    Vec::new()
}

/// An inlined call may have more than the plain name: the namespaces around it.
fn level_objection(frame: &Frame, level: &Level) -> Option<String> {
    let files = [frame.file.as_deref(), level.file.as_deref()].map(|file| file.map(base));
    if files[0] != files[1] || frame.line.unwrap_or(0) != level.line {
        return Some(format!("{:?}:{}", level.file, level.line));
    }
    let theirs = level.name.as_deref().filter(|_| frame.inlined)?;
    let ours = raw(frame).unwrap_or_default();
    (!is_scoped(ours, theirs)).then(|| format!("not {theirs}"))
}

/// Whether ours is their name, with or without the scopes that it stands in.
fn is_scoped(ours: &str, theirs: &str) -> bool {
    let scope = ours.strip_suffix(theirs);
    scope.is_some_and(|scope| scope.is_empty() || scope.ends_with("::"))
}

fn raw(frame: &Frame) -> Option<&str> {
    let linkage = frame.linkage_name.as_deref();
    linkage.or(frame.function.as_deref())
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Reads what `readelf -sW` lists: number, value, size, type, binding, visibility,
/// section, name.
fn read_symbols(path: &Path) -> (BTreeMap<u64, Vec<Symbol>>, BTreeMap<u64, Vec<Symbol>>) {
    let output = Command::new("readelf").arg("-sW").arg(path).output();
    let output = output.expect("readelf runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let is_arm = std::fs::read(path).expect("readable").get(18) == Some(&40);
    let mut symbols: BTreeMap<u64, Vec<Symbol>> = BTreeMap::new();
    let mut objects: BTreeMap<u64, Vec<Symbol>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, value, size, kind, _, _, section, name, ..] = words.as_slice() else {
            continue;
        };
        let is_object = *kind == "OBJECT";
        let is_code = is_object || ["FUNC", "NOTYPE", "IFUNC"].contains(kind);
        let nowhere = ["UND", "ABS", "COM", "Ndx"].contains(section);
        let (Ok(start), false) = (u64::from_str_radix(value, 16), nowhere || !is_code) else {
            continue;
        };
        if name.starts_with('$') && *kind == "NOTYPE" {
            continue;
        }
        let hex = size.strip_prefix("0x");
        let size = hex.map_or_else(|| size.parse(), |hex| u64::from_str_radix(hex, 16));
        // The lowest bit of a function of ARM says which instruction set.
        let thumb = u64::from(is_arm && *kind == "FUNC");
        let start = start & !thumb;
        let table = if is_object {
            &mut objects
        } else {
            &mut symbols
        };
        table.entry(start).or_default().push(Symbol {
            size: size.expect("a size"),
            name: name.split('@').next().unwrap_or_default().to_owned(),
        });
    }
    (symbols, objects)
}
