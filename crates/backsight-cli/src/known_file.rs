//! Files that are recognized by their first bytes, and what takes them.

/// How many bytes of a file are inspected.
pub(crate) const INSPECTED_BYTES: usize = 4096;

/// A kind of file, and the ways out where it was given by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownFile {
    /// What it is.
    pub(crate) what: &'static str,
    /// What to do where stacks were to be in it; `None` if it has stacks.
    pub(crate) for_stacks: Option<&'static str>,
    /// What to do where an ELF file was wanted; `None` if it is one.
    pub(crate) for_program: Option<&'static str>,
}

const PICTURE: &str = "a picture does not contain the stacks: give the recording it was drawn from";
const NO_CODE: &str = "there is no code in it: give the program or library itself";
const UNPACK: &str = "unpack it first, and give the file in it";
const CONVERT: &str = "`backsight convert FILE OUT` reads it; here, give the program or library";
const NOT_READ: &str = "backsight reads ELF files: it cannot use this one";
const NO_STACKS: &str = "it has no stacks: give a recording; `backsight symbolize -e PROGRAM --symbols FILE ADDR…` \
     looks addresses up in it";
const SYMBOLS: &str = "give it with --symbols, and here the program that it was made of; \
                       `backsight inspect FILE` says which build that is";
const OTHER_SYSTEM: &str = "it has no stacks: give a recording";

