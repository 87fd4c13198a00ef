//! `--kernel`: addresses of the kernel, of this host and of made-up ones.

mod common;

use common::{json, of_type, run, run_with};
use testkit::kernel_recording::{self, SHAPES};
use testkit::kernel_tree::{
    BPF, IMAGE_ID, KASLR, KernelTree, LINKED, MODULE, MODULE_ID, TEXT, kallsyms, kcore, module,
    vmlinux,
};

fn kernel(tree: &KernelTree) -> String {
    format!("--kernel={}", tree.root().display())
}

fn hex(addr: u64) -> String {
    format!("{addr:#x}")
}

#[test]
fn places_are_shown_with_offset_build_id_and_name() {
    let tree = KernelTree::with_module();
    let (image, module, bpf) = (TEXT + 0x104, MODULE + 0x104, MODULE + 0x10_0004);
    let asked = [image, module, bpf, 0x10, u64::MAX].map(hex);
    let args = ["normalize", &kernel(&tree)].map(str::to_owned);
    let text = run(args.iter().chain(&asked)).ok();
    let want = format!(
        "{image:#x} [kernel.kallsyms]+0x104  [build id {IMAGE_ID}]  second_of_image+0x4\n\
         {module:#x} [served]+0x104  virtual 0x104  [build id {MODULE_ID}]  served_second+0x4\n\
         {bpf:#x} [bpf]+{bpf:#x}  virtual {bpf:#x}  bpf_prog_6deef7357e7b4530_count+0x4\n\
         0x10               [unmapped]\n\
         0xffffffffffffffff [kernel]\n"
    );
    assert_eq!(text, want);
    tree.write("proc/kcore", kcore(KASLR));
    let text = run(args.iter().chain(&asked[..1])).ok();
    let virt = LINKED + 0x104;
    let want = format!(
        "{image:#x} [kernel.kallsyms]+0x104  virtual {virt:#x}  [build id {IMAGE_ID}]  \
         second_of_image+0x4\n"
    );
    assert_eq!(text, want);
    let format = ["--format".to_owned(), "json".to_owned()];
    let lines = json(&run(args.iter().chain(&asked).chain(&format)).ok());
    let (modules, addresses) = (of_type(&lines, "module"), of_type(&lines, "address"));
    assert_eq!(modules.len(), 3);
    assert!(modules.iter().all(|module| module["kind"] == "kernel"));
    assert_eq!(modules[0]["build_id"], IMAGE_ID);
    assert_eq!(addresses.len(), 5);
    assert_eq!(addresses[0]["file_offset"], "0x104");
    assert_eq!(addresses[0]["virtual_offset"], virt_text(virt));
    assert_eq!(addresses[0]["frames"][0]["function"], "second_of_image");
    assert_eq!(addresses[3]["reason"], "unmapped");
    assert_eq!(addresses[4]["reason"], "kernel");
}

fn virt_text(virt: u64) -> String {
    format!("{virt:#x}")
}

