//! A build without the features `xz` and `zstd` says what it cannot unpack, and answers the rest.
//!
//! `cargo test -p backsight-symbolize --no-default-features --test not_built`
#![cfg(not(any(feature = "xz", feature = "zstd")))]

mod common;

use backsight_symbolize::{Cause, Limits, Packer, ShortfallKind, unpacked_file};
use common::{Fixture, brief, dwarf, find, symbol, symbolizer_of, symbolizer_of_bytes};
use testkit::elf::{Shape, Symbol};

const XZ: &[u8] = b"\xfd7zXZ\0";

#[test]
fn packed_sections_are_named_with_the_feature_that_they_take() {
    let fixture = Fixture::new();
    // Small sections are not packed.
    let functions = (0..300).map(|i| format!("int f{i}(int x) {{ return x + {i}; }}\n"));
    let source: String = functions
        .chain(["int main(void) { return 0; }\n".to_owned()])
        .collect();
    fixture.write("a.c", &source);
    fixture.must("cc", &["-g", "-O1", "-o", "a", "a.c"]);
    let args = ["--compress-debug-sections=zstd", "a", "packed"];
    if let Err(words) = fixture.run("objcopy", &args) {
        return testkit::skip(&words);
    }
    let packed = fixture.path("packed");
    let (start, _) = symbol(&packed, "main");
    let (symbolizer, module) = symbolizer_of(&packed);
    assert_eq!(brief(&find(&symbolizer, module, start)), "main@?");
    let short = symbolizer.shortfalls(module);
    let kinds: Vec<_> = short.iter().map(|short| short.kind).collect();
    assert_eq!(kinds, [ShortfallKind::NotBuilt(Packer::Zstd)]);
    let said = kinds[0].to_string();
    assert!(said.contains("feature `zstd`"), "{said}");
}

#[test]
fn symbols_in_stripped_files_are_named_with_the_feature_that_they_take() {
    let elf = dwarf::elf(Shape::ELF64_LITTLE, &[(".gnu_debugdata", XZ)]);
    let exported = Symbol::function("exported", 0x1000, 0x100);
    let (symbolizer, module) = symbolizer_of_bytes(elf.dynamic_symbols(&[exported]).build());
    assert_eq!(brief(&find(&symbolizer, module, 0x1000)), "exported@?");
    let short = symbolizer.shortfalls(module);
    let kinds: Vec<_> = short.iter().map(|short| short.kind).collect();
    assert_eq!(kinds, [ShortfallKind::NotBuilt(Packer::Xz)]);
}

#[test]
fn packed_files_are_refused_with_the_feature_that_they_take() {
    for (bytes, want) in [(XZ, Packer::Xz), (b"\x28\xb5\x2f\xfd", Packer::Zstd)] {
        let refused = unpacked_file(bytes, &Limits::default()).expect("it is packed");
        let error = refused.expect_err("no decoder");
        let Cause::NotBuilt { packer } = error.cause() else {
            panic!("{error}");
        };
        assert_eq!(*packer, want);
    }
}