/// Bytes at an offset, what the file is, and the ways out as of [`KnownFile`].
type KnownRow = (
    usize,
    &'static [u8],
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// Of two that apply, the first counts.
const TABLE: &[KnownRow] = &[
    (
        0,
        b"\x7fELF",
        "a program or library (ELF)",
        Some(
            "give a recording of it; `backsight symbolize -e FILE ADDR…` looks addresses up in it",
        ),
        None,
    ),
    (
        0,
        b"MODULE ",
        "a symbol file of Breakpad",
        Some(NO_STACKS),
        Some(SYMBOLS),
    ),
    (
        0,
        b"GSYM\0",
        "a GSYM symbol file",
        Some(NO_STACKS),
        Some(SYMBOLS),
    ),
    (
        0,
        b"MYSG\x01\0",
        "a GSYM symbol file",
        Some(NO_STACKS),
        Some(SYMBOLS),
    ),
    (
        0,
        b"MYSG\x02\0",
        "a GSYM symbol file",
        Some(NO_STACKS),
        Some(SYMBOLS),
    ),
    (
        0,
        b"\x89BSIX",
        "an index of symbols",
        Some("it has no stacks: give a recording, and the folder of indexes by --index-dir"),
        Some("`backsight index show FILE` describes it; lookups take its folder with --index-dir"),
    ),
    (
        0,
        b"!<arch>\ndebian-binary",
        "a Debian package",
        Some(OTHER_SYSTEM),
        Some("unpack it first, with `dpkg-deb -x FILE DIR`, and give the file in it"),
    ),
    (
        0,
        b"!<arch>\n",
        "a static library: an archive of object files",
        Some(OTHER_SYSTEM),
        Some(
            "give the program that it was linked into, or an object file: `ar x FILE` unpacks them",
        ),
    ),
    (
        0,
        b"!<thin>\n",
        "a thin archive, which names object files",
        Some(OTHER_SYSTEM),
        Some("give one of the object files: `ar t FILE` lists them"),
    ),
    (
        0,
        b"PK\x03\x04",
        "a zip archive",
        Some(UNPACK),
        Some(
            "name a library in it as FILE!/NAME, if it is not compressed (`unzip -v FILE` lists \
             them), or unpack it",
        ),
    ),
    (
        0,
        b"PK\x05\x06",
        "an empty zip archive",
        Some(UNPACK),
        Some(NO_CODE),
    ),
    (
        257,
        b"ustar",
        "a tar archive",
        Some(UNPACK),
        Some("unpack it first, with `tar -xf FILE`, and give the file in it"),
    ),
    (
        0,
        b"\xed\xab\xee\xdb",
        "an RPM package",
        Some(OTHER_SYSTEM),
        Some("unpack it first, with `rpm2cpio FILE | cpio -id`, and give the file in it"),
    ),
    (
        0,
        b"070701",
        "a cpio archive",
        Some(OTHER_SYSTEM),
        Some(CPIO_WAY),
    ),
    (
        0,
        b"070702",
        "a cpio archive",
        Some(OTHER_SYSTEM),
        Some(CPIO_WAY),
    ),
    (
        0,
        b"070707",
        "a cpio archive",
        Some(OTHER_SYSTEM),
        Some(CPIO_WAY),
    ),
    (
        0,
        b"hsqs",
        "an image of the filesystem squashfs",
        Some(OTHER_SYSTEM),
        Some("mount or unpack it first, with `unsquashfs FILE`, and give the file in it"),
    ),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "packed by zstd",
        Some("unpack it first: `zstd -d FILE`"),
        Some("what is packed in it is no ELF file: `zstd -d FILE` unpacks it"),
    ),
    (
        0,
        b"\xfd7zXZ\0",
        "packed by xz",
        Some("unpack it first: `xz -dk FILE`"),
        Some("what is packed in it is no ELF file: `xz -dk FILE` unpacks it"),
    ),
    (
        0,
        b"BZh",
        "packed by bzip2",
        Some("unpack it first: `bunzip2 -k FILE`"),
        Some("unpack it first: `bunzip2 -k FILE`"),
    ),
    (
        0,
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive",
        Some(UNPACK),
        Some(UNPACK),
    ),
    (
        0,
        b"\x1f\x8b",
        "damaged, or packed twice",
        Some("unpack it first: `gunzip -k FILE`, which says what is wrong"),
        Some("unpack it first: `gunzip -k FILE`, which says what is wrong"),
    ),
    // A kernel image begins as a Windows program does, for EFI.
    (
        0x202,
        b"HdrS",
        "a compressed image of a kernel (vmlinuz, bzImage)",
        Some(OTHER_SYSTEM),
        Some(
            "give vmlinux: from the kernel's debug package, or by scripts/extract-vmlinux of the \
             kernel's sources",
        ),
    ),
    (
        56,
        b"ARM\x64",
        "an image of a kernel for arm64",
        Some(OTHER_SYSTEM),
        Some("give vmlinux, from the kernel's debug package"),
    ),
    (0, b"MZ\x90\0", PE, Some(OTHER_SYSTEM), Some(NOT_READ)),
    (0, b"MZx\0", PE, Some(OTHER_SYSTEM), Some(NOT_READ)),
    (0, b"MZ\0\0", PE, Some(OTHER_SYSTEM), Some(NOT_READ)),
    (
        0,
        b"Microsoft C/C++ MSF",
        "debug information of Windows (PDB)",
        Some(OTHER_SYSTEM),
        Some("backsight does not read it: `dump_syms` makes a .sym of it, for --symbols"),
    ),
    (
        0,
        b"\xcf\xfa\xed\xfe",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xce\xfa\xed\xfe",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xfe\xed\xfa\xcf",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xfe\xed\xfa\xce",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    // The number of machines follows, and of a Java class its version, from 45 on.
    (
        0,
        b"\xca\xfe\xba\xbe\0\0\0\x01",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xca\xfe\xba\xbe\0\0\0\x02",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xca\xfe\xba\xbe\0\0\0\x03",
        MACH_O,
        Some(OTHER_SYSTEM),
        Some(MACH_O_WAY),
    ),
    (
        0,
        b"\xca\xfe\xba\xbe",
        "a Java class",
        Some(OTHER_SYSTEM),
        Some("its code is made at run time: a recording names it by a perf map (--jit-maps)"),
    ),
    (
        0,
        b"\0asm",
        "a WebAssembly module",
        Some(OTHER_SYSTEM),
        Some(NOT_READ),
    ),
    (
        0,
        b"BC\xc0\xde",
        "LLVM bitcode",
        Some(OTHER_SYSTEM),
        Some("give the program or object file that was compiled of it"),
    ),
    (0, b"PERFILE2", "a recording of perf", None, Some(CONVERT)),
    (0, b"2ELIFREP", "a recording of perf", None, Some(CONVERT)),
    (
        0,
        b"DTiJ",
        "a jitdump",
        Some("give the recording of the process that wrote it, beside which it is found"),
        Some("it is used with the recording of the process that wrote it: `backsight convert`"),
    ),
    (
        0,
        b"JiTD",
        "a jitdump",
        Some("give the recording of the process that wrote it, beside which it is found"),
        Some("it is used with the recording of the process that wrote it: `backsight convert`"),
    ),
    (
        0,
        b"FLR\0",
        "a recording of Java's Flight Recorder (JFR)",
        Some("convert it with async-profiler's jfrconv, `-o pprof` or `-o collapsed`"),
        Some(NO_CODE),
    ),
    (
        0,
        b"\x89PNG\r\n",
        "a PNG picture",
        Some(PICTURE),
        Some(NO_CODE),
    ),
    (
        0,
        b"\xff\xd8\xff",
        "a JPEG picture",
        Some(PICTURE),
        Some(NO_CODE),
    ),
    (0, b"GIF8", "a GIF picture", Some(PICTURE), Some(NO_CODE)),
    (0, b"%PDF-", "a PDF document", Some(PICTURE), Some(NO_CODE)),
    (
        0,
        b"PAR1",
        "a Parquet file",
        Some("backsight does not read it: give the profile that it was made from"),
        Some(NO_CODE),
    ),
    (
        0,
        b"ARROW1",
        "an Arrow file",
        Some("backsight does not read it: give what it was made from"),
        Some(NO_CODE),
    ),
];

const CPIO_WAY: &str = "unpack it first, with `cpio -id < FILE`, and give the file in it";
const PE: &str = "a program or library of Windows (PE)";
const MACH_O: &str = "a program, library or dSYM of macOS (Mach-O)";
const MACH_O_WAY: &str = "backsight reads ELF files: `dump_syms` makes a .sym of it, for --symbols";

/// Returns what a file is that begins with these bytes.
pub(crate) fn by_magic(begin: &[u8]) -> Option<KnownFile> {
    let is_it = |(at, magic): (usize, &[u8])| {
        let rest = begin.get(at..);
        rest.is_some_and(|rest| rest.starts_with(magic))
    };
    let mut rows = TABLE.iter();
    let found = rows.find(|(at, magic, ..)| is_it((*at, magic)))?;
    let (_, _, what, for_stacks, for_program) = *found;
    Some(KnownFile {
        what,
        for_stacks,
        for_program,
    })
}
