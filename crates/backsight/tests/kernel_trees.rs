//! The running kernel, as made-up trees list it.

mod trees;

use backsight::types::{AbsAddr, FileOffset, Lookup, ModuleIdx, Outcome, Reason, VirtOffset};
use backsight::{KernelError, KernelShortfall, RunningKernel};
use testkit::kernel_tree::{
    IMAGE_ID, KASLR, KernelTree, LINKED, MODULE, RELEASE, TEXT, kallsyms, kcore,
};
use trees::{at, open, options, place};

#[test]
fn addresses_become_offsets_of_the_image_and_of_modules() {
    let tree = KernelTree::with_module();
    let kernel = open(&tree);
    assert_eq!(kernel.release(), Some(RELEASE));
    assert_eq!(kernel.build_id(), IMAGE_ID.parse().ok());
    assert_eq!(kernel.text(), Some(AbsAddr(TEXT)));
    assert_eq!(kernel.kaslr_offset(), None);
    let image = "[kernel.kallsyms]";
    let bpf = MODULE + 0x10_0000;
    let cases = [
        (TEXT, place(image, 0, "first_of_image")),
        (TEXT + 0x1ff, place(image, 0x1ff, "second_of_image")),
        (TEXT + 0x2ff, place(image, 0x2ff, "third_of_image")),
        (TEXT - 1, None),
        // Behind the mark of the code's end, and in data.
        (TEXT + 0x300, place(image, 0x300, "")),
        (TEXT + 0xfff, place(image, 0xfff, "")),
        (TEXT + 0x1000, None),
        (MODULE - 1, None),
        (MODULE, place("[served]", 0, "served_first")),
        (MODULE + 0x101, place("[served]", 0x101, "served_second")),
        (MODULE + 0x1fff, place("[served]", 0x1fff, "served_second")),
        (MODULE + 0x2000, None),
        (
            bpf + 8,
            place("[bpf]", bpf + 8, "bpf_prog_6deef7357e7b4530_count"),
        ),
        (
            MODULE + 0x20_0001,
            place(
                "[__builtin__ftrace]",
                MODULE + 0x20_0001,
                "ftrace_trampoline",
            ),
        ),
        // No BPF program is as long as this.
        (MODULE + 0x200_0000, None),
        (u64::MAX, None),
    ];
    for (addr, want) in cases {
        assert_eq!(at(&kernel, addr), want, "{addr:x}");
    }
    let reason = |addr| match kernel.locate(AbsAddr(addr), Lookup::Exact).outcome {
        Outcome::Unresolved(reason) => Some(reason),
        _ => None,
    };
    assert_eq!(reason(TEXT - 1), Some(Reason::Kernel));
    assert_eq!(reason(TEXT + 0x1000), Some(Reason::Kernel));
    assert_eq!(reason(0x1000), Some(Reason::Unmapped));
    assert_eq!(reason(0), Some(Reason::Unmapped));
    assert_eq!(kernel.shortfalls(), []);
}

/// The call is the last instruction of the function, or of the module.
#[test]
fn a_return_address_belongs_to_the_call() {
    let tree = KernelTree::with_module();
    let kernel = open(&tree);
    for (addr, index, offset, name) in [
        (TEXT + 0x100, 0, 0x100, "first_of_image"),
        (MODULE + 0x2000, 1, 0x2000, "served_second"),
    ] {
        let place = kernel.locate(AbsAddr(addr), Lookup::Return);
        let want = Outcome::Located {
            module: ModuleIdx(index),
            file_offset: FileOffset(offset),
        };
        assert_eq!(place.outcome, want, "{addr:x}");
        assert_eq!(
            place.symbol.map(|symbol| symbol.name),
            Some(name),
            "{addr:x}"
        );
    }
    let none = kernel.locate(AbsAddr(TEXT), Lookup::Return);
    assert_eq!(none.outcome, Outcome::Unresolved(Reason::Kernel));
}

