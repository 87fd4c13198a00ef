//! The symbol tables of a module's files, looked up as one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use backsight_index::engine::{Name, TableSymbols, bytes_of, wide};

use crate::damage_reporter::DamageReporter;
use crate::dwarf::Fault;
use crate::elf::{ElfFile, ElfSymbol, SymbolSet, SymbolTable, TableKind, mini_debug_info};
use crate::naming::symbol_of;
use crate::options::Options;
use crate::shortfall::ShortfallKind;
use crate::unpack::UnpackError;

/// The tables that may name an address: `.symtab` of the debug file, of the module and
/// of its MiniDebugInfo, `.dynsym`, and stubs. What they say together, `elf::Symbols` says.
#[derive(Debug)]
pub(crate) struct SymbolTables {
    /// The module's own file.
    own: Option<Arc<ElfFile>>,
    debug: Option<Arc<ElfFile>>,
    reporter: DamageReporter,
    /// The file that is packed inside the module's own, if there is one.
    mini: OnceLock<Result<Option<Arc<ElfFile>>, Fault>>,
    lookups: AtomicUsize,
    content: OnceLock<LoadedSymbols>,
}

/// Lookups that scan the tables before they are sorted. Sorting the kernel's costs as much
/// as forty scans.
const UNSORTED_LOOKUPS: usize = 32;

/// An estimate of the bytes of a demangled name: the mean of a C++ library.
const MEAN_NAME_BYTES: usize = 64;

#[derive(Debug)]
struct LoadedSymbols {
    symbols: SymbolSet,
    /// Of each symbol, once it was asked for. Few are: a box takes a third of a name.
    names: Vec<OnceLock<Box<Name>>>,
}

impl SymbolTables {
    pub(crate) fn new(
        own: Option<&Arc<ElfFile>>,
        debug: Option<&Arc<ElfFile>>,
        reporter: DamageReporter,
    ) -> Self {
        Self {
            reporter,
            own: own.map(Arc::clone),
            debug: debug.map(Arc::clone),
            mini: OnceLock::new(),
            lookups: AtomicUsize::new(0),
            content: OnceLock::new(),
        }
    }

    /// Returns the name and the start of the symbol that covers `addr`.
    ///
    /// [`Fault::Limit`] says that none does as far as is known, and that a limit kept
    /// a table from being read.
    pub(crate) fn find(&self, addr: u64, options: &Options) -> Result<Option<(Name, u64)>, Fault> {
        self.look_up(addr, options, |symbols| symbols.find(addr))
    }

    /// Returns the name that symbols give to a function without a linkage name, from its
    /// entry, and from its plain name if it has one. Faults are those of [`Self::find`].
    pub(crate) fn name_of(
        &self,
        entry: u64,
        plain: Option<&str>,
        options: &Options,
    ) -> Result<Option<Name>, Fault> {
        let plain = plain.map(str::as_bytes);
        let found = self.look_up(entry, options, |symbols| symbol_of(symbols, entry, plain))?;
        Ok(found.map(|(name, _)| name))
    }

    fn look_up(
        &self,
        addr: u64,
        options: &Options,
        find: impl Fn(&SymbolSet) -> Option<ElfSymbol<'_>>,
    ) -> Result<Option<(Name, u64)>, Fault> {
        let early = self.content.get().is_none();
        let found = if early && self.lookups.fetch_add(1, Ordering::Relaxed) < UNSORTED_LOOKUPS {
            self.read(Some(addr), options).name(find, options)
        } else {
            self.content(options).name(find, options)
        };
        match self.is_limited(options) && found.is_none() {
            true => Err(Fault::Limit),
            false => Ok(found),
        }
    }

    /// Calls `found` for each table with the file it stands in.
    pub(crate) fn for_each_table(
        &self,
        options: &Options,
        mut found: impl FnMut(&ElfFile, TableKind),
    ) {
        for (file, kind) in self.tables(options) {
            found(&file, kind);
        }
    }

