//! Which code covers an address.

use backsight_symbolize::{Kallsyms, KernelCode, KernelSymbol};
use backsight_types::{AbsAddr, ModuleIdx};

use super::module_table::ModuleTable;

/// A BPF program has a million instructions at most, each of which becomes a few bytes.
const MAX_BPF_BYTES: u64 = 16 << 20;

/// The last function of the image in a list without `_end`, or in one that was cut off: behind
/// `_etext` is what runs while the kernel starts.
const MAX_LAST_FUNCTION_BYTES: u64 = 64 << 10;

/// The image, a kernel module, or a kind of code without a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area<'k> {
    pub(super) module: ModuleIdx,
    /// Where offsets count from.
    pub(super) start: AbsAddr,
    /// The function, if the list of symbols has one.
    pub(super) symbol: Option<KernelSymbol<'k>>,
}

impl<'k> Area<'k> {
    /// Returns what covers an address. In the image, data and what is behind the mark of an end
    /// (`_etext`, `__init_end`) have a place there, and no function.
    ///
    /// The list of symbols has no sizes, so its last function before a hole seems to extend to
    /// the other end. It counts only within what it is part of: the image, the memory of its
    /// module.
    pub(super) fn of(
        addr: AbsAddr,
        text: Option<AbsAddr>,
        symbols: &'k Kallsyms,
        modules: &ModuleTable,
    ) -> Option<Self> {
        let symbol = symbols.at(addr);
        let named = symbol.and_then(|symbol| Self::of_symbol(addr, symbol, text, symbols, modules));
        let loaded = modules.at(addr).map(|(module, start)| Self {
            module,
            start,
            symbol: None,
        });
        match (named, loaded) {
            // The function begins before the module does, whose own are not listed.
            (
                Some(Self {
                    symbol: Some(symbol),
                    ..
                }),
                Some(loaded),
            ) if symbol.start < loaded.start => Some(loaded),
            (named, loaded) => named
                .or(loaded)
                .or_else(|| Self::of_image(addr, text?, symbols)),
        }
    }

    /// Returns the function of an address that has no place: in the image whose start is not
    /// known, or in a module where modules are not listed.
    ///
    /// Neither tells where the last function before a hole ends.
    pub(super) fn name_alone(
        addr: AbsAddr,
        text: Option<AbsAddr>,
        symbols: &'k Kallsyms,
        modules: &ModuleTable,
    ) -> Option<KernelSymbol<'k>> {
        let symbol = symbols.at(addr)?;
        let has_no_place = match symbol.code() {
            KernelCode::Image => text.is_none(),
            KernelCode::Module => modules.are_unlisted(),
            _ => false,
        };
        let into = addr.distance_from(symbol.start)?;
        (has_no_place && into < MAX_LAST_FUNCTION_BYTES).then_some(symbol)
    }

    fn of_image(addr: AbsAddr, start: AbsAddr, symbols: &Kallsyms) -> Option<Self> {
        let image = symbols.image()?;
        (start..image.end).contains(&addr).then_some(Self {
            module: ModuleIdx(0),
            start,
            symbol: None,
        })
    }

    fn of_symbol(
        addr: AbsAddr,
        symbol: KernelSymbol<'k>,
        text: Option<AbsAddr>,
        symbols: &Kallsyms,
        modules: &ModuleTable,
    ) -> Option<Self> {
        let into = addr.distance_from(symbol.start)?;
        let (module, start) = match symbol.code() {
            KernelCode::Image => {
                let end = symbols.image().map(|image| image.end);
                let is_inside = end.is_some_and(|end| addr < end);
                let start = text.filter(|start| *start <= addr)?;
                (is_inside || into < MAX_LAST_FUNCTION_BYTES).then_some((ModuleIdx(0), start))?
            }
            KernelCode::Module => {
                let found = modules.at(addr);
                found.filter(|(module, _)| modules.name_of(*module) == symbol.module)?
            }
            KernelCode::Bpf | KernelCode::Trampoline if into < MAX_BPF_BYTES => {
                (modules.without_file(symbol.module?)?, AbsAddr(0))
            }
            _ => return None,
        };
        Some(Self {
            module,
            start,
            symbol: Some(symbol),
        })
    }
}
