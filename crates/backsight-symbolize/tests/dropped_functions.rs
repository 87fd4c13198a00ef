//! Functions that the linker dropped, in programs whose code begins at address 0.

mod common;

use backsight_symbolize::{Options, Tier};
use common::{Fixture, at, brief, symbol, symbolizer_with};

const RESET: &str = r#"
int volatile sink;
__attribute__((noinline, section(".text.0reset"))) int reset(int k) {
    sink = k;
    return k + 1;
}
int other(int k);
int kept(int k) { return reset(k) * 3 + other(sink); }
"#;

const DROPPED: &str = r#"
extern int volatile sink;
int dead_long(int k) {
    for (int i = 0; i < k; i++) { sink += i * k; sink ^= i; }
    return sink;
}
int dead_short(int k) { return k; }
// Linkers drop the whole unit where they drop all of its code.
int other(int k) { return k ^ sink; }
"#;

/// Compilers, and what makes them leave a library out.
const WAYS: [&[&str]; 7] = [
    &["gcc", "-gdwarf-5"],
    &["gcc", "-gdwarf-4"],
    &["gcc", "-gdwarf-5", "-fuse-ld=lld"],
    &["clang", "-gdwarf-5", "-fuse-ld=lld"],
    &["aarch64-linux-gnu-gcc", "-g"],
    &["arm-linux-gnueabihf-gcc", "-g"],
    &["riscv64-linux-gnu-gcc", "-g"],
];

#[test]
fn dropped_functions_do_not_answer_at_address_0() {
    for way in WAYS {
        // What is dropped comes first, in one unit and in the other.
        for (one, other) in [
            (DROPPED.to_owned(), RESET.to_owned()),
            (
                String::from("int nothing;"),
                format!(
                    "{DROPPED}{}",
                    RESET.replace("int volatile sink;", "int volatile sink = 1;")
                ),
            ),
        ] {
            let fixture = Fixture::new();
            fixture.write("a.c", one);
            fixture.write("b.c", other);
            fixture.write(
                "map.ld",
                "SECTIONS { .text 0 : { *(.text.0reset) *(.text .text.*) } . = 0x10000; }",
            );
            let link = [
                "-O1",
                "-fno-asynchronous-unwind-tables",
                "-ffunction-sections",
                "-nostdlib",
                "-static",
                "-fno-pic",
                "-no-pie",
                "-Wl,--gc-sections",
                "-Wl,-e,kept",
                "-Wl,--build-id=none",
                "-Wl,-T,map.ld",
                "-o",
                "a",
                "a.c",
                "b.c",
            ];
            let args = [&way[1..], &link[..]].concat();
            if let Err(words) = fixture.run(way[0], &args) {
                testkit::skip(&format!("{way:?}: {words}"));
                continue;
            }
            let path = fixture.path("a");
            let (start, size) = symbol(&path, "reset");
            // The lowest bit says which instruction set.
            let thumb = u64::from(way[0].starts_with("arm"));
            let start = start & !thumb;
            assert_eq!(start, 0, "{way:?}");
            for tier in [Tier::Lazy, Tier::Flat] {
                let options = Options::default()
                    .with_tier(tier)
                    .with_debug_dirs(Vec::new());
                let (symbolizer, module) = symbolizer_with(options, &path);
                let requests: Vec<_> = (0..size).map(|addr| at(module, addr)).collect();
                let answers = symbolizer.symbolize(&requests);
                for (addr, answer) in answers.iter().enumerate() {
                    let found = brief(answer);
                    assert!(
                        found.starts_with("reset@"),
                        "{addr:#x} {tier:?} {way:?}: {found}"
                    );
                    let frames = answer.as_ref().expect("an answer");
                    let file = frames[0].file.as_deref().unwrap_or_default();
                    assert!(file.ends_with("b.c"), "{addr:#x} {tier:?} {way:?}: {file}");
                    assert_eq!(frames[0].start.map(|start| start.0), Some(0));
                }
                let (kept, _) = symbol(&path, "kept");
                let found = brief(&symbolizer.symbolize(&[at(module, kept & !thumb)])[0]);
                assert!(found.starts_with("kept@"), "{way:?}: {found}");
            }
        }
    }
}
