//! Injected faults: an answer of ours with missing information must not fit any class.

use super::super::{Level, compare};
use super::*;
use crate::differential::oracles::Oracle;

/// `full` (mangled) covers 0x1000 to 0x1100, as does `alias`; `sized` ends at 0x1208; `label`
/// has no size and extends from 0x1300 to the next symbol, `last`, at 0x1400.
fn subject() -> Subject {
    let symbols = [
        ("_ZN1a4fullEv", 0x1000, 0x100),
        ("alias", 0x1000, 0x100),
        ("copy.isra.0", 0x1100, 0x10),
        ("sized", 0x1200, 8),
        ("label", 0x1300, 0),
        ("last", 0x1400, 0x10),
        ("inner", 0x1020, 0),
    ];
    let mut starts: Vec<u64> = symbols.iter().map(|it| it.1).collect();
    starts.sort_unstable();
    let sized = symbols.iter().filter(|it| it.2 > 0);
    let mut covered: Vec<(u64, u64)> = sized.map(|it| (it.1, it.1 + it.2)).collect();
    covered.sort_unstable();
    let places = symbols
        .iter()
        .map(|it| (it.0.to_owned(), vec![(it.1, it.2)]));
    Subject {
        symbols: places.collect(),
        starts,
        covered,
        code: vec![(0x1000, 0x2000)],
        files: std::iter::once("crtstuff.c".to_owned()).collect(),
    }
}

fn level(name: &str, file: &str, line: u32) -> Level {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Level {
        name: text(name),
        file: text(file),
        line,
        column: 0,
    }
}

fn named(name: &str) -> Vec<Level> {
    vec![level(name, "", 0)]
}

/// Returns the class for an oracle's answer and ours; the other oracle agrees with us.
fn class(oracle: Oracle, addr: u64, ours: &[Level], theirs: &[Level]) -> &'static str {
    let other = match oracle {
        Oracle::LlvmSymbolizer => Oracle::BinutilsAddr2line,
        _ => Oracle::LlvmSymbolizer,
    };
    let answers = [
        (oracle, vec![theirs.to_vec()]),
        (other, vec![ours.to_vec()]),
    ];
    let compared = compare(&subject(), &[addr], &[ours.to_vec()], &answers);
    let (_, comparison) = &compared[0];
    assert_eq!(comparison.counts.len(), 1, "{comparison:?}");
    let class = comparison.counts.keys().next().unwrap();
    let is_unknown = *class == "UNKNOWN";
    assert_eq!(is_unknown, !comparison.unknown.is_empty());
    class
}

/// Each class applies to its own case.
#[test]
fn every_class_applies_to_its_case() {
    use Oracle::{BinutilsAddr2line as Binutils, LlvmSymbolizer as Llvm};
    let cases = [
        ("alias", Llvm, 0x1008, "_ZN1a4fullEv", "alias"),
        (
            "symbol's name over DWARF's",
            Llvm,
            0x1108,
            "copy",
            "copy.isra.0",
        ),
        ("plain name of DWARF", Llvm, 0x1008, "_ZN1a4fullEv", "full"),
        ("scopes of a plain name", Llvm, 0x1900, "a::bare", "bare"),
        ("stub", Llvm, 0x1500, "puts@plt", "last"),
        ("stub", Binutils, 0x1500, "puts@plt", ""),
        ("symbol stretched past its end", Llvm, 0x1210, "", "sized"),
        (
            "label inside a function",
            Llvm,
            0x1030,
            "_ZN1a4fullEv",
            "inner",
        ),
        (
            "function of another place",
            Binutils,
            0x1008,
            "alias",
            "sized",
        ),
        ("symbol not seen", Llvm, 0x1008, "alias", ""),
    ];
    for (want, oracle, addr, ours, theirs) in cases {
        // Neither name nor location: no level.
        let levels = |name: &str| {
            if name.is_empty() {
                Vec::new()
            } else {
                named(name)
            }
        };
        let found = class(oracle, addr, &levels(ours), &levels(theirs));
        assert_eq!(found, want, "{ours} {theirs}");
    }
    let crt = [level("last", "crtstuff.c", 0)];
    let found = class(Binutils, 0x1408, &named("last"), &crt);
    assert_eq!(found, "file out of the symbol table");
}

