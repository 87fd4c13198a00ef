//! Files of the kernel, in made-up trees: where they are found, and what proves them.

mod trees;

use std::path::Path;

use backsight::types::AbsAddr;
use backsight::{KernelShortfall, LiveKernel};
use testkit::kernel_tree::{
    IMAGE_ID, KASLR, KernelTree, MODULE, MODULE_ID, RELEASE, TEXT, build_id_note, kallsyms, module,
    vmlinux,
};
use trees::{at, lines, open, options, place};

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
