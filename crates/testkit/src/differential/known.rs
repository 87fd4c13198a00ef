//! Every way in which the others are known to differ, and why.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use object::{Object as _, ObjectSymbol as _};

use super::{Difference, Oracle, What};

/// The symbols of the file in question.
#[derive(Debug)]
pub struct Subject {
    /// Where each name stands: start and size.
    symbols: HashMap<String, Vec<(u64, u64)>>,
    /// The names of `STT_FILE` symbols.
    files: HashSet<String>,
}

impl Subject {
    /// Reads the symbols of an executable, and of its debug file.
    ///
    /// # Panics
    /// When a file cannot be read or is no ELF file.
    #[must_use]
    pub fn of(files: &[&Path]) -> Self {
        let mut symbols: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
        let mut names_of_files = HashSet::new();
        for path in files {
            let bytes = std::fs::read(path).expect("readable");
            let file = object::File::parse(&*bytes).expect("an object file");
            for symbol in file.symbols().chain(file.dynamic_symbols()) {
                let name = String::from_utf8_lossy(symbol.name_bytes().unwrap_or_default());
                let name = name.into_owned();
                if symbol.kind() == object::SymbolKind::File {
                    names_of_files.insert(name);
                } else if !symbol.is_undefined() {
                    let places = symbols.entry(name).or_default();
                    places.push((symbol.address(), symbol.size()));
                }
            }
        }
        Self {
            symbols,
            files: names_of_files,
        }
    }

    /// Where the symbols of this name stand: start and size.
    fn places(&self, name: &str) -> &[(u64, u64)] {
        let places = self.symbols.get(name);
        places.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a symbol of this name covers the address.
    fn covers(&self, name: &str, addr: u64) -> bool {
        let mut places = self.places(name).iter();
        places.any(|(start, size)| *start <= addr && addr - start < *size)
    }

    /// Whether symbols of these names stand at one address.
    fn share_start(&self, one: &str, other: &str) -> bool {
        let starts = |start| self.places(other).iter().any(|place| place.0 == start);
        self.places(one).iter().any(|place| starts(place.0))
    }

    /// Whether the name is a symbol's that ends before the address, or has no
    /// size at all.
    fn stretches(&self, name: &str, addr: u64) -> bool {
        let mut places = self.places(name).iter();
        places.any(|(start, _)| *start <= addr) && !self.covers(name, addr)
    }
}

/// Returns ours and theirs of two names of the function that has code of its own there.
fn physical_names(found: &Difference) -> Option<(&str, &str)> {
    match &found.what {
        What::Name {
            ours,
            theirs,
            physical: true,
        } => Some((ours, theirs)),
        _ => None,
    }
}

/// A known difference, and whether this is it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) holds: fn(&Subject, &Difference) -> bool,
}