/// The tree is the host where the addresses were captured, and has no `vmlinux`; what its files
/// are is on the other host.
#[test]
fn normalized_and_symbolized_elsewhere_is_as_symbolized_there() {
    let (image, ko) = match (vmlinux(IMAGE_ID), module(MODULE_ID, 0)) {
        (Ok(image), Ok(ko)) => (image, ko),
        (image, _) => return testkit::skip(&image.err().unwrap_or_default()),
    };
    let (here, elsewhere) = (KernelTree::with_module(), KernelTree::new());
    let stack = [
        TEXT + 0x104,
        TEXT + 0x200,
        MODULE + 0x106,
        MODULE + 0x10_0004,
    ]
    .map(hex);
    let with = |args: &[&str]| {
        let args = args.iter().map(|arg| (*arg).to_owned());
        args.chain(stack.clone())
            .chain(["--stack".to_owned()])
            .collect::<Vec<_>>()
    };
    let captured = run(with(&["normalize", &kernel(&here), "--format", "json"])).ok();
    let root = elsewhere.root().display().to_string();
    let there = |captured: &str| {
        let args = ["symbolize", "-i", "-", "--root", &root];
        run_with(args, captured.as_bytes()).ok()
    };
    // Without files, both have the names.
    let symbolize = ["symbolize", &kernel(&here)];
    let names = run(with(&symbolize)).ok();
    assert_eq!(there(&captured), names);
    for name in [
        "second_of_image",
        "served_second",
        "bpf_prog_6deef7357e7b4530_count",
    ] {
        assert!(names.contains(name), "{names}");
    }
    assert!(!names.contains("input.c"), "{names}");
    for tree in [&here, &elsewhere] {
        tree.write("boot/vmlinux-6.1.2-made-up", &image);
        tree.write(&KernelTree::module_path(""), &ko);
    }
    let lines = run(with(&symbolize)).ok();
    assert!(
        lines.contains("second_of_image+0x4  /src/input.c:"),
        "{lines}"
    );
    assert!(
        lines.contains("served_second+0x6  /src/input.c:"),
        "{lines}"
    );
    // The capture has no virtual offsets of the image, whose KASLR offset nothing told.
    let later = there(&captured);
    assert!(later.contains("second_of_image  /src/input.c:"), "{later}");
    let captured = run(with(&["normalize", &kernel(&here), "--format", "json"])).ok();
    assert_eq!(there(&captured), lines);
    // An image of another build ID names nothing.
    elsewhere.write("boot/vmlinux-6.1.2-made-up", &ko);
    assert!(
        !there(&captured).contains("second_of_image+0x4  /src"),
        "{}",
        there(&captured)
    );
}

