//! The known differences from the oracles, with their causes.

use super::difference::{Difference, What};
use super::level::Level;
use super::oracles::Oracle;
use super::subject::Subject;

/// Whether our name has less information: it is missing, or is only the plain form of the
/// other's full name.
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

/// Whether `full` is `plain` with namespaces and classes prepended.
pub(super) fn is_scoped(full: &str, plain: &str) -> bool {
    let scopes = full.strip_suffix(plain);
    !plain.is_empty() && !says_less(full, plain) && scopes.is_some_and(|it| it.ends_with("::"))
}

/// Whether a mangled name contains the identifier of a plain one: `decode` for `_ZN1a6decodeEv`.
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

/// Returns the level and its name if there is exactly one level.
fn only(levels: &[Level]) -> Option<(&str, &Level)> {
    match levels {
        [only] => Some((only.name.as_deref().unwrap_or_default(), only)),
        _ => None,
    }
}

/// Returns our and the other name of the physical function, if only that differs.
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
pub(super) struct KnownDifference {
    pub(super) name: &'static str,
    pub(super) holds: fn(&Subject, &Difference) -> bool,
}

/// The classes; the first that applies counts. Each one states properties of both answers. If
/// ours has no name and the oracle has one, the oracle's name must be wrong.
pub(super) const KNOWN_DIFFERENCES: &[KnownDifference] = &[
    // Several symbols are at one address, and each tool chooses another one: `__memmove_ssse3`
    // and `__memcpy_ssse3`, or two instances of a generic function that the linker merged. Our
    // choice follows the rule in src/elf/symbols.rs. Both names are those of symbols.
    KnownDifference {
        name: "alias",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                let both = [ours, theirs].map(|name| subject.covers(name, found.addr));
                both == [true, true] || subject.share_start(ours, theirs)
            })
        },
    },
    // llvm-symbolizer replaces the DWARF name of the physical function by that of the symbol
    // table: `sem_post` for `__new_sem_post`, and names with the `.isra.0` or `.llvm.1234` of a
    // clone. Our name is equally full.
    KnownDifference {
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
    // llvm-symbolizer has only the plain name of the DIE if the function is not in the dynamic
    // symbols, because it does not read the symbols of a separate debug file. We have the full
    // name, of a symbol that covers the address.
    KnownDifference {
        name: "plain name of DWARF",
        holds: |subject, found| {
            physical_names(found).is_some_and(|(ours, theirs)| {
                subject.places(theirs).is_empty()
                    && is_plain_form(theirs, ours)
                    && (subject.covers(ours, found.addr) || subject.covers_cold(ours, found.addr))
            })
        },
    },
    // The DIE has no linkage name, and is nested in namespaces or classes. The others omit
    // these.
    KnownDifference {
        name: "scopes of a plain name",
        holds: |_, found| match &found.what {
            What::Name { ours, theirs, .. } => is_scoped(ours, theirs),
            _ => false,
        },
    },
    // A PLT stub is named after its target. The others have nothing there, or the preceding
    // symbol.
    KnownDifference {
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
    // A symbol ends according to its size; after it is padding, or another section after
    // `_init`. The others name these after the preceding symbol. We have no name, and there is
    // none: no symbol covers the address.
    KnownDifference {
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
    // A label in hand-written assembly (`__bn_sqrx8x_reduction`, no size) is nearer to the
    // address than the function that contains it (`bn_sqrx8x_internal`): llvm-symbolizer takes
    // the nearer one. Or neither has a size, and it misses the nearer one, which is only in the
    // debug file's table.
    KnownDifference {
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
    // In hand-written assembly, binutils names code after the preceding function of another
    // unit. Our name is that of a symbol that covers or reaches the address.
    KnownDifference {
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
    // From a separate debug file, llvm-symbolizer uses the DWARF but not the `.symtab`, so it
    // has no name for code with neither DWARF nor a dynamic symbol. Nor does it use a label
    // without a size, or a unit whose ranges end before the function. Our name is that of a
    // symbol that covers or reaches the address, or also another oracle's.
    KnownDifference {
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
    // `.L142` is a local label of the assembler, not a function.
    KnownDifference {
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
    // Without line information, the others print the object's `STT_FILE` symbol: `crtstuff.c`,
    // or `std.e28293b1aa0f68bd-cgu.0`, which is not a file.
    KnownDifference {
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
    // In DWARF 5, directory 0 *is* the compilation directory. If it is relative (Debian maps it
    // to `.`), the others prepend it to itself: `./inet/./inet/rcmd.c` for `./inet/rcmd.c`.
    KnownDifference {
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
    // A row of line 0 is code without a line, and so has no column.
    KnownDifference {
        name: "column without a line",
        holds: |_, found| match &found.what {
            What::Column { ours, theirs } => {
                found.oracle == Oracle::LlvmSymbolizer
                    && (ours.line, theirs.line, ours.column) == (0, 0, 0)
            }
            _ => false,
        },
    },
    // binutils 2.40 numbers the files of DWARF 5 line tables differently from the producers
    // (`dcigettext.c` for line 74 of `eval-plural.h`), names inlined functions without a linkage
    // name after the function that contains them, and extends the line of the last row into the
    // padding after it. In each case another oracle agrees with us, and our answer is not empty.
    KnownDifference {
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
