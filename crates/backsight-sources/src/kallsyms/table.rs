//! The symbols of a running kernel, by address.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::ops::{ControlFlow, Range};

use backsight_types::AbsAddr;

use super::error::KallsymsError;
use super::line::Line;
use super::lines;
use super::packed_symbol::PackedSymbol;
use crate::linker_marks::is_local_mark;

/// The maximum number of symbols: several times those of a kernel with all its modules.
const MAX_SYMBOLS: usize = 1 << 22;

/// The maximum size of all names in bytes. A name has about 25 bytes.
const MAX_NAME_BYTES: usize = 256 << 20;

/// The functions of a running kernel, by address.
///
/// ```
/// use backsight_sources::kallsyms::Kallsyms;
/// use backsight_types::AbsAddr;
///
/// let list = "ffffffff81000000 T _text\nffffffffc0201000 t veth_xmit\t[veth]\n";
/// let kernel = Kallsyms::read(list.as_bytes())?;
/// let found = kernel.at(AbsAddr(0xffff_ffff_c020_1010)).unwrap();
/// assert_eq!((found.name, found.module), ("veth_xmit", Some("veth")));
/// # Ok::<(), backsight_sources::kallsyms::KallsymsError>(())
/// ```
#[derive(Debug, Default)]
pub struct Kallsyms {
    /// Ascending, one for each address. Of consecutive data symbols, only the first is
    /// kept.
    symbols: Vec<PackedSymbol>,
    names: String,
    modules: Vec<Box<str>>,
    /// Stored separately, as the same address may have another preferred name.
    marks: Marks,
    skipped_lines: u64,
    is_cut: bool,
}

/// The addresses of the symbols that delimit the image.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    text: Option<u64>,
    stext: Option<u64>,
    etext: Option<u64>,
    end: Option<u64>,
}

/// A function of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelSymbol<'k> {
    /// The function's name.
    pub name: &'k str,
    /// The name in brackets: that of its kernel module, `bpf` for a BPF program, or a
    /// name such as `__builtin__ftrace` for a trampoline. `None` for the image.
    pub module: Option<&'k str>,
    /// The start of the function.
    pub start: AbsAddr,
}

/// The origin of kernel code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelCode {
    /// Its image, `vmlinux`.
    Image,
    /// The file of a kernel module.
    Module,
    /// A BPF program or trampoline, which is in no file.
    Bpf,
    /// A trampoline or a copied instruction of ftrace or kprobes, which is in no file.
    Trampoline,
}

impl KernelSymbol<'_> {
    /// Returns the origin of the code.
    #[must_use]
    pub fn code(&self) -> KernelCode {
        match self.module {
            None => KernelCode::Image,
            Some("bpf") => KernelCode::Bpf,
            Some(module) if module.starts_with("__builtin__") => KernelCode::Trampoline,
            Some(_) => KernelCode::Module,
        }
    }
}

