//! The shapes of files that there are.
//!
//! To add one, add a line to [`SHAPES`]: its name, a script, and what the oracles are
//! to read. The script runs in an empty directory beside the sources; it makes `a`,
//! which is asked, and whatever goes with it: `debug/` is where debug files are looked
//! for. `$ID` is a build ID, `$DEBUG` the place of its debug file; `prelude.sh` has
//! functions for what many need.

use backsight_symbolize::SymbolFormat;

/// A shape of files.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Makes it, by `sh -e`.
    pub(crate) script: &'static str,
    pub(crate) oracle: Oracle,
    /// So much debug information may be unpacked, which `a` passes.
    pub(crate) unpacked: Option<u64>,
    /// A symbol file of this format goes with it: `a.gsym`, which the script makes, or
    /// `a.sym`, which is written of the debug information of `full`.
    pub(crate) symbols: Option<SymbolFormat>,
}

/// What the oracles are to read.
#[derive(Clone, Copy)]
pub(crate) enum Oracle {
    /// The symbols of `a`.
    Own,
    /// The symbols of `full`, which the script made first.
    Full,
    /// The debug information of `a`, too.
    OwnLines,
    /// That of `full`, and its symbols.
    FullLines,
    /// That of `full`, and the symbols of `a`.
    OwnFullLines,
    /// The symbols of `a`, which has stubs.
    OwnStubs,
    /// There is nothing to be known.
    Nothing,
}

use Oracle::{Full, FullLines, Nothing, Own, OwnFullLines, OwnLines, OwnStubs};

const fn shape(name: &'static str, oracle: Oracle, script: &'static str) -> Shape {
    Shape {
        name,
        script,
        oracle,
        unpacked: None,
        symbols: None,
    }
}

/// One with a symbol file.
const fn with_symbols(name: &'static str, format: SymbolFormat, script: &'static str) -> Shape {
    Shape {
        symbols: Some(format),
        ..shape(name, Nothing, script)
    }
}

/// One whose debug information is more than may be unpacked.
const fn too_large(name: &'static str, oracle: Oracle, script: &'static str) -> Shape {
    Shape {
        unpacked: Some(64),
        ..shape(name, oracle, script)
    }
}

