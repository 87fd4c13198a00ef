//! Every way in which the others are known to differ, and why.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use super::{Difference, Level, Oracle, What};

/// The symbols of the file in question.
#[derive(Debug)]
pub struct Subject {
    /// Where each name stands: start and size. Names that say nothing are not in it.
    symbols: HashMap<String, Vec<(u64, u64)>>,
    /// Where any symbol starts, in order.
    starts: Vec<u64>,
    /// What symbols with a size cover: start, and the furthest end so far, in order.
    covered: Vec<(u64, u64)>,
    /// The sections of code: start and end.
    code: Vec<(u64, u64)>,
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
        let mut subject = Self {
            symbols: HashMap::new(),
            starts: Vec::new(),
            covered: Vec::new(),
            code: Vec::new(),
            files: HashSet::new(),
        };
        for path in files {
            let bytes = std::fs::read(path).expect("readable");
            subject.read(&object::File::parse(&*bytes).expect("an object file"));
        }
        // Data is not what an address of code is called after, and a section that is not
        // loaded has its symbols at 0.
        let code = std::mem::take(&mut subject.code);
        let is_code = |start: u64| code.iter().any(|(from, to)| *from <= start && start < *to);
        subject.starts.retain(|start| is_code(*start));
        subject.covered.retain(|(start, _)| is_code(*start));
        for places in subject.symbols.values_mut() {
            places.retain(|(start, _)| is_code(*start));
        }
        subject.code = code;
        subject.starts.sort_unstable();
        subject.covered.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut subject.covered {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        subject
    }

