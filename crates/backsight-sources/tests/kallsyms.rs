//! Lists of symbols as kernels print them.

use backsight_sources::kallsyms::Kallsyms;
use backsight_types::AbsAddr;

/// Linux 6.12 of Debian for AArch64 prints these of its module `veth`: `14472:` in assembly is
/// called so by GNU as, and each `WARN_ON` has one.
#[test]
fn labels_of_the_assembler_end_no_function_and_are_no_damage() {
    let list = "10 T _text\n20 t one\t[veth]\n28 r .L14472\x021\t[veth]\n\
                2a t $x.3\t[veth]\n2c t .L7\t[veth]\n30 t two\t[veth]\n";
    let kernel = Kallsyms::read(list.as_bytes()).expect("a list");
    assert_eq!((kernel.skipped_lines(), kernel.is_cut()), (0, false));
    let name = |addr| kernel.at(AbsAddr(addr)).map(|found| found.name);
    assert_eq!(name(0x2f), Some("one"));
    assert_eq!(name(0x30), Some("two"));
    // No other name with a control character is read.
    let list = list.replace(".L14472", "f");
    let kernel = Kallsyms::read(list.as_bytes()).expect("a list");
    assert_eq!(kernel.skipped_lines(), 1);
}
