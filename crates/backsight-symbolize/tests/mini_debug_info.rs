//! Symbols packed into a stripped file: `.gnu_debugdata`.

mod common;

use std::path::Path;

use backsight_symbolize::{ModuleInput, Options, Symbolizer};
use backsight_types::Reason;
use common::{Fixture, brief, dwarf, find, symbol, symbolizer_of};
use testkit::elf::{Elf, Shape, Symbol};

const SOURCE: &str = r#"
volatile int sink;
static __attribute__((noinline)) void hidden(int x) {
    sink = x;
}
__attribute__((noinline)) void exported(int x) {
    hidden(x);
}
int main(int argc, char **argv) {
    exported(argc);
    return 0;
}
"#;

/// Returns a directory with `full`, and with `a` made of it in the steps that the GDB
/// manual gives for MiniDebugInfo.
fn packed() -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-O1", "-rdynamic", "-o", "full", "a.c"]);
    let keep = [
        "-S",
        "--remove-section=.gdb_index",
        "--remove-section=.comment",
    ];
    fixture.write("keep", "hidden\n");
    fixture.run("objcopy", &["--only-keep-debug", "full", "debug"])?;
    let symbols = [&keep[..], &["--keep-symbols=keep", "debug", "mini"]];
    fixture.run("objcopy", &symbols.concat())?;
    fixture.run(
        "strip",
        &["--strip-all", "-R", ".comment", "-o", "a", "full"],
    )?;
    fixture.run("xz", &["-k", "mini"])?;
    fixture.run("objcopy", &["--add-section", ".gnu_debugdata=mini.xz", "a"])?;
    Ok(fixture)
}

#[test]
fn its_symbols_name_what_dynsym_does_not() {
    let fixture = match packed() {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let full = fixture.path("full");
    let (symbolizer, module) = symbolizer_of(&fixture.path("a"));
    fixture.must("objcopy", &["--remove-section=.gnu_debugdata", "a", "bare"]);
    let (bare, bare_module) = symbolizer_of(&fixture.path("bare"));
    // The `object` crate says where they are, readelf what is left in `a`.
    for (name, without) in [("hidden", "[no-symbols]"), ("exported", "exported@?")] {
        let (start, size) = symbol(&full, name);
        for addr in [start, start + size - 1] {
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, format!("{name}@?"), "{addr:#x}");
            assert_eq!(brief(&find(&bare, bare_module, addr)), without, "{addr:#x}");
        }
    }
    says_readelf(&fixture.path("a"), "hidden", false);
    says_readelf(&fixture.path("mini"), "hidden", true);
    assert_eq!(find(&symbolizer, module, 0), Err(Reason::NoSymbols));
}

/// Checks which names are in a file's symbol tables.
fn says_readelf(path: &Path, name: &str, there: bool) {
    let mut command = std::process::Command::new("readelf");
    let output = command.arg("-sW").arg(path).output().expect("readelf runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let listed = text.split_whitespace().any(|word| word == name);
    assert_eq!(listed, there, "{name} in {}", path.display());
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = liblzma::read::XzEncoder::new(bytes, 1);
    std::io::Read::read_to_end(&mut encoder, &mut packed).expect("memory");
    packed
}

/// A file with these symbols packed in it.
fn with_mini(shape: Shape, mini: &[Symbol]) -> Elf {
    let mini = dwarf::elf(shape, &[]).symbols(mini).build();
    dwarf::elf(shape, &[(".gnu_debugdata", &xz(&mini))])
}

#[test]
fn it_is_one_table_with_symtab_and_dynsym_in_every_shape() {
    let one = |name: &str, start| Symbol::function(name, start, 0x100);
    for shape in Shape::ALL {
        // Of aliases the same is chosen, whatever table has it.
        let mini = [one("mini", 0x1100), one("__full", 0x1000)];
        let elf = with_mini(shape, &mini)
            .symbols(&[one("full", 0x1000)])
            .dynamic_symbols(&[one("__mini", 0x1100), one("exported", 0x1200)]);
        let (symbolizer, module) = common::symbolizer_of_bytes(elf.build());
        let cases = [
            (0x1000, "full@?"),
            (0x1100, "mini@?"),
            (0x1200, "exported@?"),
        ];
        for (addr, want) in cases {
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, want, "{addr:#x} in {shape:?}");
        }
    }
}

#[test]
fn a_bomb_or_garbage_costs_its_own_symbols_alone() {
    let shape = Shape::ELF64_LITTLE;
    let exported = Symbol::function("exported", 0x1000, 0x100);
    let mini = dwarf::elf(shape, &[]).symbols(&[Symbol::function("mini", 0x1100, 0x100)]);
    // A file within the file within the file does not count.
    let nested = dwarf::elf(shape, &[(".gnu_debugdata", &xz(&mini.build()))]).build();
    let mut cut = xz(&mini.build());
    cut.truncate(cut.len() / 2);
    let cases: [(&str, Vec<u8>, Reason); 6] = [
        ("a bomb", xz(&vec![0; 8 << 20]), Reason::Limit),
        ("no xz", b"garbage".to_vec(), Reason::NoSymbols),
        ("cut off", cut, Reason::NoSymbols),
        ("empty", Vec::new(), Reason::NoSymbols),
        ("no ELF file", xz(b"garbage"), Reason::NoSymbols),
        ("one more inside", xz(&nested), Reason::NoSymbols),
    ];
    for (name, section, reason) in cases {
        let elf = dwarf::elf(shape, &[(".gnu_debugdata", &section)]);
        let bytes = elf.dynamic_symbols(std::slice::from_ref(&exported)).build();
        let mut options = Options::default();
        options.debug_dirs.clear();
        options.limits.mini_debug_bytes = 1 << 20;
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
        let found = find(&symbolizer, module, 0x1000);
        assert_eq!(brief(&found), "exported@?", "{name}");
        assert_eq!(find(&symbolizer, module, 0x1100), Err(reason), "{name}");
    }
}