/// The list. The first that holds counts.
pub(super) const KNOWN: &[Known] = &[
    // Several symbols stand at one address, and each tool has its own taste:
    // `__memmove_ssse3` and `__memcpy_ssse3`, two instances of a generic that the
    // linker folded. Ours is the rule in src/elf/symbols.rs.
    Known {
        name: "alias",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                let both = [ours, theirs].map(|name| subject.covers(name, found.addr));
                both == [true, true] || subject.share_start(ours, theirs)
            })
        },
    },
    // llvm-symbolizer puts the symbol table's name in the place of the one DWARF
    // has for the physical function: `sem_post` for `__new_sem_post`, and names
    // with the `.isra.0` or `.llvm.1234` of the copy at hand.
    Known {
        name: "symbol's name over DWARF's",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle == Oracle::LlvmSymbolizer
                    && subject.covers(theirs, found.addr)
                    && !ours.is_empty()
            })
        },
    },
    // A symbol ends where its size says; behind it lie padding, or the PLT behind
    // `_init`. Others name these after the last symbol before.
    Known {
        name: "symbol stretched past its end",
        holds: |subject, found| match &found.what {
            What::Name {
                ours,
                theirs,
                physical: true,
            } => {
                found.oracle != Oracle::Addr2lineCrate
                    && ours.is_empty()
                    && subject.stretches(theirs, found.addr)
            }
            What::Depth(ours, theirs) => match (ours.as_slice(), theirs.as_slice()) {
                ([], [only]) => {
                    let name = only.name.as_deref().unwrap_or_default();
                    found.oracle != Oracle::Addr2lineCrate
                        && only.line == 0
                        && subject.stretches(name, found.addr)
                }
                _ => false,
            },
            _ => false,
        },
    },
    // A label inside hand-written assembly (`__bn_sqrx8x_reduction`, no size) is nearer
    // to the address than the function around it (`bn_sqrx8x_internal`), which covers it:
    // llvm-symbolizer takes the nearer.
    Known {
        name: "label inside a function",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle == Oracle::LlvmSymbolizer
                    && subject.covers(ours, found.addr)
                    && subject.stretches(theirs, found.addr)
            })
        },
    },
    // In hand-written assembly, binutils names the code after the function of
    // another unit that ends before it.
    Known {
        name: "function of another place",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle == Oracle::BinutilsAddr2line
                    && !ours.is_empty()
                    && !subject.covers(theirs, found.addr)
                    && !subject.share_start(ours, theirs)
            })
        },
    },
    // Of a separate debug file llvm-symbolizer takes the DWARF, not the `.symtab`:
    // it has no name for what has neither DWARF nor a dynamic symbol.
    Known {
        name: "debug file's symbol not seen",
        holds: |subject, found| match &found.what {
            What::Depth(ours, theirs) => match (ours.as_slice(), theirs.as_slice()) {
                ([only], []) => {
                    let name = only.name.as_deref().unwrap_or_default();
                    found.oracle == Oracle::LlvmSymbolizer && subject.covers(name, found.addr)
                }
                _ => false,
            },
            _ => false,
        },
    },
    // Where no line is known, others give the name of the object's `STT_FILE`
    // symbol: `crtstuff.c`, or `std.e28293b1aa0f68bd-cgu.0`, which is no file.
    Known {
        name: "file out of the symbol table",
        holds: |subject, found| match &found.what {
            What::File { ours, theirs } => {
                found.oracle != Oracle::Addr2lineCrate
                    && ours.is_empty()
                    && (theirs.is_empty() || subject.files.contains(theirs))
            }
            _ => false,
        },
    },
    // In DWARF 5 directory 0 *is* the compilation directory. Where that is
    // relative (Debian maps it to `.`), others put it before itself:
    // `./inet/./inet/rcmd.c` for `./inet/rcmd.c`.
    Known {
        name: "relative directory twice",
        holds: |_, found| match &found.what {
            What::File { ours, theirs } => {
                let twice = theirs.strip_suffix(ours.as_str());
                let before = twice.and_then(|before| before.strip_suffix('/'));
                found.oracle != Oracle::Addr2lineCrate
                    && before.is_some_and(|dir| ours.starts_with(dir) && !dir.starts_with('/'))
            }
            _ => false,
        },
    },
    // A row of line 0 is code without a line, and so without a column.
    Known {
        name: "column without a line",
        holds: |_, found| match &found.what {
            What::Column { ours, theirs } => {
                found.oracle == Oracle::LlvmSymbolizer
                    && (ours.line, theirs.line, ours.column) == (0, 0, 0)
            }
            _ => false,
        },
    },
    // binutils 2.40 counts the files of DWARF 5 line tables otherwise than their
    // authors (`dcigettext.c` for what is line 74 of `eval-plural.h`), names
    // inlined functions that have no linkage name after the function around them
    // and takes a last row's line into the padding behind it. llvm-symbolizer,
    // the addr2line crate and we agree in each of these.
    Known {
        name: "binutils alone",
        holds: |_, found| found.oracle == Oracle::BinutilsAddr2line && found.alone,
    },
];
