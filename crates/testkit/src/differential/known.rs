//! Every way in which the others are known to differ, and why.

use super::difference::{Difference, What};
use super::level::Level;
use super::oracles::Oracle;
use super::subject::Subject;

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

/// Whether one name is the other, plain one with namespaces and classes before it.
pub(super) fn is_scoped(full: &str, plain: &str) -> bool {
    let scopes = full.strip_suffix(plain);
    !plain.is_empty() && !says_less(full, plain) && scopes.is_some_and(|it| it.ends_with("::"))
}

/// Whether a mangled name has the identifier of a plain one: `decode` for `_ZN1a6decodeEv`.
/// Operators and closures have none.
fn is_plain_form(plain: &str, mangled: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let bare = plain.trim_start_matches('~');
    let end = bare.find(|letter| !is_part(letter)).unwrap_or(bare.len());
    let identifier = &bare[..end];
    let is_named = !matches!(identifier, "" | "operator");
    let is_in = mangled.contains(&format!("{}{identifier}", identifier.len()));
    says_less(plain, mangled) && !plain.is_empty() && (is_in || !is_named)
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
            ..
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
                let is_clone = || {
                    let behind = theirs.strip_prefix(ours);
                    behind.is_some_and(|behind| behind.starts_with('.'))
                };
                (found.oracle == Oracle::LlvmSymbolizer || is_clone())
                    && subject.covers(theirs, found.addr)
                    && !says_less(ours, theirs)
            })
        },
    },
    // llvm-symbolizer has the plain name of the DIE where the dynamic symbols lack the
    // function: it does not read those of a separate debug file. Ours is the whole name, of
    // a symbol that covers the address.
    Known {
        name: "plain name of DWARF",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                subject.places(theirs).is_empty()
                    && is_plain_form(theirs, ours)
                    && (subject.covers(ours, found.addr) || subject.covers_cold(ours, found.addr))
            })
        },
    },
    // The DIE has no linkage name, and stands in namespaces or classes. Others leave these
    // out of its name.
    Known {
        name: "scopes of a plain name",
        holds: |_, found| match &found.what {
            What::Name { ours, theirs, .. } => is_scoped(ours, theirs),
            _ => false,
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
    // llvm-symbolizer takes the nearer. Or neither has a size, and it does not see the
    // nearer, which is in the debug file's table.
    Known {
        name: "label inside a function",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                let is_theirs_near = subject.stretches(theirs, found.addr);
                let are_labels = [ours, theirs].map(|name| subject.is_of(name, found.addr));
                found.oracle != Oracle::Addr2lineCrate
                    && ((subject.covers(ours, found.addr) && is_theirs_near)
                        || are_labels == [true, true])
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
