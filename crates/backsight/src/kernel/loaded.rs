//! The modules that are loaded: `/proc/modules`.
//!
//! ```text
//!   veth 45056 0 - Live 0xffffffffc0201000
//!   name size users used-by state base taints
//! ```
//!
//! The base is the address of the module's code (its first executable section), and the size
//! that of all its memory. Since Linux 6.4, code and data are not next to each other, so a
//! module's code may end long before its base and size say.
//!
//! Source: `m_show` in `kernel/module/procfs.c`.

use std::collections::HashSet;

/// Many times the text of a kernel with all its modules.
pub(super) const MAX_TEXT_BYTES: u64 = 16 << 20;

/// `MODULE_NAME_LEN` is 56 or 64, with its NUL.
const MAX_NAME_BYTES: usize = 64;

/// A module that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) name: Box<str>,
    /// The absolute address of its first byte.
    pub(super) base: u64,
    /// The bytes of all its memory.
    pub(super) size: u64,
}

/// What the list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LoadedModules {
    /// Ascending by address.
    pub(super) all: Vec<Loaded>,
    /// Lines that are malformed, or name a module or its address a second time.
    pub(super) skipped_lines: u64,
    /// Modules whose address is zero, because the kernel hides it.
    pub(super) hidden: u64,
    /// Whether the list cannot be read.
    pub(super) is_missing: bool,
}

impl LoadedModules {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut found = Self::default();
        let mut names = HashSet::new();
        for line in text.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            match parse_line(line) {
                Some(module) if !names.insert(module.name.clone()) => found.skipped_lines += 1,
                Some(module) if module.base == 0 => found.hidden += 1,
                Some(module) => found.all.push(module),
                None => found.skipped_lines += 1,
            }
        }
        found.all.sort_by_key(|module| module.base);
        let listed = found.all.len();
        found.all.dedup_by_key(|module| module.base);
        let twice = listed.abs_diff(found.all.len());
        found.skipped_lines += u64::try_from(twice).unwrap_or(u64::MAX);
        found
    }

    /// Returns the module whose memory an address is in, and its index.
    pub(super) fn at(&self, addr: u64) -> Option<(usize, &Loaded)> {
        let behind = self.all.partition_point(|module| module.base <= addr);
        let index = behind.checked_sub(1)?;
        let module = self.all.get(index)?;
        (addr - module.base < module.size).then_some((index, module))
    }
}

fn parse_line(line: &[u8]) -> Option<Loaded> {
    let line = str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let name = words.next().filter(|name| is_name(name))?;
    let size: u64 = words.next()?.parse().ok()?;
    // Between them are its users, what uses it, and its state.
    let base = words.nth(3)?.strip_prefix("0x")?;
    let base = u64::from_str_radix(base, 16).ok()?;
    base.checked_add(size)?;
    let name = name.into();
    Some(Loaded { name, base, size })
}

/// Returns whether it can be the name of a module: it becomes part of paths.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::{Loaded, LoadedModules};

    fn loaded(name: &str, base: u64, size: u64) -> Loaded {
        Loaded {
            name: name.into(),
            base,
            size,
        }
    }

    #[test]
    fn lines_are_modules_by_address() {
        let text = "veth 45056 0 - Live 0xffffffffc0201000\n\
                    ext4 1000 2 jbd2,mbcache, Live 0xffffffffc0101000 (OE)\n";
        let found = LoadedModules::parse(text.as_bytes());
        let [ext4, veth] = [
            loaded("ext4", 0xffff_ffff_c010_1000, 1000),
            loaded("veth", 0xffff_ffff_c020_1000, 45056),
        ];
        assert_eq!(found.all, [ext4, veth]);
        assert_eq!((found.skipped_lines, found.hidden), (0, 0));
        let name_at = |addr| found.at(addr).map(|(_, module)| &*module.name);
        let cases = [
            (0xffff_ffff_c010_0fff, None),
            (0xffff_ffff_c010_1000, Some("ext4")),
            (0xffff_ffff_c010_13e7, Some("ext4")),
            (0xffff_ffff_c010_13e8, None),
            (0xffff_ffff_c020_bfff, Some("veth")),
            (0xffff_ffff_c020_c000, None),
            (u64::MAX, None),
        ];
        for (addr, want) in cases {
            assert_eq!(name_at(addr), want, "{addr:x}");
        }
    }

    #[test]
    fn hostile_lines_are_skipped_and_counted() {
        let long = format!("{} 1 0 - Live 0x1000", "x".repeat(64));
        let hostile = [
            "../../etc 1 0 - Live 0x1000",
            ".. 1 0 - Live 0x1000",
            "a/b 1 0 - Live 0x1000",
            "a 18446744073709551615 0 - Live 0x1000",
            "a -1 0 - Live 0x1000",
            "a 1 0 - Live 1000",
            "a 1 0 - Live 0xffffffffffffffff0",
            "a 1 0 - Live",
            "a",
            "a\x1b[2J 1 0 - Live 0x1000",
            &long,
        ];
        for line in hostile {
            let found = LoadedModules::parse(format!("{line}\n").as_bytes());
            assert_eq!((found.all.len(), found.skipped_lines), (0, 1), "{line}");
        }
        let found = LoadedModules::parse(b"a 1 0 - Live 0x1000\xff\n\xff 1 0 - Live 0x1000\n");
        assert_eq!((found.all.len(), found.skipped_lines), (0, 2));
    }

    #[test]
    fn one_name_and_one_address_are_one_module() {
        let text = b"a 16 0 - Live 0x1000\na 16 0 - Live 0x2000\nb 16 0 - Live 0x1000\n\
                     c 16 0 - Live 0x0000000000000000\n";
        let found = LoadedModules::parse(text);
        assert_eq!(found.all, [loaded("a", 0x1000, 16)]);
        assert_eq!((found.skipped_lines, found.hidden), (2, 1));
    }
}
