//! The running kernel, as made-up trees describe it.

use std::path::Path;

use backsight::symbolize::Options;
use backsight::types::{AbsAddr, FileOffset, Lookup, ModuleIdx, Outcome, Reason, VirtOffset};
use backsight::{KernelError, KernelOptions, KernelShortfall, LiveKernel, RunningKernel};
use testkit::kernel_tree::{
    IMAGE_ID, KASLR, KernelTree, LINKED, MODULE, MODULE_ID, RELEASE, TEXT, build_id_note, kallsyms,
    kcore, module, vmlinux,
};

fn options(tree: &KernelTree) -> KernelOptions {
    KernelOptions::default()
        .with_root(tree.root())
        // Nothing of this host counts.
        .with_symbols(Options::default().with_debug_dirs(vec!["/usr/lib/debug".into()]))
}

fn open(tree: &KernelTree) -> RunningKernel {
    RunningKernel::open(options(tree)).expect("a list of symbols")
}

/// Returns the module's path, the offset in it and the function of an address.
fn at(kernel: &RunningKernel, addr: u64) -> Option<(String, u64, Option<String>)> {
    let place = kernel.locate(AbsAddr(addr), Lookup::Exact);
    let Outcome::Located {
        module,
        file_offset: FileOffset(offset),
    } = place.outcome
    else {
        return None;
    };
    let module = kernel.module(module).expect("described");
    let name = place.symbol.map(|symbol| symbol.name.to_owned());
    Some((module.path_lossy().into_owned(), offset, name))
}

fn place(path: &str, offset: u64, name: &str) -> Option<(String, u64, Option<String>)> {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    Some((path.to_owned(), offset, name))
}

