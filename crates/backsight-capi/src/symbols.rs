//! What a module defines: all its symbols, or those of one name.

use std::ffi::c_char;
use std::ptr;

use backsight_symbolize::{Definition, DefinitionKind};

use crate::answer_list::chain;
use crate::failure::{Result, ended, nothing, value_or};
use crate::handles::{self, Object};
use crate::raw::{self, OutPlace, bad_argument};
use crate::status::backsight_status;
use crate::strings::{TextArena, backsight_string};
use crate::symbolizer::{SymbolizerObject, backsight_symbolizer};
use crate::symbolizer_modules::of_symbols;

/// Code with a beginning and an end.
pub const BACKSIGHT_SYMBOL_FUNCTION: u32 = 0;
/// Data.
pub const BACKSIGHT_SYMBOL_OBJECT: u32 = 1;
/// A place in code that assembly gives a name to.
pub const BACKSIGHT_SYMBOL_LABEL: u32 = 2;
/// A kind that this version has no number for.
pub const BACKSIGHT_SYMBOL_OTHER: u32 = 0xffff;

/// A list of symbols. Nothing changes it, and threads may share it.
#[derive(Debug)]
pub struct backsight_symbols {
    _unused: [u8; 0],
}

/// A function, object or label. Later versions add fields at the end: do not make or copy one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_symbol {
    /// The next one, by virtual offset and then by name; null after the last.
    pub next: *const backsight_symbol,
    /// Its name for people: demangled, if it can be.
    pub name: backsight_string,
    /// Its name for the linker.
    pub linkage_name: backsight_string,
    /// The source file of a function.
    pub file: backsight_string,
    /// The line in it, counted from 1; 0 if it is not known.
    pub line: u32,
    /// `BACKSIGHT_SYMBOL_FUNCTION` and so on.
    pub kind: u32,
    /// The virtual offset of its first byte.
    pub start: u64,
    /// In bytes; 0 if it is not known.
    pub bytes: u64,
}

struct SymbolList {
    all: Vec<backsight_symbol>,
    /// What they point to.
    _texts: TextArena,
}

// SAFETY: the pointers are to what the list itself has and move with it.
unsafe impl Send for SymbolList {}
// SAFETY: nothing changes it.
unsafe impl Sync for SymbolList {}

impl Object for SymbolList {
    type Handle = backsight_symbols;
    const NAME: &'static str = "symbols";
}

impl SymbolList {
    fn new(definitions: &[Definition]) -> Self {
        let mut texts = TextArena::default();
        let shown = definitions.iter().map(|it| backsight_symbol {
            next: ptr::null(),
            name: texts.add(it.shown.as_bytes()),
            linkage_name: texts.add(it.name.as_bytes()),
            file: texts.add_some(it.file.as_deref()),
            line: it.line.unwrap_or(0),
            kind: match it.kind {
                DefinitionKind::Function => BACKSIGHT_SYMBOL_FUNCTION,
                DefinitionKind::Object => BACKSIGHT_SYMBOL_OBJECT,
                DefinitionKind::Label => BACKSIGHT_SYMBOL_LABEL,
                _ => BACKSIGHT_SYMBOL_OTHER,
            },
            start: it.start.0,
            bytes: it.size,
        });
        let mut all: Vec<_> = shown.collect();
        chain(&mut all, |symbol, next| symbol.next = next);
        Self { all, _texts: texts }
    }
}

/// Lists what a module defines: every symbol, and the functions that debug information alone
/// knows. With a `name`, which is not null, those of this name alone, as the linker or as people
/// have it: `memchr`, `_ZN3abs3runEv`, `abs::run()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_symbols(
    symbolizer: *const backsight_symbolizer,
    module: u64,
    name: *const c_char,
    symbols: *mut *mut backsight_symbols,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(symbols, ptr::null_mut(), "symbols") }?;
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        let module = of.module(module)?;
        let found = match name.is_null() {
            true => of.symbolizer.definitions(module),
            false => {
                // SAFETY: the caller says that it ends with a NUL.
                let name = unsafe { raw::text(name, "name") }?;
                of.symbolizer.definitions_named(module, utf8(name)?)
            }
        };
        let found = found.map_err(|error| of_symbols(&error))?;
        place.put(handles::add(SymbolList::new(&found))?);
        Ok(())
    })
}

fn utf8(name: &[u8]) -> Result<&str> {
    std::str::from_utf8(name)
        .map_err(|error| bad_argument(format!("name is not UTF-8, as all names are: {error}")))
}

/// Returns the first symbol, which leads to all others; null if there is none. They are there
/// until the list is freed.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbols_first(
    symbols: *const backsight_symbols,
) -> *const backsight_symbol {
    let first = || {
        let list = handles::get::<SymbolList>(symbols)?;
        Ok(list.all.first().map_or(ptr::null(), ptr::from_ref))
    };
    value_or(first).unwrap_or_else(nothing)
}

/// Returns the number of symbols; 0 if `symbols` is no list.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbols_count(symbols: *const backsight_symbols) -> usize {
    value_or(|| Ok(handles::get::<SymbolList>(symbols)?.all.len())).unwrap_or(0)
}

/// Frees the list, and all that was borrowed from it.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbols_free(symbols: *mut backsight_symbols) -> backsight_status {
    ended(|| handles::free::<SymbolList>(symbols))
}