impl Kallsyms {
    /// Reads the list as the kernel prints it. Malformed lines are skipped, and
    /// [counted](Self::skipped_lines).
    ///
    /// # Errors
    /// [`KallsymsError::Hidden`] if all addresses are zero, [`KallsymsError::NoSymbols`] for
    /// another text, and those of the input.
    pub fn read(input: impl BufRead) -> Result<Self, KallsymsError> {
        let mut kernel = Self::default();
        let mut indexes = HashMap::new();
        let mut are_hidden = false;
        let skipped = lines::each_symbol(input, |line| {
            if line.addr == 0 {
                are_hidden = true;
                return ControlFlow::Continue(());
            }
            if is_local_mark(line.name.as_bytes()) {
                return ControlFlow::Continue(());
            }
            let has_room =
                kernel.symbols.len() < MAX_SYMBOLS && kernel.names.len() < MAX_NAME_BYTES;
            if !has_room || kernel.add(&line, &mut indexes).is_none() {
                kernel.is_cut = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        kernel.skipped_lines = skipped;
        if kernel.symbols.is_empty() {
            return Err(match are_hidden {
                true => KallsymsError::Hidden,
                false => KallsymsError::NoSymbols,
            });
        }
        kernel.sort();
        Ok(kernel)
    }

    /// Returns whether the list has addresses, according to its first lines. The kernel
    /// prints zeros to processes that may not see them: see `kernel.kptr_restrict`.
    ///
    /// # Errors
    /// Those of the input.
    pub fn shows_addresses(input: impl BufRead) -> io::Result<bool> {
        lines::shows_addresses(input)
    }

    fn add(&mut self, line: &Line<'_>, indexes: &mut HashMap<Box<str>, u16>) -> Option<()> {
        let module = match line.module {
            None => {
                self.marks.note(line);
                0
            }
            // The symbols of a module are consecutive.
            Some(name) if self.modules.last().is_some_and(|last| **last == *name) => {
                u16::try_from(self.modules.len()).ok()?
            }
            Some(name) => match indexes.get(name) {
                Some(index) => *index,
                None => {
                    self.modules.push(name.into());
                    let index = u16::try_from(self.modules.len()).ok()?;
                    indexes.insert(name.into(), index);
                    index
                }
            },
        };
        let symbol = PackedSymbol::new(line, module, &mut self.names)?;
        self.symbols.push(symbol);
        Some(())
    }

    fn sort(&mut self) {
        let Self { symbols, names, .. } = self;
        // A stable sort, which is fast because the kernel prints its image in order.
        symbols.sort_by(|a, b| {
            let by_addr = a.addr.cmp(&b.addr);
            by_addr.then_with(|| a.rank(names).cmp(&b.rank(names)))
        });
        symbols.dedup_by_key(|symbol| symbol.addr);
        symbols.dedup_by(|next, kept| !next.is_code() && !kept.is_code());
        symbols.shrink_to_fit();
        names.shrink_to_fit();
    }

    /// Returns the function that covers `addr`: the last one that starts at or below it,
    /// since the list has no sizes. `None` below the first one, and in data.
    #[must_use]
    pub fn at(&self, addr: AbsAddr) -> Option<KernelSymbol<'_>> {
        let behind = self.symbols.partition_point(|symbol| symbol.addr <= addr.0);
        let symbol = self.symbols.get(behind.checked_sub(1)?)?;
        symbol.is_code().then(|| self.shown(symbol))
    }

    /// Returns all functions, by address.
    pub fn functions(&self) -> impl Iterator<Item = KernelSymbol<'_>> {
        let code = self.symbols.iter().filter(|symbol| symbol.is_code());
        code.map(|symbol| self.shown(symbol))
    }

    fn shown(&self, symbol: &PackedSymbol) -> KernelSymbol<'_> {
        let module = usize::from(symbol.module).checked_sub(1);
        let module = module.and_then(|index| self.modules.get(index));
        KernelSymbol {
            name: symbol.name(&self.names),
            module: module.map(|name| &**name),
            start: AbsAddr(symbol.addr),
        }
    }

    /// Returns the start of the image, `_text`. With KASLR it differs from boot to boot.
    #[must_use]
    pub fn text(&self) -> Option<AbsAddr> {
        self.marks.text.map(AbsAddr)
    }

    /// Returns the addresses of the image, from `_text` to `_end`. Without these symbols, as in a
    /// kernel without `CONFIG_KALLSYMS_ALL`, of its code: from `_stext` to `_etext`.
    #[must_use]
    pub fn image(&self) -> Option<Range<AbsAddr>> {
        let Marks {
            text,
            stext,
            etext,
            end,
        } = self.marks;
        let range = AbsAddr(text.or(stext)?)..AbsAddr(end.or(etext)?);
        (range.start < range.end).then_some(range)
    }

    /// Returns the addresses of the image's code, from `_stext` to `_etext`.
    #[must_use]
    pub fn code(&self) -> Option<Range<AbsAddr>> {
        let range = AbsAddr(self.marks.stext.or(self.marks.text)?)..AbsAddr(self.marks.etext?);
        (range.start < range.end).then_some(range)
    }

    /// Returns how many lines were not symbols, and were skipped.
    #[must_use]
    pub fn skipped_lines(&self) -> u64 {
        self.skipped_lines
    }

    /// Returns whether the list exceeded a limit, so that the rest was not read.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns the memory of the symbols in bytes.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        let symbols = self.symbols.capacity();
        let symbols = symbols.saturating_mul(size_of::<PackedSymbol>());
        let modules = self.modules.iter().map(|name| name.len());
        let modules = modules.fold(0, |sum: usize, len| sum.saturating_add(len));
        symbols
            .saturating_add(self.names.capacity())
            .saturating_add(modules)
    }
}

impl Marks {
    fn note(&mut self, line: &Line<'_>) {
        let mark = match line.name {
            "_text" => &mut self.text,
            "_stext" => &mut self.stext,
            "_etext" => &mut self.etext,
            "_end" => &mut self.end,
            _ => return,
        };
        *mark = Some(line.addr);
    }
}

#[cfg(test)]
mod tests {
    use super::{AbsAddr, Kallsyms, KallsymsError, KernelCode, KernelSymbol};

    const LIST: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000000 t a_local_one
ffffffff81000100 W weak
ffffffff81000100 T __strong
ffffffff81000200 t next
ffffffff81000280 T _etext
ffffffff81000300 D data
ffffffff81000310 D more_data
not a line
ffffffff81000400
ffffffff81000480 t behind_data
ffffffff81000500 B _end
ffffffffc0201000 t veth_xmit\t[veth]
ffffffffc0200000 t bpf_prog_6deef7357e7b4530_count\t[bpf]
ffffffffc0202000 t ftrace_trampoline\t[__builtin__ftrace]
ffffffffc0203000 t cut";

