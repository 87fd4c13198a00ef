//! Symbols that mark a place for the linker or a disassembler, and name no code.
//!
//! A symbol table that has no sizes lets a symbol reach to the next one. For the marks of an end
//! that is wrong: what is behind `_etext` is no part of a function of that name, but the padding
//! up to whatever comes next, or another section. And at an address that a function begins at,
//! a mark must not take its place: `__sched_text_start` is global, and the function there may be
//! local.
//!
//! | | behind an end | at a beginning that is a local function's, too |
//! |---|---|---|
//! | `perf`, kallsyms | the mark | the mark, if it is global: `choose_best_symbol` |
//! | `llvm-symbolizer` 14, ELF | the mark, in the same section | the mark |
//! | `addr2line` 2.40, ELF | the mark, in the same section | the function |
//! | here | nothing | the function |
//!
//! (The ELF rows were measured with labels in the middle and at the start of a `.text`; those of
//! perf follow from its `symbol.c`.)
//!
//! Sources: ld(1) and its default script (`etext`, `_end`, `__bss_start`), and the kernel's
//! `include/asm-generic/sections.h` and `vmlinux.lds.h`, in whose scripts each section of code has
//! a name `__*_text_start` and `__*_text_end`. Mapping symbols: "Mapping symbols" in AAELF32,
//! AAELF64 and the RISC-V psABI; `is_mapping_symbol` of the kernel.

/// Marks of the end of code, or of what has none, by their whole names.
const ENDS: [&[u8]; 15] = [
    b"etext",
    b"_etext",
    b"__etext",
    b"_einittext",
    b"_edata",
    b"__edata",
    b"_end",
    b"__end",
    b"__end__",
    b"__bss_start",
    b"__bss_start__",
    b"__bss_end__",
    b"_bss_end__",
    b"__init_end",
    b"__indirect_thunk_end",
];

/// Marks of the begin of code, by their whole names.
const BEGINS: [&[u8]; 7] = [
    b"_text",
    b"_stext",
    b"__pi__text",
    b"_sinittext",
    b"__init_begin",
    b"__executable_start",
    b"__indirect_thunk_start",
];

/// Returns whether a symbol without a size marks an end, and names nothing behind it.
#[must_use]
pub fn is_end_mark(name: &[u8]) -> bool {
    // `__entry_text_end` of the kernel, and not a function such as `bio_text_end`.
    let of_section = name.starts_with(b"__") && name.ends_with(b"text_end");
    of_section || ENDS.contains(&name)
}

/// Returns whether a symbol without a size marks the begin or the end of a section. A function
/// at the same address has the better name.
#[must_use]
pub fn is_section_mark(name: &[u8]) -> bool {
    let of_section = name.starts_with(b"__") && name.ends_with(b"text_start");
    of_section || BEGINS.contains(&name) || is_end_mark(name)
}

/// Returns whether it is a mapping symbol (`$x`, `$d.7`, `$xrv64gc`) or a label of the assembler
/// (`.L5`), in a list that has neither machine nor types. Other names begin with `$`, too:
/// Swift's do.
#[must_use]
pub fn is_local_mark(name: &[u8]) -> bool {
    if name.starts_with(b".L") {
        return true;
    }
    match name.strip_prefix(b"$") {
        Some([b'a' | b't' | b'd' | b'x']) => true,
        Some([b'a' | b't' | b'd' | b'x', b'.', ..]) => true,
        Some(rest) => rest.starts_with(b"xrv"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_end_mark, is_local_mark, is_section_mark};

    #[test]
    fn marks_are_told_from_functions() {
        let (end, begin, local, function) = (0, 1, 2, 3);
        let cases = [
            ("_etext", end),
            ("etext", end),
            ("_einittext", end),
            ("__entry_text_end", end),
            ("__exittext_end", end),
            ("_end", end),
            ("__bss_start", end),
            ("_stext", begin),
            ("__sched_text_start", begin),
            ("$x", local),
            ("$d.17", local),
            ("$xrv64i2p1", local),
            (".L12", local),
            ("", function),
            ("$s4main3fooyyF", function),
            ("$dart", function),
            ("end", function),
            ("__end_swap_bio_write", function),
            ("kvm_mmu_invalidate_end", function),
            ("bio_text_end", function),
            ("text_end", function),
            ("__delayacct_swapin_start", function),
            ("entry_SYSRETQ_end", function),
        ];
        for (name, kind) in cases {
            let name_bytes = name.as_bytes();
            assert_eq!(is_end_mark(name_bytes), kind == end, "{name}");
            assert_eq!(is_section_mark(name_bytes), kind <= begin, "{name}");
            assert_eq!(is_local_mark(name_bytes), kind == local, "{name}");
        }
    }
}
