//! What a hostile or a broken file may cost, in one struct.

use crate::setters::setters;

/// Bounds on bytes, depth and work. The library does not look at the machine: the caller
/// sets the bounds on memory to suit it.
///
/// A limit affects only the answers that reach it: symbols are still used when the DWARF is
/// refused, and [`Frames::limit_reached`] or [`Reason::Limit`] says so.
/// [`Symbolizer::oversized`] lists files that were too large, and the bytes they need.
///
/// ```
/// use backsight_symbolize::Limits;
///
/// let limits = Limits::default().with_inline_depth(16).with_file_bytes(64 << 20);
/// ```
///
/// [`Frames::limit_reached`]: crate::Frames::limit_reached
/// [`Reason::Limit`]: backsight_types::Reason::Limit
/// [`Symbolizer::oversized`]: crate::Symbolizer::oversized
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a file that is read into memory because it cannot be mapped
    /// safely; and of all files together that go with one file's DWARF (`.dwo`).
    /// 1 GiB.
    pub file_bytes: u64,
    /// Bytes that all compressed sections of one file, and of those that go with its
    /// DWARF, may unpack to, judged by what they declare, before anything is
    /// allocated. 4 GiB. Also what a file that is packed as a whole (`x.ko.xz`) may
    /// unpack to.
    pub unpacked_bytes: u64,
    /// How many times their compressed size these sections may unpack to, when that is
    /// more than [`unpack_ratio_exempt_bytes`](Self::unpack_ratio_exempt_bytes). What
    /// compilers write is 2 to 5 times as large as its compressed form, zlib and zstd
    /// can go beyond 1,000. 16.
    pub unpack_ratio: u64,
    /// Bytes that they may unpack to at any ratio. 256 MiB.
    pub unpack_ratio_exempt_bytes: u64,
    /// Bytes that a MiniDebugInfo section, which does not declare it, may unpack
    /// to, or [`unpack_ratio`](Self::unpack_ratio) times its compressed size where that
    /// is more. 64 MiB.
    pub mini_debug_bytes: u64,
    /// Files (`.dwo`) that the units of one file may be split into. Each that is
    /// mapped is a mapping of ours, of which Linux allows 65,530 by default. 32,768.
    pub split_files: usize,
    /// Inlined frames at one address. Those nearest the physical function are
    /// kept. 128.
    pub inline_depth: u16,
    /// How many `DW_AT_abstract_origin` and `DW_AT_specification` links are
    /// followed to a name. 16.
    pub name_links: u16,
    /// Steps (a DIE, an attribute, a range) for each byte of DWARF. Real files
    /// need about one; a forged one repeats forms of no size. 32.
    pub steps_per_byte: u64,
    /// Units of one file. 2^20.
    pub units: usize,
    /// Line rows, or address ranges, that one unit may have. 2^24.
    pub rows_per_unit: usize,
    /// Bytes of one line program's header, which is where its file names stand.
    /// 2 MiB.
    pub line_header_bytes: u64,
    /// Units that are searched for one address when several claim it. 16.
    pub units_per_address: usize,
    /// Bytes of a name: longer symbols and paths are dropped, and no name is
    /// demangled from or to more than this. 64 KiB.
    pub name_bytes: usize,
}

impl Limits {
    setters! {
        with_file_bytes file_bytes: u64,
        with_unpacked_bytes unpacked_bytes: u64,
        with_unpack_ratio unpack_ratio: u64,
        with_unpack_ratio_exempt_bytes unpack_ratio_exempt_bytes: u64,
        with_mini_debug_bytes mini_debug_bytes: u64,
        with_split_files split_files: usize,
        with_inline_depth inline_depth: u16,
        with_name_links name_links: u16,
        with_steps_per_byte steps_per_byte: u64,
        with_units units: usize,
        with_rows_per_unit rows_per_unit: usize,
        with_line_header_bytes line_header_bytes: u64,
        with_units_per_address units_per_address: usize,
        with_name_bytes name_bytes: usize,
    }

    /// Returns how many bytes this many compressed ones may unpack to.
    pub(crate) fn unpacked_of(&self, packed: u64) -> u64 {
        let by_ratio = packed.saturating_mul(self.unpack_ratio);
        let allowed = by_ratio.max(self.unpack_ratio_exempt_bytes);
        allowed.min(self.unpacked_bytes)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1 << 30,
            unpacked_bytes: 4 << 30,
            unpack_ratio: 16,
            unpack_ratio_exempt_bytes: 256 << 20,
            mini_debug_bytes: 64 << 20,
            split_files: 1 << 15,
            inline_depth: 128,
            name_links: 16,
            steps_per_byte: 32,
            units: 1 << 20,
            rows_per_unit: 1 << 24,
            line_header_bytes: 2 << 20,
            units_per_address: 16,
            name_bytes: 64 << 10,
        }
    }
}
