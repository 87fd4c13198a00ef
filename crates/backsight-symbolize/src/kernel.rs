//! The names of a running kernel: its own list of symbols.
//!
//! ```text
//!   ffffffff81000000 T _text
//!   ffffffffc0201000 t veth_xmit<TAB>[veth]
//! ```
//!
//! The addresses are those of one boot: the kernel's image and its modules lie elsewhere
//! after the next. The caller makes sure that its addresses are of the same boot.
//!
//! Source: `kernel/kallsyms.c`. Of several names for one address the one is taken that
//! `tools/perf/util/symbol.c` takes, as far as the list has what that looks at.

use std::io::{self, BufRead, Read};

use backsight_index::{Frame, Frames};
use backsight_types::{AbsAddr, VirtOffset};

use crate::source::{Detail, SymbolSource};

/// More symbols than a kernel with all its modules has.
const MAX_SYMBOLS: usize = 1 << 23;

/// The longest line: `KSYM_NAME_LEN` is 512.
const MAX_LINE: u64 = 4096;

/// Bytes of a demangled name at most.
const LONGEST_NAME: usize = 64 << 10;

/// All symbols of a kernel, by address.
#[derive(Debug, Default)]
pub struct Kallsyms {
    symbols: Vec<Symbol>,
    names: String,
    /// Kept apart: another name may be shown for the same address.
    text: Option<u64>,
}

/// What stands at an address of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelSymbol<'k> {
    /// The function's name.
    pub name: &'k str,
    /// The module that it is of; `None` in the image.
    pub module: Option<&'k str>,
    /// Where it begins.
    pub start: AbsAddr,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    addr: u64,
    /// In `names`: its own name, and behind it the name of its module.
    start: u32,
    len: u16,
    module_len: u16,
    kind: u8,
}

impl SymbolSource for Kallsyms {
    fn detail(&self) -> Detail {
        Detail::Names
    }

    /// The virtual offset is the absolute address.
    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let symbol = self.at(AbsAddr(place.0))?;
        let shown = backsight_demangle::demangle(symbol.name, LONGEST_NAME);
        let mut frame = Frame::named(shown.as_deref().unwrap_or(symbol.name));
        frame.linkage_name = Some(symbol.name.into());
        frame.start = Some(VirtOffset(symbol.start.0));
        Frames::of(vec![frame])
    }
}

impl Kallsyms {
    /// Reads the list as the kernel prints it. Malformed lines are skipped. Without the
    /// privilege to see addresses, all are zero, and the list is empty.
    ///
    /// # Errors
    /// Those of the input.
    pub fn read(mut input: impl BufRead) -> io::Result<Self> {
        let mut kernel = Self::default();
        let mut line = Vec::new();
        while kernel.symbols.len() < MAX_SYMBOLS {
            line.clear();
            let mut part = input.by_ref().take(MAX_LINE);
            if part.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if let Ok(line) = str::from_utf8(&line) {
                kernel.add(line);
            }
        }
        let Self { symbols, names, .. } = &mut kernel;
        symbols.sort_by(|a, b| {
            a.addr
                .cmp(&b.addr)
                .then_with(|| rank(a, names).cmp(&rank(b, names)))
        });
        symbols.dedup_by_key(|symbol| symbol.addr);
        Ok(kernel)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_ascii_whitespace();
        let addr = u64::from_str_radix(words.next()?, 16).ok()?;
        let kind = *words.next()?.as_bytes().first()?;
        let name = words.next()?;
        let module = words.next().unwrap_or_default();
        let module = module.trim_start_matches('[').trim_end_matches(']');
        if addr == 0 {
            return None;
        }
        if name == "_text" {
            self.text = Some(addr);
        }
        self.symbols.push(Symbol {
            addr,
            start: u32::try_from(self.names.len()).ok()?,
            len: u16::try_from(name.len()).ok()?,
            module_len: u16::try_from(module.len()).ok()?,
            kind,
        });
        self.names.push_str(name);
        self.names.push_str(module);
        Some(())
    }