#[test]
fn hidden_addresses_are_an_error_with_the_way_out() {
    let tree = KernelTree::with_module();
    let hidden: String = kallsyms()
        .lines()
        .map(|line| format!("0000000000000000{}\n", &line[16..]))
        .collect();
    tree.write("proc/kallsyms", hidden);
    let error = RunningKernel::open(options(&tree)).expect_err("hidden");
    assert!(matches!(error, KernelError::Symbols(_)), "{error:?}");
    let text = error.to_string();
    let path = tree.path("proc/kallsyms").display().to_string();
    for part in [&*path, "kptr_restrict", "CAP_SYSLOG"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_tree_without_a_list_is_an_error_that_names_the_file() {
    let tree = KernelTree::new();
    let error = RunningKernel::open(options(&tree)).expect_err("no list");
    assert!(matches!(error, KernelError::List(_)), "{error:?}");
    assert!(error.to_string().contains("proc/kallsyms"), "{error}");
    // A FIFO would be waited for.
    let path = tree.path("proc/kallsyms");
    let mode = nix::sys::stat::Mode::S_IRUSR;
    nix::unistd::mkfifo(&path, mode).expect("a FIFO");
    let error = RunningKernel::open(options(&tree)).expect_err("a FIFO");
    assert!(error.to_string().contains("FIFO"), "{error}");
}

/// The last function that is listed seems to extend over all that was cut off.
#[test]
fn a_list_that_was_cut_off_names_nothing_behind_its_end() {
    let tree = KernelTree::with_module();
    let whole = kallsyms();
    let end = whole.find("third_of_image").expect("listed");
    tree.write("proc/kallsyms", &whole[..end + 3]);
    let kernel = open(&tree);
    let path = tree.path("proc/kallsyms");
    let skipped = KernelShortfall::SkippedLines { path, lines: 1 };
    assert_eq!(kernel.shortfalls(), [skipped]);
    let second = place("[kernel.kallsyms]", 0x110, "second_of_image");
    assert_eq!(at(&kernel, TEXT + 0x110), second);
    assert_eq!(at(&kernel, MODULE + 1), place("[served]", 1, ""));
    assert_eq!(at(&kernel, TEXT + 0x100_0000), None);
    // With the image alone, a module's addresses are behind its end.
    tree.write(
        "proc/kallsyms",
        whole.split_once("ffffffffc0").expect("listed").0,
    );
    let kernel = open(&tree);
    assert_eq!(kernel.shortfalls(), []);
    assert_eq!(at(&kernel, MODULE + 0x101), place("[served]", 0x101, ""));
}

#[test]
fn hostile_lines_are_skipped_and_counted() {
    let tree = KernelTree::with_module();
    let hostile = "no line\nfffffffff00000000 T long\nffffffff9d000000 T \x1b[2J\n\
                   ffffffffc0300000 t f\t[../../etc]\n";
    tree.write("proc/kallsyms", kallsyms() + hostile);
    let modules =
        format!("../../etc 4096 0 - Live {MODULE:#x}\nserved 8192 0 - Live {MODULE:#x}\n");
    tree.write("proc/modules", modules);
    let kernel = open(&tree);
    let count = |name: &str, lines| KernelShortfall::SkippedLines {
        path: tree.path(name),
        lines,
    };
    assert_eq!(
        kernel.shortfalls(),
        [count("proc/kallsyms", 3), count("proc/modules", 1)]
    );
    assert_eq!(at(&kernel, MODULE), place("[served]", 0, "served_first"));
    // It is in no module that is loaded.
    assert_eq!(at(&kernel, 0xffff_ffff_c030_0000), None);
}

#[test]
fn modules_that_cannot_be_listed_are_said() {
    let tree = KernelTree::with_module();
    std::fs::remove_file(tree.path("proc/modules")).expect("removed");
    let kernel = open(&tree);
    let shortfalls = kernel.shortfalls();
    assert!(
        matches!(&shortfalls[..], [KernelShortfall::NoModules(_)]),
        "{shortfalls:?}"
    );
    name_alone(&kernel, MODULE + 1, Some("served_first"));
    // Behind the last function that is listed.
    name_alone(&kernel, MODULE + 0x2_0000, None);
    tree.write("proc/modules", "served 8192 0 - Live 0x0000000000000000\n");
    let (path, modules) = (tree.path("proc/modules"), 1);
    let hidden = KernelShortfall::HiddenModules { path, modules };
    let kernel = open(&tree);
    assert_eq!(kernel.shortfalls(), [hidden]);
    name_alone(&kernel, MODULE + 1, Some("served_first"));
    // In the list, another one is where it would be.
    tree.write("proc/modules", "other 8192 0 - Live 0xffffffffc1000000\n");
    name_alone(&open(&tree), MODULE + 1, None);
}

/// An address that has no place in a module, and a name if the kernel lists one.
#[track_caller]
fn name_alone(kernel: &RunningKernel, addr: u64, name: Option<&str>) {
    let place = kernel.locate(AbsAddr(addr), Lookup::Exact);
    assert_eq!(place.outcome, Outcome::Unresolved(Reason::Kernel));
    let answer = kernel.answer(AbsAddr(addr), Lookup::Exact);
    let names = answer.frames.iter().map(|frame| frame.function.as_deref());
    assert_eq!(
        names.collect::<Vec<_>>(),
        name.map(Some).into_iter().collect::<Vec<_>>()
    );
    let reason = name.is_none().then_some(Reason::Kernel);
    assert_eq!((answer.module, answer.reason), (None, reason));
}

#[test]
fn without_the_start_of_the_image_its_functions_have_names_alone() {
    let tree = KernelTree::with_module();
    let listed = kallsyms();
    let lines = listed.lines();
    let without = lines.filter(|line| !line.ends_with(" _text") && !line.ends_with(" _stext"));
    let without: Vec<&str> = without.collect();
    tree.write("proc/kallsyms", without.join("\n") + "\n");
    let kernel = open(&tree);
    let path = tree.path("proc/kallsyms");
    assert_eq!(kernel.shortfalls(), [KernelShortfall::NoText { path }]);
    name_alone(&kernel, TEXT + 0x101, Some("second_of_image"));
    name_alone(&kernel, TEXT - 0x1000, None);
    // Modules are listed.
    assert_eq!(at(&kernel, MODULE), place("[served]", 0, "served_first"));
}

#[test]
fn kcore_tells_the_kaslr_offset() {
    let tree = KernelTree::with_module();
    tree.write("proc/kcore", kcore(KASLR));
    let kernel = open(&tree);
    assert_eq!(kernel.kaslr_offset(), Some(KASLR));
    let answer = kernel.answer(AbsAddr(TEXT + 0x104), Lookup::Exact);
    assert_eq!(answer.virtual_offset, Some(VirtOffset(LINKED + 0x104)));
    assert_eq!(answer.frames[0].start, Some(VirtOffset(LINKED + 0x100)));
}