    /// Returns the bytes of memory that they take.
    pub(crate) fn kept_bytes(&self) -> u64 {
        // Any other file is kept, and counted, by the module.
        let mini = match self.mini.get() {
            Some(Ok(Some(file))) => file.read_bytes(),
            _ => 0,
        };
        let content = self.content.get().map_or(0, LoadedSymbols::bytes);
        mini.saturating_add(wide(content))
    }

    /// Returns the symbols of all tables.
    pub(crate) fn read_all(&self, options: &Options) -> TableSymbols<'_> {
        TableSymbols {
            symbols: &self.content(options).symbols,
            limited: self.is_limited(options),
        }
    }

    /// The order matters to nothing but equal names, and to [`Self::for_each_table`].
    fn tables(&self, options: &Options) -> Vec<SymbolTable> {
        let full = [self.debug.as_ref(), self.own.as_ref()];
        let full = full.into_iter().flatten().map(Arc::clone);
        let full = full.chain(self.mini(options).ok().flatten());
        let others = [TableKind::Dynamic, TableKind::Stubs];
        let own = self.own.iter();
        let others = own.flat_map(|own| others.map(|kind| (Arc::clone(own), kind)));
        let full = full.map(|file| (file, TableKind::Full));
        full.chain(others).collect()
    }

    /// Whether a limit kept a table from being read.
    fn is_limited(&self, options: &Options) -> bool {
        self.mini(options).err() == Some(Fault::Limit)
    }

    fn mini(&self, options: &Options) -> Result<Option<Arc<ElfFile>>, Fault> {
        let unpack = || {
            let own = self.own.as_deref();
            let unpacked = own.and_then(|own| mini_debug_info(own, &options.limits));
            let is_damaged = match &unpacked {
                Some(Ok(file)) => file.is_cut_off() || !file.faults_of_tables().is_empty(),
                Some(Err(fault)) => *fault == UnpackError::Malformed,
                None => false,
            };
            if is_damaged {
                self.reporter.report(ShortfallKind::DamagedSymbols);
            }
            if let Some(Err(UnpackError::NotBuilt(packer))) = unpacked {
                self.reporter.report(ShortfallKind::NotBuilt(packer));
                return Ok(None);
            }
            match unpacked {
                Some(Ok(file)) => Ok(Some(Arc::new(file))),
                Some(Err(UnpackError::Limit)) => Err(Fault::Limit),
                Some(Err(UnpackError::Malformed | UnpackError::NotBuilt(_))) => {
                    Err(Fault::Malformed)
                }
                None => Ok(None),
            }
        };
        self.mini.get_or_init(unpack).clone()
    }

    fn content(&self, options: &Options) -> &LoadedSymbols {
        self.content.get_or_init(|| self.read(None, options))
    }

    /// With `only`, what is read suffices for this address.
    fn read(&self, only: Option<u64>, options: &Options) -> LoadedSymbols {
        let tables = self.tables(options);
        let symbols = SymbolSet::read(&tables, options.limits.name_bytes, only);
        let mut names = Vec::new();
        names.resize_with(symbols.len(), OnceLock::new);
        LoadedSymbols { symbols, names }
    }
}

impl LoadedSymbols {
    fn bytes(&self) -> usize {
        // Names are counted as if all were made, each of a common length.
        let names = self.names.len().saturating_mul(MEAN_NAME_BYTES);
        let cells = bytes_of(&self.names).saturating_add(names);
        cells.saturating_add(self.symbols.bytes())
    }

    fn name(
        &self,
        find: impl Fn(&SymbolSet) -> Option<ElfSymbol<'_>>,
        options: &Options,
    ) -> Option<(Name, u64)> {
        let symbol = find(&self.symbols)?;
        let name = self.names.get(symbol.at)?;
        let of_linkage = || Box::new(Name::of_linkage(symbol.name, options.spelling()));
        Some(((**name.get_or_init(of_linkage)).clone(), symbol.start))
    }
}