    /// Returns the function that covers `addr`: the last one that begins there or below,
    /// since the list has no sizes. `None` below the first, and in data.
    #[must_use]
    pub fn at(&self, addr: AbsAddr) -> Option<KernelSymbol<'_>> {
        let behind = self.symbols.partition_point(|symbol| symbol.addr <= addr.0);
        let symbol = self.symbols.get(behind.checked_sub(1)?)?;
        if !matches!(symbol.kind, b't' | b'T' | b'w' | b'W') {
            return None;
        }
        let (name, module) = texts(symbol, &self.names)?;
        Some(KernelSymbol {
            name,
            module: Some(module).filter(|module| !module.is_empty()),
            start: AbsAddr(symbol.addr),
        })
    }

    /// Returns the address where the image's code begins, `_text`. With KASLR it differs from
    /// boot to boot.
    #[must_use]
    pub fn text(&self) -> Option<AbsAddr> {
        self.text.map(AbsAddr)
    }

    /// Returns how many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Returns whether there is no symbol, as when addresses are hidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }
}

fn texts<'n>(symbol: &Symbol, names: &'n str) -> Option<(&'n str, &'n str)> {
    let start = usize::try_from(symbol.start).ok()?;
    let middle = start.checked_add(usize::from(symbol.len))?;
    let end = middle.checked_add(usize::from(symbol.module_len))?;
    names.get(start..middle).zip(names.get(middle..end))
}

/// Orders the names of one address, the best first: code, not weak, global, with few
/// underscores, long.
fn rank(symbol: &Symbol, names: &str) -> (bool, bool, bool, usize, std::cmp::Reverse<usize>) {
    let name = texts(symbol, names).map_or("", |(name, _)| name);
    let underscores = name
        .len()
        .saturating_sub(name.trim_start_matches('_').len());
    let is_code = matches!(symbol.kind, b't' | b'T' | b'w' | b'W');
    (
        !is_code,
        matches!(symbol.kind, b'w' | b'W'),
        symbol.kind.is_ascii_lowercase(),
        underscores,
        std::cmp::Reverse(name.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::{AbsAddr, Kallsyms, KernelSymbol};

    const LIST: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000000 t a_local_one
ffffffff81000100 W weak
ffffffff81000100 T __strong
ffffffff81000200 t next
ffffffff81000300 D data
not a line
ffffffff81000400
ffffffffc0201000 t veth_xmit\t[veth]
";

    #[test]
    fn an_address_is_in_the_function_that_began_last() {
        let kernel = Kallsyms::read(LIST.as_bytes()).unwrap();
        let at = |addr| {
            kernel
                .at(AbsAddr(addr))
                .map(|found| (found.name, found.module))
        };
        let cases = [
            ("below all", 0xffff_ffff_80ff_ffff, None),
            (
                "the longest of the global ones",
                0xffff_ffff_8100_0000,
                Some(("_stext", None)),
            ),
            (
                "not the weak one",
                0xffff_ffff_8100_01ff,
                Some(("__strong", None)),
            ),
            ("the last byte", 0xffff_ffff_8100_02ff, Some(("next", None))),
            ("in data", 0xffff_ffff_8100_0300, None),
            (
                "of a module",
                0xffff_ffff_c020_1001,
                Some(("veth_xmit", Some("veth"))),
            ),
        ];
        for (name, addr, want) in cases {
            assert_eq!(at(addr), want, "{name}");
        }
        assert_eq!(kernel.text(), Some(AbsAddr(0xffff_ffff_8100_0000)));
        let start = AbsAddr(0xffff_ffff_8100_0200);
        let (name, module) = ("next", None);
        let found = KernelSymbol {
            name,
            module,
            start,
        };
        assert_eq!(kernel.at(AbsAddr(0xffff_ffff_8100_0210)), Some(found));
    }

    #[test]
    fn hidden_addresses_are_no_symbols() {
        let hidden = LIST
            .replace("ffffffff", "00000000")
            .replace("c0201000", "00000000");
        let hidden: String = hidden
            .lines()
            .map(|line| format!("0000000000000000{}\n", line.get(16..).unwrap_or_default()))
            .collect();
        let kernel = Kallsyms::read(hidden.as_bytes()).unwrap();
        assert!(kernel.is_empty());
        assert_eq!(
            (kernel.len(), kernel.at(AbsAddr(1)), kernel.text()),
            (0, None, None)
        );
    }
}