    fn read(&mut self, file: &object::File<'_>) {
        // The lowest bit of a function says which instructions it has.
        let is_arm = file.architecture() == object::Architecture::Arm;
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            let name = String::from_utf8_lossy(symbol.name_bytes().unwrap_or_default());
            let name = name.into_owned();
            if symbol.kind() == object::SymbolKind::File {
                self.files.insert(name);
                continue;
            }
            let is_place = matches!(symbol.section(), object::SymbolSection::Section(_));
            if name.is_empty() || symbol.is_undefined() || !is_place {
                continue;
            }
            let is_code = symbol.kind() == object::SymbolKind::Text;
            let start = symbol.address() & !u64::from(is_arm && is_code);
            self.starts.push(start);
            if symbol.size() > 0 {
                self.covered
                    .push((start, start.saturating_add(symbol.size())));
            }
            let places = self.symbols.entry(name).or_default();
            places.push((start, symbol.size()));
        }
        for section in file.sections() {
            if section.kind() == object::SectionKind::Text {
                let start = section.address();
                self.code
                    .push((start, start.saturating_add(section.size())));
            }
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

    /// Whether a symbol of any name covers the address.
    fn is_covered(&self, addr: u64) -> bool {
        let before = self.covered.partition_point(|(start, _)| *start <= addr);
        before > 0 && addr < self.covered[before - 1].1
    }

    /// Whether symbols of these names stand at one address.
    fn share_start(&self, one: &str, other: &str) -> bool {
        let starts = |start| self.places(other).iter().any(|place| place.0 == start);
        self.places(one).iter().any(|place| starts(place.0))
    }

    /// Whether the name is a symbol's that does not reach the address.
    fn stretches(&self, name: &str, addr: u64) -> bool {
        let mut places = self.places(name).iter();
        places.any(|(start, _)| *start <= addr) && !self.covers(name, addr)
    }

    /// Whether a symbol of this name covers the address, or has no size, and lies before
    /// it in the same section where nothing covers it.
    fn is_of(&self, name: &str, addr: u64) -> bool {
        let together = |start: u64| {
            let is_in = |section: &&(u64, u64)| section.0 <= addr && addr < section.1;
            let mut around = self.code.iter().filter(is_in);
            start <= addr && around.any(|section| section.0 <= start)
        };
        let reaches = |(start, size): &(u64, u64)| *size == 0 && together(*start);
        self.covers(name, addr) || (!self.is_covered(addr) && self.places(name).iter().any(reaches))
    }

    /// Whether it is right not to have this name here: no symbol covers the address, and
    /// none of this name without a size reaches it.
    fn is_nameless(&self, name: &str, addr: u64) -> bool {
        let reaches =
            |(start, size): &(u64, u64)| *size == 0 && *start <= addr && self.is_next(*start, addr);
        !self.is_covered(addr) && !self.places(name).iter().any(reaches)
    }

    /// The same of a name that others have from a symbol before.
    fn is_gap_behind(&self, name: &str, addr: u64) -> bool {
        self.stretches(name, addr) && self.is_nameless(name, addr)
    }

    /// Whether nothing lies between a symbol and an address: no symbol, no end of a
    /// section.
    fn is_next(&self, start: u64, addr: u64) -> bool {
        let behind = self.starts.partition_point(|other| *other <= start);
        let is_free = self.starts.get(behind).is_none_or(|next| *next > addr);
        let is_in = |at: u64, section: &(u64, u64)| section.0 <= at && at < section.1;
        let together = |section: &(u64, u64)| is_in(start, section) && is_in(addr, section);
        is_free && self.code.iter().any(together)
    }
}

/// Whether one name says less than another: it is absent, or the plain name of what the
/// other has in full.
fn says_less(ours: &str, theirs: &str) -> bool {
    let is_mangled = |name: &str| {
        ["_Z", "_R", "_D", "$s"]
            .iter()
            .any(|it| name.starts_with(it))
    };
    let scopes = ["__", ".", "_MOD_", "::"];
    let is_part = |scope: &&str| theirs.ends_with(&format!("{scope}{ours}"));
    let is_plain = is_mangled(theirs) && !is_mangled(ours);
    ours.is_empty() || is_plain || (!is_mangled(ours) && scopes.iter().any(is_part))
}

/// Returns the only level, if there is no more than one.
fn only(levels: &[Level]) -> Option<(&str, &Level)> {
    match levels {
        [only] => Some((only.name.as_deref().unwrap_or_default(), only)),
        _ => None,
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

/// The list. The first that holds counts. Each says what both sides have; where ours has
/// no name and others have one, that name must be wrong there.
pub(super) const KNOWN: &[Known] = &[
    // Several symbols stand at one address, and each tool has its own taste:
    // `__memmove_ssse3` and `__memcpy_ssse3`, two instances of a generic that the
    // linker folded. Ours is the rule in src/elf/symbols.rs. Both are symbols' names.
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
    // with the `.isra.0` or `.llvm.1234` of the copy at hand. Ours is as full a name.
    Known {
        name: "symbol's name over DWARF's",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle == Oracle::LlvmSymbolizer
                    && subject.covers(theirs, found.addr)
                    && !says_less(ours, theirs)
            })
        },
    },
    // A stub of a procedure linkage table is called after what it jumps to. Others have
    // nothing there, or the symbol before.
    Known {
        name: "stub",
        holds: |subject, found| {
            let is_stub = |ours: &str, theirs: &str| {
                let is_wrong = theirs.is_empty() || subject.stretches(theirs, found.addr);
                (ours.contains("@plt") || ours == ".plt")
                    && !subject.is_covered(found.addr)
                    && is_wrong
            };
            match &found.what {
                What::Depth(ours, theirs) => only(ours).is_some_and(|(ours, _)| {
                    let theirs = only(theirs).map_or("", |(name, _)| name);
                    is_stub(ours, theirs)
                }),
                _ => physical_names(found).is_some_and(|(ours, theirs)| is_stub(ours, theirs)),
            }
        },
    },
    // A symbol ends where its size says; behind it lie padding, or another section
    // behind `_init`. Others name these after the last symbol before. Ours has no name,
    // and there is none: no symbol reaches so far.
    Known {
        name: "symbol stretched past its end",
        holds: |subject, found| {
            let is_gap = |name: &str| {
                found.oracle != Oracle::Addr2lineCrate && subject.is_gap_behind(name, found.addr)
            };
            match &found.what {
                What::Depth(ours, theirs) => only(theirs).is_some_and(|(name, level)| {
                    ours.is_empty() && level.line == 0 && is_gap(name)
                }),
                _ => physical_names(found)
                    .is_some_and(|(ours, theirs)| ours.is_empty() && is_gap(theirs)),
            }
        },
    },
    // A label inside hand-written assembly (`__bn_sqrx8x_reduction`, no size) is nearer
    // to the address than the function around it (`bn_sqrx8x_internal`), which covers it:
    // llvm-symbolizer takes the nearer.
    Known {
        name: "label inside a function",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle != Oracle::Addr2lineCrate
                    && subject.covers(ours, found.addr)
                    && subject.stretches(theirs, found.addr)
            })
        },
    },
    // In hand-written assembly, binutils names the code after the function of
    // another unit that ends before it. Ours is a symbol's that covers it or reaches it.
    Known {
        name: "function of another place",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                found.oracle == Oracle::BinutilsAddr2line
                    && (subject.is_of(ours, found.addr) || (!ours.is_empty() && found.alone))
                    && !subject.covers(theirs, found.addr)
                    && !subject.share_start(ours, theirs)
            })
        },
    },
    // Of a separate debug file llvm-symbolizer takes the DWARF, not the `.symtab`: it has
    // no name for what has neither DWARF nor a dynamic symbol. Nor has it one from a label
    // without a size, or where a unit's ranges end before the function's. Ours is a
    // symbol's that covers the address or reaches it, or another oracle's too.
    Known {
        name: "symbol not seen",
        holds: |subject, found| {
            let is_theirs_lacking = |ours: &str, theirs: &str| {
                let is_llvm = found.oracle == Oracle::LlvmSymbolizer;
                let is_right = subject.is_of(ours, found.addr) || found.alone;
                is_llvm && theirs.is_empty() && !ours.is_empty() && is_right
            };
            match &found.what {
                What::Depth(ours, theirs) => only(ours)
                    .is_some_and(|(name, _)| theirs.is_empty() && is_theirs_lacking(name, "")),
                _ => physical_names(found)
                    .is_some_and(|(ours, theirs)| is_theirs_lacking(ours, theirs)),
            }
        },
    },
    // `.L142` is a label that the assembler was to forget; it is nobody's function.
    Known {
        name: "assembler's label",
        holds: |subject, found| {
            let is_label = |theirs: &str| {
                found.oracle == Oracle::BinutilsAddr2line
                    && theirs.starts_with(".L")
                    && !subject.is_covered(found.addr)
            };
            match &found.what {
                What::Depth(ours, theirs) => only(theirs).is_some_and(|(name, level)| {
                    ours.is_empty() && level.line == 0 && is_label(name)
                }),
                _ => physical_names(found).is_some_and(|(_, theirs)| is_label(theirs)),
            }
        },
    },
    // Where no line is known, others give the name of the object's `STT_FILE`
    // symbol: `crtstuff.c`, or `std.e28293b1aa0f68bd-cgu.0`, which is no file.
    Known {
        name: "file out of the symbol table",
        holds: |subject, found| match &found.what {
            What::File { ours, theirs, line } => {
                found.oracle != Oracle::Addr2lineCrate
                    && ours.is_empty()
                    && *line == 0
                    && subject.files.contains(theirs)
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
            What::File { ours, theirs, .. } => {
                let twice = theirs.strip_suffix(ours.as_str());
                let before = twice.and_then(|before| before.strip_suffix('/'));
                found.oracle != Oracle::Addr2lineCrate
                    && !ours.is_empty()
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
    // and takes a last row's line into the padding behind it. Another oracle says what
    // we say in each of these, and we say something.
    Known {
        name: "binutils alone",
        holds: |subject, found| {
            let has_ours = match &found.what {
                What::Depth(ours, theirs) => {
                    let theirs = theirs.last().and_then(|level| level.name.as_deref());
                    !ours.is_empty() || subject.is_nameless(theirs.unwrap_or_default(), found.addr)
                }
                What::Name { ours, theirs, .. } => {
                    !ours.is_empty() || subject.is_nameless(theirs, found.addr)
                }
                _ => true,
            };
            found.oracle == Oracle::BinutilsAddr2line && found.alone && has_ours
        },
    },
];

#[cfg(test)]
mod faults;