#[test]
fn hidden_addresses_are_said_with_the_way_out() {
    let tree = KernelTree::with_module();
    let hidden = |line: &str| format!("0000000000000000{}\n", &line[16..]);
    tree.write(
        "proc/kallsyms",
        kallsyms().lines().map(hidden).collect::<String>(),
    );
    for command in ["normalize", "symbolize"] {
        let ran = run([command, &kernel(&tree), "0x10"]);
        ran.fails(1, &["proc/kallsyms", "kptr_restrict", "CAP_SYSLOG"]);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn unknown_kernel_addresses_are_said() {
    let tree = KernelTree::with_module();
    tree.write("proc/kallsyms", kallsyms() + "no line\n");
    std::fs::remove_dir_all(tree.path("sys/module/served/notes")).expect("removed");
    for command in ["normalize", "symbolize"] {
        let ran = run([command, &kernel(&tree), &hex(MODULE)]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for part in [
            "proc/kallsyms: 1 malformed",
            "kernel module served: no build ID",
        ] {
            assert_eq!(ran.stderr.matches(part).count(), 1, "{ran:?}");
        }
    }
}

#[test]
fn flags_that_have_no_effect_are_refused() {
    for args in [
        &["normalize", "--kernel", "-p", "1", "0x10"][..],
        &["normalize", "--kernel", "--proc-root", "/proc", "0x10"],
        &["normalize", "--kernel", "--backend", "text", "0x10"],
        &["symbolize", "--kernel", "-e", "/bin/ls", "0x10"],
        &["symbolize", "--kernel", "--proc-root", "/proc", "0x10"],
    ] {
        run(args).fails(2, &["cannot be used with"]);
    }
    run(["normalize", "--kernel=/nowhere", "0x10"]).fails(1, &["/nowhere/proc/kallsyms"]);
}

/// The kernel of this host, by a name that each has.
#[test]
fn the_kernel_of_this_host_is_named() {
    let list = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let line = list.lines().find(|line| line.ends_with(" T schedule"));
    let Some(addr) = line.and_then(|line| line.split(' ').next()) else {
        return testkit::skip("/proc/kallsyms has no schedule");
    };
    if addr.bytes().all(|byte| byte == b'0') {
        return testkit::skip("/proc/kallsyms hides addresses from this user");
    }
    let pid = std::process::id().to_string();
    for args in [
        &["normalize", "--kernel", addr][..],
        &["symbolize", "--kernel", addr],
        &["symbolize", "-p", &pid, addr],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let is_named = ran.stdout.contains("schedule") && ran.stdout.contains("[kernel.kallsyms]");
        assert!(is_named, "{ran:?}");
    }
}

/// A recording of another host, whose kernel's files are beneath a root.
#[test]
fn a_recording_has_the_lines_that_its_kernel_has_live() {
    let (image, ko) = match (vmlinux(IMAGE_ID), module(MODULE_ID, 0)) {
        (Ok(image), Ok(ko)) => (image, ko),
        (image, _) => return testkit::skip(&image.err().unwrap_or_default()),
    };
    let tree = KernelTree::with_module();
    tree.write("boot/vmlinux-6.1.2-made-up", &image);
    tree.write(&KernelTree::module_path(""), &ko);
    let stack = [TEXT + 0x104, TEXT + 0x208, MODULE + 0x106, BPF + 4];
    let frames = |text: &str| -> Vec<serde_json::Value> {
        let lines = of_type(&json(text), "address");
        let levels = lines.iter().map(|line| {
            let mut frames = line["frames"].clone();
            for frame in frames.as_array_mut().into_iter().flatten() {
                // Of the image, where its function begins is known live alone.
                frame.as_object_mut().expect("a frame").remove("start");
            }
            frames
        });
        levels.collect()
    };
    let live = ["symbolize", &kernel(&tree), "--stack", "--format", "json"].map(str::to_owned);
    let live = frames(&run(live.into_iter().chain(stack.map(hex))).ok());
    assert!(live[1].to_string().contains("\"inlined\":true"), "{live:?}");
    let root = tree.root().display().to_string();
    for shape in SHAPES.iter().filter(|shape| shape.has_build_ids) {
        tree.write("perf.data", kernel_recording::of(*shape, &stack));
        let data = tree.path("perf.data").display().to_string();
        let convert = ["convert", &data, "-", "--to", "ndjson", "--root", &root];
        let converted = run(convert).ok();
        assert_eq!(frames(&converted), live, "{shape:?}");
        let normalize = ["normalize", "-i", &data, "--format", "json"];
        let captured = run(normalize).ok();
        let symbolize = ["symbolize", "-i", "-", "--format", "json", "--root", &root];
        let later = run_with(symbolize, captured.as_bytes()).ok();
        assert_eq!(frames(&later), live, "{shape:?}");
    }
}

#[test]
fn a_vmlinux_is_named_by_hand_and_counts_by_its_build_id() {
    let (mine, other) = match (vmlinux(IMAGE_ID), vmlinux(MODULE_ID)) {
        (Ok(mine), Ok(other)) => (mine, other),
        (mine, _) => return testkit::skip(&mine.err().unwrap_or_default()),
    };
    let tree = KernelTree::with_module();
    tree.write("mine", mine);
    tree.write("other", other);
    tree.write("text", "no ELF file");
    tree.write(
        "perf.data",
        kernel_recording::of(SHAPES[0], &[TEXT + 0x104]),
    );
    let path = |name: &str| tree.path(name).display().to_string();
    let (data, addr) = (path("perf.data"), hex(TEXT + 0x104));
    let of_tree = kernel(&tree);
    let ways = [
        vec!["convert", &data, "-", "--to", "ndjson"],
        vec!["symbolize", &of_tree, &addr],
    ];
    for way in ways {
        let with = |name: &str| {
            let flag = format!("--vmlinux={}", path(name));
            run(way.iter().copied().chain([&*flag]))
        };
        let ran = with("mine");
        assert!(ran.stdout.contains("input.c"), "{ran:?}");
        assert!(!ran.stderr.contains("--vmlinux"), "{ran:?}");
        for (name, said) in [
            ("other", "not used: "),
            ("text", "not an ELF file"),
            ("nowhere", "No such file"),
            ("boot", "No such file"),
            ("proc", "not a regular file"),
        ] {
            let ran = with(name);
            assert!(!ran.stdout.contains("input.c"), "{name}: {ran:?}");
            let flag = format!("--vmlinux {}: {said}", path(name));
            assert_eq!(ran.stderr.matches(&flag).count(), 1, "{name}: {ran:?}");
        }
    }
    // Nothing here is of a kernel.
    let flag = format!("--vmlinux={}", path("mine"));
    let pid = std::process::id().to_string();
    let ran = run(["symbolize", "-p", &pid, "0x10", &flag]);
    assert!(
        ran.stderr.contains("not used: no address of a kernel"),
        "{ran:?}"
    );
    run(["symbolize", "-e", "/bin/ls", "0x10", &flag]).fails(2, &["--vmlinux", "-e"]);
}
