//! Names as Rust, C++ and assembly programs have them.

mod common;

use std::collections::BTreeSet;

use backsight_symbolize::{Frame, Options, Tier};
use common::{Fixture, find, symbol, symbolizer_of, symbolizer_with};
use object::{Object as _, ObjectSymbol as _};

/// Returns the frame of the function whose linkage name contains `part`.
fn frame_of(fixture: &Fixture, part: &str, options: Options) -> Frame {
    let path = fixture.path("a");
    let bytes = std::fs::read(&path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let mut symbols = file.symbols();
    let found = symbols.find(|symbol| {
        symbol.is_definition() && symbol.name().is_ok_and(|name| name.contains(part))
    });
    let start = found
        .unwrap_or_else(|| panic!("no symbol with {part}"))
        .address();
    let (symbolizer, module) = symbolizer_with(options, &path);
    let frames = find(&symbolizer, module, start).expect("an answer");
    frames.physical().expect("a frame").clone()
}

#[test]
fn rust_names_are_demangled_in_both_schemes() {
    let source = r#"
        mod walks { #[inline(never)] pub fn stride<T: Copy>(x: T) -> T { std::hint::black_box(x) } }
        fn main() { walks::stride(1_u8); }
    "#;
    // Stable compilers take no flag for the legacy scheme: it is their default.
    let cases = [
        (None, "a::walks::stride"),
        (
            Some("-Csymbol-mangling-version=v0"),
            "a::walks::stride::<u8>",
        ),
    ];
    for (flag, want) in cases {
        let fixture = Fixture::new();
        fixture.write("a.rs", source);
        let mut args = vec!["-g", "a.rs"];
        args.extend(flag);
        if let Err(words) = fixture.run("rustc", &args) {
            return testkit::skip(&words);
        }
        let frame = frame_of(&fixture, "stride", Options::default());
        assert_eq!(frame.function.as_deref(), Some(want));
        assert_eq!(frame.line, Some(2), "{want}");
        let linkage = frame.linkage_name.expect("a linkage name");
        assert!(
            linkage.starts_with("_ZN") || linkage.starts_with("_R"),
            "{linkage}"
        );
    }
}

/// A DIE without a linkage name, as gcc's of the functions of one file and clang's of all
/// with `-gline-tables-only`, leaves namespaces and parameters to the symbol.
#[test]
fn a_symbol_says_what_a_plain_name_leaves_out() {
    let source = r#"
        namespace a {
        namespace { __attribute__((noinline)) int helper(int k) { volatile int z = k; return z * 3; } }
        struct S { __attribute__((noinline)) int method(long k) { volatile long z = k; return z; } };
        int api(int n) { return helper(n) + S().method(n); }
        }
        namespace q { extern "C" __attribute__((noinline)) int exported_c(int k) { volatile int z = k; return z; } }
        extern "C" { int plain(int k) { return a::api(k); } int __alias(int) __attribute__((alias("plain"))); }
    "#;
    let cases = [
        ("g++", "-g"),
        ("clang++", "-g"),
        ("clang++", "-gline-tables-only"),
    ];
    let names = [
        ("6helperE", "a::(anonymous namespace)::helper(int)"),
        ("6methodE", "a::S::method(long)"),
        ("3apiE", "a::api(int)"),
        ("plain", "plain"),
        ("exported_c", "exported_c"),
    ];
    for (compiler, flag) in cases {
        let fixture = Fixture::new();
        fixture.write("a.cpp", source);
        let args = ["-O1", flag, "-shared", "-fPIC", "-o", "a", "a.cpp"];
        if let Err(words) = fixture.run(compiler, &args) {
            testkit::skip(&words);
            continue;
        }
        for tier in [Tier::Lazy, Tier::Flat] {
            for (part, want) in names {
                let options = Options::default().with_tier(tier);
                let frame = frame_of(&fixture, part, options);
                assert_eq!(frame.function.as_deref(), Some(want), "{compiler} {flag}");
                assert!(frame.line.is_some(), "{compiler} {flag} {want}");
            }
        }
    }
}

/// What was folded in has no symbol. Where gcc gives it no linkage name either, the DIEs
/// around its declaration say where it stands.
#[test]
fn inlined_names_have_the_scopes_that_their_dies_stand_in() {
    let source = r#"
        #define FOLD static inline __attribute__((always_inline)) int
        #define BODY { volatile int z = k; return z; }
        namespace a { namespace {
        FOLD helper(int k) BODY
        struct Box { int v; inline __attribute__((always_inline)) int get(int k) BODY };
        } // namespace
        namespace { union Bits { int v; template <class T> __attribute__((always_inline)) int as(T k) BODY }; }
        inline namespace v1 { FOLD newest(int k) BODY }
        namespace { struct Out { struct In; }; }
        struct Out::In { FOLD deep(int k) BODY };
        struct Seen { FOLD linked(int k) BODY };
        }
        FOLD top(int k) BODY
        int api(int n) {
            a::Box box{n};
            a::Bits bits{n};
            return a::helper(n) + box.get(n) + bits.as<int>(n) + a::newest(n) + a::Out::In::deep(n)
                + a::Seen::linked(n) + top(n);
        }
    "#;
    let want = [
        "a::(anonymous namespace)::Bits::as<int>",
        "a::(anonymous namespace)::Box::get",
        "a::(anonymous namespace)::Out::In::deep",
        "a::(anonymous namespace)::helper",
        "a::Seen::linked(int)",
        "a::v1::newest",
        "top",
    ];
    for flags in [&["-gdwarf-5"][..], &["-gdwarf-4", "-fdebug-types-section"]] {
        let fixture = Fixture::new();
        fixture.write("a.cpp", source);
        let mut args = vec!["-O1", "-shared", "-fPIC", "-o", "a", "a.cpp"];
        args.extend(flags);
        if let Err(words) = fixture.run("g++", &args) {
            return testkit::skip(&words);
        }
        for tier in [Tier::Lazy, Tier::Flat] {
            let options = Options::default().with_tier(tier);
            let path = fixture.path("a");
            let (start, size) = symbol(&path, "_Z3apii");
            let (symbolizer, module) = symbolizer_with(options, &path);
            let mut met = BTreeSet::new();
            for addr in start..start + size {
                let frames = find(&symbolizer, module, addr).expect("an answer");
                let inlined = frames.iter().filter(|frame| frame.inlined);
                met.extend(inlined.filter_map(|frame| frame.function.clone()));
            }
            // gcc leaves no trace of where a union with a type unit of its own stands.
            let is_type_unit = flags.len() > 1;
            let lost = |name: &str| is_type_unit && name == "Bits::as<int>";
            let met: BTreeSet<&str> = met
                .iter()
                .map(|name| if lost(name) { want[0] } else { name })
                .collect();
            assert_eq!(met, BTreeSet::from(want), "{flags:?} {tier:?}");
        }
    }
}

#[test]
fn cpp_names_are_demangled_unless_that_is_not_wanted() {
    let fixture = Fixture::new();
    let source = r#"
        namespace walks {
        struct Leg { int length; Leg(int length); __attribute__((noinline)) int stride(const char *) const; };
        Leg::Leg(int length) : length(length) {}
        int Leg::stride(const char *) const { return length; }
        }
        int main(int argc, char **argv) { return walks::Leg(argc).stride(argv[0]); }
    "#;
    fixture.write("a.cpp", source);
    if let Err(words) = fixture.run("g++", &["-g", "-o", "a", "a.cpp"]) {
        return testkit::skip(&words);
    }
    let cases = [
        ("stride", true, "walks::Leg::stride(char const*) const"),
        ("stride", false, "_ZNK5walks3Leg6strideEPKc"),
        // The constructor's name stands two links away: copy, abstract instance,
        // declaration.
        ("LegC", true, "walks::Leg::Leg(int)"),
        ("main", true, "main"),
    ];
    for (part, demangle, want) in cases {
        let options = Options::default().with_demangle(demangle);
        let frame = frame_of(&fixture, part, options);
        assert_eq!(frame.function.as_deref(), Some(want));
    }
}

#[test]
fn assembly_has_the_symbols_name_and_the_line_tables_line() {
    let fixture = Fixture::new();
    // `nop` and `ret` are known to most assemblers.
    let assembly = ".text\n.globl by_hand\n.type by_hand, %function\nby_hand:\n nop\n ret\n.size by_hand, .-by_hand\n.section .note.GNU-stack,\"\",%progbits\n";
    fixture.write("b.s", assembly);
    fixture.write(
        "a.c",
        "void by_hand(void); int main(void) { by_hand(); return 0; }",
    );
    if let Err(words) = fixture.run("cc", &["-g", "-o", "a", "a.c", "b.s"]) {
        return testkit::skip(&words);
    }
    let (start, _) = symbol(&fixture.path("a"), "by_hand");
    let (symbolizer, module) = symbolizer_of(&fixture.path("a"));
    let frames = find(&symbolizer, module, start).expect("an answer");
    assert_eq!(common::brief(&Ok(frames.clone())), "by_hand@5");
    assert!(
        frames[0]
            .file
            .as_deref()
            .is_some_and(|file| file.ends_with("/b.s"))
    );
    assert_eq!(frames[0].start.map(|start| start.0), Some(start));
}

/// GNAT's DIEs have the encoded name alone, and nothing in it says that it is encoded: the
/// unit's language does. Without debug information it stays as it is.
#[test]
fn ada_names_are_decoded_where_the_unit_says_so() {
    let fixture = Fixture::new();
    fixture.write(
        "pkg.ads",
        "package Pkg is\n procedure Work (X : Integer);\n procedure Work (X : Float);\n end Pkg;\n",
    );
    fixture.write(
        "pkg.adb",
        "package body Pkg is\n V : Integer := 0 with Volatile;\n\
         procedure Work (X : Integer) is\n begin\n V := X;\n end Work;\n\
         procedure Work (X : Float) is\n begin\n V := Integer (X);\n end Work;\n end Pkg;\n",
    );
    fixture.write(
        "a.adb",
        "with Pkg;\nprocedure A is\nbegin\n Pkg.Work (1); Pkg.Work (2.0);\nend A;\n",
    );
    if let Err(words) = fixture.run("gnatmake", &["-q", "-g", "-O1", "a.adb"]) {
        return testkit::skip(&words);
    }
    let cases = [
        ("pkg__work__2", true, "pkg.work"),
        ("pkg__work__2", false, "pkg__work__2"),
        ("_ada_a", true, "a"),
    ];
    for (part, demangle, want) in cases {
        for tier in [Tier::Lazy, Tier::Flat] {
            let options = Options::default().with_demangle(demangle).with_tier(tier);
            let frame = frame_of(&fixture, part, options);
            assert_eq!(frame.function.as_deref(), Some(want), "{tier:?}");
            assert_eq!(frame.linkage_name.as_deref(), Some(part), "{tier:?}");
        }
    }
    fixture.must("strip", &["--strip-debug", "a"]);
    let frame = frame_of(&fixture, "pkg__work__2", Options::default());
    assert_eq!(frame.function.as_deref(), Some("pkg__work__2"));
}
