//! MiniDebugInfo: the symbols of a stripped file, packed into it.
//!
//! Fedora and its kin strip their files and leave, in `.gnu_debugdata`, an ELF file
//! packed by xz that has the `.symtab` of the functions that `.dynsym` lacks. Its
//! sections have the addresses of the file around it, and no bytes.

use backsight_files::Image;
use backsight_index::engine::wide;

use super::file::ElfFile;
use crate::limits::Limits;
use crate::unpack::UnpackError;
use crate::xz;

/// Returns the file inside `file`, or `None` when there is none. It unpacks to
/// as much as the limits allow.
pub(crate) fn mini_debug_info(
    file: &ElfFile,
    limits: &Limits,
) -> Option<Result<ElfFile, UnpackError>> {
    let packed = file.section(".gnu_debugdata")?.raw(file.image())?;
    let by_ratio = wide(packed.len()).saturating_mul(limits.unpack_ratio);
    let allowance = by_ratio
        .min(limits.unpacked_bytes)
        .max(limits.mini_debug_bytes);
    let unpacked = xz::unpack(packed, allowance).and_then(|bytes| {
        let image = Image::from(bytes);
        let mut inside = ElfFile::parse(image).map_err(|_| UnpackError::Malformed)?;
        inside.take_descriptors(file);
        Ok(inside)
    });
    Some(unpacked)
}
