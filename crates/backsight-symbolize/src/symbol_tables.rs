//! The symbol tables of a module's files, in the order in which they are asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::Options;
use crate::dwarf::Fault;
use crate::elf::{ElfFile, Symbols, TableKind, UnpackError, mini_debug_info};
use crate::flat::SymbolSources;
use crate::name::Name;
use crate::tally::{bytes_of, wide};

/// The tables that may name an address, the best first: `.symtab` of the debug file,
/// of the module and of its MiniDebugInfo, then `.dynsym`. Each is read when those
/// before it had no answer.
#[derive(Debug)]
pub(crate) struct SymbolTables(Vec<Table>);

/// Lookups in a table before it is sorted: to sort the kernel's costs as much as forty
/// passes over it.
const FEW: usize = 32;

/// Bytes of a name, for want of a count: the mean of a C++ library.
const COMMON_NAME: usize = 64;

/// A symbol table: of which file, of which kind.
#[derive(Debug)]
struct Table {
    file: Arc<ElfFile>,
    /// Whether it stands in the file that is packed inside `file`.
    is_mini: bool,
    kind: TableKind,
    lookups: AtomicUsize,
    content: OnceLock<Result<Content, Fault>>,
}

#[derive(Debug)]
struct Content {
    file: Arc<ElfFile>,
    symbols: Symbols,
    names: Vec<OnceLock<Name>>,
}

impl SymbolTables {
    pub(crate) fn new(own: Option<&Arc<ElfFile>>, debug: Option<&Arc<ElfFile>>) -> Self {
        let table = |file: &Arc<ElfFile>, is_mini, kind| Table {
            file: Arc::clone(file),
            is_mini,
            kind,
            lookups: AtomicUsize::new(0),
            content: OnceLock::new(),
        };
        let (full, dynamic) = (TableKind::Full, TableKind::Dynamic);
        let files = debug.into_iter().chain(own);
        let mut tables: Vec<Table> = files.map(|file| table(file, false, full)).collect();
        tables.extend(own.map(|own| table(own, true, full)));
        tables.extend(own.map(|own| table(own, false, dynamic)));
        tables.extend(own.map(|own| table(own, false, TableKind::Stubs)));
        Self(tables)
    }

    /// Returns the name and the start of the symbol that covers `addr`.
    ///
    /// [`Fault::Limit`] says that none does as far as is known, and that a limit kept
    /// a table from being read.
    pub(crate) fn find(&self, addr: u64, options: &Options) -> Result<Option<(Name, u64)>, Fault> {
        let mut fault = None;
        for table in &self.0 {
            match table.find(addr, options) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(Fault::Malformed) => {}
                Err(Fault::Limit) => fault = Some(Fault::Limit),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    /// Calls `found` for each table with the file it stands in.
    pub(crate) fn for_each_table(
        &self,
        options: &Options,
        mut found: impl FnMut(&ElfFile, TableKind),
    ) {
        for table in &self.0 {
            let packed = if table.is_mini {
                table.content(options).ok().map(|content| &content.file)
            } else {
                Some(&table.file)
            };
            if let Some(file) = packed {
                found(file, table.kind);
            }
        }
    }

    /// Returns the bytes of memory that they take.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let sizes = self.0.iter().filter_map(|table| {
            let content = table.content.get()?.as_ref().ok()?;
            // Any other file is kept, and counted, by the module.
            let own = content.file.read_bytes();
            let own = if table.is_mini { own } else { 0 };
            Some(own.saturating_add(wide(content.bytes())))
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// Returns all tables, read side by side.
    pub(crate) fn read_all(&self, options: &Options) -> SymbolSources<'_> {
        let tables = self.0.par_iter();
        let contents: Vec<_> = tables.map(|table| table.content(options)).collect();
        let limited = contents
            .iter()
            .any(|content| matches!(content, Err(Fault::Limit)));
        let read = contents.into_iter().flatten();
        let tables = read.map(|content| (&content.symbols, &*content.file));
        SymbolSources {
            tables: tables.collect(),
            limited,
        }
    }
}

impl Table {
    fn find(&self, addr: u64, options: &Options) -> Result<Option<(Name, u64)>, Fault> {
        // To unpack MiniDebugInfo costs more than to sort it.
        let early = self.content.get().is_none() && !self.is_mini;
        if early && self.lookups.fetch_add(1, Ordering::Relaxed) < FEW {
            return Ok(self.read(Some(addr), options)?.find(addr, options));
        }
        Ok(self.content(options)?.find(addr, options))
    }

    fn content(&self, options: &Options) -> Result<&Content, Fault> {
        let content = self.content.get_or_init(|| self.read(None, options));
        content.as_ref().map_err(|fault| *fault)
    }

    /// With `only`, what is read suffices for this address.
    fn read(&self, only: Option<u64>, options: &Options) -> Result<Content, Fault> {
        let limits = &options.limits;
        let file = if self.is_mini {
            match mini_debug_info(&self.file, limits.mini_debug_bytes) {
                Some(Ok(file)) => Arc::new(file),
                Some(Err(UnpackError::Limit)) => return Err(Fault::Limit),
                Some(Err(UnpackError::Malformed)) | None => return Err(Fault::Malformed),
            }
        } else {
            Arc::clone(&self.file)
        };
        let symbols = Symbols::read(&file, self.kind, limits.name_bytes, only);
        let mut names = Vec::new();
        names.resize_with(symbols.len(), OnceLock::new);
        Ok(Content {
            file,
            symbols,
            names,
        })
    }
}

impl Content {
    fn bytes(&self) -> usize {
        // Names are counted as if all were made, each of a common length.
        let names = self.names.len().saturating_mul(COMMON_NAME);
        let cells = bytes_of(&self.names).saturating_add(names);
        cells.saturating_add(self.symbols.bytes())
    }

    fn find(&self, addr: u64, options: &Options) -> Option<(Name, u64)> {
        let symbol = self.symbols.find(addr, &self.file)?;
        let name = self.names.get(symbol.at)?;
        let name = name.get_or_init(|| Name::of_linkage(symbol.name, options));
        Some((name.clone(), symbol.start))
    }
}
