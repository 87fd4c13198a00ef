//! Marks of sections in the list of a running kernel.

use backsight_sources::kallsyms::Kallsyms;
use backsight_types::AbsAddr;

/// As in Linux 6.18 on x86-64, and with a module's symbols on arm64.
#[test]
fn marks_of_sections_name_no_code() {
    let list = "\
ffffffff81000010 T __entry_text_start
ffffffff81000f70 T __irqentry_text_end
ffffffff81000f70 t common_interrupt_return
ffffffff81001a87 T __entry_text_end
ffffffff81200000 T __split_text_end
ffffffff81200000 T __unlikely_text_start
ffffffff81200000 t __pfx_run_init_process
ffffffff82209988 T _etext
ffffffff83783000 T _sinittext
ffffffff83783000 t set_reset_devices
ffffffff837f8910 T _einittext
ffffffffc0200000 t $x\t[m]
ffffffffc0200000 t f\t[m]
ffffffffc0200010 t $d.1\t[m]
ffffffffc0200020 t .L3\t[m]
";
    let kernel = Kallsyms::read(list.as_bytes()).unwrap();
    let at = |addr| kernel.at(AbsAddr(addr)).map(|found| found.name);
    let cases = [
        (0xffff_ffff_8100_0010, Some("__entry_text_start")),
        (0xffff_ffff_8100_0f70, Some("common_interrupt_return")),
        (0xffff_ffff_8100_1a86, Some("common_interrupt_return")),
        (0xffff_ffff_8100_1a87, None),
        (0xffff_ffff_811f_ffff, None),
        (0xffff_ffff_8120_0000, Some("__pfx_run_init_process")),
        (0xffff_ffff_8220_9987, Some("__pfx_run_init_process")),
        (0xffff_ffff_8220_9988, None),
        (0xffff_ffff_8378_2fff, None),
        (0xffff_ffff_8378_3000, Some("set_reset_devices")),
        (0xffff_ffff_837f_8910, None),
        (0xffff_ffff_8400_0000, None),
        (0xffff_ffff_c020_0030, Some("f")),
    ];
    for (addr, want) in cases {
        assert_eq!(at(addr), want, "{addr:#x}");
    }
    assert_eq!(kernel.skipped_lines(), 0);
}
