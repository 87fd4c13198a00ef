//! By how much KASLR moved the image, as the kernel tells in `/proc/kcore`.
//!
//! The file is an ELF core file of the kernel's memory, which root may read. One of its notes,
//! `VMCOREINFO`, is text for tools that read memory dumps. On x86-64 and AArch64 it has a line
//! `KERNELOFFSET=1c000000`, hexadecimal: the address of the image at run time minus its address
//! in `vmlinux`.
//!
//! Sources: `fs/proc/kcore.c` (the note, since Linux 4.19), `arch_crash_save_vmcoreinfo`.

use std::fs::File;

/// Returns the KASLR offset in bytes. `None` if the file does not tell it.
pub(super) fn kaslr_offset(kcore: File) -> Option<u64> {
    offset_in(&backsight_elf::note_named(kcore, b"VMCOREINFO")?)
}

fn offset_in(info: &[u8]) -> Option<u64> {
    let mut lines = info.split(|byte| *byte == b'\n');
    let digits = lines.find_map(|line| line.strip_prefix(b"KERNELOFFSET="))?;
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::offset_in;

    #[test]
    fn the_line_is_found_among_others() {
        let cases = [
            (
                "OSRELEASE=6.1\nKERNELOFFSET=1c000000\nX=1\n",
                Some(0x1c00_0000),
            ),
            ("KERNELOFFSET=0\n", Some(0)),
            ("NUMBER(KERNELOFFSET)=1\n", None),
            ("KERNELOFFSET=\n", None),
            ("KERNELOFFSET=-1\n", None),
            ("KERNELOFFSET=1ffffffffffffffff\n", None),
            ("", None),
        ];
        for (info, want) in cases {
            assert_eq!(offset_in(info.as_bytes()), want, "{info:?}");
        }
    }
}
