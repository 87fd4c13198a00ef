//! A made-up root directory of a kernel: its `proc`, `sys`, `boot` and `lib`, with files that a
//! compiler makes.
//!
//! The image has `_text` at [`LINKED`] in `vmlinux`, and at [`TEXT`] in memory; the module
//! `served` is at [`MODULE`].

use std::path::{Path, PathBuf};
use std::process::Command;

/// The release of the kernel.
pub const RELEASE: &str = "6.1.2-made-up";

/// Where `_text` is in `vmlinux`.
pub const LINKED: u64 = 0xffff_ffff_8100_0000;

/// By how much KASLR moved the image.
pub const KASLR: u64 = 0x1c00_0000;

/// Where `_text` is in memory.
pub const TEXT: u64 = LINKED + KASLR;

/// Where the module's first byte is in memory.
pub const MODULE: u64 = 0xffff_ffff_c020_1000;

/// Where a BPF program is in memory.
pub const BPF: u64 = MODULE + 0x10_0000;

/// Its name.
pub const BPF_NAME: &str = "bpf_prog_6deef7357e7b4530_count";

/// The build ID of the image, as hexadecimal digits.
pub const IMAGE_ID: &str = "1111111111111111111111111111111111111111";

/// The build ID of the module.
pub const MODULE_ID: &str = "2222222222222222222222222222222222222222";

/// Where each function of the image is: in [`vmlinux`], and by [`kallsyms`].
const FUNCTIONS: [&str; 3] = ["first_of_image", "second_of_image", "third_of_image"];

/// A temporary directory.
#[derive(Debug)]
pub struct KernelTree(tempfile::TempDir);

impl KernelTree {
    /// A tree with a release and nothing else.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        tree.write("proc/sys/kernel/osrelease", format!("{RELEASE}\n"));
        tree
    }

    /// A tree that lists the image and the module, with their build IDs.
    #[must_use]
    pub fn with_module() -> Self {
        let tree = Self::new();
        tree.write("proc/kallsyms", kallsyms());
        tree.write(
            "proc/modules",
            format!("served 8192 0 - Live {MODULE:#x}\n"),
        );
        tree.write("sys/kernel/notes", build_id_note(IMAGE_ID));
        let notes = "sys/module/served/notes/.note.gnu.build-id";
        tree.write(notes, build_id_note(MODULE_ID));
        let text = format!("{MODULE:#x}\n");
        tree.write("sys/module/served/sections/.text", text);
        tree
    }

    /// Returns its root.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders that it is in.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }

    /// Returns the path of a file in it.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Returns where the module's file is, with this ending.
    #[must_use]
    pub fn module_path(ending: &str) -> String {
        format!("lib/modules/{RELEASE}/kernel/net/served.ko{ending}")
    }
}

impl Default for KernelTree {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the list of symbols of the kernel, with a BPF program and a trampoline.
#[must_use]
pub fn kallsyms() -> String {
    let mut list = format!("{TEXT:016x} T _stext\n{TEXT:016x} T _text\n");
    for (name, at) in FUNCTIONS.iter().zip((0..).step_by(0x100)) {
        list += &format!("{:016x} T {name}\n", TEXT + at);
    }
    list += &format!(
        "{:016x} T _etext\n{:016x} B _end\n",
        TEXT + 0x300,
        TEXT + 0x1000
    );
    for (name, at) in ["served_first", "served_second"].iter().zip([0, 0x100]) {
        list += &format!("{:016x} t {name}\t[served]\n", MODULE + at);
    }
    let ftrace = MODULE + 0x20_0000;
    list += &format!("{BPF:016x} t {BPF_NAME}\t[bpf]\n");
    list + &format!("{ftrace:016x} t ftrace_trampoline\t[__builtin__ftrace]\n")
}

/// Returns a GNU build ID note in the byte order of this machine.
///
/// # Panics
/// If the digits are not hexadecimal.
#[must_use]
pub fn build_id_note(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("text"), 16).expect("digits");
    let id: Vec<u8> = pairs.map(byte).collect();
    let size = u32::try_from(id.len()).expect("small");
    let mut note = [4, size, 3].map(u32::to_ne_bytes).concat();
    note.extend(b"GNU\0");
    note.extend(id);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// Returns the begin of a `/proc/kcore` that tells this KASLR offset.
#[must_use]
pub fn kcore(offset: u64) -> Vec<u8> {
    let info = format!("OSRELEASE={RELEASE}\nKERNELOFFSET={offset:x}\n");
    let size = u32::try_from(info.len()).expect("small");
    let mut note = [11, size, 0].map(u32::to_le_bytes).concat();
    note.extend(b"VMCOREINFO\0\0");
    note.extend(info.as_bytes());
    note.resize(note.len().next_multiple_of(4), 0);
    let half = |number: u16| number.to_le_bytes();
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([half(4), half(62)].concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64, 56, 1, 0, 0, 0].map(half).concat());
    file.extend([4_u32, 0].map(u32::to_le_bytes).concat());
    let size = u64::try_from(note.len()).expect("small");
    file.extend([120, 0, 0, size, 0, 4].map(u64::to_le_bytes).concat());
    file.extend(note);
    file
}