/// Returns the call levels of an address as `function file:line`, innermost first, and whether
/// the function begins where it should.
fn lines(kernel: &mut LiveKernel, addr: u64) -> Vec<String> {
    let found = kernel.begin([(AbsAddr(addr), Lookup::Exact)]);
    let found = found.look_up(kernel.symbolizer());
    let mut shown = Vec::new();
    let never = found.each(|answer| {
        for frame in &answer.frames {
            let file = frame.file.as_deref().unwrap_or("?");
            let file = file.rsplit('/').next().expect("a name");
            let line = frame.line.unwrap_or_default();
            let function = frame.function.as_deref().unwrap_or("?");
            shown.push(format!("{function} {file}:{line}"));
        }
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = never;
    shown
}

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
fn a_module_without_notes_has_names_and_no_file() {
    let tree = KernelTree::with_module();
    match module(MODULE_ID, 0) {
        Ok(file) => tree.write(&KernelTree::module_path(""), file),
        Err(why) => return testkit::skip(&why),
    }
    std::fs::remove_dir_all(tree.path("sys/module/served/notes")).expect("removed");
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    assert_eq!(lines(&mut live, MODULE + 0x104), ["served_second ?:0"]);
    let name = "served".to_owned();
    let none = KernelShortfall::NoModuleBuildId { name };
    assert_eq!(live.kernel().shortfalls(), [none]);
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
    assert_eq!(at(&kernel, MODULE), None);
    tree.write("proc/modules", "served 8192 0 - Live 0x0000000000000000\n");
    let (path, modules) = (tree.path("proc/modules"), 1);
    let hidden = KernelShortfall::HiddenModules { path, modules };
    assert_eq!(open(&tree).shortfalls(), [hidden]);
}

#[test]
fn two_modules_of_one_build_id_keep_their_names() {
    let tree = KernelTree::with_module();
    let other = MODULE + 0x4000;
    let modules = format!("served 8192 0 - Live {MODULE:#x}\nother 8192 0 - Live {other:#x}\n");
    tree.write("proc/modules", modules);
    let list = kallsyms();
    let (before, bpf) = list.split_at(list.find("ffffffffc03").expect("listed"));
    tree.write(
        "proc/kallsyms",
        format!(
            "{before}{other:016x} t served_first\t[other]\n{:016x} t not_in_file\t[other]\n{bpf}",
            other + 0x80
        ),
    );
    let notes = "sys/module/other/notes/.note.gnu.build-id";
    tree.write(notes, build_id_note(MODULE_ID));
    match module(MODULE_ID, 0) {
        Ok(file) => tree.write(&KernelTree::module_path(""), file),
        Err(why) => return testkit::skip(&why),
    }
    let kernel = open(&tree);
    let served = format!("/{}", KernelTree::module_path(""));
    assert_eq!(at(&kernel, MODULE), place(&served, 0, "served_first"));
    assert_eq!(
        at(&kernel, other + 0x80),
        place("[other]", 0x80, "not_in_file")
    );
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    assert_eq!(lines(&mut live, MODULE + 0x104).len(), 1);
    assert!(lines(&mut live, MODULE + 0x104)[0].starts_with("served_second input.c:"));
    // What has the build ID is not what is in memory.
    assert_eq!(lines(&mut live, other + 0x84), ["not_in_file ?:0"]);
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

#[test]
fn vmlinux_is_found_in_the_usual_places_and_proven() {
    let (mine, other) = match (vmlinux(IMAGE_ID), vmlinux(MODULE_ID)) {
        (Ok(mine), Ok(other)) => (mine, other),
        (mine, _) => return testkit::skip(&mine.err().unwrap_or_default()),
    };
    let modules = format!("lib/modules/{RELEASE}");
    let places = [
        format!("boot/vmlinux-{RELEASE}"),
        format!("usr/lib/debug/boot/vmlinux-{RELEASE}"),
        format!("usr/lib/debug/{modules}/vmlinux"),
        format!("{modules}/build/vmlinux"),
        format!("{modules}/vmlinux"),
        format!(
            "usr/lib/debug/.build-id/{}/{}.debug",
            &IMAGE_ID[..2],
            &IMAGE_ID[2..]
        ),
    ];
    for path in places {
        let tree = KernelTree::with_module();
        tree.write(&path, &other);
        let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
        assert_eq!(
            lines(&mut live, TEXT + 0x104),
            ["second_of_image ?:0"],
            "{path}"
        );
        assert_eq!(live.kernel().kaslr_offset(), None, "{path}");
        tree.write(&path, &mine);
        let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
        let shown = lines(&mut live, TEXT + 0x104);
        assert!(
            shown[0].starts_with("second_of_image input.c:"),
            "{path}: {shown:?}"
        );
        assert_eq!(live.kernel().kaslr_offset(), Some(KASLR), "{path}");
        assert_eq!(live.kernel().shortfalls(), [], "{path}");
    }
}

/// Debian's modules have their debug information in a file of their own.
#[test]
fn files_of_modules_have_lines_however_they_are_packed() {
    let file = match module(MODULE_ID, 0) {
        Ok(file) => file,
        Err(why) => return testkit::skip(&why),
    };
    let want = "served_second input.c:";
    for (ending, tool) in [("", ""), (".xz", "xz"), (".gz", "gzip"), (".zst", "zstd")] {
        let tree = KernelTree::with_module();
        tree.write(&KernelTree::module_path(""), &file);
        let path = tree.path(&KernelTree::module_path(""));
        if !ending.is_empty() && !packs(tool, &path) {
            testkit::skip(tool);
            continue;
        }
        let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
        let shown = lines(&mut live, MODULE + 0x104);
        assert!(shown[0].starts_with(want), "{ending}: {shown:?}");
        let path = format!("/{}", KernelTree::module_path(ending));
        let offset = place(&path, 0x104, "served_second");
        assert_eq!(at(live.kernel(), MODULE + 0x104), offset);
    }
    let tree = KernelTree::with_module();
    let (own, debug) = (
        KernelTree::module_path(""),
        KernelTree::module_path(".debug"),
    );
    let debug = format!("usr/lib/debug/{debug}");
    tree.write(&own, &file);
    tree.write(&debug, &file);
    let stripped = std::process::Command::new("strip")
        .arg("-g")
        .arg(tree.path(&own))
        .status();
    if !stripped.is_ok_and(|status| status.success()) {
        return testkit::skip("strip");
    }
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    let shown = lines(&mut live, MODULE + 0x104);
    assert!(shown[0].starts_with(want), "{shown:?}");
    std::fs::remove_file(tree.path(&debug)).expect("removed");
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    assert_eq!(lines(&mut live, MODULE + 0x104), ["served_second ?:0"]);
}

fn packs(tool: &str, path: &Path) -> bool {
    let args: &[&str] = match tool {
        "zstd" => &["-q", "--rm"],
        _ => &[],
    };
    let done = std::process::Command::new(tool)
        .args(args)
        .arg(path)
        .status();
    done.is_ok_and(|status| status.success())
}

/// Its build ID does not tell how the kernel laid a module out.
#[test]
fn a_file_that_is_laid_out_otherwise_is_not_used() {
    let tree = KernelTree::with_module();
    match module(MODULE_ID, 0x40) {
        Ok(file) => tree.write(&KernelTree::module_path(""), file),
        Err(why) => return testkit::skip(&why),
    }
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    assert_eq!(lines(&mut live, MODULE + 0x104), ["served_second ?:0"]);
    let path = Path::new("/").join(KernelTree::module_path(""));
    assert_eq!(
        live.kernel().shortfalls(),
        [KernelShortfall::OtherLayout { path }]
    );
}

#[test]
fn a_module_whose_text_is_elsewhere_has_no_file() {
    let tree = KernelTree::with_module();
    match module(MODULE_ID, 0) {
        Ok(file) => tree.write(&KernelTree::module_path(""), file),
        Err(why) => return testkit::skip(&why),
    }
    let text = AbsAddr(MODULE + 0x10_0000);
    tree.write("sys/module/served/sections/.text", format!("{text}\n"));
    let mut live = LiveKernel::open(options(&tree)).expect("a list of symbols");
    assert_eq!(lines(&mut live, MODULE + 0x104), ["served_second ?:0"]);
    let (name, base) = ("served".to_owned(), AbsAddr(MODULE));
    let elsewhere = KernelShortfall::TextElsewhere { name, text, base };
    assert_eq!(live.kernel().shortfalls(), [elsewhere]);
}
