//! Functions, inlined functions and lines out of DWARF 2, 3, 4 and 5.

mod common;

use common::{Fixture, brief, find, symbol, symbolizer_of};

const SOURCE: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) void deep(int x) {
    sink = x;
}
static inline __attribute__((always_inline)) void middle(int x) {
    deep(x + 1);
}
__attribute__((noinline)) void outer(int x) {
    middle(x);
}
int main(void) {
    outer(1);
    return 0;
}
"#;

#[test]
fn inlined_frames_come_innermost_first() {
    for version in ["2", "3", "4", "5"] {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        let dwarf = format!("-gdwarf-{version}");
        fixture.must("cc", &[&dwarf, "-O2", "-o", "a", "a.c"]);
        let path = fixture.path("a");
        let (symbolizer, module) = symbolizer_of(&path);
        let (start, size) = symbol(&path, "outer");
        let all: Vec<String> = (start..start + size)
            .map(|addr| brief(&find(&symbolizer, module, addr)))
            .collect();
        let want = "~deep@4 ~middle@7 outer@10";
        assert!(
            all.iter().any(|found| found == want),
            "DWARF {version}: {all:?}"
        );
    }
}