/// Compiles the image, as `vmlinux` with debug information.
///
/// # Errors
/// What the tools had to say, or that they are missing.
pub fn vmlinux(build_id: &str) -> Result<Vec<u8>, String> {
    let script = format!(
        "SECTIONS {{ . = {LINKED:#x};\n\
         .text : {{ _text = .; _stext = .; *(.text.first_of_image) . = 0x100; \
         *(.text.second_of_image) . = 0x200; *(.text.third_of_image) . = 0x300; _etext = .; }}\n\
         .note.gnu.build-id : {{ *(.note.gnu.build-id) }}\n\
         .data : {{ *(.data .bss) }} }}\n"
    );
    let [first, second, third] = FUNCTIONS;
    let source = function(first, "") + &function(second, "") + &with_inlined_call(third);
    let link = ["-T", "script", "-e", "0"];
    build("vmlinux", &source, &script, &link, build_id)
}

/// Compiles the module `served`, as a `.ko` file with debug information. Its first section of
/// code is as the kernel lays it out at [`MODULE`], unless `shift` moves its functions.
///
/// # Errors
/// What the tools had to say, or that they are missing.
pub fn module(build_id: &str, shift: u64) -> Result<Vec<u8>, String> {
    let script = format!(
        "SECTIONS {{ .text 0 : {{ . = {shift:#x}; *(.text.served_first) . = {:#x}; \
         *(.text.served_second) }} }}\n",
        shift + 0x100
    );
    let source = function("served_first", "") + &function("served_second", "");
    build(
        "module",
        &source,
        &script,
        &["-r", "-T", "script"],
        build_id,
    )
}

/// Returns a function with some lines of code, in a section of its own.
fn function(name: &str, rest: &str) -> String {
    format!(
        "__attribute__((section(\".text.{name}\"))) int {name}(int x) {{\n\
         extern volatile int sink;\nsink = x;\nreturn sink;{rest}\n}}\n"
    )
}

/// Returns a function all of whose work is in a function that is inlined into it.
fn with_inlined_call(name: &str) -> String {
    format!(
        "static inline __attribute__((always_inline)) int inlined(int x) {{\n\
         sink = x;\nreturn sink;\n}}\n\
         __attribute__((section(\".text.{name}\"))) int {name}(int x) {{\n\
         return inlined(x + 1);\n}}\n"
    )
}

fn build(
    name: &str,
    source: &str,
    script: &str,
    link: &[&str],
    build_id: &str,
) -> Result<Vec<u8>, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let write = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).map_err(|error| error.to_string())
    };
    write("input.c", &format!("volatile int sink;\n{source}"))?;
    write("script", script)?;
    let run = |tool: &str, args: &[&str]| {
        let done = Command::new(tool)
            .args(args)
            .current_dir(dir.path())
            .output();
        let done = done.map_err(|error| format!("{tool}: {error}"))?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("{tool}: {}", String::from_utf8_lossy(&done.stderr))),
        }
    };
    let prefix = format!("-ffile-prefix-map={}=/src", dir.path().display());
    let compile = [
        "-c",
        "-g",
        "-O1",
        "-ffreestanding",
        "-fno-pic",
        "-fcf-protection=none",
    ];
    let model = match cfg!(target_arch = "x86_64") {
        true => &["-mcmodel=kernel"][..],
        false => &[],
    };
    let compile = [&compile[..], model, &[&prefix, "-o", "input.o", "input.c"]].concat();
    run("cc", &compile)?;
    let id = format!("--build-id=0x{build_id}");
    run("ld", &[link, &[&id, "-o", name, "input.o"]].concat())?;
    std::fs::read(dir.path().join(name)).map_err(|error| error.to_string())
}
