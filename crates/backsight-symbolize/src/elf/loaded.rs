//! Addresses that are written when a file is loaded that may be loaded anywhere.

use object::Endianness;
use object::elf;
use object::pod;
use object::read::elf::{FileHeader, Rela as _};

use super::headers::ElfHeaders;

/// Calls `found` with where each address is written, and with the address, as far as a
/// relocation says both. Others have what is written in the file.
pub(crate) fn for_each_address(file: &ElfHeaders, found: impl FnMut(u64, u64)) {
    if file.is_64() {
        read::<elf::FileHeader64<Endianness>>(file, found);
    } else {
        read::<elf::FileHeader32<Endianness>>(file, found);
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(file: &ElfHeaders, mut found: impl FnMut(u64, u64)) {
    if file.is_relocatable() {
        return;
    }
    let endian = file.endian();
    // Forged headers may all claim the same bytes.
    let mut allowance = file.image().len();
    for section in file.sections().iter().filter(|section| section.is_loaded()) {
        if section.kind != elf::SHT_RELA.0 {
            continue;
        }
        let bytes = section.raw(file.image()).unwrap_or_default();
        let Some(left) = allowance.checked_sub(bytes.len()) else {
            break;
        };
        allowance = left;
        let count = bytes.len().checked_div(size_of::<Elf::Rela>()).unwrap_or(0);
        let all = pod::slice_from_bytes::<Elf::Rela>(bytes, count);
        for rela in all.map_or(&[][..], |(all, _)| all) {
            // Without a symbol, the addend is the address.
            if rela.r_sym(endian, false) == 0 {
                let target = rela.r_addend(endian).into().cast_unsigned();
                found(rela.r_offset(endian).into(), target);
            }
        }
    }
}