#[rustfmt::skip]
pub(crate) const SHAPES: &[Shape] = &[
    // Symbol tables alone.
    shape("symtab alone", Own, "g++ -O2 -static -nostdlib -Wl,-e,exported -o a a.cpp"),
    shape("dynsym alone", Own, "full; strip -o a full"),
    shape("symtab and dynsym", Own, "full; mv full a"),
    shape("one symbol in symtab, the rest in dynsym", Own, "full; objcopy -S -K exported full a"),
    shape("one local symbol in symtab, the rest in dynsym", Own, "full; objcopy -S -w -K '*hidden*' full a"),
    shape("an empty symtab and dynsym", Own, "full; objcopy -S -K nobody full a"),
    shape("no symbols at all", Nothing, "g++ -O2 -static -nostdlib -s -Wl,-e,exported -o a a.cpp"),
    shape("no section headers", Full, "full; mv full linked; strip -o full linked; llvm-objcopy --strip-sections full a"),
    // Stubs, which tests/plt.rs compares with objdump's names.
    shape("stubs of a program, lazy", OwnStubs, "gcc -O2 -Wl,-z,lazy -o a stubs.c"),
    shape("stubs of a program, at once, stripped", OwnStubs, "gcc -O2 -Wl,-z,now -fcf-protection -Wl,-z,ibtplt -s -o a stubs.c"),
    shape("stubs of i386", OwnStubs, "gcc -m32 -O2 -Wl,-z,lazy -o a stubs.c"),
    shape("stubs of AArch64", OwnStubs, "aarch64-linux-gnu-gcc -O2 -g -o a stubs.c"),
    shape("labels without size", Own, "gcc -nostdlib -shared -o a labels.s"),
    shape("labels in dynsym, sizes in symtab", Own, "gcc -nostdlib -shared -o full labels.s; objcopy -w -N 'label*' full a"),
    shape("code in objects", Own, "gcc -nostdlib -shared -o a objects.s"),
    shape("code in objects, stripped", Own, "gcc -nostdlib -shared -s -o a objects.s"),
    // Files that hold symbols for others.
    shape("MiniDebugInfo", Full, "mini; strip -o bare full; with_mini bare a"),
    shape("MiniDebugInfo and one symbol in symtab", Full, "mini; objcopy -S -K exported full one; with_mini one a"),
    shape("MiniDebugInfo and a debug file", FullLines, "mini; debug; strip -o bare full; with_mini bare a"),
    shape("stripped, debug file by build ID", FullLines, "debug; strip -o a full"),
    shape("stripped, debug file by debug link", FullLines, "full -g -Wl,--build-id=none; objcopy --only-keep-debug full a.debug
        strip -o a full; objcopy --add-gnu-debuglink=a.debug a"),
    shape("one symbol in symtab, and a debug file", FullLines, "debug; objcopy -S -K exported full a"),
    shape("symtab and a debug file", FullLines, "debug; strip -g -o a full"),
    shape("debug file without symtab", OwnFullLines, "debug; strip -o a full; llvm-objcopy -R .symtab -R .strtab $DEBUG"),
    shape("debug information without symtab", OwnFullLines, "full -g; llvm-objcopy -R .symtab -R .strtab full a"),
    shape("packed debug file", FullLines, "debug; objcopy --compress-debug-sections=zlib $DEBUG; strip -o a full"),
    shape("debug file of symbols alone", Full, "full; objcopy --only-keep-debug full $DEBUG; strip -o a full"),
    // Ways of writing debug information.
    shape("gcc -g", OwnLines, "full -g; mv full a"),
    shape("gcc -g1", OwnLines, "full -g1; mv full a"),
    shape("gcc -gdwarf-4 -fdebug-types-section", OwnLines, "full -gdwarf-4 -fdebug-types-section; mv full a"),
    shape("gcc -flto", OwnLines, "full -g -flto; mv full a"),
    shape("gcc --gc-sections", OwnLines, "full -g -ffunction-sections -Wl,--gc-sections; mv full a"),
    shape("clang -g", OwnLines, "CXX=clang++; full -g; mv full a"),
    shape("clang -gline-tables-only", OwnLines, "CXX=clang++; full -gline-tables-only; mv full a"),
    shape("compressed zlib", FullLines, "full -g; objcopy --compress-debug-sections=zlib full a"),
    shape("compressed zlib-gnu", FullLines, "full -g; objcopy --compress-debug-sections=zlib-gnu full a"),
    shape("compressed zstd", FullLines, "full -g; zstd_sections full a"),
    too_large("more than may be unpacked: symtab is left", Own, "full -g; objcopy --compress-debug-sections=zlib full a"),
    too_large("more than may be unpacked, in a debug file", Own, "debug; objcopy --compress-debug-sections=zlib $DEBUG; strip -g -o a full"),
    too_large("more than may be unpacked, dynsym is left", Own, "full -g; objcopy --compress-debug-sections=zlib full packed
        llvm-objcopy -R .symtab -R .strtab packed a"),
    shape("directory 0 of the line table is another one", OwnLines, "gcc -O2 -gdwarf-5 -fPIC -S -o c.s c.c
        sed -i 's|\\.file 0 \"[^\"]*\"|.file 0 \"/build/one\"|' c.s; grep -q '/build/one' c.s; gcc -nostdlib -shared -o a c.s"),
    shape("assembly with lines", OwnLines, "gcc -g -nostdlib -shared -o a labels.s"),
    // Parts elsewhere.
    shape("split, DWARF 5", OwnLines, "full -g -gsplit-dwarf -gdwarf-5; mv full a"),
    shape("split, DWARF 4", OwnLines, "full -g -gsplit-dwarf -gdwarf-4; mv full a"),
    shape("split with type units, gcc, DWARF 5", FullLines, "full -g -gdwarf-5 -gsplit-dwarf -fdebug-types-section; mv full a; full -g -gdwarf-5"),
    shape("split with type units, clang, DWARF 5", FullLines, "CXX=clang++; full -g -gdwarf-5 -gsplit-dwarf -fdebug-types-section; mv full a
        full -g -gdwarf-5"),
    shape("package", OwnLines, "gcc -O2 -g -gsplit-dwarf -shared -fPIC -c -o c.o c.c
        gcc -shared -o a c.o; llvm-dwp -e a -o a.dwp; rm *.dwo"),
    shape("dwz", FullLines, "full -g; dwz -o a full || cp full a"),
    shape("dwz of two files", FullLines, "full -g; cp full a; cp full other; dwz -m common a other"),
    shape("dwz of two files, in a package unpacked elsewhere", FullLines, "full -g; cp full a; cp full other
        dwz -m common -M /usr/lib/debug/.dwz/none/common a other; mkdir -p debug/.dwz/none; mv common debug/.dwz/none"),
    // Symbol files, which tests/{gsym,breakpad}.rs compare with debug information.
    with_symbols("GSYM, stripped", SymbolFormat::Gsym, "symbols; strip -o a full"),
    with_symbols("GSYM, symtab left", SymbolFormat::Gsym, "symbols; strip -g -o a full"),
    with_symbols("Breakpad, stripped", SymbolFormat::Breakpad, "full -g; strip -o a full"),
    with_symbols("Breakpad, symtab left", SymbolFormat::Breakpad, "full -g; strip -g -o a full"),
    // Not linked.
    shape("object", Own, "gcc -O2 -g -c -o a c.c"),
    shape("kernel module", Nothing, "gcc -O2 -g -c -fno-pic module.c; ld -r --build-id=0x$ID -o a module.o"),
    // Go's own line table, which tests/go_lines.rs compares with other readers.
    shape("Go, stripped", Nothing, "go_program a '-s -w'"),
    shape("Go, symtab alone", Nothing, "go_program a -w"),
    shape("Go with C, debug information of C alone", Nothing, "CGO_ENABLED=1; go_program a -w"),
    shape("Go, no section headers", Nothing, "go_program full ''; llvm-objcopy --strip-sections full a"),
    // Other machines.
    shape("aarch64", OwnLines, "aarch64-linux-gnu-gcc -O2 -g -nostdlib -shared -fPIC -o a c.c"),
    shape("ppc64 with function descriptors", OwnLines, "powerpc64-linux-gnu-gcc -O2 -g -mabi=elfv1 -nostdlib -shared -fPIC -o a c.c
        readelf -SW a | grep -q ' .opd '"),
    shape("s390x", OwnLines, "s390x-linux-gnu-gcc -O2 -g -nostdlib -shared -fPIC -o a c.c"),
    shape("Thumb", OwnLines, "arm-linux-gnueabihf-gcc -O2 -g -nostdlib -shared -fPIC -o a c.c"),
    shape("Thumb, stripped", Own, "arm-linux-gnueabihf-gcc -O2 -s -nostdlib -shared -fPIC -o a c.c"),
    shape("RISC-V", OwnLines, "riscv64-linux-gnu-gcc -O2 -g -nostdlib -shared -fPIC -o a c.c"),
];

/// The sources beside which the scripts run.
pub(crate) const SOURCES: [(&str, &str); 9] = [
    ("a.cpp", include_str!("a.cpp")),
    ("b.cpp", include_str!("b.cpp")),
    ("c.c", include_str!("c.c")),
    ("stubs.c", include_str!("stubs.c")),
    ("module.c", include_str!("module.c")),
    ("labels.s", include_str!("labels.s")),
    ("objects.s", include_str!("objects.s")),
    ("small.go.txt", include_str!("small.go.txt")),
    ("cgo.go.txt", include_str!("cgo.go.txt")),
];