/// Faults that the classes "alias", "symbol's name over DWARF's" and "stretched" once accepted:
/// an empty answer, and a bare name.
#[test]
fn a_missing_name_of_ours_is_never_explained() {
    let subject = subject();
    assert!(subject.is_covered(0x1008) && !subject.is_covered(0x1210));
    let theirs = [
        (0x1008, "_ZN1a4fullEv"),
        (0x1008, "alias"),
        (0x1108, "copy.isra.0"),
        (0x1204, "sized"),
        // Covered by a label without a size.
        (0x1350, "label"),
        (0x1408, "last"),
    ];
    for (addr, name) in theirs {
        for oracle in [Oracle::LlvmSymbolizer, Oracle::BinutilsAddr2line] {
            for place in [level(name, "", 0), level(name, "a.c", 7)] {
                let found = class(oracle, addr, &[], std::slice::from_ref(&place));
                assert_eq!(found, "UNKNOWN", "none for {name} at {addr:#x}");
                let bare = Level {
                    name: None,
                    ..place.clone()
                };
                if place.line > 0 {
                    let found = class(oracle, addr, &[bare], &[place]);
                    assert_eq!(found, "UNKNOWN", "no name for {name} at {addr:#x}");
                }
            }
        }
    }
    for oracle in [Oracle::LlvmSymbolizer, Oracle::Addr2lineCrate] {
        let found = class(oracle, 0x1008, &named("full"), &named("_ZN1a4fullEv"));
        assert_eq!(found, "UNKNOWN", "a bare name");
    }
}

/// Missing levels, files, lines and columns are not explained either.
#[test]
fn other_missing_data_of_ours_is_never_explained() {
    let whole = [level("inner", "a.c", 3), level("alias", "a.c", 9)];
    let cases = [
        ("an inlined level", &whole[1..], &whole[..]),
        ("a file", &[level("alias", "", 9)][..], &whole[1..]),
        ("a line", &[level("alias", "a.c", 0)][..], &whole[1..]),
        ("another line", &[level("alias", "a.c", 8)][..], &whole[1..]),
        ("another file", &[level("alias", "b.c", 9)][..], &whole[1..]),
    ];
    for (what, ours, theirs) in cases {
        let found = class(Oracle::LlvmSymbolizer, 0x1008, ours, theirs);
        assert_eq!(found, "UNKNOWN", "{what}");
    }
}

/// With only one oracle, no other can agree with us.
#[test]
fn a_single_oracle_is_not_outvoted() {
    let theirs = vec![(Oracle::BinutilsAddr2line, vec![named("sized")])];
    let compared = compare(&subject(), &[0x1008], &[named("elsewhere")], &theirs);
    assert_eq!(compared[0].1.unknown.len(), 1);
}

#[test]
fn a_name_says_less_without_its_scopes() {
    let less = [
        ("", "f"),
        ("helper", "_ZN1a12_GLOBAL__N_16helperEi"),
        ("work", "pkg__work"),
        ("sub", "__mod_MOD_sub"),
        ("run", "main.run"),
    ];
    let same = [
        ("__new_sem_post", "sem_post"),
        ("copy", "copy.isra.0"),
        ("_ZN1a1bEv", "_ZN1a1bEv.llvm.7"),
        ("memcpy", "__memcpy_ssse3"),
    ];
    for (ours, theirs) in less {
        assert!(says_less(ours, theirs), "{ours} {theirs}");
    }
    for (ours, theirs) in same {
        assert!(!says_less(ours, theirs), "{ours} {theirs}");
    }
}