    #[test]
    fn an_address_is_in_the_function_that_began_last() {
        let kernel = Kallsyms::read(LIST.as_bytes()).unwrap();
        let at = |addr| {
            let found = kernel.at(AbsAddr(addr))?;
            Some((found.name, found.code()))
        };
        let image = |name| Some((name, KernelCode::Image));
        let cases = [
            ("below all", 0xffff_ffff_80ff_ffff, None),
            (
                "not the marks of sections",
                0xffff_ffff_8100_0000,
                image("a_local_one"),
            ),
            ("not the weak one", 0xffff_ffff_8100_01ff, image("__strong")),
            ("the last byte", 0xffff_ffff_8100_027f, image("next")),
            ("behind the code", 0xffff_ffff_8100_0280, None),
            ("at the last byte behind it", 0xffff_ffff_8100_02ff, None),
            ("in data", 0xffff_ffff_8100_0300, None),
            ("in more data", 0xffff_ffff_8100_0400, None),
            (
                "code behind data",
                0xffff_ffff_8100_0480,
                image("behind_data"),
            ),
            (
                "a BPF program",
                0xffff_ffff_c020_0001,
                Some(("bpf_prog_6deef7357e7b4530_count", KernelCode::Bpf)),
            ),
            (
                "of a module",
                0xffff_ffff_c020_1001,
                Some(("veth_xmit", KernelCode::Module)),
            ),
            (
                "a trampoline, and not what was cut off",
                0xffff_ffff_c020_3000,
                Some(("ftrace_trampoline", KernelCode::Trampoline)),
            ),
        ];
        for (name, addr, want) in cases {
            assert_eq!(at(addr), want, "{name}");
        }
        let [text, etext, end] = [0, 0x280, 0x500].map(|at| AbsAddr(0xffff_ffff_8100_0000 + at));
        assert_eq!(kernel.text(), Some(text));
        assert_eq!(kernel.code(), Some(text..etext));
        assert_eq!(kernel.image(), Some(text..end));
        assert_eq!((kernel.skipped_lines(), kernel.is_cut()), (3, false));
        let start = AbsAddr(0xffff_ffff_c020_1000);
        let (name, module) = ("veth_xmit", Some("veth"));
        let found = KernelSymbol {
            name,
            module,
            start,
        };
        assert_eq!(kernel.at(AbsAddr(0xffff_ffff_c020_1010)), Some(found));
        assert_eq!(kernel.functions().count(), 7);
    }

    #[test]
    fn hidden_addresses_are_said_with_the_way_out() {
        let hidden = "0000000000000000 T _text\n0000000000000000 t next\n";
        let error = Kallsyms::read(hidden.as_bytes()).unwrap_err();
        assert!(matches!(error, KallsymsError::Hidden), "{error:?}");
        assert!(error.to_string().contains("CAP_SYSLOG"), "{error}");
        for other in ["", "\n\n", "a text\nof something else\n"] {
            let error = Kallsyms::read(other.as_bytes()).unwrap_err();
            assert!(matches!(error, KallsymsError::NoSymbols), "{error:?}");
        }
    }

    #[test]
    fn a_module_that_is_in_two_places_of_the_list_is_one() {
        let list = "10 t a\t[one]\n20 t b\t[two]\n30 t c\t[one]\n40 t d\t[two]\n50 t e\n";
        let kernel = Kallsyms::read(list.as_bytes()).unwrap();
        let modules: Vec<_> = kernel.functions().map(|found| found.module).collect();
        let [one, two] = [Some("one"), Some("two")];
        assert_eq!(modules, [one, two, one, two, None]);
        assert_eq!(kernel.modules.len(), 2);
    }

    #[test]
    fn more_modules_than_fit_cut_the_list() {
        let line = |at: u32| format!("{:x} t f\t[m{at}]\n", at + 1);
        let list: String = (0..70_000).map(line).collect();
        let kernel = Kallsyms::read(list.as_bytes()).unwrap();
        assert!(kernel.is_cut());
        assert_eq!(kernel.functions().count(), usize::from(u16::MAX));
    }

    /// Names are longer than in Linux 6.18, where they have 24.6 bytes.
    #[test]
    fn a_large_kernel_takes_8_mb() {
        let line = |at: u32| {
            format!(
                "{:016x} t {at:029}\n",
                0xffff_ffff_8100_0000 + u64::from(at)
            )
        };
        let list: String = (0..150_000).map(line).collect();
        let kernel = Kallsyms::read(list.as_bytes()).unwrap();
        assert_eq!(kernel.functions().count(), 150_000);
        assert!(kernel.byte_count() <= 8_000_000, "{}", kernel.byte_count());
    }
}
